"""Where things stand in a TOML text: the line of each table, key and array item, for the findings."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass

from troughline.issues import Findings, Severity

Path = tuple[str | int, ...]
"""Keys, and positions (from 0) in arrays: ("random", 0, "covariance")."""


@dataclass(frozen=True, slots=True)
class Report:
    """Adds findings to `found`, each with the file, the line and the dotted place of what it is about."""

    found: Findings
    file: str
    lines: dict[Path, int]

    def rename(self, section: str, meant: str) -> None:
        """Let the places of a misspelt section count for the one that was meant."""
        self.lines.update(
            {(meant, *path[1:]): line for path, line in self.lines.items() if path[0] == section}
        )

    def error(self, code: str, path: Path, message: str) -> None:
        """Add an error about what stands at `path`."""
        self.add(Severity.ERROR, code, path, message)

    def warning(self, code: str, path: Path, message: str) -> None:
        """Add a warning about what stands at `path`."""
        self.add(Severity.WARNING, code, path, message)

    def add(self, severity: Severity, code: str, path: Path, message: str) -> None:
        """Add a finding about what stands at `path`; a place without a line has that of what holds it."""
        self.found.add(
            severity, code, message, file=self.file, row=self.line(path), column=dotted(path) or None
        )

    def line(self, path: Path) -> int | None:
        """The line of a place, or of the nearest thing around it that has one."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None


def dotted(path: Path) -> str:
    """A place as people write it: `random.1.covariance`, counting from 1."""
    return ".".join(str(part + 1) if isinstance(part, int) else part for part in path)


def line_numbers(text: str) -> dict[Path, int]:
    """The line (from 1) of every table header, key and array item of a valid TOML text."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


class _Scanner:
    """Walks over a text that `tomllib` has accepted, so that only its structure is looked at."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.lines: dict[Path, int] = {}
        self.counts: dict[Path, int] = {}
        self._counted_to, self._line = 0, 1

    def document(self) -> None:
        table: Path = ()
        while self.skip():
            if self.text[self.at] != "[":
                self.pair(table)
                continue
            line, array = self.line(), self.text.startswith("[[", self.at)
            self.at += 2 if array else 1
            table = self.placed(self.key())
            self.at += 2 if array else 1
            if array:
                self.counts[table] = self.counts.get(table, -1) + 1
                self.lines.setdefault(table, line)
                table = (*table, self.counts[table])
            for length in range(1, len(table) + 1):
                self.mark(table[:length], line)

    def placed(self, keys: Sequence[str]) -> Path:
        """The path of a header: what stands in an array of tables belongs to its last item."""
        path: Path = ()
        for position, key in enumerate(keys):
            path = (*path, key)
            if path in self.counts and position < len(keys) - 1:
                path = (*path, self.counts[path])
        return path

    def pair(self, table: Path) -> None:
        line = self.line()
        path: Path = table
        for key in self.key():
            path = (*path, key)
            self.mark(path, line)
        self.at = self.text.index("=", self.at) + 1
        self.value(path)

    def key(self) -> list[str]:
        keys = list[str]()
        while True:
            self.blank()
            if self.text[self.at] in "\"'":
                start = self.at
                self.string()
                keys.append(tomllib.loads("k = " + self.text[start : self.at])["k"])
            else:
                start = self.at
                while self.text[self.at].isalnum() or self.text[self.at] in "-_":
                    self.at += 1
                keys.append(self.text[start : self.at])
            self.blank()
            if self.text[self.at] != ".":
                return keys
            self.at += 1

    def value(self, path: Path) -> None:
        self.blank()
        first = self.text[self.at]
        if first in "\"'":
            self.string()
        elif first in "[{":
            self.at += 1
            item = 0
            while self.skip() and self.text[self.at] not in "]}":
                if self.text[self.at] == ",":
                    self.at += 1
                elif first == "{":
                    self.pair(path)
                else:
                    self.mark((*path, item), self.line())
                    self.value((*path, item))
                    item += 1
            self.at += 1
        else:
            while self.at < len(self.text) and self.text[self.at] not in ",]}#\n":
                self.at += 1

    def string(self) -> None:
        quote = self.text[self.at]
        if self.text.startswith(quote * 3, self.at):
            quote *= 3
        self.at += len(quote)
        while not self.text.startswith(quote, self.at):
            self.at += 2 if quote[0] == '"' and self.text[self.at] == "\\" else 1
        self.at += len(quote)
        if len(quote) == 3:
            # A text in three quotes may end with up to two quotes of its own.
            while self.at < len(self.text) and self.text[self.at] == quote[0]:
                self.at += 1

    def blank(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in " \t":
            self.at += 1

    def skip(self) -> bool:
        """Go past blanks, line ends and comments; whether anything follows."""
        while self.at < len(self.text):
            if self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif self.text[self.at] in " \t\r\n":
                self.at += 1
            else:
                return True
        return False

    def line(self) -> int:
        self._line += self.text.count("\n", self._counted_to, self.at)
        self._counted_to = self.at
        return self._line

    def mark(self, path: Path, line: int) -> None:
        self.lines.setdefault(path, line)
