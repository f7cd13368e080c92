"""`models list`, `show`, `check` and `export`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from troughline.cli.console import (
    ALL_ANSWERED,
    BAD_CONFIGURATION,
    SOME_NOT_ANSWERED,
    model_of,
    naming_a_model,
    print_table,
    progress_bar,
    refusal,
)
from troughline.output_file import check_output, whole_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from troughline.model.model import Model
    from troughline.report.model_view import TextTable

app = typer.Typer(
    help="Drug models: those that come with Troughline, and your own files.", no_args_is_help=True
)
Reference = Annotated[
    str, typer.Argument(metavar="ID|FILE", help="A model's id, or a model file (its name ends in .toml).")
]


class Format(StrEnum):
    """What a model can be written out as."""

    SBML = "sbml"


@app.command("list")
def list_models() -> None:
    """The models that come with Troughline."""
    from troughline.model.library import list_models
    from troughline.report.model_view import structure_of

    specs = [model_of(model_id).spec for model_id in list_models()]
    rows = [(s.id, structure_of(s), "yes" if s.calibrated else "no", s.title, s.population) for s in specs]
    print_table(("id", "structure", "calibrated", "title", "population"), rows)


@app.command()
def show(reference: Reference) -> None:
    """What a model says: parameters with their sources, random effects, covariates, outputs, tests, notes."""
    from troughline.report import model_view

    spec = model_of(reference).spec
    if spec.calibrated:
        typer.echo(model_view.CALIBRATED)
    typer.echo(f"{spec.id}: {spec.title}")
    _paragraph("", [" ".join(spec.description.split())])
    _paragraph("Population", [spec.population])
    _paragraph("Structure", [f"{model_view.structure_of(spec)}, {len(spec.states)} compartments or states"])
    _paragraph("Sources", [f"{s.id}: {model_view.source_line(s)}" for s in spec.sources.values()])
    _section(f"Parameters ({model_view.verified_line(spec)})", model_view.parameter_table(spec))
    _section("Random effects", model_view.effect_table(spec))
    _paragraph("Correlations", model_view.correlations(spec))
    _section("Covariates", model_view.covariate_table(spec))
    _section("Inputs", model_view.input_table(spec))
    _section("Outputs", model_view.output_table(spec))
    errors = [f"{o.name}: {model_view.error_formula(o.error)}" for o in spec.outputs]
    _paragraph("Residual error (y observed, f predicted)", errors)
    _paragraph("Self-tests", [line for test in spec.tests for line in model_view.test_lines(test)])
    _paragraph("Notes", [f"- {note}" for note in spec.notes])


@app.command()
def check(
    reference: Annotated[
        str | None,
        typer.Argument(metavar="[ID|FILE]", help="A model's id or file; without one the whole library."),
    ] = None,
) -> None:
    """Every finding about a model file, then its self-tests. Exit 1: a test fails; 3: a faulty file."""
    from troughline.model.library import list_models

    chosen = list_models() if reference is None else (reference,)
    raise typer.Exit(max(_check_one(one) for one in chosen))


@app.command()
def export(
    reference: Reference,
    to: Annotated[Format, typer.Option("--to", help="The format.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where it goes; without: standard output.")
    ] = None,
    covariate: Annotated[
        list[str] | None,
        typer.Option("--covariate", metavar="NAME=VALUE", help="In place of the default; may be repeated."),
    ] = None,
    kinetics: Annotated[
        str | None,
        typer.Option(
            "--kinetics",
            metavar="ID|FILE",
            help="A model whose doses give the level that the model takes as a covariate; both are joined.",
        ),
    ] = None,
) -> None:
    """A model in a format that other simulators read."""
    from troughline.model.sbml import to_sbml

    model = model_of(reference) if kinetics is None else _joined(reference, kinetics)
    covariates = dict(_named_value(one) for one in covariate or ())
    if out is not None:
        check_output(out, inputs=(Path(reference), *([] if kinetics is None else [Path(kinetics)])))
    try:
        text = to_sbml(model.spec, covariates=covariates)
    except ValueError as error:
        raise refusal(f"cannot be written as {to.value}: {error}", file=model.id) from None
    if out is None:
        typer.echo(text, nl=not text.endswith("\n"))
        return
    with whole_file(out) as place:
        place.write_text(text, encoding="utf-8")


def _joined(mechanism: str, kinetics: str) -> Model:
    """A mechanism with the doses of a pharmacokinetic model."""
    from troughline.mechanism.compose import join_models

    slow, fast = model_of(mechanism).id, model_of(kinetics).id
    try:
        return join_models(mechanism, kinetics)
    except ValueError as error:
        raise refusal(f"cannot be joined with {fast}: {error}", file=slow) from None


def _named_value(text: str) -> tuple[str, float | str]:
    """`weight=60` or `sex=female` as name and value."""
    name, equals, value = (part.strip() for part in text.partition("="))
    if not (name and equals and value):
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--covariate")
    try:
        return name, float(value)
    except ValueError:
        return name, value


def _check_one(reference: str) -> int:
    """The status of a model: its findings are printed, then its self-tests run."""
    from troughline.model.model import check_model

    with naming_a_model(reference):
        findings = check_model(reference)
    for finding in findings:
        typer.echo(finding.line(), err=bool(findings.errors))
    return BAD_CONFIGURATION if findings.errors else _run_tests(model_of(reference))


def _run_tests(model: Model) -> int:
    from troughline.model.self_test import run_self_tests
    from troughline.report.model_view import CALIBRATED, number

    title = f"{model.id}, {CALIBRATED}" if model.spec.calibrated else model.id
    with progress_bar() as progress:
        progress(f"{model.id}: compiling, which takes minutes the first time, and testing", 0, 1)
        results = run_self_tests(model)
    failed = [r for r in results if not r.passed]
    for r in failed:
        found = f"is {number(r.found)}, expected {number(r.expected)} (tolerance {number(r.tolerance)})"
        typer.echo(f"error: {model.id}: {r.test}: {r.quantity}: {r.problem or found}", err=True)
    said = (
        f"{len(results) - len(failed)} of {len(results)} values of {len(model.spec.tests)} self-tests agree"
    )
    typer.echo(f"{title}: {said if results else 'no self-tests'}")
    return SOME_NOT_ANSWERED if failed else ALL_ANSWERED


def _section(title: str, table: TextTable) -> None:
    """A table under its title, without the columns in which nothing stands."""
    if not table.rows:
        return
    used = [i for i, column in enumerate(zip(*table.rows, strict=True)) if any(column)]
    typer.echo(f"\n{title}")
    print_table([table.header[i] for i in used], [[row[i] for i in used] for row in table.rows])


def _paragraph(title: str, lines: Sequence[str]) -> None:
    kept = [line for line in lines if line]
    if not kept:
        return
    typer.echo(f"\n{title}" if title else "")
    for line in kept:
        typer.echo(f"  {line}" if title else line)
