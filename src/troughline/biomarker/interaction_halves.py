"""As a paper prints it: the treatment effect in each half of the marker, with two p-values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from troughline.biomarker.endpoint import Effect, EndpointError
from troughline.biomarker.interaction_data import Marker, Sample
from troughline.biomarker.interaction_view import as_interval, effect_estimate
from troughline.biomarker.largest_score import largest_score
from troughline.biomarker.treatment_by_marker import one_significant_only
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
_CUT_DRAWS = 2000


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
    """The two sides of the cut; none where a stated cut has every patient on one side, which is then said.

    A median that parts nobody gives way to the next value, and one that is only half a limit to the limit.
    """
    assert case.interaction is not None
    assert sample.raw is not None
    bands = case.asked.bands
    unit = unit_text(marker.unit)
    if bands == "optimal":
        try:
            cut = _searched(case, parts, sample)
        except EndpointError as error:
            parts.methods.append(f"The cut could not be searched ({error}): the median is shown instead.")
            cut = float(np.median(sample.raw))
    elif isinstance(bands, tuple):
        cut = float(bands[0])
        high = sample.raw >= cut
        if not high.any() or high.all():
            where = "at or above" if high.any() else "below"
            parts.methods.append(
                f"As published: all {sample.n} patients lie {where} the stated cut of {number(cut)}{unit}; "
                "there are no two halves to show."
            )
            return []
    else:
        cut = float(np.median(sample.raw))
        alone = np.array([p in marker.substituted for p in sample.patients], dtype=np.bool_)
        if alone.any() and not alone.all() and cut <= float(sample.raw[alone].max()):
            return [(f"{marker.label} below its limit", alone), (f"{marker.label} quantified", ~alone)]
    high = sample.raw >= cut
    if not high.any() or high.all():
        cut = float(np.unique(sample.raw)[1]) if np.unique(sample.raw).size > 1 else cut
        high = sample.raw >= cut
    shown = f"{number(cut)}{unit}"
    return [(f"{marker.label} below {shown}", ~high), (f"{marker.label} at least {shown}", high)]


def _searched(case: Case, parts: Parts, sample: Sample) -> float:
    """The cut with the smallest interaction p between the 10th and 90th percentile, and what it is worth.

    At each cut the score of treatment × (marker at least the cut) is taken in the model of the main effects;
    the corrected p repeats the search in trials without an interaction (`largest_score`).
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
    tested = largest_score(
        sample.endpoint, sample.treated, sample.raw, sample.raw[:, np.newaxis] >= cuts, rng=rng,
        draws=_CUT_DRAWS,
    )  # fmt: skip
    best = int(np.nanargmax(np.abs(tested.z)))
    facts = case.interaction
    facts.cut = float(cuts[best])
    facts.cut_p_naive = 2 * float(ndtr(-abs(float(tested.z[best]))))
    facts.cut_p_corrected = tested.p_value
    parts.estimates += [
        Estimate(
            name="interaction_cut_p", value=p, level=None, n=sample.n, method=method, p_value=p,
            label=f"cut {number(facts.cut)} searched in these data",
        )
        for p, method in (
            (facts.cut_p_naive, "as-published: interaction at the best of many cuts"),
            (facts.cut_p_corrected, f"guarded: searched again in {tested.draws} draws without interaction"),
        )
    ]  # fmt: skip
    return facts.cut
