"""`study`, `check` and `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from troughline.cli.console import (
    ALL_ANSWERED,
    BAD_CONFIGURATION,
    NOTHING_ANSWERED,
    SOME_NOT_ANSWERED,
    UNREADABLE_INPUT,
    print_findings,
    progress_bar,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from troughline.issues import Finding
    from troughline.response.study import StudyResult
    from troughline.results import Verdict


PATIENT_DATA = ("level-implausible", "earlier-result", "no-estimate")
"""What is wrong with the data in a patient file, not with the file."""


DEMO_TRIALS = 2
"""Trials a parameter set in the demonstration."""


def study(
    study_file: Annotated[Path, typer.Argument(metavar="STUDY.toml", help="The study file.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the report goes.")],
) -> None:
    """Cohort → report: every question of a study file, as published and guarded side by side."""
    from troughline.cohort.studyfile import load_study
    from troughline.report.write import check_writable, write_report
    from troughline.response.study import run_study

    request = load_study(study_file)
    check_writable(out)
    with progress_bar() as progress:
        result = run_study(request, progress=progress)
        print_findings(map(_finding, result.contents["issues"]))
        write_report(result.contents, out, progress=progress)
    _print_answers(result, out)
    raise typer.Exit(exit_status(result.verdicts.values()))


def check(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A study, patient, policy, trial, model, curve or evidence file."
        ),
    ],
) -> None:
    """Every finding about a study, patient, policy, trial, curve, model or evidence file; nothing is run."""
    from troughline.input_files import findings_of, kind_of

    kind = kind_of(file)
    findings = findings_of(file, kind)
    if kind == "evidence":
        from troughline.cli.evidence import print_check

        print_check(findings)
    for finding in findings:
        typer.echo(finding.line(), err=bool(findings.errors))
    if findings.errors:
        if kind == "patient":
            data = all(f.code in PATIENT_DATA for f in findings.errors)
        else:
            data = kind not in ("model", "trial") and any(f.file != file.name for f in findings.errors)
        raise typer.Exit(UNREADABLE_INPUT if data else BAD_CONFIGURATION)
    typer.echo(f"{file}: {len(findings)} finding(s), no error")


def demo(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the reports go.")] = Path(
        "demo-output"
    ),
) -> None:
    """Run the bundled examples and say where their reports are."""
    from importlib.resources import as_file, files

    from troughline.cli.dose import print_answer, write_answer
    from troughline.cli.trial import print_trial, write_trial
    from troughline.cohort.studyfile import load_study
    from troughline.input_files import kind_of
    from troughline.report.write import check_writable, write_report
    from troughline.response.study import run_study

    with as_file(files("troughline") / "examples") as examples:
        for study_file in sorted(examples.glob("*/study.toml")):
            folder = out / study_file.parent.name
            check_writable(folder)
            request = load_study(study_file)
            with progress_bar() as progress:
                result = run_study(request, progress=progress)
                write_report(result.contents, folder, progress=progress)
            _print_answers(result, folder)
        for patient_file in sorted((examples / "dose").glob("*.toml")):
            if kind_of(patient_file) != "patient":
                continue
            folder = out / "dose" / patient_file.stem
            check_writable(folder)
            with progress_bar() as progress:
                contents = write_answer(patient_file, folder, progress=progress)
            print_answer(contents, folder)
        folder = out / "trial"
        with progress_bar() as progress:
            contents = write_trial(
                examples / "resistance" / "sharp.toml", folder, replicates=DEMO_TRIALS, progress=progress
            )
        print_trial(contents, folder)


def exit_status(verdicts: Iterable[Verdict]) -> int:
    """0 all answered · 1 some question refused or not analysable · 2 nothing answered."""
    from troughline.results import Verdict

    given = [v in (Verdict.ANSWERED, Verdict.CAUTION) for v in verdicts]
    if all(given):
        return ALL_ANSWERED
    return SOME_NOT_ANSWERED if any(given) else NOTHING_ANSWERED


def _finding(values: dict[str, Any]) -> Finding:
    from troughline.issues import Finding, Severity

    return Finding(
        Severity(values["severity"]),
        values["code"],
        values["message"],
        values["file"],
        values["row"],
        values["column"],
    )


def _print_answers(result: StudyResult, out: Path) -> None:
    typer.echo(f"{result.contents['study']['title']}")
    if result.contents["study"]["simulated"]:
        typer.echo("  SIMULATED DATA, not patients")
    for q in result.questions:
        typer.echo(f"  {q.id}: {q.verdict}")
        typer.echo(f"    {q.summary}")
    typer.echo(f"  report: {out / 'report.html'}")
