"""Chemoembolisation when an image asks for it, and progression that can no longer be embolised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.mechanism.endpoints import TimeToEvent
from troughline.mechanism.treatment import Arm, LocalTherapy, Protocol

if TYPE_CHECKING:
    from troughline.mechanism.population import Patients
    from troughline.mechanism.runner import Courses, Runner

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDemand:
    """When a session is repeated, by the product of two diameters of what lives over its start.

    Above `repeat_above` another one is given; from `untreatable_above` on none helps any more, nor where the
    liver score is above `liver_stop`.
    """

    repeat_above: float
    untreatable_above: float
    liver_stop: float


def sessions_on_demand(
    runner: Runner,
    patients: Patients,
    arm: Arm,
    protocol: Protocol,
    rule: OnDemand,
    *,
    values: Mapping[str, float],
) -> tuple[Courses, Ints]:
    """The courses of patients who get the arm's sessions, and another at each image that asks for it.

    Also how many sessions each had (n,).

    The image shows what lives without an error of measurement. Image by image: who has had the same sessions
    is run together up to that image, which decides about one more. What lives is sampled at the start and at
    every image.
    """
    n = len(patients)
    first = tuple(s.day for s in arm.local)
    given: list[tuple[float, ...]] = [first] * n
    open_ = np.ones(n, dtype=bool)
    for day in protocol.visit_days[:-1]:
        if day <= max(first, default=-1.0):
            continue
        asked = np.flatnonzero(open_)
        if not len(asked):
            break
        so_far = tuple(d for d in protocol.visit_days if d <= day)
        until = replace(protocol, visit_days=so_far, horizon_days=day + 1.0)
        sessions = [given[i] for i in asked]
        courses = _grouped(runner, patients.take(asked), arm, until, values, sessions, (0.0, day))
        ratio = _product(runner, courses)[:, 1]
        with np.errstate(invalid="ignore"):
            treatable = (ratio < rule.untreatable_above) & (_liver(runner, courses)[:, 1] <= rule.liver_stop)
        for i in asked[treatable & (ratio > rule.repeat_above)]:
            given[i] = (*given[i], day)
        open_[asked] = treatable
    courses = _grouped(runner, patients, arm, protocol, values, given, (0.0, *protocol.visit_days))
    return courses, np.array([len(days) for days in given], dtype=np.int64)


def untaceable_day(runner: Runner, courses: Courses, protocol: Protocol, rule: OnDemand) -> TimeToEvent:
    """Progression that no session helps any more, at the image that shows it; else censored at the last.

    `courses` sampled at the start and at every image.
    """
    product, liver = _product(runner, courses)[:, 1:], _liver(runner, courses)[:, 1:]
    days = np.asarray(protocol.visit_days)
    with np.errstate(invalid="ignore"):
        seen = (product >= rule.untreatable_above) | (liver > rule.liver_stop)
    event = np.asarray(seen.any(axis=1), dtype=np.bool_)
    first = np.argmax(seen, axis=1)
    images = np.isfinite(product)
    last = np.where(images.any(axis=1), days[images.shape[1] - 1 - np.argmax(images[:, ::-1], axis=1)], 0.0)
    return TimeToEvent(day=np.where(event, days[first], last), event=event, weight=np.ones(len(event)))


def _product(runner: Runner, courses: Courses) -> Floats:
    place = runner.output_names.index("viable_diameters")
    return (courses.sampled[:, :, place] / courses.sampled[:, :1, place]) ** 2


def _liver(runner: Runner, courses: Courses) -> Floats:
    return courses.sampled[:, :, runner.output_names.index("liver_score")]


def _grouped(
    runner: Runner,
    patients: Patients,
    arm: Arm,
    protocol: Protocol,
    values: Mapping[str, float],
    given: list[tuple[float, ...]],
    sample_days: tuple[float, ...],
) -> Courses:
    """Every patient with the sessions given, those with the same ones together, in the patients' order."""
    from troughline.mechanism.runner import Courses

    groups: dict[tuple[float, ...], list[int]] = {}
    for i, days in enumerate(given):
        groups.setdefault(days, []).append(i)
    parts: list[Courses] = []
    order: list[int] = []
    for days, members in groups.items():
        treated = replace(arm, local=tuple(LocalTherapy(day=d, kind="tace") for d in days))
        parts.append(
            runner.run(
                patients.take(np.array(members)),
                treated,
                protocol,
                values=values,
                sample_days=sample_days,
                threads=1,
            )
        )
        order += members
    back = np.argsort(np.array(order), kind="stable")
    return Courses(
        **{f.name: np.concatenate([getattr(p, f.name) for p in parts])[back] for f in fields(Courses)}
    )
