"""Markers and characteristics of a cohort as aligned columns, with limits kept as limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.censored import Censored
from troughline.biomarker.marker_levels import Beyond, Level, all_beyond, measured_levels
from troughline.biomarker.rank_correlation import tied_beyond
from troughline.cohort.describe import readable

if TYPE_CHECKING:
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.question_association import Characteristic, Marker
    from troughline.evidence.records import Drug

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Scale = Literal["ordered", "binary", "nominal", "number"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerColumn:
    """One marker in the order of the cohort's patients, shape (n,).

    `values` are in `unit`, NaN where missing, and hold the limit where `below` or `above` is true. `log`:
    ratios are the scale to speak in. `repeats` counts later samples, of each patient the first counts.
    `beyond` is set where every value lies beyond a limit: nothing can be tested.
    """

    asked: Marker
    label: str
    unit: str
    values: Floats
    below: Flags
    above: Flags
    log: bool
    platform: str | None
    repeats: int = 0
    beyond: Beyond | None = None

    @property
    def known(self) -> Flags:
        """Who has the marker, (n,)."""
        return np.isfinite(self.values)

    @property
    def substituted(self) -> Floats:
        """Half the limit where a value lies below it, the limit above it: as a paper would, (n,)."""
        return np.where(self.below, self.values / 2, self.values)

    @property
    def hidden(self) -> Flags:
        """Which values are only known to lie beyond a limit, (n,)."""
        return self.below | self.above

    def intervals(self, here: Flags) -> Censored:
        """The values of some patients as intervals; `here` (n,)."""
        value = self.values[here]
        return Censored(np.where(self.below[here], -np.inf, value), np.where(self.above[here], np.inf, value))

    def ranked(self, here: Flags) -> Floats:
        """The values of some patients for rank methods. Raises `ValueError` as `tied_beyond`."""
        return tied_beyond(self.values[here], self.below[here], self.above[here])

    def median(self, here: Flags) -> tuple[float | None, float | None]:
        """Between which ends the median of some patients lies: both its value, or one end and None.

        `here` (n,) has at least one patient with the marker.
        """
        values = np.where(self.below, -np.inf, np.where(self.above, np.inf, self.values))[here]
        middle = float(np.median(self.values[here]))
        low, high = np.sort(values)[[(values.size - 1) // 2, values.size // 2]]
        return (None if np.isneginf(low) else middle), (None if np.isposinf(high) else middle)


@dataclass(frozen=True, slots=True, kw_only=True)
class CharacteristicColumn:
    """One characteristic in the order of the cohort's patients: a number or a level's index; NaN missing."""

    name: str
    label: str
    scale: Scale
    values: Floats
    levels: tuple[str, ...]
    unit: str
    log: bool

    @property
    def known(self) -> Flags:
        """Who has the characteristic, (n,)."""
        return np.isfinite(self.values)

    @property
    def step(self) -> str:
        """What one step of it is, for an effect per step."""
        if self.scale == "number":
            return "per doubling" if self.log else f"per {'unit' if self.unit == '1' else self.unit}"
        return "per stage" if self.scale == "ordered" else f"{self.levels[1]} against {self.levels[0]}"

    @property
    def scores(self) -> Floats:
        """The values on the scale of `step`: the logarithm to the base 2 where it is per doubling, (n,)."""
        if not self.log:
            return self.values
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.values > 0, np.log2(self.values), np.nan)


SAME_THING = ({"child_pugh_score", "child_pugh_class", "child_pugh"}, {"albi", "albi_grade"})
"""Names of one thing in two forms, of which neither is adjusted for the other."""


def adjusting(names: Sequence[str], characteristic: str) -> tuple[str, ...]:
    """The covariates of `names` that a characteristic can be adjusted for: not itself, nor its other form."""
    itself = {characteristic}.union(*(s for s in SAME_THING if characteristic in s))
    return tuple(n for n in names if n not in itself)


def marker_column(cohort: Cohort, marker: Marker, drug: Drug | None) -> MarkerColumn:
    """A marker of every patient.

    Raises `ValueError` where it was not measured or its unit does not convert.
    """
    patients = cohort.patient_ids
    values = np.full(len(patients), math.nan)
    below, above = (np.zeros(len(patients), dtype=np.bool_) for _ in range(2))
    platform, repeats = marker.platform, 0
    beyond: Beyond | None = None
    if marker.covariate is not None:
        values[:] = np.asarray(cohort.patients[marker.covariate], dtype=np.float64)
        unit, label = cohort.covariates[marker.covariate].unit or "1", readable(marker.covariate)
    else:
        unit, label = str(marker.unit), str(marker.analyte)
        is_drug = drug is not None and label.casefold() == drug.id.casefold()
        mass = drug.molar_mass_g_per_mol if drug is not None and is_drug else None
        first: dict[str, Level] = {}
        for one in measured_levels(cohort, label, unit, molar_mass_g_per_mol=mass):
            repeats += one.patient in first
            first.setdefault(one.patient, one)
        for i, patient in enumerate(patients):
            if (level := first.get(patient)) is not None:
                values[i] = level.limit if level.below or level.above else level.value
                below[i], above[i] = level.below, level.above
                platform = platform or level.assay or None
        beyond = all_beyond(list(first.values()), level=cohort.study.study.level)
    known = np.isfinite(values)
    positive = bool((values[known] > 0).all())
    log = positive if marker.log is None else marker.log
    if log and not positive:
        raise ValueError(f"{label}: log = true, and not every value is above 0")
    return MarkerColumn(
        asked=marker, label=label, unit=unit, values=values, below=below, above=above, log=log,
        platform=platform, repeats=repeats, beyond=beyond,
    )  # fmt: skip


def characteristic_column(cohort: Cohort, asked: Characteristic) -> CharacteristicColumn:
    """A characteristic of every patient; levels become their place in the order declared.

    Raises `ValueError` where `log` is asked for and a value is not positive.
    """
    name = asked.covariate
    if name not in cohort.covariates or name not in cohort.patients.columns:
        raise ValueError(f"{name!r} is not declared and cannot be computed from what is")
    spec = cohort.covariates[name]
    raw: list[object] = cohort.patients[name].tolist()
    if spec.levels is None:
        values = np.array([math.nan if v is None else float(str(v)) for v in raw], dtype=np.float64)
        if asked.log and (values[np.isfinite(values)] <= 0).any():
            raise ValueError(f"{name!r}: log = true, and not every value is above 0")
        scale: Scale = "number"
    else:
        place = {level: float(i) for i, level in enumerate(spec.levels)}
        values = np.array([place.get(str(v), math.nan) for v in raw], dtype=np.float64)
        scale = "binary" if len(spec.levels) == 2 else "ordered" if spec.ordered else "nominal"
    return CharacteristicColumn(
        name=name,
        label=readable(name),
        scale=scale,
        values=values,
        levels=spec.levels or (),
        unit=spec.unit or "1",
        log=asked.log,
    )
