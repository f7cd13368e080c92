"""The mechanism's parameters by what is known of them, and how one is moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from troughline.model.spec import ModelSpec, Parameter

KEPT = ("_ref", "_unit", "_base", "_45", "mass")
"""Ends of names of constants that only fix a scale."""
SHARES = ("stress_mek", "stress_escape")
"""Shares of which nothing is known: a draw takes each anywhere from 0 to 1."""
STRESS = (
    "What a second drug's block adds to the stress of treatment, which drives tolerance, resistance and "
    "adaptation, is assumed: all of a block of MEK, nothing of one of EGFR, AKT, mTOR, STAT3 or MET. The "
    "ranking hangs on it; each draw takes either share anew, anywhere from 0 to 1."
)


def status_of(parameter: Parameter) -> str:
    """`fitted`, `assumed` or `source`."""
    return {"calibration": "fitted", "assumed": "assumed"}.get(parameter.source, "source")


def movable(spec: ModelSpec) -> dict[str, Parameter]:
    """Every parameter but those that only fix a scale and the `SHARES`, by name."""
    return {
        p.name: p
        for p in spec.parameters
        if not p.name.endswith(KEPT) and p.value > 0.0 and p.name not in SHARES
    }


def drawn_shares(rng: np.random.Generator) -> dict[str, float]:
    """A draw of each of the `SHARES`."""
    return {name: float(rng.uniform()) for name in SHARES}


def moved(parameter: Parameter, value: float, factor: float) -> float:
    """A value times `factor`; of a number without unit between 0 and 1 its odds times `factor`."""
    if parameter.unit == "1" and 0.0 < value < 1.0:
        return factor * value / (1.0 - value + factor * value)
    return factor * value


def with_factors(
    spec: ModelSpec, values: Mapping[str, float], factors: Mapping[str, float]
) -> dict[str, float]:
    """Typical values (the file's units) with some of them moved; of the `SHARES` the factor is the value."""
    known = {p.name: p for p in spec.parameters}
    made = dict(values)
    for name, factor in factors.items():
        p = known[name]
        made[name] = factor if name in SHARES else moved(p, made.get(name, p.value_as_written), factor)
    return made
