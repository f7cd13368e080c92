"""Who is in which arm, with which marker and which endpoint: the arrays of an interaction question."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.endpoint import Endpoint, Flags, Floats
from troughline.response.guards.wording import number as number_text
from troughline.response.guards.wording import unit_text
from troughline.response.predictor import NotAnalysable, PredictorValues, predictor_values
from troughline.response.questions.setup import outcome_of

if TYPE_CHECKING:
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.outcomes import BinaryOutcome, TimeToEvent
    from troughline.cohort.question_interaction import InteractionQuestion
    from troughline.evidence.records import Drug

WORDS = {"survival": "hazard ratio", "binary": "odds ratio", "continuous": "difference"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """`treated` says of each patient in the two arms whether treated; `why_none` why there is no control."""

    treated: Mapping[str, bool]
    names: tuple[str, str]
    why_none: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """The endpoint of every patient who has one, by patient; `unknown` says why another has none."""

    kind: str
    label: str
    unit: str = "1"
    days_per_unit: float = 1.0
    time: Mapping[str, float] = field(default_factory=dict[str, float])
    happened: Mapping[str, bool] = field(default_factory=dict[str, bool])
    value: Mapping[str, float] = field(default_factory=dict[str, float])
    unknown: Mapping[str, str] = field(default_factory=dict[str, str])
    survival: TimeToEvent | None = None
    binary: BinaryOutcome | None = None

    @property
    def patients(self) -> Mapping[str, Any]:
        """The patients whose endpoint is known."""
        return self.value if self.kind == "continuous" else self.happened

    def of(self, patients: tuple[str, ...]) -> Endpoint:
        """The endpoint of these patients, in their order."""
        if self.kind == "continuous":
            return Endpoint(kind="continuous", value=np.array([self.value[p] for p in patients]))
        event = np.array([self.happened[p] for p in patients], dtype=np.bool_)
        if self.kind == "binary":
            return Endpoint(kind="binary", event=event)
        return Endpoint(kind="survival", time=np.array([self.time[p] for p in patients]), event=event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """The marker of a question, coded for a regression.

    `number` holds a measured or recorded number by patient, `below` the limit of a patient whose level lies
    below one (it has no number), `category` a level; `ordered` says that the levels are. In `as_published`
    half a limit stands for a level below it, alone in the patients of `substituted`; `n_published_later`
    patients have a sample after treatment began in it. `post_baseline` is the median day on which the marker
    was known where that is after treatment began; `left_out` says why a patient has none.
    """

    label: str
    unit: str
    number: Mapping[str, float] = field(default_factory=dict[str, float])
    as_published: Mapping[str, float] = field(default_factory=dict[str, float])
    category: Mapping[str, str] = field(default_factory=dict[str, str])
    levels: tuple[str, ...] = ()
    ordered: bool = False
    log: bool = False
    below: Mapping[str, float] = field(default_factory=dict[str, float])
    substituted: frozenset[str] = frozenset()
    n_published_later: int = 0
    post_baseline: float | None = None
    post_baseline_group: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict[str, str])
    values: PredictorValues

    @property
    def is_number(self) -> bool:
        """Whether it is a number rather than a category."""
        return not self.levels

    @property
    def patients(self) -> Mapping[str, Any]:
        """Who has it, known exactly or to lie below a limit."""
        return {**self.number, **self.below} if self.is_number else self.category


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The patients of one analysis: `treated` (n,), `columns` (n, k) named `names`, `raw` (n,) for a number.

    `per` says in words what one unit of a column is, `labels` (k,) what each column compares. `below` (n,)
    marks levels below a limit: their `raw` is not a number, their first column the mean of the others, and
    the last column is 1.
    """

    patients: tuple[str, ...]
    endpoint: Endpoint
    treated: Flags
    columns: Floats
    names: tuple[str, ...]
    raw: Floats | None
    per: str
    labels: tuple[str, ...]
    below: Flags | None = None

    @property
    def n(self) -> int:
        """How many patients."""
        return len(self.patients)


def arms_of(cohort: Cohort, question: InteractionQuestion) -> Arms:
    """The treated and the control arm, from the `arm` column of the patients table.

    Raises `NotAnalysable` where an arm that is named does not exist or the arms must be named.
    """
    column: list[Any] = cohort.patients["arm"].tolist() if "arm" in cohort.patients.columns else []
    arm = {p: str(v) for p, v in zip(cohort.patient_ids, column, strict=False) if isinstance(v, str) and v}
    present = sorted(set(arm.values()))
    listed = ", ".join(present) or "none"
    for role in ("control", "treated"):
        name = getattr(question, role)
        if name is not None and name not in present:
            raise NotAnalysable(f"{role} = {name!r} is no arm of the patients table; its arms are: {listed}")
    if len(present) < 2:
        why = f"every patient is in the arm {present[0]!r}" if present else "the patients table names no arm"
        return Arms(treated={}, names=("", ""), why_none=why)
    if question.control is None:
        raise NotAnalysable(f"the arms are {listed}: name the one to compare with (control = ...)")
    rest = [a for a in present if a != question.control]
    if question.treated is None and len(rest) > 1:
        raise NotAnalysable(
            f"the arms beside {question.control!r} are {', '.join(rest)}: name one (treated = ...)"
        )
    treated = question.treated or rest[0]
    wanted = {question.control: False, treated: True}
    return Arms(
        treated={p: wanted[a] for p, a in arm.items() if a in wanted}, names=(treated, question.control)
    )


def outcomes_of(cohort: Cohort, question: InteractionQuestion) -> Outcomes:
    """The endpoint. Raises `NotAnalysable` where nobody has one or it never varies."""
    from troughline.cohort.outcomes import time_to_event

    if question.value is not None:
        return _continuous(cohort, question.value)
    assert question.outcome is not None
    if not question.is_timed:
        binary = outcome_of(cohort, question.outcome)
        happened = {p: bool(h) for p, h in binary.happened.items() if h is not None}
        return Outcomes(
            kind="binary", label=binary.label, happened=happened, unknown=binary.unknown, binary=binary
        )
    try:
        times = time_to_event(cohort, question.outcome, () if question.outcome.term else question.competing)
    except ValueError as error:
        raise NotAnalysable(str(error)) from None
    if not times.time:
        raise NotAnalysable(f"no patient has a follow-up time for “{times.label}”")
    if not any(s == 1 for s in times.status.values()):
        raise NotAnalysable(f"no patient had “{times.label}”: there is nothing to compare")
    return Outcomes(
        kind="survival", label=times.label, unit=times.unit, days_per_unit=times.days_per_unit,
        time=times.time, happened={p: s == 1 for p, s in times.status.items()}, unknown=times.unknown,
        survival=times,
    )  # fmt: skip


def _continuous(cohort: Cohort, name: str) -> Outcomes:
    from troughline.cohort.describe import readable

    spec = cohort.covariates.get(name)
    if spec is None or spec.levels is not None:
        known = ", ".join(n for n, s in cohort.covariates.items() if s.levels is None) or "none"
        raise NotAnalysable(f"value = {name!r} is no covariate that is a number; there are: {known}")
    cells = zip(cohort.patient_ids, cohort.patients[name].tolist(), strict=True)
    value = {p: float(v) for p, v in cells if math.isfinite(float(v))}
    if len(set(value.values())) < 2:
        raise NotAnalysable(f"{name} is missing or the same in every patient: there is nothing to compare")
    return Outcomes(
        kind="continuous", label=readable(name, inside=True), unit=spec.unit or "1", value=value,
        unknown={p: f"{name} is missing" for p in cohort.patient_ids if p not in value},
    )  # fmt: skip


def marker_of(cohort: Cohort, question: InteractionQuestion, drug: Drug | None, outcomes: Outcomes) -> Marker:
    """The marker, as known before treatment wherever anybody has it so early.

    A level drawn after treatment began is used only where no patient has an earlier one, and said so. Raises
    `NotAnalysable` for a marker that is missing or constant.
    """
    event_day: dict[str, float] = {}
    if outcomes.survival is not None:
        event_day = {p: t * outcomes.days_per_unit for p, t in outcomes.time.items() if outcomes.happened[p]}
    elif outcomes.binary is not None:
        binary = outcomes.binary
        event_day = dict(binary.decided_day if binary.is_response else binary.day)
    found = predictor_values(cohort, question.predictor, drug, event_day=event_day, event_name=outcomes.label)
    if found.group is not None:
        return _group(found)
    if found.levels:
        levels = tuple(level for level in found.levels if level in set(found.category.values()))
        if len(levels) < 2:
            raise NotAnalysable(f"{found.label} is missing or the same in every patient")
        spec = cohort.covariates.get(str(question.predictor.covariate))
        return Marker(
            label=found.label, unit="1", category=found.category, levels=levels, left_out=found.left_out,
            ordered=spec is not None and spec.ordered, values=found,
        )  # fmt: skip
    early = {p: v for p, v in found.guarded.items() if found.known_day.get(p, 0.0) <= 0}
    late: Mapping[str, float] = found.known_day if not early and found.guarded else {}
    number = early or dict(found.guarded)
    if len(set(number.values())) < 2:
        raise NotAnalysable(f"{found.label} is missing or the same in every patient")
    positive = min(number.values()) > 0
    if question.predictor.log and not positive:
        raise NotAnalysable(f"{found.label} holds values that are not positive: log = true is impossible")
    asked = found.log if question.predictor.log is None else question.predictor.log
    left_out = dict(found.left_out)
    left_out |= {p: "no sample before treatment" for p in found.guarded if p not in number}
    below, substituted, n_later = _limits(found, number)
    return Marker(
        label=found.label, unit=found.unit, number={p: v for p, v in number.items() if p not in below},
        as_published=found.as_published or number, below=below, substituted=substituted,
        n_published_later=0 if late else n_later, log=asked and positive,
        post_baseline=float(np.median(list(late.values()))) if late else None, left_out=left_out,
        values=found,
    )  # fmt: skip


def _limits(
    found: PredictorValues, number: Mapping[str, float]
) -> tuple[dict[str, float], frozenset[str], int]:
    """The limit of each level of `number` below one, whose published value is one, who has later samples."""
    exposure = found.exposure
    if exposure is None or found.model is not None:
        return {}, frozenset(), 0
    below = {p: e.samples[0].limit for p, e in exposure.guarded.items() if p in number and e.below_limit}
    substituted = frozenset(p for p, e in exposure.as_published.items() if e.below_limit)
    later = sum(any(s.day > 0 for s in e.samples) for e in exposure.as_published.values())
    return below, substituted, later


def _group(found: PredictorValues) -> Marker:
    assert found.group is not None
    outside, inside = found.group_names
    category = {p: inside if h else outside for p, h in found.group.happened.items() if h is not None}
    if len(set(category.values())) < 2:
        raise NotAnalysable(
            f"every patient whose group is known is {next(iter(category.values()), 'unknown')}"
        )
    return Marker(
        label=found.label, unit="1", category=category, levels=(outside, inside),
        post_baseline=float(np.median(list(found.group.day.values()))), post_baseline_group=found.label,
        left_out={
            p: found.group.unknown.get(p, "group unknown") for p in found.group.happened if p not in category
        },
        values=found,
    )  # fmt: skip


def sample_of(marker: Marker, outcomes: Outcomes, arms: Arms, *, published: bool = False) -> Sample:
    """The patients with marker, endpoint and (where there is a control arm) one of the two arms."""
    source = marker.as_published if published and marker.is_number else marker.patients
    patients = tuple(
        p for p in outcomes.patients if p in source and (bool(arms.why_none) or p in arms.treated)
    )
    if len(patients) < 2:
        raise NotAnalysable(f"{len(patients)} patients have both {marker.label} and the endpoint")
    treated = np.array([arms.treated.get(p, False) for p in patients], dtype=np.bool_)
    endpoint = outcomes.of(patients)
    if not marker.is_number:
        levels = marker.levels
        columns = np.column_stack(
            [np.array([float(marker.category[p] == level) for p in patients]) for level in levels[1:]]
        )
        per = f"against {levels[0]}"
        return Sample(
            patients=patients, endpoint=endpoint, treated=treated, columns=columns, names=levels[1:],
            raw=None, per=per, labels=tuple(f"{level} {per}" for level in levels[1:]),
        )  # fmt: skip
    below = np.array([not published and p in marker.below for p in patients], dtype=np.bool_)
    raw = np.array([math.nan if b else source[p] for p, b in zip(patients, below.tolist(), strict=True)])
    known, per = scaled_number(raw[~below], marker.log and bool(np.all(raw[~below] > 0)), marker.unit)
    if not below.any():
        return Sample(
            patients=patients, endpoint=endpoint, treated=treated, columns=known[:, np.newaxis],
            names=(marker.label,), raw=raw, per=per, labels=(per,),
        )  # fmt: skip
    scaled = np.full(len(patients), float(known.mean()))
    scaled[~below] = known
    under = below_words({marker.below[p] for p, b in zip(patients, below.tolist(), strict=True) if b}, marker)
    return Sample(
        patients=patients, endpoint=endpoint, treated=treated,
        columns=np.column_stack((scaled, below.astype(np.float64))), names=(marker.label, under), raw=raw,
        per=per, labels=(f"{per}, where quantified", f"{under} against the mean level quantified"),
        below=below,
    )  # fmt: skip


def below_words(limits: set[float], marker: Marker) -> str:
    """`below its limit (60 pg/mL)`, with every limit there is."""
    return f"below its limit ({', '.join(number_text(v) for v in sorted(limits))}{unit_text(marker.unit)})"


def scaled_number(raw: Floats, log: bool, unit: str) -> tuple[Floats, str]:
    """A number in doublings where `log`, else in standard deviations from its mean; and what one unit is."""
    if log:
        return np.log2(raw), "per doubling"
    spread = float(raw.std(ddof=1))
    if not spread > 0:
        raise NotAnalysable("the marker is the same in every patient")
    shown = "" if unit in ("", "1") else f" {unit}"
    return (raw - raw.mean()) / spread, f"per SD ({spread:.3g}{shown})"


def adjusting(
    cohort: Cohort, question: InteractionQuestion, marker: Marker, patients: tuple[str, ...]
) -> tuple[Floats, tuple[str, ...], NDArray[np.bool_]]:
    """Adjusting covariates (n, q), their names, and who has all of them (n,)."""
    from troughline.response.questions.adjustment import adjustment

    if not question.adjust:
        return np.empty((len(patients), 0)), (), np.ones(len(patients), dtype=np.bool_)
    found = adjustment(cohort, marker.values, question.adjust, patients)
    return found.matrix, found.names, found.complete
