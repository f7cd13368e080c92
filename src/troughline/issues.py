"""Findings: what is wrong or remarkable in an input, with its severity and its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters: an `error` stops the reading, a `warning` and a `note` do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found in an input file.

    `row` is the row a spreadsheet shows (the header is row 1, the first record row 2). `message` is one
    line that says what was found and which limit it breaks.
    """

    severity: Severity
    code: str
    message: str
    file: str | None = None
    row: int | None = None
    column: str | None = None

    def place(self) -> str:
        """Where it is: `measurements.csv row 7 column value`, or an empty string."""
        parts = [self.file] if self.file else []
        if self.row is not None:
            parts.append(f"row {self.row}")
        if self.column:
            parts.append(f"column {self.column}")
        return " ".join(parts)

    def line(self) -> str:
        """The finding as one line: severity, place, message."""
        place = self.place()
        return f"{self.severity}: {place}: {self.message}" if place else f"{self.severity}: {self.message}"

    def as_dict(self) -> dict[str, str | int | None]:
        """The finding as plain values, for `results.json`."""
        return {
            "severity": str(self.severity),
            "code": self.code,
            "message": self.message,
            "file": self.file,
            "row": self.row,
            "column": self.column,
        }


@dataclass(slots=True)
class Findings:
    """A growing list of findings, so that one reading reports everything at once."""

    items: list[Finding] = field(default_factory=list[Finding])

    def add(
        self,
        severity: Severity,
        code: str,
        message: str,
        *,
        file: str | None = None,
        row: int | None = None,
        column: str | None = None,
    ) -> None:
        """Append one finding."""
        self.items.append(Finding(severity, code, message, file, row, column))

    def extend(self, findings: Iterable[Finding]) -> None:
        """Append several findings."""
        self.items.extend(findings)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings of severity `error`, in the order found."""
        return tuple(f for f in self.items if f.severity is Severity.ERROR)

    def raise_errors(self) -> None:
        """Raise `InputError` with every finding if any of them is an error."""
        if self.errors:
            raise InputError(self.items)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


class InputError(ValueError):
    """An input that cannot be used; carries every finding, errors and others.

    The command line prints one line each and exits with status 4 (data) or 3 (configuration).
    """

    def __init__(self, findings: Iterable[Finding], *, configuration: bool = False) -> None:
        self.findings = tuple(findings)
        self.configuration = configuration
        super().__init__("\n".join(f.line() for f in self.findings if f.severity is Severity.ERROR))
