"""The patient as he is now: his parameters beside the population's, and his exposure on the present regimen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.forecast import asked
from troughline.dosing.level_rows import spread_of
from troughline.dosing.result import Individual, ParameterRow, Spread
from troughline.pk.exposure import ExposureQuery

if TYPE_CHECKING:
    from troughline.dosing.belief import Belief, Share
    from troughline.dosing.patient import DosePatient

Floats = NDArray[np.float64]


def individual_now(
    patient: DosePatient, belief: Belief, prior: Belief, *, start_h: float, level: float
) -> tuple[Individual, Floats, Floats]:
    """The patient now, and the draws of his exposure over the last interval and of the population's (n,).

    The exposure is that of the last 24 h before the next dose is due, in the occasion of the last level; the
    trough is the level just before that dose.
    """
    period = max(24.0, patient.doses[-1].interval_h if patient.regimen is None else patient.regimen.period_h)
    begin = max(start_h - period, 0.0)
    queries = [
        ExposureQuery(quantity="trough", end=start_h),
        ExposureQuery(quantity="auc", start=begin, end=start_h),
    ]
    own = asked(patient, belief, None, queries, start_h=start_h, end_h=start_h)
    others = asked(patient, prior, None, queries, start_h=start_h, end_h=start_h)
    hours = start_h - begin
    area, population = own[:, 1] * 24.0 / hours, others[:, 1] * 24.0 / hours
    made = Individual(
        parameters=_parameters(patient, belief, prior, level),
        regimen="none: on hold" if patient.regimen is None else patient.regimen.label,
        trough=spread_of(own[:, 0], level, "mg/L"),
        auc=spread_of(area, level, "mg*h/L"),
        average=spread_of(area / 24.0, level, "mg/L"),
        population_trough=spread_of(others[:, 0], level, "mg/L"),
        method=belief.method,
        effective_draws=belief.effective,
        n_samples=len(patient.used_levels),
    )
    return made, area, population


def _parameters(
    patient: DosePatient, belief: Belief, prior: Belief, level: float
) -> tuple[ParameterRow, ...]:
    """The individual quantities of each model in the last occasion of the records."""
    from troughline.dosing.uncertain_model import uncertain_parameters
    from troughline.pk.individual_parameters import individual_parameters

    before = {s.working.model.id: s for s in prior.shares}
    rows: list[ParameterRow] = []
    for share in belief.shares:
        model = share.working.model
        known = individual_parameters(model.spec)
        # The uncertain typical values themselves are no quantities of the patient.
        typical = {p.name for p in uncertain_parameters(share.working.chosen.model.spec)}
        own = _values(known, share, belief.n_occasions)
        other = before.get(model.id)
        population = own if other is None else _values(known, other, prior.n_occasions)
        for k, (name, unit) in enumerate(zip(known.names, known.units, strict=True)):
            if name in typical:
                continue
            rows.append(
                ParameterRow(
                    model=model.id, name=name, patient=_spread(own[:, k], level, unit),
                    population=_spread(population[:, k], level, unit),
                )
            )  # fmt: skip
    return tuple(rows)


def _values(known: object, share: Share, n_occasions: int) -> Floats:
    from troughline.pk.individual_parameters import IndividualParameters

    assert isinstance(known, IndividualParameters)
    spec = share.working.model.spec
    n_subject, n_occasion = len(spec.subject_effects), len(spec.occasion_effects)
    begin = n_subject + (n_occasions - 1) * n_occasion
    columns = [*range(n_subject), *range(begin, begin + n_occasion)]
    covariates = share.records.covariates[-1][None, :]
    return known.of(share.draws[:, columns], covariates, share.posterior.theta)


def _spread(draws: Floats, level: float, unit: str) -> Spread:
    return spread_of(draws, level, unit)
