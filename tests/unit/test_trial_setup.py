"""Trial files: what is read, and what is refused in one clear line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import troughline
from troughline.issues import InputError
from troughline.mechanism.trial_designs import known_targets
from troughline.trial.setup import check_trial, load_trial, setup_of
from troughline.trial.treatments import assumed_of, at_dose, together

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


def test_two_drugs_leave_the_product() -> None:
    """1 − (1 − 0.5)(1 − 0.4) = 0.7; toxicities add."""
    both = together([{"mek": 0.5, "toxicity": 1.0}, {"mek": 0.4, "toxicity": 0.5}])
    assert both == pytest.approx({"mek": 0.7, "toxicity": 1.5})
