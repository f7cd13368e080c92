"""Liver scores: published formulas, cut points, and what missing parts do."""

from __future__ import annotations

import math

import numpy as np
import pytest

from troughline.cohort.scores import (
    albi_grade,
    albi_score,
    bclc_stage,
    child_pugh_class,
    child_pugh_points,
    malbi_grade,
    meld3_score,
    published_scores,
)

NAN = float("nan")


def points(
    bilirubin: float = 1.0, albumin: float = 4.0, inr: float = 1.0, ascites: float = 1, brain: float = 1
) -> float:
    result = child_pugh_points(
        bilirubin_mg_per_dl=[bilirubin],
        albumin_g_per_dl=[albumin],
        inr=[inr],
        ascites_points=[ascites],
        encephalopathy_points=[brain],
    )
    return float(result[0])


def test_child_pugh_runs_from_five_to_fifteen() -> None:
    assert points() == 5
    assert points(bilirubin=9, albumin=2, inr=3, ascites=3, brain=3) == 15


@pytest.mark.parametrize(
    ("part", "value", "expected"),
    [
        # Table of the Cleveland Clinic Journal of Medicine: <2, 2-3, >3 mg/dL; >3.5, 2.8-3.5, <2.8 g/dL;
        # <1.7, 1.7-2.3, >2.3. Both ends of the middle range give 2 points.
        ("bilirubin", 1.99, 1),
        ("bilirubin", 2.0, 2),
        ("bilirubin", 3.0, 2),
        ("bilirubin", 3.01, 3),
        ("albumin", 3.51, 1),
        ("albumin", 3.5, 2),
        ("albumin", 2.8, 2),
        ("albumin", 2.79, 3),
        ("inr", 1.69, 1),
        ("inr", 1.7, 2),
        ("inr", 2.3, 2),
        ("inr", 2.31, 3),
    ],
)
def test_child_pugh_cut_points(part: str, value: float, expected: int) -> None:
    assert points(**{part: value}) == 4 + expected


def test_child_pugh_classes() -> None:
    assert child_pugh_class([5, 6, 7, 9, 10, 15, NAN]).tolist() == ["A", "A", "B", "B", "C", "C", None]


def test_a_missing_part_gives_no_child_pugh_score() -> None:
    assert math.isnan(points(bilirubin=NAN))
    assert math.isnan(points(ascites=NAN))


@pytest.mark.parametrize(
    ("bilirubin", "albumin", "score", "grade"),
    [(17.1, 40.0, -2.5862, "2"), (10.0, 45.0, -3.1650, "1"), (60.0, 28.0, -1.2064, "3")],
)
def test_albi_vectors(bilirubin: float, albumin: float, score: float, grade: str) -> None:
    # Computed by hand from 0.66 log10(umol/L) - 0.085 (g/L); the vectors are printed to four decimals.
    computed = albi_score(bilirubin_umol_per_l=[bilirubin], albumin_g_per_l=[albumin])
    assert computed[0] == pytest.approx(score, abs=5e-5)
    assert albi_grade(computed).tolist() == [grade]


def test_albi_grades_include_their_upper_limit() -> None:
    scores = [-2.61, -2.60, -2.59, -2.27, -2.26, -1.39, -1.38, NAN]
    assert albi_grade(scores).tolist() == ["1", "1", "2", "2", "2", "2", "3", None]
    assert malbi_grade(scores).tolist() == ["1", "1", "2a", "2a", "2b", "2b", "3", None]


def meld(**changes: float) -> float:
    parts = {
        "female": 0.0,
        "bilirubin_mg_per_dl": 2.5,
        "sodium_mmol_per_l": 135.0,
        "inr": 1.5,
        "creatinine_mg_per_dl": 1.2,
        "albumin_g_per_dl": 3.0,
    } | changes
    return float(meld3_score(**{name: [value] for name, value in parts.items()})[0])


def test_meld3_vector() -> None:
    # By hand: 4.56 ln 2.5 + 0.82*2 - 0.24*2 ln 2.5 + 9.09 ln 1.5 + 11.14 ln 1.2 + 1.85*0.5
    # - 1.83*0.5 ln 1.2 + 6 = 17.855, printed as 17.85.
    assert meld() == pytest.approx(17.855, abs=5e-3)
    assert meld(female=1) - meld() == pytest.approx(1.33, abs=1e-12)


@pytest.mark.parametrize(
    ("part", "outside", "bound"),
    [
        ("bilirubin_mg_per_dl", 0.4, 1.0),
        ("inr", 0.8, 1.0),
        ("creatinine_mg_per_dl", 0.5, 1.0),
        ("creatinine_mg_per_dl", 7.0, 3.0),
        ("sodium_mmol_per_l", 118.0, 125.0),
        ("sodium_mmol_per_l", 144.0, 137.0),
        ("albumin_g_per_dl", 1.1, 1.5),
        ("albumin_g_per_dl", 4.4, 3.5),
    ],
)
def test_meld3_is_constant_outside_its_bounds(part: str, outside: float, bound: float) -> None:
    assert meld(**{part: outside}) == meld(**{part: bound})


def test_meld3_for_adolescents_and_dialysis() -> None:
    assert meld(age_years=15.0) == pytest.approx(meld(female=1), abs=1e-12)
    assert meld(age_years=18.0) == meld()
    assert meld(dialysis=1.0) == meld(creatinine_mg_per_dl=3.0)
    assert math.isnan(meld(female=NAN))


def stage(**changes: object) -> object:
    parts: dict[str, object] = {
        "performance_status": 0.0,
        "child_pugh": "A",
        "tumour_number": 1.0,
        "largest_tumour_cm": 1.5,
        "vascular_invasion": 0.0,
        "extrahepatic_spread": 0.0,
    } | changes
    return bclc_stage(**{name: np.array([value], dtype=object) for name, value in parts.items()})[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "0"),
        ({"largest_tumour_cm": 2.0}, "0"),
        ({"largest_tumour_cm": 2.1}, "A"),
        ({"largest_tumour_cm": 9.0}, "A"),
        ({"tumour_number": 3.0, "largest_tumour_cm": 3.0}, "A"),
        ({"tumour_number": 3.0, "largest_tumour_cm": 3.1}, "B"),
        ({"tumour_number": 4.0}, "B"),
        ({"tumour_number": 4.0, "largest_tumour_cm": NAN}, "B"),
        ({"vascular_invasion": 1.0}, "C"),
        ({"extrahepatic_spread": 1.0, "tumour_number": NAN}, "C"),
        ({"performance_status": 1.0}, "C"),
        ({"performance_status": 2.0}, "C"),
        ({"performance_status": 3.0}, "D"),
        ({"child_pugh": "C"}, "D"),
        ({"child_pugh": "C", "performance_status": NAN}, "D"),
        ({"child_pugh": "B", "tumour_number": 5.0}, "B"),
        ({"child_pugh": None, "vascular_invasion": 1.0}, None),
        ({"largest_tumour_cm": NAN}, None),
        ({"vascular_invasion": NAN}, None),
        ({"performance_status": NAN}, None),
    ],
)
def test_bclc_stage(changes: dict[str, object], expected: str | None) -> None:
    assert stage(**changes) == expected


def test_impossible_parts_are_refused() -> None:
    with pytest.raises(ValueError, match="bilirubin_mg_per_dl"):
        points(bilirubin=-1)
    with pytest.raises(ValueError, match="ascites_points"):
        points(ascites=0)
    with pytest.raises(ValueError, match="bilirubin_umol_per_l"):
        albi_score(bilirubin_umol_per_l=[0.0], albumin_g_per_l=[40.0])
    with pytest.raises(ValueError, match="performance_status"):
        stage(performance_status=5.0)
    with pytest.raises(ValueError, match="tumour_number"):
        stage(tumour_number=0.0)


def test_every_published_score_says_whether_it_was_read_in_its_source() -> None:
    for name, entry in published_scores().items():
        assert isinstance(entry["verified"], bool), name
        assert entry["read_in"], name
