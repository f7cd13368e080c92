"""`study`, `check` and `demo`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

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

    from troughline.issues import Finding, Findings
    from troughline.response.study import StudyResult
    from troughline.results import Verdict


Kind = Literal["study", "patient", "policy", "trial", "model", "curve", "evidence"]
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
    kind = _kind_of(file)
    findings = _findings_of(kind, file)
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
            if _kind_of(patient_file) != "patient":
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


def _kind_of(file: Path) -> Kind:
    """What a file is by its sections; JSON is a patient, and what nothing tells is a study.

    Patient and trial files have a section `model` too.
    """
    sections, said = _sections_of(file)
    if said in ("study", "drug"):
        return "evidence"
    if "evaluation" in sections:
        return "policy"
    if "patient" in sections or file.suffix.lower() == ".json":
        return "patient"
    if "trial" in sections:
        return "trial"
    if "model" in sections:
        return "model"
    return "curve" if "curve" in sections else "study"


def _sections_of(file: Path) -> tuple[set[str], Any]:
    """The keys of a file, and its `kind`; where it is no TOML, what looks like headers of sections."""
    import tomllib

    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return set(), None
    try:
        contents = tomllib.loads(text)
    except (ValueError, RecursionError):
        return set(re.findall(r"^\s*\[([^\[\]\n]+)\]", text, re.MULTILINE)), None
    return set(contents), contents.get("kind")


def _findings_of(kind: Kind, file: Path) -> Findings:
    """Every finding about a file of that kind."""
    match kind:
        case "policy":
            from troughline.dosing.policy.setup import check_policy

            return check_policy(file)[1]
        case "trial":
            from troughline.cli.trial import check_trial_file

            return check_trial_file(file)
        case "patient":
            from troughline.dosing.checks import check_dose_file

            return check_dose_file(file)
        case "model":
            from troughline.model.read import read_model

            return read_model(file.read_bytes().decode("utf-8-sig"), file=file.name)[1]
        case "curve":
            from troughline.evidence.reconstruct.run import check_curves

            return check_curves(file)
        case "evidence":
            from troughline.evidence.checks import check_file

            return check_file(file)
        case "study":
            from troughline.cohort.load import check_study
            from troughline.cohort.studyfile import load_study

            return check_study(load_study(file))


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
