"""The population of a trial file: a population of the mechanism with some of its covariates replaced.

Times are in days, as everywhere in a trial file; the mechanism's own bounds are in its hours.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from troughline.mechanism.population import Drawn, draw_patients, read_populations
from troughline.mechanism.population import Population as Drawable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from troughline.trial.schema import Population, Spread


COVARIATES = {
    "sum_of_diameters": ("sum of diameters", " mm"), "albumin": ("albumin", " g/L"),
    "etiology": ("etiology", ""), "spread": ("vascular invasion or spread", ""),
    "child_pugh_class": ("Child-Pugh class", ""), "weight": ("weight", " kg"),
}  # fmt: skip
"""What a covariate of the mechanism is called on a page, and its unit."""


def drawable(given: Population) -> Drawable:
    """What the mechanism draws from. Raises `ValueError` for a base that is not on file."""
    known = read_populations()
    if given.base not in known:
        raise ValueError(f"no population {given.base!r}; on file: {', '.join(sorted(known))}")
    base = known[given.base]
    covariates = dict(base.covariates)
    if given.etiology is not None:
        covariates["etiology"] = Drawn(
            kind="levels", shares=tuple(given.etiology.get(k, 0.0) for k in ("HBV", "HCV", "other"))
        )
    if given.child_pugh is not None:
        covariates["child_pugh_class"] = Drawn(
            kind="levels", shares=tuple(given.child_pugh.get(k, 0.0) for k in ("A", "B"))
        )
    if given.bclc is not None:
        covariates["spread"] = Drawn(kind="share", center=given.bclc.get("C", 0.0))
    for name, spread in (
        ("sum_of_diameters", given.tumour_mm), ("albumin", given.albumin), ("weight", given.weight),
    ):  # fmt: skip
        if spread is not None:
            covariates[name] = _drawn(spread)
    label = given.label or base.label
    return replace(
        base,
        label=label,
        covariates=covariates,
        scale={**base.scale, **given.scale},
        accept={**base.accept, **_in_hours(given.accept)},
    )


def _in_hours(accept: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Bounds in the mechanism's units: days and rates a day in hours. Raises `ValueError` for a name that is
    neither a covariate nor an individual quantity.
    """
    powers = _time_powers([name for name in accept if name not in _covariates()])
    return {
        name: (low * 24.0 ** powers.get(name, 0), high * 24.0 ** powers.get(name, 0))
        for name, (low, high) in accept.items()
    }


def _covariates() -> set[str]:
    from troughline.trial.cells import the_runner

    return {c.name for c in the_runner().mechanism.covariates}


def _time_powers(names: list[str]) -> dict[str, int]:
    """Of individual quantities the power of time in their unit: 1 a time, −1 a rate, 0 neither.

    Found by doubling every unit of time in the parameters, for one patient.
    """
    if not names:
        return {}
    from troughline.mechanism.population import individual_values
    from troughline.trial.cells import the_runner
    from troughline.units import dimensions

    runner = the_runner()
    spec = runner.mechanism
    some = draw_patients(spec, runner.kinetics, replace(read_populations()["sharp"], accept={}), n=1, seed=0)
    doubled = {
        p.name: p.value_as_written * 2.0 ** float(dimensions(p.unit).get("[time]", 0))
        for p in spec.parameters
    }
    before, after = (individual_values(spec, names, some, v) for v in ({}, doubled))
    return {name: round(math.log2(float(after[name][0] / before[name][0]))) for name in names}


def _bound_words(given: Population) -> list[str]:
    powers = _time_powers([name for name in given.accept if name not in _covariates()])
    unit = {1: " days", -1: " a day"}
    return [
        f"{name} accepted from {low:g} to {high:g}{unit.get(powers.get(name, 0), '')}"
        for name, (low, high) in given.accept.items()
    ]


def _drawn(given: Spread) -> Drawn:
    if given.median is not None and given.spread is not None:
        return Drawn(
            kind="log-normal", center=given.median, spread=given.spread, low=given.low, high=given.high
        )
    return Drawn(
        kind="normal", center=given.mean or 0.0, spread=given.sd or math.nan, low=given.low, high=given.high
    )


def words_of(given: Population, drawn: Drawable) -> list[str]:
    """How each covariate is drawn, one line each."""
    levels = {"etiology": ("HBV", "HCV", "other"), "child_pugh_class": ("A", "B")}
    words: list[str] = []
    for covariate, one in drawn.covariates.items():
        name, unit = COVARIATES.get(covariate, (covariate, ""))
        if one.kind == "levels":
            parts = zip(levels.get(covariate, tuple(map(str, range(9)))), one.shares, strict=False)
            words.append(f"{name}: " + ", ".join(f"{k} {100 * s:.0f} %" for k, s in parts))
        elif one.kind == "share":
            words.append(f"{name}: {100 * one.center:.0f} %")
        elif one.kind == "fixed":
            words.append(f"{name}: {one.center:g}{unit}")
        else:
            middle = "median" if one.kind == "log-normal" else "mean"
            words.append(f"{name}: {middle} {one.center:g}{unit}, from {one.low:g} to {one.high:g}{unit}")
    words += _bound_words(given)
    if given.clearance != 1.0:
        words.append(f"clearance of sorafenib times {given.clearance:g}")
    words += [f"{name} times {factor:g}" for name, factor in drawn.scale.items()]
    return words
