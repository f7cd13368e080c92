"""How close nonlinear models come, against SciPy at 2e-14 over right-hand sides written out here.

The promise: a level is within ten times the tolerance asked for, of itself. Derivatives are held against
differences at a sharper tolerance.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference.engine_checks import check_derivatives, constant_infusion, dose, model_of, predict, zoo
from tests.reference.integrated import Entry, course, repeated
from troughline.model.engine import PredictionError, Tolerance

SHARP = Tolerance(relative=1e-11, absolute=1e-13)

ORAL = """
[parameters]
ka = { value = 0.7, unit = "1/h" }
VMAX = { value = 20, unit = "mg/h" }
KM = { value = 1.5, unit = "mg/L" }
CL = { value = 0.4, unit = "L/h" }
V = { value = 60, unit = "L" }
[[random]]
level = "subject"
effects = ["eta_VMAX", "eta_KM", "eta_ka", "eta_lag"]
variance = [0.1, 0.1, 0.1, 0.1]
[compartments]
depot = {}
central = {}
[[flows]]
from = "depot"
to = "central"
rate = "ka * exp(eta_ka)"
[[flows]]
from = "central"
rate = "CL / V"
[derivatives]
central = "-VMAX * exp(eta_VMAX) * C / (KM * exp(eta_KM) + C)"
[variables]
C = "central / V"
[[doses]]
compartment = "depot"
lag = "0.4[h] * exp(eta_lag)"
[[doses]]
compartment = "central"
bioavailability = "0"
[outputs.plasma]
prediction = "C"
unit = "mg/L"
error = { kind = "proportional", proportional = "0.1" }
"""


def oral(t, tad, x, middle):
    c = x[1] / 60
    return [-0.7 * x[0], 0.7 * x[0] - 0.4 * c - 20 * c / (1.5 + c)]


def hill(t, tad, x, middle):
    c = x[1] / 60
    power = max(c, 0.0) ** 1.5
    return [-0.7 * x[0], 0.7 * x[0] - 0.4 * c - 20 * power / (1.5**1.5 + power)]


def induced(t, tad, x, middle):
    c = x[1] / 60
    return [-0.7 * x[0], 0.7 * x[0] - 0.4 * c - 20 * (1 + 0.5 * np.exp(-tad / 6)) * c / (1.5 + c)]


HILL = ORAL.replace("C / (KM * exp(eta_KM) + C)", "C^1.5 / ((KM * exp(eta_KM))^1.5 + C^1.5)")
INDUCED = ORAL.replace("VMAX * exp(eta_VMAX) * C", "VMAX * exp(eta_VMAX) * (1 + 0.5 * exp(-tad / 6[h])) * C")
KINDS = {"saturable": (ORAL, oral), "hill": (HILL, hill), "follows the dose": (INDUCED, induced)}
TIMES = (0.0, 0.3, 0.5, 2.0, 7.0, 11.9, 12.5, 20.0, 30.5, 48.0, 72.0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tolerance", [1e-6, 1e-8])
def test_levels_are_within_ten_times_the_tolerance(kind: str, tolerance: float) -> None:
    """From the first minutes to where the model is all but linear; asked before the first dose too."""
    text, rates = KINDS[kind]
    given = [0.0, 12.0, 30.0]
    expected = course(
        rates, 2, [Entry(t + 0.4, 0, 400) for t in given], TIMES[1:], doses=given, begin=0.0
    )[:, 1] / 60  # fmt: skip
    control = Tolerance(relative=tolerance, absolute=tolerance * 1e-2)
    found = predict(model_of(text), [dose(t, 400) for t in given], TIMES, tolerance=control)
    assert found[:2].tolist() == [0.0, 0.0]
    assert found[1:] == pytest.approx(expected, rel=10 * tolerance, abs=1e-3 * tolerance)
    assert expected.max() > 10 * expected.min()


@pytest.mark.parametrize("kind", KINDS)
def test_derivatives_are_those_of_differences(kind: str) -> None:
    check_derivatives(
        model_of(KINDS[kind][0]),
        [dose(t, 400) for t in (0.0, 12.0, 30.0)],
        TIMES,
        tolerance=SHARP,
        within=1e-6,
    )


def test_an_indirect_response_is_exact_with_its_derivatives_from_the_state_before_the_dose_on() -> None:
    """Inhibition by (C/IC50)^1.5, whose second derivative by C is infinite where there is no drug."""
    times = (0.0, 5.0, 12.5, 60.0, 300.0, 1000.0)

    def rates(t, tad, x, middle):
        power = (max(x[0], 0.0) / 50 / 1.2) ** 1.5
        return [-6 / 50 * x[0], 60 / 90 * (1 - 0.9 * power / (1 + power)) - x[1] / 90]

    doses = [dose(1.0, 400, interval_h=12, additional=5)]
    entries = repeated(0, 400, 12, 6, first=1.0)
    expected = course(rates, 2, entries, times[1:], start=(0, 60), begin=0.0)[:, 1]
    found = predict(zoo("turnover"), doses, times, output="marker")
    assert found[0] == pytest.approx(60e-6, rel=1e-14)
    assert found[1:] == pytest.approx(1e-6 * expected, rel=1e-7)
    check_derivatives(zoo("turnover"), doses, times, tolerance=SHARP, within=1e-6, floor=1e-3)


@pytest.mark.parametrize("load", [0.1, 0.5, 0.9, 0.98])
@pytest.mark.parametrize("kind", KINDS)
def test_a_steady_state_is_that_after_many_doses(kind: str, load: float) -> None:
    """At a tenth to 98 % of the capacity of elimination, VMAX alone; 1e-6, derivatives within 1e-5."""
    text, rates = KINDS[kind]
    amount = load * 20 * 12
    times = (1.0, 4.0, 11.9, 30.0)
    count = 1500 if load > 0.9 else 200
    # The engine's own many doses stand in for SciPy's once they are shown to agree over the first fifty.
    early = course(
        rates, 2, [Entry(12 * k + 0.4, 0, amount) for k in range(50)], (599.9,),
        doses=[12 * k for k in range(50)], begin=0.0,
    )[0, 1] / 60  # fmt: skip
    first = predict(
        model_of(text), [dose(0, amount, interval_h=12, additional=49)], (599.9,), tolerance=SHARP
    )  # fmt: skip
    assert first[0] == pytest.approx(early, rel=1e-9)
    many = predict(
        model_of(text), [dose(-12 * count, amount, interval_h=12, additional=count)], times, tolerance=SHARP
    )
    steady = [dose(0, amount, interval_h=12, steady_state=1)]
    assert predict(model_of(text), steady, times) == pytest.approx(many, rel=1e-6)
    check_derivatives(model_of(text), steady, times, tolerance=SHARP, within=1e-5, floor=1e-3)


def test_more_than_can_be_eliminated_has_no_steady_state() -> None:
    text = ORAL.replace("CL = { value = 0.4", "CL = { value = 0")
    for amount, steady in ((0.99 * 240, True), (1.001 * 240, False), (2 * 240, False)):
        doses = [dose(0, amount, interval_h=12, steady_state=1)]
        if steady:
            assert predict(model_of(text), doses, (12.0,))[0] > 50
        else:
            with pytest.raises(PredictionError, match="P: there is no steady state"):
                predict(model_of(text), doses, (12.0,))


def test_a_constant_infusion_ends_where_as_much_goes_as_comes() -> None:
    """rate = CL·C + VMAX·C/(KM + C), a quadratic in C; dC/dη by its own derivative; 1e-9."""
    model = model_of(ORAL)
    for rate in (1.0, 10.0, 19.5, 30.0):
        a, b, c = 0.4, 0.4 * 1.5 + 20 - rate, -rate * 1.5
        level = (-b + np.sqrt(b * b - 4 * a * c)) / (2 * a)
        value, slope = constant_infusion(model, rate, (0.0, 2.0))
        assert value[0] == pytest.approx(level, rel=1e-9)
        out = 0.4 + 20 * 1.5 / (1.5 + level) ** 2
        assert slope[0, 0] == pytest.approx(-20 * level / (1.5 + level) / out, rel=1e-8)
        assert slope[0, 1] == pytest.approx(20 * level * 1.5 / (1.5 + level) ** 2 / out, rel=1e-8)
        after = course(oral, 2, [], (2.0,), start=(0, level * 60), begin=0.0)[0, 1] / 60
        assert value[1] == pytest.approx(after, rel=1e-7)


def test_an_infusion_above_capacity_has_no_steady_state() -> None:
    with pytest.raises(PredictionError, match="there is no steady state"):
        constant_infusion(model_of(ORAL.replace("CL = { value = 0.4", "CL = { value = 0")), 20.5, (0.0,))


GATED = ORAL.replace("[compartments]\n", """[gates.night]
kind = "clock"
at = [23]
length = "7[h]"
[compartments]
""").replace("VMAX * exp(eta_VMAX) * C", "VMAX * exp(eta_VMAX) * (1 - 0.6 * night) * C")  # fmt: skip


def test_a_steady_state_by_the_clock_is_that_after_many_doses() -> None:
    times = (15.0, 20.0, 26.0, 40.0)
    many = predict(
        model_of(GATED), [dose(8 - 12 * 150, 100, interval_h=12, additional=150)], times, tolerance=SHARP
    )
    steady = [dose(8, 100, interval_h=12, steady_state=1)]
    assert predict(model_of(GATED), steady, times) == pytest.approx(many, rel=1e-6)
    check_derivatives(model_of(GATED), steady, times, tolerance=SHARP, within=1e-5, floor=1e-3)
