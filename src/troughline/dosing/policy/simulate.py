"""Run every policy of a setup over the same virtual patients, visit by visit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from troughline.dosing.policy.course import Course
from troughline.dosing.policy.informed import decide_by_model
from troughline.dosing.policy.population import draw_patients
from troughline.dosing.policy.rules import decide_by_threshold
from troughline.dosing.policy.truth import Truth
from troughline.issues import Finding, InputError, Severity
from troughline.progress import Progress, silent

if TYPE_CHECKING:
    from troughline.dosing.policy.population import VirtualPatients
    from troughline.dosing.policy.setup import Setup


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """What every policy of a setup did to the same patients, in the order of `setup.policies`."""

    setup: Setup
    patients: VirtualPatients
    courses: tuple[Course, ...]


def simulate(setup: Setup, *, threads: int | None = None, progress: Progress = silent) -> Simulated:
    """Simulate all policies. The same setup gives the same numbers, whatever `threads` (None: all cores).

    Raises `InputError` (configuration) where the population cannot be drawn or followed to the horizon.
    """
    progress("drawing virtual patients", 0, len(setup.policies) * len(setup.ends))
    try:
        patients = draw_patients(setup)
    except ValueError as error:
        raise _refusal(setup, str(error)) from None
    return simulate_patients(setup, patients, threads=threads, progress=progress)


def simulate_patients(
    setup: Setup, patients: VirtualPatients, *, threads: int | None = None, progress: Progress = silent
) -> Simulated:
    """Simulate all policies over patients that are drawn already; as `simulate`."""
    from troughline.model.engine import PredictionError

    steps = len(setup.policies) * len(setup.ends)
    courses: list[Course] = []
    try:
        truth = Truth(setup, patients, threads)
        for k, policy in enumerate(setup.policies):
            course = Course(setup, patients, policy)
            first = 0
            for visit, day in enumerate(setup.ends):
                progress(f"{policy.id}: until day {day}", k * len(setup.ends) + visit, steps)
                course.advance(truth, first, day, visit)
                if visit < len(setup.file.visits.days):
                    decide(course, visit, day, threads)
                first = day + 1
            courses.append(course)
    except PredictionError as error:
        raise _refusal(setup, f"the true model {setup.truth.spec.id} fails: {error}") from None
    except InputError:
        raise
    except ValueError as error:
        raise _refusal(setup, str(error)) from None
    progress("policies simulated", steps, steps)
    return Simulated(setup=setup, patients=patients, courses=tuple(courses))


def decide(course: Course, visit: int, day: int, threads: int | None) -> None:
    """What the policy does at a visit; those without levels do nothing, and none before its first visit."""
    if visit + 1 < course.policy.first_visit:
        return
    if course.policy.kind == "threshold":
        decide_by_threshold(course, visit, day)
    elif course.policy.kind in ("model", "known"):
        decide_by_model(course, visit, day, threads)


def _refusal(setup: Setup, message: str) -> InputError:
    return InputError([Finding(Severity.ERROR, "population", message, setup.name)], configuration=True)


def course_of(simulated: Simulated, policy: str) -> Course:
    """The course of a policy by its id. Raises `ValueError` that lists the known ids."""
    for course in simulated.courses:
        if course.policy.id == policy:
            return course
    known = ", ".join(c.policy.id for c in simulated.courses)
    raise ValueError(f"no policy {policy!r}; there are {known}")
