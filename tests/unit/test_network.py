"""Networks of trials: Bucher's identity, a triangle by hand, several arms, what is refused."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from troughline.evidence.contrasts import contrast_of, trials
from troughline.evidence.effects import Effect, on_scale
from troughline.evidence.network import Contrast, fit_network, split_nodes
from troughline.evidence.pooling import pool

# Overall survival as printed: SHARP 0.69 (0.55–0.87), Asia-Pacific 0.68 (0.50–0.93), REFLECT 0.92 (0.79–1.06)
# (PMID 18650514, 19095497, doi 10.1016/S0140-6736(18)30207-1).
SHARP = Contrast(
    study="SHARP", treatment="sorafenib", reference="placebo", value=math.log(0.69), se=0.11698555102
)
ASIA = Contrast(
    study="AP", treatment="sorafenib", reference="placebo", value=math.log(0.68), se=0.15831323754
)
REFLECT_SE = math.log(1.06 / 0.79) / (2 * 1.959963984540054)
REFLECT = Contrast(
    study="REFLECT", treatment="lenvatinib", reference="sorafenib", value=math.log(0.92), se=REFLECT_SE
)


def test_a_printed_ratio_becomes_its_contrast_on_the_log_scale() -> None:
    printed = Effect(label="SHARP", value=0.69, low=0.55, high=0.87, verified=False)
    made = contrast_of(printed, treatment="sorafenib", reference="placebo", population="first line")
    assert (made.value, made.se) == pytest.approx((SHARP.value, SHARP.se), abs=1e-9)
    assert (made.study, made.population, made.verified) == ("SHARP", "first line", False)


def test_two_steps_over_sorafenib_are_the_indirect_comparison_of_bucher() -> None:
    """Bucher 1997: the difference of the two effects, the variances added."""
    found = fit_network([SHARP, ASIA, REFLECT], random=False)
    placebo = pool(
        [
            Effect(label="S", value=0.69, low=0.55, high=0.87),
            Effect(label="A", value=0.68, low=0.50, high=0.93),
        ]
    ).common
    value, se = found.estimate("lenvatinib", "placebo")
    assert value == pytest.approx(math.log(0.92) + placebo.centre, abs=1e-9)
    assert se == pytest.approx(math.hypot(REFLECT_SE, placebo.se), abs=1e-9)
    assert math.isnan(found.q_between_p)
    assert split_nodes([SHARP, ASIA, REFLECT]) == ()


def test_two_treatments_are_a_pairwise_meta_analysis() -> None:
    rows = [(-0.9, 0.2), (-0.1, 0.15), (0.3, 0.3), (-0.5, 0.1)]
    contrasts = [
        Contrast(study=str(k), treatment="b", reference="a", value=y, se=s) for k, (y, s) in enumerate(rows)
    ]
    pooled = pool(
        [Effect(label=str(k), value=y, se=s, scale="identity") for k, (y, s) in enumerate(rows)],
        interval="normal",
    )
    found = fit_network(contrasts)
    assert found.tau2 == pytest.approx(pooled.tau2, rel=1e-9)
    assert found.estimate("b", "a") == pytest.approx((pooled.random.centre, pooled.random.se), rel=1e-9)
    assert found.q == pytest.approx(pooled.q, rel=1e-12)


def test_a_triangle_worked_by_hand() -> None:
    """AB 1, BC 1, AC 3, all variances 1: AC is (3·1 + 2·½)/1½ = 8/3 with variance 2/3; Q = (3 − 2)²/3."""
    rows = (("AB", "B", "A", 1.0), ("BC", "C", "B", 1.0), ("AC", "C", "A", 3.0))
    contrasts = [Contrast(study=s, treatment=t, reference=r, value=v, se=1.0) for s, t, r, v in rows]
    found = fit_network(contrasts, random=False)
    value, se = found.estimate("C", "A")
    assert (value, se**2) == pytest.approx((8 / 3, 2 / 3), rel=1e-12)
    assert found.q_between == pytest.approx(1 / 3, rel=1e-12)
    assert (found.q_within, found.q_between_df) == (0.0, 1)
    split = next(s for s in split_nodes(contrasts, random=False) if (s.treatment, s.reference) == ("C", "A"))
    assert (split.direct, split.indirect, split.difference_se**2) == pytest.approx((3.0, 2.0, 3.0), rel=1e-12)


def three_arms() -> list[Contrast]:
    """Arm means 0, 1, 3 with variances 0.04, 0.09, 0.16."""
    arms = {"A": (0.0, 0.04), "B": (1.0, 0.09), "C": (3.0, 0.16)}
    return [
        Contrast(
            study="T", treatment=b, reference=a, value=arms[b][0] - arms[a][0],
            se=math.sqrt(arms[a][1] + arms[b][1]),
        )
        for a, b in itertools.combinations(arms, 2)
    ]  # fmt: skip


def test_contrasts_of_one_study_share_their_control() -> None:
    (trial,) = trials(three_arms())
    assert trial.covariance == pytest.approx(np.array([[0.13, 0.04], [0.04, 0.20]]), abs=1e-12)


def test_a_study_of_three_arms_counts_once() -> None:
    """Its estimates and errors are its own; three independent trials would claim more."""
    whole = fit_network(three_arms())
    for c in three_arms():
        assert whole.estimate(c.treatment, c.reference) == pytest.approx((c.value, c.se), rel=1e-9)
    apart = [
        Contrast(study=str(k), treatment=c.treatment, reference=c.reference, value=c.value, se=c.se)
        for k, c in enumerate(three_arms())
    ]
    assert fit_network(apart).estimate("B", "A")[1] < whole.estimate("B", "A")[1]


def test_naming_decides_nothing() -> None:
    """Invariant to the reference: renaming changes which treatment comes first, and no estimate."""
    contrasts = [*three_arms(), Contrast(study="U", treatment="C", reference="B", value=1.0, se=0.3),
                 Contrast(study="V", treatment="B", reference="A", value=0.2, se=0.2)]  # fmt: skip
    new = {"A": "z", "B": "m", "C": "a"}
    renamed = [
        Contrast(
            study=c.study, treatment=new[c.reference], reference=new[c.treatment], value=-c.value, se=c.se
        )
        for c in contrasts
    ]
    first, second = fit_network(contrasts), fit_network(renamed)
    assert first.tau2 == pytest.approx(second.tau2, rel=1e-8)
    for a, b in itertools.permutations("ABC", 2):
        assert first.estimate(a, b) == pytest.approx(second.estimate(new[a], new[b]), rel=1e-8)


def test_the_league_table_is_antisymmetric_and_scores_add_to_half_their_number() -> None:
    found = fit_network([SHARP, ASIA, REFLECT])
    table = {(r["treatment"], r["reference"]): r for r in found.league_table()}
    for a, b in itertools.permutations(found.treatments, 2):
        assert float(table[a, b]["ratio"]) * float(table[b, a]["ratio"]) == pytest.approx(1.0, rel=1e-12)
    scores = found.p_scores()
    # The mean of P-scores is one half (Rücker & Schwarzer 2015).
    assert sum(scores.values()) == pytest.approx(len(scores) / 2, rel=1e-12)
    assert scores["lenvatinib"] > scores["sorafenib"] > scores["placebo"]


def test_what_cannot_be_connected_is_refused() -> None:
    second = Contrast(
        study="RESORCE", treatment="regorafenib", reference="placebo", value=math.log(0.63), se=0.12,
        population="after sorafenib",
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"different populations .*after sorafenib: RESORCE"):
        fit_network([SHARP, second])
    alone = Contrast(study="X", treatment="p", reference="q", value=0.0, se=1.0)
    with pytest.raises(ValueError, match="no trial connects: p, q; placebo, sorafenib"):
        fit_network([SHARP, alone])
    with pytest.raises(ValueError, match="needs every pair"):
        fit_network(three_arms()[:2])
    with pytest.raises(ValueError, match="by way of A it is"):
        fit_network([*three_arms()[:2], Contrast(study="T", treatment="C", reference="B", value=5.0, se=0.5)])
    with pytest.raises(ValueError, match="given twice"):
        fit_network([SHARP, SHARP])
    with pytest.raises(ValueError, match="no treatment 'x'"):
        fit_network([SHARP]).estimate("x", "placebo")


def test_printed_reflect_is_what_the_contrast_holds() -> None:
    printed = Effect(label="REFLECT", value=0.92, low=0.79, high=1.06)
    assert on_scale(printed).se == pytest.approx(REFLECT_SE, abs=1e-12)
