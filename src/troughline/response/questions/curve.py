"""The `curve` question: the probability of an outcome as a function of exposure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from troughline.response.case import Case, Interval
from troughline.response.guards.wording import number, percent, unit_text
from troughline.response.predictor import NotAnalysable
from troughline.response.questions.adjusted import odds_ratios
from troughline.response.questions.adjustment import adjustment
from troughline.response.questions.parts import (
    Pairs,
    Parts,
    exclude,
    exposure_nodes,
    finite,
    generator,
    model_methods,
    pair,
)
from troughline.response.questions.setup import (
    external_cuts,
    in_unit,
    numeric_predictor,
    outcome_of,
    published_reference,
)
from troughline.response.questions.threshold import as_published_pairs, enough
from troughline.results import Estimate, Json

if TYPE_CHECKING:
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.studyfile import CurveQuestion, WindowQuestion
    from troughline.evidence.records import Drug
    from troughline.response.curve import CurveFit
    from troughline.response.predictor import PredictorValues

GROUPS = 4


def run_curve(cohort: Cohort, question: CurveQuestion, drug: Drug | None) -> tuple[Case, Parts]:
    """Answer a curve question as published (ordinary logistic regression) and guarded (averaged curves).

    Raises `NotAnalysable` where exposure is not positive, or with fewer than three patients in a class.
    """
    from troughline.response.curve import fit_curve

    outcome = outcome_of(cohort, question.outcome)
    values = numeric_predictor(cohort, question.predictor, drug, {"outcome": outcome})
    published_reference(question.published)
    case = Case(cohort=cohort, question=question, drug=drug, predictor=values, outcomes={"outcome": outcome})
    naive = as_published_pairs(values, outcome)
    guarded = pair(values.guarded, outcome)
    for column, pairs in (("as published", naive), ("guarded", guarded)):
        enough(pairs, column, outcome.label)
        need_positive(pairs, values)
    parts = Parts()
    level = cohort.study.study.level
    printed = logistic_as_published(naive, level)
    parts.estimates.append(printed)
    if printed.value is not None:
        case.measured.odds_ratio_published = Interval(value=printed.value, low=printed.low, high=printed.high)
    guarded, covariates, names = adjust_for(case, question, guarded, parts)
    exclude(case, case.outcomes, guarded.patients)
    case.measured.n_events = guarded.n_events
    case.measured.n_non_events = len(guarded.patients) - guarded.n_events
    fit = fit_curve(
        guarded.values, guarded.happened, rng=generator(cohort, question.id), covariates=covariates,
        covariate_names=names, exposure_nodes=exposure_nodes(values, guarded), monotone=question.monotone,
        level=level, allow_poor=True,
    )  # fmt: skip
    case.measured.posterior_poor = poor(fit.models)
    case.measured.p_slope_negative = {outcome.label: fit.p_slope_negative}
    parts.estimates += odds_ratios(case, guarded, question.adjust, question.id)
    points = concentrations(question.at, values, drug)
    parts.estimates += _risks(fit, points, values, len(guarded.patients))
    _model_table(fit, parts)
    parts.series["curve"] = {
        **curve_series(fit.grid(), fit.probability(fit.grid()), values, outcome.label, guarded),
        "models": _models(fit),
        "cuts": [
            {"label": source, "value": x, "low": None, "high": None, "kind": "external"}
            for _, x, source in points
        ],
    }
    parts.methods += [
        "As published: logistic regression in log exposure by ordinary maximum likelihood, all samples.",
        *fit.methods(),
        *model_methods(values, propagated=True),
        *outcome.notes,
    ]
    parts.references += [
        "Firth 1993, doi 10.1093/biomet/80.1.27",
        "Vehtari 2017, doi 10.1007/s11222-016-9696-4",
        "Vehtari 2024, doi 10.48550/arXiv.1507.02646",
    ]
    parts.summary = _summary(fit, points, values, outcome.label, guarded)
    return case, parts


def need_positive(pairs: Pairs, values: PredictorValues) -> None:
    """Raise `NotAnalysable` where a value is not above zero: the curves work in log exposure."""
    bad = [p for p, v in zip(pairs.patients, pairs.values, strict=True) if not v > 0]
    if bad:
        raise NotAnalysable(
            f"{values.label} is not above zero in {len(bad)} patients (first: {bad[0]}); the curves work in "
            "log exposure"
        )
    if len(set(pairs.values.tolist())) < 3:
        raise NotAnalysable(f"{values.label} takes fewer than three different values")


def adjust_for(
    case: Case, question: CurveQuestion | WindowQuestion, pairs: Pairs, parts: Parts
) -> tuple[Pairs, Any, tuple[str, ...] | None]:
    """The patients with every adjusting covariate, the covariate matrix (n, p) and its names."""
    if not question.adjust:
        return pairs, None, None
    adjust_by = adjustment(case.cohort, case.predictor, question.adjust, pairs.patients)
    matrix, names, rows = adjust_by.matrix, adjust_by.names, adjust_by.complete
    if adjust_by.note:
        parts.methods.append(f"Adjustment: {adjust_by.note}.")
    for patient, known in zip(pairs.patients, rows.tolist(), strict=True):
        if not known:
            case.excluded[patient] = "an adjusting covariate is missing"
    kept = Pairs(
        patients=tuple(p for p, keep in zip(pairs.patients, rows.tolist(), strict=True) if keep),
        values=pairs.values[rows],
        happened=pairs.happened[rows],
    )
    if not names:
        return kept, None, None
    return kept, matrix[rows], names


def logistic_as_published(pairs: Pairs, level: float) -> Estimate:
    """The odds ratio per doubling a paper would print: ordinary maximum likelihood with Wald limits."""
    import numpy as np

    from troughline.response.logistic import ConvergenceError, SeparationError, fit_logistic
    from troughline.response.proportions import normal_quantile

    design = np.column_stack([np.ones(len(pairs.values)), np.log2(pairs.values)])
    n = len(pairs.patients)
    try:
        fit = fit_logistic(design, pairs.happened)
    except (SeparationError, ConvergenceError) as error:
        return Estimate(
            name="odds_ratio", value=None, level=level, n=n, label="per doubling",
            method="as-published: logistic regression", note=f"no estimate: {error}",
        )  # fmt: skip
    slope, se = float(fit.coefficients[1]), float(fit.standard_errors[1])
    z = normal_quantile(level)
    return Estimate(
        name="odds_ratio", value=math.exp(slope), low=math.exp(slope - z * se), high=math.exp(slope + z * se),
        level=level, n=n, label="per doubling", method="as-published: logistic regression, Wald",
        p_value=math.erfc(abs(slope / se) / math.sqrt(2)),
    )  # fmt: skip


def concentrations(
    named: tuple[float, ...], values: PredictorValues, drug: Drug | None
) -> list[tuple[str, float, str]]:
    """The exposures at which risk is stated: those the study names and the published cuts of this metric."""
    unit = unit_text(values.unit)
    like, _ = external_cuts(values, drug)
    sources = {float(x): "named in the study file" for x in named}
    for cut in like:
        x = in_unit(cut, values.unit, drug)
        same = next((other for other in sources if math.isclose(x, other)), x)
        sources[same] = cut.label
    points = [(f"{number(x)}{unit}", x, source) for x, source in sources.items()]
    return sorted(points, key=lambda point: point[1])


def curve_series(grid: Any, band: Any, values: PredictorValues, label: str, pairs: Pairs) -> Json:
    """A curve with its band, the observed outcomes and the observed risk in quarters of exposure."""
    return {
        "unit": values.unit,
        "label": values.label,
        "outcome_label": label,
        "exposure": grid,
        "mean": band.mean,
        "low": band.low,
        "high": band.high,
        "observed": {"exposure": pairs.values, "outcome": pairs.happened.astype(int)},
        "groups": _observed_groups(pairs),
    }


def _observed_groups(pairs: Pairs) -> list[dict[str, Any]]:
    """Observed risk in quarters of exposure (fewer with few patients), with Wilson intervals."""
    import numpy as np

    from troughline.response.proportions import wilson

    parts = min(GROUPS, max(2, len(pairs.values) // 6))
    edges = np.quantile(pairs.values, np.linspace(0, 1, parts + 1))
    group = np.clip(np.searchsorted(edges, pairs.values, side="right") - 1, 0, parts - 1)
    rows: list[dict[str, Any]] = []
    for k in range(parts):
        inside = group == k
        if not inside.any():
            continue
        chosen = pairs.values[inside]
        risk = wilson(int(pairs.happened[inside].sum()), int(inside.sum()))
        rows.append(
            {
                "exposure": float(np.exp(np.log(chosen).mean())), "low_exposure": float(chosen.min()),
                "high_exposure": float(chosen.max()), "events": risk.successes, "n": risk.trials,
                "risk": risk.value, "low": risk.low, "high": risk.high,
            }
        )  # fmt: skip
    return rows


def poor(models: Any) -> str:
    """What the importance sampler complains about, or an empty text."""
    bad = [m for m in models if m.status == "poor" and m.weight > 0.01]
    if not bad:
        return ""
    return "; ".join(
        f"{m.model}: {m.effective_draws:.0f} effective draws, Pareto k {m.pareto_k:.2f}" for m in bad
    )


def _risks(
    fit: CurveFit, points: list[tuple[str, float, str]], values: PredictorValues, n: int
) -> list[Estimate]:
    import numpy as np

    if not points:
        return []
    band = fit.probability(np.array([x for _, x, _ in points]))
    rows: list[Estimate] = []
    for (label, x, _), mean, low, high in zip(points, band.mean, band.low, band.high, strict=True):
        outside = not fit.domain[0] <= x <= fit.domain[1]
        rows.append(
            Estimate(
                name="probability", value=float(mean), low=float(low), high=float(high), level=fit.level, n=n,
                label=f"at {label}", method="guarded: averaged curves",
                note="beyond the studied exposures" if outside else "",
            )
        )  # fmt: skip
    return rows


def _model_table(fit: CurveFit, parts: Parts) -> None:
    parts.tables["models"] = [
        {
            "model": m.model,
            "weight": finite(m.weight),
            "effective draws": finite(m.effective_draws),
            "Pareto k": finite(m.pareto_k),
            "status": m.status,
        }
        for m in fit.models
    ]


def _models(fit: CurveFit) -> list[dict[str, Any]]:
    return [{"name": m.model, "weight": finite(m.weight)} for m in fit.models]


def _summary(
    fit: CurveFit, points: list[tuple[str, float, str]], values: PredictorValues, label: str, pairs: Pairs
) -> str:
    import numpy as np

    unit = unit_text(values.unit)
    low, high = (float(q) for q in np.quantile(pairs.values, [0.1, 0.9]))
    band = fit.probability(np.array([low, high]))

    def risk(k: int) -> str:
        return percent(Interval(value=float(band.mean[k]), low=float(band.low[k]), high=float(band.high[k])))

    return (
        f"In {len(pairs.patients)} patients, {pairs.n_events} with {label}, the chance of {label} goes from "
        f"{risk(0)} at {number(low)}{unit} to {risk(1)} at {number(high)}{unit} "
        "(the 10th and 90th percentile of these patients)."
    )
