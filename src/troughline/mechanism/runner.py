"""Run virtual patients: the generated module of two models, compiled and called."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from troughline.mechanism.loop import patient as at

if TYPE_CHECKING:
    from troughline.mechanism.population import Patients
    from troughline.mechanism.source import Layout
    from troughline.mechanism.treatment import Arm, Protocol
    from troughline.model.spec import ModelSpec

Floats = NDArray[np.float64]
Device = Literal["cpu", "cuda", "python"]
MECHANISM = Path(__file__).resolve().parents[1] / "model" / "library" / "sorafenib" / "hcc-mechanism.toml"
KINETICS = "sorafenib/hcc"
CHUNK = 256
"""Patients that a thread takes at once."""


@dataclass(frozen=True, kw_only=True)
class Courses:
    """What became of each virtual patient; days since the first dose, NaN where something did not happen.

    `death_day` and `died`; `progression_day` (of the visit, or of the last image) and `progressed` by RECIST
    1.1, `progression_reason` (1 growth, 2 new lesion), `viable_*` by mRECIST; `best`, `viable_best`, `first`:
    0 not evaluable, 1 complete, 2 partial, 3 stable, 4 progressive; `stop_day` of the first line with
    `stop_why` (0 on treatment, 1 toxicity, 2 progression, 3 other, 4 liver); `reductions` of the first line
    to a lower dose, `next_reductions` of the second; `dose_mg` in all, to the end of the step of a death;
    `severe_day`, `limiting_day`: first toxicity of grade 3 or more, and that limits the dose; `mean_level`
    while on treatment, mg/L; `states_at_progression` (n, n_states); `seen` (n, n_visits) sums of diameters as
    measured, mm; `sampled` (n, n_samples, n_outputs + 1): the outputs at the sample days, in their units, and
    the concentration before the next dose, mg/L.
    """

    death_day: Floats
    died: NDArray[np.bool_]
    progression_day: Floats
    progressed: NDArray[np.bool_]
    progression_reason: NDArray[np.int64]
    viable_progression_day: Floats
    viable_progressed: NDArray[np.bool_]
    best: NDArray[np.int64]
    viable_best: NDArray[np.int64]
    first: NDArray[np.int64]
    stop_day: Floats
    stop_why: NDArray[np.int64]
    reductions: NDArray[np.int64]
    next_reductions: NDArray[np.int64]
    dose_mg: Floats
    severe_day: Floats
    limiting_day: Floats
    dropout_day: Floats
    next_line_day: Floats
    lesion_day: Floats
    mean_level: Floats
    states_at_progression: Floats
    seen: Floats
    sampled: Floats


class RunError(ValueError):
    """Some virtual patients could not be run; the message says how many and the first of them."""


@dataclass(frozen=True, kw_only=True)
class Runner:
    """A mechanism and a pharmacokinetic model, compiled together for a device.

    `cpu`: Numba, threads over chunks of patients. `cuda`: one patient a thread (also under Numba's
    simulator). `python`: the same code uncompiled, for tests.
    """

    mechanism: ModelSpec
    kinetics: ModelSpec
    device: Device = "cpu"
    _module: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)

    @property
    def layout(self) -> Layout:
        """Sizes of the generated code's arrays."""
        return self._loaded[1]

    @cached_property
    def output_names(self) -> tuple[str, ...]:
        """The outputs of the mechanism in the order of `sampled`."""
        return tuple(o.name for o in self.mechanism.outputs)

    @property
    def module(self) -> Any:
        """The generated module, compiled on first use."""
        return self._loaded[0]

    @property
    def _loaded(self) -> tuple[Any, Layout]:
        if "module" not in self._module:
            self._module["module"] = _load(self.mechanism, self.kinetics, self.device)
        return self._module["module"]

    def theta(self, values: Mapping[str, float] | None = None) -> Floats:
        """Typical values (n_parameters,), canonical, with those named replaced (in the file's units).

        Raises `ValueError` for a name that the mechanism does not have.
        """
        from troughline.units import canonical_factor

        theta = self.mechanism.theta.copy()
        index = {p.name: i for i, p in enumerate(self.mechanism.parameters)}
        for name, value in (values or {}).items():
            if name not in index:
                raise ValueError(f"the mechanism {self.mechanism.id} has no parameter {name!r}")
            i = index[name]
            theta[i] = value * float(canonical_factor(self.mechanism.parameters[i].unit))
        return theta

    def run(
        self,
        patients: Patients,
        arm: Arm,
        protocol: Protocol,
        *,
        values: Mapping[str, float] | None = None,
        sample_days: Sequence[float] = (),
        last_day: Floats | None = None,
        keep_states: bool = False,
        max_step_days: float | None = None,
        threads: int | None = None,
    ) -> Courses:
        """The course of every patient in an arm.

        `values` replaces typical values (the file's units). `sample_days`: when the outputs are kept.
        `last_day` (n,): the day on which each patient's data end, if before the horizon (rounded down to
        half days); nothing is seen later. With
        `keep_states` `sampled` has the states too, after the outputs and the concentration. `threads`: None
        for the number of cores; the numbers are the same whatever it is.

        Raises `ValueError` for an arm or a protocol that does not fit, `RunError` where a patient's state is
        not a finite number.
        """
        n, layout = len(patients), self.layout
        ready = self.prepared(
            patients, arm, protocol, values=values, sample_days=sample_days, keep_states=keep_states,
            max_step_days=max_step_days, last_day=last_day,
        )  # fmt: skip
        none = np.zeros((n, 1))

        def chunk(begin: int, end: int) -> None:
            part = slice(begin, end)
            self.launch(
                ready, part, ready.rules, patients.covariates[part].copy(), patients.pk_effects[part],
                np.zeros((end - begin, layout.work)), none[part], none[part], none[part],
            )  # fmt: skip

        self.over_patients(chunk, n, threads)
        return ready.courses()

    def prepared(
        self, patients: Patients, arm: Arm, protocol: Protocol, *, values: Mapping[str, float] | None = None,
        sample_days: Sequence[float] = (), keep_states: bool = False, max_step_days: float | None = None,
        last_day: Floats | None = None,
    ) -> Prepared:  # fmt: skip
        """The arrays that a run reads and writes, as `run` takes them. Raises `ValueError` as `run` does."""
        from troughline.mechanism.treatment import event_table, plan_table, rule_table

        layout = self.layout
        n = len(patients)
        samples = np.ascontiguousarray(np.unique(np.asarray(sample_days, dtype=np.float64)))
        if len(samples) != len(tuple(sample_days)) or np.any(samples < 0):
            raise ValueError("sample_days must be different days, none before day 0")
        plan, sizes = plan_table(arm)
        visits = np.asarray(protocol.visit_days, dtype=np.float64)
        ends = np.full(n, protocol.horizon_days) if last_day is None else np.floor(2.0 * last_day) / 2.0
        if ends.shape != (n,) or not np.all(ends >= 0.0):
            raise ValueError(f"last_day must be {n} days of 0 or more")
        columns = len(layout.outputs) + 1 + (layout.n_states if keep_states else 0)
        return Prepared(
            patients=patients,
            theta=self.theta(values),
            plan=plan,
            sizes=sizes,
            rules=rule_table(arm, protocol, max_step_days=max_step_days),
            events=event_table(arm, protocol, [s.name for s in self.mechanism.states]),
            visits=visits,
            samples=samples,
            ends=ends,
            noise=patients.noise(len(visits)),
            out=np.zeros((n, at.OUT_STATES + layout.n_states)),
            seen=np.full((n, len(visits)), np.nan),
            sampled=np.full((n, len(samples), columns), np.nan),
        )

    def launch(
        self, ready: Prepared, part: slice, rules: Floats, covariates: Floats, pk_effects: Floats,
        work: Floats, prescribed: Floats, spans: Floats, morning: Floats,
    ) -> None:  # fmt: skip
        """Run some patients: `part` of what is `ready`, the other arrays theirs alone."""
        some = ready.patients
        arguments = (
            ready.theta, self.kinetics.theta, covariates, some.pk_covariates[part], some.effects[part],
            pk_effects, some.uniform[part], ready.noise[part], ready.plan, ready.sizes, rules, ready.events,
            ready.visits, ready.samples, ready.ends[part], prescribed, spans, work, ready.out[part],
            ready.seen[part], ready.sampled[part], morning,
        )  # fmt: skip
        count = len(covariates)
        if self.device == "cuda":
            self.module.run[-(-count // 64), 64](0, count, *arguments)
        else:
            self.module.run(0, count, *arguments)

    def over_patients(self, chunk: Callable[[int, int], None], n: int, threads: int | None) -> None:
        """Run chunks of patients in threads, on one where the device is not the processor."""
        from troughline.model.engine import over_patients

        over_patients(chunk, n, 1 if self.device != "cpu" else threads, chunk=CHUNK)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What a run reads of its patients and their arm, and where it writes: `out`, `seen`, `sampled`."""

    patients: Patients
    theta: Floats
    plan: Floats
    sizes: NDArray[np.int64]
    rules: Floats
    events: Floats
    visits: Floats
    samples: Floats
    ends: Floats
    noise: Floats
    out: Floats
    seen: Floats
    sampled: Floats

    def courses(self) -> Courses:
        """What became of the patients. Raises `RunError` where a state is not a finite number."""
        bad = np.flatnonzero(self.out[:, at.OUT_STATUS])
        if len(bad):
            raise RunError(
                f"{len(bad)} of {len(self.out)} virtual patients have a state that is not a finite number "
                f"(the first: {int(self.patients.ids[bad[0]])})"
            )
        return _courses(self.out, self.seen, self.sampled)


def load_runner(
    mechanism: Path = MECHANISM, kinetics: str | Path = KINETICS, *, device: Device = "cpu"
) -> Runner:
    """The runner of a mechanism file and a pharmacokinetic model of the library.

    Raises `InputError` with every finding of a faulty file.
    """
    from troughline.model.model import load_model

    return Runner(mechanism=load_model(mechanism).spec, kinetics=load_model(kinetics).spec, device=device)


def _courses(out: Floats, seen: Floats, sampled: Floats) -> Courses:
    def days(column: int) -> Floats:
        return np.where(out[:, column] >= at.NEVER, np.nan, out[:, column])

    def whole(column: int) -> NDArray[np.int64]:
        return out[:, column].astype(np.int64)

    return Courses(
        death_day=out[:, at.OUT_DEATH],
        died=out[:, at.OUT_DIED] > 0.5,
        progression_day=out[:, at.OUT_PROGRESSION],
        progressed=out[:, at.OUT_PROGRESSED] > 0.5,
        progression_reason=whole(at.OUT_REASON),
        viable_progression_day=out[:, at.OUT_VIABLE_PROGRESSION],
        viable_progressed=out[:, at.OUT_VIABLE_PROGRESSED] > 0.5,
        best=whole(at.OUT_BEST),
        viable_best=whole(at.OUT_VIABLE_BEST),
        first=whole(at.OUT_FIRST),
        stop_day=days(at.OUT_STOP),
        stop_why=whole(at.OUT_STOP_WHY),
        reductions=whole(at.OUT_REDUCTIONS),
        next_reductions=whole(at.OUT_NEXT_REDUCTIONS),
        dose_mg=out[:, at.OUT_DOSE],
        severe_day=days(at.OUT_SEVERE),
        limiting_day=days(at.OUT_LIMITING),
        dropout_day=days(at.OUT_DROPOUT),
        next_line_day=days(at.OUT_NEXT_LINE),
        lesion_day=days(at.OUT_LESION),
        mean_level=out[:, at.OUT_MEAN_LEVEL],
        states_at_progression=out[:, at.OUT_STATES :],
        seen=seen,
        sampled=sampled,
    )


def _load(mechanism: ModelSpec, kinetics: ModelSpec, device: Device) -> tuple[Any, Layout]:
    """Write the generated module into the cache folder if it is not there, and import it."""
    from troughline.mechanism.source import write_module
    from troughline.model.compiled import write_whole
    from troughline.model.kernels.jit import cache_folder, prepare

    text, layout = write_module(mechanism, kinetics, device)
    key = hashlib.sha256(f"{text} {sys.version_info[:3]}".encode()).hexdigest()[:24]
    file = cache_folder() / "mechanisms" / key / "patients.py"
    write_whole(file, text.encode())
    prepare()
    name = f"troughline_mechanism_{key}"
    specification = importlib.util.spec_from_file_location(name, file)
    if specification is None or specification.loader is None:
        raise OSError(f"cannot load the generated code {file}")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module, layout


def cores() -> int:
    """How many threads a run takes by itself."""
    return os.cpu_count() or 1
