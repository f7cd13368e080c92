"""Records from Python values: one patient's doses, samples and covariates, in the model's own names.

    records_from(
        [
            PatientRecord(
                patient="P1",
                doses=(DoseEvent(time_h=0, amount_mg=400, interval_h=12, additional=27),),
                samples=(Sample(time_h=336, value=5.1), Sample(time_h=340)),
                covariates={"weight": 72, "sex": "female"},
                changes=(CovariateValues(time_h=168, values={"weight": 70}),),
            )
        ],
        spec,
    )

The second sample has no value: only a prediction is made there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.model.carry import carried
from troughline.model.records import (
    ABOVE_LIMIT,
    ALL_INPUTS,
    BELOW_LIMIT,
    DOSE,
    MISSING,
    OBSERVATION,
    OTHER,
    QUANTIFIED,
    RESET,
    RESET_AND_DOSE,
    Floats,
    Records,
)

if TYPE_CHECKING:
    from troughline.model.spec import Covariate, ModelSpec, Output

MODELLED_RATE, MODELLED_DURATION, BOLUS = -1.0, -2.0, 0.0
SAME_TIME_H = 1e-6
"""Two times that differ by less are one: what is left of adding intervals in floating point."""
_RANK = {RESET: 0, OTHER: 1, OBSERVATION: 2, DOSE: 3, RESET_AND_DOSE: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseEvent:
    """A dose, and its repetitions: `additional` more of them, one each `interval_h`.

    `duration_h` > 0 is an infusion of that length; 0 enters as the model's inputs say (over their declared
    duration or at their declared rate, otherwise at once). `steady_state`: 0 no, 1 as if it had been given
    each `interval_h` for ever, 2 the same on top of what is there. `compartment`: the state it enters; None:
    through every input of the model. `reset` empties all states first. `occasion`: 0, 1, …; None: that of
    the record before.
    """

    time_h: float
    amount_mg: float
    interval_h: float = 0.0
    additional: int = 0
    steady_state: int = 0
    duration_h: float = 0.0
    compartment: str | None = None
    reset: bool = False
    occasion: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A measured value, or a time at which only a prediction is wanted (`value` None and no limit crossed).

    `value` and `limit` are in the output's unit, never on a log scale. `below_limit`, `above_limit`: the
    value is only known to lie beyond `limit`, which where it is None is the output's own limit. `output`
    may be left out where the model has one.
    """

    time_h: float
    value: float | None = None
    output: str | None = None
    below_limit: bool = False
    above_limit: bool = False
    limit: float | None = None
    occasion: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CovariateValues:
    """Covariates that were determined at a time (h), in the model's units or as a level's name."""

    time_h: float
    values: Mapping[str, float | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRecord:
    """One patient. `covariates` hold throughout; `changes` are carried by the rule of each covariate.

    A covariate that is named in neither takes the model's default. `resets`: times (h) at which every
    state is emptied.
    """

    patient: str
    doses: Sequence[DoseEvent] = ()
    samples: Sequence[Sample] = ()
    covariates: Mapping[str, float | str] = field(default_factory=dict[str, float | str])
    changes: Sequence[CovariateValues] = ()
    resets: Sequence[float] = ()


def records_from(patients: Sequence[PatientRecord], spec: ModelSpec) -> Records:
    """The records of patients for a model.

    They are ordered by time; at one time come resets, then covariate changes, then samples, then doses, so
    that a sample at the time of a dose, a repeated one too, is a trough. Patients keep their order.
    Raises `ValueError` for a name that the model does not have, a covariate without value and default, a
    value outside a hard range, and an amount, interval or limit that makes no sense.
    """
    rows: list[dict[str, Any]] = []
    covariates: list[Floats] = []
    for index, patient in enumerate(patients):
        mine: list[dict[str, Any]] = [
            *({"time_h": t, "event": RESET} for t in patient.resets),
            *({"time_h": c.time_h, "event": OTHER, "changes": c.values} for c in patient.changes),
            *(_sample_row(s, spec) for s in patient.samples),
            *(_dose_row(d, spec) for dose in patient.doses for d in _parted(dose, patient.samples)),
        ]
        mine.sort(key=lambda r: (r["time_h"], _RANK[r["event"]]))
        _check_times(mine, patient.patient)
        _carry_occasions(mine)
        covariates.append(_covariates_of(patient, mine, spec))
        rows += ({"patient": index, **row} for row in mine)
    return _from_rows(tuple(p.patient for p in patients), rows, covariates, spec)


def dose_rate(spec: ModelSpec, compartment: str | None) -> float:
    """How a dose without a rate enters a state, as NONMEM's RATE: −2 over the duration that the model
    declares, −1 at the rate that it declares, 0 at once.

    `compartment` None, every input: 0, by which each of them takes its part as it declares.
    """
    inputs = [i for i in spec.inputs if i.compartment == compartment]
    if any(i.duration is not None for i in inputs):
        return MODELLED_DURATION
    return MODELLED_RATE if any(i.rate is not None for i in inputs) else BOLUS


def level_code(covariate: Covariate, value: float | str) -> float:
    """A covariate's value as a number: of a level its code 0, 1, …

    Raises `ValueError` for a text that is no level and a number that is no code.
    """
    if covariate.levels is None:
        try:
            return float(value)
        except ValueError:
            raise ValueError(f"covariate {covariate.name!r}: {value!r} is not a number") from None
    codes = {level.casefold(): float(code) for code, level in enumerate(covariate.levels)}
    if isinstance(value, str) and value.casefold() in codes:
        return codes[value.casefold()]
    if not isinstance(value, str) and float(value) in codes.values():
        return float(value)
    listed = ", ".join(f"{level} ({code})" for code, level in enumerate(covariate.levels))
    raise ValueError(f"covariate {covariate.name!r}: {value!r} is none of {listed}")


def _dose_row(dose: DoseEvent, spec: ModelSpec) -> dict[str, Any]:
    where = f"the dose at {dose.time_h:g} h"
    for name in ("amount_mg", "interval_h", "additional", "duration_h"):
        number = getattr(dose, name)
        if not (math.isfinite(number) and number >= 0):
            raise ValueError(f"{where}: {name} must be finite and at least 0, not {number!r}")
    if dose.steady_state not in (0, 1, 2):
        raise ValueError(f"{where}: steady_state must be 0, 1 or 2, not {dose.steady_state!r}")
    if (dose.additional or dose.steady_state) and not dose.interval_h:
        raise ValueError(f"{where}: additional doses and a steady state need interval_h")
    names = [s.name for s in spec.states]
    if dose.compartment is not None and dose.compartment not in names:
        raise ValueError(f"{where}: the model has no compartment {dose.compartment!r}: {', '.join(names)}")
    if dose.duration_h:
        entered = [i for i in spec.inputs if dose.compartment in (None, i.compartment)]
        if len(entered) > 1 or any(i.bioavailability is not None for i in entered):
            raise ValueError(
                f"{where}: duration_h needs one input without bioavailability: F·amount at a set rate "
                "ends at another time; declare the duration in the model"
            )
    return {
        "time_h": dose.time_h,
        "event": RESET_AND_DOSE if dose.reset else DOSE,
        "amount_mg": dose.amount_mg,
        "rate_mg_per_h": dose.amount_mg / dose.duration_h
        if dose.duration_h
        else dose_rate(spec, dose.compartment),
        "interval_h": dose.interval_h,
        "additional": dose.additional,
        "steady_state": dose.steady_state,
        "compartment": ALL_INPUTS if dose.compartment is None else names.index(dose.compartment),
        "occasion": dose.occasion,
    }


def _parted(dose: DoseEvent, samples: Sequence[Sample]) -> list[DoseEvent]:
    """The dose, parted so that a record of its own stands for each repetition at the time of a sample.

    Only a record of its own can come after the sample, which then is the trough before that dose.
    """
    if not (dose.additional > 0 and dose.interval_h > 0):
        return [dose]
    counts = {round((s.time_h - dose.time_h) / dose.interval_h): s.time_h for s in samples}
    apart = [0, *sorted(
        k for k, time_h in counts.items()
        if 0 < k <= dose.additional and abs(dose.time_h + k * dose.interval_h - time_h) < SAME_TIME_H
    )]  # fmt: skip
    times = [dose.time_h, *(counts[k] for k in apart[1:])]
    parts = [
        replace(dose, time_h=t, additional=until - k - 1)
        for t, k, until in zip(times, apart, [*apart[1:], dose.additional + 1], strict=True)
    ]
    return [parts[0], *(replace(part, steady_state=0, reset=False) for part in parts[1:])]


def _sample_row(sample: Sample, spec: ModelSpec) -> dict[str, Any]:
    where = f"the sample at {sample.time_h:g} h"
    names = [o.name for o in spec.outputs]
    if sample.output is None and len(names) != 1:
        raise ValueError(f"{where}: name the output it is of: {', '.join(names)}")
    if sample.output is not None and sample.output not in names:
        raise ValueError(f"{where}: the model has no output {sample.output!r}: {', '.join(names)}")
    index = 0 if sample.output is None else names.index(sample.output)
    output = spec.outputs[index]
    row = {"time_h": sample.time_h, "event": OBSERVATION, "output": index, "occasion": sample.occasion}
    if sample.below_limit or sample.above_limit:
        own = output.lower_limit if sample.below_limit else output.upper_limit
        limit = own if sample.limit is None else sample.limit
        if limit is None or sample.below_limit == sample.above_limit:
            raise ValueError(f"{where}: a value beyond a limit needs that limit, and one side of it")
        row["censoring"] = BELOW_LIMIT if sample.below_limit else ABOVE_LIMIT
        row["limit"] = on_scale(limit, output, where=where)
    elif sample.value is not None:
        row["censoring"] = QUANTIFIED
        row["value"] = on_scale(sample.value, output, where=where)
    return row


def on_scale(value: float, output: Output, *, where: str) -> float:
    """A value in an output's unit, in canonical units and on the log scale where the output's error is.

    Raises `ValueError`, beginning with `where`, for a value that is not finite, or not positive on the log
    scale.
    """
    canonical = float(value) * float(output.factor.numerator) / float(output.factor.denominator)
    if not math.isfinite(canonical):
        raise ValueError(f"{where}: a value of {output.name} must be finite, not {value!r}")
    if not output.error.on_log_scale:
        return canonical
    if canonical <= 0:
        raise ValueError(f"{where}: {output.name} has its error on the log scale, so a value must be above 0")
    return math.log(canonical)


def _check_times(rows: Sequence[Mapping[str, Any]], patient: str) -> None:
    if not all(math.isfinite(row["time_h"]) for row in rows):
        raise ValueError(f"patient {patient!r}: a time must be finite")


def _carry_occasions(rows: Sequence[dict[str, Any]]) -> None:
    """Each record without an occasion takes that of the record before; the first ones that of the first."""
    current = next((r["occasion"] for r in rows if r.get("occasion") is not None), 0)
    for row in rows:
        if row.get("occasion") is not None:
            current = row["occasion"]
        row["occasion"] = current


def _covariates_of(patient: PatientRecord, rows: Sequence[Mapping[str, Any]], spec: ModelSpec) -> Floats:
    """The covariates of a patient's records, carried (n_records, n_covariates)."""
    known = {c.name for c in spec.covariates}
    named = {*patient.covariates, *(name for change in patient.changes for name in change.values)}
    if named - known:
        raise ValueError(
            f"patient {patient.patient!r}: the model has no covariate {', '.join(sorted(named - known))}"
        )
    first = np.array([0, len(rows)])
    time_h = np.array([row["time_h"] for row in rows], dtype=np.float64)
    columns = np.full((len(rows), len(spec.covariates)), np.nan)
    for column, covariate in enumerate(spec.covariates):
        name = covariate.name
        for i, row in enumerate(rows):
            if name in row.get("changes", {}):
                columns[i, column] = _checked(covariate, row["changes"][name], patient.patient)
        if name in patient.covariates:
            start = _checked(covariate, patient.covariates[name], patient.patient)
            # A value that is given without a time is that of the beginning where others follow in time.
            if np.isnan(columns[:, column]).all():
                columns[:, column] = start
            elif np.isnan(columns[time_h == time_h[0], column]).all():
                columns[0, column] = start
        columns[:, column] = carried(columns[:, column], first, covariate.carry, time_h=time_h)
        if len(rows) and np.isnan(columns[0, column]):
            if covariate.default is None:
                raise ValueError(f"patient {patient.patient!r}: covariate {name!r} has no value, no default")
            columns[:, column] = covariate.default
    return columns


def _checked(covariate: Covariate, value: float | str, patient: str) -> float:
    number = level_code(covariate, value)
    if covariate.hard is not None and not covariate.hard[0] <= number <= covariate.hard[1]:
        raise ValueError(
            f"patient {patient!r}: {covariate.name} = {number:g} {covariate.unit} lies outside "
            f"{covariate.hard[0]:g} to {covariate.hard[1]:g} {covariate.unit}, for which the model computes"
        )
    return number


def _from_rows(
    patients: tuple[str, ...],
    rows: Sequence[Mapping[str, Any]],
    covariates: Sequence[Floats],
    spec: ModelSpec,
) -> Records:
    def column(name: str, otherwise: float, kind: Any) -> NDArray[Any]:
        values: NDArray[Any] = np.array([row.get(name, otherwise) for row in rows], dtype=kind)
        return values

    counts = np.bincount(column("patient", 0, np.int64), minlength=len(patients))
    empty = np.empty((0, len(spec.covariates)))
    return Records(
        patients=patients,
        first=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        time_h=column("time_h", 0.0, np.float64),
        event=column("event", OTHER, np.int64),
        amount_mg=column("amount_mg", 0.0, np.float64),
        rate_mg_per_h=column("rate_mg_per_h", BOLUS, np.float64),
        interval_h=column("interval_h", 0.0, np.float64),
        additional=column("additional", 0, np.int64),
        steady_state=column("steady_state", 0, np.int64),
        compartment=column("compartment", ALL_INPUTS, np.int64),
        output=column("output", 0, np.int64),
        value=column("value", np.nan, np.float64),
        censoring=column("censoring", MISSING, np.int64),
        limit=column("limit", np.nan, np.float64),
        covariates=np.ascontiguousarray(np.vstack([empty, *covariates])),
        occasion=column("occasion", 0, np.int64),
        row=column("row", 0, np.int64),
    )
