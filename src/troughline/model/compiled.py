"""A model compiled: generated source in the user's cache folder, loaded with its functions' addresses."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pickle
import sys
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.model.kernels import layout as at
from troughline.model.kernels.jit import cache_folder

if TYPE_CHECKING:
    from troughline.model.spec import ModelSpec
    from troughline.model.symbolic import Derivation

ERROR_KINDS = (
    "additive", "proportional", "combined", "combined-sd", "exponential", "log-combined", "power", "none",
)  # fmt: skip
_KINDS = ("linear", "linear, varying in time", "nonlinear")


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """What the kernels need of a model.

    `layout` (int64), `coefficients` (float64) and `addresses` (uint64) are the arrays L, C and FN of
    `kernels.layout`; `functions` keeps the compiled functions alive. `n_states` counts area states too.
    """

    kind: int
    n_states: int
    n_slots: int
    n_subject: int
    n_occasion: int
    state_names: tuple[str, ...]
    layout: NDArray[np.int64]
    coefficients: NDArray[np.float64]
    addresses: NDArray[np.uint64] = field(repr=False)
    functions: tuple[Any, ...] = field(repr=False)

    @property
    def structure(self) -> str:
        """Linear between events, linear with rates that vary in time, or nonlinear."""
        return _KINDS[self.kind]


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What is kept beside the generated source, so that SymPy need not run again."""

    kind: int
    n_states: int
    n_slots: int
    n_subject: int
    n_occasion: int
    state_names: tuple[str, ...]
    layout: NDArray[np.int64]
    coefficients: NDArray[np.float64]
    functions: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class _Kept:
    """A plan with the key it was made for."""

    key: str
    plan: _Plan


def compile_model(spec: ModelSpec, *, areas: bool = False) -> Compiled:
    """Compile a model, or load what was compiled before for the same file, source and versions.

    With `areas` every output's area under the curve is a further state. Raises `OSError` where the cache
    folder cannot be written.
    """
    from troughline.model.kernels.parts import part_addresses

    key = hashlib.sha256(f"{spec.sha256} {areas} {generator_hash()}".encode()).hexdigest()[:24]
    folder = cache_folder() / "models" / key
    source = folder / "functions.py"
    plan = _read_plan(folder / "plan.pickle", key)
    if plan is None:
        plan = _derive(spec, areas)
        write_whole(folder / "functions.py", plan.source.encode())
        write_whole(folder / "plan.pickle", pickle.dumps(_Kept(key, plan)))
    functions, model_addresses = _load(source, key, plan.functions)
    addresses = np.concatenate(
        [
            model_addresses[: at.F_STEP],
            np.array(part_addresses(plan.kind), dtype=np.uint64),
            model_addresses[at.F_STEP :],
        ]
    )
    return Compiled(
        kind=plan.kind,
        n_states=plan.n_states,
        n_slots=plan.n_slots,
        n_subject=plan.n_subject,
        n_occasion=plan.n_occasion,
        state_names=plan.state_names,
        layout=plan.layout,
        coefficients=plan.coefficients,
        addresses=addresses,
        functions=functions,
    )


@cache
def generator_hash() -> str:
    """A hash of the code that reads model files and writes functions, and of the versions it rests on."""
    from importlib.metadata import version

    package = Path(__file__).resolve().parents[1]
    versions = [version(name) for name in ("sympy", "numba", "pint")]
    total = hashlib.sha256(f"{versions} {sys.version_info[:3]}".encode())
    layout = package / "model" / "kernels" / "layout.py"
    for file in (*sorted((package / "model").glob("*.py")), layout, package / "units.py"):
        total.update(file.read_bytes())
    return total.hexdigest()


def _read_plan(file: Path, key: str) -> _Plan | None:
    """The plan kept in the user's own cache folder; None where there is none that can be used."""
    try:
        kept: Any = pickle.loads(file.read_bytes())
    except Exception:  # whatever is wrong with a kept plan, it is made again
        return None
    if not isinstance(kept, _Kept) or kept.key != key or not (file.parent / "functions.py").is_file():
        return None
    return kept.plan


def write_whole(file: Path, data: bytes) -> None:
    """Write a file whole or not at all, whoever else writes it at the same time."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.is_file() and file.read_bytes() == data:
        return  # Numba trusts compiled code by the source's time of change
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".troughline-")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _load(source: Path, key: str, names: tuple[str, ...]) -> tuple[tuple[Any, ...], NDArray[np.uint64]]:
    # Numba's cache names the module of a function: it must be one that can be imported again.
    name = f"troughline_model_{key}"
    specification = importlib.util.spec_from_file_location(name, source)
    if specification is None or specification.loader is None:
        raise OSError(f"cannot load the generated code {source}")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    functions = tuple(getattr(module, name) if name else None for name in names)
    addresses = np.array([f.address if f is not None else 0 for f in functions], dtype=np.uint64)
    return functions, addresses


def _derive(spec: ModelSpec, areas: bool) -> _Plan:
    from troughline.model.source import function_names, write_source
    from troughline.model.symbolic import derive

    d = derive(spec, areas=areas)
    layout, coefficients = _pack(spec, d)
    return _Plan(
        kind=d.kind,
        n_states=len(d.states),
        n_slots=len(d.slots),
        n_subject=len(spec.subject_effects),
        n_occasion=len(spec.occasion_effects),
        state_names=tuple(str(s).removeprefix("x_") for s in d.states),
        layout=layout,
        coefficients=coefficients,
        functions=function_names(d),
        source=write_source(spec.id, d),
    )


def _pack(spec: ModelSpec, d: Derivation) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The arrays L and C of a derivation."""
    from troughline.model.source import is_autonomous
    from troughline.model.symbolic import NONLINEAR

    head = np.zeros(at.L_HEADER, dtype=np.int64)
    body: list[int] = []
    numbers: list[float] = []

    def put(name: int, values: list[int]) -> None:
        head[name] = at.L_HEADER + len(body)
        body.extend(values)

    n = len(d.states)
    entries = sorted(d.matrix, key=lambda e: (e.row >= d.n_core, e.row, e.col))
    u_slot, u_coefficient = [-1] * n, [0.0] * n
    for e in d.constant:
        u_slot[e.row], u_coefficient[e.row] = e.slot, e.coefficient
    sizes = {
        at.KIND: d.kind,
        at.N: n,
        at.N_CORE: d.n_core,
        at.M_SUBJECT: len(spec.subject_effects),
        at.M_OCCASION: len(spec.occasion_effects),
        at.N_SLOTS: len(d.slots),
        at.N_GATES: len(d.gates),
        at.NNZ: len(entries),
        at.NNZ_CORE: sum(e.row < d.n_core for e in entries),
        at.N_INPUTS: len(d.inputs),
        at.N_OUTPUTS: len(d.outputs),
        at.N_COVARIATES: len(d.covariates),
        at.USES_CONTEXT: int(d.slots_use_context),
        at.OUTPUTS_USE_TIME: int(d.outputs_use_time),
        at.AUTONOMOUS: int(d.kind != NONLINEAR or is_autonomous(d)),
        at.ERROR_USES_EFFECTS: int(d.error_uses_effects),
        at.RATES_USE_CLOCK: int(_rates_use(d, 0, 2, 3)),
        at.RATES_USE_TIME: int(_rates_use(d, 0)),
        at.HAS_CLOCK_GATE: int(any(g.kind == "clock" for g in spec.gates)),
        at.HAS_DOSE_GATE: int(any(g.kind == "after-dose" for g in spec.gates)),
    }
    for name, value in sizes.items():
        head[name] = value
    put(at.A_ROW, [e.row for e in entries])
    put(at.A_COL, [e.col for e in entries])
    put(at.A_SLOT, [e.slot for e in entries])
    put(at.U_SLOT, u_slot)
    put(at.X0_SLOT, list(d.initial))
    put(at.INPUTS, [v for i in d.inputs for v in (i.state, i.bioavailability, i.lag, i.duration, i.rate)])
    put(at.OUT_ERROR, [v for o in d.outputs for v in (o.additive, o.proportional, o.power)])
    put(at.OUT_KIND, [ERROR_KINDS.index(o.kind) for o in d.outputs])
    put(at.CARRY, [int(c.carry == "last") for c in spec.covariates])
    head[at.C_A] = 0
    numbers += [e.coefficient for e in entries]
    head[at.C_U] = len(numbers)
    numbers += u_coefficient
    head[at.C_SCALE] = len(numbers)
    numbers += _scales(spec, n)
    gates: list[int] = []
    for gate, (start, length) in zip(spec.gates, d.gate_slots, strict=True):
        gates += [int(gate.kind == "clock"), start, length, len(gate.at), len(numbers)]
        numbers += [gate.clock_origin_h, *gate.at]
    put(at.GATES, gates)
    return np.concatenate([head, np.array(body, dtype=np.int64)]), np.array(numbers, dtype=np.float64)


def _scales(spec: ModelSpec, n_states: int) -> list[float]:
    """For each state, how much of a canonical unit the absolute tolerance of 1 is: its unit, at most 1.

    An area has the unit of its output.
    """
    from troughline.units import canonical_factor

    units = [*(canonical_factor(s.unit) for s in spec.states), *(o.factor for o in spec.outputs)]
    return [min(1.0, float(u)) for u in units[:n_states]]


def _rates_use(d: Derivation, *places: int) -> bool:
    """Whether a rate uses one of the context's t, tad, dose, interval at these places.

    One interval's map is not the next's where rates follow the time since the start, or the dose.
    """
    asked = {d.context[k] for k in places}
    rates = [d.slots[e.slot] for e in (*d.matrix, *d.constant)]
    return bool(d.rate_symbols & asked) or any(e.free_symbols & asked for e in rates)
