"""What must hold of any reconstruction: counts exact, curves that fall, units of time without effect."""

from __future__ import annotations

import numpy as np
from benchmarks.printed_curves import PrintedArm, printed_arm
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from troughline.evidence.reconstruct.algorithm import ArmPatients, reconstruct_arm
from troughline.evidence.reconstruct.clicks import ReadingStep, falling, read_clicks
from troughline.evidence.reconstruct.risk_table import read_risk_table
from troughline.issues import Findings
from troughline.survival.kaplan_meier import kaplan_meier

thirty = settings(deadline=None, max_examples=30)


@st.composite
def printed(draw: st.DrawFn) -> PrintedArm:
    """A printed curve of 15 to 150 patients; some die, some are censored; three to eight numbers at risk."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(15, 150))
    hazard = draw(st.floats(0.02, 0.3))
    death, lost = rng.exponential(1 / hazard, n), rng.uniform(3, 24, n)
    time, event = np.minimum(death, lost), death <= lost
    assume(event.sum() >= 3)
    step = draw(st.sampled_from([0.001, 0.005, 0.01]))
    every = draw(st.sampled_from([3.0, 4.0, 6.0]))
    return printed_arm(time, event, step=step, step_time=0.05, every=every)


def made_from(arm: PrintedArm, *, total: int | None, factor: float = 1.0) -> ArmPatients:
    found = Findings()
    step = ReadingStep(survival=0.01, time=arm.step_time * factor)
    curve = read_clicks(arm.click_time * factor, arm.click_survival, step=step, found=found)
    table = read_risk_table(arm.risk_time * factor, arm.at_risk, n=None, found=found)
    assert curve is not None
    assert table is not None
    return reconstruct_arm(curve, table, total_events=total)


@thirty
@given(printed(), st.booleans())
def test_every_printed_count_is_exact(arm: PrintedArm, with_events: bool) -> None:
    total = int(arm.event.sum()) if with_events else None
    made = made_from(arm, total=total)
    (curve,) = kaplan_meier(made.time, made.event)
    assert made.time.size == arm.time.size
    assert np.all(made.time > 0)
    assert curve.at_risk(arm.risk_time).tolist() == arm.at_risk.tolist()
    assert total is None or made.n_events == total
    assert np.all(np.diff(curve.survival) <= 0)
    assert np.all(np.diff(made.click_survival) <= 1e-12)


@thirty
@given(printed(), st.sampled_from([1 / 12, 30.4375, 365.25]))
def test_the_unit_of_time_changes_nothing(arm: PrintedArm, factor: float) -> None:
    here, there = made_from(arm, total=None), made_from(arm, total=None, factor=factor)
    np.testing.assert_allclose(there.time, here.time * factor, rtol=1e-9)
    assert there.event.tolist() == here.event.tolist()


@thirty
@given(printed())
def test_no_death_where_the_curve_is_level(arm: PrintedArm) -> None:
    """Each death lies at a click at which the curve as read falls, or at its start."""
    made = made_from(arm, total=None)
    order = np.lexsort((-arm.click_survival, arm.click_time))
    t, s = arm.click_time[order], arm.click_survival[order]
    falls = t[1:][np.diff(s) < 0]
    for death in made.time[made.event]:
        assert death <= arm.step_time or np.abs(falls - death).min() < 1e-9


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_falling_never_rises_and_keeps_the_mean(values: list[float]) -> None:
    fitted = falling(np.asarray(values))
    assert np.all(np.diff(fitted) <= 1e-12)
    assert abs(float(fitted.mean()) - float(np.mean(values))) < 1e-9
    np.testing.assert_allclose(falling(fitted), fitted, atol=1e-12)
