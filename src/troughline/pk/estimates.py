"""`estimate`: every patient of a file, estimated; a table's rows as they come, and what is said of all."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.pk.dosing_intervals import reported_intervals
from troughline.pk.estimate_data import EstimateData, read_estimate_data
from troughline.pk.estimate_diagnosis import Diagnosis, Gathered, look_at
from troughline.pk.estimate_summary import Summary
from troughline.pk.estimate_tables import (
    TABLES,
    Rows,
    exposure_rows,
    individual_rows,
    parameter_rows,
    prediction_rows,
    table_kinds,
)
from troughline.pk.fits import MOST_FITS, fit_curves
from troughline.pk.individual import EstimateOptions, Individuals, effect_names, estimate_individuals
from troughline.pk.individual_parameters import IndividualParameters, individual_parameters
from troughline.pk.interval_exposure import exposure_of_intervals
from troughline.pk.outlying import far_outside, hold_against_prior, measured
from troughline.pk.parameter_bounds import parameter_bounds
from troughline.pk.posterior import PosteriorOptions, draw_posterior
from troughline.pk.sampled import predict_samples
from troughline.pk.work import Plan, plan_work
from troughline.progress import Progress, silent

if TYPE_CHECKING:
    import pandas as pd

    from troughline.issues import Finding
    from troughline.model.model import Model
    from troughline.model.records import Records
    from troughline.pk.table_file import Kind

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Sink = Callable[[str, Rows], None]

_MOST_PATIENTS_DRAWN, _MOST_PATIENTS, _MOST_RECORDS = 128, 2000, 50_000
"""Patients, and records, that are worked on at a time: with draws, without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateRequest:
    """What to estimate, and how.

    - `data`: a NONMEM-style file, with `columns` as `read_nonmem` takes them, or a study file (`.toml`).
    - `draws` of each patient's posterior; 0: none, intervals to first order; None: as `plan_work` says.
    - `simulations` of the samples, for the diagnostics; `seed` of everything random.
    - `simulated`: no patient gave the data, and every page says so; a study file says it itself.
    - `interval_h`: the dosing interval after a last dose that states none; `level` of every interval.
    - `individual`: prior inflation, starts, zero weight, threads.
    """

    data: Path
    model: Model
    columns: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])
    draws: int | None = None
    simulations: int = 1000
    seed: int = 0
    simulated: bool = False
    interval_h: float | None = None
    level: float = 0.9
    individual: EstimateOptions = field(default_factory=EstimateOptions)

    def __post_init__(self) -> None:
        if (self.draws is not None and self.draws < 0) or self.simulations < 0 or self.seed < 0:
            raise ValueError("draws, simulations and seed must be at least 0")
        if self.interval_h is not None and not 0 < self.interval_h < np.inf:
            raise ValueError(f"the dosing interval must be positive and finite, not {self.interval_h!r}")
        if self.columns and self.data.suffix.lower() == ".toml":
            raise ValueError("a study file names the columns of its tables itself, in [columns.TABLE]")
        if not 0 < self.level < 1:
            raise ValueError(f"the level must lie between 0 and 1, not {self.level!r}")

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The files that are named; a sheet is no part of a name."""
        return (Path(str(self.data).partition("#")[0]),)


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateOutcome:
    """What is said of all patients: `contents` is exactly what `result.json` holds; `diagnosis` is drawn."""

    contents: dict[str, Any]
    diagnosis: Diagnosis
    findings: tuple[Finding, ...]
    effect_names: tuple[str, ...]

    @property
    def not_estimated(self) -> int:
        """How many patients have no estimate."""
        return int(self.contents["counts"]["not_estimated"])

    @property
    def n_patients(self) -> int:
        """How many patients the data have."""
        return int(self.contents["counts"]["patients"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """Estimates of a file's patients.

    `individuals`, `predictions`, `exposure`, `parameters`: the tables of docs/estimate.md, in which
    `effect_names` are the columns of the random effects; `outcome`: counts, shrinkage, provenance, and the
    diagnostics that are drawn.
    """

    individuals: pd.DataFrame
    predictions: pd.DataFrame
    exposure: pd.DataFrame
    parameters: pd.DataFrame
    effect_names: tuple[str, ...]
    outcome: EstimateOutcome
    model: Model

    @property
    def contents(self) -> dict[str, Any]:
        """What `result.json` holds."""
        return self.outcome.contents


def estimate(request: EstimateRequest, *, progress: Progress = silent) -> Estimates:
    """Estimate every patient; the tables as DataFrames. Raises as `estimate_into`."""
    import pandas as pd

    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in TABLES}

    def keep(table: str, rows: Rows) -> None:
        parts[table].append(pd.DataFrame(rows))

    outcome = estimate_into(request, lambda _: keep, progress=progress)
    tables = {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}
    return Estimates(outcome=outcome, effect_names=outcome.effect_names, model=request.model, **tables)


def estimate_into(
    request: EstimateRequest,
    open_tables: Callable[[dict[str, dict[str, Kind]]], Sink],
    *,
    progress: Progress = silent,
) -> EstimateOutcome:
    """Estimate every patient, some at a time, and hand each table's rows on as they come.

    `open_tables` is given the columns of every table and returns what takes the rows. Memory holds the
    records, and the results of a few hundred patients. What is computed of a patient depends on him, the
    options and the seed, not on who else is in the file nor on threads.

    Raises `InputError` for data that cannot be used and `ValueError` for a covariance that has no inverse.
    """
    model = request.model
    data = read_estimate_data(request.data, model, columns=request.columns, progress=progress)
    progress("compiling the model, which takes minutes the first time", 0, 1)
    plan = plan_work(model, data.records, draws=request.draws, simulations=request.simulations)
    whole = _Whole(request, data, plan)
    sink = open_tables(table_kinds(whole.names))
    total = data.records.n_patients
    for begin, end in _parts(data.records, plan):
        _estimate_part(whole, begin, end, sink, _within(progress, begin, total))
    progress("testing the model", total, total)
    diagnosis = whole.gathered.diagnose(
        model.spec.outputs, simulations=request.simulations, seed=request.seed
    )
    contents = whole.summary.contents(request, data, plan, diagnosis)
    return EstimateOutcome(
        contents=contents, diagnosis=diagnosis, findings=tuple(data.findings), effect_names=whole.names
    )


class _Whole:
    """What is the same for every part of the file, and what is gathered over them."""

    def __init__(self, request: EstimateRequest, data: EstimateData, plan: Plan) -> None:
        from troughline.model.engine import effects_per_patient

        self.request, self.data, self.plan = request, data, plan
        spec = request.model.spec
        own = effects_per_patient(request.model.compiled, data.records)
        self.names = effect_names(request.model, int(own.max(initial=len(spec.subject_effects))))
        self.parameters: IndividualParameters = individual_parameters(spec)
        self.summary = Summary(spec)
        self.gathered = Gathered()
        sampled = data.records.patient_index()[measured(request.model, data.records)]
        self.fitted = np.unique(sampled)[:MOST_FITS]


def _estimate_part(whole: _Whole, begin: int, end: int, sink: Sink, progress: Progress) -> None:
    from troughline.model.records import records_slice

    request, plan = whole.request, whole.plan
    model, options = request.model, request.individual
    records = records_slice(whole.data.records, begin, end)
    individuals = estimate_individuals(model, records, options=options, progress=progress)
    draws, effective, method = _posterior(whole, records, individuals, progress)
    looked = plan.diagnosed[(plan.diagnosed >= begin) & (plan.diagnosed < end)] - begin
    held = hold_against_prior(
        model, records, seed=request.seed, simulate=plan.simulate_tails, simulations=plan.simulations,
        patients=looked, threads=options.threads, progress=progress,
    )  # fmt: skip
    sampled = predict_samples(
        model, records, individuals, probability=held.probability,
        far=far_outside(records, held.probability), threads=options.threads,
    )  # fmt: skip
    progress("predicting exposure", 0, 1)
    intervals = reported_intervals(records, interval_h=request.interval_h)
    exposure = exposure_of_intervals(
        model, records, individuals, intervals, draws=draws, level=request.level, threads=options.threads
    )
    outputs = model.spec.outputs
    values, bounds = parameter_bounds(
        whole.parameters, model.spec, records, individuals, draws=draws, level=request.level
    )
    shown = exposure_rows(outputs, individuals, intervals, exposure, method)
    sink("individuals", individual_rows(individuals, whole.names, effective, method))
    sink("predictions", prediction_rows(outputs, records, individuals, sampled))
    sink("exposure", shown)
    sink(
        "parameters",
        parameter_rows(individuals, whole.parameters.names, whole.parameters.units, values, bounds),
    )
    whole.summary.add(records, individuals, sampled, method)
    whole.summary.add_exposure(shown)
    whole.gathered.parts.append(look_at(records, sampled, held, first=begin))
    _fit(whole, records, individuals, draws, begin, end)


def _posterior(
    whole: _Whole, records: Records, individuals: Individuals, progress: Progress
) -> tuple[Floats | None, Floats, list[str]]:
    """Draws (n, n_draws, q) or None, the effective sample size (n,), and how the intervals are made."""
    request, plan = whole.request, whole.plan
    lost = np.isin(individuals.status, (2, 3)).tolist()
    if not plan.draws:
        return None, np.full(records.n_patients, np.nan), ["none" if out else "first order" for out in lost]
    options = PosteriorOptions(
        draws=plan.draws,
        proposals=max(2000, plan.draws),
        seed=request.seed,
        threads=request.individual.threads,
    )
    posterior = draw_posterior(request.model, records, individuals, options=options, progress=progress)
    return posterior.draws, posterior.effective, [str(m) for m in posterior.method]


def _fit(
    whole: _Whole, records: Records, individuals: Individuals, draws: Floats | None, begin: int, end: int
) -> None:
    """Add the curves of the first patients with samples."""
    from troughline.model.records import records_slice

    mine = whole.fitted[(whole.fitted >= begin) & (whole.fitted < end)] - begin
    for k in range(len(mine)):
        p = int(mine[k])
        whole.gathered.fits += fit_curves(
            whole.request.model, records_slice(records, p, p + 1), _only(individuals, p),
            draws=None if draws is None else draws[p : p + 1], level=whole.request.level,
            interval_h=whole.request.interval_h,
        )  # fmt: skip


def _only(individuals: Individuals, p: int) -> Individuals:
    """The estimate of one patient."""
    from dataclasses import fields, replace

    one: dict[str, Any] = {
        f.name: getattr(individuals, f.name)[p : p + 1]
        for f in fields(individuals)
        if f.name not in ("names", "theta", "options")
    }
    return replace(individuals, **one)


def _parts(records: Records, plan: Plan) -> list[tuple[int, int]]:
    """Ranges of patients to work on together."""
    most = _MOST_PATIENTS_DRAWN if plan.draws else _MOST_PATIENTS
    first: list[int] = records.first.tolist()
    parts: list[tuple[int, int]] = []
    begin = 0
    while begin < records.n_patients:
        within = bisect_right(first, first[begin] + _MOST_RECORDS) - 1
        end = min(begin + most, max(within, begin + 1), records.n_patients)
        parts.append((begin, end))
        begin = end
    return parts


def _within(progress: Progress, begin: int, of: int) -> Progress:
    """Progress of some patients as that of all."""

    def report(step: str, done: int, total: int) -> None:
        progress(step, begin + done, of)

    return report
