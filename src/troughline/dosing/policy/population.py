"""The virtual patients: everything random about each, drawn before any policy acts.

Every policy meets the same patients: covariates, effects, missed doses, residuals and toxicity are drawn by
generators keyed by seed, patient and purpose, so that neither the policies, nor the number of patients, nor
threads change what befalls a patient.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.pk.posterior import draw_normal, generator_of

if TYPE_CHECKING:
    from troughline.dosing.policy.schema import Adherence, CovariateDraw
    from troughline.dosing.policy.setup import Setup
    from troughline.dosing.policy.world import WorldModel

Floats = NDArray[np.float64]
MOST_EVENTS = 60
"""Toxicities drawn for one patient; a course with more of them is refused."""
_TRIES = 10_000


@dataclass(frozen=True, kw_only=True)
class VirtualPatients:
    """n patients, S slots of half a day, V visits, the horizon's interval being one more occasion.

    - `covariates`: values by name, as drawn, in the file's unit (n,), levels as text.
    - `subject` (n, a), `occasion` (n, V + 1, b): the true effects.
    - `missed` (n, S): doses that will not be taken. `residual` (n, V + 1): standard normals of the samples'
      error, the last at the horizon.
    - `frailty` (n,), `thresholds` (n, MOST_EVENTS): cumulative hazards at which toxicities happen, each
      counted from the one before.
    """

    names: tuple[str, ...]
    covariates: dict[str, NDArray[np.object_] | Floats]
    subject: Floats
    occasion: Floats
    missed: NDArray[np.bool_]
    residual: Floats
    frailty: Floats
    thresholds: Floats

    def __len__(self) -> int:
        return len(self.names)

    def named(self, rows: NDArray[np.int64]) -> list[str]:
        """The names of some of the patients, by their places."""
        places: list[int] = rows.tolist()
        return [self.names[k] for k in places]


def patient_name(k: int) -> str:
    """The name of the k-th virtual patient, from 0."""
    return f"v{k + 1:06d}"


def draw_patients(setup: Setup) -> VirtualPatients:
    """The patients of a setup."""
    file = setup.file
    n, seed = file.population.n, file.population.seed
    names = tuple(patient_name(k) for k in range(n))
    slots, occasions = setup.slots, len(setup.ends)
    between, within = setup.truth.spec.covariance("subject"), setup.truth.spec.covariance("occasion")
    subject, occasion = np.zeros((n, len(between))), np.zeros((n, occasions, len(within)))
    missed = np.zeros((n, slots), dtype=bool)
    residual, frailty = np.zeros((n, occasions)), np.ones(n)
    thresholds = np.zeros((n, MOST_EVENTS))
    drawn: dict[str, list[float | str]] = {c.name: [] for c in file.population.covariate}
    for k, name in enumerate(names):
        for covariate in file.population.covariate:
            rng = generator_of(seed, name, f"covariate {covariate.name}")
            drawn[covariate.name].append(draw_covariate(covariate, rng))
        subject[k] = draw_normal(between, 1, generator_of(seed, name, "subject"))[0]
        occasion[k] = draw_normal(within, occasions, generator_of(seed, name, "occasion"))
        missed[k] = _missed(file.adherence, slots, generator_of(seed, name, "adherence"))
        residual[k] = generator_of(seed, name, "residual").standard_normal(occasions)
        rng = generator_of(seed, name, "toxicity")
        thresholds[k] = rng.exponential(size=MOST_EVENTS)
        if file.toxicity is not None and file.toxicity.frailty_cv > 0:
            shape = file.toxicity.frailty_cv**-2
            frailty[k] = rng.gamma(shape, 1.0 / shape)
    return VirtualPatients(
        names=names,
        covariates={name: np.array(values) for name, values in drawn.items()},
        subject=subject, occasion=occasion, missed=missed, residual=residual, frailty=frailty,
        thresholds=thresholds,
    )  # fmt: skip


def draw_covariate(draw: CovariateDraw, rng: np.random.Generator) -> float | str:
    """One value of a covariate. Raises `ValueError` where no draw falls between its limits."""
    if draw.distribution == "constant":
        return draw.value if isinstance(draw.value, str) else float(draw.value or 0.0)
    if draw.distribution == "levels":
        ladder = np.cumsum(list(draw.levels.values()))
        return list(draw.levels)[min(int(np.searchsorted(ladder, rng.random())), len(ladder) - 1)]
    if draw.distribution == "uniform":
        return float(rng.uniform(draw.low or 0.0, draw.high or 1.0))
    low = -math.inf if draw.low is None else draw.low
    high = math.inf if draw.high is None else draw.high
    for _ in range(_TRIES):
        if draw.distribution == "normal":
            value = float(rng.normal(draw.mean or 0.0, draw.sd or 1.0))
        else:
            spread = math.sqrt(math.log1p((draw.cv or 0.0) ** 2))
            value = float((draw.median or 1.0) * math.exp(spread * rng.standard_normal()))
        if low <= value <= high:
            return value
    raise ValueError(f"the population cannot be drawn: {draw.name} never falls between its low and high")


def _missed(adherence: Adherence, slots: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    share = adherence.missed
    if adherence.spread > 0:
        size = share * (1 - share) / adherence.spread**2 - 1
        share = float(rng.beta(share * size, (1 - share) * size))
    return rng.random(slots) < share


def covariate_matrix(patients: VirtualPatients, world: WorldModel, setup: Setup) -> Floats:
    """The covariates as a world's model takes them (n, n_covariates); the model's default where none is
    drawn.
    """
    from troughline.model.build import level_code
    from troughline.units import convert

    units = {c.name: c.unit for c in setup.file.population.covariate}
    columns = np.empty((len(patients), len(world.spec.covariates)))
    for k, covariate in enumerate(world.spec.covariates):
        values = patients.covariates.get(covariate.name)
        if values is None:
            columns[:, k] = covariate.default
        elif covariate.levels is not None:
            columns[:, k] = [level_code(covariate, str(v)) for v in values]
        else:
            unit = units[covariate.name] or covariate.unit
            columns[:, k] = convert(np.asarray(values, dtype=np.float64), unit, covariate.unit)
    return columns
