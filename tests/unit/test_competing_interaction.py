"""Treatment × class with competing deaths: against the likelihood written out and Cox; what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from troughline.biomarker.competing_interaction import competing_interaction
from troughline.biomarker.endpoint import Endpoint
from troughline.biomarker.treatment_by_marker import treatment_by_marker
from troughline.survival.cox import CoxFitError


def patients(n: int, seed: int) -> dict[str, Any]:
    """Two arms, classes A and B; treatment slows death of the tumour in A; death of the liver in B."""
    rng = np.random.default_rng(seed)
    treated = rng.permutation(np.arange(n) % 2 == 0)
    b = rng.random(n) < 0.4
    tumour = rng.exponential(1 / np.exp(-0.9 * treated * ~b))
    liver = rng.exponential(1 / (0.3 + 0.9 * b))
    end = rng.uniform(0.5, 3.0, n)
    time = np.minimum(np.minimum(tumour, liver), end)
    cause = np.where(time == end, "", np.where(time == tumour, "tumour", "liver"))
    return {
        "time": time,
        "cause": [c or None for c in cause.tolist()],
        "treated": treated,
        "level_of": ["B" if x else "A" for x in b],
    }


def test_the_fine_gray_interaction_is_the_maximum_of_its_weighted_likelihood() -> None:
    """Σ over events of xᵀβ − log Σ w exp(xᵀβ), w = G(t−)/G(T−) after another cause, in a loop: 1e-5."""
    from scipy.optimize import minimize

    p = patients(160, 1)
    time, treated = p["time"], p["treated"]
    own = np.array([c == "tumour" for c in p["cause"]])
    other = np.array([c == "liver" for c in p["cause"]])
    censored = ~own & ~other
    order = np.argsort(time)
    at_risk = np.arange(time.size, 0, -1)
    steps = np.where(censored[order], 1 - 1 / at_risk, 1.0)
    survival = np.concatenate(([1.0], np.cumprod(steps)))

    def before(t: float) -> float:
        return float(survival[np.searchsorted(time[order], t, side="left")])

    b = np.array([x == "B" for x in p["level_of"]])
    x = np.column_stack((treated, b, treated & b)).astype(float)
    weights = [
        np.where(time >= t, 1.0, np.where(other, before(t) / np.array([before(u) for u in time]), 0.0))
        for t in time[own]
    ]

    def negative(beta: Any) -> float:
        eta = x @ beta
        return -sum(
            eta[i] - np.log(w @ np.exp(eta)) for i, w in zip(np.flatnonzero(own), weights, strict=True)
        )

    best = minimize(negative, np.zeros(3), method="BFGS", options={"gtol": 1e-8})
    found = competing_interaction(**p, of="tumour", levels=("A", "B"), scale="subdistribution")
    assert found.interaction[0].value == pytest.approx(float(best.x[2]), abs=1e-5)
    assert found.n_events == own.sum()
    assert found.n_rivals == other.sum()
    assert found.p_value == pytest.approx(found.interaction[0].p_value, rel=1e-9)


def test_without_another_cause_both_scales_are_the_cox_interaction() -> None:
    p = patients(200, 2)
    p["cause"] = ["tumour" if c else None for c in p["cause"]]
    b = np.array([x == "B" for x in p["level_of"]], float)
    event = np.array([c is not None for c in p["cause"]])
    cox = treatment_by_marker(Endpoint(kind="survival", time=p["time"], event=event), p["treated"], b, ("B",))
    for scale in ("subdistribution", "cause-specific"):
        found = competing_interaction(**p, of="tumour", levels=("A", "B"), scale=scale)  # type: ignore[arg-type]
        assert found.interaction[0].value == pytest.approx(cox.interaction[0].value, abs=1e-7)


def test_the_two_scales_part_where_others_die_of_the_liver() -> None:
    """Truth on the cause-specific scale: a log ratio of 0.9 between the classes."""
    p = patients(1200, 3)
    own = competing_interaction(**p, of="tumour", levels=("A", "B"), scale="cause-specific")
    assert own.interaction[0].low < 0.9 < own.interaction[0].high
    sub = competing_interaction(**p, of="tumour", levels=("A", "B"), scale="subdistribution")
    assert sub.interaction[0].value != pytest.approx(own.interaction[0].value, abs=1e-3)
    turned = competing_interaction(**p, of="tumour", levels=("B", "A"), scale="subdistribution")
    assert turned.interaction[0].value == pytest.approx(-sub.interaction[0].value, abs=1e-7)


def test_a_class_without_the_event_in_one_arm_is_left_out_and_two_are_needed() -> None:
    p = patients(200, 4)
    p["level_of"] = ["C" if k < 6 else name for k, name in enumerate(p["level_of"])]
    p["cause"] = [None if k < 6 else c for k, c in enumerate(p["cause"])]
    found = competing_interaction(**p, of="tumour", levels=("A", "B", "C"), scale="subdistribution")
    assert found.left_out == ("C",)
    assert found.levels == ("B",)
    assert found.n == 194
    p["cause"] = [None if name == "B" else c for name, c in zip(p["level_of"], p["cause"], strict=True)]
    with pytest.raises(CoxFitError, match="1 of 3 classes have “tumour” in both arms; two are needed"):
        competing_interaction(**p, of="tumour", levels=("A", "B", "C"), scale="subdistribution")
