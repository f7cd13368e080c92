"""What the mechanism says of chemoembolisation and erlotinib, beside the trials that set one number each."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.unit.mechanism_sample import runner
from tests.unit.test_mechanism_docs import numbers, rows
from troughline.evidence.store import load_publication
from troughline.mechanism.parameters import read_sets
from troughline.mechanism.population import draw_patients, read_populations
from troughline.mechanism.predictions import doubling, scaled, sharp_quantities, two_arms
from troughline.mechanism.targets import read_targets
from troughline.mechanism.treatment import read_second_drugs
from troughline.mechanism.trial_designs import TrialDesign, read_designs
from troughline.mechanism.trial_predictions import Followed, measure_of, run_design

SEED = 20_260_202


def design(name: str) -> TrialDesign:
    """One of the designs on file."""
    return next(d for d in read_designs() if d.id == name)


@cache
def arms_of(name: str, reading: str) -> dict[str, Followed]:
    """A trial under the best set of a reading."""
    return run_design(runner(), read_sets(reading=reading)[0], design(name), n=1000, seed=SEED)


def measure(name: str, reading: str, target: str) -> float:
    """A target's prediction."""
    wanted = next(m for m in design(name).measured if m.target.id == target)
    return measure_of(arms_of(name, reading), wanted)


@pytest.mark.parametrize("reading", ["Kd", "IC50"])
def test_a_session_kills_what_spaces_beads_with_placebo_showed(reading: str) -> None:
    """SPACE (Lencioni 2016, doi 10.1016/j.jhep.2016.01.012, abstract): 41.3 % responses by mRECIST."""
    printed = load_publication("space-2016").sourced("response-placebo").value
    assert printed == 41.3
    assert measure("space", reading, "space-response-placebo") == pytest.approx(printed, abs=3.0)


@pytest.mark.parametrize("reading", ["Kd", "IC50"])
def test_disease_control_and_the_hazard_ratios_of_space_were_not_fitted_and_are_met(reading: str) -> None:
    """The same abstract: control 76.1 %, HR of progression 0.797, of death 0.898."""
    for target in ("space-control-placebo", "space-ttp-hr", "space-os-hr"):
        wanted = next(m.target for m in design("space").measured if m.target.id == target)
        assert wanted.met(measure("space", reading, target)), target


@pytest.mark.parametrize("reading", ["Kd", "IC50"])
def test_erlotinib_shortens_treatment_as_in_search_and_brings_no_gain(reading: str) -> None:
    """SEARCH (Zhu 2015, doi 10.1200/JCO.2013.53.7746, abstract): 86 against 123 days; HR 0.929 and 1.135."""
    study = load_publication("search-2015")
    printed = [study.sourced(f"duration-{arm}").value for arm in ("erlotinib", "sorafenib")]
    assert printed == [86.0, 123.0]
    arms = arms_of("search", reading)
    with_it, alone = (
        float(np.median(arms[name].duration.day)) for name in ("sorafenib-erlotinib", "sorafenib")
    )
    # One toxicity stands for all sets: 2.6 to 3.6 were asked for.
    assert with_it / alone == pytest.approx(86.0 / 123.0, abs=0.12)
    progression = next(m.target for m in design("search").measured if m.target.id == "search-trial-ttp-hr")
    assert measure("search", reading, "search-trial-ttp-hr") > 1.0
    assert progression.met(measure("search", reading, "search-trial-ttp-hr"))
    # No gain: the printed interval ends at 1.10, the tolerance of the mechanism's report at 1.15. By Kd the
    # former is missed by a hundredth, and the page prints that as a miss.
    assert 1.0 < measure("search", reading, "search-trial-os-hr") < 1.15


def test_without_its_toxicity_erlotinib_would_seem_to_help(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gain that counting tolerability takes away: both hazard ratios below 1."""
    from troughline.mechanism import trial_predictions

    drugs = {name: dict(what) for name, what in read_second_drugs().items()}
    drugs["erlotinib"]["toxicity"] = 0.0
    monkeypatch.setattr(trial_predictions, "read_second_drugs", lambda: drugs)
    search = design("search")
    arms = run_design(runner(), read_sets()[0], search, n=1000, seed=SEED)
    for target in ("search-trial-os-hr", "search-trial-ttp-hr"):
        assert measure_of(arms, next(m for m in search.measured if m.target.id == target)) < 0.97


def test_more_killed_by_a_session_is_more_responses() -> None:
    """The response that sets kill_tace rises with it, so that it sets one value."""
    space = design("space")
    alone = replace(space, arms=(space.arm("tace-placebo"),))
    wanted = next(m for m in space.measured if m.target.id == "space-response-placebo")
    found = [
        measure_of(
            run_design(runner(), read_sets()[0], alone, n=400, seed=SEED, values={"kill_tace": kill}), wanted
        )
        for kill in (0.35, 0.687, 1.2)
    ]
    assert found[0] + 10.0 < found[1] < found[2] - 10.0


def test_the_page_says_of_sharp_what_todays_code_says() -> None:
    """Every row of docs/mechanism.md that SHARP's two arms give, from the stored best set."""
    r, chosen = runner(), read_sets()[0]
    some = draw_patients(
        r.mechanism, r.kinetics, read_populations()["sharp"], n=2000, seed=SEED, sd=chosen.sd,
        values=scaled(r, chosen, {}),
    )  # fmt: skip
    found = {**sharp_quantities(r, two_arms(r, some, chosen), chosen), **doubling(r, some, chosen)}
    page = rows("targets")
    compared = 0
    for target in read_targets():
        if target.quantity in found:
            printed = numbers(page[target.id][4])[0]
            assert printed == pytest.approx(found[target.quantity], rel=6e-3, abs=6e-4), target.id
            compared += 1
    assert compared > 25
