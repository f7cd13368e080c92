"""How numbers, units and names are written for a reader."""

from __future__ import annotations

from typing import Any

import pytest

from troughline.report.cards import card_numbers
from troughline.report.names import estimate_name
from troughline.report.numbers import (
    closed_up,
    count,
    interval,
    micro,
    number,
    p_value,
    percent,
    range_text,
    unbroken,
    unit_text,
)
from troughline.report.view import (
    cell,
    first_sentence,
    pairs,
    table_view,
    value_and_interval,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.449, "3.45"),
        (0.97, "0.970"),
        (-96.04, "−96.0"),
        (12.34, "12.3"),
        (999.6, "1000"),
        (12345.6, "12\u2009346"),
        (0.0123456, "0.0123"),
        (0.00001234, "1.23 × 10⁻⁵"),
        (0.0, "0"),
        (None, "not given"),
        (float("nan"), "not given"),
        (float("inf"), "not given"),
    ],
)
def test_numbers_have_three_significant_digits(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "50%"),
        (0.0, "0%"),
        (1.0, "100%"),
        (0.0004, "< 0.1%"),
        (0.004, "0.4%"),
        (0.998, "99.8%"),
        (0.9999, "> 99.9%"),
    ],
)
def test_percentages_never_round_to_certainty(value: float, text: str) -> None:
    assert percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0001, "p < 0.001"), (0.0321, "p = 0.032"), (0.43, "p = 0.43"), (1.0, "p > 0.999")],
)
def test_p_values(value: float, text: str) -> None:
    assert p_value(value) == text


def test_intervals_use_an_en_dash_and_words_where_a_dash_would_mislead() -> None:
    assert interval(1.7, 6.1) == "1.70–6.10"
    assert interval(-231.0, 39.0) == "−231 to 39.0"
    assert interval(0.25, 0.5, "percent") == "25–50%"
    assert interval(None, None) == ""
    assert interval(1.7, None) == "from 1.70, not bounded above"
    assert interval(None, 6.1) == "up to 6.10, not bounded below"


def test_an_end_of_an_interval_is_not_finer_than_its_value() -> None:
    assert interval(0.6, 2.05, value=1.35) == "0.60–2.05"
    assert interval(0.001, 2.05, value=1.35) == "0.00100–2.05"


def test_units_show_micro_and_hide_one() -> None:
    assert unit_text("ug/mL") == "µg/mL"
    assert unit_text("umol/L") == "µmol/L"
    assert unit_text("1") == ""
    assert unit_text("mg/L") == "mg/L"
    assert micro("grade >=3 at 3.45 ug/mL, drug u/g") == "grade ≥3 at 3.45 µg/mL, drug u/g"
    assert count(118.4) == "118"


def test_estimates_have_readable_names_with_a_fallback() -> None:
    assert estimate_name("window_lower").label == "Lower bound of the window"
    assert estimate_name("some_new_thing").label == "Some new thing"
    assert estimate_name("some_new_p").style == "p"
    assert estimate_name("p_of_something").style == "percent"
    assert estimate_name("n_of_something").style == "count"


def test_a_refused_value_reads_as_a_range() -> None:
    estimate = {"name": "threshold", "value": None, "low": 1.7, "high": 6.1, "unit": "ug/mL"}
    assert value_and_interval(estimate, estimate_name("threshold")) == ("1.70–6.10 µg/mL", "range")
    nothing = {"name": "threshold", "value": None, "low": None, "high": None, "unit": "ug/mL"}
    assert value_and_interval(nothing, estimate_name("threshold")) == ("not bounded by these data", "")
    failed = {**nothing, "note": "no estimate: nobody had the event"}
    assert value_and_interval(failed, estimate_name("threshold")) == ("not given", "")
    assert not cell({**estimate, "method": "guarded: x"}, {}).single
    assert cell({**estimate, "value": 2.0, "method": "guarded: x"}, {}).single


def test_a_range_open_on_one_side_has_its_unit_after_the_number() -> None:
    assert range_text(1.7, 6.1, unit="µg/mL") == "1.70–6.10 µg/mL"
    assert range_text(1.7, None, unit="µg/mL") == "from 1.70 µg/mL, not bounded above"
    assert range_text(None, 6.1, unit="µg/mL") == "up to 6.10 µg/mL, not bounded below"
    assert range_text(None, None, unit="µg/mL") == "not bounded by these data"


def test_a_time_that_is_bounded_on_one_side_is_counted_in_the_plural() -> None:
    estimate = {"name": "median_survival", "value": None, "low": 52.0, "high": None, "unit": "month"}
    found, _ = value_and_interval(estimate, estimate_name("median_survival"))
    assert found == "from 52.0 months, not bounded above"


def test_a_missing_unit_leaves_no_gap_and_a_range_no_place_to_break() -> None:
    assert closed_up("from 7.07 to 252 . Medians 36.7 and  8.64 ; (9 )") == (
        "from 7.07 to 252. Medians 36.7 and 8.64; (9)"
    )
    assert unbroken("< 15.2 vs 15.2–35.9") == "<\u00a015.2 vs 15.2\u2060–\u206035.9"


@pytest.mark.parametrize("label", ["bootstrap percentiles", "closest corner"])
def test_a_card_takes_the_answer_before_any_variant_of_it(label: str) -> None:
    variant = {
        "name": "threshold",
        "value": 3.5,
        "low": 1.2,
        "high": 4.1,
        "label": label,
        "method": "guarded: x",
    }
    answer = {**variant, "value": None, "low": 1.2, "high": 4.3, "label": ""}
    (number_shown,) = card_numbers({"estimates": [variant, answer]})
    assert (number_shown.name, number_shown.value, number_shown.single) == ("Cut point", "1.20–4.30", False)
    unbounded = {**answer, "low": None, "high": None}
    (number_shown,) = card_numbers({"estimates": [variant, unbounded]})
    assert (number_shown.name, number_shown.value) == ("Cut point", "not bounded by these data")


def test_n_and_level_are_said_only_where_they_differ_from_the_study() -> None:
    study = {"level": 0.95, "n_patients": 26}
    base = {
        "name": "auc",
        "value": 0.7,
        "low": 0.5,
        "high": 0.9,
        "level": 0.95,
        "n": 26,
        "method": "guarded: exact",
    }
    assert cell(base, study).how == "exact"
    assert cell({**base, "n": 23, "level": 0.9}, study).how == "exact, 90% interval, n = 23"


def test_pairs_match_name_and_label_across_the_columns() -> None:
    def one(method: str, label: str, value: float) -> dict[str, object]:
        return {"name": "risk", "value": value, "label": label, "method": method, "n": 26}

    question = {
        "estimates": [
            one("as-published: a", "at 1", 0.1),
            one("guarded: b", "at 2", 0.4),
            one("guarded: b", "at 1", 0.2),
            one("as-published: a2", "at 1", 0.15),
        ]
    }
    found = pairs(question, {"n_patients": 26})
    assert [(p.label, [c.value for c in p.as_published], [c.value for c in p.guarded]) for p in found] == [
        ("at 1", ["10%", "15%"], ["20%"]),
        ("at 2", [], ["40%"]),
    ]


def test_the_first_sentence_does_not_end_at_an_abbreviation_or_a_decimal_point() -> None:
    assert (
        first_sentence("The cut of Noda et al. 2020 is 3.45. It is unsure.")
        == "The cut of Noda et al. 2020 is 3.45."
    )


def test_long_tables_say_how_many_rows_are_left_out() -> None:
    view = table_view("per-patient", "x.csv", [{"patient": f"P{i}", "p_inside": i / 100} for i in range(100)])
    assert (view.title, len(view.rows), view.extent) == ("Per patient", 30, "The first 30 of 100 rows.")
    assert view.header == ("Patient", "Inside the window")
    assert view.rows[25] == ("P25", "25%")
    assert view.numeric == (False, True)


def test_long_tables_and_patients_left_out_are_folded() -> None:
    rows = [{"patient": f"P{i}", "reason": "drawn after the event"} for i in range(126)]
    left_out = table_view("left-out", "x.csv", rows)
    assert (left_out.title, len(left_out.rows), left_out.extent) == ("Patients left out", 126, "")
    assert left_out.folded
    assert table_view("left-out", "x.csv", rows[:2]).folded
    assert not table_view("fixed-cuts", "x.csv", rows[:12]).folded
    assert table_view("fixed-cuts", "x.csv", rows[:13]).folded


def test_long_tables_of_numbers_show_rows_over_their_whole_length() -> None:
    rows = [{"exposure": float(i), "P(inside)": i / 100} for i in range(81)]
    view = table_view("any exposure", "x.csv", rows)
    assert view.extent == "One in 6 of 81 rows."
    assert [r[0] for r in view.rows][-1] == "78.0"
    assert view.rows[1] == ("6.00", "6%")


def test_a_test_is_read_by_its_p_value() -> None:
    estimate = {
        "name": "log_rank",
        "value": 3.392,
        "p_value": 0.183,
        "method": "as-published: log-rank",
        "n": 26,
    }
    found = cell(estimate, {"n_patients": 26})
    assert (found.value, found.p, found.how) == ("p = 0.18", "", "log-rank, statistic 3.39")
    found = cell({**estimate, "name": "ph_test", "value": None}, {"n_patients": 26})
    assert (found.value, found.how) == ("p = 0.18", "log-rank")


def change(name: str, method: str, label: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "method": method, "label": label, "n": 37, "value": 1.0, **more}


def change_question() -> dict[str, Any]:
    """Two groups of one marker, each with its mean change, both p-values, and its ratio."""
    estimates: list[dict[str, Any]] = []
    for label, p in (("IL-6, A", 0.2), ("IL-6, B", 0.004)):
        estimates += [
            change("mean_change", "as-published: Student's paired test", label, p_value=p, unit="pg/mL"),
            change("paired_wilcoxon", "as-published: Wilcoxon's paired test", label, p_value=p / 2),
            change("change_ratio", "guarded: Hodges–Lehmann", label, low=0.9, high=1.4, p_value=2 * p),
        ]
    count = {"name": "n_significant", "value": 1.0, "method": "guarded: p < 0.05, corrected"}
    return {"kind": "change", "estimates": [*estimates, count]}


def test_a_change_has_one_row_a_group_with_both_p_values() -> None:
    """As published the mean with Student's and Wilcoxon's p, guarded the ratio with the corrected p."""
    first, second, *_ = pairs(change_question(), {"n_patients": 57})
    assert (first.name, first.label, second.label) == ("Change within a group", "IL-6, A", "IL-6, B")
    assert [c.p or c.value for c in second.as_published] == ["p = 0.004", "p = 0.002"]
    assert [c.p for c in second.guarded] == ["p = 0.008"]


def test_a_method_is_said_once_and_what_is_particular_to_a_cell_each_time() -> None:
    first, second, *_ = pairs(change_question(), {"n_patients": 57})
    assert first.as_published[0].how == "Mean change: Student's paired test, n = 37"
    assert second.as_published[0].how == "Mean change, n = 37"
    assert second.guarded[0].how == "Ratio after/before, n = 37"


def test_the_card_of_a_family_shows_its_strongest_effects_with_their_p() -> None:
    """The second group comes first: its p is smaller. The count of findings follows."""
    cards = card_numbers(change_question())
    assert [c.name.replace("\u00a0", " ") for c in cards] == [
        "Ratio after/before, IL-6, B", "Ratio after/before, IL-6, A", "p < 0.05"
    ]  # fmt: skip
    assert cards[0].interval.endswith("p = 0.008")
    outcome = change("hazard_ratio", "guarded: Cox", "IL-6: change, per doubling", value=1.2, p_value=0.4)
    asked = change_question()
    (only, count) = card_numbers({**asked, "estimates": [*asked["estimates"], outcome]})
    assert only.interval == "p = 0.40"
    assert only.name.startswith("Hazard ratio")
    assert count.name == "p < 0.05"
    effects = [
        {"name": "correlation", "method": "guarded: Spearman", "label": label, "value": value, "level": 0.95}
        for label, value in (("IL-2 × size", -0.1), ("IL-2 × BCLC", -0.4))
    ]
    tests = [
        {"name": "association_test", "method": "guarded: Kendall", "label": label, "value": 1.0, "p_value": p}
        for label, p in (("IL-2 × size", 0.3), ("IL-2 × BCLC", 0.001))
    ]
    found = card_numbers({"kind": "association", "estimates": [*tests, *effects]})
    assert [c.value for c in found] == ["−0.400", "−0.100"]


@pytest.mark.parametrize(("high", "shown"), [(0.05119, "0–5.2%"), (0.05, "0–5%"), (0.2209, "0–22.1%")])
def test_an_upper_bound_is_rounded_up(high: float, shown: str) -> None:
    """1 − 0.05^(1/57) = 5.119 %; 5 % stays itself. The words of guards round likewise."""
    from troughline.response.guards.wording import percent_up

    bound = {"name": "share_above_limit", "value": 0.0, "low": 0.0, "high": high, "level": 0.95}
    assert cell(bound, {}).interval == shown
    assert percent_up(high) == shown.removeprefix("0–").replace("%", " %")
