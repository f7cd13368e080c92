"""Run a trial: every replicate with every parameter set, cell by cell, each reduced when it is whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.issues import Finding, Findings, InputError, Severity
from troughline.mechanism.matching import MatchError
from troughline.progress import Progress, silent
from troughline.trial.cells import (
    ARM_IDS,
    BATCH,
    BATCH_IDS,
    MARKERS,
    REPLICATE_SEEDS,
    Cell,
    CellResult,
    the_runner,
)
from troughline.trial.gather import equally
from troughline.trial.matching import match_one
from troughline.trial.schedule import in_threads, run_in_order
from troughline.trial.statistics import TrialStatistics, statistics_of
from troughline.trial.stream import PatientFile
from troughline.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    from troughline.trial.setup import Setup

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]
GRID_DAYS, RISK_DAYS = 7.0, 3.0 * DAYS_PER_MONTH
SHOWN = 200


@dataclass(frozen=True, kw_only=True)
class TrialOutcome:
    """What a trial gave: `contents` of `results.json`."""

    setup: Setup
    contents: dict[str, Any]
    findings: Findings
    n_patients: int


@dataclass(kw_only=True)
class Gathered:
    """What is kept of every trial: its statistics in the order of sets and replicates, sums of markers, of
    doses and levels in arms with a policy, and the first patients of the first trial by arm.
    """

    setup: Setup
    grid: Floats
    risk_grid: Floats
    scales: list[Mapping[str, float]]
    trials: list[TrialStatistics] = field(default_factory=list[TrialStatistics])
    markers: dict[str, Floats] = field(default_factory=dict[str, Floats])
    first: dict[str, Columns] = field(default_factory=dict[str, Columns])
    dosing: dict[str, Floats] = field(default_factory=dict[str, Floats])
    not_estimated: dict[str, int] = field(default_factory=dict[str, int])
    n_patients: int = 0

    @property
    def set_of(self) -> NDArray[np.int64]:
        """The place of the set of each trial."""
        return np.repeat(np.arange(len(self.setup.sets)), self.setup.file.trial.replicates)

    @property
    def reading_of(self) -> NDArray[np.object_]:
        """The reading of potency of each trial."""
        return np.array([s.reading for s in self.setup.sets], dtype=object)[self.set_of]

    @property
    def weight(self) -> Floats:
        """A weight for each trial: every reading of potency counts the same, however many sets it has."""
        return equally(list(self.reading_of))


def run_trial(
    setup: Setup,
    *,
    workers: int | None = None,
    progress: Progress = silent,
    patients: Path | None = None,
) -> TrialOutcome:
    """Run a trial and everything else its file asks for. The same setup gives the same numbers.

    `workers`: threads, None for the number of cores; the numbers do not depend on it. `patients`: where the
    virtual patients are written, in batches. Raises `InputError` (configuration) for a population that
    cannot be drawn and a scheduler that cannot be used, `OSError` where the file cannot be written.
    """
    from troughline.mechanism.runner import RunError
    from troughline.trial.result import contents_of
    from troughline.trial.schedule import SchedulerError
    from troughline.trial.sensitivity import MissingLibrary, need_salib

    found = Findings(list(setup.findings))
    try:
        if setup.file.sensitivity is not None:
            need_salib()
        gathered = gather(setup, workers=workers, progress=progress, patients=patients)
        contents = contents_of(gathered, found, workers=workers, progress=progress)
    except SchedulerError as error:
        raise _refusal(setup, "scheduler", str(error), "run.scheduler") from None
    except MissingLibrary as error:
        raise _refusal(setup, "salib", str(error), "sensitivity") from None
    except MatchError as error:
        raise _refusal(setup, "match-placebo", str(error), "population.match_placebo") from None
    except RunError as error:
        remedy = "growth or doses beyond what the mechanism can follow; take step_days shorter"
        raise _refusal(setup, "not-finite", f"{error}: {remedy}", "population.scale") from None
    return TrialOutcome(setup=setup, contents=contents, findings=found, n_patients=gathered.n_patients)


def _refusal(setup: Setup, code: str, message: str, place: str | None) -> InputError:
    finding = Finding(Severity.ERROR, code, message, file=setup.name, column=place)
    return InputError([*setup.findings, finding], configuration=True)


def gather(
    setup: Setup, *, workers: int | None, progress: Progress = silent, patients: Path | None = None
) -> Gathered:
    """Run every trial and keep its statistics; patients are written and let go."""
    file = setup.file
    _warm(setup)
    scales = match_scales(setup, workers=workers, progress=progress)
    horizon = setup.protocol.horizon_days
    made = Gathered(
        setup=setup,
        grid=np.arange(0.0, horizon + 1e-9, GRID_DAYS),
        risk_grid=np.arange(0.0, horizon + 1e-9, RISK_DAYS),
        scales=scales,
        markers={
            a.id: np.zeros((3, len(file.markers.days), len(MARKERS))) for a in file.arm
        },
    )  # fmt: skip
    trials = len(setup.sets) * file.trial.replicates
    plan = list(_pieces(setup))
    results = run_in_order(
        cells_of(setup, scales), workers=workers, scheduler=file.run.scheduler if file.run else None
    )
    parts: dict[str, list[CellResult]] = {}
    with closing(results), PatientFile(patients) as out:
        for (s, r, a, last), result in zip(
            ((s, r, a, last) for s in range(len(setup.sets)) for r in range(file.trial.replicates)
             for a, _, _, last in plan),
            results,
            strict=True,
        ):  # fmt: skip
            arm = file.arm[a].id
            parts.setdefault(arm, []).append(result)
            made.markers[arm] += result.marker_sums
            if result.dosing_sums is not None:
                made.dosing[arm] = made.dosing.get(arm, 0.0) + result.dosing_sums
                made.not_estimated[arm] = made.not_estimated.get(arm, 0) + result.not_estimated
            made.n_patients += len(result.columns["patient"])
            out.add({"set": setup.sets[s].id, "replicate": r + 1, "arm": arm}, result.columns)
            if last:
                _reduce(made, parts)
                parts = {}
                progress(f"trial {len(made.trials)} of {trials}", len(made.trials), trials)
    return made


def _reduce(made: Gathered, parts: dict[str, list[CellResult]]) -> None:
    """The statistics of a whole trial."""
    arms: dict[str, Columns] = {
        arm: {name: np.concatenate([c.columns[name] for c in cells]) for name in cells[0].columns}
        for arm, cells in parts.items()
    }
    if not made.trials:
        made.first = {a: {k: v[:SHOWN].copy() for k, v in columns.items()} for a, columns in arms.items()}
    sizes = made.setup.file.sizes
    made.trials.append(
        statistics_of(
            arms, made.setup.measured_pairs, sizes=sizes.n if sizes else (), grid=made.grid,
            risk_grid=made.risk_grid,
        )
    )  # fmt: skip


def _pieces(setup: Setup) -> Iterator[tuple[int, int, int, bool]]:
    """Of one trial: arm, place of the batch in it, its patients, and whether it is the trial's last."""
    arms = setup.file.arm
    for a, arm in enumerate(arms):
        batches = -(-arm.n // BATCH)
        for k in range(batches):
            last = a == len(arms) - 1 and k == batches - 1
            yield a, k, min(BATCH, arm.n - k * BATCH), last


def cells_of(setup: Setup, scales: list[Mapping[str, float]]) -> Iterator[Cell]:
    """Every cell of a trial in order: sets, replicates, arms, batches.

    Patients follow from (seed of the trial, id): arm k begins at k·10¹², each batch 10⁷ further. The seed of
    replicate r with set s is (1000 r + s)·10 000 019 above the file's. Where all arms have the same patients,
    arms and sets all take k = s = 0.
    """
    from troughline.mechanism.predictions import scaled

    file = setup.file
    cut = None
    if file.follow_up is not None:
        cut = (file.follow_up.shortest_months, file.follow_up.longest_months)
    runner = the_runner(file.population.clearance)
    same = file.trial.patients == "same"
    plan = list(_pieces(setup))
    for s, (chosen, scale) in enumerate(zip(setup.sets, scales, strict=True)):
        values = scaled(runner, chosen, scale)
        for r in range(file.trial.replicates):
            for a, k, count, _ in plan:
                yield Cell(
                    chosen=chosen, replicate=r, arm_index=a, arm=setup.arms[a], protocol=setup.protocol,
                    population=setup.population, values=values,
                    seed=file.trial.seed + (1000 * r + (0 if same else s)) * REPLICATE_SEEDS,
                    first_id=(0 if same else a) * ARM_IDS + k * BATCH_IDS, count=count,
                    marker_days=file.markers.days, cut=cut, clearance=file.population.clearance,
                    policy=setup.policies[a] if setup.policies else None,
                )  # fmt: skip


def match_scales(
    setup: Setup, *, workers: int | None, progress: Progress = silent
) -> list[Mapping[str, float]]:
    """Factors on typical values for each set: those of the population, and what its placebo arm asks for.

    Raises `MatchError`.
    """
    if setup.file.population.match_placebo is None:
        return [dict(setup.population.scale) for _ in setup.sets]
    progress("matching the placebo arm", 0, len(setup.sets))
    with closing(in_threads(partial(match_one, setup), setup.sets, workers=workers)) as found:
        return list(found)


def _warm(setup: Setup) -> None:
    """Compile (or load) the patient loop before threads ask for it at once."""
    runner = the_runner(setup.file.population.clearance)
    assert runner.module is not None
