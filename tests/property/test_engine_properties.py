"""Laws that predictions obey whatever the regimen: linearity, balance, and one answer however it is written.

Unless a test says otherwise, 1e-10 of the level holds for linear models; nonlinear ones run at 1e-11.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.engine_checks import model_of
from troughline.model.build import DoseEvent, PatientRecord, Sample, records_from
from troughline.model.engine import Tolerance
from troughline.model.model import Model, load_model
from troughline.model.records import OTHER, Records

few = settings(max_examples=25, deadline=None)
SHARP = Tolerance(relative=1e-11, absolute=1e-13)
TIMES = (0.7, 3.0, 10.0, 23.9, 31.0, 47.5, 80.0)

TWO = """
[parameters]
ka = { value = 0.9, unit = "1/h" }
CL = { value = 4, unit = "L/h" }
V = { value = 35, unit = "L" }
Q = { value = 3, unit = "L/h" }
V2 = { value = 50, unit = "L" }
lag = { value = 0.4, unit = "h" }
over = { value = 1.5, unit = "h" }
[compartments]
depot = {}
central = {}
peripheral = {}
out = {}
[[flows]]
from = "depot"
to = "central"
rate = "ka"
[[flows]]
from = "central"
to = "peripheral"
rate = "Q / V"
[[flows]]
from = "peripheral"
to = "central"
rate = "Q / V2"
[[doses]]
compartment = "depot"
bioavailability = "0.6"
lag = "lag"
[[doses]]
compartment = "central"
bioavailability = "0.4"
duration = "over"
[outputs.plasma]
prediction = "central / V"
unit = "mg/L"
error = { kind = "proportional", proportional = "0.1" }
[outputs.total]
prediction = "depot + central + peripheral + out"
unit = "mg"
error = { kind = "none" }
"""
LINEAR = (
    TWO
    + """
[[flows]]
from = "central"
to = "out"
rate = "CL / V"
"""
)
SATURABLE = TWO.replace("[compartments]", """KM = { value = 2, unit = "mg/L" }
[compartments]""") + """
[derivatives]
central = "-CL * central / V / (1 + central / V / KM)"
out = "CL * central / V / (1 + central / V / KM)"
"""  # fmt: skip
VARYING = LINEAR.replace('rate = "CL / V"', 'rate = "CL / V * (1 + 0.5 * exp(-tad / 3[h]))"')
GATED = LINEAR.replace("[compartments]", """[gates.late]
kind = "after-dose"
start = "2[h]"
length = "5[h]"
[compartments]""").replace('rate = "CL / V"', 'rate = "CL / V * (1 - 0.7 * late)"')  # fmt: skip
TEXTS = {"linear": LINEAR, "varying": VARYING, "gated": GATED, "saturable": SATURABLE}


def records_of(model: Model, doses: Sequence[DoseEvent], times: Sequence[float], output: str) -> Records:
    samples = [Sample(time_h=t, output=output) for t in times]
    return records_from([PatientRecord(patient="P", doses=doses, samples=samples)], model.spec)


def levels(
    model: Model,
    doses: Sequence[DoseEvent],
    times: Sequence[float] = TIMES,
    output: str = "plasma",
    theta: np.ndarray | None = None,
) -> np.ndarray:
    records = records_of(model, doses, times, output)
    return model.predict(records, tolerance=SHARP, theta=theta).value[records.observed]


hours = st.floats(0, 60, allow_nan=False).map(lambda t: round(t, 3))
amounts = st.floats(1, 1000)
regimens = st.lists(
    st.builds(
        DoseEvent,
        time_h=hours,
        amount_mg=amounts,
        interval_h=st.sampled_from([4.0, 7.5, 12.0]),
        additional=st.integers(0, 4),
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("kind", ["linear", "varying", "gated"])
@given(doses=regimens, factor=st.floats(0.01, 100))
@few
def test_levels_of_a_linear_model_are_in_proportion_to_its_doses(
    kind: str, doses: list[DoseEvent], factor: float
) -> None:
    scaled = [replace(d, amount_mg=d.amount_mg * factor) for d in doses]
    model = model_of(TEXTS[kind])
    assert levels(model, scaled) == pytest.approx(factor * levels(model, doses), rel=1e-10, abs=1e-300)


@given(first=regimens, second=regimens)
@few
def test_levels_of_a_linear_model_add_up(first: list[DoseEvent], second: list[DoseEvent]) -> None:
    model = model_of(LINEAR)
    both = levels(model, [*first, *second])
    assert both == pytest.approx(levels(model, first) + levels(model, second), rel=1e-10, abs=1e-300)


@pytest.mark.parametrize("kind", TEXTS)
@given(doses=regimens)
@few
def test_what_was_given_is_in_the_body_or_out_of_it(kind: str, doses: list[DoseEvent]) -> None:
    """At 200 h every dose has entered, 60 % after its lag and 40 % over its duration; 1e-9."""
    total = sum(d.amount_mg * (1 + d.additional) for d in doses)
    found = levels(model_of(TEXTS[kind]), doses, (200.0,), "total")
    assert found[0] == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("kind", TEXTS)
@given(
    load=st.floats(0.01, 0.4),
    interval=st.sampled_from([2.0, 6.0, 12.0, 24.0]),
    scale=st.lists(st.floats(0.5, 2), min_size=7, max_size=7),
)
@settings(max_examples=10, deadline=None)
def test_a_steady_state_is_the_limit_of_many_doses(
    kind: str, load: float, interval: float, scale: list[float]
) -> None:
    """At any parameters, to 40 % of the capacity of elimination, lags beyond the interval included; 1e-7."""
    # Without `out`, which fills for ever and has no steady state.
    open_text = TEXTS[kind].replace('to = "out"\n', "").replace("out = {}\n", "").replace(" + out", "")
    open_text = "\n".join(line for line in open_text.splitlines() if not line.startswith("out = "))
    model = model_of(open_text)
    theta = model.spec.theta
    theta[:7] *= scale
    theta[5:7] *= 4
    amount = load * float(theta[1]) * 2 * interval
    count = int(6000 / interval)
    many = [DoseEvent(time_h=-count * interval, amount_mg=amount, interval_h=interval, additional=count)]
    steady = [DoseEvent(time_h=0, amount_mg=amount, interval_h=interval, steady_state=1)]
    assert levels(model, steady, theta=theta) == pytest.approx(levels(model, many, theta=theta), rel=1e-7)


@pytest.mark.parametrize("kind", TEXTS)
@given(time=hours, first=amounts, second=amounts)
@few
def test_two_doses_at_one_time_may_be_written_in_either_order(
    kind: str, time: float, first: float, second: float
) -> None:
    model = model_of(TEXTS[kind])
    one, two = DoseEvent(time_h=time, amount_mg=first), DoseEvent(time_h=time, amount_mg=second)
    assert levels(model, [one, two]) == pytest.approx(levels(model, [two, one]), rel=1e-10, abs=1e-300)


@given(time=hours, amount=amounts)
@few
def test_a_sample_before_a_bolus_at_its_time_does_not_see_it_and_one_after_it_does(
    time: float, amount: float
) -> None:
    model = model_of(LINEAR)
    doses = [
        DoseEvent(time_h=-5, amount_mg=100),
        DoseEvent(time_h=time, amount_mg=amount, compartment="peripheral"),
    ]
    records = records_of(model, doses, (time,), "total")
    assert records.event.tolist() == [1, 0, 1]
    after = _reordered(records, [0, 2, 1])
    before_level = model.predict(records).value[1]
    assert model.predict(after).value[2] == pytest.approx(before_level + amount, rel=1e-10)


def _reordered(records: Records, order: Sequence[int]) -> Records:
    names = [f.name for f in fields(records) if f.name not in ("patients", "first")]
    return replace(records, **{name: getattr(records, name)[list(order)] for name in names})


@pytest.mark.parametrize("kind", TEXTS)
@given(doses=regimens)
@few
def test_repeated_doses_are_those_written_out(kind: str, doses: list[DoseEvent]) -> None:
    written = [
        replace(d, time_h=d.time_h + k * d.interval_h, additional=0)
        for d in doses
        for k in range(d.additional + 1)
    ]
    model = model_of(TEXTS[kind])
    assert levels(model, doses) == pytest.approx(levels(model, written), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("kind", TEXTS)
@given(doses=regimens, cuts=st.lists(hours, min_size=1, max_size=6))
@few
def test_a_record_at_which_nothing_happens_changes_nothing(
    kind: str, doses: list[DoseEvent], cuts: list[float]
) -> None:
    model = model_of(TEXTS[kind])
    wanted = [t for t in TIMES if t not in cuts]
    records = records_of(model, doses, sorted({*wanted, *cuts}), "plasma")
    cut = records.observed & np.isin(records.time_h, cuts)
    records = replace(records, event=np.where(cut, OTHER, records.event))
    found = model.predict(records, tolerance=SHARP).value[records.observed]
    assert found == pytest.approx(levels(model, doses, wanted), rel=1e-9, abs=1e-300)


@given(amount=amounts, duration=st.floats(1e-6, 1e-3))
@few
def test_a_short_infusion_is_a_bolus_but_for_its_duration(amount: float, duration: float) -> None:
    """The mean arrival is half the duration later, which moves a level by that times its slope."""
    model = model_of(LINEAR)
    at_once = levels(model, [DoseEvent(time_h=0, amount_mg=amount, compartment="peripheral")])
    records = records_of(
        model,
        [DoseEvent(time_h=0, amount_mg=amount, compartment="peripheral", duration_h=duration)],
        TIMES,
        "plasma",
    )
    infused = model.predict(records).value[records.observed]
    assert infused == pytest.approx(at_once, rel=2 * duration)
    assert not np.array_equal(infused, at_once)


@given(doses=regimens)
@few
def test_a_model_written_in_other_units_predicts_the_same(doses: list[DoseEvent]) -> None:
    """Clearance in mL/min, volumes in mL and dL, times in min and d, levels in ng/mL; 1e-12."""
    other = (
        LINEAR.replace('ka = { value = 0.9, unit = "1/h" }', 'ka = { value = 21.6, unit = "1/d" }')
        .replace('CL = { value = 4, unit = "L/h" }', f'CL = {{ value = {4000 / 60!r}, unit = "mL/min" }}')
        .replace('V = { value = 35, unit = "L" }', 'V = { value = 35000, unit = "mL" }')
        .replace('Q = { value = 3, unit = "L/h" }', 'Q = { value = 72, unit = "L/d" }')
        .replace('V2 = { value = 50, unit = "L" }', 'V2 = { value = 500, unit = "dL" }')
        .replace('lag = { value = 0.4, unit = "h" }', 'lag = { value = 24, unit = "min" }')
        .replace('over = { value = 1.5, unit = "h" }', 'over = { value = 5400, unit = "s" }')
        .replace('unit = "mg/L"', 'unit = "ng/mL"')
    )
    assert other.count("unit =") == LINEAR.count("unit =")
    model = model_of(other)
    assert model.spec.outputs[0].unit == "ng/mL"
    assert levels(model, doses) == pytest.approx(levels(model_of(LINEAR), doses), rel=1e-12, abs=1e-300)


@given(doses=regimens)
@settings(max_examples=10, deadline=None)
def test_derivatives_do_not_change_levels(doses: list[DoseEvent]) -> None:
    """Asked for or not, in the library's model whose rates vary in time; 1e-9."""
    model = load_model("sorafenib/jain-2011")
    records = records_of(model, doses, TIMES, "sorafenib")
    plain = model.predict(records).value[records.observed]
    assert model.predict(records, tangents=True).value[records.observed] == pytest.approx(
        plain, rel=1e-9, abs=1e-300
    )
