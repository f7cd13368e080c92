"""A trial file read and resolved: arms, drugs, population, sets and targets held against the mechanism."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from troughline.issues import Findings, InputError, Severity
from troughline.mechanism.treatment import Protocol, event_table, read_criteria
from troughline.toml_file import read_toml
from troughline.trial.schema import TrialFile, repeated
from troughline.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    from troughline.mechanism.parameters import ParameterSet
    from troughline.mechanism.population import Population
    from troughline.mechanism.treatment import Arm
    from troughline.trial.schema import Spread

PROBE = 64


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Everything that a trial needs, resolved; `pairs` are (arm, control) by id.

    `drugs`: what each second drug does at its usual dose. `policies`: of each arm, as `trial.policies` writes
    them, empty for an arm without one.
    """

    file: TrialFile
    name: str
    sha256: str
    arms: tuple[Arm, ...]
    drugs: Mapping[str, Mapping[str, float]]
    population: Population
    sets: tuple[ParameterSet, ...]
    protocol: Protocol
    pairs: tuple[tuple[str, str], ...]
    findings: Findings
    policies: tuple[str, ...] = ()

    @property
    def measured_pairs(self) -> tuple[tuple[str, str], ...]:
        """The compared pairs, and those that only a published hazard ratio is about."""
        wanted = ((t.arm, t.control) for t in self.file.target if t.control is not None)
        return tuple(dict.fromkeys((*self.pairs, *wanted)))

    @property
    def patients(self) -> int:
        """Virtual patients in all."""
        return sum(a.n for a in self.file.arm) * self.file.trial.replicates * len(self.sets)


def load_trial(path: str | Path) -> Setup:
    """Read and check a trial file. Raises `InputError` (configuration) with one finding for each fault."""
    setup, found = check_trial(path)
    if setup is None:
        raise InputError(found, configuration=True)
    return setup


def check_trial(path: str | Path) -> tuple[Setup | None, Findings]:
    """Every finding about a trial file, and the setup where none of them is an error; no trial is run."""
    from troughline.provenance import sha256_of

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
    for place, value in _switches(data):
        message = f"is {str(value).lower()}: of a trial only combinations.pairs is true or false"
        found.add(Severity.ERROR, "trial-file", message, file=name, column=place)
    if found.errors:
        return None, found
    file = by_schema(TrialFile, data, found, file=name, code="trial-file")
    if file is None:
        return None, found
    return _resolved(file, name, sha256, found), found


def _switches(data: Any, place: str = "") -> Iterator[tuple[str, bool]]:
    """Every true and false where a number or a text belongs, with its place: they would pass as 1 and 0."""
    if isinstance(data, bool) and place != "combinations.pairs":
        yield place, data
    entries: list[tuple[Any, Any]] = []
    if isinstance(data, dict):
        entries = list(data.items())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    elif isinstance(data, list):
        entries = list(enumerate(data, start=1))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    for key, value in entries:
        yield from _switches(value, f"{place}.{key}" if place else str(key))


def _resolved(file: TrialFile, name: str, sha256: str, found: Findings) -> Setup | None:
    from troughline.mechanism.parameters import read_sets
    from troughline.trial.people import drawable
    from troughline.trial.policies import policy_texts
    from troughline.trial.schedule import has_dask
    from troughline.trial.sensitivity import has_salib

    def fault(code: str, message: str, place: str) -> None:
        found.add(Severity.ERROR, code, message, file=name, column=place)

    protocol = _protocol(file, fault)

    def warn(code: str, message: str, place: str) -> None:
        found.add(Severity.WARNING, code, message, file=name, column=place)

    drugs = _drugs(file, fault, warn)
    arms = _arms(file, drugs, protocol, fault)
    pairs = _pairs(file, fault)
    _targets(file, fault)
    _limits(file, drugs, fault)
    if file.sensitivity is not None and not has_salib():
        warn("salib", "SALib is not installed: the trial will not be run with [sensitivity]", "sensitivity")
    if file.run is not None and not has_dask():
        warn(
            "scheduler", "Dask is not installed: the trial will not be run with a scheduler", "run.scheduler"
        )
    _doses(file, warn)
    try:
        population = drawable(file.population)
    except ValueError as error:
        fault("population", str(error), "population.base" if "on file" in str(error) else "population.accept")
        return None
    if found.errors or protocol is None:
        return None
    reading = None if file.model.reading == "both" else file.model.reading
    sets = read_sets(reading=reading)
    if file.model.sets == "best":
        sets = tuple(next(s for s in sets if s.reading == r) for r in dict.fromkeys(s.reading for s in sets))
    _probe(population, sets[0], file, fault)
    policies: tuple[str, ...] = ()
    if file.dosing is not None or any(a.policy for a in file.arm):
        policies = policy_texts(file, population, protocol.horizon_days, name=name, found=found)
    if found.errors:
        return None
    return Setup(
        file=file, name=name, sha256=sha256, arms=tuple(arms), drugs=drugs, population=population, sets=sets,
        protocol=protocol, pairs=pairs, findings=found, policies=policies if any(policies) else (),
    )  # fmt: skip


def _protocol(file: TrialFile, fault: Any) -> Protocol | None:
    import numpy as np

    horizon = float(np.ceil(file.trial.horizon_months * DAYS_PER_MONTH))
    if file.visits.days is not None:
        days = tuple(float(d) for d in file.visits.days)
    else:
        every = file.visits.every_days or 42.0
        days = tuple(float(d) for d in np.arange(every, horizon + 1e-9, every))
    if not days:
        fault("visits", f"the first visit comes after the horizon of {horizon:g} days", "visits")
        return None
    if file.markers.days[-1] > horizon:
        fault("markers", f"day {file.markers.days[-1]:g} lies past the horizon of {horizon:g} days",
              "markers.days")  # fmt: skip
    if file.follow_up is not None and file.follow_up.longest_months * DAYS_PER_MONTH > horizon:
        fault("follow-up", f"longest_months {file.follow_up.longest_months:g} lies past the horizon of "
              f"{file.trial.horizon_months:g} months", "follow_up.longest_months")  # fmt: skip
    try:
        return Protocol(
            visit_days=days, horizon_days=horizon, criteria=read_criteria(), step_days=file.trial.step_days
        )
    except ValueError as error:
        fault("visits", str(error), "visits.days")
        return None


def _drugs(file: TrialFile, fault: Any, warn: Any) -> dict[str, Mapping[str, float]]:
    from troughline.mechanism.treatment import read_second_drugs
    from troughline.trial.treatments import effects_of

    known: dict[str, Mapping[str, float]] = dict(read_second_drugs())
    for k, drug in enumerate(file.drug):
        if drug.id in [d.id for d in file.drug[:k]]:
            fault("drug-twice", f"the drug {drug.id!r} is given twice", f"drug.{k + 1}.id")
        elif drug.id in known:
            message = f"{drug.id!r} replaces the drug of that name on file, its toxicity too"
            warn("drug-replaced", message, f"drug.{k + 1}.id")
        try:
            known[drug.id] = effects_of(drug)
        except ValueError as error:
            fault("drug-target", str(error), f"drug.{k + 1}.blocks")
    return known


def _arms(
    file: TrialFile, drugs: Mapping[str, Mapping[str, float]], protocol: Protocol | None, fault: Any
) -> list[Arm]:
    from troughline.cohort.studyfile_messages import did_you_mean
    from troughline.trial.treatments import arm_of

    made: list[Arm] = []
    ids = [a.id for a in file.arm]
    for k, arm in enumerate(file.arm):
        place = f"arm.{k + 1}"
        if ids.index(arm.id) < k:
            fault("arm-twice", f"the arm {arm.id!r} is given twice", f"{place}.id")
        elif (arm.label or arm.id) in [a.label or a.id for a in file.arm[:k]]:
            fault("label-twice", f"the label {arm.label or arm.id!r} is given twice", f"{place}.label")
        sessions = [(one.kind, day) for one in arm.local for day in one.days]
        for kind, day in repeated(sessions):
            fault("session-twice", f"{kind} on day {day:g} is given twice", f"{place}.local")
        later = arm.second_line
        if later is not None and later.sorafenib == "none" and not later.second:
            fault("second-line", "gives nothing: name a drug or sorafenib", f"{place}.second_line")
        if later is not None and protocol is not None and later.after_days >= protocol.horizon_days:
            fault("second-line", f"begins {later.after_days:g} days after progression, past the horizon of "
                  f"{protocol.horizon_days:g} days", f"{place}.second_line.after_days")  # fmt: skip
        lines = (arm.second, arm.second_line.second if arm.second_line else ())
        unknown = [s.drug for line in lines for s in line if s.drug not in drugs]
        for one in unknown:
            near = did_you_mean(one, drugs, "the drugs")
            fault("unknown-drug", f"{one!r} is no second drug with a target; {near}", f"{place}.second")
        for line in lines:
            for twice in repeated([s.drug for s in line]):
                fault("drug-twice", f"{twice!r} is given twice in one line", f"{place}.second")
        if unknown:
            continue
        try:
            made.append(arm_of(arm, drugs))
            if protocol is not None:
                event_table(made[-1], protocol, ("tace", "ablation"))
        except ValueError as error:
            fault("arm", str(error), place)
    return made


def _pairs(file: TrialFile, fault: Any) -> tuple[tuple[str, str], ...]:
    ids = [a.id for a in file.arm]
    if not file.compare:
        return tuple((one, ids[0]) for one in ids[1:])
    for k, pair in enumerate(file.compare):
        for key in ("arm", "control"):
            if getattr(pair, key) not in ids:
                fault("unknown-arm", f"no arm {getattr(pair, key)!r}", f"compare.{k + 1}.{key}")
        if pair.arm == pair.control:
            fault("same-arm", f"{pair.arm!r} is held against itself", f"compare.{k + 1}")
        if pair in file.compare[:k]:
            fault(
                "compare-twice", f"{pair.arm!r} against {pair.control!r} is given twice", f"compare.{k + 1}"
            )
    return tuple((pair.arm, pair.control) for pair in file.compare)


def _targets(file: TrialFile, fault: Any) -> None:
    from troughline.cohort.studyfile_messages import did_you_mean
    from troughline.mechanism.trial_designs import known_targets
    from troughline.trial.targets import mismatch

    known = known_targets() if any(t.target for t in file.target) else {}
    ids = [a.id for a in file.arm]
    for k, target in enumerate(file.target):
        place = f"target.{k + 1}"
        if target.id in [t.id for t in file.target[:k]]:
            fault("target-twice", f"the target {target.id!r} is given twice", f"{place}.id")
        if target.arm == target.control:
            fault("same-arm", f"{target.arm!r} is held against itself", f"{place}.control")
        if target.target is not None and target.target not in known:
            near = did_you_mean(target.target, known, "the targets")
            fault("unknown-target", f"{target.target!r} is no target; {near}", f"{place}.target")
        for key in ("arm", "control"):
            given = getattr(target, key)
            if given is not None and given not in ids:
                fault("unknown-arm", f"no arm {given!r}", f"{place}.{key}")
        wrong = mismatch(target, known.get(target.target or ""), {a.id: a for a in file.arm})
        if wrong is not None:
            fault("target", wrong, f"{place}.quantity")


def _doses(file: TrialFile, warn: Any) -> None:
    """Warn of regimens of sorafenib by hand that nobody takes or no trial has tested."""
    from troughline.evidence.store import load_drug
    from troughline.mechanism.treatment import sorafenib_levels

    tablet = load_drug("sorafenib").tablet_strength_mg
    label = sorafenib_levels()[0]
    usual = label.dose_mg * 24.0 / label.interval_h
    for k, arm in enumerate(file.arm):
        lines = (("sorafenib", arm), ("second_line.sorafenib", arm.second_line))
        for key, line in lines:
            if line is None or isinstance(line.sorafenib, str):
                continue
            given = line.sorafenib
            if given.dose_mg % tablet:
                warn(
                    "tablets",
                    f"{given.dose_mg:g} mg are no whole tablets of {tablet:g} mg",
                    f"arm.{k + 1}.{key}",
                )
            if given.dose_mg * 24.0 / given.every_h > usual:
                message = (
                    f"more than the label's {usual:g} mg a day: the mechanism was fitted to one dose, and "
                    "neither exposure nor toxicity above it was held against data"
                )
                warn("above-label", message, f"arm.{k + 1}.{key}")


def _limits(file: TrialFile, drugs: Mapping[str, Any], fault: Any) -> None:
    smallest = min(a.n for a in file.arm)
    if file.sizes is not None and max(file.sizes.n) > smallest:
        fault("sizes", f"{max(file.sizes.n)} patients an arm are more than the smallest arm's {smallest}",
              "sizes.n")  # fmt: skip
    if file.combinations is not None:
        for one in file.combinations.drugs:
            if one not in drugs:
                fault("unknown-drug", f"{one!r} is no second drug with a target", "combinations.drugs")
    if file.sensitivity is not None:
        for key in ("arm", "control"):
            chosen = next((a for a in file.arm if a.id == getattr(file.sensitivity, key)), None)
            if chosen is None:
                fault("unknown-arm", f"no arm {getattr(file.sensitivity, key)!r}", f"sensitivity.{key}")
            elif chosen.policy is not None:
                fault("policy", f"{chosen.id!r} has a policy: sensitivity runs arms without one",
                      f"sensitivity.{key}")  # fmt: skip


def _probe(population: Population, chosen: ParameterSet, file: TrialFile, fault: Any) -> None:
    """Draw a few patients: a population that (almost) nobody satisfies shows here."""
    from troughline.mechanism.predictions import scaled
    from troughline.trial.cells import patients_of, the_runner

    runner = the_runner(file.population.clearance)
    known = {p.name for p in runner.mechanism.parameters}
    for name in population.scale:
        if name not in known:
            fault("population", f"the mechanism has no parameter {name!r}", "population.scale")
            return
    for key, name in (("tumour_mm", "sum_of_diameters"), ("albumin", "albumin"), ("weight", "weight")):
        given: Spread | None = getattr(file.population, key)
        limits = [c for s in (runner.mechanism, runner.kinetics) for c in s.covariates if c.name == name]
        for end, c in ((e, c) for e in ("low", "high") for c in limits if given is not None and c.hard):
            value, (low, high) = float(getattr(given, end)), c.hard or (-math.inf, math.inf)
            if not low <= value <= high:
                message = f"{value:g} lies outside {low:g} to {high:g} {c.unit}, where the model holds"
                fault("population", message, f"population.{key}.{end}")
                return
    try:
        clearance = file.population.clearance
        values = scaled(runner, chosen, population.scale)
        patients_of(population, chosen, clearance=clearance, n=PROBE, seed=file.trial.seed, values=values)
    except ValueError as error:
        fault("population", str(error), "population")


def with_size(setup: Setup, n: int) -> Setup:
    """The same trial with `n` patients in every arm; the first ones are the same."""
    arms = tuple(a.model_copy(update={"n": n}) for a in setup.file.arm)
    sizes = setup.file.sizes
    if sizes is not None:
        kept = tuple(m for m in sizes.n if m <= n)
        sizes = sizes.model_copy(update={"n": kept}) if kept else None
    return replace(setup, file=setup.file.model_copy(update={"arm": arms, "sizes": sizes}))


def with_seed(setup: Setup, seed: int) -> Setup:
    """The same trial with another seed."""
    return _with_header(setup, seed=seed)


def with_replicates(setup: Setup, replicates: int) -> Setup:
    """The same trial, repeated otherwise often."""
    return _with_header(setup, replicates=replicates)


def _with_header(setup: Setup, **changes: Any) -> Setup:
    header = setup.file.trial.model_copy(update=changes)
    return replace(setup, file=setup.file.model_copy(update={"trial": header}))
