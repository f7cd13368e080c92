"""The `threshold` question: which level separates those with the outcome from those without."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from troughline.cohort.describe import listed
from troughline.response.case import Case, Interval, Measured
from troughline.response.guards.wording import count, interval, number, unit_text
from troughline.response.predictor import NotAnalysable
from troughline.response.questions.adjusted import odds_ratios
from troughline.response.questions.cuts import classification, fixed_cuts
from troughline.response.questions.parts import (
    Pairs,
    Parts,
    exclude,
    finite,
    generator,
    model_methods,
    pair,
)
from troughline.response.questions.printed import printed_estimates, printed_intervals
from troughline.response.questions.setup import (
    numeric_predictor,
    outcome_of,
    published_reference,
)
from troughline.results import Estimate

if TYPE_CHECKING:
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.outcomes import BinaryOutcome
    from troughline.cohort.studyfile import ThresholdQuestion
    from troughline.evidence.records import Drug
    from troughline.response.predictor import PredictorValues
    from troughline.response.thresholds import Criterion

FEWEST_EACH = 3


def run_threshold(cohort: Cohort, question: ThresholdQuestion, drug: Drug | None) -> tuple[Case, Parts]:
    """Answer a threshold question as published and guarded.

    Raises `NotAnalysable` with fewer than three patients with, or without, the outcome in either column.
    """
    outcome = outcome_of(cohort, question.outcome)
    values = numeric_predictor(cohort, question.predictor, drug, {"outcome": outcome})
    published = published_reference(question.published)
    case = Case(cohort=cohort, question=question, drug=drug, predictor=values, outcomes={"outcome": outcome})
    naive = as_published_pairs(values, outcome)
    guarded = pair(values.guarded, outcome)
    for column, pairs in (("as published", naive), ("guarded", guarded)):
        enough(pairs, column, outcome.label)
    exclude(case, case.outcomes, guarded.patients)
    higher = _higher(question, naive)
    parts = Parts()
    _as_published(cohort, question, values, naive, higher, case.measured, parts)
    _guarded(cohort, question, values, guarded, higher, case.measured, parts)
    case.measured.n_events = guarded.n_events
    case.measured.n_non_events = len(guarded.patients) - guarded.n_events
    case.measured.printed = printed_intervals(published)
    parts.estimates += printed_estimates(published)
    parts.estimates += odds_ratios(case, guarded, question.adjust, question.id)
    fixed_cuts(question, values, drug, guarded, higher, parts, case.measured, cohort.study.study.level)
    _series(values, outcome, naive, guarded, parts, case)
    parts.methods += [
        *_methods(question, values, cohort.study.study.level),
        *model_methods(values, propagated=False),
        *outcome.notes,
    ]
    parts.references += [
        "DeLong 1988, doi 10.2307/2531595",
        "Newcombe 2006, doi 10.1002/sim.2324",
        "Leeflang 2008, doi 10.1373/clinchem.2007.096032",
    ]
    parts.summary = _summary(question, values, outcome, guarded, case.measured)
    return case, parts


def as_published_pairs(values: PredictorValues, outcome: BinaryOutcome) -> Pairs:
    """The pairs a paper would analyse: one a patient, or one a sample where the study counts every sample."""
    import numpy as np

    if values.exposure is None or not values.exposure.every:
        return pair(values.as_published, outcome)
    rows = [e for e in values.exposure.every if outcome.happened.get(e.patient) is not None]
    return Pairs(
        patients=tuple(e.patient for e in rows),
        values=np.array([e.value for e in rows], dtype=np.float64),
        happened=np.array([bool(outcome.happened[e.patient]) for e in rows], dtype=np.bool_),
    )


def enough(pairs: Pairs, column: str, label: str) -> None:
    """Raise `NotAnalysable` unless at least three patients had the outcome and three had not."""
    n, k = len(pairs.patients), pairs.n_events
    if min(k, n - k) < FEWEST_EACH:
        raise NotAnalysable(
            f"{column}: {count(n, 'patient')} with a level and a known outcome, {k} with “{label}” and "
            f"{n - k} without; at least {FEWEST_EACH} of each are needed"
        )


def _higher(question: ThresholdQuestion, naive: Pairs) -> bool:
    from troughline.response.roc import roc_curve

    direction = question.predictor.direction
    if direction != "auto":
        return direction == "higher"
    return roc_curve(naive.values, naive.happened).auc >= 0.5


def _as_published(
    cohort: Cohort,
    question: ThresholdQuestion,
    values: PredictorValues,
    pairs: Pairs,
    higher: bool,
    measured: Measured,
    parts: Parts,
) -> None:
    from troughline.response.auc_interval import delong
    from troughline.response.roc import mann_whitney, roc_curve
    from troughline.response.thresholds import operating_point, optimal_threshold

    level, unit, n = cohort.study.study.level, values.unit, len(pairs.patients)
    auc = delong(pairs.values, pairs.happened, higher_is_case=higher, level=level)
    measured.auc_published = Interval(value=auc.value, low=auc.low, high=auc.high)
    measured.auc_published_clipped = auc.clipped
    test = mann_whitney(pairs.values, pairs.happened)
    add = parts.estimates.append
    add(
        Estimate(
            name="auc", value=auc.value, low=auc.low, high=auc.high, level=level, n=n,
            method="as-published: DeLong", note="interval cut at 1" if auc.clipped else "",
        )
    )  # fmt: skip
    add(
        Estimate(
            name="mann_whitney", value=test.statistic, level=None, n=n, p_value=test.p_value,
            method="as-published: Mann–Whitney U", note="exact" if test.exact else "normal approximation",
        )
    )  # fmt: skip
    curve = roc_curve(pairs.values, pairs.happened, higher_is_case=higher)
    parts.series["roc"] = {
        "specificity": curve.specificity,
        "sensitivity": curve.sensitivity,
        "threshold": [finite(float(t)) for t in curve.thresholds],
    }
    if not question.optimise:
        return
    criteria: tuple[tuple[Criterion, str], ...] = (("youden", ""), ("closest-corner", "closest corner"))
    for criterion, label in criteria:
        best = optimal_threshold(curve, criterion)
        tied = [t for t in best.ties if math.isfinite(t)]
        add(
            Estimate(
                name="threshold", value=finite(best.threshold), level=None, unit=unit, n=n, label=label,
                method=f"as-published: {criterion}",
                note=f"{len(tied)} cuts tie: {', '.join(number(t) for t in tied)}" if len(tied) > 1 else "",
            )
        )  # fmt: skip
        if criterion == "youden":
            add(Estimate(name="youden", value=best.youden, level=None, n=n, method="as-published: apparent"))
            measured.youden_apparent = best.youden
            measured.threshold_published = Interval(value=finite(best.threshold), low=None, high=None)
        if math.isfinite(best.threshold):
            point = operating_point(
                pairs.values, pairs.happened, best.threshold, higher_is_case=higher, level=level
            )
            parts.estimates += classification(point, n, label, "as-published: Wilson at the chosen cut")


def _guarded(
    cohort: Cohort,
    question: ThresholdQuestion,
    values: PredictorValues,
    pairs: Pairs,
    higher: bool,
    measured: Measured,
    parts: Parts,
) -> None:
    import numpy as np

    from troughline.response.auc_interval import auc_interval
    from troughline.response.bootstrap import bootstrap_roc, percentile_interval, roc_band
    from troughline.response.optimism import corrected_youden
    from troughline.response.roc import roc_curve
    from troughline.response.threshold_interval import threshold_interval
    from troughline.response.thresholds import optimal_threshold

    level, unit, n = cohort.study.study.level, values.unit, len(pairs.patients)
    rng = generator(cohort, question.id)
    add = parts.estimates.append
    auc = auc_interval(pairs.values, pairs.happened, higher_is_case=higher, level=level)
    measured.auc_guarded = Interval(value=auc.value, low=auc.low, high=auc.high)
    add(
        Estimate(
            name="auc", value=auc.value, low=auc.low, high=auc.high, level=level, n=n,
            method=f"guarded: {auc.method}",
        )
    )  # fmt: skip
    band = roc_band(
        pairs.values, pairs.happened, rng=rng, n_replicates=question.bootstrap, higher_is_case=higher,
        level=level,
    )  # fmt: skip
    parts.series["roc_band"] = {"specificity": band.specificity, "low": band.low, "high": band.high}
    curve = roc_curve(pairs.values, pairs.happened, higher_is_case=higher)
    parts.series["roc_guarded"] = {
        "specificity": curve.specificity,
        "sensitivity": curve.sensitivity,
        "threshold": [finite(float(t)) for t in curve.thresholds],
    }
    corrected = corrected_youden(
        pairs.values, pairs.happened, rng=rng, n_replicates=question.bootstrap,
        direction=question.predictor.direction, level=level,
    )  # fmt: skip
    chosen = question.predictor.direction == "auto"
    add(
        Estimate(
            name="auc_corrected", value=corrected.auc_corrected, low=None if chosen else auc.low,
            high=None if chosen else auc.high, level=None if chosen else level, n=n,
            method="guarded: patients left out of bootstrap resamples"
            if chosen
            else "guarded: nothing chosen by the data, equal to the AUC",
            note=f"direction turned in {100 * corrected.flipped_share:.0f} % of resamples"
            if chosen
            else "with a direction fixed beforehand the AUC of one marker needs no correction",
        )
    )  # fmt: skip
    if not question.optimise:
        return
    # The apparent value the correction starts from is that of the guarded patients.
    measured.youden_apparent = corrected.youden_apparent
    measured.youden_corrected = corrected.youden_corrected
    add(
        Estimate(
            name="youden_corrected", value=corrected.youden_corrected, level=None, n=n,
            method="guarded: patients left out of bootstrap resamples",
            note=f"apparent {corrected.youden_apparent:.2f}, .632+ {corrected.youden_632_plus:.2f}, "
            f"optimism bootstrap {corrected.youden_harrell:.2f}",
        )
    )  # fmt: skip
    cut = threshold_interval(
        pairs.values, pairs.happened, rng=rng, n_replicates=question.bootstrap, higher_is_case=higher,
        level=level,
    )  # fmt: skip
    bounds = Interval(value=finite(cut.threshold), low=finite(cut.low), high=finite(cut.high))
    measured.threshold_guarded = bounds
    measured.threshold_wide, measured.threshold_span = _span(bounds, pairs)
    wide = measured.threshold_wide
    add(
        Estimate(
            name="threshold", value=None if wide else bounds.value, low=bounds.low, high=bounds.high,
            level=level, unit=unit, n=n, method=f"guarded: {cut.method}",
            note=f"no single cut: the interval spans {measured.threshold_span}" if wide else "",
        )
    )  # fmt: skip
    add(
        Estimate(
            name="threshold", value=None if wide else bounds.value, low=finite(cut.percentile_low),
            high=finite(cut.percentile_high), level=level, unit=unit, n=n, label="bootstrap percentiles",
            method="guarded: bootstrap percentiles, for comparison",
            note="the plain bootstrap of a best cut is inconsistent: the other interval holds its coverage",
        )
    )  # fmt: skip
    for name, share in (("sensitivity", corrected.sensitivity), ("specificity", corrected.specificity)):
        add(
            Estimate(
                name=name, value=share.corrected, low=share.low, high=share.high, level=share.level, n=n,
                method="guarded: patients left out of bootstrap resamples, the cut chosen anew in each",
                note=f"apparent {share.apparent:.2f}",
            )
        )  # fmt: skip
    corner = bootstrap_roc(
        pairs.values, pairs.happened, n_replicates=question.bootstrap, rng=rng, higher_is_case=higher,
        criterion="closest-corner",
    )  # fmt: skip
    low, high = percentile_interval(corner.threshold, level=level)
    best = optimal_threshold(roc_curve(pairs.values, pairs.happened, higher_is_case=higher), "closest-corner")
    add(
        Estimate(
            name="threshold", value=None if wide else finite(best.threshold), low=finite(low),
            high=finite(high), level=level, unit=unit, n=n, label="closest corner",
            method="guarded: bootstrap percentiles, for comparison",
        )
    )  # fmt: skip
    boot = bootstrap_roc(
        pairs.values, pairs.happened, n_replicates=question.bootstrap, rng=rng, higher_is_case=higher
    )
    finite_cuts = boot.threshold[np.isfinite(boot.threshold)]
    if len(finite_cuts) and float(np.ptp(finite_cuts)) > 0:
        bins = min(40, max(8, len(np.unique(finite_cuts))))
        # Equal steps on the axis that is drawn: of a ratio where every cut is positive.
        ends = float(finite_cuts.min()), float(finite_cuts.max())
        edges = np.geomspace(*ends, bins + 1) if ends[0] > 0 else np.linspace(*ends, bins + 1)
        edges[0], edges[-1] = ends
        counts, _ = np.histogram(finite_cuts, bins=edges)
        parts.series["threshold_bootstrap"] = {"edges": edges, "count": counts}


def _span(cut: Interval, pairs: Pairs) -> tuple[bool, str]:
    """Whether the range of the best cut is too wide for one number, and how wide it is, in words."""
    from troughline.response.guards.cutpoints import WIDEST_FACTOR, WIDEST_SHARE

    if cut.low is None or cut.high is None:
        return True, "no bounded range"
    if bool((pairs.values > 0).all()) and cut.ratio is not None:
        return cut.ratio > WIDEST_FACTOR, f"a factor of {cut.ratio:.1f}"
    share = float(((pairs.values >= cut.low) & (pairs.values <= cut.high)).mean())
    return share > WIDEST_SHARE, f"{100 * share:.0f} % of the patients"


def _series(
    values: PredictorValues, outcome: BinaryOutcome, naive: Pairs, guarded: Pairs, parts: Parts, case: Case
) -> None:
    below: set[str] = set()
    if values.exposure is not None:
        below = {p for p, e in values.exposure.as_published.items() if e.below_limit}
    parts.series["distribution"] = {
        "unit": values.unit,
        "label": values.label_as_published or values.label,
        "outcome_label": outcome.label,
        "patient": list(naive.patients),
        "value": naive.values,
        "outcome": naive.happened.astype(int),
        "below_limit": [p in below for p in naive.patients],
        "guarded": [p in set(guarded.patients) for p in naive.patients],
    }


def _methods(question: ThresholdQuestion, values: PredictorValues, level: float) -> list[str]:
    percent = f"{100 * level:g} %"
    lines = [
        f"As published: area under the ROC curve with DeLong's {percent} interval; Mann–Whitney test; the "
        "cuts with the largest Youden index and closest to the corner, with Wilson intervals that ignore "
        "that the cut was chosen.",
        f"Guarded: {values.chosen}; an interval for the AUC that keeps its coverage near 1; the Youden "
        f"index, sensitivity and specificity expected in new patients from those left out of "
        f"{question.bootstrap} bootstrap resamples; for the cut the range of cuts whose Youden index lies "
        "within sampling error of the best one.",
    ]
    if question.adjust:
        names = listed(question.adjust)
        lines.append(f"Odds ratios by Firth's penalised likelihood, adjusted for {names}.")
    return lines


def _summary(
    question: ThresholdQuestion,
    values: PredictorValues,
    outcome: BinaryOutcome,
    pairs: Pairs,
    measured: Measured,
) -> str:
    unit = unit_text(values.unit)
    auc = (
        f"In {len(pairs.patients)} patients, {pairs.n_events} with {outcome.label}, {values.label} tells "
        f"those with it from those without with an AUC of {interval(measured.auc_guarded)}."
    )
    published, cut = measured.threshold_published, measured.threshold_guarded
    if not question.optimise or published is None or cut is None:
        return auc + " The cuts judged were fixed beforehand."
    if measured.threshold_wide:
        return (
            f"No single cut can be named: the best one as published is {number(published.value)}{unit}, but "
            f"these patients {_place(cut, unit)}. {auc}"
        )
    return (
        f"The best cut is {number(cut.value)}{unit}, between {number(cut.low)} and {number(cut.high)}{unit}; "
        f"expect a Youden index of {number(measured.youden_corrected)} in new patients, not the "
        f"{number(measured.youden_apparent)} seen here. {auc}"
    )


def _place(cut: Interval, unit: str) -> str:
    """Where the patients put the best cut, in words that hold for an open side too."""
    if cut.low is None and cut.high is None:
        return "do not bound it on either side"
    if cut.low is None:
        return f"only place it below {number(cut.high)}{unit}"
    if cut.high is None:
        return f"only place it above {number(cut.low)}{unit}"
    return f"only place it between {number(cut.low)} and {number(cut.high)}{unit}"


__all__ = ["NotAnalysable", "run_threshold"]
