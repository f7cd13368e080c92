"""What a cell reads of its patients: routes of escape, one end of data for every number, measured starts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.unit.mechanism_sample import patients, runner
from tests.unit.test_trial_run import made
from troughline.mechanism.predictions import placebo_arm, sorafenib_arm
from troughline.mechanism.runner import Courses
from troughline.mechanism.treatment import DoseLevel, read_second_drugs, six_weekly
from troughline.trial import cells, run
from troughline.trial.cells import ROUTES, WHY, routes_of
from troughline.trial.statistics import numbers_of, statistics_of

UNTREATED = {"sensitive": 0.7, "hif1": 1.0, "hif2": 1.0, "egfr": 1.0, "vessels": 0.7, "necrosis": 0.3}


def progressing(**states: float) -> Courses:
    """The course of one patient who progresses by growth with these states, all others untreated."""
    c = runner().run(patients(1), placebo_arm(), six_weekly(2), threads=1)
    names = [s.name for s in runner().mechanism.states]
    x = np.zeros((1, len(names)))
    for name, value in {**UNTREATED, **states}.items():
        x[0, names.index(name)] = value
    return replace(c, states_at_progression=x, progressed=np.array([True]), progression_reason=np.array([1]))


@pytest.mark.parametrize(
    ("states", "route"),
    [
        ({"akt_adapted": 0.4}, "PI3K/AKT"),
        ({"stat_adapted": 0.3}, "JAK-STAT"),
        ({"emt": 0.5}, "EMT"),
        ({"hif2": 1.4}, "HIF-2α and EGFR"),
        ({"egfr": 1.3, "akt_adapted": 0.2}, "HIF-2α and EGFR"),
        ({"resistant": 1.0}, "resistant cells"),
        ({"tolerant": 1.0, "emt": 0.5}, "tolerant cells"),
        ({"akt_adapted": 0.05}, "no adaptation"),
    ],
)
def test_each_route_can_win(states: dict[str, float], route: str) -> None:
    """A patient built for a route has it: adaptations count from their own untreated level, 0 or 1."""
    assert ROUTES[routes_of(runner(), progressing(**states))[0]] == route


def cell_of(setup: Any, arm: int = 1) -> cells.Cell:
    """The first cell of an arm."""
    return next(c for c in run.cells_of(setup, [dict(setup.population.scale)]) if c.arm_index == arm)


def columns_of(setup: Any) -> dict[str, Any]:
    """What became of the patients of the second arm's first cell."""
    return dict(cells.run_cell(cell_of(setup)).columns)


LONG = {"title": "t", "replicates": 1, "horizon_months": 19}
FOLLOW = {"shortest_months": 6.0, "longest_months": 19.0}
ARMS = [{"id": "placebo", "n": 300, "sorafenib": "none"}, {"id": "sorafenib", "n": 300}]


def test_every_number_ends_with_the_patients_data() -> None:
    """Followed to a day each: nothing is dated later, and what lies before is that of the uncut course."""
    whole = columns_of(made(trial=LONG, arm=ARMS))
    cut = columns_of(made(trial=LONG, arm=ARMS, follow_up=FOLLOW))
    ended = np.asarray(cut["os_day"], dtype=float)
    for name in ("ttp_day", "mttp_day", "stop_day", "severe_day", "limiting_day", "next_line_day"):
        assert np.all(np.nan_to_num(np.asarray(cut[name], dtype=float)) <= ended + 1e-9), name
    assert np.array_equal(whole["patient"], cut["patient"])
    full = np.asarray(whole["os_day"], dtype=float) <= ended + 1e-9  # died before the data ended
    assert 0.2 < full.mean() < 0.9
    for name in ("best", "stop_why", "reductions"):
        assert np.array_equal(np.asarray(whole[name])[full], np.asarray(cut[name])[full]), name
    # Doses count to the end of the step of a death (3.5 days at most), which the end of the data may shorten.
    longer = (np.asarray(whole["dose_mg"]) - np.asarray(cut["dose_mg"]))[full]
    assert np.all((longer >= 0.0) & (longer <= 3.5 * 800.0))
    assert np.mean(longer > 0.0) < 0.05
    toxic = [np.mean(np.asarray(c["stop_why"]) == WHY.index("toxicity")) for c in (whole, cut)]
    assert toxic[1] <= toxic[0]
    assert np.mean(np.asarray(cut["dose_mg"])) < np.mean(np.asarray(whole["dose_mg"]))


def test_who_dies_treated_is_not_on_treatment() -> None:
    """Of those whose first line nothing ended, the dead are told from those still treated."""
    columns = columns_of(made(trial=LONG, arm=ARMS))
    why, died = np.asarray(columns["stop_why"]), np.asarray(columns["died"])
    assert not died[why == WHY.index("on treatment")].any()
    assert died[why == WHY.index("died on treatment")].all()
    assert np.count_nonzero(why == WHY.index("died on treatment")) > 0


def test_time_on_treatment_counts_who_goes_on_as_going_on() -> None:
    """Nobody stops within the data: no median, however soon the data end."""
    n = 10
    columns: dict[str, Any] = dict.fromkeys(
        ("os_day", "ttp_day", "mttp_day", "stop_day", "severe_day", "growth", "dose_mg"), np.full(n, 50.0)
    )
    columns |= dict.fromkeys(("died", "progressed", "mprogressed"), np.zeros(n, dtype=bool))
    columns |= dict.fromkeys(("best", "mbest", "reductions"), np.full(n, 3))
    columns["stop_why"] = np.zeros(n, dtype=np.int64)
    assert numbers_of(columns)["duration_median"] == np.inf
    columns["stop_why"] = np.ones(n, dtype=np.int64)
    assert numbers_of(columns)["duration_median"] == 50.0


def test_a_dose_that_goes_on_is_not_reduced() -> None:
    """`hold`: after the week the same dose; nobody's is counted as reduced. `reduce`: some are."""
    held = [*ARMS[:1], {**ARMS[1], "toxicity": "hold"}]
    columns = columns_of(made(trial=LONG, arm=held))
    assert np.isfinite(np.asarray(columns["limiting_day"], dtype=float)).any()
    assert not np.asarray(columns["reductions"]).any()
    assert np.asarray(columns_of(made(trial=LONG, arm=ARMS))["reductions"]).any()


def test_the_waterfall_starts_where_the_response_starts() -> None:
    """RECIST's limits on the same measured start: partial responses at −30 % or below, stable above it.

    A lesion ends the count of responses, so what is measured on that day may lie lower.
    """
    columns = columns_of(made(trial=LONG, arm=[{**a, "n": 2000} for a in ARMS]))
    best, change = np.asarray(columns["best"]), np.asarray(columns["best_change_percent"], dtype=float)
    lesion = np.asarray(columns["reason"]) == 2
    assert np.count_nonzero(best == 2) > 20
    assert np.all(change[(best == 1) | (best == 2)] <= -30.0 + 1e-9)
    assert np.all(change[(best >= 3) & ~lesion] > -30.0)


def test_a_second_line_is_for_those_whom_progression_stopped() -> None:
    """Stopped by toxicity or by choice: no second line; its reductions are counted apart."""
    drug = read_second_drugs()["regorafenib"]
    second = tuple(
        DoseLevel(dose_mg=400.0 * part, second={k: v * part for k, v in drug.items()}) for part in (1.0, 0.5)
    )
    arm = replace(sorafenib_arm(), second_line=second)
    alone, both = (runner().run(patients(600), a, six_weekly(19), threads=1) for a in (sorafenib_arm(), arm))
    given = np.isfinite(both.next_line_day)
    assert np.count_nonzero(given) > 100
    assert np.all(both.stop_why[given] == WHY.index("progression"))
    np.testing.assert_array_equal(both.next_line_day[given], both.stop_day[given] + 14.0)
    np.testing.assert_array_equal(alone.reductions, both.reductions)
    assert both.next_reductions.sum() > 0
    assert not both.next_reductions[~given].any()


def test_shares_of_stops_have_a_word_each() -> None:
    """The statistics of a trial name every reason, and the shares add to 100 %."""
    columns = columns_of(made(trial=LONG, arm=ARMS))
    found = statistics_of({"a": columns}, (), sizes=(), grid=np.array([0.0]), risk_grid=np.array([0.0]))
    assert len(found.stops["a"]) == len(WHY)
    assert found.stops["a"].sum() == pytest.approx(100.0)


def test_the_liver_ends_no_treatment_at_its_limit_and_would_at_a_lower_one() -> None:
    """docs/mechanism.md: nobody on sorafenib reaches a score worsened by 2; the rule itself works."""
    usual, low = sorafenib_arm(), replace(sorafenib_arm(), liver_stop=0.3)
    runs = [runner().run(patients(600), arm, six_weekly(24), threads=1) for arm in (usual, low)]
    stops = [np.count_nonzero(c.stop_why == WHY.index("liver")) for c in runs]
    assert stops[0] == 0
    assert stops[1] > 0
