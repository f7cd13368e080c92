"""An arm's dosing policy as the policy file that `dosing` reads, with the trial's population and kinetics.

The rules, the choice of regimens, the estimator and the reductions are those of `dosing.policy`; nothing of
them is written again here.
"""

from __future__ import annotations

import json
import math
from functools import cache
from typing import TYPE_CHECKING, Any

from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from troughline.dosing.policy.setup import Setup as PolicySetup
    from troughline.issues import Finding
    from troughline.mechanism.population import Drawn, Population
    from troughline.model.spec import Covariate
    from troughline.trial.schema import Arm, TrialFile

Json = dict[str, Any]
DRUG = "sorafenib"
CLEARANCE = "CL_pop"
"""The parameter of the kinetics that the population's `clearance` multiplies."""
START = "day 0 is the first dose"
_OF_THE_TRIAL = ("covariate-unused",)
"""What is no news: a trial draws covariates for the tumour too."""


def policy_texts(
    file: TrialFile, population: Population, horizon_days: float, *, name: str, found: Findings
) -> tuple[str, ...]:
    """For each arm the policy file of its policy as JSON (empty without one), with what is wrong as findings.

    Findings about what all policies share stand once.
    """
    made: list[str] = []
    said: set[tuple[str | None, str]] = set()
    for k, arm in enumerate(file.arm):
        if arm.policy is None:
            made.append("")
            continue
        for fault in _of_the_arm(file, horizon_days):
            if fault not in said:
                found.add(Severity.ERROR, "policy", fault[1], file=name, column=fault[0])
            said.add(fault)
        if found.errors:
            made.append("")
            continue
        text = json.dumps(_contents(file, arm, population, math.ceil(horizon_days)), sort_keys=True)
        made.append(text)
        for one in _findings_of(text, name):
            place = _place(one, k)
            if (place, one.message) not in said:
                found.add(one.severity, one.code, one.message, file=name, column=place)
            said.add((place, one.message))
    if file.dosing is not None and not any(a.policy for a in file.arm):
        found.add(Severity.WARNING, "dosing-unused", "no arm has a policy", file=name, column="dosing")
    _unlike(file, name, found)
    return tuple(made)


def _of_the_arm(file: TrialFile, horizon_days: float) -> list[tuple[str, str]]:
    """What a trial cannot do with a policy, as place and message."""
    given = file.dosing
    if given is None:
        return [("dosing", "an arm has a policy: say its visits, target and regimens in [dosing]")]
    faults: list[tuple[str, str]] = []
    last = given.visits.days[-1] + given.visits.turnaround_days
    if last >= horizon_days:
        faults.append((
            "dosing.visits.days",
            f"the decision of day {given.visits.days[-1]} takes effect past the horizon of "
            f"{horizon_days:g} days",
        ))  # fmt: skip
    if (given.visits.count_from_day or 0) > horizon_days:
        faults.append(("dosing.visits.count_from_day", f"lies past the horizon of {horizon_days:g} days"))
    if given.target.metric != "trough":
        faults.append(("dosing.target.metric", "a trial follows the trough of each day: give metric trough"))
    if given.samples.hours_after_dose is not None:
        faults.append(("dosing.samples.hours_after_dose", "a trial's levels are drawn before the dose"))
    return faults


def _unlike(file: TrialFile, name: str, found: Findings) -> None:
    """Warn where an arm with a policy is held against sorafenib without one."""
    by_id = {a.id: a for a in file.arm}
    pairs = [(p.arm, p.control) for p in file.compare] or [(a.id, file.arm[0].id) for a in file.arm[1:]]
    for one, other in pairs:
        both = (by_id.get(one), by_id.get(other))
        if None in both or file.dosing is None or file.dosing.between_occasions == 0.0:
            continue
        plain = [a for a in both if a is not None and a.policy is None and a.sorafenib != "none"]
        if len(plain) == 1:
            found.add(
                Severity.WARNING, "no-occasions",
                f"{plain[0].id!r} has no policy and so no variability between occasions, and "
                f"{one if plain[0].id == other else other!r} has: give it a policy of kind label or fixed",
                file=name, column="compare",
            )  # fmt: skip


def _contents(file: TrialFile, arm: Arm, population: Population, horizon_day: int) -> Json:
    """The contents of the policy file of an arm."""
    from troughline.mechanism.runner import KINETICS

    given, policy = file.dosing, arm.policy
    assert given is not None
    assert policy is not None
    truth: Json = {"model": KINETICS, "between_occasions": given.between_occasions}
    if file.population.clearance != 1.0:
        truth["parameters"] = {CLEARANCE: {"times": file.population.clearance}}
    made: Json = {
        "evaluation": {"title": f"{file.trial.title}: {arm.id}", "drug": DRUG},
        "population": {"n": 1, "covariate": _covariates(population)},
        "truth": truth,
        "visits": {**given.visits.model_dump(exclude_none=True), "horizon_day": horizon_day},
        "samples": given.samples.model_dump(exclude_none=True),
        "target": given.target.model_dump(exclude_none=True),
        "treatment": given.treatment.model_dump(),
        "policy": [policy.model_dump(exclude_none=True)],
    }
    if given.assumed is not None:
        made["assumed"] = given.assumed.model_dump(exclude_none=True)
    return made


def _covariates(population: Population) -> list[Json]:
    """The population's covariates in the words of a policy file; a share of ones is of the tumour alone."""
    from troughline.trial.cells import the_runner

    runner = the_runner()
    known = {c.name: c for spec in (runner.kinetics, runner.mechanism) for c in spec.covariates}
    drawn = [
        _covariate(name, one, known[name])
        for name, one in population.covariates.items()
        if name in known and one.kind != "share"
    ]
    # A trial begins with the first dose: nobody has been treated before unless the population says so.
    drawn += [
        {"name": c.name, "distribution": "constant", "value": c.default, "unit": c.unit, "source": START}
        for c in runner.kinetics.covariates
        if c.name == "treated_before" and c.name not in population.covariates
    ]
    return drawn


def _covariate(name: str, drawn: Drawn, covariate: Covariate) -> Json:
    ends = {k: v for k, v in (("low", drawn.low), ("high", drawn.high)) if math.isfinite(v)}
    made: Json = {"name": name, "source": "the trial's population"}
    if drawn.kind == "levels":
        levels = dict(zip(covariate.levels or (), drawn.shares, strict=True))
        return {**made, "distribution": "levels", "levels": levels}
    if drawn.kind == "fixed":
        value = covariate.levels[int(drawn.center)] if covariate.levels else drawn.center
        return {**made, "distribution": "constant", "value": value, "unit": covariate.unit}
    if drawn.kind == "log-normal":
        cv = math.sqrt(math.expm1(drawn.spread**2))
        words = {"distribution": "lognormal", "median": drawn.center, "cv": cv}
    else:
        words = {"distribution": "normal", "mean": drawn.center, "sd": drawn.spread}
    return {**made, **words, **ends, "unit": covariate.unit}


def _findings_of(text: str, name: str) -> list[Finding]:
    from troughline.dosing.policy.setup import setup_of

    _, found = setup_of(json.loads(text), name=name)
    return [f for f in found if f.code not in _OF_THE_TRIAL]


def _place(one: Finding, k: int) -> str | None:
    """Where in the trial file a finding about a policy file belongs."""
    column = one.column or ""
    head, _, rest = column.partition(".")
    if head == "policy":
        key = rest.partition(".")[2]
        return f"arm.{k + 1}.policy" + (f".{key}" if key else "")
    if head in ("visits", "samples", "target", "treatment", "assumed"):
        return f"dosing.{column}"
    return "population" if head == "population" else "dosing"


@cache
def policy_setup(text: str) -> PolicySetup:
    """The policy file that `policy_texts` made, resolved: once a process.

    Raises `InputError` where it has an error, which a checked trial has not.
    """
    from troughline.dosing.policy.setup import setup_of
    from troughline.issues import InputError

    setup, found = setup_of(json.loads(text), name="policy")
    if setup is None:
        raise InputError(found, configuration=True)
    return setup


def words_of(setup: PolicySetup) -> str:
    """An arm's policy in a sentence."""
    from troughline.dosing.policy.rules import thresholds_of

    policy = setup.file.policy[0]
    after = "reduced" if policy.reduces else "held, then taken again,"
    toxic = f"{after} after a dose-limiting toxicity"
    start = setup.start_of(policy).label
    if policy.kind in ("fixed", "label"):
        return f"sorafenib from {start}, {toxic}; no levels"
    if policy.kind == "threshold":
        low, high = thresholds_of(policy, setup)
        ends = {"both": f"up below {low:g} mg/L, down above {high:g} mg/L", "up": f"up below {low:g} mg/L",
                "down": f"down above {high:g} mg/L"}[policy.directions]  # fmt: skip
        return f"sorafenib from {start}, by the last level one step {ends}; {toxic}"
    believes = setup.world(policy)
    model = believes.spec.id + (f" ({', '.join(believes.shifted)})" if believes.shifted else "")
    basis = "the patient's own parameters, known exactly" if policy.kind == "known" else f"the model {model}"
    words = "P(in the target)" if policy.criterion == "p_in" else "the expected utility"
    return f"sorafenib from {start}, at each visit the regimen with the best {words} by {basis}; {toxic}"


def shared_of(setup: PolicySetup) -> Mapping[str, Any]:
    """What the arms with a policy share, for `results.json`."""
    file = setup.file
    samples = (
        f"assay error of CV {file.samples.cv:g}, log-normal"
        if file.samples.error == "assay"
        else f"the residual error of {setup.truth.spec.id}"
    )
    return {
        "target": setup.target_words, "target_source": setup.target_source,
        "low": setup.low_mg_per_l,
        "high": setup.high_mg_per_l if math.isfinite(setup.high_mg_per_l) else None,
        "visit_days": list(file.visits.days), "turnaround_days": file.visits.turnaround_days,
        "count_from_day": file.visits.count_from_day or file.visits.days[0],
        "samples": samples + (f" ({file.samples.source})" if file.samples.source else ""),
        "limit": setup.limit_mg_per_l or None,
        "truth": setup.truth.spec.id, "assumed": setup.assumed.spec.id,
        "shifted": list(setup.assumed.shifted), "truth_shifted": list(setup.truth.shifted),
        "matched": setup.matched,
        "between_occasions": file.truth.between_occasions,
        "label_daily_mg": setup.label_steps[0].daily_dose_mg,
        "regimens": [
            {"id": r.id, "label": r.label, "daily_dose_mg": r.daily_dose_mg} for r in setup.regimens
        ],
    }  # fmt: skip
