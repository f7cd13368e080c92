"""Trials that the calibration has not seen: who was treated, with what, and which numbers were printed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from troughline.evidence.numbers import Number
from troughline.evidence.store import load_publication
from troughline.mechanism.tace_on_demand import OnDemand
from troughline.mechanism.targets import Target, read_targets

DESIGNS = Path(__file__).resolve().parent / "data" / "trial_designs.toml"
Z_95 = 1.959963984540054
EVENTS = 0.75
Measure = Literal[
    "os_median", "pfs_median", "ttp_median", "duration_median", "os_hr", "pfs_hr", "ttp_hr", "orr", "dcr",
    "reductions", "repeated",
]  # fmt: skip
MEASURES: tuple[Measure, ...] = (
    "os_median", "pfs_median", "ttp_median", "duration_median", "os_hr", "pfs_hr", "ttp_hr", "orr", "dcr",
    "reductions", "repeated",
)  # fmt: skip
PROPORTIONS = ("orr", "dcr", "reductions", "repeated")
CRITERIA = ("recist", "mrecist", "untaceable")
TACE = ("none", "scheduled", "on demand")


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatedArm:
    """An arm: `n` patients, sorafenib by the label, from the `reduced` level on, or none; what goes with it.

    `second`: a second drug beside sorafenib. `second_line`: after progression a drug, or `placebo`. `tace`:
    sessions on the trial's days (`scheduled`), or at images that ask for them (`on demand`).
    """

    id: str
    n: int
    sorafenib: Literal["label", "reduced", "none"]
    second: str | None = None
    second_line: str | None = None
    tace: Literal["none", "scheduled", "on demand"] = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A printed number and how it is counted: a `measure` of an `arm`, against a `control` for a ratio."""

    target: Target
    measure: Measure
    arm: str
    control: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialDesign:
    """A trial as the mechanism runs it.

    `fixed`: covariates at one value; `scale`: typical values times a factor; times in days and months.
    `criterion` of progression: `recist`, `mrecist` or `untaceable`. `origin`: what time counts from; from the
    second line only who got it counts, with at most `most_reductions` before. `patients`: how many virtual
    patients an arm, where not the default. `assumed`: what no source says.
    """

    id: str
    study: str
    label: str
    population: str
    every_days: float
    horizon_months: float
    criterion: Literal["recist", "mrecist", "untaceable"]
    arms: tuple[TreatedArm, ...]
    measured: tuple[Measured, ...]
    assumed: tuple[str, ...]
    fixed: Mapping[str, float] = field(default_factory=dict[str, float])
    scale: Mapping[str, float] = field(default_factory=dict[str, float])
    origin: Literal["first dose", "second line"] = "first dose"
    most_reductions: int = 99
    stop_at_progression: float = 0.8
    tace_days: tuple[float, ...] = ()
    on_demand: OnDemand | None = None
    patients: int | None = None

    def arm(self, name: str) -> TreatedArm:
        """The arm of that name. Raises `ValueError` for one that the trial does not have."""
        for arm in self.arms:
            if arm.id == name:
                return arm
        raise ValueError(f"the trial {self.id!r} has no arm {name!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotPredicted:
    """A printed number that the mechanism cannot predict, and why."""

    study: str
    number: Number
    reason: str


def read_designs(path: Path = DESIGNS) -> tuple[TrialDesign, ...]:
    """The trials of the data file, their sizes and printed numbers from the evidence records.

    Raises `ValueError` for an arm, a measure or a criterion that is unknown, and for an arm without a size.
    """
    return tuple(_design(item) for item in _read(path)["trial"])


def known_targets() -> dict[str, Target]:
    """Every target on file by id: those of the fit and what stands beside it, and those of these trials."""
    found = {t.id: t for t in read_targets()}
    return found | {m.target.id: m.target for design in read_designs() for m in design.measured}


def read_not_predicted(path: Path = DESIGNS) -> tuple[NotPredicted, ...]:
    """What the data file says cannot be predicted."""
    return tuple(
        NotPredicted(
            study=item["study"],
            number=load_publication(item["study"]).sourced(item["number"]),
            reason=item["reason"],
        )
        for item in _read(path)["not_predicted"]
    )


def _read(path: Path) -> dict[str, Any]:
    import tomllib

    return tomllib.loads(path.read_text(encoding="utf-8"))


def _design(item: Mapping[str, Any]) -> TrialDesign:
    sizes = {a.id: a.n for a in load_publication(item["study"]).arm}
    arms: list[TreatedArm] = []
    for given in item["arm"]:
        n = sizes.get(given["id"])
        if n is None:
            raise ValueError(f"the study {item['study']!r} prints no size of an arm {given['id']!r}")
        if given.get("tace", "none") not in TACE or given["sorafenib"] not in ("label", "reduced", "none"):
            raise ValueError(f"the arm {given['id']!r} of {item['id']!r} has an unknown treatment")
        arms.append(TreatedArm(n=n, **given))
    if item["criterion"] not in CRITERIA:
        raise ValueError(f"the criterion of {item['id']!r} is {' or '.join(CRITERIA)}")
    kept = (
        "id", "study", "label", "population", "every_days", "horizon_months", "criterion", "fixed", "scale",
        "origin", "most_reductions", "stop_at_progression", "patients",
    )  # fmt: skip
    design = TrialDesign(
        **{name: item[name] for name in kept if name in item},
        arms=tuple(arms),
        measured=(),
        assumed=tuple(item["assumed"]),
        tace_days=tuple(float(d) for d in item.get("tace_days", ())),
        on_demand=OnDemand(**item["on_demand"]) if "on_demand" in item else None,
    )
    if design.on_demand is None and (
        design.criterion == "untaceable" or any(a.tace == "on demand" for a in design.arms)
    ):
        raise ValueError(f"the trial {design.id!r} has no on_demand: when a session is repeated")
    measured = tuple(_measured(design, given) for given in item["target"])
    return TrialDesign(
        **{name: getattr(design, name) for name in TrialDesign.__slots__ if name != "measured"},
        measured=measured,
    )


def _measured(design: TrialDesign, given: Mapping[str, Any]) -> Measured:
    measure: Measure = given["measure"]
    if measure not in MEASURES:
        raise ValueError(f"{given['id']!r} asks for an unknown measure {measure!r}")
    arms = [design.arm(given["arm"])]
    if (measure.endswith("_hr")) != ("control" in given):
        raise ValueError(f"{given['id']!r}: a hazard ratio has a control, and nothing else does")
    if "control" in given:
        arms.append(design.arm(given["control"]))
    number = load_publication(design.study).sourced(given["number"])
    if number.value is None:
        raise ValueError(f"{design.study} prints no value of {given['number']!r}")
    if "low" in given:
        low, high = float(given["low"]), float(given["high"])
    elif number.interval == "confidence" and number.low is not None and number.high is not None:
        low, high = number.low, number.high
    else:
        share = float(given.get("events", EVENTS))
        low, high = interval_of_size(number.value, measure, sum(a.n for a in arms), share)
    return Measured(
        target=Target(
            id=given["id"],
            quantity=given["id"],
            use=given.get("use", "held out"),
            value=number.value,
            unit=number.unit,
            low=low,
            high=high,
            sd=0.0,
            log=False,
            source=f"{design.study}, {given['number']}",
            verified=number.verified,
            note=given.get("note", ""),
            printed=given.get("printed", ""),
        ),
        measure=measure,
        arm=given["arm"],
        control=given.get("control"),
    )


def interval_of_size(value: float, measure: Measure, n: int, events: float) -> tuple[float, float]:
    """The 95 % interval that a trial of `n` patients prints around `value`, a share `events` with the event.

    A median of an exponential time: log value ± z/(ln 2 √d); a hazard ratio of two like arms: ± 2z/√d;
    d = events · n; a proportion in %: Wilson's. Source of the second: Schoenfeld 1981,
    doi 10.1093/biomet/68.1.316; of the third: `response.proportions`.
    """
    from troughline.response.proportions import wilson_limits

    if measure in PROPORTIONS:
        low, high = wilson_limits(value / 100.0, n, Z_95)
        return 100.0 * max(low, 0.0), 100.0 * min(high, 1.0)
    d = events * n
    width = Z_95 * (2.0 if measure.endswith("_hr") else 1.0 / math.log(2.0)) / math.sqrt(d)
    return value * math.exp(-width), value * math.exp(width)
