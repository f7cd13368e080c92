"""What a model file says, as tables of text: for the screen and for the page of the library."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import exp, isfinite, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from troughline.model.spec import (
        Covariate,
        ErrorModel,
        Expectation,
        ModelSpec,
        Output,
        Parameter,
        RandomBlock,
        SelfTest,
        Source,
    )

CALIBRATED = "CALIBRATED TO AGGREGATE DATA, not fitted to patients"
"""What stands first wherever a calibrated model is shown or used."""

_ERRORS = {
    "additive": "Var(y) = a²",
    "proportional": "Var(y) = (b·f)²",
    "combined": "Var(y) = a² + (b·f)²",
    "combined-sd": "Var(y) = (a + b·f)²",
    "power": "Var(y) = (b·f^c)²",
    "exponential": "Var(log y) = b², around log f",
    "log-combined": "Var(log y) = b² + (a/f)², around log f",
    "none": "predicted, never observed",
}


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of text: its header, and rows of as many cells."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def structure_of(spec: ModelSpec) -> str:
    """How a model is solved, found from its equations; nothing is compiled."""
    from troughline.model.symbolic import LINEAR, NONLINEAR, VARYING, kind_of

    names = {LINEAR: "linear between events", VARYING: "linear, varying in time", NONLINEAR: "nonlinear"}
    return names[kind_of(spec)]


def parameter_table(spec: ModelSpec) -> TextTable:
    """Typical values as written, with interval, source and whether they were read in the source itself."""
    rows = [
        (p.name, number(p.value_as_written), p.unit, _interval(p), p.source, _yes(p.verified), p.note)
        for p in spec.parameters
    ]
    return _table(("parameter", "value", "unit", "interval", "source", "verified", "note"), rows)


def effect_table(spec: ModelSpec) -> TextTable:
    """Random effects with their variance, and 100·√(exp(variance) − 1), the CV where exp(effect) acts."""
    rows = [
        (
            effect,
            block.level,
            f"{variance:.4g}",
            f"{sqrt(variance):.4g}",
            f"{100 * sqrt(exp(variance) - 1):.3g}" if variance < 50 else "",
            block.source,
            _yes(block.verified),
            block.note if effect == block.effects[0] else "",
        )
        for block in spec.random
        for effect, variance in zip(block.effects, block.covariance.diagonal().tolist(), strict=True)
    ]
    header = ("effect", "level", "variance", "SD", "CV % if log-normal", "source", "verified", "note")
    return _table(header, rows)


def correlations(spec: ModelSpec) -> tuple[str, ...]:
    """The correlations within blocks that are not zero: `eta_CL with eta_V: 0.778`."""
    return tuple(line for block in spec.random for line in _correlations(block))


def covariate_table(spec: ModelSpec) -> TextTable:
    """Covariates with default and ranges: `hard`, outside which nothing is computed, `soft`, the studied."""
    rows = [
        (
            c.name,
            ", ".join(c.levels) if c.levels else c.unit,
            _default(c),
            _range(c.hard),
            _range(c.soft),
            c.carry,
            c.note,
        )
        for c in spec.covariates
    ]
    return _table(("covariate", "unit or levels", "default", "hard", "soft", "carry", "note"), rows)


def input_table(spec: ModelSpec) -> TextTable:
    """Where a dose enters, by the number that NONMEM gives the compartment."""
    numbers = {state.name: str(i) for i, state in enumerate(spec.states, start=1)}
    rows = [
        (
            i.compartment,
            numbers[i.compartment],
            *("" if e is None else e.text for e in (i.bioavailability, i.lag, i.duration, i.rate)),
        )
        for i in spec.inputs
    ]
    return _table(("dose into", "CMT", "bioavailability", "lag", "duration", "rate"), rows)


def output_table(spec: ModelSpec) -> TextTable:
    """What is observed, with limits of quantification and the CMT numbers that mean it."""
    numbers = {state.name: str(i) for i, state in enumerate(spec.states, start=1)}
    rows = [
        (
            o.name,
            o.label,
            f"f = {o.prediction.text}",
            o.unit,
            _limits(o),
            ", ".join(numbers[c] for c in o.compartments),
        )
        for o in spec.outputs
    ]
    return _table(("output", "label", "prediction", "unit", "limits", "CMT"), rows)


def error_formula(error: ErrorModel) -> str:
    """`combined: Var(y) = a² + (b·f)², a = sd_assay, b = 0.15`."""
    formula = _ERRORS[error.kind]
    if error.kind == "power" and error.additive is not None:
        formula = "Var(y) = a² + (b·f^c)²"
    parts = [("a", error.additive), ("b", error.proportional), ("c", error.power)]
    given = [f", {letter} = {e.text}" for letter, e in parts if e is not None]
    return f"{error.kind}: {formula}{''.join(given)}"


def source_line(source: Source) -> str:
    """A source's citation with its DOI and what is said about it."""
    doi = f", doi {source.doi}" if source.doi else ""
    return f"{source.citation}{doi}{f'. {source.note}' if source.note else ''}"


def verified_line(spec: ModelSpec) -> str:
    """How many of the numbers were read in the source itself."""
    flags = [p.verified for p in spec.parameters] + [b.verified for b in spec.random for _ in b.effects]
    return f"{sum(flags)} of {len(flags)} numbers were read in the source itself"


def test_lines(test: SelfTest) -> tuple[str, ...]:
    """A self-test: its name and source, then what it expects."""
    source = f" ({test.source})" if test.source else ""
    return (f"{test.name}{source}", *(f"  {expectation_text(e)}" for e in test.expectations))


def expectation_text(e: Expectation) -> str:
    """`auc of sorafenib, 0 to 12 h: 98.01`."""
    where = f"at {number(e.time)} h" if e.quantity == "at" else f"{number(e.start)} to {number(e.end)} h"
    quantity = "value" if e.quantity == "at" else e.quantity
    return f"{quantity} of {e.output}, {where}: {number(e.value)}"


def number(value: float) -> str:
    """A number as short as it can be written."""
    return f"{value:.12g}"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> TextTable:
    return TextTable(header, tuple(rows))


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _interval(p: Parameter) -> str:
    parts: list[str] = []
    if p.low is not None or p.high is not None:
        level = "" if p.level is None else f" ({number(100 * p.level)} %)"
        ends = ("" if end is None else number(end) for end in (p.low, p.high))
        parts.append(f"{' to '.join(ends).strip()}{level}")
    if p.rse_percent is not None:
        parts.append(f"RSE {number(p.rse_percent)} %")
    return ", ".join(parts)


def _correlations(block: RandomBlock) -> list[str]:
    pairs = combinations(range(len(block.effects)), 2)
    lines: list[str] = []
    for i, j in pairs:
        scale = sqrt(block.covariance[i, i] * block.covariance[j, j])
        value = block.covariance[i, j] / scale if scale > 0 else 0.0
        if value != 0 and isfinite(value):
            lines.append(f"{block.effects[i]} with {block.effects[j]}: {value:.3g}")
    return lines


def _default(c: Covariate) -> str:
    if c.default is None:
        return "none: needed"
    return number(c.default) if c.levels is None else c.levels[int(c.default)]


def _range(limits: tuple[float, float] | None) -> str:
    return "" if limits is None else f"{number(limits[0])} to {number(limits[1])}"


def _limits(o: Output) -> str:
    below = "" if o.lower_limit is None else f"from {number(o.lower_limit)}"
    above = "" if o.upper_limit is None else f"to {number(o.upper_limit)}"
    return f"{below} {above}".strip()
