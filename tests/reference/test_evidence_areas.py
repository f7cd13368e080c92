"""Standard errors of printed ROC areas against R, stored in `shared/reference/survival-and-roc.json`.

Hanley and McNeil's formula at the splits of Noda's 26 patients; closed form, so to 1e-10.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.shared_data import shared
from troughline.evidence import store
from troughline.evidence.checks.roc_areas import hanley_mcneil_se, narrowest_se


@pytest.mark.parametrize("outcome", ["resp_0.97", "tox_0.74"])
def test_standard_errors_at_every_stored_split(outcome: str) -> None:
    reference = json.loads(shared("reference/survival-and-roc.json").read_text())["noda_auc_check"]
    rows: list[dict[str, Any]] = reference[outcome]
    assert len(rows) >= 5
    for row in rows:
        assert hanley_mcneil_se(row["A"], row["n1"], row["n0"]) == pytest.approx(row["se"], rel=1e-10)
    area = rows[0]["A"]
    assert narrowest_se(area, 26) <= min(row["se"] for row in rows) * (1 + 1e-10)


def test_the_printed_toxicity_interval_fits_and_the_response_interval_does_not() -> None:
    """0.74 (0.54 to 0.93) is as wide as Hanley and McNeil say; 0.97 (0.97 to 1.00) is not half of it."""
    study = store.load_publication("noda-2020")
    for number_id, fits in (("toxicity-auc", True), ("response-auc", False)):
        n = study.sourced(number_id)
        assert n.value is not None
        assert n.low is not None
        assert ((n.value - n.low) >= 0.9 * 1.96 * narrowest_se(n.value, 26)) == fits
