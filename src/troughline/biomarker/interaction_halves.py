"""As a paper prints it: the treatment effect in each half of the marker, with two p-values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from troughline.biomarker.endpoint import Effect, EndpointError, Floats
from troughline.biomarker.interaction_data import Marker, Sample
from troughline.biomarker.interaction_view import as_interval, effect_estimate
from troughline.biomarker.treatment_by_marker import one_significant_only
from troughline.biomarker.window_effects import one_step, risk_tables, window_effects
from troughline.response.guards.wording import number, unit_text
from troughline.response.interaction_facts import SubgroupFact
from troughline.response.questions.parts import generator
from troughline.results import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from troughline.response.case import Case
    from troughline.response.questions.parts import Parts

_INNER = (0.1, 0.9)
_MOST_CUTS = 40
_CUT_PERMUTATIONS = 500


def as_published_halves(case: Case, parts: Parts, sample: Sample, marker: Marker) -> None:
    """Add the as-published estimates: within the two halves, or within each level of a category."""
    assert case.interaction is not None
    facts, level = case.interaction, case.cohort.study.study.level
    groups = _levels(marker, sample) if sample.raw is None else _halves(case, parts, sample, marker)
    effects: list[Effect] = []
    for label, rows in groups:
        endpoint = sample.endpoint.of(rows)
        try:
            effect = endpoint.regress(
                sample.treated[rows].astype(np.float64)[:, np.newaxis], ("treated",), level=level
            ).named("treated")
        except EndpointError as error:
            parts.estimates.append(
                effect_estimate(
                    sample.endpoint.kind, None, n=int(rows.sum()),
                    label=label,
                    method="as-published: subgroup alone", level=level, note=f"no estimate: {error}",
                )
            )  # fmt: skip
            continue
        effects.append(effect)
        shown = effect_estimate(
            sample.endpoint.kind, effect, n=int(rows.sum()), label=label,
            method="as-published: subgroup alone", level=level,
        )  # fmt: skip
        parts.estimates.append(shown)
        facts.halves += (SubgroupFact(label=label, effect=as_interval(shown), p_value=effect.p_value),)
    if len(effects) == 2:
        weights = [1 / e.standard_error**2 if e.standard_error > 0 else 0.0 for e in effects]
        if sum(weights) > 0:
            common = sum(w * e.value for w, e in zip(weights, effects, strict=True)) / sum(weights)
            facts.pattern_chance = one_significant_only(
                common, (effects[0].standard_error, effects[1].standard_error)
            )


def _levels(marker: Marker, sample: Sample) -> list[tuple[str, NDArray[np.bool_]]]:
    given = np.array([marker.category[p] for p in sample.patients], dtype=object)
    return [(f"{marker.label} {level}", np.asarray(given == level)) for level in marker.levels]


def _halves(case: Case, parts: Parts, sample: Sample, marker: Marker) -> list[tuple[str, NDArray[np.bool_]]]:
    assert case.interaction is not None
    assert sample.raw is not None
    bands = case.asked.bands
    unit = unit_text(marker.unit)
    if bands == "optimal":
        cut = _searched(case, parts, sample)
    elif isinstance(bands, tuple):
        cut = float(bands[0])
    else:
        cut = float(np.median(sample.raw))
    high = sample.raw >= cut
    if not high.any() or high.all():
        cut = float(np.unique(sample.raw)[1]) if np.unique(sample.raw).size > 1 else cut
        high = sample.raw >= cut
    shown = f"{number(cut)}{unit}"
    return [(f"{marker.label} below {shown}", ~high), (f"{marker.label} at least {shown}", high)]


def _searched(case: Case, parts: Parts, sample: Sample) -> float:
    """The cut with the smallest interaction p between the 10th and 90th percentile, and what it is worth.

    The corrected p permutes the marker within arms and searches again each time.
    """
    from scipy.special import ndtr

    assert case.interaction is not None
    assert sample.raw is not None
    rng = generator(case.cohort, f"{case.question.id}/cut")
    inner = np.quantile(sample.raw, _INNER)
    distinct = np.unique(sample.raw)
    cuts = distinct[(distinct > inner[0]) & (distinct <= inner[1])]
    if cuts.size == 0:
        cuts = distinct[1:]
    if cuts.size > _MOST_CUTS:
        cuts = cuts[np.unique(np.linspace(0, cuts.size - 1, _MOST_CUTS).round().astype(int))]
    order = (
        np.arange(sample.n)
        if sample.endpoint.time is None
        else np.argsort(sample.endpoint.time, kind="stable")
    )
    endpoint, treated = sample.endpoint.of(order), sample.treated[order]
    above = sample.raw[order][:, np.newaxis] >= cuts

    def squared(inside: NDArray[np.bool_]) -> Floats:
        both = np.hstack((inside, ~inside))
        k = inside.shape[1]
        if endpoint.time is not None and endpoint.event is not None:
            tables = risk_tables(endpoint.time, endpoint.event, treated, both)
            value = one_step(tables)
            n = tables.n0 + tables.n1
            share = np.divide(tables.n1, n, out=np.zeros_like(n), where=n > 0)
            with np.errstate(divide="ignore"):
                variance = 1 / (tables.d * share * (1 - share)).sum(axis=0)
        else:
            found = window_effects(endpoint, treated, both)
            value, variance = found.value, (found.influence**2).sum(axis=0)
        with np.errstate(invalid="ignore"):
            statistic = (value[:k] - value[k:]) ** 2 / (variance[:k] + variance[k:])
        return np.where(np.isfinite(statistic), statistic, 0.0)

    observed = squared(above)
    best = int(np.argmax(observed))
    arms = [np.flatnonzero(treated), np.flatnonzero(~treated)]
    shuffled, reached = above.copy(), 0
    for _ in range(_CUT_PERMUTATIONS):
        for rows in arms:
            shuffled[rows] = above[rng.permutation(rows)]
        reached += bool(squared(shuffled).max() >= observed[best] * (1 - 1e-12))
    facts = case.interaction
    facts.cut = float(cuts[best])
    facts.cut_p_naive = 2 * float(ndtr(-math.sqrt(float(observed[best]))))
    facts.cut_p_corrected = (1 + reached) / (1 + _CUT_PERMUTATIONS)
    parts.estimates += [
        Estimate(
            name="interaction_cut_p", value=p, level=None, n=sample.n, method=method, p_value=p,
            label=f"cut {number(facts.cut)} searched in these data",
        )
        for p, method in (
            (facts.cut_p_naive, "as-published: interaction at the best of many cuts"),
            (facts.cut_p_corrected, f"guarded: the search repeated in {_CUT_PERMUTATIONS} permutations"),
        )
    ]  # fmt: skip
    return facts.cut
