"""The self-tests of a model file: what they name exists, and every number has what it needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from troughline.model.naming import Definition
from troughline.model.places import Path, Report
from troughline.model.schema import ExpectationItem, TestDoseItem, TestItem
from troughline.model.sections import Sections
from troughline.model.value_checks import check_compartment, states_of
from troughline.model.wording import did_you_mean, shown


def check_tests(sections: Sections, names: Mapping[str, Definition], report: Report) -> None:
    """Report what a self-test names and the model lacks, and numbers it needs and does not give."""
    seen = set[str]()
    for i, test in enumerate(sections.tests):
        if test is None:
            continue
        path: Path = ("tests", i)
        if test.name in seen:
            report.error("test", (*path, "name"), f"a test {test.name!r} stands above already")
        seen.add(test.name)
        effects = [name for name, _ in sections.effects]
        _known(test.parameters, sections.parameters, "parameters", path, report)
        _known(test.effects, effects, "effects", path, report)
        _check_covariates(test, sections, path, report)
        for j, dose in enumerate(test.doses):
            _check_dose(dose, states_of(names), (*path, "doses", j), report)
        for j, expectation in enumerate(test.expect):
            _check_expectation(expectation, list(sections.outputs), (*path, "expect", j), report)


def _known(given: Iterable[str], known: Iterable[str], noun: str, path: Path, report: Report) -> None:
    options = list(known)
    for name in given:
        if name not in options:
            hint = did_you_mean(name, options, noun)
            report.error("test", (*path, noun, name), f"unknown {noun[:-1]} {name}; {hint}")


def _check_covariates(test: TestItem, sections: Sections, path: Path, report: Report) -> None:
    _known(test.covariates, sections.covariates, "covariates", path, report)
    for name, covariate in sections.covariates.items():
        if covariate is None:
            continue
        place: Path = (*path, "covariates", name)
        if name not in test.covariates:
            if covariate.default is None:
                report.error("test", path, f"the covariate {name} has no default: the test must give it")
            continue
        value = test.covariates[name]
        if covariate.levels is not None:
            if value not in covariate.levels:
                hint = did_you_mean(str(value), covariate.levels, "levels")
                report.error("test", place, f"{shown(value)} is no level of {name}; {hint}")
        elif isinstance(value, str):
            report.error("test", place, f"must be a number, not {shown(value)}")
        elif covariate.hard is not None:
            low, high = covariate.hard
            if low <= value <= high or low >= high:
                continue
            report.error("test", place, f"{value:g} is outside the hard range {low:g} to {high:g}")


def _check_dose(dose: TestDoseItem, states: list[str], path: Path, report: Report) -> None:
    if dose.compartment is not None:
        check_compartment(dose.compartment, states, (*path, "compartment"), report)
    if (dose.additional or dose.steady_state) and not dose.interval:
        report.error("test", path, "additional doses and a steady state need an interval")


def _check_expectation(item: ExpectationItem, outputs: list[str], path: Path, report: Report) -> None:
    if item.output is None and len(outputs) > 1:
        report.error("test", path, f"must say which output: {', '.join(outputs)}")
    if item.output is not None and item.output not in outputs:
        hint = did_you_mean(item.output, outputs, "outputs")
        report.error("test", (*path, "output"), f"unknown output {item.output}; {hint}")
    needed = ("time",) if item.quantity == "at" else ("start", "end")
    for key in ("time", "start", "end"):
        given = getattr(item, key) is not None
        if key in needed and not given:
            report.error("test", path, f"the quantity {item.quantity!r} needs {' and '.join(needed)}")
            return
        if given and key not in needed:
            report.error("test", (*path, key), f"the quantity {item.quantity!r} has no {key}")
    if item.start is not None and item.end is not None and item.start >= item.end:
        report.error("test", path, f"start {item.start:g} is not before end {item.end:g}")
