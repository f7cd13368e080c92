"""Does the model fit these patients? Residuals, simulation-based errors and a check of each output."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.model.records import ABOVE_LIMIT, BELOW_LIMIT, MISSING, QUANTIFIED
from troughline.pk.diagnostics import population_residuals
from troughline.pk.dosing_intervals import time_after_dose
from troughline.pk.npde import Npde, NpdeTests, npde, npde_tests
from troughline.pk.posterior import generator_of
from troughline.pk.sampled import factors
from troughline.pk.vpc import Vpc, prediction_corrected_vpc, time_bins

if TYPE_CHECKING:
    from troughline.model.records import Records
    from troughline.model.spec import Output
    from troughline.pk.fits import Fit
    from troughline.pk.outlying import HeldAgainstPrior
    from troughline.pk.sampled import Sampled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEWEST_SIMULATIONS = 100
"""Simulations below which nothing is tested with them."""
_SAMPLES_OF_A_BIN = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDiagnosis:
    """Samples of one output, by patient and time, beside what the model says of them; arrays (n_samples,).

    Levels are in the output's unit on the natural scale; `observed` is the limit where `censoring` says so,
    `limit` the largest limit from below of any sample, None without one. `after_dose`: whether `moment_h`,
    the time of the check, is that after the dose. `npde`, `tests`, `vpc` and `pwres` are None without
    simulations.
    """

    output: int
    patient: Ints
    time_h: Floats
    moment_h: Floats
    after_dose: bool
    observed: Floats
    censoring: Ints
    population: Floats
    individual: Floats
    iwres: Floats
    limit: float | None
    pwres: Floats | None = None
    npde: Npde | None = None
    tests: NpdeTests | None = None
    vpc: Vpc | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """How the model fits the patients looked at: `n_patients` of them, `n_simulations` of each."""

    outputs: tuple[OutputDiagnosis, ...]
    fits: tuple[Fit, ...]
    n_patients: int
    n_simulations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """Samples of some patients as the figures need them; all arrays (n,) but `simulated` (n_simulations, n).

    `simulated` is on the scale of the output's error, canonical units.
    """

    patient: Ints
    output: Ints
    time_h: Floats
    after_dose_h: Floats
    value: Floats
    limit: Floats
    censoring: Ints
    observed: Floats
    population: Floats
    individual: Floats
    iwres: Floats
    simulated: Floats


def look_at(records: Records, sampled: Sampled, held: HeldAgainstPrior, *, first: int) -> Looked:
    """Gather the samples that were simulated, `held.rows`.

    `first`: the index that the first patient of `records` has in the whole file.
    """
    at = held.rows
    kept = np.searchsorted(sampled.record, at)
    code = records.censoring[at]
    return Looked(
        patient=records.patient_index()[at] + first,
        output=records.output[at],
        time_h=records.time_h[at],
        after_dose_h=time_after_dose(records)[at],
        value=records.value[at],
        limit=records.limit[at],
        censoring=code,
        observed=np.where(code == QUANTIFIED, sampled.observed[kept], sampled.limit[kept]),
        population=sampled.population[kept],
        individual=sampled.individual[kept],
        iwres=sampled.iwres[kept],
        simulated=held.simulated,
    )


@dataclass(slots=True)
class Gathered:
    """The samples looked at so far."""

    parts: list[Looked] = field(default_factory=list[Looked])
    fits: list[Fit] = field(default_factory=list["Fit"])

    def diagnose(self, outputs: tuple[Output, ...], *, simulations: int, seed: int) -> Diagnosis:
        """Residuals, errors and the check of each output that has samples."""
        found: list[OutputDiagnosis] = []
        patients = np.empty(0, dtype=np.int64)
        if self.parts:
            patients = np.unique(np.concatenate([part.patient for part in self.parts]))
            found = [
                _diagnosed(one, k, what, simulations, seed)
                for k, what in enumerate(outputs)
                if len((one := self._of_output(k)).time_h)
            ]
        return Diagnosis(
            outputs=tuple(found),
            fits=tuple(self.fits),
            n_patients=len(patients),
            n_simulations=simulations,
        )

    def _of_output(self, output: int) -> Looked:
        def joined(name: str) -> NDArray[np.generic]:
            arrays = [getattr(part, name)[..., part.output == output] for part in self.parts]
            return np.concatenate(arrays, axis=-1)

        one = Looked(**{f.name: joined(f.name) for f in fields(Looked)})  # pyright: ignore[reportArgumentType]
        return replace(one, limit=_limit_of_all(one))


def _diagnosed(one: Looked, output: int, what: Output, simulations: int, seed: int) -> OutputDiagnosis:
    known = np.isfinite(one.after_dose_h)
    after_dose = bool(known.all()) and bool(np.any(one.after_dose_h != one.time_h))
    moment = one.after_dose_h if after_dose else one.time_h
    plain = OutputDiagnosis(
        output=output,
        patient=one.patient,
        time_h=one.time_h,
        moment_h=moment,
        after_dose=after_dose,
        observed=one.observed,
        censoring=one.censoring,
        population=one.population,
        individual=one.individual,
        iwres=one.iwres,
        limit=_largest_limit(one, what),
    )
    possible = np.asarray(np.isfinite(one.simulated).all(axis=0), dtype=bool)
    if simulations < FEWEST_SIMULATIONS or not possible.any():
        return plain
    return _simulation_based(plain, one, what, possible, seed)


def _limit_of_all(one: Looked) -> Floats:
    """Limits in which quantified samples have one too: that of the samples below it, if all share one.

    Files name a limit where a sample is below it; simulations must know it elsewhere as well.
    """
    found = np.unique(one.limit[one.censoring == BELOW_LIMIT])
    if len(found) != 1:
        return one.limit
    quantified = (one.censoring == QUANTIFIED) & np.isnan(one.limit) & (one.value >= found[0])
    return np.where(quantified, found[0], one.limit)


def _largest_limit(one: Looked, what: Output) -> float | None:
    limits = one.limit[np.isfinite(one.limit) & (one.censoring != ABOVE_LIMIT)]
    if not len(limits):
        return None
    highest = float(limits.max())
    return (float(np.exp(highest)) if what.error.on_log_scale else highest) / float(what.factor)


def _simulation_based(
    plain: OutputDiagnosis, one: Looked, what: Output, possible: NDArray[np.bool_], seed: int
) -> OutputDiagnosis:
    """With the errors, the tests and the check added; a sample that cannot be simulated has none."""
    sims = np.where(possible, one.simulated, 0.0)
    code = np.where(possible, one.censoring, MISSING)
    logged, factor = what.error.on_log_scale, factors((what,))[0]
    with np.errstate(over="ignore"):
        natural = (np.exp(sims) if logged else sims) / factor
        limit = (np.exp(one.limit) if logged else one.limit) / factor
    rng = generator_of(seed, what.name, "prediction discrepancies")
    errors = npde(one.value, sims, one.patient, code, one.limit, rng=rng, smooth=True)
    errors = replace(errors, prediction=np.where(possible, np.median(natural, axis=0), np.nan))
    check = None
    there = code != MISSING
    if there.any() and np.any(plain.population[there] > 0):
        bins = max(1, min(8, int(there.sum()) // _SAMPLES_OF_A_BIN))
        check = prediction_corrected_vpc(
            plain.moment_h, plain.observed, natural, plain.population,
            edges=time_bins(plain.moment_h[there], n_bins=bins), censoring=code, limit=limit,
        )  # fmt: skip
    return replace(
        plain,
        pwres=population_residuals(one.value, sims, one.patient, code),
        npde=errors,
        tests=npde_tests(errors.npde),
        vpc=check,
    )
