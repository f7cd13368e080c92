"""The individual quantities of a model, clearance and volume and so on, at draws of the effects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.model.spec import CONTEXT_NAMES
from troughline.pk.individual_parameters import quantity_units
from troughline.pk.numeric import evaluate

if TYPE_CHECKING:
    from troughline.model.spec import ModelSpec

Floats = NDArray[np.float64]


def individual_quantities(
    spec: ModelSpec, effects: Floats, covariates: Floats, theta: Floats
) -> tuple[tuple[str, ...], tuple[str, ...], Floats]:
    """Names, canonical units and values (n_draws, k) of what depends on effects and not on time or dose.

    `effects` (n_draws, m): those between subjects, then of one occasion; `covariates` (n_covariates,) in
    the units of the model file. The same quantities as `pk.individual_parameters`, which derives them by
    algebra.
    """
    names = (*spec.subject_effects, *spec.occasion_effects)
    values: dict[str, object] = {p.name: float(v) for p, v in zip(spec.parameters, theta, strict=True)}
    for covariate, number in zip(spec.covariates, covariates, strict=True):
        values[covariate.name] = float(number) * float(covariate.factor)
    values |= {name: effects[:, k] for k, name in enumerate(names)}
    levels = {c.name: c.levels for c in spec.covariates if c.levels is not None}
    changing = {*CONTEXT_NAMES, *(g.name for g in spec.gates), *(s.name for s in spec.states)}
    varies = {*names, *(c.name for c in spec.covariates)}
    made: dict[str, Floats] = {}
    for name, expression in spec.individual:
        if expression.names & changing:
            changing.add(name)
            continue
        value = np.asarray(evaluate(expression, values, levels), dtype=np.float64)
        values[name] = value
        if expression.names & varies:
            varies.add(name)
            made[name] = np.broadcast_to(value, (len(effects),))
    columns = np.column_stack(list(made.values())) if made else np.empty((len(effects), 0))
    return tuple(made), quantity_units(spec, tuple(made)), columns


def bioavailability(
    spec: ModelSpec, effects: Floats, covariates: Floats, theta: Floats, *, dose_mg: float | Floats,
    time_h: float | Floats, interval_h: float,
) -> tuple[Floats, ...]:  # fmt: skip
    """The bioavailability of each input (n_draws,) of a dose given at a time; as `individual_quantities`.

    Of several doses at once where amounts and times are (n_doses, 1): (n_doses, n_draws).
    """
    names = (*spec.subject_effects, *spec.occasion_effects)
    values: dict[str, object] = {p.name: float(v) for p, v in zip(spec.parameters, theta, strict=True)}
    for covariate, number in zip(spec.covariates, covariates, strict=True):
        values[covariate.name] = float(number) * float(covariate.factor)
    values |= {name: effects[:, k] for k, name in enumerate(names)}
    values |= {"t": time_h, "tad": 0.0, "dose": dose_mg, "interval": interval_h}
    levels = {c.name: c.levels for c in spec.covariates if c.levels is not None}
    for name, expression in spec.individual:
        if expression.names <= values.keys():
            values[name] = evaluate(expression, values, levels)
    ones = np.ones(len(effects))
    return tuple(
        ones
        if i.bioavailability is None
        else ones * np.asarray(evaluate(i.bioavailability, values, levels), dtype=np.float64)
        for i in spec.inputs
    )
