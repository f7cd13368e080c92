"""The assay table, and what it says of values that cannot be what their name says."""

from __future__ import annotations

import numpy as np
import pytest

from troughline.evidence.assays import assays, doubt_about
from troughline.units import is_unit


def normal(mean: float, sd: float, n: int = 86) -> list[float]:
    return np.clip(np.random.default_rng(1).normal(mean, sd, n), mean / 5, None).tolist()


def test_every_range_has_a_source_a_unit_and_ends_in_order() -> None:
    for assay in assays():
        assert assay.source
        assert is_unit(assay.unit)
        assert 0 <= assay.low < assay.high


def test_il_2_as_printed_by_huy_lies_in_the_range_of_its_receptor() -> None:
    """355.7 ± 137.4 U/mL with a limit of 391 on IMMULITE."""
    doubt = doubt_about("IL-2", normal(355.7, 137.4), "U/mL", platform="IMMULITE 1000", limit=391)
    assert doubt is not None
    assert doubt.kind == "other analyte"
    assert "137–838 U/mL" in doubt.reason
    assert "LAB3459-1" in doubt.reason
    assert "≤ 2.1 pg/mL" in doubt.reason
    assert doubt.reason.endswith("supported, not proven.")


@pytest.mark.parametrize("name", ["sIL-2R", "soluble IL-2 receptor", "IL2R"])
def test_the_receptor_under_its_own_name_raises_no_doubt(name: str) -> None:
    assert doubt_about(name, normal(355.7, 137.4), "U/mL", platform="IMMULITE 1000") is None


def test_il_2_in_its_own_range_raises_no_doubt() -> None:
    assert doubt_about("interleukin-2", normal(1.5, 0.5), "pg/mL") is None


@pytest.mark.parametrize(
    ("name", "mean", "unit", "words"),
    [
        ("TNF-alpha", 9.0, "ng/mL", "1000 times too high"),
        ("soluble IL-2 receptor", 0.5, "pg/mL", "1000 times too low"),
    ],
)
def test_a_unit_1000_times_apart_is_a_slip(name: str, mean: float, unit: str, words: str) -> None:
    doubt = doubt_about(name, normal(mean, mean / 4), unit)
    assert doubt is not None
    assert doubt.kind == "unit slip"
    assert words in doubt.reason


def test_values_of_neither_are_implausible() -> None:
    doubt = doubt_about("IL-6", normal(5e5, 1e5), "pg/mL")
    assert doubt is not None
    assert doubt.kind == "implausible"


def test_another_analytes_range_in_the_same_unit_is_found() -> None:
    """IL-2 of 500 pg/mL: the receptor by bead assay is 175.3–858.2 pg/mL."""
    doubt = doubt_about("IL-2", normal(500, 80), "pg/mL")
    assert doubt is not None
    assert doubt.kind == "other analyte"
    assert "175.3–858.2 pg/mL" in doubt.reason


def test_a_limit_outside_that_range_speaks_against_the_other_analyte() -> None:
    doubt = doubt_about("IL-2", normal(355.7, 100), "U/mL", platform="IMMULITE", limit=5000)
    assert doubt is not None
    assert doubt.kind == "implausible"


def test_what_is_not_on_file_or_hardly_measured_is_not_judged() -> None:
    assert doubt_about("CXCL17", normal(355.7, 100), "U/mL") is None
    assert doubt_about("IL-2", [355.0, 400.0], "U/mL") is None


def test_disease_may_raise_a_marker() -> None:
    """TNF-alpha at five times the upper limit is possible."""
    assert doubt_about("TNF-alpha", normal(70, 20), "pg/mL") is None
