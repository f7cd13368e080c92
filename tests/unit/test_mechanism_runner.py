"""Running virtual patients: the same whoever runs beside them, on every device, near the exact run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.unit.mechanism_sample import patients, runner
from troughline.mechanism.exact import exact_course
from troughline.mechanism.heldout import without_limits
from troughline.mechanism.population import Drawn, draw_patients, read_populations
from troughline.mechanism.predictions import placebo_arm, sorafenib_arm
from troughline.mechanism.treatment import (
    Arm,
    DoseLevel,
    LocalTherapy,
    Protocol,
    read_criteria,
    read_second_drugs,
    six_weekly,
)


def test_a_patient_is_the_same_whoever_is_drawn_beside() -> None:
    """(seed, id) fixes a patient: drawn in one go, in parts, or alone."""
    r, population = runner(), read_populations()["sharp"]
    whole = patients(40)
    later = draw_patients(r.mechanism, r.kinetics, population, n=5, seed=11, first_id=int(whole.ids[20]))
    assert np.array_equal(later.ids, whole.ids[20:25])
    for name in ("covariates", "effects", "pk_effects", "uniform"):
        assert np.array_equal(getattr(later, name), getattr(whole, name)[20:25])
    assert np.array_equal(later.noise(3), whole.noise(3)[20:25])
    other = draw_patients(r.mechanism, r.kinetics, population, n=40, seed=12)
    assert not np.array_equal(other.effects, whole.effects)


def test_a_course_does_not_depend_on_threads_or_on_the_company() -> None:
    """One thread or two, all patients or some: the same numbers to the last bit."""
    r, some, protocol = runner(), patients(600), six_weekly(6)
    one = r.run(some, sorafenib_arm(), protocol, threads=1)
    two = r.run(some, sorafenib_arm(), protocol, threads=2)
    part = r.run(some.take(np.arange(300, 310)), sorafenib_arm(), protocol, threads=1)
    for name in ("death_day", "progression_day", "stop_day", "seen", "dose_mg"):
        assert np.array_equal(getattr(one, name), getattr(two, name), equal_nan=True)
        assert np.array_equal(getattr(part, name), getattr(one, name)[300:310], equal_nan=True)


def test_uncompiled_code_gives_the_same_course() -> None:
    """The loop in plain Python and compiled: equal to rounding."""
    few, protocol = patients(2), six_weekly(2)
    slow = runner("python").run(few, sorafenib_arm(), protocol, sample_days=(0.0, 28.0))
    fast = runner().run(few, sorafenib_arm(), protocol, sample_days=(0.0, 28.0), threads=1)
    np.testing.assert_allclose(slow.sampled, fast.sampled, rtol=1e-9)
    np.testing.assert_allclose(slow.seen, fast.seen, rtol=1e-9)
    np.testing.assert_allclose(slow.death_day, fast.death_day, rtol=1e-9)


CUDA = """
import json
from tests.unit.mechanism_sample import patients
from troughline.mechanism.runner import load_runner
from troughline.mechanism.predictions import sorafenib_arm
from troughline.mechanism.treatment import six_weekly
c = load_runner(device="cuda").run(patients(2), sorafenib_arm(), six_weekly(1.4), sample_days=(28.0,))
print(json.dumps(c.sampled[:, 0, :9].tolist()))
"""


def test_the_kernel_runs_on_numbas_cuda_simulator_with_the_same_numbers() -> None:
    """One patient a thread, simulated: the outputs of the processor's run to 1e-9."""
    root = Path(__file__).resolve().parents[2]
    environment = {
        **os.environ, "NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": os.pathsep.join([f"{root}/src", str(root)]),
    }  # fmt: skip
    made = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CUDA],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-800:]
    theirs = np.array(json.loads(made.stdout))
    ours = runner().run(patients(2), sorafenib_arm(), six_weekly(1.4), sample_days=(28.0,), threads=1)
    np.testing.assert_allclose(theirs, ours.sampled[:, 0, :9], rtol=1e-9)


def test_the_loop_stays_within_one_percent_of_the_exact_run() -> None:
    """Twice-daily doses hour by hour against means over steps, 21 days: sizes, liver and markers to 1 %."""
    r, one = runner(), without_limits(patients(1))
    days = [7.0, 21.0]
    arm = Arm(name="fixed", levels=(DoseLevel(dose_mg=400.0),))
    quiet = Protocol(visit_days=(), horizon_days=22.0, criteria=read_criteria())
    ours = r.run(one, arm, quiet, sample_days=days, threads=1).sampled[0]
    exact = exact_course(
        r, **one.row(0), doses=[(12.0 * k, 400.0) for k in range(42)], sample_days=days,
        tolerance=1e-7,
    )  # fmt: skip
    slow = [
        r.output_names.index(name)
        for name in (
            "sum_of_diameters_seen",
            "viable_diameters",
            "liver_score",
            "sVEGFR2",
            "sKIT",
            "VEGF",
            "AFP",
        )
    ]
    np.testing.assert_allclose(ours[:, slow], exact[:, slow], rtol=0.01)
    np.testing.assert_allclose(ours[:, -1], exact[:, -1], rtol=1e-5)  # the level is exact


def test_placebo_grows_and_more_drug_shrinks_more() -> None:
    """Median size after 12 weeks falls as the potency rises; without drug it grows.

    Of those who have a size: a tumour that would fill a room has none.
    """
    r, some = runner(), without_limits(patients(60))
    arm = Arm(name="fixed", levels=(DoseLevel(dose_mg=400.0),), stop_at_progression=0.0)

    def size(arm: Arm, potency: float) -> float:
        values = {"site_potency": potency}
        c = r.run(some, arm, six_weekly(3), values=values, sample_days=(0.0, 84.0), threads=1)
        return float(np.nanmedian(c.sampled[:, 1, 0] / c.sampled[:, 0, 0]))

    sizes = [size(placebo_arm(), 1.0), *(size(arm, p) for p in (0.5, 2.0, 8.0))]
    assert sizes[0] > 1.0
    assert all(a > b for a, b in pairwise(sizes))


def test_a_session_shrinks_what_is_viable() -> None:
    """Chemoembolisation on day 10: the viable diameters fall at once, the level of the liver worsens."""
    r, some = runner(), without_limits(patients(20))
    protocol = six_weekly(2)
    arm = replace(placebo_arm(), local=(LocalTherapy(day=10.0, kind="tace"),))
    with_session, without = (
        r.run(some, a, protocol, sample_days=(9.0, 20.0), threads=1) for a in (arm, placebo_arm())
    )
    viable, liver = r.output_names.index("viable_diameters"), r.output_names.index("liver_score")
    assert np.array_equal(with_session.sampled[:, 0], without.sampled[:, 0])
    ratio = with_session.sampled[:, 1, viable] / without.sampled[:, 1, viable]
    spread = some.covariates[:, [c.name for c in r.mechanism.covariates].index("spread")] > 0.5
    # A session kills half of what lives (kill_tace), a quarter where the tumour has spread (tace_spread),
    # before the ten days that follow.
    assert np.all(ratio < 0.93)
    assert np.median(ratio[~spread] ** 3) == pytest.approx(0.5, abs=0.06)
    assert np.median(ratio[spread] ** 3) == pytest.approx(0.75, abs=0.06)
    assert np.all(with_session.sampled[:, 1, liver] > without.sampled[:, 1, liver])


def test_toxicity_changes_nothing_for_who_died_in_the_same_step() -> None:
    """A reduction, or a stop for toxicity, is of somebody alive before the data end."""
    r, some = runner(), patients(400)
    values = {"limiting": 0.05, "death_0": 0.004}
    c = r.run(some, sorafenib_arm(), six_weekly(6), values=values, threads=1)
    assert (c.died & (c.stop_why == 0)).sum() > 30
    known = np.isfinite(c.limiting_day)
    assert known.sum() > 100
    assert np.all(c.limiting_day[known] < c.death_day[known])
    assert np.all((c.reductions == 0) | known)


def test_a_second_line_begins_after_progression() -> None:
    """Regorafenib after sorafenib: only who stopped at progression gets it, a fortnight later."""
    r, some = runner(), patients(200)
    second = (DoseLevel(dose_mg=0.0, second=read_second_drugs()["regorafenib"]),)
    arm = replace(sorafenib_arm(), second_line=second, stop_at_progression=1.0)
    c = r.run(some, arm, six_weekly(12), threads=1)
    given = np.isfinite(c.next_line_day)
    assert given.any()
    np.testing.assert_allclose(c.next_line_day[given], c.progression_day[given] + 14.0)
    assert np.all(c.progressed[given])
    assert np.all(c.death_day[given] > c.next_line_day[given])


def test_wrong_treatments_are_named() -> None:
    """A drug with no target, a negative dose, a visit past the horizon, an impossible interval."""
    with pytest.raises(ValueError, match="a drug with no such target: jak"):
        DoseLevel(dose_mg=400.0, second={"jak": 0.5})
    with pytest.raises(ValueError, match="dose_mg must be 0 or more, not -400"):
        DoseLevel(dose_mg=-400.0)
    with pytest.raises(ValueError, match="a fraction from 0 to 1"):
        DoseLevel(dose_mg=400.0, second={"mek": 1.5})
    with pytest.raises(ValueError, match="multiple of 12 h"):
        DoseLevel(dose_mg=400.0, interval_h=8.0)
    with pytest.raises(ValueError, match="lies past the horizon of 100 days"):
        Protocol(visit_days=(42.0, 126.0), horizon_days=100.0, criteria=read_criteria())
    with pytest.raises(ValueError, match="visit_days must be after day 0 and ascend"):
        Protocol(visit_days=(84.0, 42.0), horizon_days=100.0, criteria=read_criteria())
    with pytest.raises(ValueError, match="no dose level"):
        Arm(name="empty", levels=())
    with pytest.raises(ValueError, match="no parameter 'potency'"):
        runner().theta({"potency": 1.0})


def test_a_population_that_nobody_satisfies_is_refused() -> None:
    """Bounds that leave nobody are an error that names them; so is a covariate that no model has."""
    r, sharp = runner(), read_populations()["sharp"]
    nobody = replace(sharp, accept={"doubling_time": (1.0, 1.1)})
    with pytest.raises(ValueError, match="accepts 0 of"):
        draw_patients(r.mechanism, r.kinetics, nobody, n=5, seed=1)
    strange = replace(sharp, covariates={**sharp.covariates, "shoe_size": Drawn(kind="fixed", center=42.0)})
    with pytest.raises(ValueError, match="unknown covariates: shoe_size"):
        draw_patients(r.mechanism, r.kinetics, strange, n=5, seed=1)
