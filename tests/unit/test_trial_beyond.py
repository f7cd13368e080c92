"""Combinations and sensitivity of virtual trials: definitions against closed forms, small runs."""

from __future__ import annotations

import importlib.util
import math

import numpy as np
import pytest

from tests.unit.test_trial_run import made
from troughline.issues import InputError
from troughline.trial.assumed import SHARES, movable, status_of, with_factors
from troughline.trial.cells import the_runner
from troughline.trial.combinations import rank, scenarios_of
from troughline.trial.run import run_trial
from troughline.trial.synergy import bliss_excess, dose_for, loewe_index

LONG = {"title": "t", "replicates": 1, "horizon_months": 12}


def test_independent_action_has_no_excess() -> None:
    """E_AB = E_A + E_B − E_A·E_B: 0.3 and 0.5 give 0.65, excess 0; 0.8 is more, so below 0."""
    logs = (math.log(0.7), math.log(0.5))
    assert bliss_excess(*logs, math.log(1 - 0.65)) == pytest.approx(0.0)
    assert bliss_excess(*logs, math.log(0.2)) == pytest.approx(math.log(0.2 / 0.35))


def test_a_drug_with_itself_is_additive() -> None:
    """Loewe's sham experiment: halves of one drug have the index 1 whatever the curve's shape."""
    doses = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
    effects = doses**2 / (1.0 + doses**2)
    alone = dose_for(doses, effects, float(effects[2]))
    assert alone == pytest.approx(1.0)
    assert loewe_index(0.5, 0.5, alone, alone) == pytest.approx(1.0)
    assert dose_for(doses, effects, 0.99) is None
    assert loewe_index(0.5, 0.5, alone, None) is None


def test_a_drug_at_no_effect_is_nothing() -> None:
    """A second drug that blocks next to nothing without toxicity: hazard ratio 1, no excess.

    Each death comes a moment before its twin's, which moves the ratio by about 1 in the number of patients.
    """
    setup = made(
        trial=LONG,
        drug=[{"id": "water", "blocks": {"egfr": 1e-9}}],
        combinations={"drugs": ["water"], "n": 60, "draws": 0},
    )
    [row] = rank(setup, [{}], workers=1)["rows"]
    assert row["os_hr"] == pytest.approx(1.0, abs=2 / 60)
    for node in ("erk", "akt"):
        assert row[f"bliss_{node}"] == pytest.approx(0.0, abs=1e-6)
    assert row["rank"] == 1 and row["p_best"] == 1.0  # noqa: PT018
    assert row["robust"] is None


def test_ranking_is_whole_and_the_same_for_any_workers() -> None:
    """Two drugs at one dose: each alone and the pair; places 1 to 3, probabilities that add to 1."""
    setup = made(
        trial=LONG,
        combinations={"drugs": ["refametinib", "akt-inhibitor"], "n": 60, "draws": 2},
    )
    one, two = rank(setup, [{}], workers=1), rank(setup, [{}], workers=2)
    assert one == two
    assert [row["rank"] for row in one["rows"]] == [1, 2, 3]
    assert sum(row["p_best"] for row in one["rows"]) == pytest.approx(1.0)
    both = next(r for r in one["rows"] if "+" in r["id"])
    assert both["signal_erk"] > 0.0
    assert both["signal_akt"] > 0.0
    assert both["toxic"] >= max(r["toxic"] for r in one["rows"] if "+" not in r["id"]) - 20.0


def test_two_drugs_at_one_node_have_an_index() -> None:
    """Both block half of RAF, so the pair 3/4, which one alone does at three times its dose: 1/3 + 1/3.

    The curve is linear between the doses 2 and 4, which costs a few hundredths.
    """
    drugs = [{"id": name, "blocks": {"raf": 0.5}} for name in ("one", "two")]
    setup = made(trial=LONG, drug=drugs, combinations={"drugs": ["one", "two"], "n": 60, "draws": 0})
    both = next(r for r in rank(setup, [{}], workers=2)["rows"] if "+" in r["id"])
    assert both["loewe_erk"] == pytest.approx(2 / 3, abs=0.06)
    assert both["loewe_erk_sets"] == 1


def test_drugs_on_different_nodes_are_no_synergy() -> None:
    """A block of MEK leaves AKT as it is, one of AKT leaves ERK: at each node the pair does what one does.

    In a mean of both signals the same two drugs have an excess of −0.1 and more.
    """
    setup = made(trial=LONG, combinations={"drugs": ["refametinib", "akt-inhibitor"], "n": 60, "draws": 0})
    both = next(r for r in rank(setup, [{}], workers=2)["rows"] if "+" in r["id"])
    for node in ("erk", "akt"):
        assert abs(both[f"bliss_{node}"]) < 0.05
        assert both[f"signal_{node}"] > 0.1


def test_an_index_of_doses_needs_an_effect() -> None:
    """A drug of next to no effect: no index at survival, though a ratio of doses could be computed."""
    drugs = [{"id": name, "blocks": {"egfr": 0.002}} for name in ("one", "two")]
    setup = made(trial=LONG, drug=drugs, combinations={"drugs": ["one", "two"], "n": 60, "draws": 0})
    both = next(r for r in rank(setup, [{}], workers=2)["rows"] if "+" in r["id"])
    assert both["loewe_survival"] is None
    assert both["loewe_survival_sets"] == 0
    assert both["loewe_erk"] is None


def test_toxicity_that_is_cut_is_said() -> None:
    """15 times sorafenib's at the usual dose, twice the dose: 30, of which 20 count, and the row says so."""
    setup = made(
        trial=LONG,
        drug=[{"id": "harsh", "blocks": {"egfr": 0.5}, "toxicity": 15.0}],
        combinations={"drugs": ["harsh"], "doses": [1.0, 2.0], "n": 60, "draws": 0, "pairs": False},
    )
    cut = {row["id"]: row["toxicity_cut"] for row in rank(setup, [{}], workers=2)["rows"]}
    assert cut == {"harsh:1": 0, "harsh:2": 1}


def test_a_moved_fraction_stays_one() -> None:
    """Dimensionless numbers below 1 are moved by their odds; others in proportion; constants never."""
    spec = the_runner().mechanism
    known = movable(spec)
    assert not {"albumin_ref", "VEGF_base", "molar_mass", "size_unit"} & set(known)
    assert {status_of(p) for p in known.values()} == {"assumed", "fitted", "source"}
    values = with_factors(spec, {}, {"protect_resistant": 3.0, "half_akt": 2.0})
    assert values["protect_resistant"] == pytest.approx(2.85 / (0.05 + 2.85))
    assert values["half_akt"] == pytest.approx(2.0 * known["half_akt"].value_as_written)


def test_the_draws_take_the_shares_of_stress_whole() -> None:
    """What a second block adds to stress is not known: each draw has its own shares, the given drugs none."""
    setup = made(trial=LONG, combinations={"drugs": ["refametinib"], "n": 60, "draws": 12})
    scenarios = scenarios_of(setup)
    assert all(not s.factors for s in scenarios if not s.drawn)
    spec = the_runner().mechanism
    for name in SHARES:
        assert name not in movable(spec)
        drawn = [s.factors[name] for s in scenarios if s.drawn]
        assert 0.0 <= min(drawn) < 0.4 < 0.6 < max(drawn) <= 1.0
        assert with_factors(spec, {}, {name: 0.37})[name] == 0.37
    assert any("all of a block of MEK" in line for line in rank(setup, [{}], workers=1)["definition"])


def test_sensitivity_without_salib_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration error in one line, before anything is run."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "SALib" else real(name))
    with pytest.raises(InputError, match="SALib is not installed") as caught:
        run_trial(made(sensitivity={"arm": "sorafenib", "control": "placebo"}))
    assert caught.value.configuration
