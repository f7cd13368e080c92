"""Does the model fit these patients? Residuals, simulation-based errors and a check of each output."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.model.engine import effects_per_patient, over_patients
from troughline.model.records import MISSING, QUANTIFIED
from troughline.pk.diagnostics import population_residuals
from troughline.pk.dosing_intervals import time_after_dose
from troughline.pk.npde import Npde, NpdeTests, npde, npde_tests
from troughline.pk.posterior import generator_of
from troughline.pk.prior_prediction import Predictor, prior_effects
from troughline.pk.sampled import factors
from troughline.pk.vpc import Vpc, prediction_corrected_vpc, time_bins

if TYPE_CHECKING:
    from troughline.model.model import Model
    from troughline.model.records import Records
    from troughline.model.spec import Output
    from troughline.pk.fits import Fit
    from troughline.pk.sampled import Sampled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEWEST_SIMULATIONS = 100
"""Simulations below which nothing is tested with them."""
_SAMPLES_OF_A_BIN = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDiagnosis:
    """Samples of one output, by patient and time, beside what the model says of them; arrays (n_samples,).

    Levels are in the output's unit on the natural scale; `observed` is the limit where `censoring` says so.
    `after_dose`: whether `moment_h`, the time of the check, is that after the dose. `npde`, `tests`, `vpc`
    and `pwres` are None without simulations.
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


def look_at(
    model: Model,
    records: Records,
    sampled: Sampled,
    patients: Ints,
    *,
    first: int,
    simulations: int,
    seed: int,
    threads: int | None = None,
) -> Looked:
    """Gather the samples of these patients (indices) and simulate them with effects from the prior.

    `first`: the index that the first patient of `records` has in the whole file.
    """
    owner = records.patient_index()[sampled.record]
    code = records.censoring[sampled.record]
    kept = np.flatnonzero(np.isin(owner, patients) & (code != MISSING))
    at = sampled.record[kept]
    code = records.censoring[at]
    censored = code != QUANTIFIED
    return Looked(
        patient=owner[kept] + first,
        output=records.output[at],
        time_h=records.time_h[at],
        after_dose_h=time_after_dose(records)[at],
        value=records.value[at],
        limit=records.limit[at],
        censoring=code,
        observed=np.where(censored, sampled.limit[kept], sampled.observed[kept]),
        population=sampled.population[kept],
        individual=sampled.individual[kept],
        iwres=sampled.iwres[kept],
        simulated=_simulated(model, records, at, patients, simulations, seed, threads),
    )


def _simulated(
    model: Model, records: Records, at: Ints, patients: Ints, simulations: int, seed: int, threads: int | None
) -> Floats:
    out = np.full((simulations, len(at)), np.nan)
    if not simulations:
        return out
    predictor, own = Predictor(model, records), effects_per_patient(model.compiled, records)
    begins = np.searchsorted(at, records.first)

    def run(begin: int, end: int) -> None:
        for k in range(begin, end):
            p = int(patients[k])
            place = slice(int(begins[p]), int(begins[p + 1]))
            rows = at[place]
            rng = generator_of(seed, records.patients[p], "simulation")
            effects = prior_effects(model, int(own[p]), simulations, rng)
            made = predictor.at(p, effects, rows)
            out[:, place] = made.centre + made.sd * rng.standard_normal(made.sd.shape)

    over_patients(run, len(patients), threads, chunk=8)
    return out


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

        return Looked(**{f.name: joined(f.name) for f in fields(Looked)})  # pyright: ignore[reportArgumentType]


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
    )
    possible = np.asarray(np.isfinite(one.simulated).all(axis=0), dtype=bool)
    if simulations < FEWEST_SIMULATIONS or not possible.any():
        return plain
    return _simulation_based(plain, one, what, possible, seed)


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
    errors = replace(errors, prediction=np.where(possible, natural.mean(axis=0), np.nan))
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
