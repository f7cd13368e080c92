"""The pairs of a `change` question: which level of whom counts at which occasion, and who has none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.censored import Censored, Pairs, levels
from troughline.biomarker.marker_levels import Beyond, Level, all_beyond, measured_levels

if TYPE_CHECKING:
    import pandas as pd

    from troughline.cohort.cohort import Cohort
    from troughline.cohort.question_change import ChangeQuestion, Marker

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Who is in which group, the groups in order, and the dose of each patient where it is known.

    `ordered` tells whether the order means something. `ungrouped` says why a patient is in none.
    """

    label: str
    names: tuple[str, ...]
    of: Mapping[str, int]
    ordered: bool
    dose: Mapping[str, float] = field(default_factory=dict[str, float])
    dose_unit: str = ""
    dose_label: str = ""
    ungrouped: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerData:
    """One marker: every level used, and the pairs of each later occasion with the first.

    `left_out` says why a patient has no pair. `not_analysable` says why nothing can be tested, or is empty;
    `beyond` what levels that all lie beyond a limit say.
    `without_log` names each level of 0 or less where ratios are asked for, and what became of it.
    """

    analyte: str
    unit: str
    levels: tuple[Level, ...]
    paired: tuple[PairedLevels, ...]
    left_out: Mapping[str, str]
    not_analysable: str = ""
    beyond: Beyond | None = None
    without_log: tuple[str, ...] = ()

    @property
    def n_beyond(self) -> int:
        """Levels below or above a limit."""
        return sum(v.below or v.above for v in self.levels)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedLevels:
    """The pairs of one marker and one later occasion: aligned over patients, `group` `(n,)` 0, 1, …."""

    occasion: str
    patients: tuple[str, ...]
    group: NDArray[np.intp]
    before: tuple[Level, ...]
    after: tuple[Level, ...]
    pairs: Pairs

    def __len__(self) -> int:
        return len(self.patients)

    def subset(self, rows: NDArray[np.intp]) -> PairedLevels:
        """The pairs at these places."""
        chosen: list[int] = rows.tolist()
        return PairedLevels(
            occasion=self.occasion,
            patients=tuple(self.patients[i] for i in chosen),
            group=self.group[rows],
            before=tuple(self.before[i] for i in chosen),
            after=tuple(self.after[i] for i in chosen),
            pairs=self.pairs[rows],
        )


def groups_of(cohort: Cohort, question: ChangeQuestion) -> Groups:
    """The groups of the question, in the order of the category's levels (of appearance for a plain column).

    Raises `ValueError` where the column is not there or nobody has a group.
    """
    patients = cohort.patient_ids
    name = question.group
    if name is None:
        return Groups(label="", names=("all patients",), of=dict.fromkeys(patients, 0), ordered=False)
    if name not in cohort.patients.columns:
        raise ValueError(f"the patients table has no column {name!r}")
    raw: list[Any] = cohort.patients[name].tolist()
    told = {p: str(v) for p, v in zip(patients, raw, strict=True) if isinstance(v, str) and v}
    spec = cohort.covariates.get(name)
    levels_of = spec.levels if spec is not None else None
    order = tuple(levels_of) if levels_of is not None else tuple(dict.fromkeys(told.values()))
    order = tuple(level for level in order if level in set(told.values()))
    if not order:
        raise ValueError(f"{name} is missing in every patient")
    dose, unit = _doses(cohort, question)
    if dose:
        middle = {
            level: float(np.median([dose[p] for p in told if told[p] == level and p in dose] or [math.inf]))
            for level in order
        }
        order = tuple(sorted(order, key=lambda level: middle[level]))
    from troughline.cohort.describe import readable

    return Groups(
        label=readable(name, inside=True),
        names=order,
        of={p: order.index(level) for p, level in told.items()},
        ordered=bool(dose) or (spec is not None and spec.ordered),
        dose=dose,
        dose_unit=unit,
        dose_label=readable(question.dose, inside=True) if question.dose else "",
        ungrouped={p: f"{name} is missing" for p in patients if p not in told},
    )


def _doses(cohort: Cohort, question: ChangeQuestion) -> tuple[dict[str, float], str]:
    if question.dose is None:
        return {}, ""
    raw: list[Any] = cohort.patients[question.dose].tolist()
    values = {p: float(v) for p, v in zip(cohort.patient_ids, raw, strict=True) if not math.isnan(float(v))}
    return values, cohort.covariates[question.dose].unit or "1"


def marker_data(
    cohort: Cohort,
    question: ChangeQuestion,
    marker: Marker,
    groups: Groups,
    table: pd.DataFrame | None = None,
) -> MarkerData:
    """The levels and pairs of one marker; `table` are its rows of the measurements, for who has them.

    For a ratio a level of 0 counts as below its limit where one is stated, and is left out where none is. Of
    several levels of a patient at one occasion the first counts. A pair whose two levels come from
    different assays is no pair. Raises `ValueError` where the marker was not measured or its unit does not
    convert.
    """
    found = measured_levels(
        cohort, marker.analyte, marker.unit, assay=marker.assay, table=table,
        occasion_of=lambda day, named: _occasion(question, day, named),
    )  # fmt: skip
    without_log: list[str] = []
    zeros: dict[str, str] = {}
    if question.scale == "ratio":
        found, without_log, zeros = _with_logarithm(found)
    first: dict[tuple[str, int], Level] = {}
    for one in found:
        first.setdefault((one.patient, one.occasion), one)
    used = tuple(_with_limits(list(first.values())))
    held = {(one.patient, one.occasion): one for one in used}
    names, left_out = question.occasion_names, dict(groups.ungrouped)
    paired: list[PairedLevels] = []
    for k in range(1, len(names)):
        kept: list[str] = []
        for patient in cohort.patient_ids:
            if patient in groups.ungrouped:
                continue
            before, after = held.get((patient, 0)), held.get((patient, k))
            reason = _unpaired(before, after, names[0], names[k])
            if reason:
                reason = zeros.get(patient, reason)
                left_out.setdefault(patient, reason)
            else:
                kept.append(patient)
        paired.append(_pairs(question, kept, held, k, names[k], groups))
    beyond = all_beyond(used, level=cohort.study.study.level)
    in_a_pair = {p for one in paired for p in one.patients}
    return MarkerData(
        analyte=marker.analyte if marker.assay is None else f"{marker.analyte} ({marker.assay})",
        unit=marker.unit,
        levels=used,
        paired=tuple(paired),
        left_out={p: why for p, why in left_out.items() if p not in in_a_pair},
        not_analysable=_why_not(used, paired, names, beyond),
        beyond=beyond,
        without_log=tuple(without_log),
    )


def _with_logarithm(found: list[Level]) -> tuple[list[Level], list[str], dict[str, str]]:
    """The levels that have a logarithm, or a limit that they lie below; what became of the others; whose."""
    kept: list[Level] = []
    dropped: dict[str, str] = {}
    said: list[str] = []
    for one in found:
        if one.below or one.above or one.value > 0:
            kept.append(one)
            continue
        where = f"row {one.row} (patient {one.patient}, {one.value:g})"
        if one.limit > 0:
            kept.append(replace(one, value=math.nan, below=True))
            said.append(f"{where} counts as below its limit of {one.limit:g}")
        else:
            said.append(f"{where} is left out, as no limit is stated")
            dropped[one.patient] = f"a level of {one.value:g} has no logarithm: row {one.row}"
    return kept, said, dropped


def _unpaired(before: Level | None, after: Level | None, first: str, later: str) -> str:
    if before is None and after is None:
        return "no level at either occasion"
    if before is None:
        return f"no level at “{first}”: unpaired"
    if after is None:
        return f"no level at “{later}”: unpaired"
    if before.assay and after.assay and before.assay != after.assay:
        return f"two assays: {before.assay} at “{first}”, {after.assay} at “{later}”"
    return ""


def _pairs(
    question: ChangeQuestion,
    patients: list[str],
    held: Mapping[tuple[str, int], Level],
    occasion: int,
    name: str,
    groups: Groups,
) -> PairedLevels:
    before = tuple(held[p, 0] for p in patients)
    after = tuple(held[p, occasion] for p in patients)
    log = question.scale == "ratio"
    both = (before, after)
    floor = np.array([[v.floor for v in one] for one in both], dtype=np.float64).reshape(2, -1)
    ceiling = np.array([[v.ceiling for v in one] for one in both], dtype=np.float64).reshape(2, -1)
    if log:
        with np.errstate(divide="ignore", invalid="ignore"):
            floor = np.where(np.isneginf(floor), -np.inf, np.log(np.abs(floor)))
            ceiling = np.log(ceiling)
    return PairedLevels(
        occasion=name,
        patients=tuple(patients),
        group=np.array([groups.of[p] for p in patients], dtype=np.intp),
        before=before,
        after=after,
        pairs=Pairs(before=_censored(before, log), after=_censored(after, log), floor=floor, ceiling=ceiling),
    )


def _censored(found: tuple[Level, ...], log: bool) -> Censored:
    return levels(
        np.array([v.value for v in found], dtype=np.float64),
        np.array([v.below for v in found], dtype=np.bool_),
        np.array([v.above for v in found], dtype=np.bool_),
        np.array([v.limit for v in found], dtype=np.float64),
        log=log,
    )


def _why_not(
    used: tuple[Level, ...], paired: list[PairedLevels], names: tuple[str, ...], beyond: Beyond | None
) -> str:
    there = {v.occasion for v in used}
    if len(there) < 2:
        only = names[next(iter(there))] if there else "no occasion"
        return f"it was measured at one occasion only (“{only}”)" if there else "it has no level"
    if beyond is not None:
        return beyond.reason
    if not any(len(one) for one in paired):
        return "no patient has a level at both occasions by one assay"
    if len({v.value for v in used if not (v.below or v.above)}) == 1 and not any(
        v.below or v.above for v in used
    ):
        return f"it is the same ({used[0].value:g}) in every sample"
    return ""


def _occasion(question: ChangeQuestion, day: float, named: Any) -> int | None:
    if question.occasions is not None:
        return question.occasions.index(named) if named in question.occasions else None
    for k, (first, last) in enumerate(question.days or ()):
        if first <= day <= last:
            return k
    return None


def _with_limits(found: list[Level]) -> list[Level]:
    """Each level with the limits of its assay: its own, or the strictest that the assay's others tell of."""
    highest: dict[str, float] = {}
    lowest: dict[str, float] = {}
    for one in found:
        if one.below:
            highest[one.assay] = max(one.limit, highest.get(one.assay, -math.inf))
        if one.above:
            lowest[one.assay] = min(one.limit, lowest.get(one.assay, math.inf))
    out: list[Level] = []
    for one in found:
        own = one.limit if not one.above and math.isfinite(one.limit) else highest.get(one.assay, -math.inf)
        top = one.limit if one.above else lowest.get(one.assay, math.inf)
        # A level reported under its own limit was read all the same: then that limit is none for it.
        if not one.below and not one.above and one.value < own:
            own = -math.inf
        out.append(one.within(own, top))
    return out
