"""The published models: every file reads, every number has a source, every self-test stands on other work."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from functools import cache
from math import log
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from troughline.model.library import list_models, model_path
from troughline.model.read import read_model
from troughline.model.spec import ModelSpec, SelfTest

IDS = list_models()
TOOL = Path(__file__).resolve().parents[2] / "tools" / "integrate_library.py"


@cache
def model(model_id: str) -> ModelSpec:
    spec, found = read_model(model_path(model_id).read_text(encoding="utf-8"), file=model_id)
    assert spec is not None, [f.message for f in found.items]
    return spec


def published() -> list[str]:
    """The models taken over from a paper, without those that are calibrated here."""
    return [model_id for model_id in IDS if not model(model_id).calibrated]


@cache
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("integrate_library", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(TOOL.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(TOOL.parent))
    return module


@cache
def integrated() -> dict[tuple[str, str], list[Any]]:
    """The numbers of the hand-written integration, by model id and name of the self-test."""
    return {(model_id, name): numbers for model_id, name, numbers in tool().courses()}


def named(spec: ModelSpec, name: str) -> SelfTest:
    return next(test for test in spec.tests if test.name == name)


def test_the_library_holds_the_models_that_the_facts_give_in_full():
    assert set(IDS) >= {
        "cabozantinib/nguyen-2019",
        "lenvatinib/gupta-2016",
        "lenvatinib/majid-2024",
        "lenvatinib/tamai-2017",
        "pazopanib/yu-2017",
        "regorafenib/keunecke-2020",
        "regorafenib/keunecke-2020-phase1",
        "sorafenib/jain-2011",
        "sunitinib/yu-2015",
    }
    assert list(IDS) == sorted(set(IDS))


@pytest.mark.parametrize("model_id", IDS)
def test_a_model_file_reads_without_a_finding_and_its_id_is_its_place(model_id: str):
    spec, found = read_model(model_path(model_id).read_text(encoding="utf-8"), file=model_id)
    assert not found.items
    assert spec is not None
    assert spec.id == model_id
    assert spec.drug == model_id.partition("/")[0]
    assert spec.title
    assert spec.population
    assert spec.description


@pytest.mark.parametrize("model_id", IDS)
def test_every_number_has_a_source_with_a_citation(model_id: str):
    spec = model(model_id)
    for item in (*spec.parameters, *spec.random):
        assert item.source in spec.sources, item
    assert all(source.citation for source in spec.sources.values())
    assert {item.source for item in (*spec.parameters, *spec.random)} == set(spec.sources)


@pytest.mark.parametrize("model_id", published())
def test_a_published_model_cites_its_paper_and_says_where_its_numbers_were_read(model_id: str):
    spec = model(model_id)
    for source in spec.sources.values():
        assert source.doi is not None
        assert "read in" in source.note.casefold()


@pytest.mark.parametrize("model_id", published())
def test_only_what_was_read_in_the_paper_itself_is_marked_verified(model_id: str):
    spec = model(model_id)
    for item in (*spec.parameters, *spec.random):
        read_there = "transcription" not in spec.sources[item.source].note
        assert item.verified == read_there, item


@pytest.mark.parametrize("model_id", IDS)
def test_covariates_have_a_default_within_the_studied_range(model_id: str):
    for covariate in model(model_id).covariates:
        assert covariate.default is not None
        if covariate.levels is None:
            assert covariate.soft is not None
            assert covariate.hard is not None
            hard, soft = covariate.hard, covariate.soft
            assert hard[0] <= soft[0] <= covariate.default <= soft[1] <= hard[1]


@pytest.mark.parametrize("model_id", IDS)
def test_random_effects_have_a_positive_definite_covariance(model_id: str):
    spec = model(model_id)
    assert np.linalg.eigvalsh(spec.covariance("subject")).min() > 0
    if spec.occasion_effects:
        assert np.linalg.eigvalsh(spec.covariance("occasion")).min() > 0


@pytest.mark.parametrize("model_id", published())
def test_the_self_tests_expect_what_the_hand_written_integration_gives(model_id: str):
    """DOP853 at rtol 1e-11 on equations written once more in the tool; the files hold ten digits."""
    tests = {test.name: test for test in model(model_id).tests}
    assert set(tests) == {name for m, name in integrated() if m == model_id}
    for name, test in tests.items():
        ours = {
            (e.output, e.quantity, e.time if e.quantity == "at" else e.start, e.end): e.value
            for e in test.expectations
        }
        numbers = integrated()[model_id, name]
        assert len(ours) == len(numbers)
        for n in numbers:
            end = 0.0 if n.quantity == "at" else n.end
            assert ours[n.output, n.quantity, n.start, end] == pytest.approx(n.value, rel=1e-8)


def test_the_integration_agrees_with_the_numbers_published_for_jain():
    """LSODA at rtol 1e-9 over 60 doses, done once apart from this project's code; tolerance: as printed."""
    spec = model("sorafenib/jain-2011")

    def value(name: str, quantity: str) -> float:
        return next(e.value for e in named(spec, name).expectations if e.quantity == quantity)

    steady = "steady state, 400 mg twice daily"
    assert value(steady, "auc") == pytest.approx(98.009, abs=5e-4)
    assert value(steady, "cmax") == pytest.approx(8.642, abs=5e-4)
    assert value(steady, "tmax") == pytest.approx(3.01, abs=5e-3)
    assert value(steady, "at") == pytest.approx(7.873, abs=5e-4)
    assert value("first dose, 400 mg", "cmax") == pytest.approx(1.689, abs=5e-4)
    assert value("first dose, 400 mg", "tmax") == pytest.approx(4.17, abs=5e-3)
    off = f"{steady}, no enterohepatic recirculation"
    assert value(off, "auc") == pytest.approx(49.20, abs=5e-3)
    assert value(off, "at") == pytest.approx(3.488, abs=5e-4)
    assert value("steady state, 200 mg twice daily", "auc") == pytest.approx(49.004, abs=5e-4)
    assert value("steady state, 200 mg twice daily", "at") == pytest.approx(3.936, abs=5e-4)
    # Area = dose/((1 − Fent)·CL), a closed form.
    assert value(steady, "auc") == pytest.approx(400 / ((1 - 0.498) * 8.13), rel=1e-8)


def test_regorafenib_areas_at_steady_state_follow_from_dose_and_clearance():
    """Closed form: nothing is lost in the gallbladder, so each area is what is formed over the clearance."""
    fm2, fm5 = 1 / (1 + np.exp(0.355)), 1 / (1 + np.exp(1.09))
    for model_id, cl, cl_m2, cl_m5 in (
        ("regorafenib/keunecke-2020", 3.05, 1.99, 1.42),
        ("regorafenib/keunecke-2020-phase1", 4.02, 2.45, 0.746),
    ):
        test = named(model(model_id), "steady state, 160 mg daily at 09:00")
        areas = {e.output: e.value for e in test.expectations if e.quantity == "auc"}
        assert areas["regorafenib"] == pytest.approx(160 / cl, rel=1e-8)
        assert areas["m2"] == pytest.approx(160 * fm2 / (1 - fm2) / cl_m2, rel=1e-8)
        assert areas["m5"] == pytest.approx(160 * fm5 / cl_m5, rel=1e-8)


def test_jain_has_the_variances_of_the_reading_that_its_notes_choose():
    spec = model("sorafenib/jain-2011")
    assert spec.subject_effects == ("eta_CL", "eta_V", "eta_ka")
    assert spec.occasion_effects == ("kappa_CL",)
    omega = spec.covariance("subject")
    assert np.diag(omega) == pytest.approx([log(1 + cv**2) for cv in (0.18, 0.687, 0.619)], rel=1e-12)
    assert omega[0, 1] == pytest.approx(0.0864, abs=5e-5)
    assert spec.covariance("occasion")[0, 0] == pytest.approx(0.2050, abs=5e-5)
    notes = " ".join(spec.notes)
    for printed in ("0.0319", "0.3866", "0.0324", "0.4720", "0.2275"):
        assert printed in notes


def test_tamai_has_the_covariance_that_its_correlation_gives():
    spec = model("lenvatinib/tamai-2017")
    omega = spec.covariance("subject")
    assert np.diag(omega) == pytest.approx([0.106276, 0.245025, 0.389376, 0.1764, 0.216225, 0.467856])
    assert omega[0, 1] == pytest.approx(0.599 * 0.326 * 0.495)


def test_an_unknown_model_is_refused_with_what_was_perhaps_meant():
    with pytest.raises(ValueError, match=r"did you mean 'sorafenib/jain-2011'.*cabozantinib/nguyen-2019"):
        model_path("sorafenib/jain-2012")
    with pytest.raises(ValueError, match="the models are: cabozantinib/nguyen-2019, "):
        model_path("../secrets")


def test_listing_the_models_loads_nothing_heavy():
    code = (
        "import sys; from troughline.model.library import list_models; list_models(); "
        "print(sorted({'numpy', 'scipy', 'sympy', 'numba', 'pandas', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
