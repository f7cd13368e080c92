"""`troughline reconstruct`: a checked curve file to a `Reconstruction`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from troughline.evidence.reconstruct.algorithm import (
    ALLOWED,
    IMPOSSIBLE,
    ArmPatients,
    ReconstructionError,
    reconstruct_arm,
)
from troughline.evidence.reconstruct.contents import contents_of
from troughline.evidence.reconstruct.error import reading_error, reconstruct_again
from troughline.evidence.reconstruct.load import ArmInput, CurveInput, load_curve_file, load_curves
from troughline.evidence.reconstruct.result import (
    APPROXIMATE,
    Comparison,
    Range,
    ReconstructedArm,
    Reconstruction,
    compare,
    median_of,
    middle,
)
from troughline.evidence.reconstruct.schema import CurveFile, PrintedNumber
from troughline.evidence.reconstruct.summary import (
    ArmSummary,
    Printed,
    Summary,
    SummaryError,
    SummaryPatients,
    reconstruct_summary,
)
from troughline.issues import Findings, InputError, Severity
from troughline.progress import Progress
from troughline.survival.kaplan_meier import kaplan_meier


def reconstruct(path: str | Path, *, progress: Progress | None = None) -> Reconstruction:
    """Patients behind the printed curves, or the printed summary, of a CURVE.toml.

    Raises `InputError`: as configuration where the file itself is wrong, otherwise where clicks, numbers at
    risk, events or a summary cannot be used or contradict each other.
    """
    read = load_curves(load_curve_file(path))
    read.findings.raise_errors()
    return _from_summary(read) if read.file.from_summary else _from_curves(read, progress)


def check_curves(path: str | Path) -> Findings:
    """Every finding about a curve file and what it names; nothing is reconstructed.

    Raises `InputError` (configuration) where the file itself is wrong.
    """
    return load_curves(load_curve_file(path)).findings


def _from_curves(read: CurveInput, progress: Progress | None) -> Reconstruction:
    file, found = read.file, read.findings
    made: list[ArmPatients] = []
    for arm in read.arms:
        try:
            patients = reconstruct_arm(arm.curve, arm.table, total_events=arm.total_events, ticks=arm.ticks)
        except ReconstructionError as error:
            message = f"arm {arm.name!r}: {error}"
            found.add(Severity.ERROR, "contradiction", message, file=file.path.name)
            continue
        _judge(arm, patients, file, found)
        made.append(patients)
    found.raise_errors()
    medians, ratios, failed = _other_readings(read, progress)
    if failed:
        message = f"{failed} of {file.curve.readings} other readings could not be reconstructed; left out"
        found.add(Severity.WARNING, "readings-failed", message, file=file.path.name)
    arms = tuple(
        ReconstructedArm(
            name=arm.name,
            source="figure" if section.path else "clicks",
            time=patients.time,
            event=patients.event,
            curve=kaplan_meier(patients.time, patients.event, level=file.curve.level)[0],
            reading=arm.curve,
            table=arm.table,
            error=reading_error(arm.curve, patients),
            total_events=arm.total_events,
            median_reading=middle(values, file.curve.level),
        )
        for arm, section, patients, values in zip(read.arms, file.arm, made, medians, strict=True)
    )
    compared = _compared(arms, file.curve.level, [middle(r, file.curve.level) for r in ratios])
    return _finished(read, arms, compared, None)


def _from_summary(read: CurveInput) -> Reconstruction:
    file, found = read.file, read.findings
    try:
        made = reconstruct_summary(_summary(file))
    except SummaryError as error:
        found.add(Severity.ERROR, "contradiction", str(error), file=file.path.name)
        raise InputError(found) from None
    found.add(Severity.NOTE, "approximate", APPROXIMATE, file=file.path.name)
    for assumption in made.assumptions:
        found.add(Severity.NOTE, "assumption", assumption, file=file.path.name)
    _judge_summary(made, file, found)
    arms = tuple(
        ReconstructedArm(
            name=section.name,
            source="summary",
            time=t[order],
            event=e[order],
            curve=kaplan_meier(t, e, level=file.curve.level)[0],
        )
        for section, t, e in zip(file.arm, made.times, made.events, strict=True)
        for order in [np.lexsort((~e, t))]
    )
    return _finished(read, arms, _compared(arms, file.curve.level, []), made)


def _finished(
    read: CurveInput,
    arms: tuple[ReconstructedArm, ...],
    compared: tuple[Comparison, ...],
    made: SummaryPatients | None,
) -> Reconstruction:
    curve = read.file.curve
    return Reconstruction(
        title=curve.title,
        time_unit=curve.time_unit,
        approximate=made is not None,
        arms=arms,
        comparisons=compared,
        findings=tuple(read.findings),
        contents=contents_of(read, arms, compared, made),
        study=curve.study,
    )


def _judge(arm: ArmInput, patients: ArmPatients, file: CurveFile, found: Findings) -> None:
    """Say where the counts hold the curve away from the clicks; an error where they contradict them."""
    if patients.worst <= ALLOWED or patients.worst_interval is None:
        return
    interval = patients.worst_interval
    off = float(np.abs(patients.click_survival - arm.curve.survival).max())
    impossible = patients.worst > IMPOSSIBLE
    what = "contradict each other" if impossible else "hardly agree"
    found.add(
        Severity.ERROR if impossible else Severity.WARNING,
        "contradiction" if impossible else "counts-against-clicks",
        f"arm {arm.name!r}: clicks and numbers at risk {what} {interval.words(file.curve.time_unit)}, where "
        f"{interval.leaving} of {interval.n} leave: the nearest curve lies {off:.3g} off, "
        f"{patients.worst:.1f} "
        "times a reading step and half a death; check the click, the table, and the reading step",
        file=file.path.name,
    )


def _other_readings(
    read: CurveInput, progress: Progress | None
) -> tuple[list[list[float]], list[list[float]], int]:
    """Medians by arm and hazard ratios by comparison over the other readings, and how many failed."""
    arms, header = read.arms, read.file.curve
    medians: list[list[float]] = [[] for _ in arms]
    ratios: list[list[float]] = [[] for _ in arms[1:]]
    failed = 0
    for reading in range(header.readings):
        again = reconstruct_again(
            [a.curve for a in arms],
            [a.table for a in arms],
            [a.total_events for a in arms],
            [a.ticks for a in arms],
            seed=header.seed,
            reading=reading,
        )
        if again is None:
            failed += 1
            continue
        for values, patients in zip(medians, again, strict=True):
            values.append(median_of(patients.time, patients.event))
        named = [(a.name, p.time, p.event) for a, p in zip(arms, again, strict=True)]
        for values, pair in zip(ratios, compare(named, level=header.level, with_test=False), strict=True):
            values.append(pair.hazard_ratio)
        if progress is not None:
            progress("reading again", reading + 1, header.readings)
    return medians, ratios, failed


def _compared(
    arms: tuple[ReconstructedArm, ...], level: float, ranges: list[Range | None]
) -> tuple[Comparison, ...]:
    from dataclasses import replace

    pairs = compare([(a.name, a.time, a.event) for a in arms], level=level)
    if not ranges:
        return pairs
    return tuple(replace(p, hazard_ratio_reading=r) for p, r in zip(pairs, ranges, strict=True))


def _summary(file: CurveFile) -> Summary:
    section = file.summary
    counts: dict[str, Any] = {}
    if section is not None:
        for name in ("accrual", "follow_up"):
            value = getattr(section, name)
            counts[name] = None if value is None else value.value
        if section.events is not None:
            if not float(section.events.value).is_integer():
                raise SummaryError(f"{section.events.value:g} events are no whole number")
            counts["events"] = int(section.events.value)
    return Summary(
        arms=tuple(
            ArmSummary(name=a.name, n=a.n or 0, median=_printed(a.median), events=a.events)
            for a in file.arm
            if a.median is not None
        ),
        hazard_ratio=_printed(section.hazard_ratio) if section and section.hazard_ratio else None,
        level=file.curve.level,
        time_unit=file.curve.time_unit,
        **counts,
    )


def _printed(number: PrintedNumber) -> Printed:
    return Printed(value=number.value, half=0.5 * 10.0**-number.digits, low=number.low, high=number.high)


def _judge_summary(made: SummaryPatients, file: CurveFile, found: Findings) -> None:
    """Say which printed numbers these patients do not give."""
    section = file.summary
    for name, misses in made.misses.items():
        if misses <= 1 + 1e-9:
            continue
        term, ratio = made.hazard_ratio, section.hazard_ratio if section else None
        got = ""
        if name == "interval" and term is not None and ratio is not None:
            events = sum(int(e.sum()) for e in made.events)
            got = (
                f": {term.low:.3f}–{term.high:.3f} with {events} events, printed "
                f"{ratio.low:g}–{ratio.high:g}; an "
                "adjusted or stratified analysis, or another number of events, would explain it"
            )
        message = f"the printed {name} is missed by {misses:.1f} half units of its last digit{got}"
        found.add(Severity.WARNING, "not-met", message, file=file.path.name)
    unread = _unverified(file)
    if unread:
        message = f"not read in the source, only reported: {', '.join(unread)}"
        found.add(Severity.WARNING, "unverified", message, file=file.path.name)
    for k, arm in enumerate(file.arm):
        printed, curve = arm.median, made.curves[k]
        if printed is not None and printed.low is not None and math.isfinite(curve.median_low):
            high = "not reached" if math.isnan(curve.median_high) else f"{curve.median_high:.3g}"
            message = (
                f"arm {arm.name!r}: interval of the median {curve.median_low:.3g} to {high}; printed "
                f"{printed.low:g} to {printed.high:g} (shown, not fitted)"
            )
            found.add(Severity.NOTE, "median-interval", message, file=file.path.name)


def _unverified(file: CurveFile) -> list[str]:
    out = [f"median of {a.name}" for a in file.arm if a.median is not None and not a.median.verified]
    out += [f"n of {a.name}" for a in file.arm if not a.n_verified]
    if file.summary is not None:
        for name in ("hazard_ratio", "events", "accrual", "follow_up"):
            value = getattr(file.summary, name)
            if value is not None and not value.verified:
                out.append(name.replace("_", " "))
    return out
