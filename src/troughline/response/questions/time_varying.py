"""The hazard ratio of a level that changes over time: each sample counts from its day to the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troughline.response.questions.parts import finite
from troughline.results import Estimate

if TYPE_CHECKING:
    from troughline.cohort.exposure import Sample
    from troughline.cohort.outcomes import TimeToEvent
    from troughline.response.predictor import PredictorValues

# What a current level may not be: anything but a trough at steady state. A dose change does not matter
# here, because the level after it is the current one.
NOT_CURRENT = ("not a trough", "before steady state", "drawn before the first dose")
# Below this share of patients with a second sample the level hardly changes over time in these data.
REPEATED_SHARE = 0.2


def time_varying_hazard(values: PredictorValues, times: TimeToEvent, level: float) -> Estimate | None:
    """Hazard ratio per doubling of the current level, with each patient entering at the first sample.

    One row an interval between samples, robust variance over patients. None where fewer than one patient
    in five has a second sample, no Cox model can be fitted, or a population model predicts the exposure
    (levels drawn at any time after the dose do not compare). The current level follows dose changes, which
    follow toxicity and health: it describes, and does not show a cause.
    """
    import numpy as np

    from troughline.survival.cox import CoxFitError, fit_cox

    if values.exposure is None or values.model is not None:
        return None
    by_patient: dict[str, list[Sample]] = {}
    for sample in values.exposure.samples:
        if sample.patient in times.time and not sample.reason.startswith(NOT_CURRENT):
            by_patient.setdefault(sample.patient, []).append(sample)
    rows: list[tuple[str, float, float, bool, float]] = []
    repeated = 0
    for patient, samples in by_patient.items():
        end = times.time[patient]
        days = [s.day / times.days_per_unit for s in samples]
        spans = [(a, min(b, end)) for a, b in zip(days, [*days[1:], end], strict=True)]
        used = [(s, a, b) for s, (a, b) in zip(samples, spans, strict=True) if a < b and s.number > 0]
        repeated += len(used) > 1
        rows += [
            (patient, a, b, times.status[patient] == 1 and b == end, float(np.log2(s.number)))
            for s, a, b in used
        ]
    patients = {r[0] for r in rows}
    if not patients or repeated < REPEATED_SHARE * len(patients) or not any(r[3] for r in rows):
        return None
    start, stop, event, x = (np.array([r[k] for r in rows]) for k in (1, 2, 3, 4))
    try:
        fit = fit_cox(
            stop, event, x[:, None], ["current level"], entry=start, cluster=[r[0] for r in rows], level=level
        )
    except (CoxFitError, ValueError):
        return None
    term = fit.terms[0]
    return Estimate(
        name="hazard_ratio", value=finite(term.hazard_ratio), low=finite(term.low), high=finite(term.high),
        level=level, n=len(patients), p_value=finite(term.p_value), label="per doubling of the current level",
        method="guarded: Cox with a level that changes over time, robust variance",
        note=f"{len(rows)} intervals; the current level follows dose changes: it describes, it does not show "
        "a cause",
    )  # fmt: skip
