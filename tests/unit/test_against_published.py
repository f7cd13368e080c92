"""A question's result finds its published counterparts, and nothing that only looks like one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from troughline.evidence import store
from troughline.evidence.records import Publication
from troughline.response.against_published import NOTHING, against_published
from troughline.results import Estimate, QuestionResult, Verdict

TRIAL: dict[str, Any] = {
    "kind": "study",
    "id": "trial-2008",
    "drug": "sorafenib",
    "title": "A trial",
    "citation": "A. N. Author",
    "doi": "10.1000/xyz",
    "read": "abstract",
    "design": "randomised",
    "population": "hepatocellular carcinoma",
    "n": 602,
    "year": 2008,
    "number": [
        {
            "id": "os-hr", "quantity": "hazard-ratio", "value": 0.69, "low": 0.55, "high": 0.87,
            "interval": "confidence", "level": 0.95, "unit": "1", "endpoint": "survival",
            "group": "sorafenib vs placebo", "label": "survival", "verified": True, "where": "Table 1",
        },
        {
            "id": "os-median", "quantity": "median-survival", "value": 10.7, "low": 9.4, "high": 13.3,
            "interval": "confidence", "level": 0.95, "unit": "month", "endpoint": "survival",
            "group": "sorafenib", "label": "median", "verified": True, "where": "Table 1",
        },
    ],
}  # fmt: skip


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> None:
    study = Publication.model_validate(TRIAL)
    monkeypatch.setattr(store, "list_publications", lambda: (study.id,))
    monkeypatch.setattr(store, "load_publication", lambda _: study)


def result(*estimates: Estimate) -> QuestionResult:
    return QuestionResult(
        id="q", kind="survival", title="q", verdict=Verdict.ANSWERED, summary="", estimates=estimates,
        series={"covariate": "arm"},
    )  # fmt: skip


def case(
    published: str | None = "trial-2008/survival",
    *,
    approximate: bool = False,
    reconstructed_from: tuple[str, ...] = (),
) -> Any:
    return SimpleNamespace(
        question=SimpleNamespace(published=published),
        predictor=SimpleNamespace(exposure=None, is_drug_level=False),
        cohort=SimpleNamespace(
            study=SimpleNamespace(study=SimpleNamespace(level=0.95)),
            approximate=approximate,
            reconstructed_from=reconstructed_from,
        ),
        measured=SimpleNamespace(n_events=None, n_non_events=None),
    )


def ratio(label: str, value: float = 0.72, method: str = "guarded: Cox") -> Estimate:
    return Estimate(
        name="hazard_ratio",
        value=value,
        low=value * 0.8,
        high=value * 1.25,
        n=300,
        method=method,
        label=label,
    )


@pytest.mark.usefixtures("trial")
def test_a_hazard_ratio_is_held_against_the_same_contrast() -> None:
    """The label has the covariate's name before each level, as a study writes it; the trial has not."""
    estimate = ratio("arm Sorafenib vs arm placebo")
    found = against_published(result(estimate), case(), store.load_drug("sorafenib"))
    (block,) = found.replication
    assert block["label"] == "arm Sorafenib vs arm placebo"
    assert block["pooled"]["value"] == pytest.approx(0.69)
    assert block["agreement"] == "cannot tell"
    assert len(found.tables["against-published"]) == 1
    assert any("doi 10.2307/2982063" in r for r in found.references)


@pytest.mark.usefixtures("trial")
def test_the_opposite_contrast_is_not_compared() -> None:
    before = result(ratio("arm placebo vs arm sorafenib"), ratio("per doubling"))
    after = against_published(before, case(), store.load_drug("sorafenib"))
    assert after.replication == ()
    assert after.methods == (
        f"{NOTHING}, of endpoint survival. Published: hazard ratio of sorafenib vs placebo; "
        "median survival of sorafenib; here: placebo vs sorafenib | per doubling.",
    )


@pytest.mark.usefixtures("trial")
def test_guarded_ratios_and_medians_from_the_first_dose_are_taken() -> None:
    """A median counted from a landmark is another number than a printed one."""
    medians = [
        Estimate(name="median_survival", value=330.0, low=280.0, high=400.0, unit="day", n=150,
                 method="as-published: Kaplan–Meier from the first dose", label="arm sorafenib"),
        Estimate(name="median_survival", value=200.0, low=150.0, high=300.0, unit="day", n=150,
                 method="guarded: Kaplan–Meier from the landmark", label="arm sorafenib"),
    ]  # fmt: skip
    label = "arm sorafenib vs arm placebo"
    both = ratio(label, 0.9, "as-published: Cox"), ratio(label, 0.72)
    found = against_published(result(*both, *medians), case(), store.load_drug("sorafenib"))
    values = {b["name"]: b["new"]["value"] for b in found.replication}
    assert values == {"hazard_ratio": 0.72, "median_survival": 330.0}
    median = found.replication[1]
    # 10.7 months in days, a month being 365.25/12 days.
    assert median["pooled"]["value"] == pytest.approx(10.7 * 365.25 / 12, rel=1e-9)


@pytest.mark.usefixtures("trial")
def test_without_a_named_endpoint_nothing_is_compared() -> None:
    before = result(ratio("sorafenib vs placebo"))
    assert against_published(before, case(None), store.load_drug("sorafenib")) is before


@pytest.mark.usefixtures("trial")
def test_patients_are_not_held_against_the_study_they_were_reconstructed_from() -> None:
    before = result(ratio("arm sorafenib vs arm placebo"))
    own = case(reconstructed_from=("trial-2008",), approximate=True)
    after = against_published(before, own, store.load_drug("sorafenib"))
    assert after.replication == ()
    assert after.methods[0].endswith(
        "not compared with Trial 2008: these patients were reconstructed from it."
    )


@pytest.mark.usefixtures("trial")
def test_approximate_patients_are_compared_and_combined_with_nothing() -> None:
    before = result(ratio("arm sorafenib vs arm placebo"))
    found = against_published(before, case(approximate=True), store.load_drug("sorafenib"))
    (block,) = found.replication
    assert block["p_difference"] is not None
    assert block["posterior"] is None
    assert any("combined with nothing" in flag for flag in block["flags"])
    assert not any("prior" in method for method in found.methods)


def test_medians_of_several_studies_are_shown_and_not_pooled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the study that the question names is tested: settings differ in who was treated and when."""
    studies = {i: Publication.model_validate({**TRIAL, "id": i}) for i in ("other-2007", "trial-2008")}
    monkeypatch.setattr(store, "list_publications", lambda: tuple(studies))
    monkeypatch.setattr(store, "load_publication", studies.get)
    median = Estimate(
        name="median_survival", value=11.0, low=9.0, high=13.0, unit="month", n=150, label="arm sorafenib",
        method="as-published: Kaplan–Meier",
    )  # fmt: skip
    found = against_published(result(median), case(), store.load_drug("sorafenib"))
    (block,) = found.replication
    assert {p["label"]: p["used"] for p in block["published"]} == {"Trial 2008": True, "Other 2007": False}
    assert block["pooled"]["k"] == 1
    assert "not pooled" in found.tables["against-published"][0]["notes"]
