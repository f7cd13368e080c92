"""From a model file to algebra: what the engine needs of a model, derived exactly with SymPy.

Every quantity the engine evaluates at run time that depends on parameters, covariates, random effects or
context alone becomes a *slot*: the entries of the rate matrix, bioavailability, lag, initial values, and so
on. Whether the system is linear in its states between events is found from its Jacobian, not declared.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from troughline.model.spec import CONTEXT_NAMES, ErrorModel, ModelSpec, Output

LINEAR, VARYING, NONLINEAR = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a sparse linear form: `coefficient` · slot."""

    row: int
    col: int
    slot: int
    coefficient: float


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSlots:
    """The slots of one input; −1 where the file gives none."""

    state: int
    bioavailability: int
    lag: int
    duration: int
    rate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputForm:
    """One output: its prediction as an expression of states and slots, and the slots of its error."""

    prediction: Any
    additive: int
    proportional: int
    power: int
    kind: str


@dataclass(frozen=True, kw_only=True)
class Derivation:
    """A model as algebra. Expressions are SymPy's; symbols are listed in the order the engine passes them."""

    kind: int
    theta: tuple[Any, ...]
    covariates: tuple[Any, ...]
    effects: tuple[Any, ...]
    gates: tuple[Any, ...]
    context: tuple[Any, ...]
    states: tuple[Any, ...]
    slots: tuple[Any, ...]
    slot_symbols: tuple[Any, ...]
    n_core: int
    matrix: tuple[Entry, ...]
    constant: tuple[Entry, ...]
    initial: tuple[int, ...]
    rhs: tuple[Any, ...]
    inputs: tuple[InputSlots, ...]
    gate_slots: tuple[tuple[int, int], ...]
    outputs: tuple[OutputForm, ...]
    rates_use_time: bool
    slots_use_context: bool
    outputs_use_time: bool
    error_uses_effects: bool


@dataclass
class _Slots:
    """The slots found so far; equal expressions share one."""

    expressions: list[Any] = field(default_factory=list[Any])
    index: dict[Any, int] = field(default_factory=dict[Any, int])

    def of(self, expression: Any) -> int:
        if expression not in self.index:
            self.index[expression] = len(self.expressions)
            self.expressions.append(expression)
        return self.index[expression]


def derive(spec: ModelSpec, *, areas: bool = False) -> Derivation:
    """The algebra of a model; with `areas`, each output's area under its curve is a further state.

    The area states come last, in output order, and are no part of a steady state; as many further outputs,
    after the model's own, give them (mg/L·h for a concentration), so that AUC is one minus the other.
    """
    return _Deriver(spec, areas).derivation()


def _decides_by(expression: Any, states: set[Any]) -> bool:
    """Whether a choice in an expression hangs on a state: its derivative would not show the jump."""
    sympy: Any = importlib.import_module("sympy")
    return any(
        condition.free_symbols & states
        for piece in expression.atoms(sympy.Piecewise)
        for _, condition in piece.args
        if condition not in (sympy.true, sympy.false)
    )


def _area(state: Any) -> OutputForm:
    """The output that shows an area state; it is never measured."""
    return OutputForm(prediction=state, additive=-1, proportional=-1, power=-1, kind="none")


class _Deriver:
    """Works a model file through SymPy; used once."""

    def __init__(self, spec: ModelSpec, areas: bool) -> None:
        self.sp: Any = importlib.import_module("sympy")
        self.spec = spec
        self.areas = areas
        real = {"real": True}
        symbol = self.sp.Symbol
        self.theta = tuple(symbol(f"theta_{p.name}", **real) for p in spec.parameters)
        self.covariates = tuple(symbol(f"cov_{c.name}", **real) for c in spec.covariates)
        names = (*spec.subject_effects, *spec.occasion_effects)
        self.effects = tuple(symbol(f"eff_{name}", **real) for name in names)
        self.gates = tuple(symbol(f"gate_{g.name}", **real) for g in spec.gates)
        self.context = tuple(symbol(f"ctx_{name}", **real) for name in CONTEXT_NAMES)
        self.states = tuple(symbol(f"x_{s.name}", **real) for s in spec.states)
        self.levels = {c.name: c.levels for c in spec.covariates if c.levels is not None}
        self.leaves: dict[str, Any] = {
            **dict(zip((p.name for p in spec.parameters), self.theta, strict=True)),
            **{c.name: self.sp.Rational(c.factor.numerator, c.factor.denominator) * s
               for c, s in zip(spec.covariates, self.covariates, strict=True)},
            **dict(zip(names, self.effects, strict=True)),
            **dict(zip((g.name for g in spec.gates), self.gates, strict=True)),
            **dict(zip(CONTEXT_NAMES, self.context, strict=True)),
        }  # fmt: skip
        self.time = {self.context[0], self.context[1]}
        self.slots = _Slots()
        self.slot_symbols: dict[int, Any] = {}
        self.placeholders: dict[Any, Any] = {}
        self.full = self._environment(self.leaves)

    def derivation(self) -> Derivation:
        rhs_full = self._rhs(self.full)
        n_core = len(self.states)
        states = self.states
        if self.areas:
            states = (*states, *(self.sp.Symbol(f"x_area_{o.name}", real=True) for o in self.spec.outputs))
            rhs_full = [*rhs_full, *(self._expr(o.prediction, self.full) for o in self.spec.outputs)]
        jacobian, known = self._jacobian(rhs_full, states)
        linear = not any(_decides_by(f, set(states)) for f in rhs_full) and all(
            not (e.free_symbols & set(states)) for row in jacobian for e in row.values()
        )
        rates = [e for row in jacobian for e in row.values()] + known
        uses_time = any(e.free_symbols & self.time for e in rates)
        kind = (VARYING if uses_time else LINEAR) if linear else NONLINEAR
        matrix: tuple[Entry, ...] = ()
        constant: tuple[Entry, ...] = ()
        rhs: tuple[Any, ...] = ()
        if linear:
            matrix = tuple(
                self._entry(i, j, e) for i, row in enumerate(jacobian) for j, e in sorted(row.items())
            )
            constant = tuple(self._entry(i, 0, e) for i, e in enumerate(known) if e != 0)
        else:
            inner = self._slotted_environment()
            rhs = tuple(self._settled(f) for f in self._rhs(inner))
            if self.areas:
                rhs = (*rhs, *(self._settled(self._expr(o.prediction, inner)) for o in self.spec.outputs))
        initial = [
            -1 if s.initial is None else self.slots.of(self._expr(s.initial, self.full))
            for s in self.spec.states
        ]
        initial += [-1] * (len(states) - n_core)
        inputs = tuple(self._input(i) for i in range(len(self.spec.inputs)))
        gate_slots = tuple((self._optional(g.start), self._optional(g.length)) for g in self.spec.gates)
        outputs = tuple(self._output(o) for o in self.spec.outputs)
        if self.areas:
            outputs += tuple(_area(x) for x in states[n_core:])
        slots = tuple(self.slots.expressions)
        symbols = tuple(self.slot_symbols.get(i, self._slot_symbol(i)) for i in range(len(slots)))
        error_slots = [slots[k] for o in outputs for k in (o.additive, o.proportional, o.power) if k >= 0]
        context = set(self.context)
        rate_slots = {e.slot for e in (*matrix, *constant)}
        others = [s for i, s in enumerate(slots) if i not in rate_slots or kind != VARYING]
        return Derivation(
            kind=kind,
            theta=self.theta,
            covariates=self.covariates,
            effects=self.effects,
            gates=self.gates,
            context=self.context,
            states=states,
            slots=slots,
            slot_symbols=symbols,
            n_core=n_core,
            matrix=matrix,
            constant=constant,
            initial=tuple(initial),
            rhs=rhs,
            inputs=inputs,
            gate_slots=gate_slots,
            outputs=outputs,
            rates_use_time=uses_time,
            slots_use_context=any(s.free_symbols & context for s in others),
            outputs_use_time=self._outputs_use_time(outputs, slots, symbols),
            error_uses_effects=any(e.free_symbols & set(self.effects) for e in error_slots),
        )

    def _environment(self, leaves: Mapping[str, Any]) -> dict[str, Any]:
        """Every name as an expression of leaves and states."""
        env = dict(leaves)
        for name, expression in self.spec.individual:
            env[name] = self._expr(expression, env)
        env.update(zip((s.name for s in self.spec.states), self.states, strict=True))
        for name, expression in self.spec.variables:
            env[name] = self._expr(expression, env)
        return env

    def _slotted_environment(self) -> dict[str, Any]:
        """Every name as an expression of slots, states and time: what does not vary in time is a slot."""
        env: dict[str, Any] = dict(zip(CONTEXT_NAMES, self.context, strict=True))
        for name, leaf in self.leaves.items():
            if name not in CONTEXT_NAMES:
                env[name] = self._lazy(leaf)
        for name, expression in self.spec.individual:
            whole = self.full[name]
            fixed = not (whole.free_symbols & self.time)
            env[name] = self._lazy(whole) if fixed else self._expr(expression, env)
        env.update(zip((s.name for s in self.spec.states), self.states, strict=True))
        for name, expression in self.spec.variables:
            env[name] = self._expr(expression, env)
        return env

    def _lazy(self, expression: Any) -> Any:
        """A placeholder for an expression that becomes a slot if it is used; numbers stay numbers."""
        if expression.is_number:
            return expression
        if expression not in self.placeholders:
            self.placeholders[expression] = self.sp.Symbol(f"later_{len(self.placeholders)}", real=True)
        return self.placeholders[expression]

    def _settled(self, expression: Any) -> Any:
        """The expression with slots in place of the placeholders that it uses."""
        used = {
            symbol: self._slot_symbol(self.slots.of(meaning))
            for meaning, symbol in self.placeholders.items()
            if symbol in expression.free_symbols
        }
        return expression.xreplace(used)

    def _slot_symbol(self, index: int) -> Any:
        if index not in self.slot_symbols:
            self.slot_symbols[index] = self.sp.Symbol(f"slot_{index}", real=True)
        return self.slot_symbols[index]

    def _expr(self, expression: Any, env: Mapping[str, Any]) -> Any:
        from troughline.model.expressions import to_sympy

        return self.sp.sympify(to_sympy(expression, env, self.levels))

    def _rhs(self, env: Mapping[str, Any]) -> list[Any]:
        index = {s.name: i for i, s in enumerate(self.spec.states)}
        total: list[Any] = [self.sp.Integer(0)] * len(self.states)
        for flow in self.spec.flows:
            amount = self._expr(flow.rate, env) * self.states[index[flow.source]]
            total[index[flow.source]] -= amount
            if flow.target is not None:
                total[index[flow.target]] += amount
        for name, expression in self.spec.derivatives.items():
            total[index[name]] += self._expr(expression, env)
        return total

    def _jacobian(self, rhs: list[Any], states: tuple[Any, ...]) -> tuple[list[dict[int, Any]], list[Any]]:
        """The nonzero entries of ∂f/∂x by row, and f at x = 0."""
        zero = dict.fromkeys(states, 0)
        rows: list[dict[int, Any]] = []
        known: list[Any] = []
        for f in rhs:
            row: dict[int, Any] = {}
            for j, x in enumerate(states):
                if x in f.free_symbols:
                    entry = self._tidy(self.sp.diff(f, x), states)
                    if entry != 0:
                        row[j] = entry
            rows.append(row)
            known.append(self._at_zero(f, zero))
        return rows, known

    def _tidy(self, entry: Any, states: tuple[Any, ...]) -> Any:
        """Drop states that cancel, so that a linear system written oddly is still found linear."""
        if not entry.free_symbols & set(states):
            return entry
        expanded = self.sp.expand(entry)
        if not expanded.free_symbols & set(states):
            return expanded
        cancelled = self.sp.cancel(entry) if not entry.has(self.sp.Piecewise) else entry
        return cancelled if not cancelled.free_symbols & set(states) else entry

    def _at_zero(self, f: Any, zero: dict[Any, Any]) -> Any:
        value = f.subs(zero)
        return self.sp.Integer(0) if value is self.sp.nan or value.has(self.sp.zoo) else value

    def _entry(self, row: int, col: int, expression: Any) -> Entry:
        coefficient, rest = expression.as_coeff_Mul()
        if not coefficient.is_finite:
            coefficient, rest = self.sp.Integer(1), expression
        return Entry(row=row, col=col, slot=self.slots.of(rest), coefficient=float(coefficient))

    def _optional(self, expression: Any) -> int:
        return -1 if expression is None else self.slots.of(self._expr(expression, self.full))

    def _input(self, position: int) -> InputSlots:
        given = self.spec.inputs[position]
        names = [s.name for s in self.spec.states]
        return InputSlots(
            state=names.index(given.compartment),
            bioavailability=self._optional(given.bioavailability),
            lag=self._optional(given.lag),
            duration=self._optional(given.duration),
            rate=self._optional(given.rate),
        )

    def _output(self, output: Output) -> OutputForm:
        error: ErrorModel = output.error
        return OutputForm(
            prediction=self._settled(self._expr(output.prediction, self._slotted_environment())),
            additive=self._optional(error.additive),
            proportional=self._optional(error.proportional),
            power=self._optional(error.power),
            kind=error.kind,
        )

    def _outputs_use_time(
        self, outputs: tuple[OutputForm, ...], slots: tuple[Any, ...], symbols: tuple[Any, ...]
    ) -> bool:
        """Whether a slot that an output or its error needs depends on time or context."""
        at = {symbol: i for i, symbol in enumerate(symbols)}
        needed: set[int] = set()
        for o in outputs:
            needed |= {at[s] for s in o.prediction.free_symbols if s in at}
            needed |= {k for k in (o.additive, o.proportional, o.power) if k >= 0}
        return any(slots[k].free_symbols & set(self.context) for k in needed)
