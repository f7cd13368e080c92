"""`simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from troughline.cli.console import (
    ALL_ANSWERED,
    NOTHING_ANSWERED,
    SOME_NOT_ANSWERED,
    columns_of,
    model_of,
    print_findings,
    progress_bar,
    refusal,
)

if TYPE_CHECKING:
    from troughline.model.model import Model
    from troughline.pk.simulate import Simulation


def simulate(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A NONMEM-style file: CSV, TSV, XLSX or Parquet.")
    ],
    model: Annotated[str, typer.Option("--model", metavar="ID|FILE", help="A model's id, or a model file.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where the table goes, .csv or .parquet.")
    ],
    individuals: Annotated[
        Path | None,
        typer.Option(
            "--individuals",
            metavar="FILE",
            help="Predict with these effects too: the individuals.csv of `estimate`.",
        ),
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(
            "--draws",
            metavar="N",
            min=1,
            help="Simulate N replicates, with random effects and residual error.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", min=0, help="For --draws: same seed, same bytes.")
    ] = 0,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="NAME=COLUMN",
            help="What a column of DATA is called: weight=WT. May be given more than once.",
        ),
    ] = None,
) -> None:
    """Predictions at the observation records of DATA, in the unit of the output."""
    from troughline.model.engine import PredictionError
    from troughline.pk.simulate import SimulationRequest
    from troughline.pk.simulate import simulate as run
    from troughline.pk.table_file import check_table_target

    check_table_target(out, inputs=(data, Path(model)))
    drug_model = model_of(model)
    try:
        request = SimulationRequest(
            data=data,
            model=drug_model,
            out=out,
            columns=columns_of(column or ()),
            individuals=individuals,
            draws=draws or 0,
            seed=seed,
        )
    except ValueError as error:
        raise refusal(str(error)) from None
    try:
        with progress_bar() as progress:
            made = run(request, progress=progress)
    except PredictionError as error:
        typer.echo(f"error: {data.name}: {error}", err=True)
        raise typer.Exit(NOTHING_ANSWERED) from None
    print_findings(made.findings, notes=True)
    _print_result(made, drug_model, out)
    raise typer.Exit(SOME_NOT_ANSWERED if made.failed else ALL_ANSWERED)


def _print_result(made: Simulation, model: Model, out: Path) -> None:
    from troughline.report.model_view import CALIBRATED

    for patient, reason in list(made.failed.items())[:10]:
        typer.echo(f"error: patient {patient} has no prediction: {reason}", err=True)
    if len(made.failed) > 10:
        typer.echo(f"error: {len(made.failed) - 10} more patients have no prediction", err=True)
    if model.spec.calibrated:
        typer.echo(CALIBRATED)
    typer.echo(f"{model.spec.id}: {model.spec.title}")
    typer.echo(f"  {made.n_rows} rows of {made.n_patients} patients: {out}")
