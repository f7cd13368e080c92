"""From a model file to algebra: what the engine needs of a model, derived exactly with SymPy.

Every quantity the engine evaluates at run time that depends on parameters, covariates, random effects or
context alone becomes a *slot*: the entries of the rate matrix, bioavailability, lag, initial values, and so
on. Whether the system is linear in its states between events is found from its equations, not declared. A
linear system is multiplied out. A nonlinear one, and every prediction, stays in the file's own lines: each
quantity that varies with the states or in time is one line (`program`), used by name.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from troughline.model.linearity import number, surely_nonlinear
from troughline.model.program import Line, needed
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
    """One output: its prediction as an expression of states, slots and lines, and the slots of its error."""

    prediction: Any
    additive: int
    proportional: int
    power: int
    kind: str


@dataclass(frozen=True, kw_only=True)
class Derivation:
    """A model as algebra. Expressions are SymPy's; symbols are listed in the order the engine passes them.

    `lines`: the quantities that `rhs` and the predictions use by name, each after those it uses itself.
    """

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
    lines: tuple[Line, ...]
    inputs: tuple[InputSlots, ...]
    gate_slots: tuple[tuple[int, int], ...]
    outputs: tuple[OutputForm, ...]
    slots_use_context: bool
    outputs_use_time: bool
    error_uses_effects: bool

    @property
    def rate_symbols(self) -> set[Any]:
        """Every symbol that a right-hand side uses, itself or through a line."""
        used = [*self.rhs, *(e for _, e in needed(self.lines, self.rhs))]
        return {s for e in used for s in e.free_symbols}


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


def kind_of(spec: ModelSpec) -> int:
    """Whether a model is linear between events, linear and varying in time, or nonlinear."""
    return _Deriver(spec, areas=False).system()[0]


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
        self.meanings: dict[Any, Any] = {}
        area_names = [f"x_area_{o.name}" for o in spec.outputs] if areas else []
        self.all_states = (*self.states, *(symbol(name, **real) for name in area_names))
        self.full = self._environment(self.leaves)
        self.lines: list[Line] = []
        self.inner = self._named_environment()
        self.settled: dict[Any, Any] = {}

    def system(self) -> tuple[int, list[Any], list[dict[int, Any]], list[Any]]:
        """The kind, the right-hand sides, and of a linear model their Jacobian and their values at zero."""
        right = self._rhs(self.inner)
        if self.areas:
            right += [self._expr(o.prediction, self.inner) for o in self.spec.outputs]
        if surely_nonlinear(needed(self.lines, right), right, self.states, self._values()):
            return NONLINEAR, right, [], []
        kind, jacobian, known = self._multiplied_out()
        return kind, right, jacobian, known

    def derivation(self) -> Derivation:
        n_core, states = len(self.states), self.all_states
        kind, right, jacobian, known = self.system()
        matrix: tuple[Entry, ...] = ()
        constant: tuple[Entry, ...] = ()
        rhs: tuple[Any, ...] = ()
        if kind != NONLINEAR:
            matrix = tuple(
                self._entry(i, j, e) for i, row in enumerate(jacobian) for j, e in sorted(row.items())
            )
            constant = tuple(self._entry(i, 0, e) for i, e in enumerate(known) if e != 0)
        else:
            rhs = tuple(self._settled(f) for f in right)
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
            lines=tuple((s, self.settled[s]) for s, _ in self.lines if s in self.settled),
            inputs=inputs,
            gate_slots=gate_slots,
            outputs=outputs,
            slots_use_context=any(s.free_symbols & context for s in others),
            outputs_use_time=self._outputs_use_time(outputs, slots, symbols),
            error_uses_effects=any(e.free_symbols & set(self.effects) for e in error_slots),
        )

    def _multiplied_out(self) -> tuple[int, list[dict[int, Any]], list[Any]]:
        """The kind of the model by its equations without lines, their Jacobian, and their values at zero."""
        states = self.all_states
        env = dict(self.full)
        for name, expression in self.spec.variables:
            env[name] = self._expr(expression, env)
        rhs = self._rhs(env)
        if self.areas:
            rhs += [self._expr(o.prediction, env) for o in self.spec.outputs]
        jacobian, known = self._jacobian(rhs, states)
        rates = [e for row in jacobian for e in row.values()]
        if any(_decides_by(f, set(states)) for f in rhs) or any(e.free_symbols & set(states) for e in rates):
            return NONLINEAR, [], []
        uses_time = any(e.free_symbols & self.time for e in (*rates, *known))
        return VARYING if uses_time else LINEAR, jacobian, known

    def _values(self) -> dict[Any, Any]:
        """A number for every leaf and placeholder, near those of the file."""
        spec = self.spec
        near = [
            p.value + 0.01 * (abs(p.value) or 1.0) * (0.5 + i % 7) / 7 for i, p in enumerate(spec.parameters)
        ]
        codes = [1.0 if c.default is None else c.default for c in spec.covariates]
        effects = [0.05 + 0.01 * (i % 5) for i in range(len(self.effects))]
        gates, context = [0.75] * len(self.gates), [7.25, 3.5, 150.5, 12.125]
        values: dict[Any, Any] = {}
        for symbols, numbers in (
            (self.theta, near), (self.covariates, codes), (self.effects, effects), (self.gates, gates),
            (self.context, context),
        ):  # fmt: skip
            values.update((s, Fraction(v)) for s, v in zip(symbols, numbers, strict=True))
        leaves = {s: number(self.sp, v) for s, v in values.items()}
        values.update((s, number(self.sp, e.xreplace(leaves))) for s, e in self.meanings.items())
        return values

    def _environment(self, leaves: Mapping[str, Any]) -> dict[str, Any]:
        """Every name that uses no state as an expression of leaves, and the states."""
        env = dict(leaves)
        for name, expression in self.spec.individual:
            env[name] = self._expr(expression, env)
        env.update(zip((s.name for s in self.spec.states), self.states, strict=True))
        return env

    def _named_environment(self) -> dict[str, Any]:
        """Every name for a right-hand side: what neither varies in time nor with a state will be a slot,
        everything else is a line.
        """
        env: dict[str, Any] = dict(zip(CONTEXT_NAMES, self.context, strict=True))
        env.update((n, self._lazy(leaf)) for n, leaf in self.leaves.items() if n not in CONTEXT_NAMES)
        env.update(zip((s.name for s in self.spec.states), self.states, strict=True))
        still = dict(self.full)
        moving = {*CONTEXT_NAMES[:2], *(s.name for s in self.spec.states)}
        for name, expression in (*self.spec.individual, *self.spec.variables):
            if expression.names & moving:
                env[name] = self._line(name, self._expr(expression, env))
                moving.add(name)
            else:
                still[name] = self._expr(expression, still)
                env[name] = self._lazy(still[name])
        return env

    def _line(self, name: str, expression: Any) -> Any:
        """The symbol of a line; what is a number or a symbol stays what it is."""
        if expression.is_Atom:
            return expression
        symbol = self.sp.Symbol(f"v_{name}", real=True)
        self.lines.append((symbol, expression))
        return symbol

    def _lazy(self, expression: Any) -> Any:
        """A placeholder for an expression that becomes a slot if it is used; numbers stay numbers."""
        if expression.is_number:
            return expression
        if expression not in self.placeholders:
            symbol = self.sp.Symbol(f"later_{len(self.placeholders)}", real=True)
            self.placeholders[expression], self.meanings[symbol] = symbol, expression
        return self.placeholders[expression]

    def _settled(self, expression: Any) -> Any:
        """The expression with slots in place of the placeholders that it and its lines use."""
        for symbol, line in needed(self.lines, [expression]):
            if symbol not in self.settled:
                self.settled[symbol] = self._with_slots(line)
        return self._with_slots(expression)

    def _with_slots(self, expression: Any) -> Any:
        free = expression.free_symbols
        used = {s: self._slot_symbol(self.slots.of(e)) for s, e in self.meanings.items() if s in free}
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
            prediction=self._settled(self._expr(output.prediction, self.inner)),
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
        predictions = [o.prediction for o in outputs]
        lines = [e for _, e in needed(list(self.settled.items()), predictions)]
        used = {at[s] for e in (*predictions, *lines) for s in e.free_symbols if s in at}
        used |= {k for o in outputs for k in (o.additive, o.proportional, o.power) if k >= 0}
        return any(slots[k].free_symbols & set(self.context) for k in used)
