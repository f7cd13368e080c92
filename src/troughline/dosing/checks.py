"""Everything that a dose question rests on, gathered and checked before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from troughline.dosing.candidates import feasible_regimens
from troughline.dosing.causes import report_other_drugs
from troughline.dosing.model_choice import ChosenModel, choose_models
from troughline.dosing.patient_file import check_patient
from troughline.dosing.response_curve import response_curves
from troughline.dosing.target import target_of
from troughline.dosing.target_interval import with_interval
from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from troughline.dosing.limits import Limits
    from troughline.dosing.patient import DosePatient
    from troughline.dosing.regimen import Regimen
    from troughline.dosing.response_curve import ResponseCurve
    from troughline.dosing.result import CurveSource, TargetResult


@dataclass(frozen=True, kw_only=True)
class Basis:
    """What an answer rests on: models, regimens, target and curves of one patient."""

    models: tuple[ChosenModel, ...]
    regimens: tuple[Regimen, ...]
    limits: Limits
    target: TargetResult
    curves: Mapping[str, ResponseCurve | CurveSource]


def basis_of(patient: DosePatient, found: Findings) -> Basis | None:
    """Gather and check; None where `found` then has an error."""
    before = len(found.errors)
    models = choose_models(patient, found)
    regimens = feasible_regimens(patient, found)
    target = target_of(patient, found)
    curves = response_curves(patient, found)
    if not patient.used_levels:
        found.add(
            Severity.WARNING, "no-levels", "there is no level: the answer is that of the population",
            file=patient.path.name if patient.path is not None else "patient", column="sample",
        )  # fmt: skip
    _report_severe_toxicity(patient, regimens, found)
    report_other_drugs(patient, found)
    if target is None or not models or not regimens or len(found.errors) > before:
        return None
    _report_limits_of_models(patient, models, found)
    shown = with_interval(target[1], patient)
    return Basis(models=models, regimens=regimens, limits=target[0], target=shown, curves=curves)


def _report_severe_toxicity(patient: DosePatient, regimens: tuple[Regimen, ...], found: Findings) -> None:
    """Warnings for severe toxicity that is not over, and for a dose of it that is offered again."""
    from troughline.dosing.tolerance import at_or_below, offered_again, severe_toxicities

    file = patient.path.name if patient.path is not None else "patient"
    for t in severe_toxicities(patient):
        if not t.ongoing and not t.end_known:
            found.add(
                Severity.WARNING, "default-used",
                f"{t.words}: no end is given (until); taken as over, as it began before treatment, or "
                "treatment was held, reduced or went on for 28 days after it began",
                file=file, column="toxicity",
            )  # fmt: skip
        elif t.ongoing:
            end = "its end lies ahead (until)" if t.end_known else "no end is given (until)"
            found.add(
                Severity.WARNING, "ongoing-toxicity",
                f"{t.words}: {end}, so it is taken as not over; the answer begins with a hold",
                file=file, column="toxicity",
            )  # fmt: skip
    again = offered_again(patient)
    if again is not None and any(at_or_below(patient, r) for r in regimens):
        most = patient.largest_daily_dose_mg
        said = "is not set" if most is None else f"= {most:g} is not below it"
        found.add(
            Severity.WARNING, "severe-toxicity",
            f"{again.words}, and tolerance.largest_daily_dose_mg {said}: that dose is offered again",
            file=file, column="tolerance",
        )  # fmt: skip


def check_dose_file(path: str | Path) -> Findings:
    """Every finding about a patient file, its models, target, curves and levels; no regimen is computed."""
    from troughline.dosing.belief import believe, working_models
    from troughline.dosing.following import earlier_predictions
    from troughline.dosing.plausibility import check_levels

    patient, found = check_patient(path)
    if patient is None:
        return found
    basis = basis_of(patient, found)
    if basis is None:
        return found
    working = working_models(basis.models, parameter_uncertainty=patient.options.parameter_uncertainty)
    prior = believe(patient, working, draws=500, seed=patient.options.seed, prior=True)
    check_levels(patient, prior, found)
    if not found.errors:
        earlier_predictions(patient, found)
    return found


def _report_limits_of_models(patient: DosePatient, models: tuple[ChosenModel, ...], found: Findings) -> None:
    """Say what a model does not know: time, dose, occasions, its own uncertainty."""
    from troughline.dosing.trend import knows_dose, knows_time, published_trend
    from troughline.dosing.uncertain_model import uncertain_parameters

    for chosen in models:
        spec = chosen.model.spec

        def note(code: str, message: str, model: str = spec.id) -> None:
            found.add(
                Severity.NOTE, code, f"{model}: {message}",
                file=patient.path.name if patient.path is not None else "patient", column="model",
            )  # fmt: skip

        if not knows_time(spec) and published_trend(patient.drug) is not None:
            note("falling-exposure", "knows no fall of exposure over months: a published one is put on top")
        if not knows_dose(spec):
            note("proportional", "exposure is proportional to the dose, which above a dose it may not be")
        if not spec.occasion_effects:
            note(
                "no-occasions",
                "has no between-occasion variability: intervals are narrower than they should be",
            )
        if patient.options.parameter_uncertainty and not uncertain_parameters(spec):
            note(
                "no-parameter-uncertainty",
                "gives no intervals of its typical values: they are taken as exact",
            )
