"""Competing events: cumulative incidence, the naive curve it replaces, and cause-specific hazards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.survival import library
from troughline.survival.cox import CoxFit, fit_cox
from troughline.survival.kaplan_meier import kaplan_meier
from troughline.survival.times import (
    FloatArray,
    IntArray,
    checked_level,
    checked_times,
    coded_groups,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidenceCurve:
    """Probability of one cause by time in one group; each array (m,), 0 before the first `time`.

    `low` and `high` are pointwise, symmetric on the log-log scale; while `probability` is 0 they are 0.
    """

    group: str
    cause: str
    n: int
    n_events_total: int
    level: float
    time: FloatArray
    probability: FloatArray
    standard_error: FloatArray
    low: FloatArray
    high: FloatArray
    n_at_risk: FloatArray

    def at(self, times: ArrayLike) -> IncidenceAt:
        """Incidence at `times` (k,); not a number beyond the longest follow-up of the group."""
        asked = np.atleast_1d(np.asarray(times, dtype=np.float64))
        position = np.searchsorted(self.time, asked, side="right")
        followed = asked <= self.time[-1]

        def read(values: FloatArray) -> FloatArray:
            return np.where(followed, np.concatenate(([0.0], values))[position], np.nan)

        return IncidenceAt(
            time=asked,
            probability=read(self.probability),
            standard_error=read(self.standard_error),
            low=read(self.low),
            high=read(self.high),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidenceAt:
    """Incidence at named times: each array (k,)."""

    time: FloatArray
    probability: FloatArray
    standard_error: FloatArray
    low: FloatArray
    high: FloatArray


def cumulative_incidence(
    time: ArrayLike,
    cause: Sequence[str | None] | NDArray[Any],
    group: Sequence[Any] | NDArray[Any] | None = None,
    *,
    entry: ArrayLike | None = None,
    causes: Sequence[str] | None = None,
    order: Sequence[str] | None = None,
    level: float = 0.95,
) -> tuple[IncidenceCurve, ...]:
    """The probability of each cause by time, in the presence of the others (Aalen–Johansen).

    Parameters: `time`, `entry`, `group`, `order` as in `kaplan_meier`; `cause` (n,) the name of what
    happened, None or "" where censored; `causes` which causes there are, in the order wanted (none: those
    that occur, sorted).

    Returns one curve for each group and cause, causes within groups. A cause that nobody in a group had
    has a curve of zeros. Raises `ValueError` for a cause that `causes` does not name, where no cause is
    named, and for what `checked_times` refuses.

    F_k(t) = Σ_{t_i ≤ t} S(t_i−) d_ki / n_i; standard errors by the infinitesimal jackknife (Putter, Fiocco
    and Geskus 2007, doi 10.1002/sim.2712).
    """
    happened, names = coded_causes(cause, causes)
    times = checked_times(time, happened > 0, entry)
    codes, labels = coded_groups(group, times.n, order)
    checked_level(level)
    curves: list[IncidenceCurve] = []
    for code, label in enumerate(labels):
        rows = codes == code
        found = library.incidence(times, happened, names, rows, level=level)
        curves.extend(
            IncidenceCurve(
                group=label,
                cause=name,
                n=found.n,
                n_events_total=int(((happened == k + 1) & rows).sum()),
                level=level,
                time=found.time,
                probability=found.probability[:, k],
                standard_error=found.standard_error[:, k],
                low=found.low[:, k],
                high=found.high[:, k],
                n_at_risk=found.n_at_risk,
            )
            for k, name in enumerate(names)
        )
    return tuple(curves)


def one_minus_kaplan_meier(
    time: ArrayLike,
    cause: Sequence[str | None] | NDArray[Any],
    of: str,
    group: Sequence[Any] | NDArray[Any] | None = None,
    *,
    entry: ArrayLike | None = None,
    order: Sequence[str] | None = None,
    level: float = 0.95,
) -> tuple[IncidenceCurve, ...]:
    """The naive curve of the cause `of`: 1 − Kaplan–Meier with every other cause taken for censoring.

    It overstates the probability wherever another cause removes patients, and is here to be shown beside
    `cumulative_incidence` (Gooley and others 1999, doi
    10.1002/(SICI)1097-0258(19990330)18:6<695::AID-SIM60>3.0.CO;2-O). Parameters as there.
    """
    event = np.asarray([c == of for c in cause], dtype=np.bool_)
    return tuple(
        IncidenceCurve(
            group=curve.group,
            cause=of,
            n=curve.n,
            n_events_total=curve.n_events_total,
            level=level,
            time=curve.time,
            probability=1 - curve.survival,
            standard_error=curve.standard_error,
            low=1 - curve.high,
            high=1 - curve.low,
            n_at_risk=curve.n_at_risk,
        )
        for curve in kaplan_meier(time, event, group, entry=entry, order=order, level=level)
    )


def cause_specific_cox(
    time: ArrayLike,
    cause: Sequence[str | None] | NDArray[Any],
    of: str,
    covariates: ArrayLike,
    names: Sequence[str],
    *,
    entry: ArrayLike | None = None,
    level: float = 0.95,
) -> CoxFit:
    """Cox regression on the hazard of the cause `of` among those with no event yet.

    The other causes end follow-up. Parameters and what is raised as in `fit_cox`. A cause-specific hazard
    ratio says nothing by itself about the probability of the cause.
    """
    event = np.asarray([c == of for c in cause], dtype=np.bool_)
    return fit_cox(time, event, covariates, names, entry=entry, level=level)


def coded_causes(
    cause: Sequence[str | None] | NDArray[Any], causes: Sequence[str] | None
) -> tuple[IntArray, tuple[str, ...]]:
    labels = [None if c is None or c == "" else str(c) for c in cause]
    present = sorted({c for c in labels if c is not None})
    names = tuple(present if causes is None else causes)
    if not names:
        raise ValueError("cause: every patient is censored and no cause is named")
    unknown = [c for c in present if c not in names]
    if unknown:
        raise ValueError(f"cause {unknown[0]!r} is not among the causes named: {', '.join(names)}")
    index = {name: k + 1 for k, name in enumerate(names)}
    codes = [0 if c is None else index[c] for c in labels]
    return np.asarray(codes, dtype=np.int64), names
