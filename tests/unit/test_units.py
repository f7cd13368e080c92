"""Units: spellings, exact conversion, mass against amount of substance."""

from __future__ import annotations

import numpy as np
import pytest

from troughline.units import (
    _COMMON,  # pyright: ignore[reportPrivateUsage]
    _from_registry,  # pyright: ignore[reportPrivateUsage]
    _named,  # pyright: ignore[reportPrivateUsage]
    convert,
    convert_factor,
    formula_mass,
    is_convertible,
    is_dimensionless,
    is_unit,
    molar_mass_g_per_mol,
    same_unit,
    substances,
)

SPELLINGS = [
    *("ng/mL", "ug/mL", "µg/mL", "μg/mL", "mg/L", "g/dL", "g/L", "mg/dL", "pg/mL", "mcg/dL", "kg"),
    *("nmol/L", "umol/L", "µmol/L", "nM", "uM", "mM", "mEq/L", "U/mL", "IU/mL", "U/L", "mAU/mL"),
    *("h", "day", "days", "week", "month", "year", "years", "cm", "mm", "kg/m2", "kg/m²", "cm2/m2"),
    *("10^9/L", "10⁹/L", "x10^9/L", "G/L", "/uL", "1", "%", "mmHg"),
    *("mL/min", "mL/min/1.73m2", "mg*h/L"),
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_clinical_units_are_known(text: str) -> None:
    assert is_unit(text)


@pytest.mark.parametrize("name", sorted(_COMMON))
def test_a_common_unit_is_what_the_registry_says(name: str) -> None:
    quick, whole = _named(name), _from_registry(name)
    assert quick is not None
    assert whole is not None
    assert (quick.size, quick.dimensions) == (whole.size, whole.dimensions)


@pytest.mark.parametrize(
    "text", ["", " ", "foo", "ng//mL", "/", "ng/", "NG/ML", "mg**99", "\x00", "G", "_", "μ", "m" * 50]
)
def test_what_is_no_unit_is_refused(text: str) -> None:
    assert not is_unit(text)


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (3450.0, "ng/mL", "mg/L", 3.45),
        (3.45, "ug/mL", "mg/L", 3.45),
        (3.45, "µg/mL", "ng/mL", 3450.0),
        (40.0, "g/L", "g/dL", 4.0),
        (150.0, "10^9/L", "G/L", 150.0),
        (150.0, "G/L", "/uL", 150_000.0),
        (7.0, "10^3/uL", "10^9/L", 7.0),
        (50.0, "%", "1", 0.5),
        (2.0, "IU/mL", "IU/L", 2000.0),
        (35.0, "mm", "cm", 3.5),
        (12.0, "month", "year", 1.0),
        (1.0, "month", "day", 365.25 / 12),
        (4.0, "week", "day", 28.0),
        (48.0, "h", "day", 2.0),
        (100.0, "nM", "umol/L", 0.1),
    ],
)
def test_conversion_is_exact(value: float, source: str, target: str, expected: float) -> None:
    # Definitions of the units; equality to the last bit, because published cuts are compared with `>=`.
    assert convert(value, source, target) == expected


def test_mass_and_amount_convert_through_the_molar_mass() -> None:
    # 464.83 g/mol: 1 mg/L of sorafenib is 1000/464.83 = 2.1513 umol/L.
    assert convert(1.0, "mg/L", "umol/L", molar_mass_g_per_mol=464.83) == pytest.approx(2.15132, rel=1e-5)
    assert convert(2.0, "nmol/L", "mg/L", molar_mass_g_per_mol=500.0) == pytest.approx(1e-3, rel=1e-12)


def test_arrays_keep_their_shape_and_missing_values() -> None:
    result = convert(np.array([[1.0, np.nan], [3.0, 0.0]]), "mg/dL", "g/L")
    np.testing.assert_array_equal(result, [[0.01, np.nan], [0.03, 0.0]])


@pytest.mark.parametrize(
    ("source", "target", "mass"),
    [
        ("mg/L", "U/mL", None),
        ("U/mL", "IU/mL", None),
        ("mg/L", "nmol/L", None),
        ("mg/L", "nmol/L", 0.0),
        ("mg/L", "nmol/L", float("nan")),
        ("day", "mg", 100.0),
        ("nonsense", "mg/L", None),
    ],
)
def test_an_impossible_conversion_says_so(source: str, target: str, mass: float | None) -> None:
    with pytest.raises(ValueError) as error:
        convert(1.0, source, target, molar_mass_g_per_mol=mass)
    if mass is None or mass > 0:
        assert repr(source) in str(error.value)
        assert repr(target) in str(error.value)


def test_the_same_unit_under_other_spellings() -> None:
    assert same_unit("ug/mL", "mg/L")
    assert same_unit("µmol/L", "uM")
    assert not same_unit("ng/mL", "mg/L")
    assert not same_unit("U/mL", "IU/mL")
    assert not same_unit("foo", "foo")


def test_what_converts_into_what() -> None:
    assert is_convertible("ng/mL", "nmol/L", molar_mass_g_per_mol=464.83)
    assert not is_convertible("ng/mL", "nmol/L")
    assert is_dimensionless("%")
    assert is_dimensionless("1")
    assert not is_dimensionless("mg")
    assert not is_dimensionless("foo")


def test_molar_masses_follow_from_formula_and_atomic_weights() -> None:
    weights = substances()["atomic_weights"]["value"]
    for entry in substances()["substance"]:
        # The file prints three decimals.
        assert formula_mass(entry["formula"], weights) == pytest.approx(
            entry["molar_mass_g_per_mol"], abs=5.01e-4
        )
    # Published: bilirubin 584.7, creatinine 113.12, sorafenib 464.8 g/mol.
    assert molar_mass_g_per_mol("Bilirubin") == pytest.approx(584.67, abs=0.05)
    assert molar_mass_g_per_mol("creatinine") == pytest.approx(113.12, abs=0.01)
    assert molar_mass_g_per_mol("sorafenib") == pytest.approx(464.83, abs=0.05)
    assert molar_mass_g_per_mol("interleukin-2") is None


def test_published_intervals_of_atomic_weights_bound_every_molar_mass() -> None:
    # The intervals are those of the report named in the data file; 0.01 % is what it claims of them.
    intervals = {k: v for k, v in substances()["atomic_weights"]["interval"].items() if k != "doi"}
    for entry in substances()["substance"]:
        low, high = (formula_mass(entry["formula"], {k: v[i] for k, v in intervals.items()}) for i in (0, 1))
        assert low <= entry["molar_mass_g_per_mol"] + 5e-4
        assert entry["molar_mass_g_per_mol"] - 5e-4 <= high
        assert (high - low) / low < 2e-4


def test_a_bad_formula_is_refused() -> None:
    with pytest.raises(ValueError, match="no atomic weight for Xx"):
        formula_mass("XxH2", {"H": 1.008})
    with pytest.raises(ValueError, match="no molecular formula"):
        formula_mass("water", {"H": 1.008})


def test_factors_are_fractions() -> None:
    assert convert_factor("ng/mL", "mg/L") * 1000 == 1
