"""`evidence compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from troughline.cli.console import ALL_ANSWERED, NOTHING_ANSWERED, SOME_NOT_ANSWERED, refusal

if TYPE_CHECKING:
    from collections.abc import Sequence


def compare(
    results: Annotated[Path, typer.Argument(metavar="RESULTS.json", help="The result of a study.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the report goes.")],
    published: Annotated[
        list[str],
        typer.Option(
            "--published",
            metavar="QUESTION=STUDY/ENDPOINT",
            help="Which question to hold against which published endpoint; may be repeated.",
        ),
    ],
    metric: Annotated[
        str,
        typer.Option(
            metavar="METRIC",
            help="How the levels of the study were taken: trough, clinic-visit, level, or none for groups.",
        ),
    ],
) -> None:
    """A finished study → its report again, held against what is published."""
    from troughline.evidence.records import METRICS
    from troughline.report.write import check_writable, write_report
    from troughline.response.compare_results import compare_results, load_results

    if metric not in (*METRICS, "none"):
        raise refusal(f"--metric takes {', '.join(METRICS)} or none, not {metric!r}")
    wanted = _pairs(published)
    check_writable(out)
    contents = load_results(results)
    try:
        compared = compare_results(contents, wanted, metric=None if metric == "none" else metric)
    except ValueError as error:
        raise refusal(str(error)) from None
    write_report(compared, out)
    raise typer.Exit(_print(compared, list(wanted), out))


def _pairs(given: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for one in given:
        question, equals, reference = (part.strip() for part in one.partition("="))
        if not (question and equals and reference):
            raise refusal(f"--published takes QUESTION=STUDY/ENDPOINT, not {one!r}")
        pairs[question] = reference
    return pairs


def _print(results: dict[str, Any], wanted: Sequence[str], out: Path) -> int:
    """Say what was found; the exit status: 0 all compared, 1 some not, 2 none."""
    from troughline.response.against_published import NOTHING

    found: dict[str, list[dict[str, Any]]] = {
        q["id"]: q.get("replication") or [] for q in results["questions"] if q["id"] in wanted
    }
    notes = {
        q["id"]: next((m for m in map(str, q.get("methods", [])) if m.startswith(NOTHING)), NOTHING)
        for q in results["questions"]
    }
    if results["study"].get("simulated"):
        typer.echo("SIMULATED DATA, not patients")
    for question, blocks in found.items():
        typer.echo(f"{question}:{'' if blocks else f' {notes[question]}'}")
        for b in blocks:
            typer.echo(f"  {b['name'].replace('_', ' ')} {b['label']}".rstrip() + f": {b['sentence']}")
    typer.echo(f"report: {out / 'report.html'}")
    done = [bool(blocks) for blocks in found.values()]
    return ALL_ANSWERED if all(done) else SOME_NOT_ANSWERED if any(done) else NOTHING_ANSWERED
