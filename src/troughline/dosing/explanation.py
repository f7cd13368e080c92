"""What drove an answer, in plain words: the levels against the population, which of them, which target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.causes import common_causes
from troughline.dosing.level_rows import LevelRows, spread_of
from troughline.dosing.plausibility import ODD_P, p_in_words
from troughline.dosing.result import Cause, Explanation, IfProportional, TargetResult

if TYPE_CHECKING:
    from troughline.dosing.patient import DosePatient

Floats = NDArray[np.float64]
Direction = Literal["low", "high", "typical"]

TYPICAL = (0.75, 1.33)
"""A patient whose exposure lies within these multiples of the population's median is typical."""


def explain(
    patient: DosePatient,
    own: Floats,
    population: Floats,
    rows: LevelRows,
    target: TargetResult,
    *,
    level: float,
    interval: str | None = None,
    if_proportional: IfProportional | None = None,
    model_notes: dict[str, tuple[str, ...]] | None = None,
) -> Explanation:
    """Explain from the draws of the exposure: the patient's (n,) and the population's (n,).

    It is that of the last cycle; on hold, of the last one that was taken. `interval` is a sentence on the
    target's dosing interval, `if_proportional` and `model_notes` stand in the explanation as they are.

    The shrinkage is the variance of the patient's log exposure over that of the population's: 1 where the
    levels told nothing.
    """
    log_own, log_all = np.log(np.maximum(own, 1e-12)), np.log(np.maximum(population, 1e-12))
    shrinkage = float(min(log_own.var() / max(float(log_all.var()), 1e-12), 1.0))
    ratio = spread_of(own / float(np.exp(np.median(log_all))), level, "1")
    middle = ratio.median or 1.0
    direction: Direction = "typical"
    if middle < TYPICAL[0]:
        direction = "low"
    elif middle > TYPICAL[1]:
        direction = "high"
    causes = common_causes(patient, direction)
    sentences = [
        _against_population(middle, direction, on_hold=patient.regimen is None),
        _prior_or_data(len(patient.used_levels), shrinkage),
        *_which_level(rows), _which_target(target), *([] if interval is None else [interval]),
        *_which_cause(causes, direction), *([] if if_proportional is None else [if_proportional.text]),
    ]  # fmt: skip
    return Explanation(
        sentences=tuple(sentences),
        shrinkage=shrinkage,
        exposure_ratio=ratio,
        direction=direction,
        causes=causes,
        if_proportional=if_proportional,
        model_notes=model_notes or {},
    )


def _against_population(ratio: float, direction: Direction, *, on_hold: bool) -> str:
    begin = "Exposure before the hold was" if on_hold else "Exposure is"
    if direction == "typical":
        return f"{begin} as expected of patients with these covariates ({ratio:.2f} times their median)."
    return (
        f"{begin} {direction}: {ratio:.2g} times the median of patients with these covariates at the same "
        "doses."
    )


def _prior_or_data(n: int, shrinkage: float) -> str:
    if n == 0:
        return "There is no level: everything rests on the population model."
    told = 1 - shrinkage
    levels = "level" if n == 1 else f"{n} levels"
    if told < 0.05:
        return f"The {levels} told next to nothing: the answer rests on the population model."
    return (
        f"The {levels} settled {told:.0%} of what is uncertain about a patient's exposure (of the variance "
        "of its logarithm in the population); the rest is the population model's."
    )


def _which_level(rows: LevelRows) -> list[str]:
    if rows.most is None:
        return []
    row = rows.rows[rows.most]
    assert row.influence is not None
    value = f"{row.value:.2g} mg/L" if row.value is not None else f"below {row.limit:.2g} mg/L"
    alone = sum(r.used for r in rows.rows) == 1
    change = f"the expected trough on {rows.regimen} would be {_change(1 / (1 + row.influence))}."
    drawn = f"({value} on day {row.day:.0f})"
    said = f"Level {row.number} {drawn} moves the answer most: without it {change}"
    if alone:
        said = f"Without the level {drawn} {change}"
    others = "what is expected of such patients" if alone else "the patient's other levels"
    made = [said]
    made += [
        f"Level {r.number} does not agree with {others} (p {p_in_words(r.p_value)} before it was seen): "
        "check its time, the doses before it and its unit."
        for r in rows.rows
        if r.p_value is not None and r.p_value < ODD_P
    ]
    return made


def _change(ratio: float) -> str:
    """A ratio to something in words: `20% lower`, `3.4 times as high`."""
    if ratio >= 2:
        return f"{ratio:.2g} times as high" if ratio < 100 else "more than 100 times as high"
    return f"{abs(ratio - 1):.0%} {'lower' if ratio < 1 else 'higher'}"


def _which_target(target: TargetResult) -> str:
    low = "" if target.low is None else f"{target.low:.3g}"
    high = "" if target.high is None else f"{target.high:.3g}"
    span = f"{low} to {high}" if low and high else (f"at least {low}" if low else f"at most {high}")
    n = f"; {target.n} patients" if target.n else ""
    design = f", {target.design}" if target.design else ""
    unread = "" if target.verified else "; not verified in the source"
    unit = "mg·h/L in 24 h" if target.metric == "auc" else "mg/L"
    where = f"{target.citation}{n}{design}{unread}"
    return f"The target is {span} {unit} ({where}): {target.uncertainty}."


def _which_cause(causes: tuple[Cause, ...], direction: Direction) -> list[str]:
    made = [
        f"{c.label[0].upper()}{c.label[1:]} ({c.text}): the total level understates the unbound one."
        for c in causes if c.direction == "unbound" and c.status == "present"
    ]  # fmt: skip
    if direction == "typical":
        return made
    own = [c for c in causes if c.direction == direction]
    present = [c for c in own if c.status == "present" and c.effect in ("shown", "conflicting")]
    unproven = [c for c in own if c.status == "present" and c.effect in ("none", "unknown")]
    if present:
        made.append(f"Causes of {direction} exposure that the file shows: {_listed(present)}.")
    else:
        made.append(f"The file shows none of the known causes of {direction} exposure.")
    if unproven:
        made.append(f"Present, but not shown to make exposure {direction}: {_listed(unproven)}.")
    unknown = [c.label for c in own if c.status == "not known" and c.effect != "none"]
    if unknown:
        made.append("To ask about: " + ", ".join(unknown) + ".")
    return made


def _listed(causes: list[Cause]) -> str:
    """Causes with what the file shows of them, and where sources disagree."""
    return "; ".join(
        f"{c.label} ({c.text}{'; sources disagree' if c.effect == 'conflicting' else ''})" for c in causes
    )
