"""The `window` question: enough benefit without too much toxicity, both bounds as one estimand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from troughline.response.case import Case, Interval, Measured
from troughline.response.guards.wording import interval, number, unit_text
from troughline.response.predictor import NotAnalysable, PredictorValues
from troughline.response.questions.adjusted import odds_ratios
from troughline.response.questions.curve import (
    adjust_for,
    concentrations,
    curve_series,
    need_positive,
    poor,
)
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
from troughline.response.questions.printed import printed_estimates, printed_intervals
from troughline.response.questions.setup import (
    external_cuts,
    in_unit,
    numeric_predictor,
    outcome_of,
    published_reference,
)
from troughline.response.questions.threshold import enough
from troughline.results import Estimate

if TYPE_CHECKING:
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.outcomes import BinaryOutcome
    from troughline.cohort.studyfile import WindowQuestion
    from troughline.evidence.records import Drug
    from troughline.response.window import WindowFit

GRID = 81


def run_window(cohort: Cohort, question: WindowQuestion, drug: Drug | None) -> tuple[Case, Parts]:
    """Answer a window question: two separately optimised cuts as published, one joint estimand guarded.

    Raises `NotAnalysable` where either outcome cannot be analysed or exposure is not positive.
    """
    from troughline.response.window import fit_window

    toxicity = outcome_of(cohort, question.toxicity)
    benefit = outcome_of(cohort, question.benefit)
    outcomes = {"toxicity": toxicity, "benefit": benefit}
    values = numeric_predictor(cohort, question.predictor, drug, outcomes)
    published_reference(question.published)
    case = Case(cohort=cohort, question=question, drug=drug, predictor=values, outcomes=outcomes)
    pairs = {role: pair(values.guarded, o) for role, o in outcomes.items()}
    for role, p in pairs.items():
        enough(p, f"guarded, {role}", outcomes[role].label)
        need_positive(p, values)
    parts = Parts()
    _as_published(case, question, outcomes, parts)
    both, benefit_known, toxicity_known = _together(values, benefit, toxicity)
    both, covariates, names = adjust_for(case, question, both, parts)
    benefit_known, toxicity_known = (
        {p: v for p, v in known.items() if p in set(both.patients)}
        for known in (benefit_known, toxicity_known)
    )
    exclude(case, outcomes, both.patients)
    level = cohort.study.study.level
    fit = fit_window(
        both.values, _flags(both, benefit_known), _flags(both, toxicity_known),
        benefit_at_least=question.limits.benefit_at_least,
        toxicity_at_most=question.limits.toxicity_at_most,
        toxicity_weight=question.utility.toxicity_weight, within=question.utility.within,
        rng=generator(cohort, question.id), covariates=covariates, covariate_names=names,
        exposure_nodes=exposure_nodes(values, both), monotone=question.monotone, level=level,
        allow_poor=True,
    )  # fmt: skip
    measured = case.measured
    measured.posterior_poor = poor(fit.models)
    measured.p_slope_negative = {
        benefit.label: fit.p_benefit_falls,
        toxicity.label: fit.p_toxicity_falls,
    }
    events = [sum(known.values()) for known in (benefit_known, toxicity_known)]
    non_events = [len(k) - e for k, e in zip((benefit_known, toxicity_known), events, strict=True)]
    measured.n_events, measured.n_non_events = min(events), min(non_events)
    measured.n_parameters = 1 + (len(names) if names else 0)
    _bounds(fit, case, values, parts, question)
    # What liver function does to the answer, for the guard: the toxicity odds ratio, crude and adjusted.
    odds_ratios(case, pairs["toxicity"], question.adjust, question.id)
    _probabilities(fit, question, values, drug, both, parts)
    _series(fit, values, benefit, toxicity, pairs, drug, measured, parts)
    parts.methods += [
        "As published: the lower bound is the cut with the largest Youden index for benefit, the upper one "
        "that for toxicity, each chosen by itself from all samples.",
        *fit.methods(),
        f"Utility = P(benefit) − {question.utility.toxicity_weight:g} · P(toxicity); its window holds the "
        f"exposures within {question.utility.within:g} of the maximum.",
        *model_methods(values, propagated=True),
        *toxicity.notes,
        *benefit.notes,
    ]
    parts.references += [
        "Dale 1986, Biometrics 42:909–917",
        "Vehtari 2017, doi 10.1007/s11222-016-9696-4",
        "Overgaard 2015, doi 10.1002/psp4.12006",
    ]
    parts.summary = _summary(fit, question, values, both, measured)
    return case, parts


def _together(
    values: PredictorValues, benefit: BinaryOutcome, toxicity: BinaryOutcome
) -> tuple[Pairs, dict[str, bool], dict[str, bool]]:
    """Patients with a value and at least one known outcome, and what is known of each outcome."""
    import numpy as np

    known = [
        {p: h for p, h in o.happened.items() if h is not None and p in values.guarded}
        for o in (benefit, toxicity)
    ]
    patients = [p for p in benefit.happened if p in known[0] or p in known[1]]
    pairs = Pairs(
        patients=tuple(patients),
        values=np.array([values.guarded[p] for p in patients], dtype=np.float64),
        happened=np.array([known[1].get(p, False) for p in patients], dtype=np.bool_),
    )
    return pairs, known[0], known[1]


def _flags(pairs: Pairs, known: dict[str, bool]) -> Any:
    import numpy as np

    return np.array([float(known[p]) if p in known else np.nan for p in pairs.patients])


def _as_published(
    case: Case, question: WindowQuestion, outcomes: dict[str, BinaryOutcome], parts: Parts
) -> None:
    """Two cuts, each with the largest Youden index: what a paper calls the window."""
    from troughline.response.roc import roc_curve
    from troughline.response.thresholds import optimal_threshold

    found: dict[str, float | None] = {}
    for role, name in (("benefit", "window_lower"), ("toxicity", "window_upper")):
        pairs = pair(case.predictor.as_published, outcomes[role])
        enough(pairs, f"as published, {role}", outcomes[role].label)
        best = optimal_threshold(roc_curve(pairs.values, pairs.happened))
        found[role] = finite(best.threshold)
        parts.estimates.append(
            Estimate(
                name=name, value=found[role], level=None, unit=case.predictor.unit, n=len(pairs.patients),
                method="as-published: largest Youden index, no interval given",
            )
        )  # fmt: skip
    case.measured.window_lower_published = found["benefit"]
    case.measured.window_upper_published = found["toxicity"]
    published = published_reference(question.published)
    case.measured.printed = printed_intervals(published)
    parts.estimates += printed_estimates(published)


def _bounds(
    fit: WindowFit, case: Case, values: PredictorValues, parts: Parts, question: WindowQuestion
) -> None:
    from troughline.response.precision import patients_needed_to_halve

    measured, unit = case.measured, values.unit
    for name, bound in (("window_lower", fit.lower), ("window_upper", fit.upper)):
        parts.estimates.append(
            Estimate(
                name=name, value=bound.value, low=bound.low, high=bound.high, level=bound.level, unit=unit,
                n=fit.n, method="guarded: joint posterior", note=bound.note,
            )
        )  # fmt: skip
    measured.window_lower = Interval(value=fit.lower.value, low=fit.lower.low, high=fit.lower.high)
    measured.window_upper = Interval(value=fit.upper.value, low=fit.upper.low, high=fit.upper.high)
    measured.p_window_exists = fit.p_exists
    parts.estimates.append(
        Estimate(
            name="p_window_exists", value=fit.p_exists, level=None, n=fit.n,
            method="guarded: joint posterior",
            note=f"P(benefit) ≥ {question.limits.benefit_at_least:g} and P(toxicity) ≤ "
            f"{question.limits.toxicity_at_most:g} at some studied exposure",
        )
    )  # fmt: skip
    utility = fit.utility()
    for name, bound in (
        ("utility_best", utility.best),
        ("utility_lower", utility.lower),
        ("utility_upper", utility.upper),
    ):
        parts.estimates.append(
            Estimate(
                name=name, value=bound.value, low=bound.low, high=bound.high, level=bound.level, unit=unit,
                n=fit.n, method="guarded: joint posterior, utility form", note=bound.note,
            )
        )  # fmt: skip
    wider: list[float] = []
    for plan in patients_needed_to_halve(fit):
        parts.estimates.append(
            Estimate(
                name="n_to_halve", value=plan.n_needed, level=None, unit="patients", n=fit.n,
                label=f"{plan.bound} bound", method="guarded: expected information",
                note="; ".join(
                    [
                        f"interval now a factor of {'at least ' if plan.open_now else ''}"
                        f"{plan.factor_now:.1f}, then {plan.factor_wanted:.1f}",
                        *([plan.note] if plan.note else []),
                    ]
                ),
            )
        )  # fmt: skip
        if plan.n_needed is not None:
            wider.append(float(plan.n_needed))
        measured.n_to_halve_is_least |= plan.open_now
    measured.n_to_halve = max(wider) if wider else None


def _probabilities(
    fit: WindowFit,
    question: WindowQuestion,
    values: PredictorValues,
    drug: Drug | None,
    both: Pairs,
    parts: Parts,
) -> None:
    """P(benefit), P(toxicity) and P(inside) at named exposures, on a grid, and for each patient."""
    import numpy as np

    points = concentrations(question.at, values, drug)
    unit = values.unit
    if points:
        x = np.array([v for _, v, _ in points])
        rows = zip(points, fit.p_inside(x), _rows(fit.p_benefit(x)), _rows(fit.p_toxicity(x)), strict=True)
        for (label, _, _), inside, benefit, toxicity in rows:
            parts.estimates.append(
                Estimate(
                    name="p_inside", value=finite(float(inside)), level=None, n=fit.n, label=f"at {label}",
                    method="guarded: joint posterior",
                )
            )  # fmt: skip
            for name, (mean, low, high) in (("p_benefit", benefit), ("p_toxicity", toxicity)):
                parts.estimates.append(
                    Estimate(
                        name=name, value=mean, low=low, high=high, level=fit.level, n=fit.n,
                        label=f"at {label}", method="guarded: joint posterior",
                    )
                )  # fmt: skip
    grid = fit.grid(GRID)
    table = zip(
        grid, fit.p_inside(grid), _rows(fit.p_benefit(grid)), _rows(fit.p_toxicity(grid)),
        _rows(fit.p_benefit_without_toxicity(grid)), strict=True,
    )  # fmt: skip
    parts.tables["any-exposure"] = [
        {
            f"exposure ({unit})": float(e), "P(inside)": finite(float(inside)),
            "P(benefit)": b[0], "P(benefit) low": b[1], "P(benefit) high": b[2],
            "P(toxicity)": t[0], "P(toxicity) low": t[1], "P(toxicity) high": t[2],
            "P(benefit without toxicity)": w[0],
        }
        for e, inside, b, t, w in table
    ]  # fmt: skip
    own = zip(
        both.patients, both.values, fit.p_inside_patients(), _rows(fit.p_benefit(both.values)),
        _rows(fit.p_toxicity(both.values)), strict=True,
    )  # fmt: skip
    parts.tables["patients"] = [
        {
            "patient": p, f"exposure ({unit})": float(e), "P(inside)": finite(float(inside)),
            "P(benefit)": b[0], "P(toxicity)": t[0],
        }
        for p, e, inside, b, t in own
    ]  # fmt: skip
    like, unlike = external_cuts(values, drug)
    if like or unlike:
        parts.tables["published-cuts"] = [
            {
                "cut": in_unit(c, unit, drug), "unit": unit, "source": c.label, "citation": c.citation,
                "verified": c.verified,
                "compared": "yes" if c in like else f"no: a {c.metric} level, not like with like",
            }
            for c in [*like, *unlike]
        ]  # fmt: skip
    parts.tables["models"] = [
        {
            "model": m.model, "weight": finite(m.weight), "effective draws": finite(m.effective_draws),
            "Pareto k": finite(m.pareto_k), "status": m.status,
        }
        for m in fit.models
    ]  # fmt: skip


def _rows(band: Any) -> list[tuple[float, float, float]]:
    return [(float(m), float(a), float(b)) for m, a, b in zip(band.mean, band.low, band.high, strict=True)]


def _series(
    fit: WindowFit,
    values: PredictorValues,
    benefit: BinaryOutcome,
    toxicity: BinaryOutcome,
    pairs: dict[str, Pairs],
    drug: Drug | None,
    measured: Measured,
    parts: Parts,
) -> None:
    grid = fit.grid(GRID)
    utility = fit.utility()
    like, _ = external_cuts(values, drug)
    parts.series.update(
        {
            "unit": values.unit,
            "label": values.label,
            "domain": list(fit.domain),
            "limits": {
                "benefit_at_least": fit.benefit_at_least,
                "toxicity_at_most": fit.toxicity_at_most,
            },
            "benefit": curve_series(grid, fit.p_benefit(grid), values, benefit.label, pairs["benefit"]),
            "toxicity": curve_series(grid, fit.p_toxicity(grid), values, toxicity.label, pairs["toxicity"]),
            "inside": {"exposure": grid, "probability": fit.p_inside(grid)},
            "utility": {
                "exposure": utility.expected.exposure,
                "mean": utility.expected.mean,
                "low": utility.expected.low,
                "high": utility.expected.high,
                "best": utility.best.value,
                "best_low": utility.best.low,
                "best_high": utility.best.high,
                "weight": fit.toxicity_weight,
                "within": fit.within,
            },
            "bounds": {
                "as_published": {
                    "lower": measured.window_lower_published,
                    "upper": measured.window_upper_published,
                },
                "guarded": {
                    side: {"value": b.value, "low": b.low, "high": b.high}
                    for side, b in (("lower", fit.lower), ("upper", fit.upper))
                },
                "external": [
                    {"label": c.label, "value": in_unit(c, values.unit, drug), "source": c.citation}
                    for c in like
                ],
            },
        }
    )


def _summary(
    fit: WindowFit, question: WindowQuestion, values: PredictorValues, both: Pairs, measured: Measured
) -> str:
    unit = unit_text(values.unit)
    limits = question.limits
    text = (
        f"From {fit.n} patients, the {values.label} at which benefit is at least "
        f"{100 * limits.benefit_at_least:.0f} % likely starts at {interval(measured.window_lower)}{unit}, "
        f"and the one up to which toxicity is at most {100 * limits.toxicity_at_most:.0f} % likely ends at "
        f"{interval(measured.window_upper)}{unit}. "
    )
    text += f"The probability that such a window exists is {fit.p_exists:.2f}."
    lower, upper = measured.window_lower_published, measured.window_upper_published
    if lower is not None and upper is not None and lower >= upper:
        text += (
            f" Two separate cuts, as published, leave no window: benefit from {number(lower)}, toxicity from "
            f"{number(upper)}{unit}."
        )
    elif lower is not None and upper is not None:
        text += (
            f" Two separate cuts, as published, would print {number(lower)}–{number(upper)}{unit} "
            "without any interval."
        )
    if measured.n_to_halve:
        text += (
            f" Halving both intervals takes {'at least' if measured.n_to_halve_is_least else 'about'} "
            f"{measured.n_to_halve:.0f} patients."
        )
    return text


__all__ = ["NotAnalysable", "run_window"]
