"""Liver scores and stages from their parts: Child-Pugh, ALBI, MELD 3.0, BCLC.

Pure functions of arrays; a missing part (NaN or None) gives a missing result. Cut points and coefficients
come from `evidence/data/scores.toml`, which names the source of each and whether it was read there.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Texts = NDArray[np.object_]

CHILD_PUGH_CLASSES = ("A", "B", "C")
ALBI_GRADES = ("1", "2", "3")
MALBI_GRADES = ("1", "2a", "2b", "3")
BCLC_STAGES = ("0", "A", "B", "C", "D")


@lru_cache(maxsize=1)
def published_scores() -> dict[str, Any]:
    """The data file of published scores, as read."""
    import tomllib
    from importlib.resources import files

    text = files("troughline.evidence").joinpath("data", "scores.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def child_pugh_points(
    *,
    bilirubin_mg_per_dl: ArrayLike,
    albumin_g_per_dl: ArrayLike,
    inr: ArrayLike,
    ascites_points: ArrayLike,
    encephalopathy_points: ArrayLike,
) -> Floats:
    """Child-Pugh points, 5 to 15; arrays of shape (n,), NaN where any part is missing.

    Bilirubin < 2 | 2–3 | > 3 mg/dL, albumin > 3.5 | 2.8–3.5 | < 2.8 g/dL and INR < 1.7 | 1.7–2.3 | > 2.3 give
    1 | 2 | 3 points each; ascites and encephalopathy come as their points already (1, 2, 3).
    Raises `ValueError` where a laboratory value is negative or points are not 1, 2 or 3.
    Source: Pugh et al. 1973, doi 10.1002/bjs.1800600817, with the INR.
    """
    limits = published_scores()["child_pugh"]
    bilirubin = _nonnegative(bilirubin_mg_per_dl, "bilirubin_mg_per_dl")
    albumin = _nonnegative(albumin_g_per_dl, "albumin_g_per_dl")
    ratio = _nonnegative(inr, "inr")
    ascites = _points(ascites_points, "ascites_points")
    encephalopathy = _points(encephalopathy_points, "encephalopathy_points")
    return (
        _points_by_limits(bilirubin, limits["bilirubin_mg_per_dl"])
        + (4.0 - _points_by_limits(albumin, limits["albumin_g_per_dl"]))
        + _points_by_limits(ratio, limits["inr"])
        + ascites
        + encephalopathy
    )


def child_pugh_class(points: ArrayLike) -> Texts:
    """Child-Pugh class of points: A 5–6, B 7–9, C 10–15; None where NaN. Shape (n,)."""
    score = np.asarray(points, dtype=np.float64)
    limits = published_scores()["child_pugh"]
    edges = (limits["class_a_points"], limits["class_b_points"])
    return _banded(score, edges, CHILD_PUGH_CLASSES)


def albi_score(*, bilirubin_umol_per_l: ArrayLike, albumin_g_per_l: ArrayLike) -> Floats:
    """ALBI score, shape (n,): 0.66 · log₁₀(bilirubin in µmol/L) − 0.085 · (albumin in g/L).

    Raises `ValueError` where bilirubin is not above 0 or albumin is negative.
    Source: Johnson et al. 2015, doi 10.1200/JCO.2014.57.9151.
    """
    c = published_scores()["albi"]
    bilirubin = _positive(bilirubin_umol_per_l, "bilirubin_umol_per_l")
    albumin = _nonnegative(albumin_g_per_l, "albumin_g_per_l")
    return c["log10_bilirubin_umol_per_l"] * np.log10(bilirubin) + c["albumin_g_per_l"] * albumin


def albi_grade(score: ArrayLike) -> Texts:
    """ALBI grade of a score: 1 up to −2.60, 2 up to −1.39, 3 above; None where NaN. Shape (n,)."""
    c = published_scores()["albi"]
    edges = (c["grade_1_at_most"], c["grade_2_at_most"])
    return _banded(np.asarray(score, dtype=np.float64), edges, ALBI_GRADES)


def malbi_grade(score: ArrayLike) -> Texts:
    """Modified ALBI grade: as `albi_grade`, with grade 2 split at −2.27 into 2a and 2b. Shape (n,)."""
    c, m = published_scores()["albi"], published_scores()["malbi"]
    edges = (c["grade_1_at_most"], m["grade_2a_at_most"], c["grade_2_at_most"])
    return _banded(np.asarray(score, dtype=np.float64), edges, MALBI_GRADES)


def meld3_score(
    *,
    female: ArrayLike,
    bilirubin_mg_per_dl: ArrayLike,
    sodium_mmol_per_l: ArrayLike,
    inr: ArrayLike,
    creatinine_mg_per_dl: ArrayLike,
    albumin_g_per_dl: ArrayLike,
    age_years: ArrayLike | None = None,
    dialysis: ArrayLike | None = None,
) -> Floats:
    """MELD 3.0, not rounded and not clipped to 6–40 (allocation does both); shape (n,).

    1.33·F + 4.56·ln B + 0.82·(137 − Na) − 0.24·(137 − Na)·ln B + 9.09·ln INR + 11.14·ln Cr
    + 1.85·(3.5 − alb) − 1.83·(3.5 − alb)·ln Cr + 6, with sodium within 125–137 mmol/L, albumin within
    1.5–3.5 g/dL, creatinine within 1–3 mg/dL (3 on dialysis), bilirubin and INR at least 1.
    `female` and `dialysis` are 1, 0 or NaN; F is 1 for women and, where `age_years` is given, for ages 12–17.
    Raises `ValueError` where a value is negative.
    Source: Kim et al. 2021, doi 10.1053/j.gastro.2021.08.050.
    """
    c = published_scores()["meld3"]
    is_female = np.asarray(female, dtype=np.float64)
    if age_years is not None:
        age = _nonnegative(age_years, "age_years")
        low, high = c["either_sex_age_years"]
        with np.errstate(invalid="ignore"):
            is_female = np.where((age >= low) & (age < high), 1.0, is_female)
    # The bounds are part of the score: outside them it is defined to stay constant.
    ln_bilirubin = np.log(
        np.maximum(_nonnegative(bilirubin_mg_per_dl, "bilirubin_mg_per_dl"), c["bilirubin_least_mg_per_dl"])
    )
    ln_inr = np.log(np.maximum(_nonnegative(inr, "inr"), c["inr_least"]))
    creatinine = np.clip(
        _nonnegative(creatinine_mg_per_dl, "creatinine_mg_per_dl"), *c["creatinine_bounds_mg_per_dl"]
    )
    if dialysis is not None:
        on_dialysis = np.asarray(dialysis, dtype=np.float64) == 1
        creatinine = np.where(on_dialysis, c["creatinine_on_dialysis_mg_per_dl"], creatinine)
    ln_creatinine = np.log(creatinine)
    sodium = np.clip(_nonnegative(sodium_mmol_per_l, "sodium_mmol_per_l"), *c["sodium_bounds_mmol_per_l"])
    albumin = np.clip(_nonnegative(albumin_g_per_dl, "albumin_g_per_dl"), *c["albumin_bounds_g_per_dl"])
    sodium_deficit = c["sodium_bounds_mmol_per_l"][1] - sodium
    albumin_deficit = c["albumin_bounds_g_per_dl"][1] - albumin
    return (
        c["intercept"]
        + c["female"] * is_female
        + c["ln_bilirubin_mg_per_dl"] * ln_bilirubin
        + c["sodium_deficit_mmol_per_l"] * sodium_deficit
        + c["sodium_deficit_times_ln_bilirubin"] * sodium_deficit * ln_bilirubin
        + c["ln_inr"] * ln_inr
        + c["ln_creatinine_mg_per_dl"] * ln_creatinine
        + c["albumin_deficit_g_per_dl"] * albumin_deficit
        + c["albumin_deficit_times_ln_creatinine"] * albumin_deficit * ln_creatinine
    )


def bclc_stage(
    *,
    performance_status: ArrayLike,
    child_pugh: ArrayLike,
    tumour_number: ArrayLike,
    largest_tumour_cm: ArrayLike,
    vascular_invasion: ArrayLike,
    extrahepatic_spread: ArrayLike,
) -> Texts:
    """BCLC stage 0, A, B, C or D from its parts, shape (n,); None where the parts known do not decide.

    D: performance status 3–4 or Child-Pugh class C. Else C: performance status 1–2, vascular invasion or
    extrahepatic spread. Else one tumour: 0 up to 2 cm, A above. Else up to 3 tumours of up to 3 cm: A;
    more or larger: B.
    `child_pugh` holds "A", "B", "C" or None; invasion and spread are 1, 0 or NaN.
    The stage leaves out what the source asks of a physician (candidacy for transplantation).
    Raises `ValueError` where a performance status is none of 0–4, or a number or a size is not above 0.
    Source: Reig et al. 2022, doi 10.1016/j.jhep.2021.11.018.
    """
    c = published_scores()["bclc"]
    status = np.asarray(performance_status, dtype=np.float64)
    known_status = status[np.isfinite(status)]
    if not np.isin(known_status, (0, 1, 2, 3, 4)).all():
        raise ValueError("performance_status must be 0, 1, 2, 3 or 4 (or NaN)")
    number = _positive(tumour_number, "tumour_number")
    size_cm = _positive(largest_tumour_cm, "largest_tumour_cm")
    liver = np.asarray(child_pugh, dtype=object)
    invasion = np.asarray(vascular_invasion, dtype=np.float64)
    spread = np.asarray(extrahepatic_spread, dtype=np.float64)

    liver_known = np.array([value in CHILD_PUGH_CLASSES for value in liver], dtype=bool)
    with np.errstate(invalid="ignore"):
        terminal = (status >= c["terminal_performance_status"]) | (liver == c["terminal_child_pugh_class"])
        not_terminal = np.isfinite(status) & liver_known & ~terminal
        advanced = (status >= c["advanced_performance_status"]) | (invasion == 1) | (spread == 1)
        limited = not_terminal & ~advanced & (invasion == 0) & (spread == 0) & np.isfinite(number)
        single, several = limited & (number == 1), limited & (number > 1)
        small = size_cm <= c["early_largest_cm"]
        few = number <= c["early_number_at_most"]
    stage = np.full(status.shape, None, dtype=object)
    stage[terminal] = "D"
    stage[not_terminal & advanced] = "C"
    stage[single & (size_cm <= c["very_early_largest_cm"])] = "0"
    stage[single & (size_cm > c["very_early_largest_cm"])] = "A"
    stage[several & few & small] = "A"
    stage[several & (~few | (few & (size_cm > c["early_largest_cm"])))] = "B"
    return stage


def _nonnegative(values: ArrayLike, name: str) -> Floats:
    numbers = np.asarray(values, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        if (numbers < 0).any() or np.isinf(numbers).any():
            raise ValueError(f"{name} must be finite and at least 0")
    return numbers


def _positive(values: ArrayLike, name: str) -> Floats:
    numbers = np.asarray(values, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        if (numbers <= 0).any() or np.isinf(numbers).any():
            raise ValueError(f"{name} must be finite and above 0")
    return numbers


def _points(values: ArrayLike, name: str) -> Floats:
    numbers = np.asarray(values, dtype=np.float64)
    if not np.isin(numbers[np.isfinite(numbers)], (1, 2, 3)).all():
        raise ValueError(f"{name} must be 1, 2 or 3 (or NaN)")
    return numbers


def _points_by_limits(values: Floats, limits: list[float]) -> Floats:
    """1 below the first limit, 2 from the first to the second (both included), 3 above the second."""
    with np.errstate(invalid="ignore"):
        points = 1.0 + (values >= limits[0]) + (values > limits[1])
    return np.where(np.isnan(values), np.nan, points)


def _banded(values: Floats, upper: tuple[float, ...], names: tuple[str, ...]) -> Texts:
    """The name of the band each value lies in; a value on an upper edge belongs to the lower band."""
    band = np.searchsorted(np.asarray(upper, dtype=np.float64), values, side="left")
    named = np.array(names, dtype=object)[np.minimum(band, len(names) - 1)]
    result = np.asarray(named, dtype=object).reshape(values.shape)
    result[np.isnan(values)] = None
    return result
