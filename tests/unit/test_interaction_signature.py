"""A signature in an interaction question: judged first, on a scale that can be read, treatment aside."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from benchmarks.interaction_cohorts import COVARIATES, QUESTION, draw, rows_of
from pydantic import ValidationError

from troughline.biomarker.decision_curve import decision_curve
from troughline.biomarker.penalised_cox import penalised_cox_path
from troughline.biomarker.signature import nested_signature
from troughline.cohort.question_interaction import InteractionQuestion
from troughline.response.study import answer
from troughline.results import QuestionResult

RNG = np.random.default_rng
N = 300
SIGNATURE = ["score", "afp", "age", "sex"]


def signed(**changes: Any) -> QuestionResult:
    """A trial with a skewed covariate that matters, one that is not skewed, and a category."""
    rng = RNG(6)
    trial = draw(N, rng, interaction=0.0)
    afp = rng.standard_normal(N)
    trial.day[:] = np.ceil(40 + (trial.day - 40) * np.exp(-0.8 * afp))
    rows = rows_of(trial, rng)
    for row, x in zip(rows.patients.values(), afp.tolist(), strict=True):
        row["afp"] = math.exp(4 + 1.8 * x)
        row["age"] = 60 + 10 * float(rng.standard_normal())
    covariates = COVARIATES | {"afp": {"unit": "ng/mL"}, "age": {"unit": "year"}}
    question = {**QUESTION, "signature": SIGNATURE, "bootstrap": 200, **changes}
    return answer(rows.cohort([question], covariates=covariates)).questions[0]


def table(result: QuestionResult) -> dict[str, dict[str, Any]]:
    return {r["covariate"]: r for r in result.tables["signature"]}


def test_weights_are_read_per_doubling_sd_or_level_and_treatment_is_none_of_them() -> None:
    rows = table(signed(penalty="ridge"))
    assert rows["AFP"]["per"] == "doubling"
    assert rows["age"]["per"].startswith("SD (")
    assert rows["sex = male"]["per"] == "level"
    assert not [name for name in rows if "treatment" in name]
    # 0.8 an SD of 1.8 / ln 2 = 2.6 doublings, made smaller by the penalty.
    assert 1.1 < rows["AFP"]["hazard_ratio"] < 1.45


def test_which_covariates_enter_as_logarithms_can_be_stated() -> None:
    result = signed(signature_log=["age"])
    rows = table(result)
    assert rows["age"]["per"] == "doubling"
    assert rows["AFP"]["per"].startswith("SD (")
    assert "age in doublings, as stated" in " ".join(result.methods)
    with pytest.raises(ValidationError, match="signature_log: other is not in the signature"):
        InteractionQuestion.model_validate({**QUESTION, "signature": SIGNATURE, "signature_log": ["other"]})


def test_the_answer_leads_with_what_the_signature_is_worth_outside() -> None:
    result = signed()
    assert result.summary.startswith("In patients it had not seen the signature has a concordance of 0.")
    for words in ("in those it was fitted to", "calibration slope of", "in 100 patients over acting on all"):
        assert words in result.summary
    assert "Treatment is fitted beside them without a penalty" in " ".join(result.methods)
    gain = result.estimate("net_benefit")
    assert gain.value is not None
    assert gain.low is not None
    assert gain.low < gain.value


def test_a_covariate_without_penalty_has_its_ordinary_coefficient_where_the_others_are_held_at_zero() -> None:
    """At the first penalty of the lasso all others are 0, so it is the plain Cox coefficient."""
    rng = RNG(2)
    x = rng.standard_normal((200, 3))
    time = rng.exponential(1 / np.exp(0.7 * x[:, 2] + 0.4 * x[:, 0]))
    free = np.array([False, False, True])
    path = penalised_cox_path(time, np.ones(200, np.bool_), x, mixing=1.0, free=free)
    from troughline.survival.cox import fit_cox

    alone = fit_cox(time, np.ones(200, np.bool_), x[:, 2:], ("c",)).terms[0].coefficient
    assert path.coefficients[0, :2] == pytest.approx(0, abs=1e-9)
    assert path.coefficients[0, 2] == pytest.approx(alone, abs=1e-6)
    with pytest.raises(ValueError, match="there is no path"):
        penalised_cox_path(time, np.ones(200, np.bool_), x, mixing=1.0, free=np.ones(3, np.bool_))


def test_a_treatment_fitted_beside_a_signature_takes_no_weight_from_it() -> None:
    """A covariate that went with the treatment and does nothing keeps no weight beside it."""
    rng = RNG(3)
    n = 400
    treated = rng.permutation(np.arange(n) % 2 == 0).astype(float)
    x = np.column_stack((treated + 0.5 * rng.standard_normal(n), rng.standard_normal(n)))
    time = rng.exponential(1 / np.exp(-1.0 * treated + 0.6 * x[:, 1]))
    event = np.ones(n, np.bool_)
    found = {
        name: nested_signature(
            time, event, x, penalty="ridge", horizon=0.7, rng=RNG(4), beside=beside
        ).coefficients
        for name, beside in (("with", treated[:, np.newaxis]), ("without", None))
    }
    assert abs(found["with"][0]) < 0.15
    assert found["without"][0] < -0.2
    assert found["with"][1] > 0.3


def test_the_gain_is_over_the_better_of_all_and_nobody() -> None:
    time = np.array([1, 1, 1, 1, 9, 9, 9, 9, 9, 9.0])
    event = np.array([True] * 4 + [False] * 6)
    risk = np.array([0.9, 0.8, 0.7, 0.1, 0.6, 0.5, 0.1, 0.1, 0.1, 0.1])
    found = decision_curve(
        time, event, risk, horizon=5.0, thresholds=np.array([0.25, 0.6]), rng=RNG(1), resamples=200
    )
    assert found.gain[0] == pytest.approx((3 / 10 - 2 / 30) - (4 / 10 - 6 / 30))
    assert found.everybody[1] < 0
    assert found.gain[1] == pytest.approx(found.model[1])
    assert np.all(found.gain_low <= found.gain_high)
