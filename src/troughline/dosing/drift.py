"""Whether a patient's exposure drifts over his levels, beyond between-occasion noise."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.records import occasion_ends, patient_records
from troughline.dosing.result import DriftResult, Spread
from troughline.pk.individual import estimate_individuals, prior_of
from troughline.pk.residual import residual_sd

if TYPE_CHECKING:
    from troughline.dosing.belief import Belief, Working
    from troughline.dosing.patient import DosePatient

Floats = NDArray[np.float64]

ALPHA = 0.05
LEAST_OCCASIONS = 3
TEST = (
    "generalised least squares of the log levels on time, two-sided normal test; patient, occasion and "
    "measurement vary as the model says, to first order at the estimate"
)


LEAST_WEIGHT = 0.05
"""A model of less weight after the levels has no say about a drift."""


def drift_over_models(patient: DosePatient, belief: Belief, *, level: float) -> DriftResult:
    """The test with the model of the largest weight after the levels; what others of some weight say.

    Weights: those of the belief. The text names the model where there are several, and each other with at
    least `LEAST_WEIGHT` that finds what this one does not, or the reverse.
    """
    shares = sorted(belief.shares, key=lambda s: -s.weight)
    made = drift_of(patient, shares[0].working, level=level)
    if len(shares) == 1 or made.detected is None:
        return made
    text = f"By {shares[0].working.model.id}, weight {shares[0].weight:.2f} after the levels: {made.text}"
    for share in shares[1:]:
        if share.weight < LEAST_WEIGHT:
            continue
        other = drift_of(patient, share.working, level=level)
        who = f"{share.working.model.id} (weight {share.weight:.2f})"
        if other.detected == made.detected:
            text += f" {who} agrees."
        elif other.detected is not None:
            text += f" But by {who}: {other.text}"
    return replace(made, text=text)


def drift_of(patient: DosePatient, working: Working, *, level: float) -> DriftResult:
    """Test a linear change of log exposure over time.

    With e the log levels less their predictions at the estimate, brought back to effects of zero by the
    derivatives J there (e = log y − log f + J η̂), V = J Ω J′ + σ² their covariance before any level, Ω
    that of patient and occasions together, and x = (t − mean t)/30 days: δ̂ = x′V⁻¹e/x′V⁻¹x with variance
    1/x′V⁻¹x, and z = δ̂/SE against the normal, at size 0.05 (Lindstrom & Bates 1990, doi 10.2307/2532087,
    for the linearisation). What the model itself says of time is in f, and its uncertainty in V.
    """
    occasions = len(occasion_ends(patient)) if patient.used_levels else 0
    rows = _rows(patient, working)
    if occasions < LEAST_OCCASIONS or rows is None or len(rows[0]) < LEAST_OCCASIONS:
        return DriftResult(
            n_occasions=occasions, test=TEST, alpha=ALPHA, statistic=None, p_value=None,
            change_percent_per_30_days=None, detected=None,
            text=f"{occasions} occasion{'' if occasions == 1 else 's'} with levels: a drift needs at least "
            f"{LEAST_OCCASIONS}.",
        )  # fmt: skip
    day, e, covariance = rows
    x = (day - day.mean()) / 30.0
    weighed = np.linalg.solve(covariance, np.column_stack([x, e]))
    information = float(x @ weighed[:, 0])
    slope = float(x @ weighed[:, 1]) / information
    error = 1.0 / math.sqrt(information)
    z = slope / error
    p = 2.0 * NormalDist().cdf(-abs(z))
    half = NormalDist().inv_cdf(0.5 + level / 2) * error
    change, low, high = (100.0 * math.expm1(s) for s in (slope, slope - half, slope + half))
    detected = p < ALPHA
    words = (
        f"Exposure at the same dose {'falls' if slope < 0 else 'rises'} by {abs(change):.0f} % in 30 days "
        "beyond "
        f"what the model expects (p = {p:.2g})."
        if detected
        else f"No drift beyond between-occasion noise was found (p = {p:.2g}; {change:+.0f} % in 30 days, "
        f"{low:+.0f} to {high:+.0f})."
    )
    return DriftResult(
        n_occasions=occasions, test=TEST, alpha=ALPHA, statistic=z, p_value=p,
        change_percent_per_30_days=Spread(median=change, low=low, high=high, unit="%"), detected=detected,
        text=words,
    )  # fmt: skip


def _rows(patient: DosePatient, working: Working) -> tuple[Floats, Floats, Floats] | None:
    """Days, residuals and their covariance of the quantified levels; None where there is no estimate."""
    model = working.model
    records = patient_records(patient, working.chosen, model)
    individuals = estimate_individuals(model, records)
    if individuals.status[0] not in (0, 1):
        return None
    made = model.predict(
        records, theta=individuals.theta, effects=individuals.filled(), tangents=True, check=False
    )
    at = np.flatnonzero(records.observed & (records.censoring == 0))
    f = made.value[at]
    if made.jacobian is None or not (np.isfinite(f).all() and (f > 0).all()) or not len(at):
        return None
    jacobian = made.jacobian[at] / f[:, None]
    error = model.spec.outputs[working.chosen.output_index].error
    sd = residual_sd(error.kind, f, made.error[at])
    if not error.on_log_scale:
        sd = sd / f
    prior = prior_of(model, individuals.options)
    n_subject, n_occasion = len(prior.covariance_subject), len(prior.covariance_occasion)
    q = jacobian.shape[1]
    omega = np.zeros((q, q))
    omega[:n_subject, :n_subject] = prior.covariance_subject
    for start in range(n_subject, q, max(n_occasion, 1)):
        omega[start : start + n_occasion, start : start + n_occasion] = prior.covariance_occasion
    value = records.value[at] if error.on_log_scale else np.log(records.value[at])
    e = value - np.log(f) + jacobian @ individuals.filled()[0]
    covariance = jacobian @ omega @ jacobian.T + np.diag(sd**2)
    return records.time_h[at] / 24.0, e, covariance
