"""The commands. No arithmetic here: each builds a typed request and calls a lower floor."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from troughline.issues import Finding
    from troughline.progress import Progress
    from troughline.response.study import StudyResult
    from troughline.results import Verdict

ALL_ANSWERED = 0
SOME_NOT_ANSWERED = 1
NOTHING_ANSWERED = 2
BAD_CONFIGURATION = 3
UNREADABLE_INPUT = 4

app = typer.Typer(
    name="troughline",
    help="Exposure-guided sorafenib therapy in hepatocellular carcinoma. Research software, not a medical "
    "device: it leaves every decision to the clinician.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        from troughline import __version__

        typer.echo(f"troughline {__version__}")
        raise typer.Exit


@app.command()
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
    with _progress() as progress:
        result = run_study(request, progress=progress)
        _print_findings(result.contents["issues"])
        write_report(result.contents, out, progress=progress)
    _print_answers(result, out)
    raise typer.Exit(exit_status(result.verdicts.values()))


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A study file.")],
) -> None:
    """Every finding about a file and the tables it names; nothing is computed."""
    from troughline.cohort.load import check_study
    from troughline.cohort.studyfile import load_study

    findings = check_study(load_study(file))
    for finding in findings:
        typer.echo(finding.line(), err=bool(findings.errors))
    if findings.errors:
        only_study_file = all(f.file == file.name for f in findings.errors)
        raise typer.Exit(BAD_CONFIGURATION if only_study_file else UNREADABLE_INPUT)
    typer.echo(f"{file}: {len(findings)} finding(s), no error")


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the reports go.")] = Path(
        "demo-output"
    ),
) -> None:
    """Run the bundled examples and say where their reports are."""
    from importlib.resources import as_file, files

    from troughline.cohort.studyfile import load_study
    from troughline.report.write import check_writable, write_report
    from troughline.response.study import run_study

    with as_file(files("troughline") / "examples") as examples:
        for study_file in sorted(examples.glob("*/study.toml")):
            folder = out / study_file.parent.name
            check_writable(folder)
            request = load_study(study_file)
            with _progress() as progress:
                result = run_study(request, progress=progress)
                write_report(result.contents, folder, progress=progress)
            _print_answers(result, folder)


def exit_status(verdicts: Iterable[Verdict]) -> int:
    """0 all answered · 1 some question refused or not analysable · 2 nothing answered."""
    from troughline.results import Verdict

    given = [v in (Verdict.ANSWERED, Verdict.CAUTION) for v in verdicts]
    if all(given):
        return ALL_ANSWERED
    return SOME_NOT_ANSWERED if any(given) else NOTHING_ANSWERED


def main() -> None:
    """Run the command line; a user's mistake ends in one line for each finding, never a traceback."""
    from troughline.issues import InputError

    command = typer.main.get_command(app)
    try:
        status: Any = command.main(prog_name="troughline", standalone_mode=False)
    except InputError as error:
        _print_findings([f.as_dict() for f in error.findings])
        sys.exit(BAD_CONFIGURATION if error.configuration else UNREADABLE_INPUT)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        typer.echo(f"error: {place}{error.strerror or error}", err=True)
        sys.exit(BAD_CONFIGURATION)
    except typer.Abort:
        typer.echo("error: stopped", err=True)
        sys.exit(BAD_CONFIGURATION)
    except Exception as error:
        message = _usage_message(error)
        if message is None:
            raise
        typer.echo(f"error: {message} (see troughline --help)", err=True)
        sys.exit(BAD_CONFIGURATION)
    sys.exit(status if isinstance(status, int) else ALL_ANSWERED)


def _usage_message(error: Exception) -> str | None:
    """The message of a command-line mistake, or None for anything else."""
    from typer.exceptions import TyperException

    if not isinstance(error, TyperException):
        return None
    describe: Any = getattr(error, "format_message", None)
    return " ".join(str(describe() if describe else error).split())


def _print_findings(findings: Iterable[dict[str, Any]]) -> None:
    from troughline.issues import Severity

    for finding in sorted(map(_finding, findings), key=lambda f: list(Severity).index(f.severity)):
        if finding.severity is not Severity.NOTE:
            typer.echo(finding.line(), err=True)


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


@contextmanager
def _progress() -> Generator[Progress, None, None]:
    """A progress bar on standard error, shown on a terminal only."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=None)

        def report(step: str, done: int, total: int) -> None:
            bar.update(task, description=step, completed=done, total=total)

        yield report
