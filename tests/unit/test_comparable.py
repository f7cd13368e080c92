"""Only like is held against like: quantity, endpoint, metric and group all agree."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from troughline.evidence import store
from troughline.evidence.comparable import comparable_numbers, effect_of, groups_of, same_group
from troughline.evidence.pooling import pool
from troughline.evidence.records import Number
from troughline.evidence.store import load_publication


def values(endpoint: str, quantity: str, **more: str | None) -> list[float]:
    return [
        c.effect.value
        for c in comparable_numbers("sorafenib", endpoint, quantity, **more)  # pyright: ignore[reportArgumentType]
        if c.publication_id == "noda-2020"
    ]


def test_numbers_of_one_endpoint_and_metric() -> None:
    assert values("toxicity", "threshold", metric="trough") == [3.45]
    assert values("toxicity", "threshold", metric="clinic-visit") == []
    assert values("toxicity", "threshold") == []
    assert values("window", "window_lower", metric="trough") == [1.40]
    assert values("window", "window_upper", metric="trough") == [3.45]
    (area,) = [
        c for c in comparable_numbers("sorafenib", "toxicity", "auc", metric="trough")
        if c.publication_id == "noda-2020"
    ]  # fmt: skip
    assert (area.effect.low, area.effect.high, area.effect.level, area.effect.scale) == (
        0.54,
        0.93,
        0.95,
        "logit",
    )
    assert "10.1007/s00280-020-04105-0" in area.effect.source


def test_a_median_is_held_against_the_same_group_alone() -> None:
    assert values("survival", "median_survival", metric="trough", group="1.40–3.45 µg/mL") == [17.8]
    assert values("survival", "median_survival", metric="trough", group="1.50–3.45 µg/mL") == []
    assert "1.40-3.45 ug/mL" in groups_of("sorafenib", "survival", "median_survival")


def test_group_names_agree_however_they_are_typed() -> None:
    assert same_group("≥ 3.45 µg/mL", ">= 3.45 ug/mL")
    assert same_group("Sorafenib vs. placebo", "sorafenib vs placebo")
    assert not same_group("placebo vs sorafenib", "sorafenib vs placebo")
    assert same_group(None, "")


def test_a_spread_between_patients_is_no_interval_of_the_estimate() -> None:
    study = load_publication("labeur-2020")
    number = Number(
        id="x", quantity="threshold", value=3.2, low=2.1, high=4.5, interval="interquartile", unit="ug/mL",
        metric="trough", endpoint="toxicity", label="x", verified=True, where="test",
    )  # fmt: skip
    effect = effect_of(number, study, "threshold")
    assert effect is not None
    assert (effect.low, effect.high) == (None, None)


def test_an_unknown_drug_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown drug"):
        comparable_numbers("nothing", "toxicity", "auc")


def number(**given: object) -> SimpleNamespace:
    whole = {
        "id": "x", "quantity": "hazard-ratio", "endpoint": "survival", "metric": None, "group": None,
        "basis": "published", "value": 0.7, "low": 0.5, "high": 0.98, "interval": "confidence", "level": 0.95,
        "unit": "1", "n": None, "verified": True, "doi": None, "relation": None, "arm": "sorafenib",
        "comparator": "placebo",
    }  # fmt: skip
    return SimpleNamespace(**{**whole, **given})


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, True),
        ({"arm": "placebo", "comparator": "sorafenib"}, False),
        ({"arm": None, "comparator": None}, False),
        ({"group": "hepatitis C"}, False),
        ({"basis": "computed"}, False),
        ({"relation": "<"}, False),
        ({"arm": None, "comparator": None, "group": "sorafenib vs placebo"}, True),
    ],
)
def test_a_ratio_needs_its_contrast_and_must_be_printed(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, object], found: bool
) -> None:
    study = SimpleNamespace(
        id="a-2000", name=None, drug="sorafenib", year=2000, n=100, citation="A", doi=None, population="p",
        number=(number(**given),),
    )  # fmt: skip
    monkeypatch.setattr(store, "list_publications", lambda: ("a-2000",))
    monkeypatch.setattr(store, "load_publication", lambda _: study)
    listed = comparable_numbers("sorafenib", "survival", "hazard_ratio", group="sorafenib vs placebo")
    assert bool(listed) is found
    assert comparable_numbers("sorafenib", "survival", "hazard_ratio") == ()


def test_an_interval_that_does_not_hold_its_value_is_none() -> None:
    effect = effect_of(number(low=0.8), load_publication("noda-2020"), "hazard_ratio")  # pyright: ignore[reportArgumentType]
    assert effect is not None
    assert (effect.value, effect.low, effect.high) == (0.7, None, None)


def test_the_two_trials_of_sorafenib_are_found_and_pool_as_in_metafor() -> None:
    """SHARP and Asia-Pacific, overall survival: 0.686 (0.571–0.825) (metafor 3.8.1)."""
    if not {"sharp-2008", "asia-pacific-2009"} <= set(store.list_publications()):
        raise AssertionError("the evidence base lacks the two trials")
    found = comparable_numbers("sorafenib", "survival", "hazard_ratio", group="sorafenib vs placebo")
    trials = [c.effect for c in found if c.publication_id in ("sharp-2008", "asia-pacific-2009")]
    common = pool(trials).common
    assert (common.value, common.low, common.high) == pytest.approx(
        (0.6864514, 0.5708532, 0.8254584), abs=1e-7
    )
