"""What a rule about an evidence file is, and what it yields."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from troughline.evidence.records import Publication
from troughline.issues import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """Something a rule found: the id of the number, arm, table or marker, and what is wrong with it.

    `severity` stands where this case is milder than the rule.
    """

    item: str
    message: str
    severity: Severity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A test of what a study printed.

    `severity` is an error where no data can give the numbers, a warning where they hardly can. `limit` says
    when it fires, `reason` why that limit; `find` yields a flag for each case.
    """

    id: str
    severity: Severity
    title: str
    limit: str
    reason: str
    find: Callable[[Publication], Iterable[Flag]]
