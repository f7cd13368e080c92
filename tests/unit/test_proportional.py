"""The answer if exposure rose in proportion to the dose, against the model's own arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.dose_sample import sample_patient
from troughline.dosing.dose import dose

FEW = {"draws": 300, "next_sample": False, "regimens": ["400-bid", "400-qd", "200-bid", "200-qd"]}


def test_regimens_of_the_same_amount_do_not_change_and_halves_give_half() -> None:
    """From 400 mg: 400 mg once daily stays; 200 mg twice daily gives half of 400 mg twice daily, exactly."""
    result = dose(sample_patient(options={**FEW, "indistinct": 0.99}))
    found = result.explanation.if_proportional
    assert found is not None
    assert found.anchor_mg == 400.0
    assert found.text in result.explanation.sentences
    rows = {r.regimen: r for r in found.rows}
    stated = {r.regimen.id: r for r in result.regimens}
    for identifier, row in rows.items():
        assert row.trough == pytest.approx(stated[identifier].trough.median)
        assert row.p_in == pytest.approx(stated[identifier].p_in)
    for identifier in rows.keys() & {"400-bid", "400-qd"}:
        assert rows[identifier].trough_if_proportional == pytest.approx(rows[identifier].trough)
    low = rows.keys() & {"200-bid", "200-qd"}
    assert low
    for identifier in low:
        high = stated[identifier.replace("200", "400")].trough.median
        assert high is not None
        # Doses before the decision leave a little, which is not halved.
        assert rows[identifier].trough_if_proportional == pytest.approx(0.5 * high, rel=0.02)
        assert rows[identifier].trough_if_proportional < rows[identifier].trough


def test_a_model_that_is_proportional_and_a_patient_without_levels_have_none() -> None:
    proportional = dose(sample_patient(options=FEW, model=[{"id": "sorafenib/jain-2011"}], covariate=[
        {"name": "weight", "value": 70, "unit": "kg"}
    ]))  # fmt: skip
    assert proportional.explanation.if_proportional is None
    assert dose(sample_patient(options=FEW, sample=[])).explanation.if_proportional is None


def test_the_models_say_of_themselves_what_their_files_say() -> None:
    result = dose(sample_patient(options={**FEW, "draws": 100}))
    notes = result.explanation.model_notes["sorafenib/hcc"]
    assert any("disputed" in n for n in notes)
    assert np.isfinite([r.auc_over_trough_h for r in result.regimens]).all()
