"""`dose --simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from troughline.cli.console import ALL_ANSWERED, print_findings, print_table, progress_bar

if TYPE_CHECKING:
    from troughline.dosing.policy.result import PolicyResult

_COLUMNS = ("inside", "below", "above", "below_at", "toxic", "stopped", "changes", "samples")
_HEADER = (
    "policy", "days inside", "below", "above", "below at the end", "severe toxicity", "stopped", "changes",
    "samples",
)  # fmt: skip


def simulate_policies(
    path: Path, out: Path, *, seed: int | None = None, threads: int | None = None, report: bool = True
) -> int:
    """Evaluate the policies of a file, write the report to `out`, print what was found; the exit status.

    `seed` instead of the file's. Raises `InputError` with every fault of the file, `OSError` where `out`
    cannot be written to.
    """
    from troughline.dosing.policy.result import evaluate
    from troughline.dosing.policy.setup import load_policy, with_seed
    from troughline.report.policy_write import write_policies
    from troughline.report.write import check_writable

    setup = load_policy(path)
    if seed is not None:
        setup = with_seed(setup, seed)
    check_writable(out)
    with progress_bar() as progress:
        result = evaluate(setup, threads=threads, progress=progress)
        print_findings(result.findings)
        write_policies(result, out, report=report, progress=progress)
    print_policies(result, out, report=report)
    return ALL_ANSWERED


def print_policies(result: PolicyResult, out: Path, *, report: bool = True) -> None:
    """The sentence first, then a line a policy, the verdicts, and where the files are."""
    from troughline.report.numbers import micro
    from troughline.report.policy_page import beside_row, measure_text

    contents: dict[str, Any] = result.contents
    typer.echo(micro(contents["sentence"]))
    typer.echo(f"  {contents['title']}")
    typer.echo("  SIMULATED DATA, not patients")
    rows = [(p["id"], *(measure_text(m, p["measures"][m]) for m in _COLUMNS)) for p in contents["policies"]]
    print_table(_HEADER, rows)
    for verdict in contents["verdicts"]:
        typer.echo(f"  {verdict['answer']}: {verdict['sentence']}")
    for one in map(beside_row, contents["beside"]):
        typer.echo(
            f"  {one['words']}: {one['label']} {one['published']}, here {one['ours']} ({one['range']}), "
            f"{one['policy']}"
        )
    typer.echo(f"  {'report' if report else 'numbers'}: {out / 'report.html' if report else out}")
