"""Whether every expression of a model file measures what its place needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from troughline.model.dimensions import ANYTHING, EFFECT, PURE, Dimension, dimension_of, infer
from troughline.model.naming import Definition
from troughline.model.places import Path, Report
from troughline.model.sections import Sections
from troughline.units import is_unit

TIME = Dimension((("[time]", Fraction(1)),))
PER_TIME = Dimension((("[time]", Fraction(-1)),))
AMOUNT = Dimension((("[mass]", Fraction(1)),))


def check_units(
    sections: Sections, names: Mapping[str, Definition], order: Sequence[str], report: Report
) -> None:
    """Report every unknown unit and every expression whose dimension does not fit its place.

    `order` lists individual quantities, variables and gates so that each follows what it uses.
    """
    check = _UnitCheck(sections, report)
    check.declared(names)
    for name in order:
        for section in ("individual", "variables"):
            # A name that is defined twice keeps its first meaning.
            if (section, name) in sections.formulas and names[name].path == (section, name):
                check.known[name] = check.of((section, name))
    check.gates()
    check.system()
    check.doses()
    check.outputs()


class _UnitCheck:
    def __init__(self, sections: Sections, report: Report) -> None:
        self.sections, self.report = sections, report
        self.known: dict[str, Dimension] = {"t": TIME, "tad": TIME, "interval": TIME, "dose": AMOUNT}

    def unit(self, unit: str, path: Path) -> Dimension:
        """The dimension of a unit written at a place; an unknown unit is reported and fits everything."""
        if is_unit(unit):
            return dimension_of(unit)
        self.report.error("unknown-unit", path, f"{unit!r} is no unit known here")
        return ANYTHING

    def of(self, path: Path) -> Dimension:
        """The dimension of the expression at a place; what does not fit inside it is reported."""
        formula = self.sections.formulas.get(path)
        if formula is None or formula.expression is None:
            return ANYTHING
        found, faults = infer(formula.expression.tree, self.known)
        for fault in faults:
            self.report.error("unknown-unit" if "no unit known" in fault else "unit", path, fault)
        return ANYTHING if faults else found

    def needs(self, path: Path, wanted: Dimension, what: str) -> None:
        """Report the expression at a place if it does not measure what it should; `what` names it."""
        found = self.of(path)
        if not found.fits(wanted):
            self.report.error("unit", path, f"{what} must be {wanted}, and this is {found}")

    def declared(self, names: Mapping[str, Definition]) -> None:
        sections, known = self.sections, self.known
        for name, parameter in sections.parameters.items():
            if parameter is not None:
                known[name] = self.unit(parameter.unit, ("parameters", name, "unit"))
        for name, covariate in sections.covariates.items():
            if covariate is not None and covariate.unit is not None:
                known[name] = self.unit(covariate.unit, ("covariates", name, "unit"))
        for name, compartment in sections.compartments.items():
            if compartment is not None:
                known[name] = self.unit(compartment.unit, ("compartments", name, "unit"))
        for name, position in sections.chains:
            flow = sections.flows[position]
            known[name] = known.get(flow.source, ANYTHING) if flow else ANYTHING
        known |= {n: EFFECT for n, d in names.items() if d.kind == "random effect"}
        known |= {n: PURE for n, d in names.items() if d.kind == "gate"}
        if sections.units is not None:
            for key, wanted, what in (("time", TIME, "a time"), ("amount", AMOUNT, "a mass")):
                unit: str = getattr(sections.units, key)
                if not self.unit(unit, ("units", key)).fits(wanted):
                    self.report.error("unit", ("units", key), f"{unit!r} is no unit of {what}")

    def gates(self) -> None:
        for name in self.sections.gates:
            for key in ("start", "length"):
                self.needs(("gates", name, key), TIME, f"the {key} of a gate")

    def system(self) -> None:
        sections = self.sections
        for name in sections.compartments:
            self.needs(("compartments", name, "initial"), self.state(name), f"the initial value of {name}")
        for i, flow in enumerate(sections.flows):
            self.needs(("flows", i, "rate"), PER_TIME, "the rate of a flow")
            if flow is not None and flow.target is not None:
                source, target = self.state(flow.source), self.state(flow.target)
                if not source.fits(target):
                    message = f"flows from {flow.source} ({source}) to {flow.target} ({target})"
                    self.report.error("unit", ("flows", i), message)
        for name in sections.derivatives:
            self.needs(("derivatives", name), self.state(name).times(PER_TIME), f"the derivative of {name}")

    def state(self, name: str) -> Dimension:
        return self.known.get(name, ANYTHING) if name in self.sections.compartments else ANYTHING

    def doses(self) -> None:
        for i, dose in enumerate(self.sections.doses):
            if dose is None:
                continue
            target = self.state(dose.compartment)
            if not target.fits(AMOUNT):
                self.report.error(
                    "unit", ("doses", i, "compartment"),
                    f"a dose is an amount (mg), and {dose.compartment} is {target}",
                )  # fmt: skip
            self.needs(("doses", i, "bioavailability"), PURE, "a bioavailability")
            self.needs(("doses", i, "lag"), TIME, "a lag")
            self.needs(("doses", i, "duration"), TIME, "a duration")
            self.needs(("doses", i, "rate"), AMOUNT.times(PER_TIME), "the rate of a dose")

    def outputs(self) -> None:
        for name, output in self.sections.outputs.items():
            if output is None:
                continue
            measured = self.unit(output.unit, ("outputs", name, "unit"))
            self.needs(("outputs", name, "prediction"), measured, f"the prediction (in {output.unit})")
            error: Path = ("outputs", name, "error")
            self.needs((*error, "additive"), measured, f"an additive error (in {output.unit})")
            self.needs((*error, "proportional"), PURE, "a proportional error")
            self.needs((*error, "power"), PURE, "the power of an error")
