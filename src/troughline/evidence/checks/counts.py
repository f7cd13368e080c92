"""Numbers of patients that do not add up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from troughline.evidence.checks.printed import shown
from troughline.evidence.checks.rule import Flag, Rule
from troughline.issues import Severity

if TYPE_CHECKING:
    from troughline.evidence.records import Publication


def _too_many(study: Publication) -> Iterator[Flag]:
    if study.n is not None:
        sized = [(x.id, x.n) for x in (*study.number, *study.finding, *study.biomarker)]
        for item, n in sized:
            if n is not None and n > study.n:
                yield Flag(item=item, message=f"n = {n} exceeds the study's {study.n} patients")
    for n in study.number:
        if n.n is not None and n.events is not None and n.events > n.n:
            yield Flag(item=n.id, message=f"{n.events} events exceed the {n.n} patients")
        if n.arm is not None and n.comparator is None and n.n is not None:
            of_arm = study.arm_of(n.arm).n
            if of_arm is not None and n.n > of_arm:
                yield Flag(item=n.id, message=f"n = {n.n} exceeds the {of_arm} patients of arm {n.arm!r}")
        if n.quantity == "count" and n.unit == "patient" and n.value is not None:
            whole = n.n or study.n
            if whole is not None and n.value > whole:
                yield Flag(
                    item=n.id, message=f"{shown(n.value)} patients are more than the {whole} they are of"
                )


def _whole(study: Publication) -> Iterator[Flag]:
    for n in study.number:
        if n.quantity == "count" and n.value is not None and (n.value < 0 or n.value != int(n.value)):
            yield Flag(item=n.id, message=f"{shown(n.value)} is no count")


def _arms(study: Publication) -> Iterator[Flag]:
    for arm in study.arm:
        if arm.n is not None and arm.events is not None and arm.events > arm.n:
            yield Flag(item=arm.id, message=f"{arm.events} deaths exceed the {arm.n} patients of the arm")
        if arm.n is not None and arm.n_safety is not None and arm.n_safety > arm.n:
            yield Flag(
                item=arm.id, message=f"safety population {arm.n_safety} exceeds the arm's {arm.n} patients"
            )
    sizes = [a.n for a in study.arm if a.n is not None]
    if study.n is None or not sizes:
        return
    total = sum(sizes)
    added = " + ".join(map(str, sizes))
    if total > study.n:
        yield Flag(item=study.arm[0].id, message=f"arms of {added} = {total} exceed the study's {study.n}")
    elif study.arms_complete and len(sizes) == len(study.arm) and total < study.n:
        yield Flag(item=study.arm[0].id, message=f"arms of {added} = {total} are not the study's {study.n}")


def _risk_tables(study: Publication) -> Iterator[Flag]:
    for table in study.at_risk:
        steps = zip(table.time, table.n, table.time[1:], table.n[1:], strict=False)
        for before, many, after, more in steps:
            if after <= before:
                yield Flag(item=table.id, message=f"time {shown(after)} follows {shown(before)}")
            if more > many:
                yield Flag(
                    item=table.id,
                    message=f"{more} at risk at {shown(after)} {table.unit}, {many} at {shown(before)}",
                )
        whole = study.arm_of(table.arm).n
        if whole is not None and table.n[0] > whole:
            yield Flag(item=table.id, message=f"{table.n[0]} at risk at first, {whole} in arm {table.arm!r}")


RULES = (
    Rule(
        id="n-exceeds-whole",
        severity=Severity.ERROR,
        title="More patients than there are",
        limit="n above the study's or the arm's, events or counted patients above n",
        reason="a part is not larger than the whole; numbers of another data cut need a file of their own",
        find=_too_many,
    ),
    Rule(
        id="count-not-whole",
        severity=Severity.ERROR,
        title="A count that is no whole number",
        limit="a negative or broken count",
        reason="patients and samples are counted",
        find=_whole,
    ),
    Rule(
        id="arms-do-not-add",
        severity=Severity.ERROR,
        title="Arms that do not add up to the study",
        limit="the arms' n sum to more than n, or to less where `arms_complete` is true; deaths or the "
        "safety population above the arm's n",
        reason="each patient is in one arm",
        find=_arms,
    ),
    Rule(
        id="risk-table-rises",
        severity=Severity.ERROR,
        title="Numbers at risk that rise",
        limit="more at risk than before, more than the arm's patients, or times that do not rise",
        reason="who has left does not come back",
        find=_risk_tables,
    ),
)
