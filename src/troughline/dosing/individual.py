"""The patient as he is now: his parameters beside the population's, and his present exposure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.forecast import asked
from troughline.dosing.level_rows import spread_of
from troughline.dosing.quantity_names import quantity_label
from troughline.dosing.result import Individual, ParameterRow
from troughline.pk.exposure import ExposureQuery
from troughline.pk.quantities import individual_quantities

if TYPE_CHECKING:
    from troughline.dosing.belief import Belief, Share
    from troughline.dosing.patient import DosePatient

Floats = NDArray[np.float64]

DRAWS = 400
"""Draws of the present exposure, of the patient and of the population."""


def individual_now(
    patient: DosePatient, belief: Belief, prior: Belief, *, start_h: float, level: float
) -> tuple[Individual, Floats, Floats]:
    """The patient now, and the draws of his exposure over the last interval and of the population's (n,).

    The exposure is that of the last 24 h before the next dose is due, in the occasion of the last level;
    the trough is the level just before that dose. On hold the draws are of the last cycle that was taken.
    """
    period = max(24.0, patient.doses[-1].interval_h if patient.regimen is None else patient.regimen.period_h)
    begin = max(start_h - period, 0.0)
    queries = [
        ExposureQuery(quantity="trough", end=start_h),
        ExposureQuery(quantity="auc", start=begin, end=start_h),
    ]
    taken = patient.doses[-1].time_h + patient.doses[-1].interval_h
    before = max(taken - period, 0.0)
    if patient.regimen is None:
        queries.append(ExposureQuery(quantity="auc", start=before, end=taken))
    own = asked(patient, belief, None, queries, start_h=start_h, end_h=start_h, draws=DRAWS)
    others = asked(patient, prior, None, queries, start_h=start_h, end_h=start_h, draws=DRAWS)
    hours = start_h - begin
    area, population = own[:, 1] * 24.0 / hours, others[:, 1] * 24.0 / hours
    made = Individual(
        parameters=_parameters(patient, belief, prior, level),
        regimen="none: on hold" if patient.regimen is None else patient.regimen.label,
        trough=spread_of(own[:, 0], level, "mg/L"),
        auc=spread_of(area, level, "mg*h/L"),
        average=spread_of(area / 24.0, level, "mg/L"),
        population_trough=spread_of(others[:, 0], level, "mg/L"),
        population_auc=spread_of(population, level, "mg*h/L"),
        population_average=spread_of(population / 24.0, level, "mg/L"),
        method=belief.method,
        effective_draws=belief.effective,
        n_samples=len(patient.used_levels),
    )
    if patient.regimen is None:
        # What is left of a hold says nothing of the patient: the last cycle that was taken does.
        return made, own[:, 2] * 24.0 / (taken - before), others[:, 2] * 24.0 / (taken - before)
    return made, area, population


def _parameters(
    patient: DosePatient, belief: Belief, prior: Belief, level: float
) -> tuple[ParameterRow, ...]:
    """The individual quantities of each model in the last occasion of the records."""
    from troughline.dosing.uncertain_model import uncertain_parameters

    before = {s.working.model.id: s for s in prior.shares}
    rows: list[ParameterRow] = []
    for share in belief.shares:
        # The uncertain typical values themselves are no quantities of the patient.
        typical = {p.name for p in uncertain_parameters(share.working.chosen.model.spec)}
        names, units, own = _quantities(share, belief.n_occasions)
        other = before.get(share.working.model.id)
        population = own if other is None else _quantities(other, prior.n_occasions)[2]
        rows += [
            ParameterRow(
                model=share.working.model.id, name=name, label=quantity_label(name),
                patient=spread_of(own[:, k], level, unit),
                population=spread_of(population[:, k], level, unit),
            )
            for k, (name, unit) in enumerate(zip(names, units, strict=True))
            if name not in typical
        ]  # fmt: skip
    return tuple(rows)


def _quantities(share: Share, n_occasions: int) -> tuple[tuple[str, ...], tuple[str, ...], Floats]:
    spec = share.working.model.spec
    n_subject, n_occasion = len(spec.subject_effects), len(spec.occasion_effects)
    begin = n_subject + (n_occasions - 1) * n_occasion
    columns = [*range(n_subject), *range(begin, begin + n_occasion)]
    return individual_quantities(
        spec, share.draws[:, columns], share.records.covariates[-1], share.posterior.theta
    )
