"""Guards about exposure that a population model predicts: how much it knows, and whether it fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troughline.response.guards.registry import EXPOSURE_KINDS, Fired, guard
from troughline.response.guards.wording import both_columns, count, number, p_value
from troughline.response.model_exposure import RELIABLE
from troughline.results import GuardSeverity

if TYPE_CHECKING:
    from troughline.response.case import Case
    from troughline.response.model_exposure import ModelUse

MISFIT_P = 0.01
_NAMED = 5


@guard(
    "model-exposure",
    title="Exposure predicted by a population model",
    detects="exposure that a population model predicts with low reliability, from an outlying sample or one "
    "whose time is not certain, or by a model that is calibrated to aggregate data or holds numbers that "
    "were not read in their source",
    absent=f"no model is used; or the reliability ratio is at least {RELIABLE:g}, every sample is certain in "
    "time and not outlying, and the model's numbers come from patients and were read in their source",
    remedy=f"Below a reliability of {RELIABLE:g} read associations as attenuated (regression dilution): the "
    "AUC and the contrast between groups understate what the true exposure does. A second sample in each "
    "patient, with its time after the dose, raises it. A model calibrated to aggregates, or with unverified "
    "numbers, is held against these patients before its exposures name a target.",
    reference="Hutcheon 2010, doi 10.1136/bmj.c2289; Savic 2009, doi 10.1208/s12248-009-9133-0",
    kinds=EXPOSURE_KINDS,
)
def model_exposure(case: Case) -> Fired | None:
    """A predicted exposure with a reservation: a caution where it is unreliable or calibrated."""
    model = case.predictor.model
    if model is None:
        return None
    unreliable = model.reliability is not None and model.reliability < RELIABLE
    if not (unreliable or model.reservations or model.flagged):
        return None
    parts = [f"The {model.metric} is predicted by {model.model_id}"]
    if model.reservations:
        parts[0] += f" ({'; '.join(model.reservations)})"
    if unreliable:
        parts[0] += f", with a reliability ratio of {number(model.reliability)}"
    parts += _of_patients(model)
    serious = unreliable or model.calibrated
    return Fired(
        finding="; ".join(parts) + ".",
        effect=_reliability(model, case),
        severity=GuardSeverity.CAUTION if serious else GuardSeverity.NOTE,
    )


def _of_patients(model: ModelUse) -> list[str]:
    """Counts of the patients whose exposure is flagged, by what is said of it, with their names."""
    named: dict[str, list[str]] = {}
    for patient, exposure in model.exposures.items():
        if exposure.status:
            continue
        for flag in exposure.flags:
            named.setdefault(_kind(flag), []).append(patient)
    return [
        f"{count(len(patients), 'patient')} with {kind} ({', '.join(patients[:_NAMED])}"
        f"{', …' if len(patients) > _NAMED else ''})"
        for kind, patients in named.items()
    ]


def _kind(flag: str) -> str:
    if flag.startswith("outlying"):
        return "an outlying sample"
    if flag.startswith("time after"):
        return "a sample whose time after the dose is not recorded"
    if flag.startswith("recorded"):
        return "a sample whose recorded time after the dose disagrees with the doses"
    return "a poorly sampled posterior"


def _reliability(model: ModelUse, case: Case) -> str:
    if model.reliability is None:
        return "With one patient the reliability of the predictions cannot be told."
    known = f"Reliability ratio {number(model.reliability)}: "
    share = (
        f"{100 * (1 - model.reliability):.0f} % of the variance of log exposure is uncertainty of prediction"
    )
    columns = both_columns(case.measured, "with predicted exposures")
    if model.reliability >= RELIABLE:
        return f"{known}{share}. {columns}".rstrip()
    diluted = "the AUC and contrasts between groups of its median are attenuated"
    if case.question.kind in ("curve", "window"):
        diluted = "the curves carry it; the AUC and contrasts between groups do not and are attenuated"
    return f"{known}{share}; {diluted}. {columns}".rstrip()


@guard(
    "model-misfit",
    title="The population model does not predict this cohort",
    detects="levels that do not lie among those that the population model predicts before data: their "
    "prediction discrepancies, one a patient, are not uniform",
    absent=f"no model is used, or the test of uniform discrepancies gives p ≥ {MISFIT_P:g}",
    remedy="Use a model of such patients, or estimate its typical values in them: with few samples every "
    "prediction leans towards the wrong typical patient, and cuts and windows move with it.",
    reference="Mentré 2006, doi 10.1007/s10928-005-0016-4",
    kinds=EXPOSURE_KINDS,
)
def model_misfit(case: Case) -> Fired | None:
    """Kolmogorov and Smirnov's test of the prediction discrepancies at the samples used."""
    model = case.predictor.model
    test = None if model is None else model.discrepancy
    if model is None or test is None or test.p_value >= MISFIT_P:
        return None
    return Fired(
        finding=f"The {test.n} samples used do not lie among what {model.model_id} predicts before data: "
        f"their mean prediction discrepancy is {number(test.mean)} (0.50 where the model holds; "
        f"{p_value(test.p_value)} for uniformity).",
        effect=f"Levels are {number(test.ratio)} times the model's typical prediction (geometric mean): "
        "predicted exposures lean towards the model's typical patient.",
    )
