"""Dosing edge cases against NONMEM and against closed forms, history by history.

`nmtest.csv` (R package nlmixr2data) holds what NONMEM simulates for 54 dosing histories: steady states
(SS = 1, SS = 2, a constant infusion), lags, infusions, bioavailability, repeated doses and resets, to five
significant digits. What all of them mean is written out below as a sum of single doses.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.shared_data import shared
from troughline.cohort.nonmem import read_nonmem
from troughline.model.model import load_model

KA, CL, V = 1.5, 1.1, 20.0
K = CL / V
LONG_PAST = 600
"""Doses before a steady-state record; the first of them left nothing."""
HALF_A_UNIT = 0.51
"""Of the last printed digit."""
EXTRAPOLATED = {
    409: 21, 410: 4, 411: 4, 415: 3, 509: 3, 510: 21, 610: 19, 709: 19, 809: 45, 825: 45, 909: 27, 1009: 43,
}  # fmt: skip
"""Histories with SS = 1 and a lag beyond the interval, and the last hour at which NONMEM differs.

NONMEM runs the steady state backwards from T + lag − II, to levels below zero in some; here as in life the
doses before the record go on arriving, and from the hour after the one given both agree again.
"""


@dataclass(frozen=True)
class History:
    """One history: its dose rows, and time, printed level and prediction at its observations (ng/mL)."""

    doses: pd.DataFrame
    hours: np.ndarray
    printed: np.ndarray
    predicted: np.ndarray


@cache
def histories() -> dict[int, History]:
    path = shared("data/pk/nmtest.csv")
    model = load_model(Path(__file__).parent / "models" / "nmtest.toml")
    records = read_nonmem(path, model.spec, columns={"DV": "cp"}).records
    level = 1000 * model.predict(records).value
    rows = pd.read_csv(path)
    found: dict[int, History] = {}
    for p, name in enumerate(records.patients):
        mine = slice(records.first[p], records.first[p + 1])
        seen = records.observed[mine]
        table = rows[rows["id"] == int(name)]
        found[int(name)] = History(
            doses=table[table["evid"] != 0],
            hours=records.time_h[mine][seen],
            printed=table[table["evid"] == 0]["cp"].to_numpy(),
            predicted=level[mine][seen],
        )
    return found


IDENTIFIERS = (
    *range(1, 27), 102, 109, 110, 111, 125, 210, 211, 225, 310, 311, 325, 409, 410, 411, 415, 425, 509, 510,
    525, 609, 610, 625, 709, 725, 809, 825, 909, 1009,
)  # fmt: skip
"""Named here so that the list of tests does not depend on where the file is."""


def differs(history: History) -> np.ndarray:
    """Which observations NONMEM prints otherwise."""
    size = np.where(history.printed == 0, 1.0, np.abs(history.printed))
    unit = np.where(history.printed == 0, 0.1, 10.0 ** (np.floor(np.log10(size)) - 4))
    return np.abs(history.predicted - history.printed) > HALF_A_UNIT * unit


def test_no_history_is_missing() -> None:
    assert sorted(histories()) == sorted(IDENTIFIERS)
    assert sum(len(h.hours) for h in histories().values()) > 7000


@pytest.mark.parametrize("number", [n for n in IDENTIFIERS if n not in EXTRAPOLATED])
def test_levels_are_nonmems_to_the_last_printed_digit(number: int) -> None:
    history = histories()[number]
    assert history.hours[differs(history)].tolist() == []


@pytest.mark.parametrize(("number", "until"), EXTRAPOLATED.items())
def test_levels_are_nonmems_from_the_hour_at_which_its_extrapolation_ends(number: int, until: int) -> None:
    history = histories()[number]
    first = history.doses.iloc[0]
    assert first["ss"] == 1
    assert first["lagt"] > first["ii"]
    apart = history.hours[differs(history)]
    assert apart.max() == until
    assert (history.hours > until).sum() > 80


@pytest.mark.parametrize("number", IDENTIFIERS)
def test_levels_are_sums_of_single_doses(number: int) -> None:
    """The doses of a steady state are given from the distant past on; 1e-9 of the level."""
    history = histories()[number]
    assert history.predicted == pytest.approx(summed(history), rel=1e-9, abs=1e-12)


def summed(history: History) -> np.ndarray:
    """The level (ng/mL) as a sum of single doses; SS = 1 and a reset end what was given before."""
    total = np.zeros(len(history.hours))
    for dose in history.doses.to_dict("records"):
        now = history.hours >= dose["time"]
        if dose["ss"] == 1 or dose["evid"] >= 3:
            total[now] = 0.0
        if dose["evid"] == 3:
            continue
        since = history.hours - dose["time"]
        if dose["ss"] and not dose["ii"]:
            total[now] += 1000 * _after_endless_infusion(dose["rate"], since[now])
            continue
        back = LONG_PAST if dose["ss"] else 0
        for k in range(-back, dose["addl"] + 1):
            total[now] += 1000 * _single(dose, (since - k * dose["ii"])[now])
    return total


def _single(dose: dict[str, float], hours: np.ndarray) -> np.ndarray:
    """The level (mg/L) `hours` after a dose; compartment 1 knows neither lag nor bioavailability."""
    central = dose["cmt"] == 2
    amount = dose["amt"] * (dose["bioav"] if central else 1.0)
    since = hours - (dose["lagt"] if central else 0.0)
    if dose["rate"] == 0:
        return amount / V * _bolus(since, central)
    over = dose["dur2"] if dose["rate"] == -2 else amount / dose["rate"]
    return amount / over / V * (_begun(since, central) - _begun(since - over, central))


def _bolus(hours: np.ndarray, central: bool) -> np.ndarray:
    """1 mg at once, times V."""
    t = np.maximum(hours, 0.0)
    level = np.exp(-K * t) if central else KA / (KA - K) * (np.exp(-K * t) - np.exp(-KA * t))
    return np.where(hours >= 0, level, 0.0)


def _begun(hours: np.ndarray, central: bool) -> np.ndarray:
    """1 mg/h that does not end, times V."""
    t = np.maximum(hours, 0.0)
    slow, fast = -np.expm1(-K * t) / K, -np.expm1(-KA * t) / KA
    return slow if central else KA / (KA - K) * (slow - fast)


def _after_endless_infusion(rate: float, hours: np.ndarray) -> np.ndarray:
    """An infusion into the depot that has always run and ends at 0 h: NONMEM's reading of AMT = II = 0."""
    return rate / K / V * np.exp(-K * hours) + rate / KA / V * _bolus(hours, central=False)
