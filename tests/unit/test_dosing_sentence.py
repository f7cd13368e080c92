"""The sentence of an answer says by what regimens were ranked, and no more than was tested."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.unit.dose_sample import sample_patient
from troughline.dosing.candidates import drug_regimens
from troughline.dosing.checks import Basis
from troughline.dosing.limits import Limits
from troughline.dosing.recommend import Rules, choose, labels_in_words
from troughline.dosing.result import TargetResult
from troughline.dosing.scores import Scores
from troughline.dosing.sentence import sentence_of

N = 1000
RULES = Rules(reach=0.5, least_lead=0.02, indistinct=0.6)
TARGET = TargetResult(
    id="given", label="made up", kind="given", metric="trough", low=1.4, high=3.45, low_interval=None,
    high_interval=None, unit="mg/L", n=None, design="", population="", citation="", doi=None, verified=True,
    uncertainty="",
)  # fmt: skip


def said(inside: tuple[float, ...], utility: tuple[float, ...] | None, **changes: Any) -> str:
    """The sentence for 400 mg twice daily (in force), 400 mg once daily and 200 mg once daily."""
    by_id = {r.id: r for r in drug_regimens("sorafenib")}
    regimens = tuple(by_id[i] for i in ("400-bid", "400-qd", "200-qd"))
    limits = Limits(metric="trough", low=1.4, high=3.45)
    basis = Basis(models=(), regimens=regimens, limits=limits, target=TARGET, curves={})
    draws = np.column_stack([np.arange(N) < p * N for p in inside]).astype(float)
    zero = np.zeros_like(draws)
    scores = Scores(
        trough=zero + 2.0, auc_24h=zero + 50.0, below=zero, inside=draws, above=1 - draws,
        inside_as_printed=draws, toxicity=None, benefit=None,
        utility=None if utility is None else np.tile(utility, (N, 1)), outside_curve={}, effective=float(N),
    )  # fmt: skip
    choice = choose(scores, limits, [r.daily_dose_mg for r in regimens], RULES, current=0)
    return sentence_of(sample_patient(**changes), basis, scores, choice, None)


def test_with_a_utility_both_the_utilities_and_each_probability_are_given() -> None:
    text = said((0.2, 0.8, 0.6), (0.20, 0.31, 0.30))
    assert "400 mg once daily (trough about 2 mg/L, inside the target of 1.4 to 3.45 mg/L with" in text
    assert (
        "with probability 0.80, expected utility 0.310) and 200 mg once daily (2 mg/L, 0.60, utility 0.300)"
        in text
    )
    assert "each is better than 400 mg twice daily (inside with probability 0.20, utility 0.200)" in text


def test_a_choice_of_the_utility_that_does_not_reach_the_target_is_said() -> None:
    text = said((0.2, 0.3, 0.6), (0.20, 0.50, 0.30))
    assert text.startswith("Change to 400 mg once daily")
    assert "does not itself reach the target" in text
    assert "0.30, where 200 mg once daily has 0.60" in text
    assert "reach the target" not in said((0.2, 0.6, 0.6), (0.20, 0.50, 0.30))


def test_only_those_that_beat_the_regimen_in_force_are_called_better() -> None:
    """0.315 leads 0.300 by less than the least lead."""
    text = said((0.6, 0.6, 0.6), (0.300, 0.330, 0.315))
    assert ", but 400 mg once daily is better than 400 mg twice daily" in text
    assert "each" not in text


def test_while_a_severe_toxicity_lasts_every_answer_is_one_about_a_restart() -> None:
    """Each kind of answer reads on from the hold that comes before it; none says to change a dose."""
    ongoing = {"toxicity": [{"time": 27, "term": "rash", "grade": 3}]}
    for inside, kind in (
        ((0.2, 0.8, 0.1), "For a restart, 400 mg once daily: in 28 days a trough of about 2 mg/L (median)"),
        ((0.7, 0.7, 0.7), "For a restart the evidence does not distinguish 400 mg twice daily (trough about"),
        ((0.1, 0.1, 0.1), "For a restart no feasible regimen reaches the target of 1.4 to 3.45 mg/L"),
    ):
        text = said(inside, None, **ongoing)
        assert text.startswith(kind)
        assert "Change to" not in text


def test_labels_with_a_comma_are_parted_by_semicolons() -> None:
    assert labels_in_words(["a", "b", "c"]) == "a, b and c"
    assert labels_in_words(["400 mg and 200 mg, 12 h apart", "b", "c"]) == (
        "400 mg and 200 mg, 12 h apart; b; and c"
    )
    assert labels_in_words(["400 mg and 200 mg, 12 h apart"]) == "400 mg and 200 mg, 12 h apart"
