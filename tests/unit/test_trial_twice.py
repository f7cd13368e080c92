"""Trial files with something twice, with nothing where something belongs, or beyond what was tested."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.unit.test_trial_run import made
from troughline.mechanism.endpoints import TimeToEvent, log_hazard_ratio
from troughline.trial.combinations import in_turn
from troughline.trial.run import run_trial
from troughline.trial.setup import setup_of
from troughline.trial.treatments import killed

BASE: dict[str, Any] = {
    "trial": {"title": "t", "replicates": 1, "horizon_months": 6},
    "model": {"sets": "best"},
    "arm": [{"id": "sorafenib", "n": 20}, {"id": "placebo", "n": 20, "sorafenib": "none"}],
}
TARGET: dict[str, Any] = {
    "id": "hr", "quantity": "os_hr", "arm": "sorafenib", "control": "placebo", "value": 0.7, "unit": "1",
    "low": 0.5, "high": 0.9, "use": "held out", "source": "made up for this test",
}  # fmt: skip


def lines(**changes: Any) -> list[str]:
    """What is found about the file with these tables."""
    return [f.line() for f in setup_of({**BASE, **changes}, name="trial.toml")[1].items]


def arm(**more: Any) -> list[dict[str, Any]]:
    """The two arms, the first with more keys."""
    return [{**BASE["arm"][0], **more}, BASE["arm"][1]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"target": [TARGET, TARGET]},
            "error: trial.toml column target.2.id: the target 'hr' is given twice",
        ),
        ({"target": [{**TARGET, "value": 0.95}]}, "value 0.95 lies outside low 0.5 to high 0.9"),
        (
            {"target": [{**TARGET, "control": "sorafenib"}]},
            "target.1.control: 'sorafenib' is held against itself",
        ),
        ({"compare": [{"arm": "sorafenib", "control": "placebo"}] * 2}, "compare.2: 'sorafenib' against"),
        ({"arm": arm(label="placebo")}, "arm.2.label: the label 'placebo' is given twice"),
        ({"arm": arm(second_line={})}, "arm.1.second_line: gives nothing"),
        ({"arm": arm(second_line={"sorafenib": "label", "after_days": 400})}, "past the horizon of 183 days"),
        ({"arm": arm(local=[{"kind": "tace", "days": [14, 14]}])}, "day 14 is given twice"),
        (
            {"arm": arm(local=[{"kind": "tace", "days": [14]}] * 2)},
            "arm.1.local: tace on day 14 is given twice",
        ),
        ({"arm": arm(local=[{"kind": "tace", "days": [14], "amount": 0}])}, "amount: must be above 0, not 0"),
        ({"population": {"scale": {"doubling": math.nan}}}, "is not a number: nan"),
    ],
)
def test_refused_in_one_line(changes: dict[str, Any], words: str) -> None:
    """One error, with the key and what is wrong."""
    [line] = lines(**changes)
    assert line.startswith("error: trial.toml")
    assert words in line


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"arm": arm(sorafenib={"dose_mg": 600})},
            "column arm.1.sorafenib: more than the label's 800 mg a day",
        ),
        (
            {"arm": arm(sorafenib={"dose_mg": 150})},
            "column arm.1.sorafenib: 150 mg are no whole tablets of 200 mg",
        ),
        (
            {"drug": [{"id": "erlotinib", "blocks": {"mek": 0.5}}]},
            "column drug.1.id: 'erlotinib' replaces the drug",
        ),
    ],
)
def test_warned_of_in_one_line(changes: dict[str, Any], words: str) -> None:
    """The trial is run, and the page says it."""
    [line] = lines(**changes)
    assert line.startswith("warning: trial.toml")
    assert words in line


def test_a_hazard_ratio_may_be_published_of_a_pair_that_is_not_compared() -> None:
    """The control stands second, so that the comparison is the other way round: the target has its number."""
    setup = made(
        trial=BASE["trial"], arm=BASE["arm"], target=[TARGET], model={"reading": "Kd", "sets": "best"}
    )
    assert setup.pairs == (("placebo", "sorafenib"),)
    outcome = run_trial(setup, workers=1)
    [row] = outcome.contents["targets"]
    [pair] = outcome.contents["comparisons"]
    other = next(e for e in pair["estimates"] if e["name"] == "os_hr" and not e["label"])
    assert row["predicted"] == pytest.approx(1.0 / other["value"], rel=1e-6)


def test_no_hazard_ratio_where_the_likelihood_has_no_maximum() -> None:
    """Everybody in one arm dies before anybody in the other: an error in words, not a division by zero."""
    one, ones = np.array([1.0, 2.0]), np.ones(2)
    early = TimeToEvent(day=one, event=np.ones(2, dtype=bool), weight=ones)
    late = TimeToEvent(day=one + 10.0, event=np.ones(2, dtype=bool), weight=ones)
    with pytest.raises(ValueError, match="no bound"):
        log_hazard_ratio(early, late)


def test_two_patients_an_arm_are_a_trial() -> None:
    """Where no hazard ratio can be had there is none, and the rest is told."""
    outcome = run_trial(made(arm=[{**a, "n": 2} for a in BASE["arm"]]), workers=1)
    assert len(outcome.contents["arms"]) == 2


def test_where_everybody_died_within_a_year_nobody_lives_at_one() -> None:
    """0 %, not unknown; unknown where the last one was only followed for less."""
    setup = made(trial={"title": "t", "replicates": 1, "horizon_months": 14},
                 population={"scale": {"death_0": 1000.0}})  # fmt: skip
    outcome = run_trial(setup, workers=1)
    for one in outcome.contents["arms"]:
        alive = next(e for e in one["estimates"] if e["name"] == "os_1_year")
        assert alive["value"] == 0.0
    short = run_trial(made(trial={"title": "t", "replicates": 1, "horizon_months": 6}), workers=1)
    for one in short.contents["arms"]:
        assert next(e for e in one["estimates"] if e["name"] == "os_1_year")["value"] is None


def test_draws_take_both_readings_in_turn() -> None:
    """Five sets of one reading and three of the other: each reading is as frequent as the other."""
    turns = in_turn(["Kd"] * 5 + ["IC50"] * 3)
    assert turns[:6] == [0, 5, 1, 6, 2, 7]
    assert len(turns) == 30
    counts = np.bincount(turns)
    assert list(counts) == [3] * 5 + [5] * 3
    assert in_turn(["Kd", "Kd"]) == [0, 1]


def test_the_page_says_what_a_session_kills_at_another_amount() -> None:
    """Twice the amount leaves the square of what one session leaves; a population's factor counts."""
    once = killed("tace", 1.0, {})
    assert killed("tace", 2.0, {}) == pytest.approx(1.0 - (1.0 - once) ** 2)
    assert killed("tace", 1.0, {"kill_tace": 2.0}) == pytest.approx(killed("tace", 2.0, {}))
    local = [{"kind": "tace", "days": [14], "amount": 2}]
    outcome = run_trial(made(arm=arm(local=local)), workers=1)
    described = outcome.contents["arms"][0]
    assert "TACE of 2 times the usual session on day 14" in described["words"]
    assert any(
        f"kills {100 * killed('tace', 2.0, {}):.0f} % of what lives" in s for s in described["assumed"]
    )
