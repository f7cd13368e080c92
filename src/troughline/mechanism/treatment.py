"""What is done to a virtual patient: lines of treatment with dose levels, rules, local therapy, visits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from troughline.mechanism.loop import patient as at
from troughline.mechanism.source import DRIVEN
from troughline.units import DAYS_PER_MONTH

Floats = NDArray[np.float64]
NODES = tuple(name.removeprefix("second_") for name in DRIVEN if name.startswith("second_"))
"""What a second drug can do: block a node (`vegfr`, …, `met`), or add toxicity (`toxicity`)."""
CRITERIA = Path(__file__).resolve().parent / "data" / "criteria.toml"
SECOND_DRUGS = Path(__file__).resolve().parent / "data" / "second_drugs.toml"
SLOT_H = 12.0
LONGEST_INTERVAL_H = 336.0
MOST_TOXICITY = 20.0
"""The most toxicity that second drugs may add, in units of sorafenib's at 4 mg/L."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseLevel:
    """One level of a regimen: `dose_mg` of sorafenib every `interval_h` (0 mg: none), and a second drug.

    `second`: by node the fraction blocked (0 to 1), and `toxicity` in units of sorafenib's at 4 mg/L.
    """

    dose_mg: float
    interval_h: float = SLOT_H
    second: Mapping[str, float] = field(default_factory=dict[str, float])

    def __post_init__(self) -> None:
        if not 0.0 <= self.dose_mg < np.inf:
            raise ValueError(f"dose_mg must be 0 or more, not {self.dose_mg}")
        slots = self.interval_h / SLOT_H
        if not 1 <= slots <= LONGEST_INTERVAL_H / SLOT_H or slots != round(slots):
            raise ValueError(f"interval_h must be a multiple of 12 h up to 336 h, not {self.interval_h}")
        unknown = sorted(set(self.second) - set(NODES))
        if unknown:
            raise ValueError(
                f"a drug with no such target: {', '.join(unknown)}; the nodes are {', '.join(NODES)}"
            )
        for node, value in self.second.items():
            if node == "toxicity" and not 0.0 <= value <= MOST_TOXICITY:
                raise ValueError(
                    f"toxicity of second drugs must be from 0 to {MOST_TOXICITY:g} times sorafenib's at "
                    f"4 mg/L, not {value:g}"
                )
            if node != "toxicity" and not 0.0 <= value <= 1.0:
                raise ValueError(f"{node} of a second drug must be a fraction from 0 to 1, not {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTherapy:
    """A session of `tace` or `ablation` on a day; `amount` 1 is the session of the model file."""

    day: float
    kind: str
    amount: float = 1.0


def session_kills(rate: float, half_days: float, amount: float = 1.0) -> float:
    """The share of what lives that a session kills: 1 − exp(−amount·rate·half/log 2).

    `rate` 1/d at its start, halving every `half_days`.
    """
    return 1.0 - math.exp(-amount * rate * half_days / math.log(2.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """An arm: dose levels of the first line from the start downwards, and of a second line after progression.

    After a toxicity that limits the dose it is held for `hold_days` and goes on one level down; past the last
    level, or with probability `stop_share`, treatment ends. It ends at progression with probability
    `stop_at_progression`, and when the liver score has worsened by `liver_stop`. The second line begins
    `next_line_after_days` after the progression at which the first was stopped. Placebo: one level of 0 mg.
    """

    name: str
    levels: Sequence[DoseLevel]
    second_line: Sequence[DoseLevel] = ()
    local: Sequence[LocalTherapy] = ()
    hold_days: float = 7.0
    stop_share: float = 0.2
    stop_at_progression: float = 0.8
    next_line_after_days: float = 14.0
    liver_stop: float = 2.0

    def __post_init__(self) -> None:
        if not self.levels:
            raise ValueError(f"the arm {self.name!r} has no dose level; placebo is one level of 0 mg")
        for name in ("stop_share", "stop_at_progression"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")
        for name in ("hold_days", "next_line_after_days", "liver_stop"):
            if getattr(self, name) < 0.0:
                raise ValueError(f"{name} must be 0 or more, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """How an image is read: RECIST 1.1's limits, and the error of a measurement (SD of its logarithm).

    `most_mm`: a sum of diameters above it is a death.
    """

    shrink: float
    grow: float
    least_mm: float
    gone_mm: float
    error: float
    viable_error: float
    most_mm: float = np.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """When patients are seen and for how long: `visit_days` of imaging, `horizon_days` of follow-up.

    `step_days`: the longest step of the slow system.
    """

    visit_days: tuple[float, ...]
    horizon_days: float
    criteria: Criteria
    step_days: float = 3.5

    def __post_init__(self) -> None:
        days = np.asarray(self.visit_days, dtype=np.float64)
        if not 0.0 < self.horizon_days < np.inf:
            raise ValueError(f"horizon_days must be more than 0, not {self.horizon_days}")
        if np.any(np.diff(days, prepend=0.0) <= 0.0):
            raise ValueError("visit_days must be after day 0 and ascend")
        if len(days) and days[-1] > self.horizon_days:
            raise ValueError(
                f"the visit on day {days[-1]:g} lies past the horizon of {self.horizon_days:g} days"
            )
        if np.any(days * 2 != np.round(days * 2)):
            raise ValueError("visit_days must be whole or half days")
        if not 0.5 <= self.step_days <= 14.0:
            raise ValueError(f"step_days must lie between 0.5 and 14, not {self.step_days}")


def read_criteria(path: Path = CRITERIA) -> Criteria:
    """The criteria of the data file, whose sources it names."""
    import tomllib

    data = tomllib.loads(path.read_text(encoding="utf-8"))
    values = {n["id"]: float(n["value"]) for n in data["number"]}
    return Criteria(**values)


def six_weekly(
    months: float,
    *,
    every_days: float = 42.0,
    step_days: float = 3.5,
    criteria: Criteria | None = None,
) -> Protocol:
    """Imaging every six weeks for `months` months of 30.4375 days."""
    horizon = float(np.ceil(months * DAYS_PER_MONTH))
    days = tuple(float(d) for d in np.arange(every_days, horizon + 1e-9, every_days))
    return Protocol(
        visit_days=days,
        horizon_days=horizon,
        criteria=criteria or read_criteria(),
        step_days=step_days,
    )


def sorafenib_levels(
    *, second: Mapping[str, float] | None = None, reduced_second: Sequence[float] = (1.0, 0.5, 0.5)
) -> tuple[DoseLevel, ...]:
    """The label's levels: 400 mg twice daily, 400 mg daily, 400 mg every other day.

    With a second drug, its fractions at each level are those given times `reduced_second`.
    """
    from troughline.evidence.store import load_drug

    levels = sorted(load_drug("sorafenib").dose_level, key=lambda d: d.level)
    given = second or {}
    return tuple(
        DoseLevel(
            dose_mg=level.amount_mg,
            interval_h=level.interval_h,
            second={k: v * reduced_second[min(i, len(reduced_second) - 1)] for k, v in given.items()},
        )
        for i, level in enumerate(levels)
    )


def plan_table(arm: Arm) -> tuple[Floats, NDArray[np.int64]]:
    """`plan` (n_lines, most levels, 2 + nodes) of the loop and the number of levels of each line."""
    lines = [tuple(arm.levels)] + ([tuple(arm.second_line)] if arm.second_line else [])
    sizes = np.array([len(line) for line in lines], dtype=np.int64)
    plan = np.zeros((len(lines), int(sizes.max()), at.PLAN_SECOND + len(NODES)))
    for i, line in enumerate(lines):
        for j, level in enumerate(line):
            plan[i, j, at.PLAN_DOSE] = level.dose_mg
            plan[i, j, at.PLAN_SLOTS] = level.interval_h / SLOT_H
            for node, value in level.second.items():
                plan[i, j, at.PLAN_SECOND + NODES.index(node)] = value
    return plan, sizes


def rule_table(arm: Arm, protocol: Protocol, *, max_step_days: float | None = None) -> Floats:
    """`rules` of the loop."""
    c = protocol.criteria
    rules = np.zeros(at.N_RULES)
    rules[at.RULE_HORIZON] = rules[at.RULE_UNTIL] = protocol.horizon_days
    rules[at.RULE_HOLD] = arm.hold_days
    rules[at.RULE_STOP_SHARE] = arm.stop_share
    rules[at.RULE_STOP_PROGRESSED] = arm.stop_at_progression
    rules[at.RULE_NEXT_LINE_AFTER] = arm.next_line_after_days
    rules[at.RULE_LIVER_STOP] = arm.liver_stop
    rules[at.RULE_STEP] = protocol.step_days if max_step_days is None else max_step_days
    rules[at.RULE_ERROR], rules[at.RULE_VIABLE_ERROR] = c.error, c.viable_error
    rules[at.RULE_SHRINK], rules[at.RULE_GROW] = c.shrink, c.grow
    rules[at.RULE_LEAST], rules[at.RULE_GONE], rules[at.RULE_MOST] = c.least_mm, c.gone_mm, c.most_mm
    return rules


def event_table(arm: Arm, protocol: Protocol, states: Sequence[str]) -> Floats:
    """`events` (n_events, 3): day, state and amount of each session of local therapy, in order of time."""
    rows: list[tuple[float, float, float]] = []
    for session in arm.local:
        if session.kind not in ("tace", "ablation") or session.kind not in states:
            raise ValueError(f"local therapy is tace or ablation, not {session.kind!r}")
        if not 0.0 <= session.day <= protocol.horizon_days or session.amount < 0.0:
            raise ValueError(
                f"a session on day {session.day:g} of amount {session.amount:g} lies outside the trial"
            )
        rows.append((session.day, float(states.index(session.kind)), session.amount))
    return np.array(sorted(rows), dtype=np.float64).reshape(len(rows), 3)


def read_second_drugs(path: Path = SECOND_DRUGS) -> dict[str, Mapping[str, float]]:
    """What each second drug of the data file does, by id: fractions blocked by node, and `toxicity`.

    Raises `ValueError` for a node that the mechanism does not have.
    """
    import tomllib

    found: dict[str, Mapping[str, float]] = {}
    for item in tomllib.loads(path.read_text(encoding="utf-8"))["drug"]:
        second = {k: float(v) for k, v in item["second"].items()}
        DoseLevel(dose_mg=0.0, second=second)
        found[item["id"]] = second
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondDrugSource:
    """Where the block and the toxicity of a second drug come from: measured, calibrated or assumed."""

    source: str
    status: str
    toxicity_source: str
    toxicity_status: str

    @property
    def words(self) -> str:
        """Both in one clause."""

        def said(source: str, status: str) -> str:
            return source if source.startswith(status) else f"{status}, {source}"

        block = said(self.source, self.status)
        toxicity = said(self.toxicity_source, self.toxicity_status)
        return f"block and toxicity {block}" if block == toxicity else f"block {block}; toxicity {toxicity}"


def second_drug_sources(path: Path = SECOND_DRUGS) -> dict[str, SecondDrugSource]:
    """By id where each second drug's numbers come from.

    Raises `ValueError` for a drug whose status is none of measured, calibrated and assumed.
    """
    import tomllib

    found: dict[str, SecondDrugSource] = {}
    for item in tomllib.loads(path.read_text(encoding="utf-8"))["drug"]:
        names = ("source", "status", "toxicity_source", "toxicity_status")
        one = SecondDrugSource(**{name: str(item[name]) for name in names})
        for status in (one.status, one.toxicity_status):
            if status not in ("measured", "calibrated", "assumed"):
                raise ValueError(f"the drug {item['id']!r} has the unknown status {status!r}")
        found[item["id"]] = one
    return found
