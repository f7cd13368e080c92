"""`estimate`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    from troughline.pk.estimates import EstimateOutcome


class Starts(StrEnum):
    """Where estimation starts; see `EstimateOptions`."""

    FIRST = "first"
    SUSPICIOUS = "suspicious"
    ALL = "all"


def estimate(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="A NONMEM-style file (CSV, TSV, XLSX, Parquet), or a study file (.toml)."
        ),
    ],
    model: Annotated[str, typer.Option("--model", metavar="ID|FILE", help="A model's id, or a model file.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the files go.")],
    draws: Annotated[
        int | None,
        typer.Option(
            "--draws",
            metavar="N",
            min=0,
            help="Draws of each posterior; 0: none. Without: 1000, or none for a large file.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="S", min=0, help="Same seed, same numbers.")] = 0,
    prior_inflation: Annotated[
        float,
        typer.Option(
            "--prior-inflation",
            metavar="X",
            help="Multiplies the prior's covariance: above 1 samples weigh more.",
        ),
    ] = 1.0,
    starts: Annotated[
        Starts, typer.Option("--starts", help="From how many places the maximum is sought.")
    ] = Starts.SUSPICIOUS,
    zero_weight: Annotated[
        float | None,
        typer.Option(
            "--zero-weight",
            metavar="W",
            help="Weight of a prediction of 0 under proportional error (NONMEM's W = 1).",
        ),
    ] = None,
    interval_h: Annotated[
        float | None,
        typer.Option("--interval-h", metavar="H", help="Dosing interval after a last dose that states none."),
    ] = None,
    simulations: Annotated[
        int,
        typer.Option(
            "--simulations", metavar="N", min=0, help="Simulations behind NPDE and predictive check."
        ),
    ] = 1000,
    threads: Annotated[
        int | None, typer.Option("--threads", metavar="N", min=1, help="Without: as many as there are cores.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="NAME=COLUMN",
            help="What a column of DATA is called: weight=WT. May be given more than once.",
        ),
    ] = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="No patient gave the data: the page says so.")
    ] = False,
    no_report: Annotated[bool, typer.Option("--no-report", help="Tables and result.json alone.")] = False,
) -> None:
    """Individual estimates, predictions and exposure of every patient, with their uncertainty."""
    from troughline.pk.estimates import EstimateRequest
    from troughline.pk.individual import EstimateOptions, prior_of
    from troughline.report.estimates import write_estimates
    from troughline.report.write import check_writable

    check_writable(out)
    drug_model = model_of(model)
    try:
        request = EstimateRequest(
            data=data,
            model=drug_model,
            columns=columns_of(column or ()),
            draws=draws,
            simulations=simulations,
            seed=seed,
            simulated=simulated,
            interval_h=interval_h,
            individual=EstimateOptions(
                prior_inflation=prior_inflation,
                starts=starts.value,
                zero_weight=zero_weight,
                threads=threads,
            ),
        )
        prior_of(drug_model, request.individual)
    except ValueError as error:
        raise refusal(str(error)) from None
    with progress_bar() as progress:
        outcome = write_estimates(request, out, report=not no_report, progress=progress)
    _print_result(outcome, drug_model, out, report=not no_report)
    raise typer.Exit(_status(outcome))


def _status(outcome: EstimateOutcome) -> int:
    if not outcome.not_estimated:
        return ALL_ANSWERED
    return NOTHING_ANSWERED if outcome.not_estimated == outcome.n_patients else SOME_NOT_ANSWERED


def _print_result(outcome: EstimateOutcome, model: Model, out: Path, *, report: bool) -> None:
    from troughline.report.model_view import CALIBRATED

    contents = outcome.contents
    counts: dict[str, Any] = contents["counts"]
    print_findings(outcome.findings)
    for one in contents["not_estimated"][:10]:
        typer.echo(f"error: patient {one['patient']} has no estimate: {one['status']}", err=True)
    if counts["not_estimated"] > 10:
        typer.echo(f"error: {counts['not_estimated'] - 10} more patients have no estimate", err=True)
    if model.spec.calibrated:
        typer.echo(CALIBRATED)
    typer.echo(f"{model.spec.id}: {model.spec.title}")
    if contents["data"]["simulated"]:
        typer.echo("  SIMULATED DATA, not patients")
    estimated = counts["patients"] - counts["not_estimated"]
    typer.echo(f"  {estimated} of {counts['patients']} patients estimated from {counts['samples']} samples")
    if counts["far_outside"]:
        samples = "sample" if counts["far_outside"] == 1 else "samples"
        far = f"{counts['far_outside']} {samples} far outside the prior prediction"
        typer.echo(f"  {far}: see predictions.csv")
    for note in contents["notes"]:
        typer.echo(f"  {note}")
    typer.echo(f"  {'report' if report else 'tables'}: {out / 'report.html' if report else out}")
