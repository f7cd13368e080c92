"""What a NONMEM-style file observes: which output, which value, and which limit it may lie beyond."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from troughline.cohort.nonmem_columns import Flags, Floats, Ints, Reading
from troughline.cohort.nonmem_doses import Events
from troughline.cohort.nonmem_times import Timeline
from troughline.issues import Severity
from troughline.model.records import (
    ABOVE_LIMIT,
    BELOW_LIMIT,
    MISSING,
    OBSERVATION,
    QUANTIFIED,
    RESET,
    RESET_AND_DOSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """Outputs, values, censoring and limits, each (n_records,), as `Records` holds them."""

    output: Ints
    value: Floats
    censoring: Ints
    limit: Floats


def read_observations(reading: Reading, events: Events, line: Timeline) -> Observations:
    """The observations in canonical units; everything wrong with them goes to the findings."""
    observed = events.event == OBSERVATION
    output = _outputs(reading, events, observed)
    natural, logarithm = _dependent(reading, output, observed)
    excluded = observed & (reading.number("MDV") == 1)
    censoring, limit = _censoring(reading, output, natural, observed & ~excluded)
    there = observed & ~excluded & (censoring == QUANTIFIED) & ~np.isnan(natural)
    censoring[observed & (censoring == QUANTIFIED) & ~there] = MISSING
    censoring[~observed] = MISSING
    _say_missing(reading, excluded, observed & ~excluded & (censoring == MISSING))
    value, limit = _canonical(reading, output, natural, logarithm, there, limit)
    _check_duplicates(reading, line, events, output, observed & (censoring != MISSING))
    return Observations(output=output, value=value, censoring=censoring, limit=limit)


def _outputs(reading: Reading, events: Events, observed: Flags) -> Ints:
    """The output of each record: by DVID, otherwise by CMT; a single output takes all that have no DVID."""
    outputs = reading.spec.outputs
    names = {o.name.casefold(): float(i) for i, o in enumerate(outputs)}
    numbers = {float(i): i - 1.0 for i in range(1, len(outputs) + 1)}

    def by_identifier(cell: str) -> float | None:
        if cell.casefold() in names:
            return names[cell.casefold()]
        try:
            return numbers.get(float(cell))
        except ValueError:
            return None

    listed = ", ".join(f"{i} {o.name}" for i, o in enumerate(outputs, start=1))
    identified, unread = reading.code("DVID", by_identifier)
    reading.error(
        "unknown-output",
        observed & unread,
        lambda i: f"{reading.cell('DVID', i)} is no output of the model, which has {listed}",
        "DVID",
    )
    chosen = np.where(np.isnan(identified), _by_compartment(reading, events.compartment_number), identified)
    if len(outputs) == 1:
        strange = observed & np.isnan(chosen) & ~np.isnan(events.compartment_number) & ~unread
        if outputs[0].compartments:
            reading.once(
                Severity.WARNING,
                "output-compartment",
                strange,
                f"observations in a compartment that is not one of {outputs[0].name} are taken as it: "
                "the model has no other output",
                "CMT",
            )
        chosen = np.where(np.isnan(chosen), 0.0, chosen)
    reading.error(
        "unknown-output",
        observed & np.isnan(chosen) & ~unread,
        lambda _: f"neither DVID nor CMT says which output was observed: the model has {listed}",
        "DVID" if reading.has("DVID") else "CMT",
    )
    return np.where(observed, np.nan_to_num(chosen), 0).astype(np.int64)


def _by_compartment(reading: Reading, number: Floats) -> Floats:
    """The output that each record's compartment number means, NaN where none or more than one does."""
    meaning = np.full(len(reading.spec.states) + 1, np.nan)
    for i, state in enumerate(reading.spec.states, start=1):
        named = [k for k, o in enumerate(reading.spec.outputs) if state.name in o.compartments]
        if len(named) == 1:
            meaning[i] = named[0]
    known = (number >= 1) & (number < len(meaning)) & (number == np.round(number))
    return np.where(known, meaning[np.where(known, number, 0).astype(np.int64)], np.nan)


def _dependent(reading: Reading, output: Ints, observed: Flags) -> tuple[Floats, Floats]:
    """DV on the natural scale and its logarithm, both in the output's unit; NaN where there is none.

    An output with its error on the log scale takes LDV where that is given and log(DV) otherwise; another
    one takes DV, and exp(LDV) where that alone is given.
    """
    plain, logged = reading.number("DV"), reading.number("LDV")
    on_log = np.array([o.error.on_log_scale for o in reading.spec.outputs], dtype=bool)[output] & observed
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        natural = np.where(np.isnan(plain), np.exp(logged), plain)
        logarithm = np.where(np.isnan(logged), np.log(natural), logged)
    if on_log.any():
        # Where both are given LDV is the observation, and DV has no say, not even as a missing one.
        natural = np.where(on_log & ~np.isnan(logged), np.exp(logged), natural)
        reading.once(
            Severity.NOTE,
            "log-scale",
            on_log & np.isnan(logged) & ~np.isnan(plain),
            "the model's error is on the log scale: the logarithm of DV is taken",
            "DV",
        )
    reading.once(
        Severity.NOTE,
        "log-scale",
        observed & ~on_log & np.isnan(plain) & ~np.isnan(logged),
        "the model's error is not on the log scale: exp(LDV) is taken",
        "LDV",
    )
    return natural, logarithm


def _censoring(reading: Reading, output: Ints, natural: Floats, observed: Flags) -> tuple[Ints, Floats]:
    """Which records lie beyond a limit, and that limit in the output's unit (NaN elsewhere).

    Flag 1: below LLOQ or LIMIT, otherwise the output's own limit; CENS without these: below DV itself.
    Flag −1: above LIMIT, otherwise above DV, otherwise the output's own limit.
    """
    column = "BLQ" if reading.has("BLQ") else "CENS"
    flag = reading.number(column)
    reading.error(
        "not-a-flag",
        ~np.isnan(flag) & ~np.isin(flag, (0, 1, -1)),
        lambda i: f"{flag[i]:g} is not 0 (a value), 1 (below the limit) or −1 (above it)",
        column,
    )
    below, above = observed & (flag == 1), observed & (flag == -1)
    if not (below | above).any():
        return np.full(len(reading), QUANTIFIED), np.full(len(reading), np.nan)
    lower, upper = _own_limits(reading, output)
    lloq, limit = reading.number("LLOQ"), reading.number("LIMIT")
    with np.errstate(invalid="ignore"):
        written = np.where(lloq > 0, lloq, np.where(limit > 0, limit, np.nan))
        value = np.where(natural > 0, natural, np.nan)
    order = (written, value, lower) if column == "CENS" else (written, lower, value)
    chosen = np.where(below, _first_known(*order), np.where(above, _first_known(limit, value, upper), np.nan))
    reading.error(
        "limit-missing",
        (below | above) & np.isnan(chosen),
        lambda _: "the value lies beyond a limit, and neither LLOQ, LIMIT, the model nor DV gives the limit",
        column,
    )
    with np.errstate(invalid="ignore"):
        contradicts = (below & (value > chosen)) | (above & (value < chosen))
    reading.error(
        "limit-disagrees",
        contradicts,
        lambda i: (
            f"{natural[i]:g} lies on the other side of the limit {chosen[i]:g}, and {column} is {flag[i]:g} "
            "(a value between two limits is not read)"
        ),
        "DV",
    )
    reading.once(
        Severity.NOTE,
        "limit-from-value",
        (below & np.isnan(written) & (chosen == value)) | (above & np.isnan(limit) & (chosen == value)),
        "the limit that the value lies beyond is DV",
        column,
    )
    censoring = np.where(below, BELOW_LIMIT, np.where(above, ABOVE_LIMIT, QUANTIFIED))
    return censoring.astype(np.int64), chosen


def _own_limits(reading: Reading, output: Ints) -> tuple[Floats, Floats]:
    """The lower and upper limits that the model gives each record's output; NaN where none."""
    pairs = [(o.lower_limit, o.upper_limit) for o in reading.spec.outputs]
    limits = np.array([[np.nan if v is None else v for v in pair] for pair in pairs], dtype=np.float64)
    return limits[output, 0], limits[output, 1]


def _first_known(*candidates: Floats) -> Floats:
    chosen = candidates[0]
    for candidate in candidates[1:]:
        chosen = np.where(np.isnan(chosen), candidate, chosen)
    return chosen


def _say_missing(reading: Reading, excluded: Flags, empty: Flags) -> None:
    reading.once(
        Severity.NOTE,
        "prediction-only",
        excluded,
        "observations with MDV 1 are predicted and not used",
        "MDV",
    )
    if empty.any() and not (reading.has("DV") or reading.has("LDV")):
        reading.say(
            Severity.NOTE,
            "prediction-only",
            f"there is no DV: the {int(empty.sum())} observation records are predicted alone",
        )
    else:
        reading.once(
            Severity.NOTE,
            "prediction-only",
            empty,
            "observation records without a value are predicted alone",
            "DV" if reading.has("DV") else "LDV",
        )


def _canonical(
    reading: Reading, output: Ints, natural: Floats, logarithm: Floats, there: Flags, limit: Floats
) -> tuple[Floats, Floats]:
    """Values (NaN where not `there`) and limits in canonical units, on the log scale where the error is."""
    outputs = reading.spec.outputs
    # Multiplied and divided in turn, 3450 ng/mL is 3.45 mg/L to the last bit.
    times = np.array([float(o.factor.numerator) for o in outputs])[output]
    over = np.array([float(o.factor.denominator) for o in outputs])[output]
    on_log = np.array([o.error.on_log_scale for o in outputs], dtype=bool)[output]
    with np.errstate(invalid="ignore", divide="ignore"):
        reading.error(
            "value-not-positive",
            there & on_log & (natural <= 0) | there & np.isinf(natural),
            lambda i: f"{natural[i]:g}: the error is on the log scale, so a value is finite and above 0",
            "DV" if reading.has("DV") else "LDV",
        )
        reading.once(
            Severity.WARNING,
            "negative-value",
            there & ~on_log & (natural < 0),
            "negative values",
            "DV",
        )
        lower, _ = _own_limits(reading, output)
        reading.once(
            Severity.NOTE,
            "value-below-limit",
            there & (natural < lower),
            "values under the model's limit of quantification, without a flag",
            "DV" if reading.has("DV") else "LDV",
        )
        value = np.where(on_log, logarithm + np.log(times / over), natural * times / over)
        limit = limit * times / over
        limit = np.where(on_log, np.log(limit), limit)
    return np.where(there, value, np.nan), limit


def _check_duplicates(
    reading: Reading, line: Timeline, events: Events, output: Ints, measured: Flags
) -> None:
    """A note about observations of the same patient, time and output with no reset in between."""
    resets = np.cumsum((events.event == RESET) | (events.event == RESET_AND_DOSE))
    order = np.lexsort((line.time_h, resets, output, line.patient))
    order = order[measured[order]]
    same = (
        (np.diff(line.patient[order]) == 0)
        & (np.diff(output[order]) == 0)
        & (np.diff(resets[order]) == 0)
        & (np.diff(line.time_h[order]) == 0)
    )
    repeated = np.zeros(len(reading), dtype=bool)
    repeated[order[1:][same]] = True
    reading.once(
        Severity.NOTE,
        "duplicate-observation",
        repeated,
        "observations that repeat the patient, time and output of another; all are used",
        "TIME",
    )
