"""Faults of a model file that are no matter of units or names in expressions: values, ranges, references."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from troughline.model.naming import Definition
from troughline.model.places import Path, Report
from troughline.model.schema import CovariateItem, ErrorItem, GateItem
from troughline.model.sections import Sections
from troughline.model.wording import did_you_mean

_ERROR_PARTS = {
    "additive": ("additive",),
    "proportional": ("proportional",),
    "combined": ("additive", "proportional"),
    "combined-sd": ("additive", "proportional"),
    "exponential": ("proportional",),
    "log-combined": ("additive", "proportional"),
    "power": ("proportional", "power"),
    "none": (),
}


def check_values(sections: Sections, names: Mapping[str, Definition], report: Report) -> None:
    """Report values outside their ranges, references to what does not exist, and parts that lack another."""
    _check_sources(sections, report)
    _check_parameters(sections, report)
    for name, covariate in sections.covariates.items():
        if covariate is not None:
            _check_covariate(covariate, ("covariates", name), report)
    _check_system(sections, names, report)
    for name, gate in sections.gates.items():
        if gate is not None:
            _check_gate(gate, ("gates", name), report)
    _check_outputs(sections, names, report)


def states_of(names: Mapping[str, Definition]) -> list[str]:
    """The compartments, those of chains too where any is declared."""
    found = {name: d for name, d in names.items() if d.kind == "compartment"}
    return list(found) if any(d.path[0] == "compartments" for d in found.values()) else []


def check_compartment(name: str, states: Iterable[str], path: Path, report: Report) -> None:
    """Report a compartment that does not exist, unless there is none at all, which is its own fault."""
    known = list(states)
    if known and name not in known:
        hint = did_you_mean(name, known, "compartments")
        report.error("unknown-compartment", path, f"unknown compartment {name!r}; {hint}")


def _check_sources(sections: Sections, report: Report) -> None:
    places: list[tuple[str | None, Path]] = []
    if sections.header is not None:
        places.append((sections.header.source, ("model", "source")))
    for name, parameter in sections.parameters.items():
        places.append((parameter and parameter.source, ("parameters", name, "source")))
    for i, block in enumerate(sections.random):
        places.append((block and block.source, ("random", i, "source")))
    for source, path in places:
        if source is not None and source not in sections.sources:
            hint = did_you_mean(source, sections.sources, "sources")
            report.error("unknown-source", path, f"unknown source {source!r}; {hint}")
    header = sections.header
    if header is None or header.source is not None or not (sections.sources or header.calibrated):
        return
    # A calibrated model stands on nothing but its sources; elsewhere a gap is worth a word.
    report_gap = report.error if header.calibrated else report.warning
    for source, path in places[1:]:
        if source is None:
            report_gap("no-source", path[:-1], "names no source, and neither does [model]: add `source`")


def _check_parameters(sections: Sections, report: Report) -> None:
    for name, parameter in sections.parameters.items():
        if parameter is None:
            continue
        path: Path = ("parameters", name)
        low, high, value = parameter.low, parameter.high, parameter.value
        if low is not None and high is not None and low > high:
            report.error("range", path, f"low {low:g} is above high {high:g}")
            continue
        for bad, limit, word in (
            (low is not None and value < low, low, "below low"),
            (high is not None and value > high, high, "above high"),
        ):
            if bad and limit is not None:
                report.error("range", path, f"the value {value:g} is {word} = {limit:g}")


def _check_covariate(covariate: CovariateItem, path: Path, report: Report) -> None:
    if (covariate.unit is None) == (covariate.levels is None):
        report.error("covariate", path, "needs a unit (a number; '1' if it has none) or levels (a category)")
        return
    if covariate.levels is not None:
        _check_category(covariate, covariate.levels, path, report)
        return
    if isinstance(covariate.default, str):
        report.error("bad-value", (*path, "default"), f"must be a number, not {covariate.default!r}")
        return
    ranges = {key: value for key in ("hard", "soft") if (value := getattr(covariate, key)) is not None}
    for key, (low, high) in ranges.items():
        if low >= high:
            report.error("range", (*path, key), f"must rise: {low:g} is not below {high:g}")
            return
        if covariate.default is not None and not low <= covariate.default <= high:
            message = f"the default {covariate.default:g} is outside the {key} range {low:g} to {high:g}"
            report.error("range", (*path, "default"), message)
    if len(ranges) == 2:
        (low, high), (soft_low, soft_high) = ranges["hard"], ranges["soft"]
        if not low <= soft_low <= soft_high <= high:
            message = f"{soft_low:g} to {soft_high:g} is not inside the hard range {low:g} to {high:g}"
            report.error("range", (*path, "soft"), message)


def _check_category(covariate: CovariateItem, levels: list[str], path: Path, report: Report) -> None:
    for key in ("hard", "soft"):
        if getattr(covariate, key) is not None:
            report.error("covariate", (*path, key), "a category has levels, and no range")
    twice = sorted({level for level in levels if levels.count(level) > 1})
    if twice:
        report.error("covariate", (*path, "levels"), f"has the level {twice[0]!r} twice")
    default = covariate.default
    if default is not None and default not in levels:
        hint = did_you_mean(str(default), levels, "levels")
        report.error("unknown-level", (*path, "default"), f"{default!r} is no level; {hint}")


def _check_system(sections: Sections, names: Mapping[str, Definition], report: Report) -> None:
    states = states_of(names)
    for i, flow in enumerate(sections.flows):
        if flow is None:
            continue
        check_compartment(flow.source, states, ("flows", i, "from"), report)
        if flow.target is not None:
            check_compartment(flow.target, states, ("flows", i, "to"), report)
        if flow.target == flow.source:
            report.error("flow", ("flows", i), f"flows from {flow.source} into itself")
        if flow.transits and flow.target is None:
            report.error("flow", ("flows", i, "transits"), "transit compartments need a 'to'")
    for name in sections.derivatives:
        check_compartment(name, states, ("derivatives", name), report)
    for i, dose in enumerate(sections.doses):
        if dose is None:
            continue
        check_compartment(dose.compartment, states, ("doses", i, "compartment"), report)
        if dose.rate is not None and dose.duration is not None:
            report.error("dose", ("doses", i), "has a rate and a duration: either follows from the other")
    if not sections.doses and not sections.dose_free:
        report.warning("no-doses", ("doses",), "no [[doses]]: doses of a table have no place to enter")


def _check_gate(gate: GateItem, path: Path, report: Report) -> None:
    if gate.kind == "after-dose":
        if gate.at is not None:
            report.error("gate", (*path, "at"), "clock hours belong to a gate of kind 'clock'")
        if gate.clock_origin:
            report.error("gate", (*path, "clock_origin"), "belongs to a gate of kind 'clock'")
        return
    if not gate.at:
        report.error("gate", path, "a gate of kind 'clock' needs at = [hours]")
    if gate.length is None:
        report.error("gate", path, "a gate of kind 'clock' needs its length")
    if gate.start is not None:
        report.error("gate", (*path, "start"), "belongs to a gate of kind 'after-dose'")
    hours = gate.at or []
    for i, hour in enumerate(hours):
        if not 0 <= hour < 24:
            report.error("gate", (*path, "at", i), f"{hour:g} is no clock hour: they run from 0 to below 24")
    if hours != sorted(set(hours)):
        report.error("gate", (*path, "at"), "clock hours rise, each once")


def _check_outputs(sections: Sections, names: Mapping[str, Definition], report: Report) -> None:
    states, taken = states_of(names), dict[str, str]()
    for name, output in sections.outputs.items():
        if output is None:
            continue
        path: Path = ("outputs", name)
        _check_error(output.error, (*path, "error"), report)
        low, high = output.lower_limit, output.upper_limit
        if low is not None and high is not None and low >= high:
            report.error("range", path, f"lower_limit {low:g} is not below upper_limit {high:g}")
        for i, compartment in enumerate(output.compartments):
            place: Path = (*path, "compartments", i)
            check_compartment(compartment, states, place, report)
            if compartment in taken:
                report.error("output", place, f"{compartment} means the output {taken[compartment]} already")
            taken[compartment] = name


def _check_error(error: ErrorItem, path: Path, report: Report) -> None:
    needed = _ERROR_PARTS[error.kind]
    allowed = (*needed, "additive") if error.kind == "power" else needed
    for part in ("additive", "proportional", "power"):
        given = getattr(error, part) is not None
        if part in needed and not given:
            report.error("error-model", path, f"the kind {error.kind!r} needs its {part} part")
        elif given and part not in allowed:
            report.error("error-model", (*path, part), f"the kind {error.kind!r} has no {part} part")
