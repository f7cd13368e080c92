"""The sections of a model file, each part checked against its schema, and every expression in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, cast

from pydantic import BaseModel

from troughline.model import schema
from troughline.model.expressions import Expression, ExpressionError, parse
from troughline.model.places import Path, Report
from troughline.model.schema_messages import validated
from troughline.model.wording import did_you_mean, near, shown

Item = TypeVar("Item", bound=BaseModel)
Place = Literal["before states", "with states"]

TABLES = (
    "model", "units", "sources", "parameters", "covariates", "individual", "compartments", "derivatives",
    "variables", "gates", "outputs",
)  # fmt: skip
ARRAYS = ("random", "flows", "doses", "tests")
NEEDED = ("model", "compartments", "outputs")


@dataclass(slots=True, kw_only=True)
class Sections:
    """A model file in parts; a part that cannot be used is None, so that its name stays known.

    `dose_free`: the file says `doses = []`.
    """

    header: schema.HeaderItem | None
    units: schema.UnitsItem | None
    sources: Mapping[str, schema.SourceItem | None]
    parameters: Mapping[str, schema.ParameterItem | None]
    covariates: Mapping[str, schema.CovariateItem | None]
    random: list[schema.RandomItem | None]
    effects: list[tuple[str, Path]]
    individual: Mapping[str, str | None]
    compartments: Mapping[str, schema.CompartmentItem | None]
    flows: list[schema.FlowItem | None]
    derivatives: Mapping[str, str | None]
    variables: Mapping[str, str | None]
    gates: Mapping[str, schema.GateItem | None]
    doses: list[schema.DoseItem | None]
    dose_free: bool
    outputs: Mapping[str, schema.OutputItem | None]
    tests: list[schema.TestItem | None]
    formulas: dict[Path, Formula] = field(default_factory=dict[Path, "Formula"])

    def expression(self, *path: str | int) -> Expression | None:
        """The expression that stands at a place; None where there is none, or none that can be read."""
        formula = self.formulas.get(path)
        return formula.expression if formula else None

    @property
    def chains(self) -> list[tuple[str, int]]:
        """The transit compartments that flows make, in order, each with the position of its flow."""
        return [
            (f"{flow.source}_{flow.target}_{number}", position)
            for position, flow in enumerate(self.flows)
            if flow is not None and flow.target is not None
            for number in range(1, flow.transits + 1)
        ]


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression and whether it is evaluated before the states are known, or with them."""

    expression: Expression | None
    place: Place


def read_sections(data: Mapping[str, Any], report: Report) -> Sections:
    """Check every part of a file read by `tomllib` against its schema and read its expressions."""
    data = _with_known_names(data, report)
    tables = {name: _table(data, name, report) for name in TABLES}
    arrays = {name: _array(data, name, report) for name in ARRAYS}

    def named(model: type[Item], section: str) -> dict[str, Item | None]:
        return {k: validated(model, v, (section, k), report) for k, v in tables[section].items()}

    def listed(model: type[Item], section: str) -> list[Item | None]:
        return [validated(model, v, (section, i), report) for i, v in enumerate(arrays[section])]

    def formulas(section: str) -> dict[str, str | None]:
        return {k: _formula_text(v, (section, k), report) for k, v in tables[section].items()}

    sections = Sections(
        header=validated(schema.HeaderItem, data["model"], ("model",), report) if data.get("model") else None,
        units=validated(schema.UnitsItem, tables["units"], ("units",), report),
        sources=named(schema.SourceItem, "sources"),
        parameters=named(schema.ParameterItem, "parameters"),
        covariates=named(schema.CovariateItem, "covariates"),
        random=listed(schema.RandomItem, "random"),
        effects=_effects(arrays["random"]),
        individual=formulas("individual"),
        compartments=named(schema.CompartmentItem, "compartments"),
        flows=listed(schema.FlowItem, "flows"),
        derivatives=formulas("derivatives"),
        variables=formulas("variables"),
        gates=named(schema.GateItem, "gates"),
        doses=listed(schema.DoseItem, "doses"),
        dose_free=data.get("doses") == [],
        outputs=named(schema.OutputItem, "outputs"),
        tests=listed(schema.TestItem, "tests"),
    )
    _read_formulas(sections, report)
    return sections


def is_whole(sections: Sections) -> bool:
    """Whether every part could be read, and every expression."""
    parts: list[Any] = [sections.header, sections.units]
    for mapping in (
        sections.sources, sections.parameters, sections.covariates, sections.individual,
        sections.compartments, sections.derivatives, sections.variables, sections.gates, sections.outputs,
    ):  # fmt: skip
        parts += mapping.values()
    for items in (sections.random, sections.flows, sections.doses, sections.tests):
        parts += items
    parts += [formula.expression for formula in sections.formulas.values()]
    return all(part is not None for part in parts)


def _with_known_names(data: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """The sections by name, each misspelt one reported and then read as the one that was meant."""
    known, named = (*TABLES, *ARRAYS), dict(data)
    for name in data:
        if name in known:
            continue
        hint = did_you_mean(name, known, "sections")
        report.error("unknown-section", (name,), f"unknown section; {hint}")
        meant = near(name, known)
        if meant is not None and meant not in named:
            named[meant] = data[name]
            report.rename(name, meant)
    for name in NEEDED:
        if name not in named:
            report.error("missing-section", (name,), f"[{name}] is needed and missing")
        elif not named[name]:
            report.error("missing-section", (name,), f"[{name}] is empty")
    return named


def _table(data: Mapping[str, Any], name: str, report: Report) -> dict[str, Any]:
    value: Any = data.get(name, {})
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    if name != "model":  # its schema says so itself
        wanted = f"write [{name}] in one bracket" if isinstance(value, list) else "must be a table of keys"
        report.error("bad-value", (name,), wanted)
    return {}


def _array(data: Mapping[str, Any], name: str, report: Report) -> list[Any]:
    value: Any = data.get(name, [])
    if isinstance(value, list):
        return cast("list[Any]", value)
    report.error("bad-value", (name,), f"write [[{name}]] in two brackets")
    return []


def _formula_text(value: Any, path: Path, report: Report) -> str | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(value)
    if isinstance(value, str):
        return value
    report.error("bad-value", path, f"must be an expression in quotes, not {shown(value)}")
    return None


def _effects(blocks: list[Any]) -> list[tuple[str, Path]]:
    """The declared random effects, also of a block that has another fault."""
    found = list[tuple[str, Path]]()
    for i, block in enumerate(blocks):
        names: Any = cast("dict[str, Any]", block).get("effects") if isinstance(block, dict) else None
        for j, name in enumerate(cast("list[Any]", names) if isinstance(names, list) else []):
            if isinstance(name, str):
                found.append((name, ("random", i, "effects", j)))
    return found


def _read_formulas(sections: Sections, report: Report) -> None:
    def add(text: str | None, place: Place, *path: str | int) -> None:
        if text is None:
            return
        expression = None
        try:
            expression = parse(text)
        except ExpressionError as error:
            report.error("expression", path, f"the expression {shown(text)} {error}")
        sections.formulas[path] = Formula(expression, place)

    def add_all(item: BaseModel | None, keys: tuple[str, ...], place: Place, *path: str | int) -> None:
        for key in keys:
            add(getattr(item, key, None), place, *path, key)

    for name, text in sections.individual.items():
        add(text, "before states", "individual", name)
    for name, text in sections.variables.items():
        add(text, "with states", "variables", name)
    for name, text in sections.derivatives.items():
        add(text, "with states", "derivatives", name)
    for name, compartment in sections.compartments.items():
        add_all(compartment, ("initial",), "before states", "compartments", name)
    for i, flow in enumerate(sections.flows):
        add_all(flow, ("rate",), "with states", "flows", i)
    for name, gate in sections.gates.items():
        add_all(gate, ("start", "length"), "before states", "gates", name)
    for i, dose in enumerate(sections.doses):
        add_all(dose, ("bioavailability", "lag", "duration", "rate"), "before states", "doses", i)
    for name, output in sections.outputs.items():
        add_all(output, ("prediction",), "with states", "outputs", name)
        if output is not None:
            parts = ("additive", "proportional", "power")
            add_all(output.error, parts, "before states", "outputs", name, "error")
