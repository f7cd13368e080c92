"""What happens at each record of a NONMEM-style file: the event, and of a dose how much, where and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from troughline.cohort.nonmem_columns import Flags, Floats, Ints, Reading
from troughline.issues import Severity
from troughline.model.build import MODELLED_DURATION, MODELLED_RATE, dose_rate
from troughline.model.records import ALL_INPUTS, DOSE, OBSERVATION, RESET_AND_DOSE
from troughline.units import convert, convert_factor, molar_mass_g_per_mol

_EVENTS = "0 observation, 1 dose, 2 other, 3 reset, 4 reset and dose"


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """The events of a file, each array (n_records,), as `Records` holds them; 0 where there is no dose.

    `compartment_number`: the CMT of every record as it stands, 1, 2, …, NaN where there is none.
    """

    event: Ints
    amount_mg: Floats
    rate_mg_per_h: Floats
    interval_h: Floats
    additional: Ints
    steady_state: Ints
    compartment: Ints
    compartment_number: Floats

    @property
    def is_dose(self) -> Flags:
        """The records at which a dose is given (n_records,)."""
        return (self.event == DOSE) | (self.event == RESET_AND_DOSE)


def read_events(reading: Reading) -> Events:
    """The events of a NONMEM-style file in mg and h; everything wrong with them goes to the findings."""
    amount, rate, duration = reading.number("AMT"), reading.number("RATE"), reading.number("DUR")
    event, number = _events(reading, amount, rate)
    is_dose = (event == DOSE) | (event == RESET_AND_DOSE)
    compartment = _compartments(reading, number, is_dose)
    steady_state = _whole(reading, "SS", is_dose, allowed=lambda v: np.isin(v, (0, 1, 2)), say="0, 1 or 2")
    additional = _whole(
        reading, "ADDL", is_dose, allowed=lambda v: (v >= 0) & (v == np.round(v)), say="a count of doses"
    )
    interval_h = _intervals(reading, is_dose, additional, steady_state, endless=(amount == 0) & (rate > 0))
    _check_amounts(reading, amount, rate, event, is_dose, steady_state)
    given = _rates(reading, amount, rate, duration, is_dose)
    to_mg = _to_mg(reading)
    to_h = float(convert_factor(reading.spec.time_unit, "h"))
    rate_mg_per_h = np.where(given > 0, given * to_mg / to_h, given)
    rate_mg_per_h = _model_rates(reading, rate_mg_per_h, compartment, is_dose)
    return Events(
        event=event,
        amount_mg=np.where(is_dose, np.nan_to_num(amount), 0.0) * to_mg,
        rate_mg_per_h=np.where(is_dose, rate_mg_per_h, 0.0),
        interval_h=np.where(is_dose, interval_h, 0.0),
        additional=np.where(is_dose, additional, 0).astype(np.int64),
        steady_state=np.where(is_dose, steady_state, 0).astype(np.int64),
        compartment=compartment,
        compartment_number=number,
    )


def _events(reading: Reading, amount: Floats, rate: Floats) -> tuple[Ints, Floats]:
    """The event of each record (0 to 4) and its compartment number (NaN: none)."""
    states = {s.name.casefold(): float(i) for i, s in enumerate(reading.spec.states, start=1)}
    number, unread = reading.code("CMT", lambda cell: states.get(cell.casefold(), _float(cell)))
    reading.error(
        "unknown-compartment",
        unread,
        lambda i: f"{reading.cell('CMT', i)} is neither a number nor a compartment: {_listed(reading)}",
        "CMT",
    )
    written = reading.number("EVID")
    with np.errstate(invalid="ignore"):
        derived = np.where((amount != 0) & ~np.isnan(amount) | (rate > 0), DOSE, OBSERVATION)
        coded = (written > 100) & (written < 10_000) & (written % 100 == 1)
    missing = np.isnan(written)
    if missing.all():
        reading.say(
            Severity.NOTE,
            "evid-derived",
            f"there is no EVID: the {int((derived == DOSE).sum())} records with an AMT are doses, the others "
            "observations",
        )
    else:
        reading.once(
            Severity.NOTE,
            "evid-derived",
            missing,
            "where it is missing a record with an AMT is a dose, another one an observation",
            "EVID",
        )
    if coded.any():
        number = _read_coded_events(reading, written, coded, number)
    event = np.where(coded, DOSE, np.where(missing, derived, written))
    reading.error(
        "unknown-event",
        ~np.isin(event, (0, 1, 2, 3, 4)),
        lambda i: f"EVID {written[i]:g} is none of {_EVENTS}",
        "EVID",
    )
    return event.astype(np.int64), number


def _read_coded_events(reading: Reading, written: Floats, coded: Flags, number: Floats) -> Floats:
    """The compartment numbers, with those of RxODE's codes 100 · compartment + 1 filled in."""
    in_code = (written - 1) / 100
    reading.once(
        Severity.NOTE,
        "evid-code",
        coded,
        "EVID 100 · compartment + 1, RxODE's code, is read as a dose, EVID 1",
        "EVID",
    )
    with np.errstate(invalid="ignore"):
        differs = coded & ~np.isnan(number) & (number != in_code)
    reading.error(
        "evid-code",
        differs,
        lambda i: f"EVID {written[i]:g} is a dose to compartment {in_code[i]:g}, and CMT is {number[i]:g}",
        "EVID",
    )
    return np.where(coded, in_code, number)


def _float(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _listed(reading: Reading) -> str:
    return ", ".join(f"{i} {s.name}" for i, s in enumerate(reading.spec.states, start=1))


def _compartments(reading: Reading, number: Floats, is_dose: Flags) -> Ints:
    """The index of the state that each dose enters; a missing number, and 0, mean every input."""
    given = is_dose & ~np.isnan(number) & (number != 0)
    exists = (number >= 1) & (number <= len(reading.spec.states)) & (number == np.round(number))
    reading.error(
        "unknown-compartment",
        given & ~exists,
        lambda _: f"dose to a compartment that does not exist: the model has {_listed(reading)}",
        "CMT",
    )
    compartment = np.where(given & exists, np.nan_to_num(number) - 1, ALL_INPUTS).astype(np.int64)
    entered = np.unique(compartment[given & exists])
    declared = {i.compartment for i in reading.spec.inputs}
    for index in entered:
        name = reading.spec.states[int(index)].name
        if name not in declared:
            reading.once(
                Severity.NOTE,
                "no-input",
                given & (compartment == index),
                f"doses into {name}, for which the model declares nothing, enter whole and without delay",
                "CMT",
            )
    return compartment


def _whole(
    reading: Reading, name: str, is_dose: Flags, *, allowed: Callable[[Floats], Flags], say: str
) -> Floats:
    """A column of small whole numbers that matters at doses alone; 0 where it is missing or wrong."""
    values = reading.number(name)
    bad = is_dose & ~np.isnan(values) & ~allowed(values)
    reading.error("out-of-range", bad, lambda i: f"{values[i]:g} is not {say}", name)
    return np.where(bad | np.isnan(values), 0.0, values)


def _intervals(
    reading: Reading, is_dose: Flags, additional: Floats, steady_state: Floats, *, endless: Flags
) -> Floats:
    """II in hours; `endless`: infusions without an end, whose steady state needs no interval."""
    interval = reading.number("II")
    with np.errstate(invalid="ignore"):
        negative = is_dose & (interval < 0)
        none = is_dose & ~(interval > 0) & ~negative
    reading.error("negative-value", negative, lambda i: f"{interval[i]:g}: an interval is above 0", "II")
    column = "II" if reading.has("II") else "ADDL"
    reading.error(
        "interval-missing",
        none & (additional > 0),
        lambda i: f"ADDL is {additional[i]:g}, and without II it is unknown when these doses come",
        column,
    )
    reading.error(
        "interval-missing",
        none & (steady_state > 0) & ~endless,
        lambda i: f"SS is {steady_state[i]:g}, and without II there is no interval to be steady in",
        "II" if reading.has("II") else "SS",
    )
    return convert(np.nan_to_num(interval), reading.spec.time_unit, "h")


def _check_amounts(
    reading: Reading, amount: Floats, rate: Floats, event: Ints, is_dose: Flags, steady_state: Floats
) -> None:
    with np.errstate(invalid="ignore"):
        endless = (rate > 0) & (steady_state > 0)
        reading.error(
            "negative-value",
            amount < 0,
            lambda i: f"{amount[i]:g} is negative; the smallest possible amount is 0",
            "AMT",
        )
        reading.error(
            "missing-value",
            is_dose & np.isnan(amount) & ~endless,
            lambda _: "is empty, and the record is a dose",
            "AMT" if reading.has("AMT") else "EVID",
        )
        reading.error(
            "amount-without-dose",
            ~is_dose & (amount > 0),
            lambda i: f"{amount[i]:g} on a record that is no dose (EVID {event[i]})",
            "AMT",
        )
        reading.once(
            Severity.WARNING,
            "zero-dose",
            is_dose & (amount == 0) & ~endless,
            "doses of 0: nothing is given",
            "AMT",
        )


def _rates(reading: Reading, amount: Floats, rate: Floats, duration: Floats, is_dose: Flags) -> Floats:
    """RATE in the file's units, from DUR where that is given; NaN where neither is."""
    with np.errstate(invalid="ignore", divide="ignore"):
        reading.error(
            "out-of-range",
            is_dose & (rate < 0) & ~np.isin(rate, (MODELLED_RATE, MODELLED_DURATION)),
            lambda i: f"{rate[i]:g}: a rate is at least 0, or −1 (modelled rate) or −2 (modelled duration)",
            "RATE",
        )
        reading.error(
            "negative-value",
            is_dose & (duration < 0),
            lambda i: f"{duration[i]:g}: a duration is at least 0",
            "DUR",
        )
        from_duration = np.where(duration > 0, amount / duration, 0.0)
        differs = (
            is_dose & (duration > 0) & (rate != 0) & (np.abs(rate - from_duration) > 1e-6 * np.abs(rate))
        )
    reading.error(
        "rate-disagrees",
        differs,
        lambda i: f"RATE {rate[i]:g} is not AMT / DUR, which is {from_duration[i]:g}",
        "RATE" if reading.has("RATE") else "DUR",
    )
    use = ~np.isnan(duration) & (np.isnan(rate) | (rate == 0))
    return np.where(use, from_duration, rate)


def _model_rates(reading: Reading, rate: Floats, compartment: Ints, is_dose: Flags) -> Floats:
    """Rates, with the model's own (−2, −1) where none is given; errors where the model declares none."""
    spec = reading.spec
    inputs = {s.name: [i for i in spec.inputs if i.compartment == s.name] for s in spec.states}
    of_state = [*inputs.values(), list(spec.inputs)]
    default = np.array([*(dose_rate(spec, s.name) for s in spec.states), dose_rate(spec, None)])
    # The last entry stands for ALL_INPUTS, which is −1.
    for code, word, declares in (
        (MODELLED_DURATION, "duration", [any(i.duration is not None for i in of) for of in of_state]),
        (MODELLED_RATE, "rate", [any(i.rate is not None for i in of) for of in of_state]),
    ):
        reading.error(
            "rate-not-modelled",
            is_dose & (rate == code) & ~np.array(declares, dtype=bool)[compartment],
            lambda _, code=code, word=word: (
                f"RATE {code:g} asks for the model's {word}, and the model declares none there"
            ),
            "RATE",
        )
    # Through every input 0 says that each takes its part as it declares, whatever code the file has.
    rate = np.where((compartment == ALL_INPUTS) & (rate < 0), 0.0, rate)
    missing = is_dose & np.isnan(rate)
    filled = np.where(missing, default[compartment], np.nan_to_num(rate))
    column = "RATE" if reading.has("RATE") else "AMT"
    for code, word in ((MODELLED_DURATION, "over the duration"), (MODELLED_RATE, "at the rate")):
        reading.once(
            Severity.NOTE,
            "rate-from-model",
            missing & (filled == code),
            f"doses without a RATE enter {word} that the model declares",
            column,
        )
    return filled


def _to_mg(reading: Reading) -> float:
    spec = reading.spec
    return float(convert_factor(spec.amount_unit, "mg", molar_mass_g_per_mol=molar_mass_g_per_mol(spec.drug)))
