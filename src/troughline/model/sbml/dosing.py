"""Doses and gates as SBML events.

A dose is an event that repeats: it comes due at `next_dose_time`, puts its parts into the states and moves
`next_dose_time` on by `dose_interval`. What comes later, a lagged part or the end of a zero-order one, is a
second event with the same trigger and a delay. Such parts may overlap, so their events carry running totals,
in which nothing is lost: what has been given by the time of the dose, which is what has arrived after the
delay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from xml.etree.ElementTree import Element

from troughline.model.expressions import Expression
from troughline.model.sbml.document import Document
from troughline.model.sbml.mathml import MathWriter, apply, ci, number, piecewise, time_symbol
from troughline.model.spec import Gate, Input


@dataclass(frozen=True, slots=True, kw_only=True)
class Regimen:
    """The doses the document starts with: mg, h, how many (inf: for ever), and the time of the first (h)."""

    amount_mg: float
    interval_h: float
    n_doses: float
    first_h: float


@dataclass(frozen=True, slots=True)
class DoseIds:
    """The ids of the quantities that describe the doses."""

    amount: str
    every: str
    count: str
    next: str
    given: str
    last: str
    dose: str
    interval: str


class Dosing:
    """Writes the doses and gates of a model. `rates` has for each state what zero-order parts add to it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.units = document.units
        self.ids = DoseIds(
            *(
                document.free(name)
                for name in (
                    "dose_amount", "dose_interval", "n_doses", "next_dose_time", "doses_given",
                    "last_dose_time", "dose", "interval",
                )
            )
        )  # fmt: skip
        self.rates = dict[str, list[Element]]()

    def due(self) -> Element:
        """Whether a dose is due."""
        left = apply("lt", ci(self.ids.given), ci(self.ids.count))
        return apply("and", left, apply("geq", time_symbol(), ci(self.ids.next)))

    def parameters(self, regimen: Regimen) -> None:
        """The quantities that describe the doses."""
        document, ids = self.document, self.ids
        mg, h = self.units.canonical_of("mg"), self.units.canonical_of("h")
        for identifier, value, unit, note in (
            (ids.amount, regimen.amount_mg, mg, "amount of each dose, mg; set it"),
            (ids.every, regimen.interval_h, h, "time from one dose to the next, h; set it"),
            (ids.count, regimen.n_doses, "dimensionless", "how many doses are given; set it"),
            (ids.next, regimen.first_h, h, "time of the next dose, h; set the first one"),
            (ids.given, 0.0, "dimensionless", "doses given so far"),
            (ids.last, 0.0, h, "time of the last dose, h"),
            (ids.dose, 0.0, mg, "amount of the last dose, mg"),
            (ids.interval, 0.0, h, "dosing interval of the last dose, h"),
        ):
            document.parameter(identifier, value, unit=unit, notes=[note])

    def doses(
        self, inputs: Sequence[Input], gates: Sequence[Gate], at_dose: MathWriter, ids: Mapping[str, str]
    ) -> None:
        """The events of a dose; `at_dose` writes expressions as they are for the dose being given."""
        own = self.ids
        happens = {
            own.last: time_symbol(),
            own.next: apply("plus", ci(own.next), ci(own.every)),
            own.given: apply("plus", ci(own.given), number(1, "dimensionless")),
            own.dose: ci(own.amount),
            own.interval: ci(own.every),
        }
        boluses = dict[str, list[Element]]()
        for place, given in enumerate(inputs, start=1):
            amount = ci(own.amount)
            if given.bioavailability is not None:
                amount = apply("times", at_dose.number(given.bioavailability.tree), amount)
            state = ids[given.compartment]
            if given.duration is not None or given.rate is not None:
                happens |= self._zero_order(f"input_{place}", given, state, amount, at_dose)
            elif given.lag is not None:
                happens |= self._lagged(f"input_{place}", given.lag, state, amount, at_dose)
            else:
                boluses.setdefault(state, []).append(amount)
        for state, amounts in boluses.items():
            happens[state] = apply("plus", ci(state), *amounts)
        for gate in gates:
            if gate.kind == "after-dose":
                happens |= self._after_dose_gate(gate, ids[gate.name], at_dose)
        self.document.event("give_dose", self.due(), happens, name="a dose")

    def _total(self, wanted: str, unit: str | None, note: str) -> str:
        identifier = self.document.free(wanted)
        self.document.parameter(identifier, 0.0, unit=unit, notes=[note])
        return identifier

    def _lagged(
        self, name: str, lag: Expression, state: str, amount: Element, at_dose: MathWriter
    ) -> dict[str, Element]:
        """A part that enters all at once, late; what the dose itself does to begin with."""
        mg = self.units.canonical_of("mg")
        given = self._total(f"{name}_given", mg, "total of the doses given, mg")
        due = self._total(f"{name}_due", mg, "total of the doses whose lag has passed, mg")
        entered = self._total(f"{name}_entered", mg, f"total that has entered {state}, mg")
        total = apply("plus", ci(given), amount)
        self.document.event(f"{name}_lag_passes", self.due(), {due: total}, delay=at_dose.number(lag.tree))
        news = apply("minus", ci(due), ci(entered))
        self.document.event(
            f"{name}_enters", apply("gt", ci(due), ci(entered)),
            {state: apply("plus", ci(state), news), entered: ci(due)},
        )  # fmt: skip
        return {given: total}

    def _zero_order(
        self, name: str, entry: Input, state: str, amount: Element, at_dose: MathWriter
    ) -> dict[str, Element]:
        """A part that enters at a constant rate; what the dose itself does to begin with."""
        if entry.duration is not None:
            duration = at_dose.number(entry.duration.tree)
            rate = apply("divide", amount, duration)
        else:
            assert entry.rate is not None
            rate = at_dose.number(entry.rate.tree)
            duration = apply("divide", amount, rate)
        unit = self.units.canonical_of("mg/h")
        given = self._total(f"{name}_given", unit, "total of the rates of all doses given, mg/h")
        on, end = given, duration
        total = apply("plus", ci(given), rate)
        if entry.lag is not None:
            lag = at_dose.number(entry.lag.tree)
            end = apply("plus", lag, duration)
            on = self._total(f"{name}_on", unit, "total of the rates switched on, mg/h")
            self.document.event(f"{name}_begins", self.due(), {on: total}, delay=lag)
        off = self._total(f"{name}_off", unit, "total of the rates switched off, mg/h")
        self.document.event(f"{name}_ends", self.due(), {off: total}, delay=end)
        running = self._total(f"{name}_rate", unit, f"rate at which doses enter {state}, mg/h")
        self.document.rule(running, apply("minus", ci(on), ci(off)))
        self.rates.setdefault(state, []).append(ci(running))
        return {given: total}

    def _after_dose_gate(self, gate: Gate, identifier: str, at_dose: MathWriter) -> dict[str, Element]:
        """A gate that opens some time after each dose; what the dose itself does to it."""
        document, hour = self.document, self.units.canonical_of("h")
        zero, one, never = number(0, "dimensionless"), number(1, "dimensionless"), number(inf)
        opens, shuts = document.free(f"{identifier}_opens"), document.free(f"{identifier}_shuts")
        document.parameter(identifier, 0.0, unit="dimensionless", notes=["1 while the gate is open, else 0"])
        document.parameter(opens, inf, unit=hour, notes=[f"when {identifier} opens next, h"])
        moment = time_symbol()
        if gate.start is not None:
            moment = apply("plus", moment, at_dose.number(gate.start.tree))
        # A dose at the moment of a switch cancels it: its windows are counted from that dose.
        document.event(
            f"{identifier}_opening", apply("geq", time_symbol(), ci(opens)),
            {identifier: one, opens: never}, may_be_cancelled=True,
        )  # fmt: skip
        planned = {identifier: zero, opens: moment}
        if gate.length is not None:
            document.parameter(shuts, inf, unit=hour, notes=[f"when {identifier} shuts next, h"])
            document.event(
                f"{identifier}_shutting", apply("geq", time_symbol(), ci(shuts)),
                {identifier: zero, shuts: never}, may_be_cancelled=True,
            )  # fmt: skip
            planned[shuts] = apply("plus", moment, at_dose.number(gate.length.tree))
        return planned

    def clock_gate(self, gate: Gate, identifier: str, writer: MathWriter) -> None:
        """A gate that opens at hours of the day: open while a window's next end comes before its next start.

        Each switch is an event whose moment is known beforehand, so that no simulator steps over a window.
        """
        document, hour = self.document, self.units.canonical_of("h")
        day, open_now = number(24, hour), list[Element]()
        assert gate.length is not None
        for place, clock_hour in enumerate(gate.at, start=1):
            since = (gate.clock_origin_h - clock_hour) % 24.0
            first = 0.0 if since == 0 else 24.0 - since
            opens = document.free(f"{identifier}_opens_{place}")
            shuts = document.free(f"{identifier}_shuts_{place}")
            window = f"window {place} of {identifier}"
            document.parameter(opens, first, unit=hour, notes=[f"when {window} opens next, h"])
            document.parameter(shuts, unit=hour, notes=[f"when {window} shuts next, h"])
            length = writer.number(gate.length.tree)
            after_first = apply("plus", number(first, hour), length)
            under_way = apply("minus", length, number(since, hour))
            open_already = apply("lt", number(since, hour), length)
            document.initial(shuts, piecewise(under_way, open_already, after_first) if since else after_first)
            for moment, what in ((opens, "opening"), (shuts, "shutting")):
                document.event(
                    f"{identifier}_{what}_{place}", apply("geq", time_symbol(), ci(moment)),
                    {moment: apply("plus", ci(moment), day)},
                )  # fmt: skip
            open_now.append(apply("lt", ci(shuts), ci(opens)))
        document.parameter(identifier, unit="dimensionless", notes=["1 while the gate is open, else 0"])
        condition = open_now[0] if len(open_now) == 1 else apply("or", *open_now)
        document.rule(
            identifier, piecewise(number(1, "dimensionless"), condition, number(0, "dimensionless"))
        )
