"""Trial files with anything in them: each fault is one line with its file, and nothing is ever raised."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from troughline.trial.setup import setup_of

WHOLE: dict[str, Any] = {
    "trial": {"title": "t", "seed": 5, "replicates": 2, "horizon_months": 6.0, "level": 0.95, "alpha": 0.05,
              "primary": "os", "patients": "randomised", "step_days": 3.5},
    "model": {"reading": "Kd", "sets": "best"},
    "population": {
        "base": "sharp", "etiology": {"HBV": 0.5, "HCV": 0.25, "other": 0.25}, "bclc": {"B": 0.5, "C": 0.5},
        "tumour_mm": {"median": 60.0, "spread": 0.5, "low": 15.0, "high": 300.0},
        "albumin": {"mean": 39.0, "sd": 4.0, "low": 26.0, "high": 52.0}, "scale": {"doubling": 0.5},
        "accept": {"albumin": [20.0, 50.0]}, "clearance": 1.0,
        "match_placebo": {"ttp_day": 36.0, "os_months": 4.2, "source": "s"},
    },
    "visits": {"days": [42, 84]},
    "follow_up": {"shortest_months": 2.0, "longest_months": 5.0},
    "markers": {"days": [0, 28]},
    "drug": [{"id": "x", "blocks": {"egfr": 0.5}, "toxicity": 1.0}],
    "arm": [
        {"id": "placebo", "n": 20, "sorafenib": "none"},
        {"id": "sorafenib", "n": 20, "sorafenib": {"dose_mg": 400, "every_h": 12},
         "second": [{"drug": "x", "dose": 1.0}], "local": [{"kind": "tace", "days": [14], "amount": 1.0}],
         "second_line": {"second": [{"drug": "regorafenib"}], "after_days": 14.0}, "stop_share": 0.2},
    ],
    "compare": [{"arm": "sorafenib", "control": "placebo"}],
    "target": [{"id": "t", "quantity": "os_hr", "arm": "sorafenib", "control": "placebo", "value": 0.7,
                "unit": "1", "low": 0.6, "high": 0.8, "use": "held out", "source": "s"}],
    "sizes": {"n": [10]},
    "combinations": {"drugs": ["erlotinib"], "doses": [1.0], "n": 50, "pairs": True, "draws": 2},
    "sensitivity": {"arm": "sorafenib", "control": "placebo", "prediction": ["os_hr"], "n": 50, "sobol": 8},
    "run": {"scheduler": "local"},
}  # fmt: skip
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from([-1, 0, 10**30, 1e308, -1e308, 5e-324, float("nan"), float("inf"), "", "a\nb", "\0", [],
                     {},
                     [[]], [{}], {"": 0}, {"a": {"b": [1]}}, datetime.date(1979, 5, 27)]),
)  # fmt: skip


def _places(data: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a file, tables and lists among them."""
    if place:
        yield place
    entries: list[tuple[Any, Any]] = []
    if isinstance(data, dict):
        entries = list(data.items())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    elif isinstance(data, list):
        entries = list(enumerate(data))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    for key, value in entries:
        yield from _places(value, (*place, key))


PLACES = list(_places(WHOLE))


def _changed(place: tuple[Any, ...], value: Any, *, left_out: bool) -> dict[str, Any]:
    data = copy.deepcopy(WHOLE)
    here: Any = data
    for part in place[:-1]:
        here = here[part]
    if left_out:
        del here[place[-1]]
    else:
        here[place[-1]] = value
    return data


def test_the_whole_file_is_read() -> None:
    """What the others change has no fault: they find what they put in."""
    setup, found = setup_of(WHOLE, name="trial.toml")
    assert [f.line() for f in found] == []
    assert setup is not None


@given(place=st.sampled_from(PLACES), value=ODD, left_out=st.booleans())
def test_an_odd_value_anywhere_is_a_finding_or_a_value(
    place: tuple[Any, ...], value: Any, left_out: bool
) -> None:
    """Anything in the place of any key, or the key left out: no exception, and every line has its file."""
    setup, found = setup_of(_changed(place, value, left_out=left_out), name="trial.toml")
    for line in (f.line() for f in found):
        assert line.startswith(("error: trial.toml", "warning: trial.toml"))
        assert "\n" not in line
    assert (setup is None) == bool(found.errors)
