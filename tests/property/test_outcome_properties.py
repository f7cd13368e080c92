"""What must hold of outcomes and follow-up whatever the rows, and of exposure whatever the samples."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.simulated_records import Records
from hypothesis import given, settings
from hypothesis import strategies as st

from troughline.cohort.cohort import Cohort
from troughline.cohort.exposure import exposure_of
from troughline.cohort.outcomes import binary_outcome, time_to_event
from troughline.cohort.studyfile import Outcome, Predictor

EVENTS = ("adverse event", "progression", "response", "dose reduction", "death", "last contact")
Row = tuple[str, float, str, float, str]

rows_of_events = st.lists(
    st.tuples(
        st.sampled_from("ABC"),
        st.integers(1, 400).map(float),
        st.sampled_from(EVENTS),
        st.sampled_from((1.0, 2.0, 3.0, 4.0, math.nan)),
        st.sampled_from(("CR", "PR", "SD", "PD")),
    ),
    min_size=1,
    max_size=14,
)
samples = st.lists(
    st.tuples(
        st.sampled_from("ABC"),
        st.integers(-5, 120).map(float),
        st.floats(0.05, 20.0),
        st.floats(0.5, 24.0),
    ),
    min_size=1,
    max_size=12,
)


def cohort(events: list[Row], levels: list[tuple[str, float, float, float]] | None = None) -> Cohort:
    """One death a patient at most, as reading the tables makes sure."""
    rows = Records(patients={p: {} for p in "ABC"})
    died: set[str] = set()
    for patient, day, event, grade, response in events:
        if event == "death" and patient in died:
            continue
        died |= {patient} if event == "death" else set()
        rows.event(patient, day, event, grade=grade, response=response if event == "response" else None)
    for patient, day, value, hours in levels or []:
        rows.level(patient, day, value, hours=hours)
    question: dict[str, Any] = {
        "id": "q", "kind": "threshold", "predictor": {"analyte": "sorafenib", "unit": "ug/mL"},
        "outcome": {"event": "adverse event"},
    }  # fmt: skip
    return rows.cohort([question])


@settings(max_examples=60, deadline=None)
@given(rows_of_events, st.sampled_from((None, 30.0, 90.0)))
def test_a_yes_or_no_is_told_or_explained_for_every_patient(events: list[Row], within: float | None) -> None:
    outcome = Outcome.model_validate({"event": "adverse event", "grade": ">=3", "within_days": within})
    found = binary_outcome(cohort(events), outcome)
    assert set(found.happened) == set("ABC")
    for patient, yes in found.happened.items():
        assert (patient in found.day) == (yes is True)
        assert (patient in found.unknown) == (yes is None)
        if yes and within is not None:
            assert found.day[patient] <= within
    assert not any(found.happened[p] for p in found.died_before)


@settings(max_examples=60, deadline=None)
@given(rows_of_events)
def test_a_milder_rule_never_has_fewer_events_nor_later_ones(events: list[Row]) -> None:
    made = cohort(events)
    severe, mild = (
        binary_outcome(made, Outcome.model_validate({"event": "adverse event", "grade": g}))
        for g in (">=3", ">=2")
    )
    for patient, day in severe.day.items():
        assert mild.day[patient] <= day


@settings(max_examples=60, deadline=None)
@given(rows_of_events)
def test_stability_only_adds_responders_and_never_before_the_time_is_up(events: list[Row]) -> None:
    made = cohort(events)
    plain, stable = (
        binary_outcome(made, Outcome.model_validate({"response": ["CR", "PR"], **extra}))
        for extra in ({}, {"or_stable_for_days": 90})
    )
    for patient in "ABC":
        if plain.happened[patient]:
            assert stable.happened[patient]
        elif stable.happened[patient]:
            assert stable.day[patient] == 90


@settings(max_examples=60, deadline=None)
@given(rows_of_events)
def test_a_composite_comes_at_the_first_of_its_parts(events: list[Row]) -> None:
    made = cohort(events)
    both, progression, death = (
        time_to_event(made, Outcome.model_validate({"event": e}))
        for e in (["progression", "death"], "progression", "death")
    )
    for patient, time in both.time.items():
        assert time == min(progression.time[patient], death.time[patient])
        assert both.status[patient] >= max(
            part.status[patient] for part in (progression, death) if part.time[patient] == time
        )


@settings(max_examples=60, deadline=None)
@given(rows_of_events)
def test_naming_death_as_competing_changes_the_status_of_the_censored_dead_alone(events: list[Row]) -> None:
    made = cohort(events)
    outcome = Outcome.model_validate({"event": "progression"})
    censored, competing = time_to_event(made, outcome), time_to_event(made, outcome, ("death",))
    for patient, status in censored.status.items():
        assert competing.time[patient] <= censored.time[patient]
        if status == 1 and competing.status[patient] != 1:
            # Only a row dated after the death can be overtaken by it.
            assert competing.time[patient] < censored.time[patient]


@settings(max_examples=80, deadline=None)
@given(rows_of_events, samples)
def test_a_guarded_level_is_one_of_the_patients_samples_and_breaks_no_rule(
    events: list[Row], levels: list[tuple[str, float, float, float]]
) -> None:
    made = cohort(events, levels)
    event_day = {p: d for p, d, e, g, _ in events if e == "adverse event" and g >= 3}
    found = exposure_of(
        made, Predictor(analyte="sorafenib", unit="ug/mL"), event_day=event_day, trough_min_hours=10.0,
        steady_state_days=7.0,
    )  # fmt: skip
    assert len(found.samples) == len(levels)
    assert set(found.guarded) <= set(found.as_published)
    for patient, guarded in found.guarded.items():
        (sample,) = guarded.samples
        assert sample.patient == patient
        assert sample.reason == ""
        assert sample.day >= 7
        assert sample.time_after_dose_h >= 10
        assert sample.day <= event_day.get(patient, math.inf)
    unused = [s for s in found.samples if s.reason]
    assert len(unused) + len(found.guarded) == len(found.samples)
    for patient, value in found.as_published.items():
        own = [v for p, _, v, _ in levels if p == patient]
        assert min(own) * (1 - 1e-12) <= value.value <= max(own) * (1 + 1e-12)
