"""A TOML file read whole, with one finding for what keeps it from being read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from troughline.issues import Findings, Severity

Parser = Callable[[str], Any]


def read_toml(
    path: Path, found: Findings, *, called: str | None = None
) -> tuple[dict[str, Any], bytes] | None:
    """The contents of a TOML file (UTF-8, a byte order mark allowed) and its bytes; None with a finding.

    `called`: the file's name in the finding that it cannot be opened; its name without folders by default.
    """
    import tomllib

    read = read_text(path, found, called=called)
    return None if read is None else parsed(read, tomllib.loads, path.name, found)


def read_text(path: Path, found: Findings, *, called: str | None = None) -> tuple[str, bytes] | None:
    """The text of a file in UTF-8 and its bytes; None with a finding where it cannot be read as such."""
    try:
        raw = path.read_bytes()
        return raw.decode("utf-8-sig"), raw
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        found.add(Severity.ERROR, "file-unreadable", message, file=called or path.name)
    except UnicodeDecodeError:
        found.add(Severity.ERROR, "not-utf-8", "is not UTF-8 text", file=path.name)
    return None


def parsed(
    read: tuple[str, bytes], parser: Parser, file: str, found: Findings, *, language: str = "TOML"
) -> tuple[Any, bytes] | None:
    """What `parser` makes of a text, with its bytes; None with a finding (`not-toml`, say)."""
    text, raw = read
    try:
        return parser(text), raw
    except RecursionError:
        message = "is nested too deeply"
    except ValueError as error:
        message = f"is not valid {language}: {error}"
    found.add(Severity.ERROR, f"not-{language.lower()}", message, file=file)
    return None
