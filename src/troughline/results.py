"""What a question answers: estimates, guards that fired, a verdict, and the series a figure is drawn from.

Everything here turns into `results.json`, and the report is drawn from that and from nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Json = dict[str, Any]


class Verdict(StrEnum):
    """How far an answer can be believed."""

    ANSWERED = "answered"
    CAUTION = "answered with caution"
    NOT_ANALYSABLE = "not analysable"
    REFUSED = "refused"


class GuardSeverity(StrEnum):
    """What a guard does to the verdict: `note` nothing, `caution` qualifies it, `refusal` refuses it."""

    NOTE = "note"
    CAUTION = "caution"
    REFUSAL = "refusal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One number with its interval.

    `method` starts with `as-published` or `guarded`. A missing `low` or `high` means that the data do not
    bound the estimate on that side; `note` says so. `label` tells what it applies to (a band, a level).
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    level: float | None = 0.95
    unit: str = "1"
    n: int
    method: str
    label: str = ""
    p_value: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if not self.method.startswith(("as-published", "guarded")):
            raise ValueError(f"method {self.method!r} starts with neither 'as-published' nor 'guarded'")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardFinding:
    """A guard that fired: what it found in these data, what it did to the answer, and the remedy."""

    id: str
    severity: GuardSeverity
    finding: str
    remedy: str
    effect: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionResult:
    """The answer to one question.

    `tables` maps a table's name to its rows (dicts with the same keys in the same order); `series` holds
    the arrays the figures are drawn from; both hold plain numbers, strings, booleans, None and lists.
    `replication` holds what each comparison with a published number found (docs/replication.md).
    """

    id: str
    kind: str
    title: str
    verdict: Verdict
    summary: str
    guards: tuple[GuardFinding, ...] = ()
    estimates: tuple[Estimate, ...] = ()
    tables: dict[str, list[Json]] = field(default_factory=dict[str, list[Json]])
    series: Json = field(default_factory=dict[str, Any])
    methods: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    replication: tuple[Json, ...] = ()

    def estimate(self, name: str, *, method: str = "guarded", label: str | None = None) -> Estimate:
        """The first estimate of that name whose method starts with `method` (and has that label).

        Raises `KeyError` where there is none.
        """
        for e in self.estimates:
            if e.name == name and e.method.startswith(method) and (label is None or e.label == label):
                return e
        raise KeyError(f"no {method} estimate {name!r} in question {self.id!r}")


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: dataclasses to dicts, NumPy to Python, not-a-number and infinity to None.

    Floats keep ten significant digits, so that the last bits of a sum do not change the bytes of a result.
    """
    from dataclasses import fields, is_dataclass

    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, StrEnum):
        return str(value)
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return float(f"{value:.10g}") if math.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
    tolist: Any = getattr(value, "tolist", None)
    if tolist is not None:
        return plain(tolist())
    raise TypeError(f"{type(value).__name__} has no place in a result")
