"""A `change` question as estimates, tables and series; the words stand in `change_words`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from troughline.biomarker.change_series import change_series
from troughline.biomarker.change_tables import between_row, by_p, group_row, level_table
from troughline.biomarker.change_words import methods, references, summary
from troughline.response.questions.parts import finite
from troughline.results import Estimate

if TYPE_CHECKING:
    from troughline.biomarker.change_data import Groups, MarkerData
    from troughline.biomarker.change_facts import BetweenFinding, ChangeFacts, GroupFinding
    from troughline.biomarker.marker_levels import Beyond
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.question_change import ChangeQuestion
    from troughline.response.predictor import PredictorValues
    from troughline.response.questions.parts import Parts


def fill_parts(
    parts: Parts,
    cohort: Cohort,
    question: ChangeQuestion,
    groups: Groups,
    markers: list[MarkerData],
    facts: ChangeFacts,
    exposure: PredictorValues | None,
) -> None:
    """Put everything that was found into `parts`."""
    level = cohort.study.study.level
    several = len(question.occasion_names) > 2
    for finding in facts.findings:
        if finding.shift is not None:
            parts.estimates += _group_estimates(finding, facts, question, level, several)
    parts.estimates += _counts(facts)
    for between in (b for b in facts.between if b.in_full):
        parts.estimates += _between_estimates(between, facts, groups, several, level)
    parts.estimates += [
        beyond_estimate(s.marker, s.unit, s.beyond) for s in facts.silent if s.beyond is not None
    ]
    parts.tables = {
        "levels": level_table(question, groups, markers),
        "within-groups": [group_row(f, facts) for f in by_p(facts)],
        "between-groups": [between_row(b) for b in facts.between],
        "not-analysable": [
            {"marker": s.marker, "reason": s.reason, "levels": s.n_levels, "patients": s.n_patients}
            for s in facts.silent
        ],
    }
    parts.tables = {name: rows for name, rows in parts.tables.items() if rows}
    parts.series["change"] = change_series(question, groups, markers, facts)
    parts.summary = summary(facts, question)
    parts.methods += methods(facts, question, exposure)
    parts.methods += [
        f"{m.analyte}: a level of 0 or less has no logarithm: {'; '.join(m.without_log)}."
        for m in markers
        if m.without_log
    ]
    parts.references += references(question)


def label_of(finding: GroupFinding | BetweenFinding, group: str, several: bool) -> str:
    """`sTNF-R, 400`, with the occasion where there are more than two."""
    words = [finding.marker, *([group] if group else []), *([finding.occasion] if several else [])]
    return ", ".join(words)


def _group_estimates(
    f: GroupFinding, facts: ChangeFacts, question: ChangeQuestion, level: float, several: bool
) -> list[Estimate]:
    label = label_of(f, f.group if len(facts.group_names) > 1 else "", several)
    assert f.shift is not None
    ratio = question.scale == "ratio"
    name, unit = ("change_ratio", "1") if ratio else ("change_difference", f.unit)

    def shown(value: float | None) -> float | None:
        value = finite(value)
        return finite(math.exp(value)) if ratio and value is not None and value < 700 else value

    published = f.published
    k = published.n_substituted
    substituted = f"{k} of {2 * f.n} levels substituted (half the limit below it)" if k else ""
    out = [
        Estimate(
            name="mean_change", value=published.mean_change, low=published.low, high=published.high,
            level=level, unit=f.unit, n=f.n, label=label, p_value=published.p_t,
            method="as-published: Student's paired test", note=substituted,
        ),
        Estimate(
            name="paired_wilcoxon", value=published.w_wilcoxon, level=None, n=f.n,
            label=label, p_value=published.p_wilcoxon,
            method="as-published: Wilcoxon's paired test, uncorrected",
        ),
        Estimate(
            name=name, value=shown(f.shift.value), low=shown(f.shift.low), high=shown(f.shift.high),
            level=level, unit=unit, n=f.n, label=label, p_value=f.p_adjusted,
            method=f"guarded: Hodges–Lehmann, censored; p corrected ({_CORRECTION[question.correction]})",
            note=_alone(f),
        ),
    ]  # fmt: skip
    if f.tobit is not None:
        out.append(
            Estimate(
                name=f"{name}_tobit", value=shown(f.tobit.value), low=shown(f.tobit.low),
                high=shown(f.tobit.high), level=level, unit=unit, n=f.n, label=label,
                p_value=f.tobit.p_value, method="guarded: Tobit mixed model, profile likelihood; p alone",
            )
        )  # fmt: skip
    return out


_CORRECTION = {
    "westfall-young": "Westfall–Young",
    "holm": "Holm",
    "benjamini-hochberg": "Benjamini–Hochberg",
}


def _alone(f: GroupFinding) -> str:
    words: list[str] = []
    if f.p_value is not None:
        words.append(f"p alone {f.p_value:.2g}")
    if f.p_error is not None and f.p_adjusted is not None and 0.01 < f.p_adjusted < 0.1:
        words.append(f"Monte-Carlo error of the corrected p {f.p_error:.1g}")
    if f.rank.n_informative < f.n:
        words.append(f"{f.rank.n_informative} of {f.n} pairs tell a direction")
    return "; ".join(words)


def _counts(facts: ChangeFacts) -> list[Estimate]:
    family = facts.tested
    published = [f for f in facts.findings if f.published.p_wilcoxon is not None]
    n = len({f.marker for f in facts.findings})
    silent = [s.marker for s in facts.silent]
    k = len(silent) * len(facts.group_names)
    untested = f"; {k} more are not possible ({', '.join(silent)})" if silent else ""
    return [
        Estimate(
            name="n_significant", level=None, n=facts.n_paired, method="as-published: p < 0.05, uncorrected",
            value=float(sum((f.published.p_wilcoxon or 1.0) < 0.05 for f in published)),
            note=f"of {len(published)} tests of {n} markers{untested}",
        ),
        Estimate(
            name="n_significant", level=None, n=facts.n_paired, method="guarded: p < 0.05, corrected",
            value=float(sum((f.p_adjusted or 0.0) < 0.05 for f in family if f.p_adjusted is not None)),
            note=f"of {len(family)} tests of {n} markers",
        ),
    ]  # fmt: skip


def _between_estimates(
    b: BetweenFinding,
    facts: ChangeFacts,
    groups: Groups,
    several: bool,
    level: float,
) -> list[Estimate]:
    label = label_of(b, "", several)
    n = sum(f.n for f in facts.findings if (f.marker, f.occasion) == (b.marker, b.occasion))
    out: list[Estimate] = []
    if b.same is not None:
        out.append(
            Estimate(
                name="group_by_time", value=b.same.f, level=None, n=n, label=label, p_value=b.same.p_value,
                method="guarded: Tobit mixed model, group × time",
                note=f"corrected over the markers {_p(b.p_adjusted)}",
            )
        )  # fmt: skip
    if b.trend is not None:
        law = {"exact": "exact", "permutation": "by permutation", "asymptotic": "normal"}[b.trend.method]
        out.append(
            Estimate(
                name="dose_trend", value=b.trend.z, level=None, n=b.trend.n, label=label,
                p_value=b.trend.p_value, method=f"guarded: Jonckheere–Terpstra on changes, {law}",
                note=f"Kendall's τ {b.trend.tau:.2f}; corrected over the markers {_p(b.trend_adjusted)}",
            )
        )  # fmt: skip
    if b.slope is not None and b.slope_test is not None:
        ratio = facts.scale == "ratio"
        per = "doubling of the dose" if groups.dose else "step of the group"
        out.append(
            Estimate(
                name="dose_slope", value=math.exp(b.slope) if ratio else b.slope, level=None, n=n,
                label=label, p_value=b.slope_test.p_value,
                method=f"guarded: Tobit mixed model, {'ratio of changes' if ratio else 'change'} per {per}",
            )
        )  # fmt: skip
    if b.ancova is not None and b.ancova.same is not None:
        out.append(
            Estimate(
                name="ancova_groups", value=b.ancova.same.f, level=None, n=b.ancova.m, label=label,
                p_value=b.ancova.same.p_value,
                method="guarded: analysis of covariance on the first level, both censored",
                note=f"{100 * b.ancova.baseline_slope:.0f} % of a difference at baseline is left",
            )
        )  # fmt: skip
    exposure = b.exposure_values
    if b.exposure is not None and exposure is not None:
        out.append(
            Estimate(
                name="exposure_trend", value=b.exposure.z, level=None, n=b.exposure.n, label=label,
                p_value=b.exposure.p_value, method=f"guarded: Kendall's test of change over {exposure.label}",
                note=f"Kendall's τ {b.exposure.tau:.2f}"
                + (f"; without an exposure: {b.exposure_left_out}" if b.exposure_left_out else ""),
            )
        )  # fmt: skip
    return out + ([] if exposure is None else _exposure_estimates(b, facts, exposure, label, level))


def _exposure_estimates(
    b: BetweenFinding, facts: ChangeFacts, exposure: PredictorValues, label: str, level: float
) -> list[Estimate]:
    """The correlation that a paper would print, and how much more the marker changes per doubling."""
    out: list[Estimate] = []
    printed, slope = b.exposure_published, b.exposure_slope
    if printed is not None and math.isfinite(printed.statistic):
        out.append(
            Estimate(
                name="exposure_correlation", value=printed.statistic, level=None, n=b.exposure_published_n,
                label=label, p_value=finite(printed.p_value),
                method=f"as-published: {printed.name} with {exposure.label_as_published or exposure.label}, "
                "half the limit below it",
            )
        )  # fmt: skip
    if slope is not None:
        ratio = facts.scale == "ratio"

        def shown(value: float) -> float | None:
            return finite(math.exp(value) if ratio and value < 700 else value)

        per = "doubling" if all(v > 0 for v in exposure.guarded.values()) else f"1 {exposure.unit}"
        out.append(
            Estimate(
                name="exposure_slope", value=shown(slope.value), low=shown(slope.low), high=shown(slope.high),
                level=level, n=slope.n, label=label, p_value=slope.p_value,
                method=f"guarded: {'ratio of changes' if ratio else 'difference of changes'} per {per} of "
                f"{exposure.label}, censored regression, profile likelihood",
            )
        )  # fmt: skip
    return out


def _p(p: float | None) -> str:
    return "not computed" if p is None else f"p = {p:.2g}"


def beyond_estimate(marker: str, unit: str, beyond: Beyond) -> Estimate:
    """The share of patients on the side of the limit where no level was, with its one-sided bound."""
    return Estimate(
        name=f"share_{beyond.other_side}_limit", value=0.0, low=0.0, high=beyond.share_bound,
        level=beyond.level, n=beyond.n_patients, label=marker,
        method="guarded: exact one-sided bound (Clopper–Pearson), one count a patient",
        note=beyond.words(unit),
    )  # fmt: skip
