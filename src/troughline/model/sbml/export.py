"""A model file as an SBML document: parameters, rules for what follows from them, events for doses."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite
from xml.etree.ElementTree import Element

from troughline.model.dimensions import ANYTHING, PURE, Dimension, dimension_of, infer
from troughline.model.expressions import Expression
from troughline.model.grammar import Binary, Name, walk
from troughline.model.sbml.document import Document
from troughline.model.sbml.dosing import Dosing, Regimen
from troughline.model.sbml.mathml import MathWriter, apply, ci, number, time_symbol
from troughline.model.sbml.notes import describe, notes_of_covariate, notes_of_output, notes_of_parameter
from troughline.model.spec import Covariate, ModelSpec

_OF_THE_DOSE = frozenset({"tad", "dose", "interval"})


def to_sbml(
    spec: ModelSpec,
    *,
    covariates: Mapping[str, float | str] | None = None,
    effects: Mapping[str, float] | None = None,
) -> str:
    """The model as an SBML document (Level 3 Version 2): its structure, typical values and dosing.

    `covariates` (data units, or a level's name or code) replace the file's defaults, `effects` the zeros of
    the random effects. Time is in h, amounts in mg, volumes in L; the parameter `output_NAME` of each output
    is in that output's unit. States follow rate rules, what derives from them assignment rules. Doses are an
    event that `dose_amount`, `dose_interval`, `n_doses` and the initial `next_dose_time` control; they begin
    as those of the file's first self-test. Residual errors and the covariance of the random effects, for
    which SBML has no place, stand in the notes.

    Raises `ValueError`, in one line, for an unknown name, a covariate without value or outside its hard
    range, and a function that SBML lacks (`phi`).
    Source: the SBML Level 3 Version 2 Core specification, doi:10.1515/jib-2019-0021.
    """
    return _Export(spec, covariates or {}, effects or {}).text()


class _Export:
    """Writes one model; used once."""

    def __init__(
        self, spec: ModelSpec, covariates: Mapping[str, float | str], effects: Mapping[str, float]
    ) -> None:
        self.spec = spec
        self.document = Document(_identifier(spec.id), spec.title)
        self.units = self.document.units
        self.values = _covariate_values(spec, covariates)
        self.effects = _effect_values(spec, effects)
        names = (
            *(p.name for p in spec.parameters), *(c.name for c in spec.covariates), *self.effects,
            *(name for name, _ in spec.individual), *(s.name for s in spec.states),
            *(name for name, _ in spec.variables), *(g.name for g in spec.gates), "tad",
        )  # fmt: skip
        self.ids = {name: self.document.free(name) for name in names}
        self.dosing = Dosing(self.document)
        self.symbols = {name: ci(identifier) for name, identifier in self.ids.items()}
        self.symbols |= {
            "t": time_symbol(),
            "dose": ci(self.dosing.ids.dose),
            "interval": ci(self.dosing.ids.interval),
        }
        self.levels = {c.name: c.levels for c in spec.covariates if c.levels is not None}
        self.writer = self._writer(self.symbols)
        self.dimensions = self._dimensions()

    def text(self) -> str:
        paragraphs, dois = describe(self.spec)
        self.document.describe(paragraphs, dois)
        self._constants()
        self._individual()
        self._doses()
        self._states()
        for name, expression in self.spec.variables:
            self._quantity(name, expression, f"variables.{name}")
        self._outputs()
        return self.document.text()

    def _writer(self, symbols: Mapping[str, Element]) -> MathWriter:
        return MathWriter(symbols, self.levels, self.units.canonical_of, self.document.functions)

    def _math(self, expression: Expression, place: str, writer: MathWriter | None = None) -> Element:
        try:
            return (writer or self.writer).number(expression.tree)
        except ValueError as error:
            raise ValueError(f"SBML cannot hold {self.spec.id}: {place} {error}") from None

    def _dimensions(self) -> dict[str, Dimension]:
        """What each name measures, as the check of the model file infers it."""
        spec = self.spec
        known = {"t": dimension_of("h"), "tad": dimension_of("h"), "interval": dimension_of("h"),
                 "dose": dimension_of("mg")}  # fmt: skip
        known |= {p.name: dimension_of(p.unit) for p in spec.parameters}
        known |= {c.name: dimension_of(c.unit) for c in spec.covariates}
        known |= {g.name: PURE for g in spec.gates} | {s.name: dimension_of(s.unit) for s in spec.states}
        known |= dict.fromkeys(self.effects, PURE)
        for _, expression in spec.individual:
            for node in walk(expression.tree):
                if isinstance(node, Binary) and node.operator in "+-":
                    for one, other in ((node.left, node.right), (node.right, node.left)):
                        # An effect that is added to a quantity has its unit.
                        if isinstance(one, Name) and one.id in self.effects:
                            known[one.id] = infer(other, known)[0]
        for name, expression in (*spec.individual, *spec.variables):
            found, faults = infer(expression.tree, known)
            known[name] = ANYTHING if faults else found
        return known

    def _constants(self) -> None:
        spec, document = self.spec, self.document
        for p in spec.parameters:
            document.parameter(
                self.ids[p.name], p.value, unit=self.units.canonical_of(p.unit), constant=True,
                notes=notes_of_parameter(p, spec.sources),
            )  # fmt: skip
        for covariate in spec.covariates:
            self._covariate(covariate)
        for name, value in self.effects.items():
            unit = self.units.canonical(self.dimensions[name])
            document.parameter(
                self.ids[name], value, unit=unit, notes=["random effect; 0: a typical patient"]
            )

    def _covariate(self, covariate: Covariate) -> None:
        """A covariate in the unit of data, and where that is not canonical, its canonical value beside it."""
        identifier, document = self.ids[covariate.name], self.document
        document.parameter(
            identifier, self.values[covariate.name], unit=self.units.as_data(covariate.unit),
            notes=notes_of_covariate(covariate),
        )  # fmt: skip
        if covariate.factor == 1:
            return
        canonical = document.free(f"{covariate.name}_canonical")
        document.parameter(canonical, unit=self.units.canonical_of(covariate.unit))
        per_unit = number(float(covariate.factor), self.units.per(covariate.unit))
        document.rule(canonical, apply("times", per_unit, ci(identifier)))
        self.symbols[covariate.name] = ci(canonical)

    def _quantity(self, name: str, expression: Expression, place: str) -> None:
        self.document.parameter(
            self.ids[name], unit=self.units.canonical(self.dimensions[name]), name=expression.text
        )
        self.document.rule(self.ids[name], self._math(expression, place))

    def _individual(self) -> None:
        for name, expression in self.spec.individual:
            self._quantity(name, expression, f"individual.{name}")
        tad, hour = self.ids["tad"], self.units.canonical_of("h")
        self.document.parameter(tad, unit=hour, name="time after the last dose, h")
        self.document.rule(tad, apply("minus", time_symbol(), ci(self.dosing.ids.last)))

    def _doses(self) -> None:
        spec = self.spec
        self.dosing.parameters(_regimen(spec))
        for gate in spec.gates:
            if gate.kind == "clock":
                self.dosing.clock_gate(gate, self.ids[gate.name], self.writer)
        try:
            self.dosing.doses(spec.inputs, spec.gates, self._at_dose(), self.ids)
        except ValueError as error:
            raise ValueError(f"SBML cannot hold {spec.id}: an entry of doses {error}") from None

    def _at_dose(self) -> MathWriter:
        """Writes expressions for the dose that is being given, which no quantity of the model knows yet."""
        symbols = self.symbols | {
            "tad": number(0, self.units.canonical_of("h")),
            "dose": ci(self.dosing.ids.amount),
            "interval": ci(self.dosing.ids.every),
        }
        writer, moved = self._writer(symbols), set(_OF_THE_DOSE)
        for name, expression in self.spec.individual:
            if expression.names & moved:
                moved.add(name)
                symbols[name] = self._math(expression, f"individual.{name}", writer)
        return writer

    def _states(self) -> None:
        spec = self.spec
        changes: dict[str, list[Element]] = {s.name: [] for s in spec.states}
        for flow in spec.flows:
            rate = self._math(flow.rate, f"the flow from {flow.source}")
            amount = apply("times", rate, ci(self.ids[flow.source]))
            changes[flow.source].append(apply("minus", amount))
            if flow.target is not None:
                changes[flow.target].append(amount)
        for name, expression in spec.derivatives.items():
            changes[name].append(self._math(expression, f"derivatives.{name}"))
        for state in spec.states:
            identifier = self.ids[state.name]
            unit = self.units.canonical_of(state.unit)
            self.document.parameter(identifier, 0.0, unit=unit, name=f"{state.name}, a state")
            if state.initial is not None:
                start = self._math(state.initial, f"compartments.{state.name}.initial")
                self.document.initial(identifier, start)
            terms = [*changes[state.name], *self.dosing.rates.get(identifier, ())]
            per_hour = self.units.canonical(dimension_of(state.unit).times(dimension_of("h"), -1))
            self.document.rate_rule(identifier, _sum(terms, per_hour))

    def _outputs(self) -> None:
        for output in self.spec.outputs:
            identifier = self.document.free(f"output_{output.name}")
            content = self._math(output.prediction, f"outputs.{output.name}")
            if output.factor != 1:
                per_unit = number(float(output.factor), self.units.per(output.unit))
                content = apply("divide", content, per_unit)
            unit = self.units.as_data(output.unit)
            label, notes = f"{output.label}, {output.unit}", notes_of_output(output)
            self.document.parameter(identifier, unit=unit, name=label, notes=notes)
            self.document.rule(identifier, content)


def _sum(terms: list[Element], unit: str | None) -> Element:
    if not terms:
        return number(0, unit)
    return terms[0] if len(terms) == 1 else apply("plus", *terms)


def _identifier(model_id: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in model_id)


def _regimen(spec: ModelSpec) -> Regimen:
    """The doses of the first self-test that has some; at steady state they go on for ever."""
    for test in spec.tests:
        for dose in test.doses:
            count = inf if dose.steady_state else dose.additional + 1.0
            return Regimen(amount_mg=dose.amount, interval_h=dose.interval, n_doses=count, first_h=dose.time)
    return Regimen(amount_mg=0.0, interval_h=24.0, n_doses=1.0, first_h=0.0)


def _covariate_values(spec: ModelSpec, given: Mapping[str, float | str]) -> dict[str, float]:
    from troughline.model.build import level_code

    known = [c.name for c in spec.covariates]
    unknown = sorted(set(given) - set(known))
    if unknown:
        listed = ", ".join(known) or "none"
        raise ValueError(f"{spec.id} has no covariate {', '.join(unknown)}; its covariates: {listed}")
    values = dict[str, float]()
    for c in spec.covariates:
        value = given.get(c.name, c.default)
        if value is None:
            raise ValueError(f"{spec.id}: the covariate {c.name} has no default: give it a value")
        values[c.name] = level_code(c, value)
        if c.hard is not None and not c.hard[0] <= values[c.name] <= c.hard[1]:
            low, high = c.hard
            raise ValueError(f"{spec.id}: {c.name} = {value} lies outside {low:g} to {high:g} {c.unit}")
        if not isfinite(values[c.name]):
            raise ValueError(f"{spec.id}: {c.name} must be a finite number, not {value}")
    return values


def _effect_values(spec: ModelSpec, given: Mapping[str, float]) -> dict[str, float]:
    names = (*spec.subject_effects, *spec.occasion_effects)
    unknown = sorted(set(given) - set(names))
    if unknown:
        listed = ", ".join(names) or "none"
        raise ValueError(f"{spec.id} has no random effect {', '.join(unknown)}; its effects: {listed}")
    return {name: float(given.get(name, 0.0)) for name in names}
