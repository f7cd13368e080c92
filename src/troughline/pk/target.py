"""The posterior of one patient's effects as a function: what the samplers are handed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.model.engine import Tolerance, record_arrays
from troughline.pk.individual import Individuals, Prior, prior_of
from troughline.pk.marginal import observation_constant

if TYPE_CHECKING:
    from troughline.model.model import Model
    from troughline.model.records import Records

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
KernelArguments = tuple[Any, Any, Any, Any, Any, Any, Any, Any, Any, int, int, float, float, int, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """log [p(y | η) p(η)] of one patient.

    `active`: how many effects the observations tell of, those of occasions after the last one left out;
    `free` (k,): which of them vary; `covariance` (k, k): the prior of those; `peak` (k,) and
    `peak_covariance` (k, k): their estimate. With `active` 0 and no observation the target is 1.
    """

    active: int
    free: Ints
    covariance: Floats
    peak: Floats
    peak_covariance: Floats
    observed: bool
    constant: float
    kernel_arguments: KernelArguments

    def log_density(self, points: Floats) -> Floats:
        """At points (n, k): (n,); −∞ where an observation is impossible or nothing is predicted."""
        from troughline.pk.kernels.sampling import objectives_at

        values = np.empty(len(points))
        objectives_at(*self.kernel_arguments, self.whole(points), values)
        return self.constant - 0.5 * values

    def whole(self, points: Floats) -> Floats:
        """Points (n, k) with the effects that do not vary: (n, active)."""
        full = np.zeros((len(points), self.active))
        full[:, self.free] = points
        return full


@dataclass(frozen=True, kw_only=True)
class Targets:
    """The targets of every patient of some records."""

    model: Model
    records: Records
    individuals: Individuals
    prior: Prior
    tolerance: Tolerance
    arrays: tuple[Floats, Ints, Floats]

    @staticmethod
    def of(model: Model, records: Records, individuals: Individuals, tolerance: Tolerance) -> Targets:
        """With the prior, inflation and typical values of the estimates."""
        prior = prior_of(model, individuals.options)
        return Targets(
            model=model, records=records, individuals=individuals, prior=prior, tolerance=tolerance,
            arrays=record_arrays(records),
        )  # fmt: skip

    def of_patient(self, p: int) -> Target:
        """The target of patient p."""
        begin, end = int(self.records.first[p]), self._last_observation(p)
        active = self._active(begin, end)
        covariance = self._prior_covariance(active)
        free = np.flatnonzero(np.diag(covariance) > 0)
        block = np.ix_(free, free)
        covariance = covariance[block]
        log_omega = float(np.linalg.slogdet(covariance)[1]) if len(free) else 0.0
        normal = -0.5 * len(free) * math.log(2 * math.pi) - 0.5 * log_omega
        compiled, estimates = self.model.compiled, self.individuals
        return Target(
            active=active,
            free=free,
            covariance=covariance,
            peak=estimates.effects[p, :active][free],
            peak_covariance=estimates.covariance[p, :active, :active][block],
            observed=end > begin,
            constant=normal + observation_constant(self.model.spec.outputs, self.records, p),
            kernel_arguments=(
                compiled.layout, compiled.coefficients, compiled.addresses, estimates.theta,
                self.prior.subject, self.prior.occasion, *self.arrays, begin, end, self.tolerance.relative,
                self.tolerance.absolute, self.tolerance.max_steps, estimates.options.zero_weight or 0.0,
            ),
        )  # fmt: skip

    def _last_observation(self, p: int) -> int:
        """The place after the last observation that counts: what follows tells nothing."""
        records = self.records
        lo, hi = int(records.first[p]), int(records.first[p + 1])
        measured = np.array([o.error.kind != "none" for o in self.model.spec.outputs], dtype=bool)
        rows = np.arange(lo, hi)[(records.event[lo:hi] == 0) & (records.censoring[lo:hi] != 3)]
        rows = rows[measured[records.output[rows]]]
        return int(rows[-1]) + 1 if len(rows) else lo

    def _active(self, begin: int, end: int) -> int:
        compiled = self.model.compiled
        if end == begin:
            return 0
        if compiled.n_occasion == 0:
            return compiled.n_subject
        occasions = int(self.records.occasion[begin:end].max()) + 1
        return compiled.n_subject + compiled.n_occasion * occasions

    def _prior_covariance(self, active: int) -> Floats:
        """The prior covariance of the first `active` effects: the subject's, then each occasion's."""
        subject, occasion = self.prior.covariance_subject, self.prior.covariance_occasion
        whole = np.zeros((active, active))
        place = 0
        while place < active:
            block = subject if place < len(subject) else occasion
            whole[place : place + len(block), place : place + len(block)] = block
            place += len(block)
        return whole
