"""What the stored sets of the mechanism predict, and the tables of docs/mechanism.md that say so.

    python tools/predict_mechanism.py              # print every target, held-out trial and the session's kill
    python tools/predict_mechanism.py --write      # also write the page's tables
    python tools/predict_mechanism.py --kill       # only: what the rate of chemoembolisation should be

Nothing is fitted but the one rate of chemoembolisation (`kill_tace`), which `--kill` prints for each set and
the model file holds as their median. The table of fitted quantities and its profiles belong to
tools/calibrate_mechanism.py. The same numbers come out of every run; it takes about ten minutes on a core.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from calibrate_mechanism import FRESH, weights_needed
from mechanism_asia import HEAD as ASIA_HEAD
from mechanism_asia import asia_rows
from mechanism_dose import HEAD as DOSE_HEAD
from mechanism_dose import dose_rows
from mechanism_page import between, number, table, write_beside, write_page
from mechanism_report import held_out, target_rows
from mechanism_tace import CALIBRATED_TO, HEAD, half_tace, rows_of_kills, solved_kill

from troughline.mechanism.parameters import ParameterSet, read_sets
from troughline.mechanism.runner import Runner, load_runner
from troughline.mechanism.targets import read_targets
from troughline.mechanism.treatment import session_kills
from troughline.mechanism.trial_designs import Measured, TrialDesign, read_designs, read_not_predicted
from troughline.mechanism.trial_predictions import measure_of, run_design, scatter

PAGE = Path(__file__).resolve().parents[1] / "docs" / "mechanism.md"
DRAWS = 200
PATIENTS = 2000
FIT_SEED = 20_260_101
TRIAL_HEAD = (
    "target", "use", "published", "approached", "best set", "all sets", "95 % of trials of its size",
    "best set is", "sets inside", "source",
)  # fmt: skip


def main() -> None:
    """Predict, print, and with --write put the tables in their places."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the page's tables")
    parser.add_argument("--kill", action="store_true", help="only the rate of chemoembolisation")
    options = parser.parse_args()
    runner, chosen = load_runner(), read_sets()
    if options.kill:
        _print_kills(runner, chosen)
        return
    trials = trial_rows(runner, chosen)
    best = [next(s for s in chosen if s.reading == reading) for reading in ("Kd", "IC50")]
    tace = rows_of_kills(runner, best, _shipped(runner), n=PATIENTS, seed=FRESH)
    targets = read_targets()
    predicted = {s.id: held_out(runner, s, targets, seed=FRESH) for s in chosen}
    weights = weights_needed(runner, chosen[0])
    os_months = next(t.value for t in targets if t.id == "asia-os-placebo")
    asia = asia_rows(runner, chosen[0], os_months=os_months, n=PATIENTS, seed=FRESH)
    doses = dose_rows(runner, chosen, n=PATIENTS, seed=FRESH)
    rows = target_rows(targets, chosen, predicted)
    for row in (*rows, *(r for _, part in trials for r in part), *tace, *asia, *doses):
        print(" | ".join(row))
    if options.write:
        root = PAGE.parents[1]
        write_page(rows, None, chosen, weights, root)
        write_beside(predicted[chosen[0].id], root)
        text = PAGE.read_text(encoding="utf-8")
        text = between(text, "trials", _trials_text(trials))
        text = between(text, "not-predicted", _not_predicted_text())
        text = between(text, "asia", table(ASIA_HEAD, asia))
        text = between(text, "dose", table(DOSE_HEAD, doses))
        PAGE.write_text(between(text, "tace", table(HEAD, tace)), encoding="utf-8")


def trial_rows(runner: Runner, chosen: Sequence[ParameterSet]) -> list[tuple[TrialDesign, list[list[str]]]]:
    """For each trial the rows of its targets: best set, all sets, trials of its size, inside or a miss."""
    found: list[tuple[TrialDesign, list[list[str]]]] = []
    for design in read_designs():
        values: dict[str, list[float]] = {m.target.id: [] for m in design.measured}
        spread: dict[str, list[float]] = {m.target.id: [] for m in design.measured}
        for one in chosen:
            arms = run_design(runner, one, design, n=PATIENTS, seed=FRESH)
            for m in design.measured:
                values[m.target.id].append(measure_of(arms, m))
                spread[m.target.id] += list(scatter(arms, design, m, draws=DRAWS, seed=FRESH))
        found.append((design, [_row(m, values[m.target.id], spread[m.target.id]) for m in design.measured]))
        print(f"{design.id} predicted", flush=True)
    return found


def _row(measured: Measured, values: Sequence[float], spread: Sequence[float]) -> list[str]:
    t = measured.target
    verdict = "inside" if t.met(values[0]) else "**miss**"
    if t.use == "shown":
        verdict = f"({verdict.strip('*')})"
    finite = [v for v in spread if np.isfinite(v)]
    low, high = np.quantile(finite, [0.025, 0.975])
    unit = "" if t.unit == "1" else f" {t.unit}"
    return [
        f"`{t.id}`",
        t.use,
        t.printed or f"{number(t.value)}{unit}",
        f"{number(t.low)} to {number(t.high)}",
        number(values[0]),
        f"{number(min(values))} to {number(max(values))}",
        f"{number(low)} to {number(high)}",
        verdict,
        f"{sum(t.met(v) for v in values)} of {len(values)}",
        t.source + ("" if t.verified else " (not verified)"),
    ]


def _trials_text(trials: Sequence[tuple[TrialDesign, Sequence[Sequence[str]]]]) -> str:
    rows = [row for _, part in trials for row in part]
    lines = [table(TRIAL_HEAD, rows), "", count_of(rows), ""]
    for design, _ in trials:
        notes = [f"`{m.target.id}`: {m.target.note}" for m in design.measured if m.target.note]
        sizes = ", ".join(f"{a.id} {a.n}" for a in design.arms)
        lines.append(f"- **{design.label}** ({sizes}). Assumed: {'; '.join((*design.assumed, *notes))}.")
    return "\n".join(lines)


def count_of(rows: Sequence[Sequence[str]]) -> str:
    """How many of the held-out numbers the best set meets, in a sentence."""
    held = [row for row in rows if row[1] == "held out"]
    return (
        f"Held out, and inside with the best set: {sum(row[7] == 'inside' for row in held)} of {len(held)}."
    )


def _not_predicted_text() -> str:
    rows: list[list[str]] = []
    for one in read_not_predicted():
        n = one.number
        value = f"{number(n.value or 0.0)}{'' if n.unit == '1' else ' ' + n.unit}"
        label = n.label + (f" ({n.arm})" if n.arm else "")
        rows.append([f"{one.study}, {n.id}", label, value, one.reason])
    return table(("published", "what", "value", "why it is not predicted"), rows)


def _shipped(runner: Runner) -> float:
    return next(p.value_as_written for p in runner.mechanism.parameters if p.name == "kill_tace")


def _print_kills(runner: Runner, chosen: Sequence[ParameterSet]) -> None:
    wanted = next(m.target.value for d in read_designs() for m in d.measured if m.target.id == CALIBRATED_TO)
    kills: Mapping[str, float] = {
        s.id: solved_kill(runner, s, wanted, n=PATIENTS, seed=FIT_SEED) for s in chosen
    }
    half = half_tace(runner)
    for name, kill in kills.items():
        print(f"{name}: {kill:.3f} 1/d, kills {100 * session_kills(kill, half):.1f} %")
    middle = float(np.median(list(kills.values())))
    print(
        f"median {middle:.3f} 1/d, kills {100 * session_kills(middle, half):.1f} %; "
        f"in the file {_shipped(runner):g}"
    )


if __name__ == "__main__":
    main()
