"""Dates of a study."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from troughline.evidence.checks.rule import Flag, Rule
from troughline.issues import Severity

if TYPE_CHECKING:
    from troughline.evidence.records import Publication


def _find(study: Publication) -> Iterator[Flag]:
    begin, end = study.enrolled_from, study.enrolled_to
    if begin and end and begin > end:
        yield Flag(item="enrolled_to", message=f"enrolment ends in {end}, before it begins in {begin}")
    for field, month in (("enrolled_from", begin), ("enrolled_to", end)):
        if month and study.year and int(month[:4]) > study.year:
            yield Flag(item=field, message=f"{month} is after the publication in {study.year}")


RULES = (
    Rule(
        id="dates-out-of-order",
        severity=Severity.ERROR,
        title="Dates out of order",
        limit="enrolment ends before it begins, or begins or ends after the year of publication",
        reason="a study is published after its patients were enrolled",
        find=_find,
    ),
)
