"""The dose history: entries, holds and missed doses to the doses that were taken, one by one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from troughline.dosing.patient import GivenDose
from troughline.dosing.regimen import Regimen

if TYPE_CHECKING:
    from datetime import datetime

    from troughline.dosing.patient_build import Reader
    from troughline.dosing.patient_schema import DoseEntry

MOST_DOSES = 20_000
FAR_ABOVE = 3.0
"""So many times the largest daily dose on file is taken for a slip of the pen."""
MISSED_WITHIN_H = 1.0
"""A missed dose is the scheduled one this close to the time that is written."""
_SAME_H = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Doses taken (in order), when doses were missed, and what is in force at the decision."""

    doses: tuple[GivenDose, ...]
    missed_h: tuple[float, ...]
    regimen: Regimen | None
    hold_since_h: float | None
    adherence: float | None


def read_history(reader: Reader, now_h: float) -> History | None:
    """The doses taken up to the decision; None, with errors, where the entries contradict each other."""
    from troughline.units import convert, is_convertible

    entries = reader.contents.dose
    starts: list[float] = []
    for k, entry in enumerate(entries):
        start = reader.hours(entry.start, f"dose.{k + 1}.start")
        if start is None:
            return None
        starts.append(start)
        if not is_convertible(entry.unit, "mg"):
            reader.error("unit", f"{entry.unit!r} is no unit of a dose, such as mg", f"dose.{k + 1}.unit")
            return None
    order = sorted(range(len(entries)), key=lambda k: starts[k])
    holds = _holds(reader, now_h)
    if not _in_order(reader, starts, order, now_h):
        return None
    taken: list[GivenDose] = []
    missed: list[float] = []
    regimen: Regimen | None = None
    ended: float | None = None
    for position, k in enumerate(order):
        entry, start = entries[k], starts[k]
        following = starts[order[position + 1]] if position + 1 < len(order) else now_h
        until = reader.optional(entry.until, f"dose.{k + 1}.until")
        if entry.until is not None and until is None:
            return None
        if until is not None and not _until_fits(reader, k, start, until, following, position, order):
            return None
        stop = min(following, now_h) if until is None else min(until, now_h)
        factor = convert(1.0, entry.unit, "mg")
        amounts = tuple(a * factor for a in (entry.amounts or (entry.amount or 0.0,)))
        daily = sum(amounts) * 24.0 / (entry.interval_h * len(amounts))
        planned = _planned(start, stop, entry.interval_h, reader.times.origin)
        if len(planned) + len(taken) > MOST_DOSES:
            reader.error("too-many-doses", f"more than {MOST_DOSES} doses", f"dose.{k + 1}")
            return None
        skipped = _missed(reader, entry, planned, k)
        missed += skipped
        for j, time_h in enumerate(planned):
            amount = amounts[j % len(amounts)]
            held = any(a - _SAME_H <= time_h < b - _SAME_H for a, b in holds)
            if amount > 0 and not held and not any(abs(time_h - m) < _SAME_H for m in skipped):
                taken.append(
                    GivenDose(
                        time_h=time_h, amount_mg=amount, interval_h=entry.interval_h, food=entry.food,
                        daily_mg=daily,
                    )
                )  # fmt: skip
        if amounts[0] > 0 and (until is None or until >= now_h - _SAME_H):
            regimen, ended = regimen_of(amounts, entry.interval_h), None
        else:
            regimen, ended = None, (start if amounts[0] == 0 else until)
    if not taken:
        reader.error("no-doses", "no dose was taken up to the decision", "dose")
        return None
    held_now = [a for a, b in holds if a <= now_h + _SAME_H and b >= now_h - _SAME_H]
    if held_now:
        regimen, ended = None, held_now[-1]
    if not _plausible(reader, taken):
        return None
    said = [e.adherence for e in entries if e.adherence is not None]
    return History(
        doses=tuple(taken), missed_h=tuple(sorted(missed)), regimen=regimen, hold_since_h=ended,
        adherence=said[-1] if said else None,
    )  # fmt: skip


def _plausible(reader: Reader, taken: list[GivenDose]) -> bool:
    """Doses against the drug's regimens on file: far above the largest is an error, above it a warning."""
    from troughline.evidence.store import load_drug

    drug = reader.contents.patient.drug
    known = [sum(r.amounts_mg) * 24.0 / (r.interval_h * len(r.amounts_mg)) for r in load_drug(drug).regimen]
    largest = max(known, default=math.inf)
    most = max(taken, key=lambda d: d.prescribed_daily_mg)
    over = most.prescribed_daily_mg / largest
    if over <= 1 + _SAME_H:
        return True
    said = (
        f"{most.amount_mg:g} mg every {most.interval_h:g} h, {most.prescribed_daily_mg:g} mg a day, is "
        f"{over:.1f} times the largest regimen on file for {drug} ({largest:g} mg a day)"
    )
    if over > FAR_ABOVE:
        reader.error("implausible-dose", f"{said}: a zero too many, or another unit or interval?", "dose")
        return False
    reader.warn("dose-above-file", said, "dose")
    return True


def regimen_of(amounts_mg: tuple[float, ...], interval_h: float) -> Regimen:
    """A regimen as a history gives it; `candidates` recognises it among the drug's own."""
    return Regimen(
        id="current", label=label_of(amounts_mg, interval_h), amounts_mg=amounts_mg, interval_h=interval_h,
        basis="practice", source="the patient file",
    )  # fmt: skip


def label_of(amounts_mg: tuple[float, ...], interval_h: float) -> str:
    """A regimen in words: `400 mg twice daily`, `200/400 mg in turn once daily`."""
    words = {8.0: "three times daily", 12.0: "twice daily", 24.0: "once daily", 48.0: "every other day"}
    amount = "/".join(f"{a:g}" for a in amounts_mg) + " mg" + (" in turn" if len(amounts_mg) > 1 else "")
    return f"{amount} {words.get(interval_h, f'every {interval_h:g} h')}"


def _planned(start: float, stop: float, interval: float, origin: datetime | None) -> list[float]:
    """The times of an entry's doses: before `stop`, and at the decision itself none yet."""
    from troughline.dosing.patient_times import due_after

    # A change of summer time moves the last dose by an hour at most: one more is looked at.
    count = max(math.ceil((stop - start) / interval - 1e-9), 0) + math.ceil(1.0 / interval)
    if count > 2 * MOST_DOSES:
        return [start + interval * j for j in range(count)]
    due = [due_after(origin, start, interval * j, interval) for j in range(count)]
    return [t for t in due if t < stop - interval * 1e-9]


def _holds(reader: Reader, now_h: float) -> list[tuple[float, float]]:
    made: list[tuple[float, float]] = []
    for k, hold in enumerate(reader.contents.hold):
        start = reader.hours(hold.start, f"hold.{k + 1}.start")
        until = now_h if hold.until is None else reader.hours(hold.until, f"hold.{k + 1}.until")
        if start is None or until is None:
            continue
        if until < start:
            reader.error("contradictory-times", "ends before it begins", f"hold.{k + 1}.until")
            continue
        made.append((start, until if hold.until is not None else until + _SAME_H))
    return made


def _in_order(reader: Reader, starts: list[float], order: list[int], now_h: float) -> bool:
    """Errors where two entries begin together or one begins after the decision."""
    fine = True
    for a, b in pairwise(order):
        if abs(starts[a] - starts[b]) < _SAME_H:
            reader.error(
                "contradictory-times", f"begins at the same moment as dose {a + 1}", f"dose.{b + 1}.start"
            )
            fine = False
    for k in order:
        if starts[k] > now_h + _SAME_H:
            reader.error("dose-after-now", "begins after the decision", f"dose.{k + 1}.start")
            fine = False
    return fine


def _until_fits(
    reader: Reader, k: int, start: float, until: float, following: float, position: int, order: list[int]
) -> bool:
    place = f"dose.{k + 1}.until"
    if until <= start:
        reader.error("contradictory-times", "ends before it begins", place)
        return False
    if position + 1 < len(order) and until > following + _SAME_H:
        reader.error(
            "contradictory-times",
            f"ends {(until - following) / 24:.2f} days after dose {order[position + 1] + 1} begins", place,
        )  # fmt: skip
        return False
    return True


def _apart(a: float, b: float) -> float:
    return abs(a - b)


def _missed(reader: Reader, entry: DoseEntry, planned: list[float], k: int) -> list[float]:
    """The scheduled times that were missed; an error where no dose was due within an hour."""
    made: list[float] = []
    for j, written in enumerate(entry.missed):
        place = f"dose.{k + 1}.missed.{j + 1}"
        time_h = reader.hours(written, place)
        if time_h is None:
            continue
        near = min(planned, key=partial(_apart, time_h)) if planned else None
        if near is None or abs(near - time_h) > MISSED_WITHIN_H:
            due = "" if near is None else f"; the nearest was due {(near - time_h):+.1f} h from it"
            reader.error("missed-not-due", f"no dose of this entry was due then{due}", place)
            continue
        made.append(near)
    return made
