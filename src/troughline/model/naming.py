"""The one namespace of a model file: what each name is, who uses it, and in which order things follow."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from troughline.model.grammar import FUNCTIONS, Comparison, Level, Name, Node, parts
from troughline.model.places import Path, Report, dotted
from troughline.model.sections import Sections, is_whole
from troughline.model.spec import CONTEXT_NAMES
from troughline.model.wording import did_you_mean

Kind = Literal[
    "parameter", "covariate", "random effect", "individual quantity", "compartment", "variable", "gate"
]


@dataclass(frozen=True, slots=True)
class Definition:
    """What a name is and where it is defined."""

    kind: Kind
    path: Path


def definitions(sections: Sections, report: Report) -> dict[str, Definition]:
    """What each name of the model is; a name that is malformed, reserved or used twice is reported."""
    found = dict[str, Definition]()
    for name, kind, path in _declared(sections):
        problem = _problem(name)
        if problem:
            report.error("reserved-name" if "reserved" in problem else "bad-name", path, problem)
        if name in found:
            first = found[name]
            line = report.line(first.path)
            where = f"{dotted(first.path)}, row {line}" if line else dotted(first.path)
            report.error("duplicate-name", path, f"{name} is the name of a {first.kind} already ({where})")
        else:
            found[name] = Definition(kind, path)
    return found


def check_uses(sections: Sections, names: Mapping[str, Definition], report: Report) -> None:
    """Report unknown names, states where there are none yet, misused categories, and what nothing uses."""
    used = set[str]()
    levels = {k: c.levels for k, c in sections.covariates.items() if c is not None and c.levels}
    numbers = {n for n in names if n not in levels and sections.covariates.get(n, True) is not None}
    for path, formula in sections.formulas.items():
        if formula.expression is None:
            continue
        used |= formula.expression.names
        for name in sorted(formula.expression.names):
            if name in CONTEXT_NAMES:
                continue
            if name not in names:
                if formula.place == "with states" and not sections.compartments:
                    continue
                report.error("unknown-name", path, _unknown(name, names))
            elif formula.place == "before states" and names[name].kind in ("compartment", "variable"):
                report.error(
                    "state-not-allowed", path, f"uses {name}, a {names[name].kind}: only flows, derivatives, "
                    "variables and predictions know the states"
                )  # fmt: skip
        for fault in _category_faults(formula.expression.tree, levels, numbers):
            report.error("category", path, fault)
    if is_whole(sections):
        for name, definition in names.items():
            if definition.kind in ("parameter", "covariate", "random effect") and name not in used:
                report.warning("unused", definition.path, f"nothing uses the {definition.kind} {name}")


def ordered(sections: Sections, report: Report) -> list[str]:
    """Individual quantities, variables and gates, each after what it uses, else in file order.

    A cycle is reported once, as `CL → V → CL`.
    """
    uses = _uses(sections)
    order, left = list[str](), list(uses)
    while left:
        ready = next((name for name in left if not uses[name] & set(left)), None)
        if ready is not None:
            left.remove(ready)
            order.append(ready)
            continue
        cycle = _cycle(left, uses)
        chain = " → ".join([*cycle, cycle[0]])
        path = next(p for p in sections.formulas if p[1] == cycle[0] and p[0] in _ORDERED)
        report.error("cycle", path, f"a quantity cannot depend on itself: {chain}")
        for name in cycle:
            left.remove(name)
            order.append(name)
    return order


_ORDERED = ("individual", "variables", "gates")


def _uses(sections: Sections) -> dict[str, set[str]]:
    """For each individual quantity, gate and variable the names that its expressions use."""
    uses = dict[str, set[str]]()
    for path, formula in sections.formulas.items():
        if path[0] in _ORDERED:
            names = formula.expression.names if formula.expression else ()
            uses.setdefault(str(path[1]), set()).update(names)
    return uses


def _cycle(left: list[str], uses: Mapping[str, set[str]]) -> list[str]:
    walked = [left[0]]
    while True:
        following = next(name for name in left if name in uses[walked[-1]])
        if following in walked:
            cycle = walked[walked.index(following) :]
            first = min(range(len(cycle)), key=lambda i: left.index(cycle[i]))
            return cycle[first:] + cycle[:first]
        walked.append(following)


def _declared(sections: Sections) -> Iterable[tuple[str, Kind, Path]]:
    for name in sections.parameters:
        yield name, "parameter", ("parameters", name)
    for name in sections.covariates:
        yield name, "covariate", ("covariates", name)
    for name, path in sections.effects:
        yield name, "random effect", path
    for name in sections.individual:
        yield name, "individual quantity", ("individual", name)
    for name in sections.compartments:
        yield name, "compartment", ("compartments", name)
    for name, position in sections.chains:
        yield name, "compartment", ("flows", position, "transits")
    for name in sections.variables:
        yield name, "variable", ("variables", name)
    for name in sections.gates:
        yield name, "gate", ("gates", name)


def _problem(name: str) -> str | None:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,59}", name):
        return "a name starts with a letter and has only letters, digits and _, at most 60"
    if name in CONTEXT_NAMES:
        return f"{name} is reserved: it stands for {_CONTEXT[name]}"
    if name in FUNCTIONS:
        return f"{name} is reserved: it is a function"
    if keyword.iskeyword(name):
        return f"{name} is reserved: it is a word of the language"
    return None


_CONTEXT = {
    "t": "the time", "tad": "the time after the last dose", "dose": "the amount of the dose",
    "interval": "the dosing interval",
}  # fmt: skip


def _unknown(name: str, names: Mapping[str, Definition]) -> str:
    if name in FUNCTIONS:
        return f"uses the function {name} without its brackets"
    if re.match(r"(eta|kappa)(_|\d|$)", name, re.IGNORECASE):
        kin = [n for n, d in names.items() if d.kind == "random effect"]
        return f"unknown random effect {name}; {did_you_mean(name, kin, 'declared random effects')}"
    hint = did_you_mean(name, (*names, *CONTEXT_NAMES), "names")
    return f"unknown name {name}" + (f"; {hint}" if hint.startswith("did") else "")


def _category_faults(node: Node, levels: Mapping[str, list[str]], numbers: set[str]) -> Iterable[str]:
    """What is wrong with the categories in an expression: a level they lack, or use as a number.

    `numbers` are the names that are surely no category.
    """
    if isinstance(node, Name) and node.id in levels:
        options = " or ".join(f'{node.id} == "{level}"' for level in levels[node.id][:3])
        yield f"uses the category {node.id} as a number: compare it, {options}"
    if isinstance(node, Comparison) and any(isinstance(o, Level) for o in node.operands):
        name = next(o.id for o in node.operands if isinstance(o, Name))
        level = next(o.text for o in node.operands if isinstance(o, Level))
        if name in numbers:
            yield f'compares {name} with "{level}", and {name} is no category'
        elif level not in levels.get(name, (level,)):
            yield f'"{level}" is no level of {name}; {did_you_mean(level, levels[name], "levels")}'
        return
    for part in parts(node):
        yield from _category_faults(part, levels, numbers)
