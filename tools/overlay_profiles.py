"""Lay published sorafenib profiles over the typical curves of `sorafenib/jain-2011` and `sorafenib/hcc`.

    python tools/overlay_profiles.py PATH_TO_PROFILES     # the folder of digitised tables (Zenodo 10432855)

Writes the table of fold errors (each profile, each study) into docs/models/sorafenib-profiles.md, and
docs/images/sorafenib-profiles.svg. No profile was used to fit either model here.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path

import matplotlib as mpl
import numpy as np
from sorafenib_curve import Floats, Sorafenib, read_model
from sorafenib_page import replace_blocks
from sorafenib_targets import read_profiles

DOCS = Path(__file__).resolve().parents[1] / "docs"
MODELS = {"sorafenib/jain-2011": "#7b858e", "sorafenib/hcc": "#c8562b"}
SHARE_OF_PEAK = 0.05
TO_MG_PER_L = {"mg/l": 1.0, "mg/L": 1.0, "ug/mL": 1.0, "ng/mL": 1e-3, "ug/L": 1e-3}
ROWS = (
    "Awada 2005, first dose", "Awada 2005, day 7", "Awada 2005, day 21", "Strumberg 2005, single dose",
    "Strumberg 2005, twice daily", "other",
)  # fmt: skip
GRID = np.linspace(0.0, 1.0, 73)
COLUMNS = (100, 200, 300, 400, 600, 800)


@dataclass(frozen=True)
class Profile:
    """A mean curve: time h after the last dose, mean mg/L and its SD (nan: none), all (points,).

    `doses_before`: the doses every 12 h before the one that is followed.
    """

    study: str
    name: str
    population: str
    n: int
    dose_mg: float
    doses_before: int
    after_dose_h: Floats
    mean: Floats
    sd: Floats
    child_pugh: str = "A"

    def predicted(self, patient: Sorafenib, after_dose_h: Floats) -> Floats:
        """The typical concentration, mg/L, at times h after the followed dose."""
        start = 12.0 * self.doses_before
        doses = [(12.0 * k, self.dose_mg) for k in range(self.doses_before + 1)]
        return patient.curve(doses, (start + after_dose_h).tolist())[0]

    def folds(self, patient: Sorafenib) -> Floats:
        """log(predicted / observed) where the mean is above SHARE_OF_PEAK of its peak."""
        predicted = self.predicted(patient, self.after_dose_h)
        counted = (self.mean > SHARE_OF_PEAK * self.mean.max()) & (predicted > 0.0)
        return np.log(predicted[counted] / self.mean[counted])


def profiles(folder: Path) -> list[Profile]:
    """Every profile of sorafenib in plasma after tablets in adults, in the order of the figure."""
    found: list[Profile] = []
    for day, before in ((1, 0), (7, 12), (21, 40)):
        when = "first dose" if day == 1 else f"day {day}"
        found += [
            _profile(
                folder, "Awada2005_Fig2", f"SOF{d}_D{day}", f"Awada 2005, {when}", "solid tumours", d, before
            )
            for d in COLUMNS
        ]
    for kind, when, before in (("SD", "single dose", 0), ("MD", "twice daily", 14)):
        found += [
            _profile(
                folder, "Strumberg2005_Fig1", f"SOF{d}_{kind}", f"Strumberg 2005, {when}", "solid tumours", d,
                before,
            )
            for d in COLUMNS if d != 300
        ]  # fmt: skip
    found += [
        _profile(
            folder,
            "Huh2021_Fig2",
            f"SOF200_P{k}",
            f"Huh 2021, single dose, period {k}",
            "healthy men",
            200,
            0,
        )
        for k in (1, 2)
    ]
    found.append(
        _profile(
            folder, "Andriamanana2013_Fig4", "SOF400", "Andriamanana 2013, one patient", "not stated", 400, 0
        )
    )
    found.append(
        _profile(folder, "Bins2017_Fig4", "SOR_sor", "Bins 2017, twice daily", "solid tumours", 200, 28)
    )
    for p in read_profiles():
        found.append(
            Profile(
                f"Abou-Alfa 2006, Child-Pugh {p['child_pugh']}", p["id"], p["population"], p["n"],
                p["dose_mg"], 2 * p["day"], np.array(p["after_dose_h"]), np.array(p["mean_mg_per_l"]),
                np.full(len(p["mean_mg_per_l"]), np.nan), p["child_pugh"],
            )
        )  # fmt: skip
    return found


def _profile(
    folder: Path, table: str, label: str, study: str, population: str, dose_mg: float, before: int
) -> Profile:
    with (folder / f"{table}.tsv").open(encoding="utf-8", newline="") as file:
        rows = [
            r for r in csv.DictReader(file, delimiter="\t")
            if r["label"] == label and r["substance"].strip() == "sorafenib" and r["mean"] != "NA"
        ]  # fmt: skip
    factor = TO_MG_PER_L[rows[0]["unit"]]
    column = "timerel" if "timerel" in rows[0] else "time"
    # Digitised times just below zero are the sample before the dose.
    time = np.maximum([_number(r[column]) for r in rows], 0.0)
    order = np.argsort(time, kind="stable")
    mean, sd = (factor * np.array([_number(r[key]) for r in rows])[order] for key in ("mean", "sd"))
    count = int(float(rows[0]["count"]))
    return Profile(study, label, population, count, dose_mg, before, time[order], mean, sd)


def _number(text: str) -> float:
    return float("nan") if text in ("NA", "") else float(text)


def fold_rows(found: Sequence[Profile], patients: Mapping[tuple[str, str], Sorafenib]) -> list[list[str]]:
    """One line a profile, and after the profiles of a study one for the study."""
    rows: list[list[str]] = []
    for study in dict.fromkeys(p.study for p in found):
        of_study = [p for p in found if p.study == study]
        logs: dict[str, list[Floats]] = {
            m: [p.folds(patients[m, p.child_pugh]) for p in of_study] for m in MODELS
        }
        for i, p in enumerate(of_study):
            rows.append(
                [study, f"{p.dose_mg:g}", str(p.n), str(len(logs["sorafenib/hcc"][i]))]
                + [cell for m in MODELS for cell in _cells(logs[m][i])]
            )
        if len(of_study) > 1:
            together = {m: np.concatenate(logs[m]) for m in MODELS}
            rows.append(
                [f"**{study}, all**", "", "", str(len(together["sorafenib/hcc"]))]
                + [f"**{cell}**" for m in MODELS for cell in _cells(together[m])]
            )
    return rows


def _cells(logs: Floats) -> list[str]:
    return [
        f"{exp(float(np.mean(logs))):.2f}", f"{exp(float(np.mean(np.abs(logs)))):.2f}",
        f"{100.0 * np.mean(np.abs(logs) <= np.log(2.0)):.0f}",
    ]  # fmt: skip


def draw(found: Sequence[Profile], patients: Mapping[tuple[str, str], Sorafenib], path: Path) -> None:
    """Small multiples: a row for each study and occasion, a column for each dose."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    mpl.rcParams.update({"svg.hashsalt": "sorafenib-profiles", "font.size": 7.5, "svg.fonttype": "none"})
    figure, axes = plt.subplots(
        len(ROWS), len(COLUMNS), figsize=(11.0, 11.5), sharey="row", layout="constrained"
    )
    for r, row in enumerate(ROWS):
        in_row = [p for p in found if (p.study == row) or (row == "other" and p.study not in ROWS)]
        for c, dose in enumerate(COLUMNS):
            ax = axes[r, c]
            shown = in_row[c : c + 1] if row == "other" else [p for p in in_row if p.dose_mg == dose]
            if not shown:
                ax.set_axis_off()
                continue
            _panel(ax, shown[0], patients, row == "other")
        axes[r, 0].set_ylabel("mg/L" if row == "other" else f"{row}\nmg/L")
        # Bars may leave the panel: several standard deviations are larger than their mean.
        highest = [
            np.concatenate(
                [
                    p.mean,
                    *(p.predicted(patients[m, p.child_pugh], GRID * p.after_dose_h.max()) for m in MODELS),
                ]
            )
            for p in in_row
        ]
        axes[r, 0].set_ylim(0.0, 1.15 * float(np.concatenate(highest).max()))
    for ax in axes[-1]:
        ax.set_xlabel("h after the dose")
    handles = [plt.Line2D([], [], color=color, label=f"{model}, typical") for model, color in MODELS.items()]
    handles.append(
        plt.Line2D(
            [], [], color="#1d2a35", marker="o", markersize=3, linestyle="", label="published mean (SD)"
        )
    )
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=110)
    plt.close(figure)


def _panel(ax: mpl.axes.Axes, p: Profile, patients: Mapping[tuple[str, str], Sorafenib], named: bool) -> None:
    grid = GRID * p.after_dose_h.max()
    for model, color in MODELS.items():
        ax.plot(grid, p.predicted(patients[model, p.child_pugh], grid), color=color, linewidth=1.3)
    error = np.where(np.isfinite(p.sd), p.sd, 0.0)
    below = np.minimum(error, p.mean)
    ax.errorbar(
        p.after_dose_h, p.mean, yerr=[below, error], fmt="o", markersize=3, color="#1d2a35", elinewidth=0.6
    )
    study = p.study.replace(", ", "\n", 1) + "\n" if named else ""
    ax.set_title(f"{study}{p.dose_mg:g} mg, n = {p.n}", fontsize=7.5)
    ax.spines[["top", "right"]].set_visible(False)


def main() -> None:
    """Read, draw, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="folder of the digitised tables (*.tsv)")
    parser.add_argument("--png", type=Path, help="draw a PNG here too")
    options = parser.parse_args()
    found = profiles(options.folder)
    hcc = {("sorafenib/hcc", k): read_model("sorafenib/hcc", k) for k in ("A", "B")}
    patients = hcc | {("sorafenib/jain-2011", k): read_model("sorafenib/jain-2011") for k in ("A", "B")}
    head = ["profile", "mg", "n", "points"]
    head += [f"{m.split('/')[1]}: {cell}" for m in MODELS for cell in ("bias", "fold", "within 2")]
    rows = [head, ["---"] * len(head), *fold_rows(found, patients)]
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    print(table)
    replace_blocks(DOCS / "models" / "sorafenib-profiles.md", {"folds": table})
    draw(found, patients, DOCS / "images" / "sorafenib-profiles.svg")
    if options.png:
        draw(found, patients, options.png)


if __name__ == "__main__":
    main()
