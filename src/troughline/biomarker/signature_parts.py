"""A signature of several markers as a question reports it: weights, calibration, decision curve."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from troughline.biomarker.decision_curve import DecisionCurve, decision_curve
from troughline.biomarker.endpoint import Flags, Floats
from troughline.biomarker.signature import nested_signature
from troughline.biomarker.signature_scale import signature_columns
from troughline.cohort.describe import listed, readable
from troughline.response.case import Interval
from troughline.response.guards.wording import number
from troughline.response.interaction_facts import SignatureFacts
from troughline.response.questions.parts import finite, generator
from troughline.results import Estimate

if TYPE_CHECKING:
    from troughline.biomarker.interaction_data import Arms, Outcomes
    from troughline.response.case import Case
    from troughline.response.questions.parts import Parts

_THRESHOLDS = np.linspace(0.05, 0.95, 37)


def signature_parts(case: Case, parts: Parts, arms: Arms, outcomes: Outcomes) -> None:
    """Add the signature: its worth in patients it had not seen. What failed is said among the methods."""
    question = case.question
    assert question.kind == "interaction"
    if not question.signature or outcomes.kind != "survival":
        return
    assert case.interaction is not None
    level = case.cohort.study.study.level
    everybody = tuple(p for p in outcomes.time if arms.why_none or p in arms.treated)
    found = signature_columns(case.cohort, question, case.predictor, everybody)
    kept = [p for p, r in zip(everybody, found.complete.tolist(), strict=True) if r]
    time = np.array([outcomes.time[p] for p in kept])
    event = np.array([outcomes.happened[p] for p in kept], dtype=np.bool_)
    counts = SignatureFacts(
        n_complete=len(kept), n_total=len(everybody), n_events_complete=int(event.sum()),
        n_events_total=sum(outcomes.happened[p] for p in everybody), missing=found.missing,
    )  # fmt: skip
    case.interaction.signature = counts
    treated = None
    if not arms.why_none:
        treated = np.array([float(arms.treated[p]) for p in kept])[:, np.newaxis]
    horizon = (
        question.horizon_days / outcomes.days_per_unit if question.horizon_days else float(np.median(time))
    )
    rng = generator(case.cohort, f"{question.id}/signature")
    try:
        made = nested_signature(
            time,
            event,
            found.x,
            penalty=question.penalty,
            horizon=horizon,
            rng=rng,
            level=level,
            beside=treated,
        )
        curve = decision_curve(
            time, event, made.risk, horizon=horizon, thresholds=_THRESHOLDS, rng=rng,
            resamples=question.bootstrap, level=level,
        )  # fmt: skip
        gained = _at_mean_risk(time, event, made.risk, horizon, rng, question.bootstrap, level)
    except ValueError as error:
        parts.methods.append(f"The signature could not be judged: {error}. {_counted(counts)}")
        return
    n = len(kept)
    outside = "guarded: in patients the model had not seen (nested cross-validation)"
    parts.estimates += [
        Estimate(
            name="concordance", value=made.concordance_apparent, level=None, n=n,
            method="as-published: in the patients it was fitted to", label="signature",
        ),
        Estimate(
            name="concordance", value=made.concordance, low=finite(made.concordance_low),
            high=finite(made.concordance_high), level=level, n=n, method=outside, label="signature",
        ),
        Estimate(
            name="calibration_slope", value=finite(made.slope), low=finite(made.slope_low),
            high=finite(made.slope_high), level=level, n=n, method=outside, label="signature",
        ),
    ]  # fmt: skip
    until = f"{number(horizon)} {outcomes.unit}s"
    if gained is not None:
        parts.estimates.append(
            Estimate(
                name="net_benefit", value=float(gained.gain[0]), low=float(gained.gain_low[0]),
                high=float(gained.gain_high[0]), level=level, n=n, method=outside,
                label=f"at {100 * float(gained.threshold[0]):.0f} %, the risk of all by {until}",
            )
        )  # fmt: skip
    case.interaction.signature = replace(
        counts, concordance_apparent=made.concordance_apparent, horizon=until,
        concordance=Interval(
            value=made.concordance, low=finite(made.concordance_low), high=finite(made.concordance_high)
        ),
        slope=Interval(
            value=finite(made.slope), low=finite(made.slope_low), high=finite(made.slope_high)
        ),
        net_benefit=None if gained is None else Interval(
            value=float(gained.gain[0]), low=float(gained.gain_low[0]), high=float(gained.gain_high[0])
        ),
        threshold=None if gained is None else float(gained.threshold[0]),
    )  # fmt: skip
    parts.tables["signature"] = [
        {"covariate": readable(name.split(" = ")[0], inside=True) + name[len(name.split(" = ")[0]) :],
         "per": per, "hazard_ratio": float(np.exp(b * unit)), "chosen": bool(b != 0)}
        for name, per, b, unit in zip(
            found.names, found.per, made.coefficients.tolist(), found.unit.tolist(), strict=True
        )
    ]  # fmt: skip
    parts.tables["calibration"] = [
        {"n": g.n, "predicted": g.predicted, "observed": finite(g.observed), "low": finite(g.low),
         "high": finite(g.high)}
        for g in made.calibration
    ]  # fmt: skip
    # Beyond the highest risks nobody is left to act on.
    shown = curve.threshold <= max(0.2, float(np.quantile(made.risk, 0.98)))
    parts.series["decision_curve"] = {
        "threshold": curve.threshold[shown], "model": curve.model[shown], "low": curve.low[shown],
        "high": curve.high[shown], "everybody": curve.everybody[shown], "horizon": horizon,
        "unit": outcomes.unit, "outcome": outcomes.label,
        "calibration": parts.tables["calibration"],
    }  # fmt: skip
    beside = (
        ""
        if arms.why_none
        else " Treatment is fitted beside them without a penalty and then left aside: the "
        "risks and their worth are those of the covariates alone, over both arms."
    )
    how = f"{listed(list(found.logged)) or 'none'} in doublings, "
    how += "as stated" if question.signature_log is not None else "where skewed"
    if found.no_log:
        how += f"; {listed(list(found.no_log))} skewed but not above 0 in all, and kept as measured"
    parts.methods.append(
        f"Signature: {question.penalty} Cox model of {len(found.names)} columns ({how}), penalty by "
        f"cross-validated partial likelihood inside, worth judged outside in five folds; risk by {until}; "
        "the interval of the net benefit is that of the patients, the models taken as fixed."
        f"{beside} {_counted(counts)}"
    )
    parts.references += [
        "Simon 2011, doi 10.18637/jss.v039.i05",
        "Vickers 2006, doi 10.1177/0272989X06295361",
        "Verweij 1993, doi 10.1002/sim.4780122407",
    ]


def _counted(facts: SignatureFacts) -> str:
    said = (
        f"{facts.n_complete} of {facts.n_total} patients have every covariate ({facts.n_events_complete} of "
        f"{facts.n_events_total} events)"
    )
    missing = ", ".join(f"{name} in {n}" for name, n in facts.missing)
    return f"{said}; missing: {missing}." if missing else f"{said}."


def _at_mean_risk(
    time: Floats,
    event: Flags,
    risk: Floats,
    horizon: float,
    rng: np.random.Generator,
    resamples: int,
    level: float,
) -> DecisionCurve | None:
    """The net benefit at the risk of all, where acting on all and on nobody are worth the same: nothing."""
    from troughline.survival.kaplan_meier import kaplan_meier

    mean = 1 - float(kaplan_meier(time, event)[0].at([horizon]).survival[0])
    if not 0 < mean < 1:
        return None
    return decision_curve(
        time, event, risk, horizon=horizon, thresholds=np.array([mean]), rng=rng, resamples=resamples,
        level=level,
    )  # fmt: skip
