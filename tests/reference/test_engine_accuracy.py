"""How exact predictions are, against SciPy's DOP853 at 2e-14 over right-hand sides written out here.

Linear models: 1e-9 of each value, however small (the promise is 1e-8). Derivatives are held against
differences of the engine's own predictions.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference.engine_checks import (
    check_derivatives,
    constant_infusion,
    dose,
    effect_names,
    model_of,
    predict,
    zoo,
)
from tests.reference.integrated import Entry, course, repeated
from troughline.model.model import load_model

LINEAR = 1e-9


# --- chains


def chain(t, tad, x, middle):
    k, out = 6 / 1.98, 8.13 / 213
    return [-k * x[0], *(k * (x[i] - x[i + 1]) for i in range(5)), k * x[5] - out * x[6]]


CHAIN_TIMES = (1e-3, 0.01, 0.1, 0.5, 1.0, 3.0, 11.9, 12.001, 12.1, 20.0, 100.0, 400.0, 700.0)


def test_a_transit_chain_is_exact_from_the_first_moment_to_the_last() -> None:
    """From 1e-18 of the dose 4 s after it to 1e-12 of it a month later."""
    expected = course(chain, 7, repeated(0, 400, 12, 3), CHAIN_TIMES)[:, 6] / 213
    found = predict(zoo("transit-chain"), [dose(0, 400, interval_h=12, additional=2)], CHAIN_TIMES)
    assert found == pytest.approx(expected, rel=LINEAR, abs=0)
    assert found.max() / found.min() > 1e15


def test_a_transit_chain_at_steady_state_is_that_after_many_doses() -> None:
    times = (0.5, 3.0, 11.9, 30.0)
    expected = course(chain, 7, repeated(0, 400, 12, 70, first=-69 * 12), times)[:, 6] / 213
    found = predict(zoo("transit-chain"), [dose(0, 400, interval_h=12, steady_state=1)], times)
    assert found == pytest.approx(expected, rel=LINEAR)
    check_derivatives(zoo("transit-chain"), [dose(0, 400, interval_h=12, steady_state=1)], times)


# --- a gate that opens smoothly after each dose (rates that vary in time)


def jain(t, tad, x, middle):
    ka, out = 5 / 1.98, 8.13 / 213
    power = (tad / 6.13) ** 40
    release = 0.857 * power / (1 + power) * x[6]
    return [
        -ka * x[0],
        *(ka * (x[i] - x[i + 1]) for i in range(3)),
        ka * x[3] - ka * x[4] + release,
        ka * x[4] - out * x[5],
        0.498 * out * x[5] - release,
    ]


def test_a_gate_that_opens_smoothly_is_exact_over_irregular_doses() -> None:
    given = [(0.0, 400), (12.0, 400), (19.5, 200), (36.0, 400), (60.0, 600), (66.25, 200)]
    times = (0.01, 2.0, 6.2, 11.0, 13.0, 18.0, 26.0, 30.0, 35.9, 47.0, 59.0, 66.0, 67.0, 73.0, 200.0)
    expected = course(jain, 7, [Entry(t, 0, a) for t, a in given], times)[:, 5] / 213
    model = load_model("sorafenib/jain-2011")
    found = predict(model, [dose(t, a) for t, a in given], times)
    assert found == pytest.approx(expected, rel=LINEAR)
    check_derivatives(model, [dose(t, a) for t, a in given], times)


def test_a_gate_that_opens_smoothly_is_exact_over_equal_doses_and_at_steady_state() -> None:
    """Repeated steps use the propagator that was kept; 110 doses lead to the steady state within 1e-10."""
    times = (1.0, 6.0, 7.0, 11.5, 13.0, 18.5, 30.0, 60.0)
    model = load_model("sorafenib/jain-2011")
    expected = course(jain, 7, repeated(0, 400, 12, 114, first=-110 * 12), times)[:, 5] / 213
    many = [dose(-110 * 12, 400, interval_h=12, additional=113)]
    steady = [dose(0, 400, interval_h=12, additional=3, steady_state=1)]
    assert predict(model, many, times) == pytest.approx(expected, rel=LINEAR)
    assert predict(model, steady, times) == pytest.approx(expected, rel=LINEAR)
    check_derivatives(model, steady, times)


# --- a gate that opens and shuts after each dose


def bile(start: float, clearance: float):
    def rates(t, tad, x, middle):
        out = clearance / 200
        after = tad - t + middle
        release = 0.9 * x[2] if start < after < start + 3 else 0.0
        return [-1.2 * x[0] + release, 1.2 * x[0] - out * x[1], 0.5 * out * x[1] - release]

    return rates


def test_a_gate_after_each_dose_is_exact_and_a_dose_before_it_shuts_shuts_it() -> None:
    given = [0.0, 12.0, 19.5, 30.0, 32.0, 48.0]
    effects = {"eta_CL": 0.2, "eta_start": -0.1}
    start = 6 * np.exp(-0.1)
    breaks = [t + s for t in given for s in (start, start + 3)]
    times = (0.1, 5.0, 7.0, 8.8, 11.0, 18.0, 20.0, 26.0, 31.0, 33.0, 40.0, 47.0, 60.0)
    expected = course(
        bile(start, 8 * np.exp(0.2)), 3, [Entry(t, 0, 400) for t in given], times, breaks=breaks
    )
    doses = [dose(t, 400) for t in given]
    found = predict(zoo("bile-after-dose"), doses, times, effects=effects)
    assert found == pytest.approx(expected[:, 1] / 200, rel=LINEAR)
    check_derivatives(zoo("bile-after-dose"), doses, times)


def test_a_gate_after_each_dose_is_exact_at_steady_state() -> None:
    times = (0.1, 5.0, 7.0, 8.8, 11.9, 20.0)
    entries = repeated(0, 400, 12, 201, first=-200 * 12)
    breaks = [e.time + s for e in entries for s in (6.0, 9.0)]
    expected = course(bile(6.0, 8.0), 3, entries, times, breaks=breaks)[:, 1] / 200
    doses = [dose(0, 400, interval_h=12, steady_state=1)]
    assert predict(zoo("bile-after-dose"), doses, times) == pytest.approx(expected, rel=LINEAR)
    check_derivatives(zoo("bile-after-dose"), doses, times)


# --- gates that follow the clock

CLOCK = """
[parameters]
ka = { value = 0.8, unit = "1/h" }
CL = { value = 3, unit = "L/h" }
V = { value = 30, unit = "L" }
open_for = { value = 2.5, unit = "h" }
[[random]]
level = "subject"
effects = ["eta_CL", "eta_open"]
variance = [0.1, 0.1]
[compartments]
depot = {}
central = {}
bile = {}
[gates.meal]
kind = "clock"
at = [7, 8, 19]
length = "open_for * exp(eta_open)"
[[flows]]
from = "depot"
to = "central"
rate = "ka"
[[flows]]
from = "central"
to = "bile"
rate = "0.4 * CL * exp(eta_CL) / V"
[[flows]]
from = "central"
rate = "0.6 * CL * exp(eta_CL) / V"
[[flows]]
from = "bile"
to = "depot"
rate = "(0.02 + 0.9 * meal) * 1[1/h]"
[[doses]]
compartment = "depot"
[outputs.plasma]
prediction = "central / V"
unit = "mg/L"
error = { kind = "proportional", proportional = "0.1" }
"""


def meals(t, tad, x, middle):
    hour = middle % 24
    opened = any(meal < hour < meal + 2.5 for meal in (7, 8, 19))
    release, out = (0.02 + 0.9 * opened) * x[2], 3 / 30
    return [-0.8 * x[0] + release, 0.8 * x[0] - out * x[1], 0.4 * out * x[1] - release]


def clock_breaks(begin: float, end: float) -> list[float]:
    days = range(int(begin // 24), int(end // 24) + 1)
    return [24 * day + hour + s for day in days for hour in (7, 8, 19) for s in (0, 2.5)]


def test_windows_by_the_clock_that_overlap_are_one() -> None:
    """The meals of 7 and 8 o'clock keep the gate open from 7 to 10.30; the records begin in between."""
    given = [7.25, 20.0, 33.0]
    times = (7.3, 9.0, 9.7, 10.4, 10.6, 15.0, 20.5, 22.0, 31.2, 34.0, 50.0)
    entries = [Entry(t, 0, 100) for t in given]
    expected = course(meals, 3, entries, times, breaks=clock_breaks(0, 50))[:, 1] / 30
    doses = [dose(t, 100) for t in given]
    assert predict(model_of(CLOCK), doses, times) == pytest.approx(expected, rel=LINEAR)
    check_derivatives(model_of(CLOCK), doses, times)


@pytest.mark.parametrize("interval", [8.0, 12.0, 24.0, 36.0, 48.0, 5.0])
def test_gates_by_the_clock_are_exact_at_steady_state(interval: float) -> None:
    """The period is the shortest that doses and days share: 24 h, 48 h, 72 h, five days."""
    times = (9.1, 10.0, 13.0, 19.5, 22.0, 30.0, 56.0)
    entries = repeated(0, 100, interval, int(600 / interval) + 1)
    entries = [Entry(9.0 - e.time, 0, 100) for e in entries][::-1]
    expected = course(meals, 3, entries, times, breaks=clock_breaks(-620, 60))[:, 1] / 30
    doses = [dose(9.0, 100, interval_h=interval, steady_state=1)]
    assert predict(model_of(CLOCK), doses, times) == pytest.approx(expected, rel=LINEAR)
    check_derivatives(model_of(CLOCK), doses, times)


def test_a_window_that_shuts_at_the_moment_of_the_steady_state_has_its_derivative() -> None:
    """9.5 h is the end of the window of 7 o'clock, and 10.5 h that of 8 o'clock."""
    for start in (10.5, 21.5):
        check_derivatives(
            model_of(CLOCK), [dose(start, 100, interval_h=12, steady_state=1)], (start + 1.0, 40.0)
        )


# --- lags, infusions, several inputs

INPUTS = """
[parameters]
ka = { value = 1.1, unit = "1/h" }
CL = { value = 5, unit = "L/h" }
V = { value = 40, unit = "L" }
Q = { value = 2, unit = "L/h" }
V2 = { value = 90, unit = "L" }
F_pop = 0.7
lag = { value = LAG, unit = "h" }
over = { value = OVER, unit = "h" }
[[random]]
level = "subject"
effects = ["eta_F", "eta_lag", "eta_over", "eta_CL"]
variance = [0.1, 0.1, 0.1, 0.1]
[individual]
F1 = "expit(logit(F_pop) + eta_F)"
[compartments]
depot = {}
central = {}
peripheral = {}
[[flows]]
from = "depot"
to = "central"
rate = "ka"
[[flows]]
from = "central"
rate = "CL * exp(eta_CL) / V"
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
bioavailability = "F1"
lag = "lag * exp(eta_lag)"
[[doses]]
compartment = "central"
bioavailability = "1 - F1"
lag = "lag * exp(eta_lag) / 2"
duration = "over * exp(eta_over)"
[outputs.plasma]
prediction = "central / V"
unit = "mg/L"
error = { kind = "proportional", proportional = "0.1" }
"""


def two_compartments(t, tad, x, middle):
    return [
        -1.1 * x[0],
        1.1 * x[0] - (5 + 2) / 40 * x[1] + 2 / 90 * x[2],
        2 / 40 * x[1] - 2 / 90 * x[2],
    ]


def two_inputs(time: float, amount: float, lag: float, over: float) -> list[Entry]:
    return [Entry(time + lag, 0, 0.7 * amount), Entry(time + lag / 2, 1, 0.3 * amount, over)]


@pytest.mark.parametrize(("lag", "over"), [(0.8, 2.5), (3.0, 30.0), (31.0, 7.0), (0.0, 12.0), (24.0, 24.0)])
def test_lags_and_durations_are_exact_also_beyond_the_interval(lag: float, over: float) -> None:
    model = model_of(INPUTS.replace("LAG", str(lag)).replace("OVER", str(over)))
    times = (0.3, 1.7, 5.0, 11.0, 13.0, 17.0, 26.0, 35.0, 42.0, 57.0, 80.0)
    single = [e for t in (0, 12, 24) for e in two_inputs(t, 100, lag, over)]
    expected = course(two_compartments, 3, single, times, begin=0.0)[:, 1] / 40
    doses = [dose(0, 100, interval_h=12, additional=2)]
    assert predict(model, doses, times) == pytest.approx(expected, rel=LINEAR, abs=1e-300)
    check_derivatives(model, doses, times)
    past = [e for k in range(-180, 3) for e in two_inputs(12 * k, 100, lag, over)]
    expected = course(two_compartments, 3, past, times)[:, 1] / 40
    steady = [dose(0, 100, interval_h=12, additional=2, steady_state=1)]
    assert predict(model, steady, times) == pytest.approx(expected, rel=LINEAR)
    check_derivatives(model, steady, times)


def test_a_second_steady_state_is_added_to_what_is_there() -> None:
    """SS = 2: each schedule has always been followed, seen apart; the first goes on."""
    model = model_of(INPUTS.replace("LAG", "3.0").replace("OVER", "5.0"))
    times = (10.0, 13.0, 20.0, 30.0, 50.0)
    morning = [e for k in range(-60, 2) for e in two_inputs(24 * k, 100, 3.0, 5.0)]
    evening = [e for k in range(-60, 2) for e in two_inputs(12 + 24 * k, 60, 3.0, 5.0)]
    first = course(two_compartments, 3, morning, times)
    second = course(two_compartments, 3, evening, times)
    second[np.array(times) < 12] = 0.0
    doses = [
        dose(0, 100, interval_h=24, steady_state=1, additional=1),
        dose(12, 60, interval_h=24, steady_state=2, additional=1),
    ]
    assert predict(model, doses, times) == pytest.approx((first + second)[:, 1] / 40, rel=LINEAR)
    check_derivatives(model, doses, times)


# --- rates that follow the dose, the clock or an occasion


def test_a_dose_dependent_bioavailability_is_that_of_its_own_dose() -> None:
    model = zoo("dose-dependent-bioavailability")
    check_derivatives(model, [dose(0, 200, interval_h=12, steady_state=1), dose(12, 800)], (3.0, 14.0, 30.0))
    alone = [predict(model, [dose(0, a)], (3.0,))[0] for a in (200, 800)]
    both = predict(model, [dose(0, 200), dose(500, 800)], (3.0, 503.0))
    assert both == pytest.approx(alone, rel=1e-6)


TIMED = """
[parameters]
CL = { value = 3, unit = "L/h" }
V = { value = 30, unit = "L" }
ka = { value = 0.9, unit = "1/h" }
[[random]]
level = "subject"
effects = ["eta_CL", "eta_F", "eta_lag"]
variance = [0.1, 0.1, 0.1]
[individual]
slowing = "1 / (1 + tad / 5[h])"
[compartments]
depot = {}
central = {}
[[flows]]
from = "depot"
to = "central"
rate = "ka"
[[flows]]
from = "central"
rate = "CL * exp(eta_CL) / V * (1 + slowing)"
[[doses]]
compartment = "depot"
bioavailability = "exp(eta_F) * slowing / (1 + dose / 400[mg])"
lag = "1.5[h] * exp(eta_lag) * slowing"
[outputs.plasma]
prediction = "central / V * (1 + 0.1 * slowing)"
unit = "mg/L"
error = { kind = "proportional", proportional = "0.1" }
"""


def timed(t, tad, x, middle):
    return [-0.9 * x[0], 0.9 * x[0] - 3 / 30 * (1 + 1 / (1 + tad / 5)) * x[1]]


def test_what_a_dose_brings_is_that_of_its_own_moment_where_rates_vary() -> None:
    """Bioavailability and lag share an expression with the rates; they are those at time after dose 0."""
    model = model_of(TIMED)
    times = (0.5, 2.0, 9.0, 12.5, 14.0, 23.0, 30.0)
    for doses, given in (
        ([dose(0, 100), dose(12, 400), dose(12, 100)], [(0, 100), (12, 400), (12, 100)]),
        ([dose(0, 100, interval_h=12, steady_state=1)], [(12 * k, 100) for k in range(-40, 1)]),
    ):
        entries = [Entry(t + 1.5, 0, a / (1 + a / 400)) for t, a in given]
        x = course(timed, 2, entries, times, doses=[t for t, _ in given])
        tad = np.array([min(t - g for g, _ in given if g <= t) for t in times])
        expected = x[:, 1] / 30 * (1 + 0.1 / (1 + tad / 5))
        assert predict(model, doses, times) == pytest.approx(expected, rel=LINEAR, abs=1e-300)
        check_derivatives(model, doses, times)


def test_a_constant_infusion_leaves_the_state_in_which_as_much_goes_as_comes() -> None:
    """AMT = II = 0, SS = 1: the level is rate/CL, the compartments are in balance, no infusion goes on."""
    model = model_of(INPUTS.replace("LAG", "0.0").replace("OVER", "1.0"))
    times = (0.0, 1.0, 10.0)
    found = predict(model, [], times)
    assert found == pytest.approx([0.0, 0.0, 0.0], abs=0)
    value, jacobian = constant_infusion(model, 12.0, times)
    start = (0.0, 12 / 5 * 40, 12 / 5 * 90)
    assert value[0] == pytest.approx(12 / 5, rel=LINEAR)
    after = course(two_compartments, 3, [], times[1:], start=start, begin=0.0)[:, 1] / 40
    assert value[1:] == pytest.approx(after, rel=LINEAR)
    assert jacobian[0, list(effect_names(model)).index("eta_CL")] == pytest.approx(-12 / 5, rel=1e-9)
