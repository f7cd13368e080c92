"""The measured levels of a marker in its unit, with their limits: read once for every kind about markers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from troughline.biomarker.censored import share_one_sided_bound

if TYPE_CHECKING:
    import pandas as pd

    from troughline.cohort.cohort import Cohort


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One measured level in the marker's unit; NaN beyond its limit, where `limit` holds.

    `occasion` is its place among those of the question (0 where there are none). `floor` and `ceiling` are
    the limits of its assay, minus or plus infinity where none is known.
    """

    patient: str
    occasion: int
    day: float
    value: float
    below: bool
    above: bool
    limit: float
    assay: str
    batch: str
    row: int
    floor: float = -math.inf
    ceiling: float = math.inf

    def within(self, floor: float, ceiling: float) -> Level:
        """The same level with the limits of its assay."""
        # dataclasses.replace takes five times as long, which hundreds of thousands of levels feel.
        return Level(
            patient=self.patient, occasion=self.occasion, day=self.day, value=self.value, below=self.below,
            above=self.above, limit=self.limit, assay=self.assay, batch=self.batch, row=self.row,
            floor=floor, ceiling=ceiling,
        )  # fmt: skip

    @property
    def at_half_limit(self) -> float:
        """The level as a paper would count it: half the limit below it, the limit above it."""
        return self.limit / 2 if self.below else self.limit if self.above else self.value


def analyte_tables(cohort: Cohort, analytes: Iterable[str]) -> dict[str, pd.DataFrame]:
    """The rows of the measurements of each analyte, by its name in lower case; empty where it has none."""
    named = cohort.measurements["analyte"]
    lower = {name: str(name).casefold() for name in named.dropna().unique()}
    rows = {str(k): v for k, v in cohort.measurements.groupby(named.map(lower), sort=False)}
    return {a.casefold(): rows.get(a.casefold(), cohort.measurements.iloc[:0]) for a in analytes}


def measured_levels(
    cohort: Cohort,
    analyte: str,
    unit: str,
    *,
    assay: str | None = None,
    molar_mass_g_per_mol: float | None = None,
    table: pd.DataFrame | None = None,
    occasion_of: Callable[[float, Any], int | None] = lambda day, named: 0,
) -> list[Level]:
    """Every level of a marker, by day and row.

    `occasion_of` takes the study day and the name of the occasion of a sample (None where it has none) and
    tells its place, or None for a sample that no occasion of the question holds. The molar mass is that of
    the analyte where left out; `table` are the rows of the analyte, for who has them (`analyte_tables`).
    Raises `ValueError` where the marker was not measured or a unit does not convert.
    """
    from troughline.units import convert
    from troughline.units import molar_mass_g_per_mol as known_mass

    if table is None:
        table = analyte_tables(cohort, [analyte])[analyte.casefold()]
    if assay is not None:
        table = table[table["assay"] == assay]
    if table.empty:
        of = f" by {assay}" if assay else ""
        raise ValueError(f"no measurement of {analyte!r}{of}")
    mass = molar_mass_g_per_mol or known_mass(analyte)
    names = (
        "patient", "day", "value", "unit", "below_limit", "above_limit", "limit", "assay", "batch",
        "occasion", "row",
    )  # fmt: skip
    records: Any = zip(*(table[c].tolist() for c in names), strict=True)
    factors: dict[str, float] = {}
    found: list[Level] = []
    for patient, day, value, written, below, above, limit, by, batch, named, row in records:
        occasion = occasion_of(float(day), named)
        if occasion is None:
            continue
        if written not in factors:
            factors[written] = float(convert(1.0, str(written), unit, molar_mass_g_per_mol=mass))
        factor = factors[written]
        found.append(
            Level(
                patient=str(patient), occasion=occasion, day=float(day), value=float(value) * factor,
                below=bool(below), above=bool(above), limit=float(limit) * factor,
                assay=by if isinstance(by, str) else "", batch=batch if isinstance(batch, str) else "",
                row=int(row),
            )
        )  # fmt: skip
    return sorted(found, key=lambda v: (v.day, v.row))


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """A marker all of whose levels lie beyond a limit: on which `side`, and what they say all the same.

    No level was on the other side of `limit` (the highest of those below, the lowest of those above) in
    `n_levels` samples of `n_patients`; `share_bound` bounds the share of patients who would have one there,
    one-sided at `level`.
    """

    side: str
    limit: float
    n_levels: int
    n_patients: int
    share_bound: float
    level: float = 0.95

    @property
    def other_side(self) -> str:
        """Where none of the levels lies."""
        return "above" if self.side == "below" else "below"

    @property
    def reason(self) -> str:
        """Why nothing can be tested."""
        which = "limit" if self.side == "below" else "upper limit"
        return f"all {self.n_levels} levels lie {self.side} the {which} of quantification"

    def words(self, unit: str) -> str:
        """What can be said: `never above 0.50 pg/mL in 24 samples of 12 patients; at most 22.1 % …`."""
        from troughline.response.guards.wording import count, number, percent_up, unit_text

        return (
            f"never {self.other_side} {number(self.limit)}{unit_text(unit)} in {self.n_levels} samples of "
            f"{count(self.n_patients, 'patient')}; at most {percent_up(self.share_bound)} of such patients "
            f"would have a level {self.other_side} it (one-sided {100 * self.level:g} %)"
        )


def all_beyond(levels: Sequence[Level], *, level: float = 0.95) -> Beyond | None:
    """What levels that all lie below (or all above) their limits say; None where one was quantified.

    Patients, not samples, are counted: one-sided bound of Clopper and Pearson with none of them seen.
    """
    below = bool(levels) and all(v.below for v in levels)
    above = bool(levels) and all(v.above for v in levels)
    if not below and not above:
        return None
    limits = [v.limit for v in levels]
    n = len({v.patient for v in levels})
    return Beyond(
        side="below" if below else "above", limit=max(limits) if below else min(limits),
        n_levels=len(levels), n_patients=n, share_bound=share_one_sided_bound(0, n, level=level), level=level,
    )  # fmt: skip


def quantile_words(levels: Sequence[Level], share: float) -> str:
    """A quantile as far as the limits let it be known: `5.2`, `< 10`, `> 40`, or `5 to 10`.

    It lies between the quantile of the least and that of the most that each level can be (linear
    interpolation between neighbours); nothing is assumed of what lies beyond a limit.
    """
    low = _quantile([-math.inf if v.below else v.limit if v.above else v.value for v in levels], share)
    high = _quantile([math.inf if v.above else v.limit if v.below else v.value for v in levels], share)
    if low == high:
        return f"{low:.3g}"
    if math.isinf(low) and math.isinf(high):
        return "not known"
    if math.isinf(low):
        sign = "<" if any(v.below and v.limit == high for v in levels) else "≤"
        return f"{sign} {high:.3g}"
    if math.isinf(high):
        return f"{'>' if any(v.above and v.limit == low for v in levels) else '≥'} {low:.3g}"
    return f"{low:.3g} to {high:.3g}"


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low, high = ordered[math.floor(at)], ordered[math.ceil(at)]
    part = at - math.floor(at)
    return low if low == high or part == 0 else (1 - part) * low + part * high
