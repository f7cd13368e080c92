"""Write what the calibration of `sorafenib/hcc` found: into the model file, and as tables into its page."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from math import sqrt
from pathlib import Path

import numpy as np
from sorafenib_curve import LIBRARY, Sorafenib, read_model
from sorafenib_targets import (
    Calibration,
    Target,
    available_at_reference,
    predict,
    read_spread,
)

MODEL = LIBRARY / "sorafenib" / "hcc.toml"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "models" / "sorafenib-hcc.md"
DAYS = (7, 14, 28, 60, 90, 120, 175)
Bounds = tuple[float | None, float | None]
GROUPS = {
    "level": ("trough", "auc", "peak", "ever-below"),
    "time": ("fall",),
    "dose": ("bioavailability", "auc-by-dose"),
    "shape": ("half-life", "accumulation", "peak-to-trough", "without-recirculation"),
    "child-pugh": ("child-pugh-auc-ratio",),
    "spread": ("spread-trough", "spread-auc", "spread-within", "spread-occasion", "spread-between"),
}
TEST_MARK = (
    "# Self-tests: written by tools/calibrate_sorafenib_hcc.py from its own curve, not by the engine.\n"
)


def write_model(values: Mapping[str, float], intervals: Mapping[str, Bounds]) -> None:
    """Put fitted values (three digits), intervals, variances and self-tests into the model file."""
    text = MODEL.read_text(encoding="utf-8").split(TEST_MARK)[0].rstrip() + "\n\n"
    for name, value in values.items():
        if name in ("F400", "between", "occasion"):
            continue
        low, high = intervals[name]
        bounds = "".join(
            f", {side} = {bound:.3g}" for side, bound in (("low", low), ("high", high)) if bound is not None
        )
        line = rf"^{name} = {{ value = [^,]+, unit = (\"[^\"]+\")(?:, low = [^,]+)?(?:, high = [^,]+)?, level"
        text, found = re.subn(
            line, rf"{name} = {{ value = {value:.3g}, unit = \1{bounds}, level", text, flags=re.M
        )
        if found != 1:
            raise ValueError(f"{MODEL.name}: no line for {name}")
    old, correlation = read_spread(), jain_correlation()
    between, occasion = float(f"{values['between']:.3g}"), float(f"{values['occasion']:.3g}")
    covariance = float(f"{correlation * sqrt(between * old.volume):.4g}")
    text = re.sub(
        r"(effects = \[\"eta_CL\", \"eta_V\"\]\ncovariance = ).*",
        rf"\g<1>[[{between}, {covariance}], [{covariance}, {old.volume}]]",
        text,
    )
    text = re.sub(r"(effects = \[\"kappa_CL\"\]\nvariance = ).*", rf"\g<1>[{occasion}]", text)
    MODEL.write_text(text, encoding="utf-8")
    MODEL.write_text(text + TEST_MARK + "\n".join(_self_tests()), encoding="utf-8")


def jain_correlation() -> float:
    """The correlation of clearance and volume between patients in `sorafenib/jain-2011`."""
    document = tomllib.loads((LIBRARY / "sorafenib" / "jain-2011.toml").read_text(encoding="utf-8"))
    return document["random"][0]["correlation"][0][2]


def _self_tests() -> list[str]:
    a, b = read_model("sorafenib/hcc"), read_model("sorafenib/hcc", "B")
    month = 24.0 * 28.0
    lines: list[str] = []

    def steady(name: str, patient: Sorafenib, dose: float, covariates: str) -> None:
        one = patient.steady_state(dose, month, points=2401)
        test(
            name,
            f"treated_before = 28{covariates}",
            [_dose(0, dose, steady=True)],
            [
                _within("auc", patient.steady_state_auc(dose, month), "1e-6"),
                _within("cmax", one.peak, "1e-5"),
                _at(12, one.trough),
            ],
        )

    def course(name: str, doses: Sequence[tuple[float, float, int]], times: Sequence[float]) -> None:
        given = [(t + 12.0 * k, amount) for t, amount, more in doses for k in range(more + 1)]
        found, _ = a.curve(given, times)
        test(
            name,
            "treated_before = 0",
            [_dose(t, amount, more=more) for t, amount, more in doses],
            [_at(t, c) for t, c in zip(times, found, strict=True)],
        )

    def test(name: str, covariates: str, doses: Sequence[str], expect: Sequence[str]) -> None:
        lines.extend(
            [
                "",
                "[[tests]]",
                f'name = "{name}"',
                f"covariates = {{ {covariates} }}",
                f"doses = [{', '.join(doses)}]",
                "expect = [",
                *(f"  {e}," for e in expect),
                "]",
                'source = "tools/sorafenib_curve.py"',
            ]
        )

    steady("steady state on day 28, 400 mg twice daily", a, 400, "")
    steady("steady state on day 28, 200 mg twice daily", a, 200, "")
    steady("steady state on day 28, 400 mg twice daily, Child-Pugh B", b, 400, ', child_pugh_class = "B"')
    course("first dose, 400 mg", [(0, 400, 0)], [3, 12, 24, 96])
    course("400 mg twice daily for 175 days", [(0, 400, 349)], [180, 684, 2172, 4200])
    course("400 mg twice daily, after 30 days 200 mg", [(0, 400, 59), (720, 200, 27)], [708, 732, 1056])
    return [*lines, ""]


def _dose(time: float, amount: float, more: int = 0, steady: bool = False) -> str:
    repeated = ", steady_state = true" if steady else f", additional = {more}" if more else ""
    interval = ", interval = 12" if repeated else ""
    return f"{{ time = {time:g}, amount = {amount:g}{interval}{repeated} }}"


def _within(quantity: str, value: float, tolerance: str) -> str:
    window = f'quantity = "{quantity}", start = 0, end = 12'
    return f"{{ {window}, value = {value:.7g}, relative_tolerance = {tolerance} }}"


def _at(time: float, value: float) -> str:
    return f'{{ quantity = "at", time = {time:g}, value = {value:.7g}, relative_tolerance = 1e-5 }}'


def achieved_values(calibration: Calibration) -> dict[str, float]:
    """What the model file as it stands gives for each target, by id."""
    patients = {k: read_model("sorafenib/hcc", k) for k in ("A", "B")}
    spread, available = read_spread(), available_at_reference(calibration, patients["A"])
    return {t.id: predict(t, patients, spread, available) for t in calibration.targets}


def write_page(
    calibration: Calibration,
    parameters: Sequence[Sequence[str]],
    variants: Sequence[Sequence[str]],
    shapes: Sequence[Sequence[str]],
    squares: str,
) -> None:
    """Replace the generated blocks of the page."""
    achieved = achieved_values(calibration)
    blocks = {
        "parameters": _table(
            ("parameter", "value", "unit", "95 % profile", "95 % bootstrap", "meaning"), parameters
        ),
        "squares": squares,
        "alone": _alone(calibration, achieved),
        "variants": _table(
            ("calibrated with", "CL/F, L/h", "fall", "half-time, d", "trough day 28", "trough day 175"),
            variants,
        ),
        "shapes": _table(("bioavailability against dose", "parameter", "weighted sum of squares"), shapes),
        "course": _course(),
        "statements": "\n".join(
            f"- *{s['topic']}*: {s['text']} (`{s['source']}`)" for s in calibration.statements
        ),
        "sources": "\n".join(
            f"- `{key}`: {s['citation']}, {s.get('doi') or s.get('url')}. {s.get('note', '')}".rstrip()
            for key, s in calibration.sources.items()
        ),
    } | {f"targets-{name}": _targets(calibration, achieved, kinds) for name, kinds in GROUPS.items()}
    replace_blocks(PAGE, blocks)


def replace_blocks(page: Path, blocks: Mapping[str, str]) -> None:
    """Replace the text between `<!-- begin NAME -->` and `<!-- end NAME -->`; ValueError without marks."""
    text = page.read_text(encoding="utf-8")
    for name, body in blocks.items():
        pattern = rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)"
        text, found = re.subn(pattern, lambda m, b=body: f"{m[1]}{b}\n{m[2]}", text, flags=re.S)
        if found != 1:
            raise ValueError(f"{page.name}: no block {name}")
    page.write_text(text, encoding="utf-8")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _where(target: Target) -> str:
    parts = []
    if target.get("from_dose_mg"):
        parts.append(f"{target.get('dose_mg'):g} over {target.get('from_dose_mg'):g} mg")
    elif target.get("dose_mg"):
        parts.append(f"{target.get('dose_mg'):g} mg")
    if target.get("from_day"):
        parts.append(f"day {target.get('from_day')} to {target.get('day')}")
    elif target.get("day"):
        parts.append(f"day {target.get('day')}")
    if target.get("end_h"):
        parts.append(f"0-{target.get('end_h')} h")
    return ", ".join(parts) + (" *" if target.get("assumed") else "")


def _targets(calibration: Calibration, achieved: Mapping[str, float], kinds: Sequence[str]) -> str:
    rows = [
        [
            f"`{t.id}`",
            t.shown_value,
            "" if t.get("unit") == "1" else t.get("unit"),
            "" if t.get("population") == "label" else str(t.n),
            t.get("population"),
            _where(t),
            f"`{t.source}` ({t.get('read')})" + ("" if t.verified else ", unverified"),
            f"{calibration.weight(t):.1f}" if t.used else "shown only",
            f"{achieved[t.id]:.3g}",
            "" if t.value is None else f"{achieved[t.id] / t.value:.2f}",
        ]
        for t in calibration.targets
        if t.quantity in kinds
    ]
    head = (
        "target",
        "published",
        "unit",
        "n",
        "population",
        "predicted for",
        "source (read in)",
        "weight",
        "model",
        "model / published",
    )
    notes = [
        f"- `{t.id}`: "
        + " ".join(
            x for x in (f"Assumed: {t.get('assumed')}." if t.get("assumed") else "", t.get("note", "")) if x
        )
        for t in calibration.targets
        if t.quantity in kinds and (t.get("assumed") or t.get("note"))
    ]
    return _table(head, rows) + ("\n\n" + "\n".join(notes) if notes else "")


def _alone(calibration: Calibration, achieved: Mapping[str, float]) -> str:
    """What each level alone would make of the mean concentration on day 28 and of the clearance."""
    patient = read_model("sorafenib/hcc")
    mean = patient.interval(400.0, 28).auc() / 12.0
    rows = []
    for t in calibration.targets:
        if t.quantity not in ("trough", "auc") or t.get("child_pugh"):
            continue
        ratio = t.value / achieved[t.id]
        rows.append(
            [
                f"`{t.id}`",
                str(t.n),
                t.get("population"),
                f"{mean * ratio:.2f}",
                f"{patient.clearance_l_per_h / ratio:.1f}",
                "yes" if t.used else "no",
            ]
        )
    jain = read_model("sorafenib/jain-2011")
    rows.append(
        [
            "`sorafenib/jain-2011`",
            "111",
            "solid tumours",
            f"{jain.steady_state(400.0).auc() / 12.0:.2f}",
            f"{jain.clearance_l_per_h:.1f}",
            "no",
        ]
    )
    rows.append(
        ["**the calibration**", "", "", f"**{mean:.2f}**", f"**{patient.clearance_l_per_h:.1f}**", ""]
    )
    return _table(
        ("source alone", "n", "population", "mean concentration on day 28, mg/L", "CL/F, L/h", "used"), rows
    )


def _course() -> str:
    rows = []
    for name, child_pugh, dose, every in (
        ("400 mg twice daily", "A", 400.0, 12.0),
        ("400 mg twice daily", "B", 400.0, 12.0),
        ("200 mg twice daily", "A", 200.0, 12.0),
        ("400 mg once daily", "A", 400.0, 24.0),
    ):
        patient = read_model("sorafenib/hcc", child_pugh)
        troughs = [patient.interval(dose, day, every, points=2).trough for day in DAYS]
        rows.append([name, child_pugh, *(f"{x:.2f}" for x in troughs)])
    jain = read_model("sorafenib/jain-2011")
    same = np.array([jain.interval(400.0, day, points=2).trough for day in DAYS])
    rows.append(["400 mg twice daily, `jain-2011`", "", *(f"{x:.2f}" for x in same)])
    return _table(("typical trough, mg/L", "Child-Pugh", *(f"day {d}" for d in DAYS)), rows)
