"""The two columns of a survival question: who is compared, in which group, from which day on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from troughline.response.guards.wording import number, unit_text
from troughline.response.predictor import NotAnalysable, PredictorValues

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from troughline.cohort.outcomes import TimeToEvent
    from troughline.cohort.studyfile import SurvivalQuestion


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Patients of one column: arrays of length n in the outcome's unit of time.

    `entry` is when a patient came under observation (delayed entry), or None where all did at the origin.
    `group` is a label a patient, `order` the labels from first to last, `x` the continuous predictor.
    """

    patients: tuple[str, ...]
    time: NDArray[np.float64]
    status: NDArray[np.int64]
    entry: NDArray[np.float64] | None
    group: tuple[str, ...] | None
    order: tuple[str, ...]
    x: NDArray[np.float64] | None
    origin: str

    @property
    def event(self) -> NDArray[np.bool_]:
        """Whether the event (not a competing one) happened."""
        return self.status == 1

    @property
    def reference(self) -> str:
        """The group the others are compared with: the middle one of three bands, otherwise the first."""
        return self.order[1] if len(self.order) == 3 else self.order[0]


def cut_points(
    question: SurvivalQuestion, values: Mapping[str, float], found: float | None = None
) -> tuple[float, ...]:
    """The cuts of the question: as given, or quantiles of the values, or the cut that was searched."""
    import numpy as np

    bands = question.predictor.bands
    if bands is None:
        return ()
    if isinstance(bands, tuple):
        return bands
    if bands == "optimal":
        return () if found is None else (found,)
    parts = {"median": 2, "tertiles": 3, "quartiles": 4}[bands]
    shares = [k / parts for k in range(1, parts)]
    cuts = np.quantile(np.array(list(values.values()), dtype=np.float64), shares)
    return tuple(float(c) for c in np.unique(cuts))


def band_labels(cuts: tuple[float, ...], unit: str) -> tuple[str, ...]:
    """`< 1.40 µg/mL`, `1.40–3.45 µg/mL`, `≥ 3.45 µg/mL`."""
    if not cuts:
        return ()
    tail = unit_text(unit)
    shown = [number(c) for c in cuts]
    inner = [f"{a}–{b}{tail}" for a, b in itertools.pairwise(shown)]
    return (f"< {shown[0]}{tail}", *inner, f"≥ {shown[-1]}{tail}")


def band_of(value: float, cuts: tuple[float, ...], labels: tuple[str, ...]) -> str:
    """The label of the band a value lies in; a value at a cut belongs to the upper band."""
    return labels[sum(value >= c for c in cuts)]


def category_groups(values: PredictorValues) -> tuple[dict[str, str], tuple[str, ...]]:
    """Each patient's level of a categorical covariate with its name before it, and the levels in order.

    The name is for display; `bare_label` takes it off again.
    """
    named = {p: f"{values.label} {level}" for p, level in values.category.items()}
    present = set(named.values())
    order = tuple(f"{values.label} {level}" for level in values.levels)
    return named, tuple(label for label in order if label in present)


def bare_label(label: str, covariate: str | None) -> str:
    """`arm sorafenib vs arm placebo` without the covariate's name: `sorafenib vs placebo`."""
    if not covariate:
        return label
    return " vs ".join(side.removeprefix(f"{covariate} ") for side in label.split(" vs "))


def naive_column(
    values: PredictorValues, times: TimeToEvent, cuts: tuple[float, ...], origin: str = "the first dose"
) -> Column:
    """As published: everyone with a value, counted from the first dose (`origin` names it)."""
    if values.group is not None:
        outside, inside = values.group_names
        chosen = {
            p: (inside if yes else outside) for p, yes in values.group.happened.items() if yes is not None
        }
        return _column(times, chosen, values.group_names, None, None, origin)
    if values.category:
        named, order = category_groups(values)
        return _column(times, named, order, None, None, origin)
    labels = band_labels(cuts, values.unit)
    group = {p: band_of(v, cuts, labels) for p, v in values.as_published.items()} if labels else None
    return _column(times, group, labels, values.as_published, None, origin)


def landmark_column(
    values: PredictorValues, times: TimeToEvent, cuts: tuple[float, ...], day: float
) -> tuple[Column, int]:
    """Guarded: those at risk at a landmark, in the group they were in by then; and events before it.

    Raises `NotAnalysable` where nobody is left.
    """
    from troughline.survival.landmark import landmark

    at = day / times.days_per_unit
    if values.group is not None:
        outside, inside = values.group_names
        group: dict[str, str] | None = {
            p: (inside if yes and values.group.day.get(p, math.inf) <= day else outside)
            for p, yes in values.group.happened.items()
            if yes is not None
        }
        order: tuple[str, ...] = values.group_names
        x: Mapping[str, float] | None = None
    elif values.category:
        group, order = category_groups(values)
        x = None
    else:
        known = {p: v for p, v in values.guarded.items() if values.known_day[p] <= day}
        order = band_labels(cuts, values.unit)
        group = {p: band_of(v, cuts, order) for p, v in known.items()} if order else None
        x = known
    whole = _column(times, group, order, x, None, "")
    try:
        kept = landmark(whole.time, whole.status > 0, at)
    except ValueError:
        last = float(whole.time.max()) * times.days_per_unit
        raise NotAnalysable(
            f"nobody is at risk after the landmark on day {day:g}; follow-up ends on day {last:.0f}"
        ) from None
    rows = [i for i, k in enumerate(kept.kept) if k]
    return (
        Column(
            patients=tuple(whole.patients[i] for i in rows),
            time=kept.time,
            status=whole.status[kept.kept],
            entry=None,
            group=tuple(whole.group[i] for i in rows) if whole.group is not None else None,
            order=tuple(g for g in order if whole.group is None or g in {whole.group[i] for i in rows}),
            x=whole.x[kept.kept] if whole.x is not None else None,
            origin=f"the landmark on day {day:g}",
        ),
        int((whole.status[~kept.kept] == 1).sum()),
    )


def entry_column(values: PredictorValues, times: TimeToEvent) -> Column:
    """Guarded, continuous: each patient enters on the day the value was known (delayed entry).

    Raises `NotAnalysable` where nobody is left.
    """
    entry = {p: values.known_day[p] / times.days_per_unit for p in values.guarded}
    late = {p: v for p, v in values.guarded.items() if p in times.time and times.time[p] > entry[p]}
    if not late:
        raise NotAnalysable("nobody was followed beyond the day of the sample")
    return _column(times, None, (), late, entry, "the day of the sample")


def at_zero_column(values: PredictorValues, times: TimeToEvent, cuts: tuple[float, ...]) -> Column:
    """Guarded, for what is known at time zero: the same comparison from the first dose."""
    from dataclasses import replace

    return replace(naive_column(values, times, cuts), origin="time zero")


def _column(
    times: TimeToEvent,
    group: Mapping[str, str] | None,
    order: tuple[str, ...],
    x: Mapping[str, float] | None,
    entry: Mapping[str, float] | None,
    origin: str,
) -> Column:
    import numpy as np

    source: Mapping[str, object] = group if group is not None else (x or {})
    patients = tuple(p for p in times.time if p in source)
    if not patients:
        raise NotAnalysable("no patient has both a follow-up time and a value of the predictor")
    present = {group[p] for p in patients} if group is not None else set[str]()
    return Column(
        patients=patients,
        time=np.array([times.time[p] for p in patients], dtype=np.float64),
        status=np.array([times.status[p] for p in patients], dtype=np.int64),
        entry=None if entry is None else np.array([entry[p] for p in patients], dtype=np.float64),
        group=tuple(group[p] for p in patients) if group is not None else None,
        order=tuple(g for g in order if g in present),
        x=None if x is None else np.array([x[p] for p in patients], dtype=np.float64),
        origin=origin,
    )
