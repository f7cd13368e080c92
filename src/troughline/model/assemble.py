"""Builds the canonical model from sections in which nothing is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from troughline.model.expressions import Expression
from troughline.model.schema import ExpectationItem
from troughline.model.sections import Sections
from troughline.model.spec import (
    Covariate,
    ErrorModel,
    Expectation,
    Floats,
    Flow,
    Gate,
    Input,
    ModelSpec,
    Output,
    Parameter,
    RandomBlock,
    SelfTest,
    Source,
    State,
    TestDose,
)
from troughline.units import canonical_factor


def assemble(
    sections: Sections, order: Sequence[str], covariances: Sequence[Floats], sha256: str
) -> ModelSpec:
    """The model, all numbers in canonical units; `covariances` has that of each block of random effects."""
    header, units = sections.header, sections.units
    assert header is not None
    assert units is not None
    states, flows = _system(sections)
    return ModelSpec(
        id=header.id,
        title=header.title,
        drug=header.drug,
        revision=header.revision,
        description=header.description,
        population=header.population,
        time_unit=units.time,
        amount_unit=units.amount,
        sources={
            name: Source(id=name, citation=s.citation, doi=s.doi, note=s.note)
            for name, s in sections.sources.items()
            if s is not None
        },
        parameters=_parameters(sections, header.source or ""),
        covariates=_covariates(sections),
        random=_random(sections, covariances, header.source or ""),
        individual=_ordered(sections, "individual", order),
        variables=_ordered(sections, "variables", order),
        states=states,
        flows=flows,
        derivatives={
            name: e
            for name in sections.derivatives
            if (e := sections.expression("derivatives", name)) is not None
        },
        gates=_gates(sections),
        inputs=_inputs(sections),
        outputs=_outputs(sections),
        tests=_tests(sections),
        notes=tuple(header.notes),
        calibrated=header.calibrated,
        sha256=sha256,
    )


def exact(value: float) -> Fraction:
    """A number as the file has it: 0.1 is one tenth, not the nearest binary fraction."""
    return Fraction(repr(value))


def _parameters(sections: Sections, default_source: str) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(
            name=name,
            value=float(exact(p.value) * canonical_factor(p.unit)),
            unit=p.unit,
            value_as_written=float(p.value),
            low=p.low,
            high=p.high,
            level=p.level,
            rse_percent=p.rse_percent,
            source=default_source if p.source is None else p.source,
            verified=p.verified,
            note=p.note,
        )
        for name, p in sections.parameters.items()
        if p is not None
    )


def _covariates(sections: Sections) -> tuple[Covariate, ...]:
    return tuple(
        Covariate(
            name=name,
            unit=c.unit or "1",
            factor=canonical_factor(c.unit or "1"),
            default=_code(c.default, c.levels),
            hard=(c.hard[0], c.hard[1]) if c.hard else None,
            soft=(c.soft[0], c.soft[1]) if c.soft else None,
            carry=c.carry,
            levels=tuple(c.levels) if c.levels else None,
            note=c.note,
        )
        for name, c in sections.covariates.items()
        if c is not None
    )


def _code(value: float | str | None, levels: Sequence[str] | None) -> float | None:
    """A covariate's value as a number: a level as its position among the levels."""
    if isinstance(value, str):
        return float(list(levels or ()).index(value))
    return None if value is None else float(value)


def _random(
    sections: Sections, covariances: Sequence[Floats], default_source: str
) -> tuple[RandomBlock, ...]:
    blocks = [block for block in sections.random if block is not None]
    return tuple(
        RandomBlock(
            level=block.level,
            effects=tuple(block.effects),
            covariance=covariance,
            source=default_source if block.source is None else block.source,
            verified=block.verified,
            note=block.note,
        )
        for block, covariance in zip(blocks, covariances, strict=True)
    )


def _ordered(sections: Sections, section: str, order: Sequence[str]) -> tuple[tuple[str, Expression], ...]:
    return tuple((name, e) for name in order if (e := sections.expression(section, name)) is not None)


def _system(sections: Sections) -> tuple[tuple[State, ...], tuple[Flow, ...]]:
    declared = {name: c for name, c in sections.compartments.items() if c is not None}
    states = [
        State(name=name, unit=c.unit, initial=sections.expression("compartments", name, "initial"))
        for name, c in declared.items()
    ]
    flows = list[Flow]()
    for i, flow in enumerate(sections.flows):
        rate = sections.expression("flows", i, "rate")
        if flow is None or rate is None:
            continue
        chain = [name for name, position in sections.chains if position == i]
        states += [State(name=name, unit=declared[flow.source].unit, transit=True) for name in chain]
        stops = [flow.source, *chain, flow.target]
        flows += [
            Flow(source=source, target=target, rate=rate)
            for source, target in pairwise(stops)
            if source is not None
        ]
    return tuple(states), tuple(flows)


def _gates(sections: Sections) -> tuple[Gate, ...]:
    return tuple(
        Gate(
            name=name,
            kind=gate.kind,
            start=sections.expression("gates", name, "start"),
            length=sections.expression("gates", name, "length"),
            at=tuple(float(hour) for hour in gate.at or ()),
            clock_origin_h=gate.clock_origin,
        )
        for name, gate in sections.gates.items()
        if gate is not None
    )


def _inputs(sections: Sections) -> tuple[Input, ...]:
    return tuple(
        Input(
            compartment=dose.compartment,
            bioavailability=sections.expression("doses", i, "bioavailability"),
            lag=sections.expression("doses", i, "lag"),
            duration=sections.expression("doses", i, "duration"),
            rate=sections.expression("doses", i, "rate"),
        )
        for i, dose in enumerate(sections.doses)
        if dose is not None
    )


def _outputs(sections: Sections) -> tuple[Output, ...]:
    outputs = list[Output]()
    for name, o in sections.outputs.items():
        prediction = sections.expression("outputs", name, "prediction")
        if o is None or prediction is None:
            continue
        error = ErrorModel(
            kind=o.error.kind,
            additive=sections.expression("outputs", name, "error", "additive"),
            proportional=sections.expression("outputs", name, "error", "proportional"),
            power=sections.expression("outputs", name, "error", "power"),
        )
        outputs.append(
            Output(
                name=name,
                prediction=prediction,
                unit=o.unit,
                factor=canonical_factor(o.unit),
                error=error,
                lower_limit=o.lower_limit,
                upper_limit=o.upper_limit,
                compartments=tuple(o.compartments),
                label=o.label or name,
            )
        )
    return tuple(outputs)


def _tests(sections: Sections) -> tuple[SelfTest, ...]:
    only = next(iter(sections.outputs), "")
    factors = {k: canonical_factor(p.unit) for k, p in sections.parameters.items() if p is not None}
    levels = {k: c.levels for k, c in sections.covariates.items() if c is not None}
    return tuple(
        SelfTest(
            name=test.name,
            doses=tuple(TestDose(**dose.model_dump()) for dose in test.doses),
            expectations=tuple(
                Expectation(
                    quantity=e.quantity,
                    value=e.value,
                    output=e.output or only,
                    time=e.time or 0.0,
                    start=e.start or 0.0,
                    end=e.end or 0.0,
                    relative_tolerance=_relative_tolerance(e),
                    absolute_tolerance=e.absolute_tolerance or 0.0,
                )
                for e in test.expect
            ),
            covariates={k: _code(v, levels[k]) or 0.0 for k, v in test.covariates.items()},
            parameters={k: float(exact(v) * factors[k]) for k, v in test.parameters.items()},
            effects=dict(test.effects),
            source=test.source,
        )
        for test in sections.tests
        if test is not None
    )


def _relative_tolerance(item: ExpectationItem) -> float:
    """0.001 where a number's test gives no tolerance at all; a tolerance that is given alone is the whole."""
    if item.relative_tolerance is not None:
        return item.relative_tolerance
    return 1e-3 if item.absolute_tolerance is None else 0.0
