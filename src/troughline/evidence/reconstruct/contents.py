"""A reconstruction as plain values, for the JSON file beside the patients and for the picture."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from troughline.evidence.reconstruct.load import CurveInput
from troughline.evidence.reconstruct.result import APPROXIMATE, Comparison, Range, ReconstructedArm
from troughline.evidence.reconstruct.summary import SummaryPatients
from troughline.provenance import provenance, sha256_of

Json = dict[str, Any]

CLICKS_METHOD = (
    "Clicks made monotone within the reading step; deaths of every interval of the risk table searched "
    "jointly for the least squared deviation from the clicks, the numbers at risk (and the number of "
    "events, where printed) met exactly; deaths at the falls of the curve, censorings spread evenly within "
    "each interval, moved to where finely read falls show the number at risk. After Guyot et al. 2012, "
    "doi 10.1186/1471-2288-12-9."
)
SUMMARY_METHOD = (
    "Patients at the quantiles of a Weibull survival, with proportional hazards, that the printed medians "
    "and hazard ratio determine; entry at an even rate, data cut when the number of events is reached; "
    "shape and medians corrected until the hazard ratio (Cox) and the Kaplan–Meier medians round to those "
    "printed. No random numbers."
)


def contents_of(
    read: CurveInput,
    arms: tuple[ReconstructedArm, ...],
    compared: tuple[Comparison, ...],
    made: SummaryPatients | None,
) -> Json:
    """The whole reconstruction; not a number is None."""
    header = read.file.curve
    out: Json = {
        "provenance": provenance(
            seed=header.seed, inputs=_inputs(read), evidence=[header.study] if header.study else []
        ),
        "title": header.title,
        "source": header.source,
        "study": header.study,
        "endpoint": header.endpoint,
        "time_unit": header.time_unit,
        "simulated": header.simulated,
        "approximate": made is not None,
        "label": APPROXIMATE if made is not None else "",
        "level": header.level,
        "method": SUMMARY_METHOD if made is not None else CLICKS_METHOD,
        "arms": [_arm(arm) for arm in arms],
        "comparisons": [_comparison(c) for c in compared],
        "findings": [f.as_dict() for f in read.findings],
    }
    if made is not None:
        out["summary"] = {
            "printed": _printed(read),
            "missed_by_half_units": {k: round(v, 4) for k, v in made.misses.items()},
            "shape": round(made.shape, 6),
            "accrual": round(made.accrual, 6),
            "follow_up": round(made.follow_up, 6),
            "events_from": made.events_from,
            "assumptions": list(made.assumptions),
        }
    return out


def _inputs(read: CurveInput) -> dict[str, str]:
    path: Path = read.file.path
    inputs = dict(read.inputs)
    figure = read.file.figure
    for file in [path, *([path.parent / figure.file] if figure is not None else [])]:
        inputs[file.name] = sha256_of(file.read_bytes())
    return inputs


def _arm(arm: ReconstructedArm) -> Json:
    curve = arm.curve
    out: Json = {
        "name": arm.name,
        "source": arm.source,
        "n": int(arm.time.size),
        "events": int(arm.event.sum()),
        "median": _number(curve.median),
        "median_low": _number(curve.median_low),
        "median_high": _number(curve.median_high),
        "curve": {"time": curve.time.tolist(), "survival": curve.survival.tolist()},
        "censored": curve.time[curve.n_censored > 0].tolist(),
    }
    if arm.reading is not None and arm.error is not None and arm.table is not None:
        reading, table = arm.reading, arm.table
        out["reading"] = {
            "step_survival": reading.step.survival,
            "step_time": reading.step.time,
            "clicks": {"time": reading.raw_time.tolist(), "survival": reading.raw_survival.tolist()},
            "largest_error": arm.error.largest,
            "largest_error_at": arm.error.at_time,
            "mean_error": arm.error.mean,
            "median": _range(arm.median_reading),
        }
        out["at_risk"] = {
            "time": table.time.tolist(),
            "printed": table.at_risk.tolist(),
            "reconstructed": curve.at_risk(table.time).tolist(),
        }
        out["events_printed"] = arm.total_events
    return out


def _comparison(pair: Comparison) -> Json:
    return {
        "arm": pair.arm,
        "reference": pair.reference,
        "hazard_ratio": _number(pair.hazard_ratio),
        "low": _number(pair.low),
        "high": _number(pair.high),
        "level": pair.level,
        "p_value": _number(pair.p_value),
        "log_rank_statistic": _number(pair.log_rank_statistic),
        "log_rank_p_value": _number(pair.log_rank_p_value),
        "hazard_ratio_reading": _range(pair.hazard_ratio_reading),
        "note": pair.note,
    }


def _printed(read: CurveInput) -> Json:
    file = read.file
    return {
        "arms": [a.model_dump(mode="json", exclude_none=True, exclude={"ticks"}) for a in file.arm],
        "both": {} if file.summary is None else file.summary.model_dump(mode="json", exclude_none=True),
    }


def _range(found: Range | None) -> Json | None:
    return (
        None
        if found is None
        else {"low": _number(found.low), "high": _number(found.high), "level": found.level}
    )


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
