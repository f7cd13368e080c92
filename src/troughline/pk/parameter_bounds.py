"""Intervals of individual quantities such as clearance, from posterior draws or the estimate's spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from troughline.model.records import Records
    from troughline.model.spec import ModelSpec
    from troughline.pk.individual import Individuals
    from troughline.pk.individual_parameters import IndividualParameters

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_POINTS = 256


def parameter_bounds(
    parameters: IndividualParameters,
    spec: ModelSpec,
    records: Records,
    individuals: Individuals,
    *,
    draws: Floats | None,
    level: float = 0.9,
) -> tuple[Floats, Floats]:
    """Each patient's quantities at the estimate (n, k), and their median and interval (n, k, 3).

    They are those of the last record: its covariates, its occasion. From `draws` (n, n_draws, q), or from
    256 points of a normal with the estimate's covariance, the same for every patient. NaN where a patient has
    no estimate or no record.
    """
    n, k = len(individuals.patients), len(parameters.names)
    there = np.diff(records.first) > 0
    last = np.maximum(records.first[1:] - 1, 0)
    covariates = records.covariates[last] if len(records) else np.zeros((n, len(spec.covariates)))
    place = _effects_in_force(spec, records.occasion[last] if len(records) else np.zeros(n, dtype=np.int64))
    values = parameters.of(_taken(individuals.filled(), place), covariates, individuals.theta)
    if draws is not None:
        points = np.take_along_axis(draws, place[:, None, :], axis=2)
    else:
        points = _spread(individuals, place)
    every = parameters.of(points, covariates[:, None, :], individuals.theta)
    with np.errstate(invalid="ignore"):
        bounds = np.moveaxis(np.quantile(every, [0.5, (1 - level) / 2, (1 + level) / 2], axis=1), 0, -1)
    lost = np.isin(individuals.status, (2, 3)) | ~there
    values, bounds = values.reshape(n, k), bounds.reshape(n, k, 3)
    return np.where(lost[:, None], np.nan, values), np.where(lost[:, None, None], np.nan, bounds)


def _effects_in_force(spec: ModelSpec, occasion: Ints) -> Ints:
    """Where each patient's effects between subjects and of this occasion (n,) stand (n, m)."""
    n_subject, n_occasion = len(spec.subject_effects), len(spec.occasion_effects)
    subject = np.broadcast_to(np.arange(n_subject), (len(occasion), n_subject))
    return np.concatenate(
        [subject, n_subject + n_occasion * occasion[:, None] + np.arange(n_occasion)], axis=1
    )


def _taken(effects: Floats, place: Ints) -> Floats:
    return np.take_along_axis(effects, place, axis=1)


def _spread(individuals: Individuals, place: Ints) -> Floats:
    """Points (n, 256, m) of a normal around each estimate, in opposite pairs."""
    m = place.shape[1]
    half = np.random.default_rng(0).standard_normal((_POINTS // 2, m))
    normal = np.concatenate([half, -half])
    centre = _taken(individuals.filled(), place)
    whole = np.nan_to_num(individuals.covariance)
    covariance = whole[np.arange(len(place))[:, None, None], place[:, :, None], place[:, None, :]]
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    return centre[:, None, :] + np.einsum("nij,pj->npi", root, normal)
