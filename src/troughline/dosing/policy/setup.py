"""A policy file read and resolved: models, regimens, limits, all held against each other."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from troughline.dosing.limits import Limits
from troughline.dosing.policy.schema import PolicyFile
from troughline.dosing.policy.world import WorldModel, world_of
from troughline.dosing.regimen import Regimen
from troughline.issues import Findings, InputError, Severity
from troughline.provenance import sha256_of
from troughline.toml_file import read_toml

if TYPE_CHECKING:
    from troughline.dosing.policy.checks import TargetLimits
    from troughline.dosing.policy.schema import Policy

SLOT_H = 12.0
"""Doses are kept in slots of half a day."""
TWIN = " (true model)"


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Everything that an evaluation needs, resolved.

    - `regimens`: those that guided policies choose from, lowest daily dose first; `label_steps`: the label's
      doses, highest first; `start`: the regimen everyone begins with.
    - `low_mg_per_l`, `high_mg_per_l`: the target (0 and ∞ where it is open); `limits`: the same with their
      uncertainty, for policies that follow `troughline dose`; `at_mg_per_l`: the level at
      which the toxicity's hazard is given; `limit_mg_per_l`: of quantification (0: none).
    - `policies`: as written, and where truth and assumption differ the `TWIN` of each model policy.
    """

    file: PolicyFile
    name: str
    sha256: str
    truth: WorldModel
    assumed: WorldModel
    regimens: tuple[Regimen, ...]
    start: Regimen
    label_steps: tuple[Regimen, ...]
    settled_days: float
    low_mg_per_l: float
    high_mg_per_l: float
    limits: Limits
    target_words: str
    target_source: str
    at_mg_per_l: float
    limit_mg_per_l: float
    policies: tuple[Policy, ...]
    findings: Findings

    @property
    def matched(self) -> bool:
        """Whether the policies assume the truth."""
        return self.truth.same_as(self.assumed)

    @property
    def slots(self) -> int:
        """Half-days of doses, those of the horizon's day among them."""
        return 2 * (self.file.visits.horizon_day + 1)

    @property
    def ends(self) -> tuple[int, ...]:
        """The days on which an occasion ends: the visits and the horizon."""
        return (*self.file.visits.days, self.file.visits.horizon_day)

    def world(self, policy: Policy) -> WorldModel:
        """What a policy takes for true."""
        return self.truth if policy.assumes == "truth" or policy.kind == "known" else self.assumed

    def steps_of(self, policy: Policy) -> tuple[Regimen, ...]:
        """The doses that a policy reduces to, highest first: its own, or the label's."""
        if not policy.reductions:
            return self.label_steps
        known = _by_id(self.file.evaluation.drug)
        return tuple(sorted((known[r] for r in policy.reductions), key=lambda r: -r.daily_dose_mg))

    def start_of(self, policy: Policy) -> Regimen:
        """The regimen that a policy begins with."""
        return self.start if policy.start is None else _by_id(self.file.evaluation.drug)[policy.start]


def load_policy(path: str | Path) -> Setup:
    """Read and check a policy file. Raises `InputError` (configuration) with one finding for each fault."""
    setup, found = check_policy(path)
    if setup is None:
        raise InputError(found, configuration=True)
    return setup


def check_policy(path: str | Path) -> tuple[Setup | None, Findings]:
    """Every finding about a policy file, and the setup where none of them is an error; nothing is drawn."""
    file, found = Path(path), Findings()
    read = read_toml(file, found)
    if read is None:
        return None, found
    data, raw = read
    return setup_of(data, name=file.name, sha256=sha256_of(raw))


def setup_of(data: dict[str, Any], *, name: str, sha256: str = "") -> tuple[Setup | None, Findings]:
    """The setup of a file's contents, and what was found."""
    from troughline.cohort.studyfile_messages import by_schema

    found = Findings()
    file = by_schema(PolicyFile, data, found, file=name, code="policy-file")
    if file is None:
        return None, found
    return _resolved(file, name, sha256, found), found


def _resolved(file: PolicyFile, name: str, sha256: str, found: Findings) -> Setup | None:
    from troughline.dosing.drug import known_drug
    from troughline.dosing.policy.checks import (
        check_beside,
        check_population,
        check_samples,
        in_mg_per_l,
        limits_of,
    )

    drug = known_drug(file.evaluation.drug, file=name, found=found)
    if drug is None:
        return None
    truth = world_of(file.truth, drug.id, place="truth", file=name, found=found)
    assumed = truth
    if file.assumed is not None:
        assumed = world_of(file.assumed, drug.id, place="assumed", file=name, found=found)
        _no_truth_keys(file, name, found)
    limits = limits_of(file.target, drug.id, file=name, found=found)
    regimens = _regimens(file, drug.id, name, found)
    steps = _label_steps(drug.id)
    if not steps and any(p.reduces for p in file.policy):
        found.add(
            Severity.ERROR, "no-label-steps",
            f"{drug.id} has no label doses on file, so no policy can reduce", file=name, column="policy",
        )  # fmt: skip
    _policies(file, name, found)
    at = (
        in_mg_per_l(file.toxicity.at, file.toxicity.unit, "toxicity.unit", name, found)
        if file.toxicity
        else 1.0
    )
    limit = 0.0
    if file.samples.limit is not None:
        limit = in_mg_per_l(file.samples.limit, file.samples.unit, "samples.unit", name, found)
    check_samples(file, name, found)
    check_beside(file, name, found)
    if truth is None or assumed is None or limits is None or found.errors:
        return None
    check_population(file, (truth, assumed), name, found)
    if found.errors:
        return None
    by_id = _by_id(drug.id)
    return Setup(
        file=file, name=name, sha256=sha256, truth=truth, assumed=assumed, regimens=regimens,
        start=by_id[file.treatment.start], label_steps=steps, settled_days=drug.steady_state_days,
        low_mg_per_l=limits.low, high_mg_per_l=limits.high, limits=_uncertain_limits(limits),
        target_words=limits.words,
        target_source=limits.source, at_mg_per_l=at, limit_mg_per_l=limit,
        policies=_with_twins(file.policy, same=truth.same_as(assumed)), findings=found,
    )  # fmt: skip


def _uncertain_limits(limits: TargetLimits) -> Limits:
    """The target as `troughline dose` has it: None where it is open, uncertain where it is."""
    return Limits(
        metric="trough",  # a peak is judged as a trough is: one level against two limits
        low=limits.low if limits.low > 0 else None,
        high=limits.high if math.isfinite(limits.high) else None,
        low_interval=limits.low_interval, high_interval=limits.high_interval,
    )  # fmt: skip


def _no_truth_keys(file: PolicyFile, name: str, found: Findings) -> None:
    given = file.assumed
    if given is not None and (given.falling or given.between_subjects != 1 or given.between_occasions != 1):
        found.add(
            Severity.ERROR, "truth-only",
            "falling, between_subjects and between_occasions are of [truth] alone",
            file=name, column="assumed",
        )  # fmt: skip


def _by_id(drug: str) -> dict[str, Regimen]:
    """The regimens of a drug's file by id, those that need leave among them: the policy file gives it."""
    from troughline.dosing.candidates import drug_regimens

    return {r.id: r for r in drug_regimens(drug)}


def _regimens(file: PolicyFile, drug: str, name: str, found: Findings) -> tuple[Regimen, ...]:
    from troughline.cohort.studyfile_messages import did_you_mean

    known = _by_id(drug)
    chosen: list[Regimen] = []
    starts = [("treatment.start", file.treatment.start)]
    starts += [(f"policy.{k + 1}.start", p.start) for k, p in enumerate(file.policy) if p.start is not None]
    starts += [(f"policy.{k + 1}.reductions", r) for k, p in enumerate(file.policy) for r in p.reductions]
    for place, identifier in [*starts, *(("treatment.regimens", r) for r in file.treatment.regimens)]:
        if identifier not in known:
            found.add(
                Severity.ERROR, "unknown-regimen",
                f"{identifier!r} is no regimen of {drug}; {did_you_mean(identifier, known, 'the regimens')}",
                file=name, column=place,
            )  # fmt: skip
        elif known[identifier].interval_h % SLOT_H:
            found.add(
                Severity.ERROR, "regimen-interval",
                f"{identifier} is taken every {known[identifier].interval_h:g} h; an evaluation keeps doses "
                f"every {SLOT_H:g} h or a multiple of it",
                file=name, column=place,
            )  # fmt: skip
        elif place == "treatment.regimens":
            chosen.append(known[identifier])
    if len(set(file.treatment.regimens)) < len(file.treatment.regimens):
        found.add(
            Severity.ERROR,
            "regimen-twice",
            "a regimen is named twice",
            file=name,
            column="treatment.regimens",
        )
    return tuple(sorted(chosen, key=lambda r: (r.daily_dose_mg, r.interval_h)))


def _label_steps(drug: str) -> tuple[Regimen, ...]:
    """The label's doses for the drug, highest first, as regimens."""
    from troughline.evidence.store import load_drug

    known = list(_by_id(drug).values())
    steps: list[Regimen] = []
    for level in sorted(load_drug(drug).dose_level, key=lambda d: d.level):
        same = [r for r in known if r.amounts_mg == (level.amount_mg,) and r.interval_h == level.interval_h]
        steps += same[:1]
    return tuple(steps)


def _policies(file: PolicyFile, name: str, found: Findings) -> None:
    ids = [p.id for p in file.policy]
    for k, policy in enumerate(file.policy):
        if ids.index(policy.id) < k or policy.id.endswith(TWIN):
            found.add(
                Severity.ERROR, "policy-twice", f"the policy {policy.id!r} is named twice", file=name,
                column=f"policy.{k + 1}.id",
            )  # fmt: skip
        if policy.first_visit > len(file.visits.days):
            found.add(
                Severity.ERROR, "first-visit", f"there are {len(file.visits.days)} visits", file=name,
                column=f"policy.{k + 1}.first_visit",
            )  # fmt: skip


def _with_twins(policies: tuple[Policy, ...], *, same: bool) -> tuple[Policy, ...]:
    """The policies, and where assumption and truth differ, each model policy again with the true model."""
    if same:
        return policies
    wrong = [p for p in policies if p.kind == "model" and p.assumes == "assumed"]
    twins = [
        replace_policy(p, id=f"{p.id}{TWIN}", assumes="truth", label=f"{p.label or p.id}, true model")
        for p in wrong
    ]
    return (*policies, *twins)


def replace_policy(policy: Policy, **changes: Any) -> Policy:
    """A policy with some of its keys changed, not checked again: an id may then hold what a file may not."""
    return policy.model_copy(update=changes)


def with_patients(setup: Setup, n: int) -> Setup:
    """The same evaluation with another number of patients; the first ones are the same."""
    population = setup.file.population.model_copy(update={"n": n})
    return replace(setup, file=setup.file.model_copy(update={"population": population}))


def with_seed(setup: Setup, seed: int) -> Setup:
    """The same evaluation with another seed."""
    population = setup.file.population.model_copy(update={"seed": seed})
    return replace(setup, file=setup.file.model_copy(update={"population": population}))
