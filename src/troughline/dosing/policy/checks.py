"""What a policy file names, held against the evidence and the models: target, samples, population."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from troughline.cohort.studyfile_messages import did_you_mean
from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from troughline.dosing.policy.schema import CovariateDraw, PolicyFile, Target
    from troughline.dosing.policy.world import WorldModel
    from troughline.evidence.numbers import Number
    from troughline.evidence.records import Publication
    from troughline.model.spec import Covariate

LEAST_MASS = 0.01
"""A distribution that is cut so that less of it is left is taken for a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetLimits:
    """The limits of a target in mg/L (0 and ∞ where open), in words, and where they are from.

    `low_interval`, `high_interval`: the central 95 % of a published limit, as `troughline dose` takes it.
    """

    low: float
    high: float
    words: str
    source: str
    low_interval: tuple[float, float] | None = None
    high_interval: tuple[float, float] | None = None


def in_mg_per_l(value: float, unit: str, place: str, file: str, found: Findings) -> float:
    """A level in mg/L; NaN with an error where the unit is no concentration."""
    from troughline.units import convert, is_convertible

    if not is_convertible(unit, "mg/L"):
        found.add(Severity.ERROR, "unit", f"{unit!r} is no concentration by mass", file=file, column=place)
        return math.nan
    return float(convert(value, unit, "mg/L"))


def published_number(
    reference: str, place: str, file: str, found: Findings
) -> tuple[Publication, Number] | None:
    """The published number `study/number`, or None with an error that names the known ones."""
    from troughline.evidence.store import list_publications, load_publication

    study, slash, number = reference.partition("/")

    def fault(message: str) -> None:
        found.add(Severity.ERROR, "unknown-published", message, file=file, column=place)

    if not slash or not number:
        fault(f"{reference!r}: write it as study/number")
        return None
    if study not in list_publications():
        fault(f"{study!r} is no published study on file; {did_you_mean(study, list_publications(), 'they')}")
        return None
    publication = load_publication(study)
    known = [n.id for n in publication.number]
    if number not in known:
        fault(f"{study} has no number {number!r}; {did_you_mean(number, known, 'its numbers')}")
        return None
    return publication, publication.sourced(number)


def limits_of(target: Target, drug: str, *, file: str, found: Findings) -> TargetLimits | None:
    """The target in mg/L; None with an error where it cannot be had."""
    unit, low, high, source = target.unit or "", target.low, target.high, target.source
    intervals: tuple[tuple[float, float] | None, tuple[float, float] | None] = (None, None)
    if target.published is not None:
        both = published_number(target.published, "target.published", file, found)
        if both is None:
            return None
        study, number = both
        if number.quantity not in ("window", "target", "threshold"):
            found.add(
                Severity.ERROR, "no-target", f"{target.published} is a {number.quantity}, no target",
                file=file, column="target.published",
            )  # fmt: skip
            return None
        if number.metric != target.metric:
            found.add(
                Severity.ERROR, "target-metric",
                f"{target.published} is about {number.metric}, and the target's metric is {target.metric}",
                file=file, column="target.metric",
            )  # fmt: skip
            return None
        unit = number.unit
        low, high = (number.low, number.high) if number.quantity == "window" else (number.value, None)
        doi = f" (doi {study.doi})" if study.doi else ""
        source = f"{study.citation}{doi}" + ("" if number.verified else ", not verified")
        if low is not None or high is not None:
            intervals = _intervals(study, number, drug)
    ends = [
        default if end is None else in_mg_per_l(end, unit, "target.unit", file, found)
        for end, default in ((low, 0.0), (high, math.inf))
    ]
    if any(math.isnan(e) for e in ends):
        return None
    name = {"trough": "trough", "cmax": "peak"}[target.metric]
    if low is not None and high is not None:
        words = f"{name} of {low:g} to {high:g} {unit}"
    else:
        words = (
            f"{name} of at least {low:g} {unit}" if low is not None else f"{name} of at most {high:g} {unit}"
        )
    return TargetLimits(
        low=ends[0], high=ends[1], words=words, source=source,
        low_interval=None if low is None else intervals[0],
        high_interval=None if high is None else intervals[1],
    )  # fmt: skip


def _intervals(
    study: Publication, number: Number, drug: str
) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    """The central 95 % of a published number's limits, mg/L, as `troughline dose` takes them."""
    from troughline.dosing.target import published_limits
    from troughline.evidence.store import load_drug

    limits, _ = published_limits(study, number, molar_mass=load_drug(drug).molar_mass_g_per_mol)
    return limits.low_interval, limits.high_interval


def check_samples(file: PolicyFile, name: str, found: Findings) -> None:
    """A peak cannot be guided by levels before the dose, nor a trough by others."""
    after = file.samples.hours_after_dose
    guided = [p.id for p in file.policy if p.kind == "threshold"]
    if guided and (file.target.metric == "cmax") != (after is not None):
        needed = "need samples.hours_after_dose" if after is None else "are drawn before the dose"
        found.add(
            Severity.ERROR, "sample-time",
            f"the policy {guided[0]!r} compares the sample with a target {file.target.metric}: its "
            f"samples {needed}",
            file=name, column="samples.hours_after_dose",
        )  # fmt: skip


def check_beside(file: PolicyFile, name: str, found: Findings) -> None:
    """Every published value named exists, for a policy and a day of the evaluation."""
    ids = [p.id for p in file.policy]
    days = (*file.visits.days, file.visits.horizon_day)
    for k, one in enumerate(file.beside):
        place = f"beside.{k + 1}"
        published_number(one.published, f"{place}.published", name, found)
        if one.policy not in ids:
            found.add(
                Severity.ERROR, "unknown-policy",
                f"{one.policy!r} is no policy here; {did_you_mean(one.policy, ids, 'they')}",
                file=name, column=f"{place}.policy",
            )  # fmt: skip
        if one.day is not None and one.day not in days:
            found.add(
                Severity.ERROR, "unknown-day", f"day {one.day} is no visit and not the horizon", file=name,
                column=f"{place}.day",
            )  # fmt: skip


def check_population(file: PolicyFile, worlds: Sequence[WorldModel], name: str, found: Findings) -> None:
    """The covariates can be drawn, and are what the models take; what a model needs is there."""
    drawn = {c.name: c for c in file.population.covariate}
    if len(drawn) < len(file.population.covariate):
        found.add(
            Severity.ERROR, "covariate-twice", "a covariate is drawn twice", file=name,
            column="population.covariate",
        )  # fmt: skip
    used = {c.name for world in worlds for c in world.spec.covariates}
    for k, draw in enumerate(file.population.covariate):
        place = f"population.covariate.{k + 1}"
        mass = mass_inside(draw)
        if mass < LEAST_MASS:
            found.add(
                Severity.ERROR, "population",
                f"the population cannot be drawn: {mass:.2g} of the distribution of {draw.name} lies "
                f"between its "
                f"low and high (at least {LEAST_MASS:g} is needed)",
                file=name, column=place,
            )  # fmt: skip
        if draw.name not in used:
            found.add(
                Severity.NOTE, "covariate-unused",
                f"{draw.name} is drawn and tabulated; no model here takes it",
                file=name, column=place,
            )  # fmt: skip
    for world in {w.spec.sha256: w for w in worlds}.values():
        for covariate in world.spec.covariates:
            draw = drawn.get(covariate.name)
            if draw is not None and mass_inside(draw) >= LEAST_MASS:
                _check_against(draw, covariate, world.spec.id, name, found)
            elif draw is not None:
                continue
            elif covariate.default is None:
                found.add(
                    Severity.ERROR, "covariate-missing", f"{world.spec.id} needs {covariate.name}: draw it",
                    file=name, column="population.covariate",
                )  # fmt: skip
            else:
                found.add(
                    Severity.NOTE, "default-used",
                    f"{covariate.name} is not drawn: {world.spec.id} takes {_default_words(covariate)} "
                    f"for everyone",
                    file=name, column="population.covariate",
                )  # fmt: skip


def _default_words(covariate: Covariate) -> str:
    value = covariate.default or 0.0
    return covariate.levels[int(value)] if covariate.levels else f"{value:g} {covariate.unit}"


def mass_inside(draw: CovariateDraw) -> float:
    """The share of a distribution that its `low` and `high` leave."""
    from statistics import NormalDist

    low, high = draw.low, draw.high
    if draw.distribution == "normal":
        normal = NormalDist(draw.mean or 0.0, draw.sd or 1.0)
    elif draw.distribution == "lognormal":
        normal = NormalDist(math.log(draw.median or 1.0), math.sqrt(math.log1p((draw.cv or 0.0) ** 2)))
        low = None if low is None or low <= 0 else math.log(low)
        high = None if high is None else (math.log(high) if high > 0 else -math.inf)
    else:
        return 1.0
    return (1.0 if high is None else normal.cdf(high)) - (0.0 if low is None else normal.cdf(low))


def _check_against(draw: CovariateDraw, covariate: Covariate, model: str, name: str, found: Findings) -> None:
    """Unit, levels and hard range of a covariate that a model takes."""
    from troughline.units import is_convertible

    def fault(message: str) -> None:
        found.add(
            Severity.ERROR, "population", f"{draw.name}: {message}", file=name, column="population.covariate"
        )

    if covariate.levels is not None:
        options = {level.casefold() for level in covariate.levels}
        written = draw.levels if draw.distribution == "levels" else {str(draw.value): 1.0}
        unknown = [level for level in written if level.casefold() not in options]
        if unknown or draw.distribution not in ("levels", "constant"):
            fault(
                f"{model} takes the levels {', '.join(covariate.levels)}, not "
                f"{', '.join(unknown) or 'a number'}"
            )
        return
    if draw.distribution == "levels" or isinstance(draw.value, str):
        fault(f"{model} takes a number in {covariate.unit}")
        return
    if draw.unit is None or not is_convertible(draw.unit, covariate.unit):
        fault(f"{model} takes it in {covariate.unit}; the unit given is {draw.unit or 'none'}")
        return
    if covariate.hard is None:
        return
    from troughline.units import convert

    ends = (draw.value, draw.value) if draw.distribution == "constant" else (draw.low, draw.high)
    low, high = covariate.hard
    inside = [
        end is not None and low <= float(convert(float(end), draw.unit, covariate.unit)) <= high
        for end in ends
    ]
    if not all(inside):
        fault(
            f"give low and high within {covariate.hard[0]:g} to {covariate.hard[1]:g} {covariate.unit}, "
            f"for which "
            f"{model} computes: the population cannot be drawn otherwise"
        )
