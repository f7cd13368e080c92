"""`dose`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from troughline.cli.console import ALL_ANSWERED, print_findings, print_table, progress_bar, refusal

if TYPE_CHECKING:
    from troughline.progress import Progress


def dose(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the report goes.")],
    patient_file: Annotated[
        Path | None, typer.Argument(metavar="PATIENT.toml", help="The patient file (TOML or JSON).")
    ] = None,
    policy_file: Annotated[
        Path | None,
        typer.Option(
            "--simulate", metavar="POLICY.toml", help="Instead of a patient: policies over virtual patients."
        ),
    ] = None,
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

    That no regimen reaches the target, and that the evidence does not distinguish some, are answers: they
    end with status 0. With `--simulate`: fixed, label, trough-guided and model-informed dosing compared in a
    virtual population.
    """
    from troughline.report.write import check_writable

    if (patient_file is None) == (policy_file is None):
        raise refusal("give a PATIENT.toml, or --simulate POLICY.toml")
    check_writable(out)
    if policy_file is not None:
        from troughline.cli.dose_simulate import simulate_policies

        if draws is not None:
            raise refusal("--draws is of a patient's posterior, and --simulate draws none")
        raise typer.Exit(simulate_policies(policy_file, out, seed=seed, report=not no_report))
    assert patient_file is not None
    with progress_bar() as progress:
        contents = write_answer(
            patient_file, out, seed=seed, draws=draws, report=not no_report, progress=progress
        )
    print_answer(contents, out, report=not no_report)
    raise typer.Exit(ALL_ANSWERED)


def write_answer(
    patient_file: Path,
    out: Path,
    *,
    seed: int | None = None,
    draws: int | None = None,
    report: bool = True,
    progress: Progress,
) -> dict[str, Any]:
    """Answer a patient file and write its files to `out`; the plain contents of the answer.

    Raises `InputError` with everything wrong, `OSError` where `out` cannot be written to.
    """
    from troughline.report.dose_answer import answer_file
    from troughline.report.dose_write import write_dose_report

    answer = answer_file(patient_file, seed=seed, draws=draws, progress=progress)
    print_findings(answer.findings)
    write_dose_report(answer.contents, out, report=report, progress=progress)
    return answer.contents


def print_answer(contents: dict[str, Any], out: Path, *, report: bool = True) -> None:
    """The sentence first, then the candidates, and where the files are."""
    from troughline.report.dose_view import regimen_rows, unknown

    typer.echo(contents["sentence"])
    typer.echo(f"  {contents['title'] or contents['patient']}")
    if contents["simulated"]:
        typer.echo("  SIMULATED DATA, not patients")
    rows = [
        (r.label, r.trough[0], r.trough[1], r.below, r.inside, r.above, ", ".join(w for _, w in r.tags))
        for r in regimen_rows(contents)
    ]
    if rows:
        unit = contents["regimens"][0]["trough"]["unit"]
        header = ("regimen", f"trough ({unit})", "interval", "below", "in", "above", "")
        print_table(header, rows)
    for name, reason in unknown(contents):
        typer.echo(f"  {name} not known: {reason}")
    typer.echo(f"  {'report' if report else 'tables'}: {out / 'report.html' if report else out}")
