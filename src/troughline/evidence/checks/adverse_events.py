"""Grades of adverse events against each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from troughline.evidence.checks.printed import SLACK, percent_limits
from troughline.evidence.checks.rule import Flag, Rule
from troughline.issues import Severity

if TYPE_CHECKING:
    from troughline.evidence.records import Publication
    from troughline.evidence.study_sections import Percent


def _low(percent: Percent | None) -> float:
    return 0.0 if percent is None else percent_limits(percent)[0]


def _high(percent: Percent | None) -> float:
    return 100.0 if percent is None else percent_limits(percent)[1]


def _find(study: Publication) -> Iterator[Flag]:
    for table in study.adverse_events:
        for row in table.row:
            place = f"{row.term}, {row.arm}"
            severe = max(_low(row.grade_3) + _low(row.grade_4), _low(row.grade_3_or_more))
            if severe > _high(row.any_grade) + SLACK:
                yield Flag(
                    item=table.id,
                    message=f"{place}: grades 3 and 4 together at least {severe:g} %, "
                    f"any grade {row.any_grade} %",
                )
            if _low(row.grade_3) + _low(row.grade_4) > _high(row.grade_3_or_more) + SLACK:
                yield Flag(
                    item=table.id,
                    message=f"{place}: grade 3 {row.grade_3} % and grade 4 {row.grade_4} % exceed "
                    f"grade 3 or more {row.grade_3_or_more} %",
                )
            for percent in (row.any_grade, row.grade_3, row.grade_4, row.grade_3_or_more):
                if isinstance(percent, float | int) and not 0 <= percent <= 100:
                    yield Flag(item=table.id, message=f"{place}: {percent:g} % is no percentage")


RULES = (
    Rule(
        id="grades-do-not-add",
        severity=Severity.ERROR,
        title="Grades of an adverse event that do not add up",
        limit="grade 3 and grade 4 together, each rounded down, above any grade or above grade 3 or more, "
        "rounded up; a percentage outside 0 to 100",
        reason="a patient counts with the worst grade, so the grades are parts of any grade",
        find=_find,
    ),
)
