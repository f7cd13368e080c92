"""Trial files: what is read, and what is refused in one clear line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import troughline
from troughline.issues import InputError
from troughline.mechanism.trial_designs import known_targets
from troughline.trial.people import words_of
from troughline.trial.setup import check_trial, load_trial, setup_of
from troughline.trial.treatments import assumed_of, at_dose, halved, together

EXAMPLES = Path(troughline.__file__).parent / "examples"


def trial(**changes: Any) -> dict[str, Any]:
    """A trial file's contents with some tables replaced."""
    return {
        "trial": {"title": "t", "replicates": 2, "horizon_months": 6},
        "model": {"sets": "best", "reading": "Kd"},
        "arm": [{"id": "placebo", "n": 20, "sorafenib": "none"}, {"id": "sorafenib", "n": 20}],
        "markers": {"days": [0, 28]},
        **changes,
    }


def faults(**changes: Any) -> list[str]:
    """The errors of a trial file, each one line."""
    setup, found = setup_of(trial(**changes), name="trial.toml")
    assert setup is None
    lines = [f.line() for f in found.errors]
    assert all("\n" not in line and line.startswith("error: trial.toml") for line in lines)
    return lines


@pytest.mark.parametrize(
    "name",
    [
        "resistance/sharp.toml",
        "resistance/asia-pacific.toml",
        "resistance/policies.toml",
        "next-steps/trial.toml",
    ],
)
def test_the_examples_are_read(name: str) -> None:
    """Every shipped trial file is free of faults."""
    assert not load_trial(EXAMPLES / name).findings.errors


def test_each_arm_says_what_of_it_is_assumed_and_which_number_set_the_rest() -> None:
    """Erlotinib's toxicity by SEARCH, a session of TACE by SPACE; a drug of the file by its own source."""
    own = {"id": "x", "blocks": {"mek": 0.5}, "source": "guessed for a test"}
    setup, found = setup_of(
        trial(
            drug=[own],
            arm=[
                {"id": "a", "n": 20, "second": [{"drug": "erlotinib"}, {"drug": "x"}]},
                {"id": "b", "n": 20, "local": [{"kind": "tace", "days": [14]}]},
                {"id": "c", "n": 20, "local": [{"kind": "ablation", "days": [14]}]},
            ],
        ),
        name="trial.toml",
    )
    assert not found.errors
    assert setup is not None
    erlotinib, x = assumed_of(setup.file.arm[0], setup.file)
    assert "toxicity calibrated" in erlotinib
    assert "SEARCH" in erlotinib
    assert x == "x: guessed for a test"
    [tace] = assumed_of(setup.file.arm[1], setup.file)
    assert "10.1016/j.jhep.2016.01.012" in tace
    assert assumed_of(setup.file.arm[2], setup.file) == ["ablation: a session kills 95 % (assumed)"]


def test_a_target_of_a_trial_that_no_fit_has_seen_can_stand_beside() -> None:
    """Trial files name targets of the fit and of the designs alike."""
    beside = {
        "id": "os",
        "target": "stah-os-hr",
        "quantity": "os_hr",
        "arm": "sorafenib",
        "control": "placebo",
    }
    setup, found = setup_of(trial(target=[beside]), name="trial.toml")
    assert not found.errors
    assert setup is not None
    assert "stah-os-hr" in known_targets()
    [line] = faults(target=[{**beside, "target": "stah-os"}])
    assert "'stah-os' is no target" in line


def test_a_drug_without_a_target_is_refused() -> None:
    """A second drug that no data name, one that blocks nothing, and one that blocks what is not there."""
    arm = {"id": "a", "n": 20, "second": [{"drug": "aspirin"}]}
    [line] = faults(arm=[arm])
    assert "'aspirin' is no second drug with a target" in line
    assert "arm.1.second" in line
    [line] = faults(drug=[{"id": "x", "blocks": {}}])
    assert "'x' has no target" in line
    [line] = faults(drug=[{"id": "x", "blocks": {"cox2": 0.5}}])
    assert "no such target: cox2" in line


def test_a_negative_dose_is_refused() -> None:
    """Of sorafenib and of a second drug."""
    [line] = faults(arm=[{"id": "a", "n": 20, "sorafenib": {"dose_mg": -400}}])
    assert "-400" in line or "at least 0" in line or "sorafenib" in line
    [line] = faults(arm=[{"id": "a", "n": 20, "second": [{"drug": "erlotinib", "dose": -1}]}])
    assert "at least 0" in line


def test_a_population_that_nobody_satisfies_is_refused() -> None:
    """Bounds that leave nobody."""
    [line] = faults(population={"accept": {"albumin": [1.0, 2.0]}})
    assert "leave nearly nobody" in line
    assert "population" in line


def test_a_visit_past_the_horizon_is_refused() -> None:
    """The visit and the horizon are named."""
    [line] = faults(visits={"days": [42, 400]})
    assert "day 400 lies past the horizon of 183 days" in line
    [line] = faults(markers={"days": [0, 365]})
    assert "day 365 lies past the horizon" in line


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"compare": [{"arm": "sorafenib", "control": "nobody"}]}, "no arm 'nobody'"),
        ({"sizes": {"n": [50]}}, "more than the smallest arm's 20"),
        ({"population": {"base": "mars"}}, "no population 'mars'"),
        ({"population": {"bclc": {"B": 0.5, "C": 0.1}}}, "add to 0.6"),
        ({"population": {"scale": {"no_such": 2.0}}}, "no parameter 'no_such'"),
        ({"target": [{"id": "t", "target": "sharp-os", "quantity": "os_median", "arm": "sorafenib"}]},
         "is no target"),
        ({"arm": [{"id": "a", "n": 20, "local": [{"kind": "tace", "days": [999]}]}]}, "outside the trial"),
        ({"arm": [{"id": "a", "n": 20, "sorafenib": {"dose_mg": 400, "every_h": 13}}]}, "multiple of 12"),
        ({"follow_up": {"shortest_months": 3, "longest_months": 9}}, "past the horizon of 6 months"),
    ],
)  # fmt: skip
def test_other_faults_are_named(changes: dict[str, Any], words: str) -> None:
    """What is wrong stands in the line."""
    assert any(words in line for line in faults(**changes))


def against(target: str, quantity: str, arm: str, control: str | None = None) -> dict[str, Any]:
    """A trial's change that holds a quantity against a target of the mechanism."""
    return {"target": [{"id": "t", "target": target, "quantity": quantity, "arm": arm, "control": control}]}


BY_HAND = {"id": "t", "arm": "placebo", "value": 7.9, "low": 7.0, "high": 9.0, "use": "shown", "source": "x"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (against("sharp-os-placebo", "os_1_year", "placebo"), "a value of os_median, not of os_1_year"),
        (against("sharp-ttp-placebo-between", "ttp_median", "placebo"), "a value of ttp_between"),
        (
            against("sharp-os-placebo", "os_median", "sorafenib"),
            "a value of placebo, and the arm 'sorafenib'",
        ),
        (
            against("sharp-os-hr", "os_hr", "placebo", "sorafenib"),
            "a value of sorafenib, and the arm 'placebo'",
        ),
        (against("noda-os-below", "os_median", "sorafenib"), "not a number of an arm"),
        (against("surrogacy-slope", "os_hr", "sorafenib", "placebo"), "not a number of an arm"),
        ({"target": [{**BY_HAND, "quantity": "os_1_year", "unit": "month"}]}, "os_1_year is in %"),
        ({"target": [{**BY_HAND, "quantity": "os_median", "unit": "day"}]}, "os_median is in month"),
    ],
)
def test_a_value_is_held_against_its_own_quantity(changes: dict[str, Any], words: str) -> None:
    """Another quantity, another unit, another arm, or a number of no arm: refused with what it is."""
    [line] = faults(**changes)
    assert words in line
    assert "target.1" in line


def test_a_value_of_the_quantity_is_taken() -> None:
    """The quantity's own target, and one by hand in another spelling of the unit."""
    for changes in (
        against("sharp-os-hr", "os_hr", "sorafenib", "placebo"),
        {"target": [{**BY_HAND, "quantity": "os_median", "unit": "mo"}]},
    ):
        setup, found = setup_of(trial(**changes), name="trial.toml")
        assert setup is not None, [f.line() for f in found]


def test_bounds_are_in_days() -> None:
    """Doubling times of 30 to 400 days, as all times in a trial file: in h for the mechanism, 720 to 9600;
    a rate a day is a 24th an hour; millimetres stay.
    """
    accept = {
        "doubling_time": [30, 400],
        "k_net": [0.001, 0.1],
        "sum_of_diameters": [20, 200],
        "frailty": [0.1, 9],
    }
    setup, found = setup_of(trial(population={"accept": accept}), name="trial.toml")
    assert setup is not None, [f.line() for f in found]
    bounds = setup.population.accept
    assert bounds["doubling_time"] == (720.0, 9600.0)
    assert bounds["k_net"] == pytest.approx((0.001 / 24, 0.1 / 24))
    assert bounds["sum_of_diameters"] == (20.0, 200.0)
    assert bounds["frailty"] == (0.1, 9.0)
    words = words_of(setup.file.population, setup.population)
    assert "doubling_time accepted from 30 to 400 days" in words
    [line] = faults(population={"accept": {"shoe_size": [40, 44]}})
    assert "population.accept" in line
    assert "no covariate or individual quantity 'shoe_size'" in line


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    """One line with the file's name."""
    path = tmp_path / "trial.toml"
    path.write_text("arm = [", encoding="utf-8")
    found = check_trial(path)[1]
    assert "not valid TOML" in found.errors[0].line()
    with pytest.raises(InputError) as caught:
        load_trial(tmp_path / "absent.toml")
    assert caught.value.configuration


def test_a_dose_is_an_occupancy() -> None:
    """f = C/(K + C): half of a drug that blocks 0.8 blocks 0.5·4/(1 + 0.5·4) = 2/3; toxicity halves."""
    assert at_dose({"egfr": 0.8, "toxicity": 1.0}, 0.5) == pytest.approx({"egfr": 2 / 3, "toxicity": 0.5})
    assert at_dose({"egfr": 0.8}, 1.0) == pytest.approx({"egfr": 0.8})
    assert at_dose({"egfr": 0.8}, 0.0) == {"egfr": 0.0}


def test_reductions_are_whole_tablets() -> None:
    """Half of 400 mg is a tablet of 200 mg; half of 200 mg is one tablet half as often."""
    assert halved(400.0, 12.0) == [(400.0, 12.0), (200.0, 12.0), (200.0, 24.0)]
    assert halved(200.0, 24.0) == [(200.0, 24.0), (200.0, 48.0), (200.0, 96.0)]
    assert halved(600.0, 24.0) == [(600.0, 24.0), (600.0, 48.0), (600.0, 96.0)]
    assert halved(200.0, 168.0) == [(200.0, 168.0), (200.0, 336.0)]


def test_too_much_toxicity_names_its_limit() -> None:
    """15 times sorafenib's at twice the dose is 30; the most is 20, which is no fraction."""
    arm = {"id": "a", "n": 20, "second": [{"drug": "x", "dose": 2.0}]}
    lines = faults(drug=[{"id": "x", "blocks": {"mek": 0.5}, "toxicity": 15.0}], arm=[arm])
    assert any("from 0 to 20 times sorafenib's at 4 mg/L, not 30" in line for line in lines)


def test_a_sensitivity_is_checked_before_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """An arm against itself is a fault; SALib that is not there is a warning with its key."""
    [line] = faults(sensitivity={"arm": "placebo", "control": "placebo"})
    assert "held against itself" in line
    assert "column sensitivity" in line
    monkeypatch.setattr("troughline.trial.sensitivity.has_salib", lambda: False)
    asked = {"arm": "sorafenib", "control": "placebo"}
    found = setup_of(trial(sensitivity=asked), name="trial.toml")[1]
    assert [f.line() for f in found if "SALib is not installed" in f.line()]


def test_two_drugs_leave_the_product() -> None:
    """1 − (1 − 0.5)(1 − 0.4) = 0.7; toxicities add."""
    both = together([{"mek": 0.5, "toxicity": 1.0}, {"mek": 0.4, "toxicity": 0.5}])
    assert both == pytest.approx({"mek": 0.7, "toxicity": 1.5})
