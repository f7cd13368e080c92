"""A signature of several markers as a question reports it: weights, calibration, decision curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from troughline.biomarker.decision_curve import decision_curve
from troughline.biomarker.signature import nested_signature
from troughline.cohort.describe import readable
from troughline.response.guards.wording import number
from troughline.response.questions.adjustment import adjustment
from troughline.response.questions.parts import finite, generator
from troughline.results import Estimate

if TYPE_CHECKING:
    from troughline.biomarker.interaction_data import Arms, Outcomes
    from troughline.response.case import Case
    from troughline.response.questions.parts import Parts

_THRESHOLDS = np.linspace(0.05, 0.95, 37)


def signature_parts(
    case: Case, parts: Parts, patients: tuple[str, ...], arms: Arms, outcomes: Outcomes
) -> None:
    """Add the signature: its worth in patients it had not seen. What failed is said among the methods."""
    question = case.question
    assert question.kind == "interaction"
    if not question.signature or outcomes.kind != "survival":
        return
    level = case.cohort.study.study.level
    everybody = tuple(p for p in outcomes.time if arms.why_none or p in arms.treated)
    found = adjustment(case.cohort, case.predictor, question.signature, everybody)
    rows = found.complete
    x, names = found.matrix[rows], list(found.names)
    kept = [p for p, r in zip(everybody, rows.tolist(), strict=True) if r]
    if not arms.why_none:
        x = np.column_stack((x, [float(arms.treated[p]) for p in kept]))
        names.append(f"{arms.names[0]} (treatment)")
    time = np.array([outcomes.time[p] for p in kept])
    event = np.array([outcomes.happened[p] for p in kept], dtype=np.bool_)
    horizon = (
        question.horizon_days / outcomes.days_per_unit if question.horizon_days else float(np.median(time))
    )
    rng = generator(case.cohort, f"{question.id}/signature")
    try:
        made = nested_signature(
            time, event, x, penalty=question.penalty, horizon=horizon, rng=rng, level=level
        )
        curve = decision_curve(
            time, event, made.risk, horizon=horizon, thresholds=_THRESHOLDS, rng=rng,
            resamples=question.bootstrap, level=level,
        )  # fmt: skip
    except ValueError as error:
        parts.methods.append(f"The signature could not be judged: {error}.")
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
    parts.tables["signature"] = [
        {"covariate": readable(name.split(" = ")[0], inside=True) + name[len(name.split(" = ")[0]) :],
         "hazard_ratio": float(np.exp(b)), "chosen": bool(b != 0)}
        for name, b in zip(names, made.coefficients.tolist(), strict=True)
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
    parts.methods.append(
        f"Signature: {question.penalty} Cox model of {len(names)} columns, penalty by cross-validated "
        f"partial likelihood inside, worth judged outside in five folds; risk by {number(horizon)} "
        f"{outcomes.unit}s; the interval of the net benefit is that of the patients, the models "
        "taken as fixed."
    )
    parts.references += [
        "Simon 2011, doi 10.18637/jss.v039.i05",
        "Vickers 2006, doi 10.1177/0272989X06295361",
        "Verweij 1993, doi 10.1002/sim.4780122407",
    ]
