"""`dose`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from troughline.cli.console import ALL_ANSWERED, print_findings, print_table, progress_bar

if TYPE_CHECKING:
    from troughline.dosing.result import DoseResult


def dose(
    patient_file: Annotated[
        Path, typer.Argument(metavar="PATIENT.toml", help="The patient file (TOML or JSON).")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the report goes.")],
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="S", min=0, help="Instead of the file's: same seed, same numbers."),
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(
            "--draws", metavar="N", min=100, max=200_000, help="Posterior draws, instead of the file's."
        ),
    ] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Tables and result.json alone.")] = False,
) -> None:
    """Patient → report: exposure now, every feasible regimen with its probabilities, and which to prefer.

    "No regimen reaches the target" and "the evidence does not distinguish these regimens" are answers, and
    end with status 0.
    """
    from troughline.dosing.contents import contents_of
    from troughline.report.dose_write import write_dose_report
    from troughline.report.write import check_writable

    check_writable(out)
    with progress_bar() as progress:
        result = answer_patient(patient_file, seed=seed, draws=draws, progress=progress)
        print_findings(result.findings)
        write_dose_report(contents_of(result), out, report=not no_report, progress=progress)
    print_answer(result, out, report=not no_report)
    raise typer.Exit(ALL_ANSWERED)


def answer_patient(
    patient_file: Path, *, seed: int | None = None, draws: int | None = None, progress: Any = None
) -> DoseResult:
    """The answer for a patient file, its options `seed` and `draws` replaced where they are given."""
    from troughline.dosing.dose import dose as run
    from troughline.dosing.patient_file import load_patient
    from troughline.dosing.patient_options import with_options
    from troughline.progress import silent

    patient, findings = load_patient(patient_file)
    patient = with_options(patient, seed=seed, draws=draws)
    return run(patient, findings=findings, progress=progress or silent)


def print_answer(result: DoseResult, out: Path, *, report: bool) -> None:
    """The sentence first, then the candidates, and where the files are."""
    typer.echo(result.sentence)
    typer.echo(f"  {result.title or result.patient}")
    if result.simulated:
        typer.echo("  SIMULATED DATA, not patients")
    unit = result.regimens[0].trough.unit if result.regimens else ""
    header = ("regimen", f"trough ({unit})", "below", "in", "above", "")
    named = {result.recommendation.regimen, *result.recommendation.among}
    rows = [
        (
            one.regimen.label,
            _number(one.trough.median),
            *(f"{100 * p:.0f}%" for p in (one.p_below, one.p_in, one.p_above)),
            ", ".join(_marks(one.regimen.id in named, one.regimen.current, result.recommendation.answer)),
        )
        for one in result.regimens
    ]
    if rows:
        print_table(header, rows)
    typer.echo(f"  {'report' if report else 'tables'}: {out / 'report.html' if report else out}")
