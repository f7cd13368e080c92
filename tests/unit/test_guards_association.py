"""Guards of association questions: each with its trap, and silent without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benchmarks.association_cohorts import MARKER, STAGES, asked, clean, rows_of, truth
from benchmarks.cohorts import cohort_with_trap, judge

from troughline.cohort.cohort import Cohort
from troughline.results import GuardFinding, GuardSeverity

N = 86


def finding(cohort: Cohort, guard_id: str) -> GuardFinding | None:
    return next((g for g in judge(cohort)[0].guards if g.id == guard_id), None)


def trap(guard_id: str, seed: int = 1) -> GuardFinding:
    found = finding(cohort_with_trap(guard_id, N, np.random.default_rng(seed)), guard_id)
    assert found is not None
    return found


def without(seed: int = 1) -> Cohort:
    return clean(N, np.random.default_rng(seed))


def drawn(**changes: Any) -> Cohort:
    return asked(rows_of(truth(N, np.random.default_rng(7))), **changes)


def test_assay_sanity_fires_for_il_2_in_the_range_of_its_receptor() -> None:
    """U/mL on IMMULITE: soluble IL-2 receptor 137–838 U/mL (Seattle Children's LAB3459-1)."""
    found = trap("assay-sanity")
    assert "soluble interleukin-2 receptor on the same platform (137–838 U/mL" in found.finding
    assert "≤ 2.1 pg/mL" in found.finding
    assert found.finding.endswith("supported, not proven.")


def test_assay_sanity_is_silent_where_the_values_are_what_the_name_says() -> None:
    assert finding(without(), "assay-sanity") is None


def test_dichotomised_marker_fires_with_both_p_values() -> None:
    found = trap("dichotomised-marker")
    assert found.severity is GuardSeverity.NOTE
    assert found.finding == "IL-6 is cut at its reference limit and tested by χ²."
    assert "cut" in found.effect
    assert "continuous" in found.effect


def test_dichotomised_marker_is_silent_without_a_limit_and_without_a_stage() -> None:
    assert finding(without(), "dichotomised-marker") is None
    marker = MARKER | {"reference": {"limit": 3.0, "origin": "manufacturer"}}
    assert finding(drawn(markers=[marker], characteristics=["size"]), "dichotomised-marker") is None


@pytest.mark.parametrize("origin", ["median split", "optimised on these data"])
def test_chosen_reference_limit_fires_for_a_limit_from_the_patients(origin: str) -> None:
    marker = MARKER | {"reference": {"limit": 3.0, "origin": origin}}
    found = finding(drawn(markers=[marker]), "chosen-reference-limit")
    assert found is not None
    assert found.severity is GuardSeverity.CAUTION
    assert origin in found.finding


def test_chosen_reference_limit_fires_as_a_note_where_the_origin_is_not_stated() -> None:
    found = finding(drawn(markers=[MARKER | {"reference": {"limit": 3.0}}]), "chosen-reference-limit")
    assert found is not None
    assert found.severity is GuardSeverity.NOTE


@pytest.mark.parametrize("origin", ["manufacturer", "own controls", "published"])
def test_chosen_reference_limit_is_silent_for_a_limit_from_elsewhere(origin: str) -> None:
    marker = MARKER | {"reference": {"limit": 3.0, "origin": origin}}
    assert finding(drawn(markers=[marker]), "chosen-reference-limit") is None


def test_one_construct_fires_for_a_stage_made_from_size() -> None:
    found = trap("one-construct")
    assert found.finding.startswith("Characteristics that go together: Stage and Size (0.9")
    assert found.severity is GuardSeverity.CAUTION


def test_one_construct_is_silent_for_unrelated_characteristics() -> None:
    assert finding(without(), "one-construct") is None


def test_cross_sectional_fires_where_an_association_holds() -> None:
    assert trap("cross-sectional").severity is GuardSeverity.NOTE


def test_cross_sectional_is_silent_where_none_holds() -> None:
    assert finding(without(), "cross-sectional") is None


def test_missing_marker_fires_and_says_that_stages_differ() -> None:
    found = trap("missing-marker")
    assert found.finding.startswith("Missing: IL-6 in ")
    assert "Stage" in found.effect
    assert "not missing at random" in found.effect


def test_missing_marker_is_silent_where_all_but_a_few_have_it() -> None:
    rows = rows_of(truth(N, np.random.default_rng(1)))
    rows.drop({"S0001", "S0002"}, "measurements")
    assert finding(asked(rows), "missing-marker") is None


def test_small_stage_fires_with_the_stage_and_its_number() -> None:
    assert trap("small-stage").finding == "Few patients: Stage 0: 2."


def test_small_stage_is_silent_with_five_in_each() -> None:
    assert finding(without(), "small-stage") is None


def test_family_of_tests_fires_from_three_pairs_on() -> None:
    found = trap("family-of-tests")
    assert found.finding.startswith("3 pairs were tested")


def test_family_of_tests_fires_as_a_caution_where_a_printed_finding_is_lost() -> None:
    """Eight markers of nothing: by the seed one is significant as printed, none after correction."""
    rng = np.random.default_rng(5)
    rows = rows_of(truth(N, rng))
    names = [f"marker {k}" for k in range(8)]
    for name in names:
        for patient in rows.patients:
            rows.level(patient, 0, float(np.exp(rng.normal())), unit="pg/mL", analyte=name, assay="bead")
    cohort = asked(rows, markers=[{"analyte": name, "unit": "pg/mL"} for name in names])
    found = finding(cohort, "family-of-tests")
    assert found is not None
    assert found.severity is GuardSeverity.CAUTION
    assert "corrected" in found.effect


def test_family_of_tests_is_silent_with_two_pairs() -> None:
    assert finding(without(), "family-of-tests") is None


def test_marker_below_limit_fires_with_the_share() -> None:
    assert "(34 %)" in trap("marker-below-limit").finding


def test_marker_below_limit_is_silent_where_nearly_all_were_measured() -> None:
    rows = rows_of(truth(N, np.random.default_rng(1)))
    for row in sorted(rows.measurements, key=lambda r: r["value"])[:8]:
        row.update(limit=row["value"] + 0.001, value=float("nan"), below_limit=True)
    assert finding(asked(rows), "marker-below-limit") is None


def test_odds_not_proportional_fires_where_both_ends_of_the_scale_are_low() -> None:
    assert trap("odds-not-proportional").finding.startswith("Brant's test: IL-6 × Stage p ")


def test_odds_not_proportional_is_silent_for_a_marker_without_relation() -> None:
    assert finding(without(), "odds-not-proportional") is None


def test_stages_are_those_of_the_simulation() -> None:
    """The simulated stages are all there, five patients in each or more."""
    stage = truth(N, np.random.default_rng(3))["stage"]
    assert np.bincount(stage.astype(int), minlength=len(STAGES)).min() >= 5
