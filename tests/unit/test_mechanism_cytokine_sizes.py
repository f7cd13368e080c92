"""The search for the size of a cytokine's change: found between its bounds, or said to be at one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from mechanism_cytokines import search


def test_the_search_finds_where_the_power_is_wanted() -> None:
    """A power of 100·s/(s + 0.1) is 90 at s = 0.9."""
    size, end = search(lambda s: 100.0 * s / (s + 0.1), 0.02, 2.0, wanted=90.0, steps=30)
    assert size == pytest.approx(0.9, rel=1e-6)
    assert end == ""


def test_a_search_that_ends_at_its_bound_says_so() -> None:
    """Power without any effect of the drug, and power that no size gives: neither is a size found."""
    assert search(lambda _: 95.0, 0.02, 2.0, wanted=90.0, steps=6) == (0.02, "lower")
    assert search(lambda _: 5.0, 0.02, 2.0, wanted=90.0, steps=6) == (2.0, "upper")
