"""What the guards of an association question need to know, gathered from what was found."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from troughline.biomarker.association_pair import PairResult
from troughline.biomarker.family import Family
from troughline.biomarker.markers import CharacteristicColumn, MarkerColumn
from troughline.evidence.assays import doubt_about
from troughline.response.association_facts import AssociationFacts, MarkerFact, PairFact
from troughline.response.guards.wording import unit_text

if TYPE_CHECKING:
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.question_association import AssociationQuestion
    from troughline.results import Estimate

Key = tuple[str, str]
FEWEST_WITHOUT = 5
FEWEST_TOGETHER = 10


def association_facts(
    cohort: Cohort,
    question: AssociationQuestion,
    markers: Sequence[MarkerColumn],
    characteristics: Sequence[CharacteristicColumn],
    found: Mapping[Key, PairResult],
    family: Family[Key],
    estimates: Sequence[Estimate],
) -> AssociationFacts:
    """Pairs, markers, collinear characteristics and the price of cutting a marker at its limit."""
    printed = {
        (e.name, e.label): e.p_value for e in estimates if e.method.startswith("as-published") and e.label
    }
    pairs: list[PairFact] = []
    cut: list[tuple[str, str, float, float]] = []
    for m in markers:
        for c in characteristics:
            result = found.get((m.label, c.name))
            if result is None:
                continue
            label = f"{m.label} × {c.label}"
            pairs.append(
                PairFact(
                    marker=m.label,
                    characteristic=c.label,
                    p_published=printed.get(("association_test", label)),
                    p_guarded=result.p_value,
                    p_holm=family.holm[m.label, c.name],
                    stage_sizes=result.stage_sizes,
                    proportional_odds_p=None if result.ordinal is None else result.ordinal.brant_p,
                    odds_failed="" if result.ordinal is None else result.ordinal.failed,
                )
            )
            p_cut = printed.get(("limit_by_stage_test", label))
            if p_cut is not None:
                cut.append((m.label, c.label, p_cut, result.p_value))
    return AssociationFacts(
        pairs=tuple(pairs),
        markers=tuple(_marker_fact(m, characteristics) for m in markers),
        collinear=tuple(_collinear(characteristics)),
        dichotomised=tuple(cut),
        beyond=tuple((m.label, m.unit, m.beyond) for m in markers if m.beyond is not None),
    )


def _marker_fact(m: MarkerColumn, characteristics: Sequence[CharacteristicColumn]) -> MarkerFact:
    reference = m.asked.reference
    seen = m.known & ~m.hidden
    doubt = doubt_about(
        m.label,
        [float(v) for v in m.values[seen]],
        m.unit,
        platform=m.platform,
        limit=None if reference is None else reference.limit,
    )
    side = "" if reference is None else "<" if reference.side == "below" else ">"
    return MarkerFact(
        marker=m.label,
        n=int(m.known.sum()),
        n_total=m.values.size,
        n_below=int(m.below.sum()),
        n_above=int(m.above.sum()),
        limit_origin="" if reference is None else reference.origin,
        limit_text="" if reference is None else f"{side} {reference.limit:g}{unit_text(m.unit)}",
        missing_differs=tuple(_missing_differs(m, characteristics)),
        assay_doubt="" if doubt is None else doubt.reason,
    )


def _missing_differs(
    m: MarkerColumn, characteristics: Sequence[CharacteristicColumn]
) -> list[tuple[str, float]]:
    """The characteristics in which those without the marker differ, at 0.05 over their number."""
    from scipy.stats import mannwhitneyu

    differs: list[tuple[str, float]] = []
    for c in characteristics:
        with_it, without = c.values[m.known & c.known], c.values[~m.known & c.known]
        if c.scale == "nominal" or min(with_it.size, without.size) < FEWEST_WITHOUT:
            continue
        if np.ptp(np.concatenate([with_it, without])) == 0:
            continue
        p = float(mannwhitneyu(with_it, without, method="asymptotic").pvalue)
        if p < 0.05 / len(characteristics):
            differs.append((c.label, p))
    return differs


def _collinear(characteristics: Sequence[CharacteristicColumn]) -> list[tuple[str, str, float]]:
    """Each pair of characteristics on an ordered scale with its Spearman correlation."""
    from troughline.biomarker.rank_correlation import spearman

    together: list[tuple[str, str, float]] = []
    for a, b in itertools.combinations([c for c in characteristics if c.scale != "nominal"], 2):
        both = a.known & b.known
        if int(both.sum()) < FEWEST_TOGETHER:
            continue
        try:
            value = spearman(a.values[both], b.values[both]).value
        except ValueError:
            continue
        if math.isfinite(value):
            together.append((a.label, b.label, value))
    return together
