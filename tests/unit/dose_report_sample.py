"""A made-up result of one patient's dose question, with every part that the report draws."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

from troughline.dosing.contents import contents_of
from troughline.dosing.result import (
    AlternativeTarget,
    BandSeries,
    Cause,
    CurveResult,
    CurveSource,
    DoseResult,
    DriftResult,
    EarlierPrediction,
    Explanation,
    Following,
    IfProportional,
    Individual,
    ModelUse,
    NextSample,
    ParameterRow,
    ProportionalRow,
    RecommendationResult,
    RegimenCard,
    RegimenResult,
    SampleResult,
    SampleValue,
    Spread,
    SteadyTime,
    TargetResult,
)
from troughline.issues import Finding, Severity

Json = dict[str, Any]

DECISION_DAY, HORIZON_DAY = 29.0, 57.0
_STEPS = (
    ("400-bid", "400 mg twice daily", (400.0,), 12.0, "label"),
    ("400-qd", "400 mg once daily", (400.0,), 24.0, "label"),
    ("200-400-alternating", "200 mg and 400 mg on alternate days", (200.0, 400.0), 24.0, "practice"),
    ("200-qd", "200 mg once daily", (200.0,), 24.0, "practice"),
    ("400-qod", "400 mg every other day", (400.0,), 48.0, "label"),
)


def spread(median: float, factor: float = 1.4, unit: str = "ug/mL") -> Spread:
    """An interval a factor to both sides of its median."""
    return Spread(median=median, low=median / factor, high=median * factor, unit=unit)


def _normal(x: float) -> float:
    return 0.5 * (1.0 + math.erf(x / math.sqrt(2.0)))


def _if_proportional() -> IfProportional:
    row = ProportionalRow(
        regimen="400-qd",
        label="400 mg once daily",
        trough=3.11,
        p_in=0.612,
        trough_if_proportional=2.43,
        p_in_if_proportional=0.777,
    )
    return IfProportional(
        anchor_mg=400.0,
        answer="regimen",
        among=("400-qd",),
        same=True,
        rows=(row,),
        text="If exposure rose in proportion, the answer would be the same.",
    )


def _regimen(
    k: int, identity: str, label: str, amounts: tuple[float, ...], interval: float, basis: str
) -> RegimenResult:
    daily = sum(amounts) * 24.0 / (interval * len(amounts))
    trough = 7.4 * (daily / 800.0) ** 0.75
    below = _normal(math.log(1.4 / trough) / 0.45)
    above = 1.0 - _normal(math.log(3.45 / trough) / 0.45)
    toxicity, benefit = 0.15 + 0.07 * trough, 0.45 + 0.03 * trough
    return RegimenResult(
        regimen=RegimenCard(
            id=identity,
            label=label,
            amounts_mg=amounts,
            interval_h=interval,
            daily_dose_mg=daily,
            hold_days=0.0,
            tablets=" then ".join(f"{a / 200:.0f} × 200 mg" for a in amounts),
            basis=basis,
            source="Label, section 2.2",
            verified=basis == "label",
            current=k == 0,
        ),
        trough=spread(trough, 1.62),
        auc=spread(27.1 * trough, 1.58, "ug*h/mL"),
        p_below=below,
        p_in=1.0 - below - above,
        p_above=above,
        p_error=0.0143 + 0.001 * k,
        p_in_as_printed=0.171 + 0.11 * k,
        p_toxicity=toxicity,
        p_toxicity_low=toxicity * 0.613,
        p_toxicity_high=toxicity * 1.417,
        p_benefit=benefit,
        p_benefit_low=benefit * 0.713,
        p_benefit_high=min(0.97, benefit * 1.271),
        utility=benefit - toxicity,
        utility_error=0.0121,
        utility_low=benefit - toxicity - 0.171,
        utility_high=benefit - toxicity + 0.193,
        p_best=(0.041, 0.127, 0.463, 0.251, 0.118)[k],
        auc_over_trough_h=(25.1, 30.2, 31.3, 30.4, 42.5)[k],
        time_to_steady=SteadyTime(days=6.3 + k, low=4.2, high=9.7 + k),
        notes=("doses on alternate days: the trough is the lower of the two",) if k == 2 else (),
    )


def _band(label: str, start: float, end: float, level: float, before: float | None = None) -> BandSeries:
    """A saw-tooth that settles from `before` to `level`."""
    days = [start + (end - start) * i / 160 for i in range(161)]
    first = 0.0 if before is None else before
    middle = [
        (level + (first - level) * math.exp(-(d - start) / 2.0)) * (1.0 + 0.25 * (0.5 - (2 * d) % 1.0))
        for d in days
    ]
    return BandSeries(
        label=label,
        day=tuple(days),
        median=tuple(middle),
        low=tuple(m / 1.4 for m in middle),
        high=tuple(m * 1.4 for m in middle),
    )


def _curve() -> CurveResult:
    return CurveResult(
        unit="ug/mL",
        decision_day=DECISION_DAY,
        horizon_day=HORIZON_DAY,
        patient=_band("this patient", 0.0, DECISION_DAY, 7.4),
        population=_band("population at these covariates", 0.0, DECISION_DAY, 4.1),
        forecast={
            "200-400-alternating": _band("200/400", DECISION_DAY, HORIZON_DAY, 2.6, 7.2),
            "400-bid": _band("400 twice daily", DECISION_DAY, HORIZON_DAY, 7.0, 7.2),
        },
        doses=tuple({"day": 0.5 * k, "amount_mg": 400.0} for k in range(58) if k != 21),
    )


def _samples() -> tuple[SampleResult, ...]:
    first = SampleResult(
        number=1,
        day=13.99,
        clock="2026-01-25T07:45",
        value=7.93,
        limit=0.05,
        unit="ug/mL",
        method="LC-MS/MS",
        hours_after_dose=11.75,
        used=True,
        reason="",
        predicted=spread(7.42, 1.2),
        population=spread(4.13, 2.2),
        without=spread(6.87, 1.6),
        influence=0.113,
        p_value=0.31,
    )
    second = replace(
        first, number=2, day=27.98, clock="2026-02-08T07:30", value=7.11, influence=0.087, p_value=0.42
    )
    below = replace(first, number=3, day=0.02, value=None, limit=0.25, clock=None, influence=0.002)
    unused = replace(
        first, number=4, day=20.1, value=31.7, used=False, reason="the file says not to use it",
        clock=None, influence=None, p_value=None, without=None,
    )  # fmt: skip
    return first, second, below, unused


def target(identity: str = "noda-2020/window", **changes: Any) -> TargetResult:
    """A target; without changes the window of the sample."""
    return replace(
        TargetResult(
            id=identity,
            label="Noda 2020, window",
            kind="published",
            metric="trough",
            low=1.40,
            high=3.45,
            low_interval=(0.83, 2.31),
            high_interval=(2.17, 5.29),
            unit="ug/mL",
            n=26,
            design="retrospective, one centre",
            population="hepatocellular carcinoma, Japan",
            citation="Noda S, et al. Cancer Chemother Pharmacol 2020",
            doi="10.1007/s00280-020-04105-0",
            verified=True,
            uncertainty="each limit drawn from a log-normal with the 95 % interval",
        ),
        **changes,
    )


def _alternatives() -> tuple[AlternativeTarget, ...]:
    own = AlternativeTarget(
        target=target(), used=True, comparable=True, reason="", p_below=0.171, p_in=0.553, p_above=0.276,
        best="200-400-alternating", best_p_in=0.553,
    )  # fmt: skip
    practised = replace(
        own,
        target=target(
            "guchelaar-2022/trough-target", label="Guchelaar 2022, trough as practised", low=3.75, high=None,
            low_interval=None, high_interval=None, n=36, design="prospective cohort",
            citation="Guchelaar 2022", doi=None, verified=False,
        ),
        used=False, p_below=0.723, p_in=0.277, p_above=0.0, best="400-bid", best_p_in=0.931,
    )  # fmt: skip
    visits = replace(
        own,
        target=target(
            "fukudo-2014/toxicity-cut", label="Fukudo 2014, clinic visits", low=4.78, high=5.78, n=91,
            low_interval=None, high_interval=None, citation="Fukudo 2014", doi=None,
        ),
        used=False, comparable=False, reason="levels at a clinic visit, no troughs",
        p_below=None, p_in=None, p_above=None, best=None, best_p_in=None,
    )  # fmt: skip
    none = replace(
        visits,
        target=target(
            "soramic/exposure", label="SORAMIC, no link found", low=None, high=None, low_interval=None,
            high_interval=None, n=137, design="trial", citation="SORAMIC", doi=None,
        ),
        reason="found no link between exposure and outcome: gives no limits",
    )  # fmt: skip
    return own, practised, visits, none


def _next_sample() -> NextSample:
    names = ("tomorrow, before the dose", "in 3 days", "in 1 week", "in 2 weeks")
    return NextSample(
        criterion="utility",
        candidates=tuple(
            SampleValue(
                day=DECISION_DAY + day,
                clock=None,
                hours_after_dose=23.5,
                label=name,
                gain=gain,
                gain_error=0.0021,
                loss_before=0.083,
                loss_after=0.083 - gain,
                p_wrong_before=0.537,
                p_wrong_after=0.537 - 4 * gain,
                p_change=0.3 + gain,
                narrower=1.0 - 5 * gain,
            )
            for name, day, gain in zip(names, (1, 3, 7, 14), (0.0117, 0.0193, 0.0411, 0.0383), strict=True)
        ),
        best=2,
        sentence="One more level 7 days after the change narrows the choice most.",
    )


def _following() -> Following:
    drift = DriftResult(
        n_occasions=2, test="trend of log exposure against between-occasion noise", alpha=0.05,
        statistic=None, p_value=None, change_percent_per_30_days=None, detected=None,
        text="Two occasions do not tell drift from noise.",
    )  # fmt: skip
    earlier = EarlierPrediction(
        result="first/result.json", decided_day=14.2, recommended="400-qd", among=("400-qd",),
        taken="400-bid", late_days=0.0, followed=False, day=27.98, measured=7.11,
        predicted=spread(7.61, 1.5), error_percent=-6.57, inside=True,
    )  # fmt: skip
    return Following(drift=drift, earlier=(earlier,), bias_percent=-6.57, text="One level came after it.")


def _causes() -> tuple[Cause, ...]:
    rows = (
        ("inhibitor", "high", "CYP3A4 inhibitor", "absent", "one other drug, none that inhibits"),
        ("albumin", "high", "low albumin", "present", "albumin 31 g/L"),
        ("liver", "high", "liver function", "not known", "no bilirubin in the file"),
        ("adherence", "low", "missed doses", "present", "1 of 58 doses missed"),
    )
    return tuple(
        Cause(
            id=identity, direction=way, label=label, status=status, text=text, size="exposure 1.3 times",  # pyright: ignore[reportArgumentType]
            source="unbound-albumin-2011", verified=identity != "liver",
        )
        for identity, way, label, status, text in rows
    )  # fmt: skip


def sample_result() -> DoseResult:
    """A simulated patient, high on 400 mg twice daily, with every part of a result."""
    regimens = tuple(_regimen(k, *step) for k, step in enumerate(_STEPS))
    model = ModelUse(
        id="sorafenib/hcc", title="Sorafenib in hepatocellular carcinoma", population="adults with HCC",
        prior_weight=1.0, weight=1.0, log_marginal=-3.71, effective_draws=873.0, calibrated=True,
        uncertain_parameters=("cl", "v"), note="calibrated to aggregate data",
    )  # fmt: skip
    return DoseResult(
        sentence="Reduce to 200 mg and 400 mg on alternate days: the trough is then 3.54 ug/mL, now 7.31.",
        title="Two levels, high on 400 mg twice daily",
        patient="simulated-1",
        drug="sorafenib",
        simulated=True,
        level=0.9,
        decision={
            "time_h": 697.0, "day": DECISION_DAY, "clock": "2026-02-09T09:00",
            "next_dose_h": 708.0, "horizon_days": 28.0, "horizon_day": HORIZON_DAY,
        },
        individual=Individual(
            parameters=tuple(
                ParameterRow(
                    model="sorafenib/hcc", name=name, patient=spread(value, 1.3, unit),
                    population=spread(1.7 * value, 2.4, unit),
                )
                for name, value, unit in (("CL/F", 3.87, "L/h"), ("V/F", 213.0, "L"))
            ),
            regimen="400 mg twice daily",
            trough=spread(7.31, 1.22),
            auc=spread(197.0, 1.21, "ug*h/mL"),
            average=spread(8.21, 1.21),
            population_trough=spread(4.07, 2.3), population_auc=spread(110.0, 2.1, "mg*h/L"),
            population_average=spread(4.6, 2.1),
            method="importance sampling",
            effective_draws=873.0,
            n_samples=3,
        ),
        regimens=regimens,
        recommendation=RecommendationResult(
            answer="regimen", regimen="200-400-alternating", among=(), criterion="utility", margin=0.031,
            margin_error=0.0041, p_best=0.463,
            sentence="200 mg and 400 mg on alternate days has the highest expected utility.",
            rules=("told apart where the first beats the second with probability 0.6 or more",),
        ),
        target=target(),
        alternatives=_alternatives(),
        curves=(
            CurveSource(
                role="toxicity", available=True, reason="", source="a study of this clinic",
                endpoint="adverse event of grade 3 or more", metric="trough", unit="ug/mL", n=26,
                domain=(0.74, 8.8),
            ),
            CurveSource(role="benefit", available=True, reason="", source="a study of this clinic", n=26),
        ),
        utility={"benefit": 1.0, "toxicity": 1.0, "text": "P(benefit) less P(toxicity)"},
        curve=_curve(),
        samples=_samples(),
        covariates=(
            {"name": "weight", "value": 68.0, "unit": "kg", "day": 0.0, "source": "file", "models": []},
            {
                "name": "sex", "value": "male", "unit": None, "day": None, "source": "default",
                "models": ["sorafenib/hcc"],
            },
        ),
        history=(
            {
                "from_day": 0.0, "to_day": 29.0, "amount_mg": 400.0, "interval_h": 12.0, "doses": 57,
                "missed": 1, "food": "fasting",
            },
        ),
        toxicity=({"day": 24.0, "term": "hand-foot skin reaction", "grade": 2},),
        explanation=Explanation(
            sentences=("The two levels agree, and lie far above the population's.",),
            shrinkage=0.137,
            exposure_ratio=spread(1.81, 1.3, "1"),
            direction="high",
            causes=_causes(),
            if_proportional=_if_proportional(),
            model_notes={"sorafenib/hcc": ("Whether exposure is less than proportional is <disputed>.",)},
        ),
        next_sample=_next_sample(),
        following=_following(),
        models=(model,),
        methods=("The posterior is drawn by importance sampling.",),
        references=("Noda S, et al. 2020. doi:10.1007/s00280-020-04105-0",),
        findings=(
            Finding(Severity.WARNING, "default-covariate", "sex is not given: male is used", "patient.toml"),
        ),
        provenance={
            "troughline": "0.1.0", "created": "2026-02-09T09:30:00Z", "seed": 20260101, "python": "3.13.1",
            "libraries": {"numpy": "2.4.0"}, "inputs": {"patient.toml": "0" * 64},
            "evidence": ["noda-2020"], "models": ["sorafenib/hcc"],
        },
    )  # fmt: skip


def sample() -> Json:
    """The sample as `result.json` holds it."""
    return json.loads(json.dumps(contents_of(sample_result()), allow_nan=False))


def sample_without_curves() -> Json:
    """The sample where nothing tells P(toxicity) and P(benefit)."""
    results = sample()
    for row in results["regimens"]:
        for name in ("p_toxicity", "p_benefit"):
            row |= {name: None, f"{name}_low": None, f"{name}_high": None}
        row |= {f"utility{end}": None for end in ("", "_error", "_low", "_high")}
    for curve in results["curves"]:
        curve |= {"available": False, "reason": f"no curve of {curve['role']} is named", "source": ""}
    results["recommendation"]["criterion"] = "p_in"
    results["next_sample"]["criterion"] = "p_in"
    return results
