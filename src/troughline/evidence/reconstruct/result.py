"""What a reconstruction gives: patients of every arm, comparisons of the arms, and the error of both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.evidence.reconstruct.clicks import CurveReading
from troughline.evidence.reconstruct.error import ReadingError
from troughline.evidence.reconstruct.risk_table import RiskTable
from troughline.issues import Finding
from troughline.survival.cox import CoxFitError, fit_cox
from troughline.survival.kaplan_meier import SurvivalCurve, kaplan_meier
from troughline.survival.log_rank import log_rank

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

APPROXIMATE = "APPROXIMATE: made from a printed summary, not from a curve; these are not patients"


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The middle `level` of an estimate over the other readings; not a number where an end is unbounded."""

    low: float
    high: float
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconstructedArm:
    """One arm: `time` (n,) and `event` (n,), its Kaplan–Meier curve, and the error of the reading.

    `reading`, `table` and `error` are missing for a summary. `median_reading` is the range of the median over
    other readings of the same curve.
    """

    name: str
    source: str
    time: FloatArray
    event: NDArray[np.bool_]
    curve: SurvivalCurve
    reading: CurveReading | None = None
    table: RiskTable | None = None
    error: ReadingError | None = None
    total_events: int | None = None
    median_reading: Range | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One arm against the first: Cox's hazard ratio with its interval, and the range over other readings."""

    arm: str
    reference: str
    hazard_ratio: float
    low: float
    high: float
    level: float
    p_value: float
    log_rank_statistic: float
    log_rank_p_value: float
    hazard_ratio_reading: Range | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """A reconstructed figure or summary. `approximate` is true for a summary; `contents` are plain values.

    `study` is the published study it stands for, by its id in the evidence base. `patients()` is the table
    that a study reads.
    """

    title: str
    time_unit: str
    approximate: bool
    arms: tuple[ReconstructedArm, ...]
    comparisons: tuple[Comparison, ...]
    findings: tuple[Finding, ...]
    contents: dict[str, Any]
    study: str | None = None

    def patients(self) -> pd.DataFrame:
        """The patients, a row each.

        Columns patient, arm, time, status (1 event, 0 censored), time_unit, source, approximate (0/1), and
        published_study where the curve file names one.
        """
        import pandas as pd

        kind = "APPROX" if self.approximate else "REC"
        rows = [
            {
                "patient": f"{kind}-{k + 1}-{i + 1:0{len(str(arm.time.size))}d}",
                "arm": arm.name,
                "time": float(f"{t:.10g}"),
                "status": int(e),
                "time_unit": self.time_unit,
                "source": arm.source,
                "approximate": int(self.approximate),
                **({} if self.study is None else {"published_study": self.study}),
            }
            for k, arm in enumerate(self.arms)
            for i, (t, e) in enumerate(zip(arm.time.tolist(), arm.event.tolist(), strict=True))
        ]
        return pd.DataFrame(rows)


def compare(
    arms: list[tuple[str, FloatArray, NDArray[np.bool_]]], *, level: float, with_test: bool = True
) -> tuple[Comparison, ...]:
    """Every arm after the first against the first: Cox (Efron's ties) and, `with_test`, the log-rank test.

    Where no hazard ratio exists, it is not a number and `note` says why.
    """
    out: list[Comparison] = []
    reference, first_time, first_event = arms[0]
    for name, time, event in arms[1:]:
        t, e = np.concatenate([first_time, time]), np.concatenate([first_event, event])
        code = np.repeat([0.0, 1.0], [first_time.size, time.size])
        ratio, low, high, p, note = (math.nan,) * 4 + ("",)
        try:
            term = fit_cox(t, e, code[:, np.newaxis], ["arm"], level=level).terms[0]
            ratio, low, high, p = term.hazard_ratio, term.low, term.high, term.p_value
        except CoxFitError as error:
            note = str(error)
        test = log_rank(t, e, np.where(code == 1, "b", "a")) if with_test else None
        out.append(
            Comparison(
                arm=name,
                reference=reference,
                hazard_ratio=ratio,
                low=low,
                high=high,
                level=level,
                p_value=p,
                log_rank_statistic=math.nan if test is None else test.statistic,
                log_rank_p_value=math.nan if test is None else test.p_value,
                note=note,
            )
        )
    return tuple(out)


def middle(values: list[float], level: float) -> Range | None:
    """The middle `level` of values among which not a number stands for one that is never reached."""
    if not values:
        return None
    filled = np.where(np.isnan(values), np.inf, np.asarray(values, dtype=np.float64))
    low, high = np.quantile(filled, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf").tolist()
    return Range(low=low if math.isfinite(low) else math.nan, high=high if math.isfinite(high) else math.nan,
                 level=level)  # fmt: skip


def median_of(time: FloatArray, event: NDArray[np.bool_]) -> float:
    """The Kaplan–Meier median; not a number where it is not reached."""
    return kaplan_meier(time, event)[0].median
