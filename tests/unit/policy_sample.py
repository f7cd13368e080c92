"""A small policy file for tests, as a dictionary to change."""

from __future__ import annotations

import copy
from typing import Any

from troughline.dosing.policy.setup import Setup, setup_of

SMALL: dict[str, Any] = {
    "evaluation": {"title": "Small"},
    "population": {
        "n": 12,
        "seed": 7,
        "covariate": [
            {
                "name": "weight", "distribution": "lognormal", "unit": "kg", "median": 72, "cv": 0.2,
                "low": 40, "high": 130, "source": "assumed",
            },
            {
                "name": "child_pugh_class", "distribution": "levels", "levels": {"A": 0.8, "B": 0.2},
                "source": "assumed",
            },
        ],
    },
    "truth": {"model": "sorafenib/hcc"},
    "visits": {"days": [14, 28, 56], "horizon_day": 84},
    "samples": {"limit": 0.05},
    "target": {"published": "noda-2020/window"},
    "treatment": {"start": "400-bid", "regimens": ["400-qod", "400-qd", "200-bid", "400-200", "400-bid"]},
    "policy": [{"id": "fixed", "kind": "fixed"}, {"id": "label", "kind": "label"}],
}  # fmt: skip
TOXICITY: dict[str, Any] = {
    "events_per_28_days": 0.3, "at": 3.5, "times_per_doubling": 2.0, "frailty_cv": 0.5, "source": "assumed",
}  # fmt: skip


def contents(**changes: Any) -> dict[str, Any]:
    """The small file with top-level sections replaced; None takes a section out."""
    made = copy.deepcopy(SMALL)
    for section, value in changes.items():
        made[section] = value
    return {key: value for key, value in made.items() if value is not None}


def setup(**changes: Any) -> Setup:
    """The setup of the small file; fails where it has a fault."""
    made, found = setup_of(contents(**changes), name="policy.toml")
    assert made is not None, [f.line() for f in found.errors]
    return made


def faults(**changes: Any) -> list[str]:
    """The errors about the small file with changes, one line each."""
    made, found = setup_of(contents(**changes), name="policy.toml")
    assert (made is None) == bool(found.errors)
    return [f.line() for f in found.errors]
