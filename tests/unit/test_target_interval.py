"""Troughs of another dosing interval than the target's are said to be, with what that means."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.dose_sample import sample_patient
from troughline.dosing.candidates import drug_regimens
from troughline.dosing.checks import Basis, basis_of
from troughline.dosing.scores import Scores
from troughline.dosing.target_interval import exposure_per_trough, interval_note, interval_sentence
from troughline.issues import Findings

RATIOS = {"400-bid": 25.0, "400-qd": 30.0, "400-qod": 42.0}


def basis(**changes: object) -> Basis:
    made = basis_of(sample_patient(**changes), Findings())
    assert made is not None
    by_id = {r.id: r for r in drug_regimens("sorafenib")}
    return replace(made, regimens=tuple(by_id[i] for i in RATIOS))


def scores() -> Scores:
    """Troughs of 2 mg/L, and areas that give the ratios of a reader's finding."""
    zero = np.zeros((5, len(RATIOS)))
    return Scores(
        trough=zero + 2.0, auc_24h=zero + 2.0 * np.array(list(RATIOS.values())), below=zero, inside=zero,
        above=zero, inside_as_printed=zero, toxicity=None, benefit=None, utility=None, outside_curve={},
        effective=5.0,
    )  # fmt: skip


def test_a_longer_interval_than_the_targets_is_noted_with_its_ratio() -> None:
    one, drawn = basis(), scores()
    assert exposure_per_trough(drawn, 1) == pytest.approx(30.0)
    assert interval_note(one, drawn, 0) is None
    assert interval_note(one, drawn, 1) == (
        "trough after 24 h, the target's after 12 h: 17% lower at the same AUC (AUC/trough 30 h, not 25 h)"
    )
    note = interval_note(one, drawn, 2)
    assert note is not None
    assert note.startswith("trough after 48 h, the target's after 12 h")
    assert "40% lower" in note


def test_where_the_interval_comes_from_is_said() -> None:
    """Guchelaar 2022 says twice daily; Noda 2020 says nothing; a patient file may say it."""
    guchelaar = basis(target={"published": "guchelaar-2022/trough-target"}).target
    assert (guchelaar.interval_h, guchelaar.interval_source) == (12.0, "as in the source")
    noda = basis(target={"published": "noda-2020/window"}).target
    assert noda.interval_h == 12.0
    assert "the source gives none" in noda.interval_source
    hand = {"low": 1.4, "high": 3.45, "unit": "ug/mL", "source": "a test", "interval_h": 24}
    own = basis(target=hand)
    assert (own.target.interval_h, own.target.interval_source) == (24.0, "the patient file says so")
    assert interval_note(own, scores(), 1) is None
    note = interval_note(own, scores(), 0)
    assert note is not None
    assert "20% higher" in note


def test_an_area_has_no_interval() -> None:
    area = {"low": 40, "high": 90, "unit": "mg*h/L", "metric": "auc", "source": "a test"}
    one = basis(target=area)
    assert one.target.interval_h is None
    assert all(interval_note(one, scores(), k) is None for k in range(3))


def test_an_answer_that_names_another_interval_says_so() -> None:
    one, drawn = basis(), scores()
    assert interval_sentence(one, drawn, (0,)) is None
    said = interval_sentence(one, drawn, (0, 1))
    assert said is not None
    assert "400 mg once daily is held against it all the same" in said
    assert "17% lower: its troughs stand for more exposure" in said
