"""Write the calibrated sets and the generated tables of docs/mechanism.md."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mechanism_fit import read_fitted
from mechanism_report import short

from troughline.mechanism.parameters import ParameterSet, read_potency

HEAD = (
    "target",
    "use",
    "published",
    "approached",
    "best set",
    "all sets",
    "best set is",
    "sets inside",
    "source",
)
BESIDE = {
    "asia-scale-doubling": "Asia-Pacific: doubling time over SHARP's",
    "asia-scale-death_0": "Asia-Pacific: baseline hazard of death over SHARP's",
    "search-toxicity": "SEARCH: erlotinib's toxicity that its time on treatment needs (sorafenib: 1)",
    "search-ttp-hr-tolerable": "SEARCH without that toxicity: hazard ratio of progression",
    "search-os-hr-tolerable": "SEARCH without that toxicity: hazard ratio of death",
    "noda-os-below-without-toxicity": "trough below 1.40 mg/L, no toxicity: median survival, months",
    "noda-os-inside-without-toxicity": "trough 1.40 to 3.45 mg/L, no toxicity: median survival, months",
    "noda-os-above-without-toxicity": "trough above 3.45 mg/L, no toxicity: median survival, months",
    "noda-middle-best": "studies of 26 patients whose middle band lives longest, %",
    "noda-middle-best-without-toxicity": "the same without toxicity, %",
}
SETS = Path("src/troughline/mechanism/data/calibrated.toml")
PAGE = Path("docs/mechanism.md")
MODEL = Path("src/troughline/model/library/sorafenib/hcc-mechanism.toml")


def write_sets(chosen: Sequence[ParameterSet], root: Path) -> None:
    """calibrated.toml: every set with its values, spreads and weighted sum of squares."""
    lines = [
        "# Sets of the mechanism that fit about as well, written by tools/calibrate_mechanism.py; the best",
        "# of each reading of potency first. Potencies: potency.toml. Units as in the mechanism's file.",
    ]
    for s in chosen:
        lines += [
            "",
            "[[set]]",
            f'id = "{s.id}"',
            f'reading = "{s.reading}"',
            f"squares = {s.squares:.4g}",
            f"follow_up_power = {s.follow_up_power:.5g}",
            "values = { " + ", ".join(f"{k} = {v:.6g}" for k, v in _own(s).items()) + " }",
            "sd = { " + ", ".join(f"{k} = {v:.6g}" for k, v in s.sd.items()) + " }",
        ]
    (root / SETS).write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_model(chosen[0], root)


def write_model(best: ParameterSet, root: Path) -> None:
    """The model file with the best set's typical values and variances, to four digits.

    Raises `ValueError` for a quantity of the set that stands nowhere in the file.
    """
    path = root / MODEL
    text = path.read_text(encoding="utf-8")
    for name, value in _own(best).items():
        line = re.compile(rf"^({re.escape(name)} = \{{ value = )[^,]+", re.MULTILINE)
        text, found = line.subn(rf"\g<1>{value:.4g}", text)
        if found != 1:
            raise ValueError(f"{path.name} has {found} lines of {name}")
    for effect, sd in best.sd.items():
        text = _with_variance(text, effect, sd * sd)
    path.write_text(text, encoding="utf-8")


def _own(one: ParameterSet) -> dict[str, float]:
    """A set's values but for the potencies, which its reading gives."""
    potency = read_potency()[one.reading]
    return {name: value for name, value in one.values.items() if name not in potency}


def _with_variance(text: str, effect: str, variance: float) -> str:
    for block in re.finditer(r"effects = \[([^\]]*)\]\nvariance = \[([^\]]*)\]", text):
        effects = [part.strip().strip('"') for part in block[1].split(",")]
        if effect in effects:
            values = [part.strip() for part in block[2].split(",")]
            values[effects.index(effect)] = f"{variance:.4g}"
            return text[: block.start(2)] + ", ".join(values) + text[block.end(2) :]
    raise ValueError(f"no random effect {effect} in the model file")


def write_page(
    rows: Sequence[Sequence[str]],
    profiles: Mapping[str, tuple[float | None, float | None]] | None,
    chosen: Sequence[ParameterSet],
    weights: Mapping[str, float],
    root: Path,
) -> None:
    """The page with its tables between the marks written anew; that of the fit only with `profiles`."""
    page = root / PAGE
    text = page.read_text(encoding="utf-8")
    text = between(text, "targets", table(HEAD, rows))
    if profiles is not None:
        text = between(text, "sets", _sets_table(chosen, profiles))
    text = between(
        text,
        "weights",
        f"{weights['patients']:.0f} virtual patients of the best set, weighted to the averages named above: "
        f"effective sample size {weights['effective']:.0f} "
        f"({100 * weights['effective'] / weights['patients']:.0f} %), "
        f"largest weight {weights['largest']:.2f}, largest miss {weights['worst_miss']:.1g}.",
    )
    page.write_text(text, encoding="utf-8")


def write_fitted(
    profiles: Mapping[str, tuple[float | None, float | None]], chosen: Sequence[ParameterSet], root: Path
) -> None:
    """The page with the table of what was fitted written anew."""
    page = root / PAGE
    text = between(page.read_text(encoding="utf-8"), "sets", _sets_table(chosen, profiles))
    page.write_text(text, encoding="utf-8")


def write_beside(found: Mapping[str, float], root: Path) -> None:
    """The page with what the best set says beside the targets."""
    rows = [[label, f"{found[key]:.3g}"] for key, label in BESIDE.items()]
    page = root / PAGE
    text = between(
        page.read_text(encoding="utf-8"), "beside", table(("beside the targets", "best set"), rows)
    )
    page.write_text(text, encoding="utf-8")


def _sets_table(
    chosen: Sequence[ParameterSet], profiles: Mapping[str, tuple[float | None, float | None]]
) -> str:
    rows: list[list[str]] = []
    for quantity in read_fitted():
        name = quantity.name
        by_reading: list[str] = []
        for reading in ("Kd", "IC50"):
            values = [quantity.of(s) for s in chosen if s.reading == reading]
            by_reading += (
                [short(values[0]), f"{short(min(values))} to {short(max(values))}"] if values else ["", ""]
            )
        low, high = profiles.get(name, (None, None))
        shown = (
            " to ".join("not determined" if v is None else short(v) for v in (low, high))
            if name in profiles
            else "not run"
        )
        rows.append([f"`{name}`", *by_reading, shown])
    head = (
        "quantity",
        "Kd: best",
        "Kd: all sets",
        "IC50: best",
        "IC50: all sets",
        "profile at the printed errors (Kd)",
    )
    return table(head, rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def number(value: float) -> str:
    """Three figures, whole from 100 on; a dash for what is not reached."""
    if value != value:
        return "–"
    return f"{value:.0f}" if abs(value) >= 100.0 else f"{value:.3g}"


def between(text: str, mark: str, content: str) -> str:
    """The text with what stands between the marks replaced. Raises `ValueError` without the marks."""
    begin, end = f"<!-- begin {mark} -->", f"<!-- end {mark} -->"
    if begin not in text or end not in text:
        raise ValueError(f"the page has no marks {begin} and {end}")
    head, rest = text.split(begin, 1)
    return f"{head}{begin}\n{content}\n{end}{rest.split(end, 1)[1]}"
