"""Integrate the equations of the published models by hand, as a check on the models in the library.

    python tools/integrate_library.py            # every course, one line for each number
    python tools/integrate_library.py jain       # only the models whose id contains "jain"

Nothing here is read from a model file and nothing of the engine is used: equations and numbers stand below
once more, and SciPy integrates them (`integrated_course.py`). The self-tests that the model files carry
expect the numbers this prints; `tests/unit/test_model_library.py` holds the two side by side.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from math import exp, log

import numpy as np
from integrated_course import Course, Entry, Floats, Number, at_steady_state


def sorafenib(
    entries: Sequence[tuple[float, float]],
    *,
    weight: float = 80.0,
    fent: float = 0.498,
    cl: float = 8.13,
    v_factor: float = 1.0,
    ka_factor: float = 1.0,
) -> Course:
    """Jain 2011: depot, four transit compartments, central, gallbladder emptying into the last transit."""
    ka = 5 / 1.98 * ka_factor
    v = 213 * weight / 80 * v_factor
    k = cl / v

    def rhs(t: float, a: Floats, tad: float) -> Floats:
        gate = tad**40 / (tad**40 + 6.13**40)
        bile = gate * 0.857 * a[6]
        return np.array(
            [
                -ka * a[0],
                ka * (a[0] - a[1]),
                ka * (a[1] - a[2]),
                ka * (a[2] - a[3]),
                ka * (a[3] - a[4]) + bile,
                ka * a[4] - fent * k * a[5] - (1 - fent) * k * a[5],
                fent * k * a[5] - bile,
            ]
        )

    given = [Entry(time=t, state=0, amount=amount) for t, amount in entries]
    return Course(rhs=rhs, size=7, volumes={"sorafenib": (5, v)}, entries=given)


def regorafenib(
    entries: Sequence[tuple[float, float]],
    *,
    cl: float,
    cl_m2: float,
    cl_m5: float,
    ka: float = 0.482,
    logit_m2: float = -0.355,
    logit_m5: float = -1.09,
) -> Course:
    """Keunecke 2020: three analytes with the parent's volumes, each with a gallbladder that meals empty."""
    vc, q, vp, k_cg, k_ge = 10.7, 11.0, 162.0, 0.141, 100.0
    m2 = 1 / (1 + exp(-logit_m2))
    m5 = 1 / (1 + exp(-logit_m5))

    def rhs(t: float, a: Floats, tad: float) -> Floats:
        hour = t % 24
        meal = 1.0 if any(m <= hour < m + 0.5 for m in (8, 12, 18)) else 0.0
        depot, t1, t2, c, p, g, u1, u2, u3, c2, p2, g2, c5, p5, g5 = a

        def disposition(c: float, p: float, g: float, clearance: float) -> tuple[float, float, float]:
            empty = meal * k_ge * g
            exchange = q / vc * c - q / vp * p
            return -(clearance / vc + k_cg) * c - exchange + empty, exchange, k_cg * c - empty

        dc, dp, dg = disposition(c, p, g, cl)
        dc2, dp2, dg2 = disposition(c2, p2, g2, cl_m2)
        dc5, dp5, dg5 = disposition(c5, p5, g5, cl_m5)
        return np.array(
            [
                -ka * depot,
                ka * (1 - m2) * depot - ka * t1,
                ka * (t1 - t2),
                ka * t2 + dc,
                dp,
                dg,
                ka * m2 * depot - ka * u1,
                ka * (u1 - u2),
                ka * (u2 - u3),
                ka * u3 + dc2,
                dp2,
                dg2,
                m5 * cl / vc * c + dc5,
                dp5,
                dg5,
            ]
        )

    given = [Entry(time=t, state=0, amount=amount / (1 - m2)) for t, amount in entries]
    volumes = {"regorafenib": (3, vc), "m2": (9, vc), "m5": (12, vc)}
    edges = (8.0, 8.5, 12.0, 12.5, 18.0, 18.5)
    return Course(rhs=rhs, size=15, volumes=volumes, entries=given, edges=edges)


def lenvatinib(
    entries: Sequence[tuple[float, float]],
    *,
    cl: float,
    volumes: tuple[float, float, float],
    q1: float,
    q2: float,
    ka: float,
    d1: float,
    f: float,
) -> Course:
    """Gupta 2016, Tamai 2017, Majid 2024: zero order into the depot, first order on, three compartments."""
    v1, v2, v3 = volumes

    def rhs(t: float, a: Floats, tad: float) -> Floats:
        depot, c, p1, p2 = a
        to_1, to_2 = q1 / v1 * c - q1 / v2 * p1, q2 / v1 * c - q2 / v3 * p2
        return np.array([-ka * depot, ka * depot - cl / v1 * c - to_1 - to_2, to_1, to_2])

    given = [Entry(time=t, state=0, amount=f * amount, duration=d1) for t, amount in entries]
    # mg over L, times 1000: ng/mL.
    return Course(rhs=rhs, size=4, volumes={"lenvatinib": (1, v1 / 1000)}, entries=given)


def cabozantinib(
    entries: Sequence[tuple[float, float]],
    *,
    cl: float,
    vc: float,
    ka: float,
    f: float = 1.0,
    first_order: float = 0.83,
) -> Course:
    """Nguyen 2019: a fraction by first order after a lag, the rest by zero order into the central one."""
    q, vp = 30.0, 177.0

    def rhs(t: float, a: Floats, tad: float) -> Floats:
        depot, c, p = a
        exchange = q / vc * c - q / vp * p
        return np.array([-ka * depot, ka * depot - cl / vc * c - exchange, exchange])

    given: list[Entry] = []
    for t, amount in entries:
        given.append(Entry(time=t, state=0, amount=f * first_order * amount, lag=0.821))
        given.append(Entry(time=t, state=1, amount=f * (1 - first_order) * amount, duration=2.48))
    return Course(rhs=rhs, size=3, volumes={"cabozantinib": (1, vc / 1000)}, entries=given)


def pazopanib(entries: Sequence[tuple[float, float]], *, cl: float = 0.27, f_factor: float = 1.0) -> Course:
    """Yu 2017: two depots; bioavailability falls with the dose and with the time on treatment."""
    kaf, kas, v, q, vp = 0.40, 0.12, 2.43, 0.99, 25.1

    def rhs(t: float, a: Floats, tad: float) -> Floats:
        fast, c, slow, p = a
        exchange = q / v * c - q / vp * p
        return np.array([-kaf * fast, kaf * fast + kas * slow - cl / v * c - exchange, -kas * slow, exchange])

    given: list[Entry] = []
    for t, amount in entries:
        over_time = 1 - 0.501 + 0.501 * exp(-0.15 / 24 * t)
        over_dose = 1 - (amount - 200) / (480 + amount - 200)
        f = over_time * over_dose * f_factor
        given.append(Entry(time=t, state=0, amount=f * 0.361 * amount))
        given.append(Entry(time=t, state=2, amount=f * (1 - 0.361) * amount, lag=0.98))
    return Course(rhs=rhs, size=4, volumes={"pazopanib": (1, v)}, entries=given)


def sunitinib(
    entries: Sequence[tuple[float, float]],
    *,
    weight: float = 70.0,
    cl_factor: float = 1.0,
    v_factor: float = 1.0,
    cl_m_factor: float = 1.0,
    v_m_factor: float = 1.0,
) -> Course:
    """Yu 2015: a liver in equilibrium with inflow from gut and blood, where the metabolite is formed."""
    flow, size = (weight / 70) ** 0.75, weight / 70
    ka, fm, qh = 0.34, 0.21, 80 * flow
    cl, vc = 35.7 * flow * cl_factor, 1360 * size * v_factor
    cl_m, vc_m = 17.1 * flow * cl_m_factor, 635 * size * v_m_factor
    q, vp = 20.1 * flow, 388 * size

    def rhs(t: float, a: Floats, tad: float) -> Floats:
        depot, c, m, p = a
        liver = (ka * depot + qh * c / vc) / (qh + cl)
        exchange = q / vc_m * m - q / vp * p
        return np.array(
            [
                -ka * depot,
                qh * liver - qh * c / vc,
                fm * cl * liver - cl_m / vc_m * m - exchange,
                exchange,
            ]
        )

    given = [Entry(time=t, state=0, amount=amount) for t, amount in entries]
    volumes = {"sunitinib": (1, vc / 1000), "su12662": (2, vc_m / 1000)}
    return Course(rhs=rhs, size=4, volumes=volumes, entries=given)


Result = tuple[str, str, list[Number]]
"""Model id, name of the self-test, its numbers."""


def sorafenib_courses() -> Iterator[Result]:
    """The self-tests of sorafenib/jain-2011."""
    model = "sorafenib/jain-2011"
    drug = "sorafenib"
    for name, dose, fent in (
        ("steady state, 400 mg twice daily", 400.0, 0.498),
        ("steady state, 400 mg twice daily, no enterohepatic recirculation", 400.0, 0.0),
        ("steady state, 200 mg twice daily", 200.0, 0.498),
    ):
        c = at_steady_state(sorafenib([(0.0, dose)], fent=fent), 12.0)
        yield model, name, [c.area(drug, 0, 12), *c.peak(drug, 0, 12), c.at(drug, 12)]
    c = sorafenib([(0.0, 400.0)]).run(24.0)
    yield model, "first dose, 400 mg", [*c.peak(drug, 0, 12), c.at(drug, 24)]
    c = sorafenib(
        [(12.0 * i, 400.0) for i in range(11)],
        weight=60.0,
        cl=8.13 * exp(0.2 - 0.1),
        v_factor=exp(0.3),
        ka_factor=exp(-0.2),
    ).run(132.0)
    yield (
        model,
        "a patient of 60 kg, eleven doses",
        [c.at(drug, 126), c.at(drug, 132), c.area(drug, 120, 132)],
    )


def regorafenib_courses() -> Iterator[Result]:
    """The self-tests of both regorafenib models; time 0 is midnight and doses are at 09:00."""
    analytes = ("regorafenib", "m2", "m5")
    phase_3 = {"cl": 3.05, "cl_m2": 1.99, "cl_m5": 1.42}
    phase_1 = {"cl": 4.02, "cl_m2": 2.45, "cl_m5": 0.746}
    bmi = exp(-0.363 * (30.0 - 24.5) / 24.5)
    woman = {
        "cl": 3.05 * (1 - 0.169) * bmi * exp(0.1),
        "cl_m2": 1.99 * (1 - 0.380) * exp(0.2),
        "cl_m5": 1.42 * (1 - 0.761) * exp(2.21 * 0.2),
        "ka": 0.482 * exp(-0.1),
        "logit_m2": -0.355 + 0.3,
        "logit_m5": -1.09 - 0.4,
    }
    other = {
        "cl": 4.02 * exp(0.1),
        "cl_m2": 2.45 * exp(0.2),
        "cl_m5": 0.746 * exp(-0.5),
        "ka": 0.482 * exp(-0.1),
        "logit_m2": -0.355 + 0.3,
        "logit_m5": -1.09 - 0.4,
    }
    for model, man, patient in (
        ("regorafenib/keunecke-2020", phase_3, woman),
        ("regorafenib/keunecke-2020-phase1", phase_1, other),
    ):
        c = regorafenib([(9.0, 160.0)], **man)
        c.start = 9.0
        c = at_steady_state(c, 24.0)
        numbers = [c.area(a, 9, 33) for a in analytes] + [c.at(a, 33) for a in analytes]
        yield model, "steady state, 160 mg daily at 09:00", numbers
        c = regorafenib([(9.0, 160.0), (33.0, 160.0)], **patient).run(60.0)
        numbers = [c.at(a, t) for t in (12.25, 24.0, 48.0) for a in analytes]
        yield model, "two doses, a patient", numbers


def lenvatinib_courses() -> Iterator[Result]:
    """The self-tests of the three lenvatinib models."""
    drug = "lenvatinib"

    def numbers(c: Course) -> list[Number]:
        return [c.area(drug, 0, 24), *c.peak(drug, 0, 24), c.at(drug, 24)]

    flow, size = (60 / 75) ** 0.708, (60 / 75) ** 1.08
    c = lenvatinib(
        [(0.0, 12.0)],
        cl=6.43 * flow * 0.852,
        volumes=(47.0 * size, 31.2 * size, 34.5 * size),
        q1=3.96 * flow,
        q2=0.726 * flow,
        ka=1.04,
        d1=1.06,
        f=0.867,
    )
    yield "lenvatinib/tamai-2017", "steady state, 12 mg daily, 60 kg", numbers(at_steady_state(c, 24.0))
    c = lenvatinib(
        [(0.0, 24.0)],
        cl=6.43 * 1.30 * 0.922 * 1.19 * exp(0.1),
        volumes=(47.0 * exp(0.2), 31.2 * exp(-0.3), 34.5 * exp(0.1)),
        q1=3.96,
        q2=0.726,
        ka=1.04 * exp(0.3),
        d1=1.06 * exp(-0.2),
        f=1.0,
    ).run(72.0)
    yield (
        "lenvatinib/tamai-2017",
        "a healthy subject, one 24 mg dose as tablets",
        [c.at(drug, t) for t in (0.5, 2.0, 8.0, 72.0)],
    )

    flow, size = (60 / 73.2) ** 0.75, 60 / 73.2
    c = lenvatinib(
        [(0.0, 12.0)],
        cl=6.28 * flow * 0.900 * 0.910 * 0.862,
        volumes=(46.0 * size, 28.3 * size, 30.9 * size),
        q1=3.57 * flow,
        q2=0.688 * flow,
        ka=0.803,
        d1=1.27,
        f=0.882,
    )
    yield "lenvatinib/majid-2024", "steady state, 12 mg daily, 60 kg", numbers(at_steady_state(c, 24.0))
    c = lenvatinib(
        [(0.0, 24.0)],
        cl=6.28 * 0.896 * 1.19 * exp(0.1),
        volumes=(46.0 * exp(0.2), 28.3 * exp(-0.3), 30.9 * exp(0.1)),
        q1=3.57,
        q2=0.688,
        ka=0.803 * exp(0.3),
        d1=1.27 * exp(-0.2),
        f=1.0,
    ).run(72.0)
    yield (
        "lenvatinib/majid-2024",
        "a healthy subject, one 24 mg dose as tablets",
        [c.at(drug, t) for t in (0.5, 2.0, 8.0, 72.0)],
    )

    flow, size = (60 / 75) ** 0.75, 60 / 75
    c = lenvatinib(
        [(0.0, 12.0)],
        cl=6.56 * flow * 0.837 * 0.883,
        volumes=(49.3 * size, 30.7 * size, 37.1 * size),
        q1=3.52 * flow,
        q2=0.769 * flow,
        ka=1.02,
        d1=1.22,
        f=0.896 * exp(0.1),
    )
    yield "lenvatinib/gupta-2016", "steady state, 12 mg daily, 60 kg", numbers(at_steady_state(c, 24.0))
    c = lenvatinib(
        [(0.0, 24.0)],
        cl=6.56 * 1.30 * 0.922 * 1.15 * exp(0.1),
        volumes=(49.3 * exp(0.2), 30.7 * exp(-0.3), 37.1 * exp(0.1)),
        q1=3.52,
        q2=0.769,
        ka=1.02 * exp(0.3),
        d1=1.22 * exp(-0.2),
        f=1.0,
    ).run(72.0)
    yield (
        "lenvatinib/gupta-2016",
        "a healthy subject, one 24 mg dose as tablets",
        [c.at(drug, t) for t in (0.5, 2.0, 8.0, 72.0)],
    )


def cabozantinib_courses() -> Iterator[Result]:
    """The self-tests of cabozantinib/nguyen-2019."""
    model, drug = "cabozantinib/nguyen-2019", "cabozantinib"
    c = at_steady_state(cabozantinib([(0.0, 60.0)], cl=2.48 * 0.878, vc=212 * 0.847, ka=1.24), 24.0)
    numbers = [c.area(drug, 0, 24), *c.peak(drug, 0, 24), c.at(drug, 24)]
    yield model, "steady state, 60 mg daily, hepatocellular carcinoma", numbers
    first_order = 1 / (1 + exp(-(log(0.83 / 0.17) - 0.5)))
    c = cabozantinib(
        [(0.0, 140.0), (24.0, 100.0)],
        cl=2.48 * (50 / 64) ** -0.157 * (60 / 78) ** -0.0393 * 0.76 * 0.935 * 1.9 * exp(0.2),
        vc=212 * (50 / 64) ** 0.0644 * (60 / 78) ** 1.19 * 1.1 * 0.696 * 0.936 * exp(-0.1),
        ka=1.24 * 0.402 * (140 / 60) ** 0.734 * exp(0.4),
        f=0.847,
        first_order=first_order,
    ).run(24.0)
    numbers = [c.at(drug, t) for t in (0.5, 2.0, 6.0, 24.0)]
    yield model, "a woman with medullary thyroid carcinoma, one 140 mg dose as capsules", numbers
    c = cabozantinib([(0.0, 20.0)], cl=2.48, vc=212.0, ka=1.24 * (20 / 60) ** 0.734).run(48.0)
    yield model, "a healthy subject, one 20 mg dose", [*c.peak(drug, 0, 48), c.at(drug, 48)]


def pazopanib_courses() -> Iterator[Result]:
    """The self-tests of pazopanib/yu-2017."""
    model, drug = "pazopanib/yu-2017", "pazopanib"
    c = pazopanib([(0.0, 200.0)]).run(72.0)
    yield model, "first dose, 200 mg", [*c.peak(drug, 0, 24), c.at(drug, 24), c.at(drug, 72)]
    c = pazopanib([(24.0 * i, 800.0) for i in range(28)]).run(672.0)
    numbers = [c.at(drug, 24), c.at(drug, 336), c.at(drug, 672), c.area(drug, 648, 672)]
    yield model, "800 mg daily for 28 days", numbers
    c = pazopanib([(24.0 * i, 400.0) for i in range(3)], cl=0.27 * exp(0.2), f_factor=exp(0.3 - 0.5)).run(
        72.0
    )
    yield model, "400 mg daily for three days, a patient", [c.at(drug, 4), c.at(drug, 72)]


def sunitinib_courses() -> Iterator[Result]:
    """The self-tests of sunitinib/yu-2015."""
    model, both = "sunitinib/yu-2015", ("sunitinib", "su12662")
    c = at_steady_state(sunitinib([(0.0, 50.0)]), 24.0)
    numbers = [c.area(a, 0, 24) for a in both] + [c.at(a, 24) for a in both]
    yield model, "steady state, 50 mg daily, 70 kg", numbers
    c = sunitinib(
        [(0.0, 37.5), (24.0, 37.5)],
        weight=100.0,
        cl_factor=exp(0.2),
        v_factor=exp(-0.1),
        cl_m_factor=exp(0.3),
        v_m_factor=exp(-0.2),
    ).run(96.0)
    yield model, "two doses of 37.5 mg, 100 kg", [c.at(a, t) for t in (8.0, 24.0, 96.0) for a in both]


def courses() -> Iterator[Result]:
    """Every course: model id, name of the self-test, numbers."""
    yield from sorafenib_courses()
    yield from regorafenib_courses()
    yield from lenvatinib_courses()
    yield from cabozantinib_courses()
    yield from pazopanib_courses()
    yield from sunitinib_courses()


def main(arguments: Sequence[str]) -> None:
    """Print the numbers as a model file writes them."""
    wanted = arguments[0] if arguments else ""
    for model, name, numbers in courses():
        if wanted not in model:
            continue
        print(f"{model} | {name}")
        for n in numbers:
            when = f"time = {n.start:g}" if n.quantity == "at" else f"start = {n.start:g}, end = {n.end:g}"
            print(f'  {{ output = "{n.output}", quantity = "{n.quantity}", {when}, value = {n.value:.10g} }}')


if __name__ == "__main__":
    main(sys.argv[1:])
