"""Guards about inference: too few events, too many tests, what else explains it, what the model assumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from troughline.cohort.describe import listed
from troughline.response.guards.registry import KINDS, Fired, guard
from troughline.response.guards.wording import interval, number, p_value
from troughline.response.multiplicity import holm as holm_adjusted
from troughline.results import GuardSeverity

if TYPE_CHECKING:
    from troughline.response.case import Case

EVENTS_PER_PARAMETER = 10
MANY_TESTS = 3
# At 0.05 the test of proportional hazards alarms in 6 to 7.5 % of proportional cohorts
# (benchmarks/operating_characteristics.py); here it does in less than 5 %.
PH_ALARM = 0.02
LIVER_FUNCTION = (
    "child_pugh_score",
    "child_pugh_class",
    "child_pugh",
    "albi",
    "albi_grade",
    "meld3",
    "bilirubin",
    "total_bilirubin",
    "albumin",
    "inr",
    "cirrhosis",
)


def is_liver_function(name: str) -> bool:
    """Whether a covariate is named as a measure of liver function, however it is spelt."""
    plain = "".join(c for c in name.lower() if c.isalnum())
    return plain in {"".join(c for c in known if c.isalnum()) for known in LIVER_FUNCTION}


@guard(
    "too-few-events",
    title="Too few events, or separation",
    detects="fewer than ten events (or non-events) for each parameter, or an outcome that the predictor "
    "separates completely",
    absent="at least ten events and ten non-events for each parameter, and no separation",
    remedy="Penalised likelihood (Firth) or weakly informative priors, both used in the guarded column; "
    "read the interval, not the estimate.",
    reference="Firth 1993, doi 10.1093/biomet/80.1.27; Riley 2020, doi 10.1136/bmj.m441",
)
def too_few_events(case: Case) -> Fired | None:
    """Events per parameter below ten, or separation."""
    measured = case.measured
    if measured.n_events is None:
        return None
    rarer = measured.n_events
    if measured.n_non_events is not None:
        rarer = min(rarer, measured.n_non_events)
    per = rarer / max(measured.n_parameters, 1)
    if per >= EVENTS_PER_PARAMETER and not measured.separated:
        return None
    noun = "events" if measured.n_non_events is None or rarer == measured.n_events else "non-events"
    finding = f"{rarer} {noun} for {measured.n_parameters} parameter{'s' * (measured.n_parameters > 1)}."
    if measured.separated:
        finding += " The predictor separates the outcome completely: ordinary likelihood has no maximum."
    return Fired(finding=finding, effect="Ordinary intervals are too narrow or do not exist at this size.")


@guard(
    "multiplicity",
    title="Many tests, none corrected",
    detects="three or more questions with a test in one study, uncorrected (one test a question: the one a "
    "paper would print, or the corrected one where the cut was searched; of a predictive marker its "
    "interaction)",
    absent="fewer than three tests",
    remedy="Read the p-value corrected over the study (Holm), or name one primary question beforehand.",
    reference="Holm 1979, Scand J Stat 6:65–70",
    kinds=(*KINDS, "interaction"),
    late=True,
)
def multiplicity(case: Case) -> Fired | None:
    """Holm's correction over every test of the study."""
    tests = case.tests
    own = tests.get(case.question.id)
    if own is None or len(tests) < MANY_TESTS:
        return None
    corrected = holm(tests)[case.question.id]
    lost = own < 0.05 <= corrected
    return Fired(
        finding=f"This study has {len(tests)} questions with a test each, counting one test a question.",
        effect=f"{p_value(own)} alone, {p_value(corrected)} corrected for all of them.",
        severity=GuardSeverity.CAUTION if lost else GuardSeverity.NOTE,
    )


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """Holm's adjusted p-values by the same names."""
    adjusted = holm_adjusted(np.array(list(p_values.values()), dtype=np.float64))
    return dict(zip(p_values, adjusted.tolist(), strict=True))


@guard(
    "liver-function-confounding",
    title="Liver function explains both",
    detects="a drug level held against an outcome without liver function in the model, although liver "
    "function drives both",
    absent="a measure of liver function is among the adjusting covariates",
    remedy='Adjust for ALBI, Child-Pugh or their parts (`adjust = ["albi"]`) and read both answers.',
    reference="Johnson 2015 (ALBI), doi 10.1200/JCO.2014.57.9151",
)
def liver_function_confounding(case: Case) -> Fired | None:
    """A drug level as predictor and no liver function among the adjusting covariates."""
    if not case.predictor.is_drug_level:
        return None
    if any(is_liver_function(name) for name in case.question.adjust):
        return None
    recorded = [name for name in case.cohort.covariates if is_liver_function(name)]
    finding = (
        f"Liver function is recorded ({listed(recorded)}) and not adjusted for."
        if recorded
        else "Liver function is not recorded: it cannot be adjusted for."
    )
    measured = case.measured
    effect = ""
    if measured.hazard_ratio_guarded is not None and measured.hazard_ratio_adjusted is not None:
        effect = (
            f"Hazard ratio {interval(measured.hazard_ratio_guarded)}, "
            f"adjusted {interval(measured.hazard_ratio_adjusted)}."
        )
    elif measured.odds_ratio_unadjusted is not None and measured.odds_ratio_adjusted is not None:
        effect = (
            f"Odds ratio per doubling {interval(measured.odds_ratio_unadjusted)}, "
            f"adjusted {interval(measured.odds_ratio_adjusted)}."
        )
    return Fired(finding=finding, effect=effect)


@guard(
    "non-proportional-hazards",
    title="Hazards not proportional",
    detects="a hazard ratio that changes over time",
    absent="the test of proportional hazards gives p ≥ 0.02 (its own level at 0.05 is 6 to 7 % in small "
    "cohorts)",
    remedy="Read the difference in restricted mean survival time, which needs no proportionality.",
    reference="Grambsch 1994, doi 10.1093/biomet/81.3.515; Royston 2013, doi 10.1186/1471-2288-13-152",
    kinds=("survival",),
)
def non_proportional_hazards(case: Case) -> Fired | None:
    """The scaled-Schoenfeld test; with few events its silence proves little, and that is said."""
    p = case.measured.ph_p
    if p is None or p >= PH_ALARM:
        return None
    return Fired(
        finding=f"The test of proportional hazards gives {p_value(p)} "
        f"({case.measured.ph_label or 'hazard ratio'}).",
        effect="One hazard ratio averages a changing effect.",
    )


@guard(
    "direction-contradicted",
    title="The data speak against the assumed direction",
    detects="a curve assumed to rise with exposure although these data say it falls",
    absent="the slope is not clearly negative under a prior that allows both signs",
    remedy="Set `monotone = false`, and look for reverse causality: dose cut in those with the event.",
    reference="stated prior; see docs/methods.md",
    kinds=("curve", "window"),
)
def direction_contradicted(case: Case) -> Fired | None:
    """P(slope < 0) above 0.9 under the symmetric prior."""
    against = {name: p for name, p in case.measured.p_slope_negative.items() if p > 0.9}
    question = case.question
    if not against or (question.kind in ("curve", "window") and not question.monotone):  # type: ignore[union-attr]
        return None
    listed = ", ".join(f"{name}: probability {number(p)}" for name, p in against.items())
    return Fired(finding=f"The chance falls with exposure in these data ({listed}).")


@guard(
    "poor-posterior",
    title="Posterior not well sampled",
    detects="too small an effective sample size, or heavy-tailed importance weights",
    absent="effective sample size of at least 400 and no heavy tail of weights (Pareto k above 0.7)",
    remedy="The interval of this answer is not reliable; simplify the model (fewer covariates).",
    reference="Vehtari 2024, doi 10.48550/arXiv.1507.02646",
    severity=GuardSeverity.REFUSAL,
    kinds=("curve", "window"),
)
def poor_posterior(case: Case) -> Fired | None:
    """The importance sampler reported that it failed."""
    if not case.measured.posterior_poor:
        return None
    return Fired(finding=case.measured.posterior_poor)
