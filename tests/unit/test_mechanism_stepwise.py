"""A run that pauses gives the numbers of one that does not; prescribed doses act as the arm's would."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.unit.mechanism_sample import patients, runner
from troughline.mechanism.predictions import sorafenib_arm
from troughline.mechanism.runner import Courses
from troughline.mechanism.stepwise import Stepwise
from troughline.mechanism.treatment import Arm, DoseLevel, six_weekly

DAYS = (14.0, 15.0, 28.0, 29.0, 56.0, 57.0, 112.0, 113.0, 200.0)


def same(one: Courses, other: Courses) -> list[str]:
    """The fields that differ in a single bit."""
    return [
        f.name
        for f in dataclasses.fields(one)
        if not np.array_equal(getattr(one, f.name), getattr(other, f.name), equal_nan=True)
    ]


def test_pauses_change_no_bit() -> None:
    """300 patients over a year, with reductions, stops and deaths: in pieces and in one run, bit by bit."""
    r, some, protocol = runner(), patients(300), six_weekly(12)
    whole = r.run(some, sorafenib_arm(), protocol, sample_days=DAYS, threads=1)
    parts = Stepwise(r, some, sorafenib_arm(), protocol, sample_days=DAYS)
    for day in (*DAYS, protocol.horizon_days):
        assert not len(parts.go(day))
    assert same(whole, parts.courses()) == []
    for happened in (whole.reductions, whole.died, whole.progressed):
        assert happened.any()


def test_prescribed_doses_act_as_the_arms_own() -> None:
    """400 mg every slot, nothing ever changed: the bits of the arm of 400 mg twice daily, until a toxicity.

    Those with a dose-limiting toxicity are left out: there the arm's own rule acts.
    """
    r, some, protocol = runner(), patients(300), six_weekly(12)
    days = int(protocol.horizon_days)
    arm = Arm(name="fixed", levels=(DoseLevel(dose_mg=400.0),))
    whole = r.run(some, arm, protocol, sample_days=DAYS, threads=1)
    slots, spans = np.full((300, 2 * days), 400.0), np.full((300, days + 1), 12.0)
    morning = np.zeros((300, days + 1))
    parts = Stepwise(r, some, arm, protocol, sample_days=DAYS, prescribed=(slots, spans, morning))
    for day in (*DAYS, protocol.horizon_days):
        while len(parts.go(day)):
            pass
    made = parts.courses()
    free = np.isnan(whole.limiting_day)
    assert free.sum() > 50
    for name in ("death_day", "progression_day", "dose_mg", "sampled", "seen", "stop_day", "mean_level"):
        assert np.array_equal(getattr(made, name)[free], getattr(whole, name)[free], equal_nan=True)
    alive = free & (whole.death_day > 60.0) & (whole.stop_day > 60.0)
    assert np.array_equal(morning[alive, 56], whole.sampled[alive, DAYS.index(56.0), -1])


def test_a_toxicity_pauses_holds_and_a_lower_dose_lowers_the_level() -> None:
    """After a toxicity no dose is taken for the hold, whatever is prescribed; half the dose, lower levels."""
    r, some, protocol = runner(), patients(300), six_weekly(6)
    days = int(protocol.horizon_days)
    arm = Arm(name="fixed", levels=(DoseLevel(dose_mg=400.0),), stop_share=0.0)
    slots, spans = np.full((300, 2 * days), 400.0), np.full((300, days + 1), 12.0)
    morning = np.zeros((300, days + 1))
    parts = Stepwise(r, some, arm, protocol, prescribed=(slots, spans, morning))
    rows = parts.go(60.0)
    assert len(rows) > 5
    when = parts.day[rows].copy()
    while len(parts.go(60.0)):
        pass
    early = rows[when < 50.0]
    end = np.ceil(when[when < 50.0]).astype(np.int64) + 7
    on = parts.first_line_end[early] > 60.0
    left = morning[early, end][on] / morning[early, end - 7][on]
    assert np.all(left < 0.4)
    assert np.median(left) < 0.15
    slots[:, 120:] = 200.0
    parts.note_change(np.arange(300), 60.0)
    while len(parts.go(90.0)):
        pass
    still = np.setdiff1d(np.flatnonzero(parts.first_line_end > 90.0), rows)
    assert np.median(morning[still, 90] / morning[still, 60]) < 0.85


def test_where_no_dose_is_lower_a_toxicity_ends_the_treatment() -> None:
    """`note_lowest`: the next dose-limiting toxicity stops the first line, and nobody pauses."""
    r, some, protocol = runner(), patients(200), six_weekly(6)
    days = int(protocol.horizon_days)
    arm = Arm(name="fixed", levels=(DoseLevel(dose_mg=400.0),), stop_share=0.0)
    doses = (np.full((200, 2 * days), 400.0), np.full((200, days + 1), 12.0), np.zeros((200, days + 1)))
    parts = Stepwise(r, some, arm, protocol, prescribed=doses)
    parts.note_lowest(np.ones(200, dtype=bool))
    assert not len(parts.go(protocol.horizon_days))
    made = parts.courses()
    hit = np.isfinite(made.limiting_day)
    assert hit.any()
    assert np.all(made.stop_why[hit] == 1)


def test_arrays_too_short_are_refused() -> None:
    """A slot beyond the prescription would be read past its end."""
    r, some, protocol = runner(), patients(2), six_weekly(2)
    short = (np.zeros((2, 10)), np.zeros((2, 62)), np.zeros((2, 62)))
    with pytest.raises(ValueError, match="prescribed must be 2 by at least"):
        Stepwise(r, some, sorafenib_arm(), protocol, prescribed=short)
