"""`trial`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from troughline.cli.console import (
    ALL_ANSWERED,
    NOTHING_ANSWERED,
    SOME_NOT_ANSWERED,
    print_findings,
    print_table,
    progress_bar,
)

if TYPE_CHECKING:
    from troughline.progress import Progress

_MEASURES = ("os_median", "ttp_median", "orr", "dcr", "severe")
_HEADER = ("arm", "survival, months", "progression, months", "response", "disease control", "grade ≥ 3")


def trial(
    trial_file: Annotated[Path, typer.Argument(metavar="TRIAL.toml", help="The trial file.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the report goes.")],
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", metavar="S", min=0, max=2**31, help="Instead of the file's: same seed, same numbers."
        ),
    ] = None,
    patients: Annotated[
        int | None,
        typer.Option(
            "--patients", metavar="N", min=2, max=1_000_000, help="Patients an arm, instead of the file's."
        ),
    ] = None,
    replicates: Annotated[
        int | None,
        typer.Option(
            "--replicates",
            metavar="R",
            min=1,
            max=10_000,
            help="Trials a parameter set, instead of the file's.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", metavar="W", min=1, help="Threads; the numbers are the same whatever it is."
        ),
    ] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Tables and results.json alone.")] = False,
    no_patients: Annotated[
        bool, typer.Option("--no-patients", help="Do not write patients.parquet, a row a virtual patient.")
    ] = False,
) -> None:
    """Virtual trial → report: arms of virtual patients, from exposure to response, progression and survival.

    A published value that is missed is an answer: it ends with status 0 and stands as a miss in the report.
    """
    with progress_bar() as progress:
        contents = write_trial(
            trial_file, out, seed=seed, n=patients, replicates=replicates, workers=workers,
            report=not no_report, keep_patients=not no_patients, progress=progress,
        )  # fmt: skip
    print_trial(contents, out, report=not no_report)
    raise typer.Exit(exit_status(contents))


def write_trial(
    trial_file: Path,
    out: Path,
    *,
    seed: int | None = None,
    n: int | None = None,
    replicates: int | None = None,
    workers: int | None = None,
    report: bool = True,
    keep_patients: bool = True,
    progress: Progress,
) -> dict[str, Any]:
    """Run a trial file and write its files to `out`; the contents of `results.json`.

    Raises `InputError` with everything wrong, `OSError` where `out` cannot be written to.
    """
    from troughline.report.trial_answer import answer_trial
    from troughline.report.trial_write import write_trial_report
    from troughline.report.write import check_writable, open_workshop
    from troughline.trial.setup import load_trial

    load_trial(trial_file)
    check_writable(out)
    with open_workshop(out) as workshop:
        kept = workshop / "patients.parquet" if keep_patients else None
        answer = answer_trial(
            trial_file,
            seed=seed,
            n=n,
            replicates=replicates,
            workers=workers,
            patients=kept,
            progress=progress,
        )
        print_findings(answer.findings)
        write_trial_report(answer.contents, out, report=report, patients=kept, progress=progress)
    return answer.contents


def exit_status(contents: dict[str, Any]) -> int:
    """0 every comparison has its hazard ratio · 1 some have none · 2 none has.

    A prediction whose sensitivity was asked for and cannot be said makes 0 into 1.
    """
    from troughline.report.trial_view import estimate_of

    primary = f"{contents['setup']['primary']}_hr"
    found = [estimate_of(c, primary) for c in contents["comparisons"]]
    given = [e is not None and e["value"] is not None for e in found]
    screened = contents["sensitivity"]
    silent = screened is not None and len(screened["predictions"]) < len(screened["asked"])
    if all(given):
        return SOME_NOT_ANSWERED if silent else ALL_ANSWERED
    return SOME_NOT_ANSWERED if any(given) else NOTHING_ANSWERED


def print_trial(contents: dict[str, Any], out: Path, *, report: bool = True) -> None:
    """The sentence first, then the arms, the hazard ratios, each miss, and where the files are."""
    from troughline.report.trial_view import comparison_table, estimate_of, measure_text, target_rows

    typer.echo(contents["sentence"])
    typer.echo(f"  {contents['title']}")
    typer.echo("  VIRTUAL PATIENTS, not patients")
    rows = [
        (str(a["label"]), *(measure_text(estimate_of(a, name), name) for name in _MEASURES))
        for a in contents["arms"]
    ]
    print_table(_HEADER, rows)
    for who, endpoint, ratio, _, *success in comparison_table(contents)["rows"]:
        shown = f"; trials that show it: {success[0]}" if success else ""
        typer.echo(f"  {who}, {endpoint}: hazard ratio {ratio}{shown}")
    for target in target_rows(contents):
        if target["words"] == "MISS":
            typer.echo(
                f"  MISS ({target['use']}): {target['label']}, published {target['published']}, tolerance "
                f"{target['tolerance']}, predicted {target['predicted']}"
            )
    typer.echo(f"  {'report' if report else 'tables'}: {out / 'report.html' if report else out}")
