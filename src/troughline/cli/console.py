"""What every command shares: exit statuses, findings and tables on the screen, the progress bar."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from troughline.issues import Finding
    from troughline.model.model import Model
    from troughline.progress import Progress

ALL_ANSWERED = 0
SOME_NOT_ANSWERED = 1
NOTHING_ANSWERED = 2
BAD_CONFIGURATION = 3
UNREADABLE_INPUT = 4
STOPPED = 130
"""Ctrl-C, as the shell has it; Typer turns it into this."""

WRONG_OPTION = "option"


def model_of(reference: str) -> Model:
    """The model that a user named by its id or its file.

    Raises `InputError` (configuration) with every fault of the file, or for an id the library does not have.
    """
    from troughline.model.model import load_model

    with naming_a_model(reference):
        return load_model(reference)


@contextmanager
def naming_a_model(reference: str) -> Generator[None]:
    """Turns what goes wrong where a model is looked up into an `InputError` (configuration)."""
    from pathlib import Path

    from troughline.issues import InputError

    try:
        yield
    except InputError:
        raise
    except UnicodeDecodeError:
        raise refusal("is not UTF-8 text", file=reference) from None
    except ValueError as error:
        hint = "; the name of a model file ends in .toml" if Path(reference).is_file() else ""
        raise refusal(f"{error}{hint}") from None


def refusal(message: str, *, file: str | None = None) -> ValueError:
    """A mistake in what was asked for, as the exception that ends the command with status 3."""
    from troughline.issues import Finding, InputError, Severity

    return InputError([Finding(Severity.ERROR, WRONG_OPTION, message, file)], configuration=True)


def columns_of(given: Sequence[str]) -> dict[str, str | None]:
    """What columns are called, from NAME=COLUMN each; anything else is a `refusal`."""
    columns: dict[str, str | None] = {}
    for one in given:
        name, equals, column = (part.strip() for part in one.partition("="))
        if not (name and equals and column):
            raise refusal(f"--column takes NAME=COLUMN, such as weight=WT, not {one!r}")
        columns[name] = column
    return columns


def print_findings(findings: Iterable[Finding], *, notes: bool = False) -> None:
    """One line each on standard error, errors first; notes only where `notes`."""
    from troughline.issues import Severity

    for finding in sorted(findings, key=lambda f: list(Severity).index(f.severity)):
        if notes or finding.severity is not Severity.NOTE:
            typer.echo(finding.line(), err=True)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on standard output: drawn on a terminal, plain aligned text elsewhere."""
    if not sys.stdout.isatty():
        for line in aligned([header, *rows]):
            typer.echo(line)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*header)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines in which each column begins at one place."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


@contextmanager
def progress_bar() -> Generator[Progress]:
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
