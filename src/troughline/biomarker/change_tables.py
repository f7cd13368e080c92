"""The tables of a `change` question: levels, tests within groups, tests between them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from troughline.biomarker.marker_levels import quantile_words
from troughline.response.questions.parts import finite
from troughline.results import Json

if TYPE_CHECKING:
    from troughline.biomarker.change_data import Groups, MarkerData
    from troughline.biomarker.change_facts import BetweenFinding, ChangeFacts, GroupFinding
    from troughline.cohort.question_change import ChangeQuestion


def level_table(question: ChangeQuestion, groups: Groups, markers: list[MarkerData]) -> list[Json]:
    """Levels of each marker, group and occasion: how many, beyond which limits, and their quartiles."""
    rows: list[Json] = []
    for data in markers:
        for g, group in enumerate(groups.names):
            for k, occasion in enumerate(question.occasion_names):
                mine = [v for v in data.levels if v.occasion == k and groups.of.get(v.patient) == g]
                if not mine:
                    continue
                beyond = [v for v in mine if v.below or v.above]
                rows.append(
                    {
                        "marker": data.analyte,
                        "group": group,
                        "occasion": occasion,
                        "n": len(mine),
                        "below limit": sum(v.below for v in mine),
                        "share_below": sum(v.below for v in mine) / len(mine),
                        "above limit": sum(v.above for v in mine),
                        "limits": ", ".join(f"{x:g}" for x in sorted({v.limit for v in beyond}))
                        or "none met",
                        "median": quantile_words(mine, 0.5),
                        "first quartile": quantile_words(mine, 0.25),
                        "third quartile": quantile_words(mine, 0.75),
                        "unit": data.unit,
                    }
                )
    return rows


def by_p(facts: ChangeFacts) -> list[GroupFinding]:
    """The findings in their order; by their corrected p-values where some markers were only tested."""
    if not facts.only_tested:
        return facts.findings
    return sorted(
        facts.findings, key=lambda f: (1.0 if f.p_adjusted is None else f.p_adjusted, f.p_value or 1.0)
    )


def group_row(f: GroupFinding, facts: ChangeFacts) -> Json:
    """Every test of one group; sizes where it was worked out in full, the fitted one in any case."""
    ratio, size = facts.scale == "ratio", f.fitted
    return {
        "marker": f.marker,
        "group": f.group,
        "occasion": f.occasion,
        "n": f.n,
        "rose": f.sign.n_up,
        "fell": f.sign.n_down,
        "not known": f.sign.n_tied,
        "sign_test_p": f.sign.p_value,
        "sign_test_with_ties_p": f.sign.p_ties,
        "signed_rank_p": f.rank.p_value,
        "prentice_wilcoxon_p": f.prentice.p_value,
        "paired_normal_p": None if f.normal is None else f.normal.p_value,
        "tobit_p": None if f.tobit is None else f.tobit.p_value,
        "smallest_possible_p": f.rank.least_p,
        "corrected_p": f.p_adjusted,
        "monte_carlo_error": f.p_error,
        "as_published_wilcoxon_p": f.published.p_wilcoxon,
        "as_published_t_p": f.published.p_t,
        "tobit_ratio" if ratio else "tobit_difference": None
        if size is None
        else finite(math.exp(size) if ratio and size < 700 else size),
        "in full": f.shift is not None,
    }


def between_row(b: BetweenFinding) -> Json:
    """The tests of one marker between groups, and what could not be computed."""
    return {
        "marker": b.marker,
        "occasion": b.occasion,
        "group_by_time_p": None if b.same is None else b.same.p_value,
        "corrected_p": b.p_adjusted,
        "dose_trend_p": None if b.trend is None else b.trend.p_value,
        "trend_corrected_p": b.trend_adjusted,
        "tobit_trend_p": None if b.slope_test is None else b.slope_test.p_value,
        "ancova_p": None if b.ancova is None or b.ancova.same is None else b.ancova.same.p_value,
        "ancova_trend_p": None if b.ancova is None or b.ancova.trend is None else b.ancova.trend.p_value,
        "baseline_p": b.baseline_p,
        "exposure_trend_p": None if b.exposure is None else b.exposure.p_value,
        "in full": b.in_full,
        "not computed": "; ".join(b.why),
    }
