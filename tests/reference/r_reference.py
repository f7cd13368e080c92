"""Reading data tables and stored R output, and comparing with a stated tolerance."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.shared_data import shared

PRINTED = 1e-9
COMPUTED = 1e-8


def table(relative: str) -> dict[str, np.ndarray]:
    """A CSV as columns: numbers with not a number where missing, text where it is no number."""
    with shared(relative).open(newline="") as file:
        rows = list(csv.DictReader(file))

    def column(name: str) -> np.ndarray:
        values = [row[name] for row in rows]
        try:
            return np.asarray([np.nan if v in ("NA", "") else float(v) for v in values])
        except ValueError:
            return np.asarray(values)

    return {name: column(name) for name in rows[0]}


def from_r(name: str) -> dict[str, Any]:
    """What the script `tests/reference/r/NAME.R` wrote."""
    return json.loads((Path(__file__).parent / "r" / f"{name}.json").read_text())


def close(value: Any, expected: Any, tolerance: float) -> None:
    """Fail unless `value` is `expected` to the relative `tolerance` (and 1e-12 near zero); nulls are NaN."""
    wanted = np.asarray(expected, dtype=np.float64)
    np.testing.assert_allclose(np.asarray(value, dtype=np.float64), wanted, rtol=tolerance, atol=1e-12)
