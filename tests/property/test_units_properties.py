"""Units: what must hold for every value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from troughline.units import convert, convert_factor, is_convertible

CONCENTRATIONS = ("ng/mL", "ug/mL", "mg/L", "g/L", "mg/dL", "pg/mL", "nmol/L", "umol/L", "nM", "mM")
TIMES = ("h", "day", "week", "month", "year", "min")

values = st.floats(min_value=1e-9, max_value=1e9)
masses = st.floats(min_value=1.0, max_value=1e5)


@given(values, st.sampled_from(CONCENTRATIONS), st.sampled_from(CONCENTRATIONS), masses)
def test_there_and_back_is_the_same(value: float, a: str, b: str, mass: float) -> None:
    there = convert(value, a, b, molar_mass_g_per_mol=mass)
    # Two products and two quotients, each rounded once: four units in the last place.
    assert math.isclose(convert(there, b, a, molar_mass_g_per_mol=mass), value, rel_tol=1e-15)


@given(
    st.sampled_from(CONCENTRATIONS), st.sampled_from(CONCENTRATIONS), st.sampled_from(CONCENTRATIONS), masses
)
def test_a_detour_costs_nothing(a: str, b: str, c: str, mass: float) -> None:
    def factor(x: str, y: str) -> object:
        return convert_factor(x, y, molar_mass_g_per_mol=mass)

    assert convert_factor(a, b, molar_mass_g_per_mol=mass) * convert_factor(
        b, c, molar_mass_g_per_mol=mass
    ) == factor(a, c)


@given(st.lists(values, min_size=1, max_size=20), st.sampled_from(TIMES), st.sampled_from(TIMES))
def test_order_is_kept_and_arrays_agree_with_numbers(numbers: list[float], a: str, b: str) -> None:
    together = convert(np.array(numbers), a, b)
    assert together.tolist() == [convert(x, a, b) for x in numbers]
    assert np.array_equal(np.argsort(together, kind="stable"), np.argsort(numbers, kind="stable")) or (
        # Two values one unit in the last place apart may round to one.
        np.all(np.diff(together[np.argsort(numbers, kind="stable")]) >= 0)
    )


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading_of_units(text: str) -> None:
    """Whatever is typed as a unit, it is converted or refused with a one-line `ValueError`."""
    if is_convertible(text, "mg/L"):
        assert convert(1.0, text, "mg/L") > 0
    else:
        with pytest.raises(ValueError) as refused:
            convert(1.0, text, "mg/L")
        assert "\n" not in str(refused.value)
