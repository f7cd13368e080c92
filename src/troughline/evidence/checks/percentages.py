"""Percentages over n that are no count of patients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from troughline.evidence.checks.printed import SLACK, count_exists, half_step, percent_limits, shown
from troughline.evidence.checks.rule import Flag, Rule
from troughline.issues import Severity

if TYPE_CHECKING:
    from troughline.evidence.records import Publication
    from troughline.evidence.study_sections import AdverseEventRow, Percent


def _no_count(study: Publication) -> Iterator[Flag]:
    for p in study.number:
        if p.quantity != "proportion" or p.value is None or p.n is None or p.basis != "published":
            continue
        if p.relation is not None or p.interval is not None:
            continue
        scale = 100.0 if p.unit == "%" else 1.0
        half = half_step(p) / scale
        value = p.value / scale
        if not count_exists(value - half, value + half, p.n):
            yield Flag(
                item=p.id,
                message=f"{shown(p.value * 100 / scale)} % is no count of {p.n} patients",
                severity=Severity.WARNING if p.n in _whole(study, p.arm) else None,
            )


def _whole(study: Publication, arm: str | None) -> tuple[int | None, ...]:
    """The sizes of the study and of an arm: a percentage may be of fewer, those who could be assessed."""
    return (study.n,) if arm is None else (study.n, study.arm_of(arm).n, study.arm_of(arm).n_safety)


def _rows(study: Publication) -> Iterator[Flag]:
    for table in study.adverse_events:
        for row in table.row:
            n = row.n or study.arm_of(row.arm).n_safety
            if n is None:
                continue
            for name, percent in _percentages(row):
                low, high = percent_limits(percent)
                if isinstance(percent, float | int) and not count_exists(low / 100, high / 100, n):
                    yield Flag(
                        item=table.id,
                        message=f"{row.term}, {row.arm}, {name}: {shown(percent)} % is no count of {n} "
                        "patients",
                        severity=Severity.WARNING if row.n is None else None,
                    )


def _percentages(row: AdverseEventRow) -> Iterator[tuple[str, Percent]]:
    named = {
        "any grade": row.any_grade,
        "grade 3": row.grade_3,
        "grade 4": row.grade_4,
        "grade 3 or more": row.grade_3_or_more,
    }
    for name, percent in named.items():
        if percent is not None:
            yield name, percent


def _both(study: Publication) -> Iterator[Flag]:
    yield from _no_count(study)
    yield from _rows(study)


def _against_count(study: Publication) -> Iterator[Flag]:
    for p in study.number:
        n = p.n or study.n
        if p.quantity != "proportion" or p.value is None or p.events is None or n is None:
            continue
        scale = 100.0 if p.unit == "%" else 1.0
        if abs(p.events / n * scale - p.value) > half_step(p) + SLACK:
            yield Flag(
                item=p.id,
                message=f"{shown(p.value * 100 / scale)} % printed beside {p.events} of {n} patients, which "
                f"are {p.events / n * 100:.1f} %",
            )


RULES = (
    Rule(
        id="percentage-no-count",
        severity=Severity.ERROR,
        title="A percentage that is no count of its patients",
        limit="no whole number of n patients rounds to the percentage as printed; those with an interval, "
        "such as Kaplan–Meier rates, are let through",
        reason="a share of n patients is a whole number over n (as in the GRIM test, Brown & Heathers 2017, "
        "doi 10.1177/1948550616673876); where n is above 100, and above 10 times as much for each decimal, "
        "every percentage is a count; a warning where n is that of the whole study or arm, of which "
        "fewer may have been assessed",
        find=_both,
    ),
    Rule(
        id="percentage-against-count",
        severity=Severity.WARNING,
        title="A percentage that is not its own count over n",
        limit="events over n differs from the percentage by more than its rounding",
        reason="the two say the same; a percentage of another denominator fires too",
        find=_against_count,
    ),
)
