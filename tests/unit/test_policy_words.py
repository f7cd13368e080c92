"""What an evaluation says: verdicts on every outcome that matters, and what it tells of `troughline dose`."""

from __future__ import annotations

from typing import Any

from troughline.dosing.policy.schema import Policy
from troughline.dosing.policy.words import against_dose, at_lowest, headline, verdicts
from troughline.report.policy_page import verdict_table


def _measures(inside: float, below_at: float, stopped: float) -> dict[str, Any]:
    values = {"inside": inside, "below_at": below_at, "stopped": stopped}
    return {name: {"value": value} for name, value in values.items()}


def _policy(identifier: str, kind: str, criterion: str | None, *values: float) -> dict[str, Any]:
    return {
        "id": identifier, "kind": kind, "twin": False, "criterion": criterion, "measures": _measures(*values),
    }  # fmt: skip


def _contents(*, toxicity: bool = True, follows: bool = True) -> dict[str, Any]:
    """A model policy keeps more days inside, leaves more patients below, and stops more."""
    differences = [("inside", 0.15, 0.13, 0.17), ("inside_at", 0.002, -0.05, 0.05),
                   ("below_at", 0.29, 0.25, 0.33), ("stopped", 0.068, 0.04, 0.09)]  # fmt: skip
    policies = [
        _policy("fixed", "fixed", None, 0.49, 0.10, 0.0),
        _policy("model", "model", "p_in", 0.64, 0.39, 0.068),
    ]
    policies += [_policy("dose", "model", "dose", 0.60, 0.30, 0.05)] if follows else []
    return {
        "level": 0.95, "patients": 1000, "target": {"words": "trough of 1.4 to 3.45 ug/mL"}, "regret": [],
        "policies": policies, "design": {"toxicity": {"hold_days": 7} if toxicity else None},
        "differences": [
            {"first": "model", "second": "fixed", "measure": m, "value": v, "low": low, "high": high}
            for m, v, low, high in differences
        ],
    }  # fmt: skip


def test_verdicts_tell_of_stops_and_of_those_left_below() -> None:
    """More days inside is better; more patients below at the horizon, and more stopped, is worse."""
    told = {v["measure"]: (v["answer"], v["sentence"]) for v in verdicts(_contents())}
    assert told["inside"][0] == "better"
    assert told["inside_at"][0] == "not distinguished"
    assert told["below_at"][0] == "worse"
    assert told["stopped"] == (
        "worse",
        "model against fixed: more patients stopped for toxicity, +6.8 points (95 % interval +4.0 to +9.0)",
    )  # fmt: skip
    nobody = _contents(toxicity=False)
    nobody["differences"][3] |= {"value": 0.0, "low": 0.0, "high": 0.0}
    assert "stopped" not in {v["measure"] for v in verdicts(nobody)}


def test_the_headline_tells_of_stops_and_of_those_left_below() -> None:
    """Not the days inside alone."""
    text = headline(_contents(follows=False))
    assert "64 % against 49 % (fixed)" in text
    assert "Below it at the horizon are 39 % against 10 % (fixed)" in text
    assert "stopped for toxicity are 6.8 % against 0.0 % (fixed)" in text
    nobody = _contents()
    for policy in nobody["policies"]:
        policy["measures"]["stopped"]["value"] = 0.0
    assert "; nobody is stopped for toxicity." in headline(nobody)
    nobody["design"]["toxicity"] = None
    assert "stopped" not in headline(nobody)


def test_the_headline_says_which_policy_is_the_tools_own_advice() -> None:
    """A model policy of its own rules is no evaluation of `troughline dose`."""
    assert "'model' does not decide as troughline dose does" in headline(_contents(follows=False))
    assert "'dose' follows its rules" in headline(_contents())


def test_each_policy_says_how_it_differs_and_what_ends_treatment() -> None:
    """In words for the page: exact values against uncertain ones, a gain against what is told apart."""
    own = against_dose(Policy(id="m", kind="model"))
    assert "typical values and the target's limits are taken as exact" in own
    assert "gains 0.05" in own
    assert against_dose(Policy(id="d", kind="model", criterion="dose")).startswith("Rules, typical values")
    assert against_dose(Policy(id="f", kind="fixed")) == ""
    assert "the first one too, ends treatment" in at_lowest(Policy(id="m", kind="model"))
    assert "held, and the same taken again" in at_lowest(Policy(id="m", kind="model", lowest="hold"))
    assert "held, and the same taken again" in at_lowest(Policy(id="f", kind="fixed"))


def test_the_page_has_a_row_a_pair_and_a_column_a_measure() -> None:
    """Each verdict with its difference; what has no verdict has no cell."""
    contents = _contents()
    contents["verdicts"] = verdicts(contents)
    made = verdict_table(contents)
    assert made["columns"] == [
        "days inside", "inside at the horizon", "below at the horizon", "stopped for toxicity",
    ]  # fmt: skip
    ((name, cells),) = made["rows"]
    assert name == "model against fixed"
    assert [c["words"] for c in cells] == ["better", "not told apart", "worse", "worse"]
    assert (cells[3]["value"], cells[3]["span"]) == ("+6.8", "+4.0 to +9.0")
