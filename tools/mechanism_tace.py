"""How much a session of chemoembolisation kills: set by one printed response, and what hangs on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from troughline.evidence.store import load_publication
from troughline.mechanism.endpoints import log_hazard_ratio, progression_times, survival_times
from troughline.mechanism.parameters import ParameterSet
from troughline.mechanism.population import draw_patients, read_populations
from troughline.mechanism.predictions import STEP_DAYS, scaled, sorafenib_arm
from troughline.mechanism.runner import Runner
from troughline.mechanism.treatment import LocalTherapy, session_kills, six_weekly
from troughline.mechanism.trial_designs import TrialDesign, read_designs
from troughline.mechanism.trial_predictions import measure_of, run_design

CALIBRATED_TO = "space-response-placebo"
BEFORE = 0.70  # the fraction killed that was assumed until it was calibrated
SESSIONS = (14.0, 56.0, 98.0)  # of examples/next-steps/trial.toml
STEPS = 8
HEAD = (
    "a session kills",
    "why",
    "SPACE, beads alone: response, %",
    "the same: time to progression, days",
    "three sessions added to sorafenib in SHARP: hazard ratio of progression",
    "hazard ratio of death",
)


def space() -> TrialDesign:
    """The design that calibrates."""
    return next(d for d in read_designs() if d.id == "space")


def kill_of(fraction: float, half_days: float) -> float:
    """The rate (1/d) that kills a fraction."""
    return -math.log(1.0 - fraction) * math.log(2.0) / half_days


def half_tace(runner: Runner) -> float:
    """Half-life of a session, d."""
    return next(p.value_as_written for p in runner.mechanism.parameters if p.name == "half_tace")


def solved_kill(runner: Runner, chosen: ParameterSet, wanted: float, *, n: int, seed: int) -> float:
    """The rate at which the beads alone have `wanted` % responses, by bisection over the fraction killed."""
    design = space()
    measured = next(m for m in design.measured if m.target.id == CALIBRATED_TO)
    alone = replace(design, arms=(design.arm(measured.arm),))
    low, high, half = 0.1, 0.95, half_tace(runner)
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        arms = run_design(runner, chosen, alone, n=n, seed=seed, values={"kill_tace": kill_of(middle, half)})
        low, high = (middle, high) if measure_of(arms, measured) < wanted else (low, middle)
    return kill_of(0.5 * (low + high), half)


def rows_of_kills(
    runner: Runner, chosen: Sequence[ParameterSet], shipped: float, *, n: int, seed: int
) -> list[list[str]]:
    """What hangs on the fraction killed, in the best set of each reading."""
    response = load_publication("space-2016").sourced("response-placebo")
    review = load_publication("lencioni-2016").sourced("response")
    measured = next(m for m in space().measured if m.target.id == CALIBRATED_TO)
    half = half_tace(runner)
    wanted = [
        (
            measured.target.low,
            f"a response of {measured.target.low:.3g} %, the lower end of SPACE's interval",
        ),
        (measured.target.high, f"a response of {measured.target.high:.3g} %, its upper end"),
        (review.value or 0.0, f"a response of {review.value} %, the review of lipiodol (Lencioni 2016)"),
    ]
    kills = [
        (shipped, f"**in the model file**: a response of {response.value} % in SPACE (beads and placebo)")
    ]
    kills += [(solved_kill(runner, chosen[0], w, n=n, seed=seed), why) for w, why in wanted]
    kills += [(kill_of(BEFORE, half), "assumed before")]
    return [_row(runner, chosen, kill, why, n=n, seed=seed) for kill, why in sorted(kills)]


def _row(
    runner: Runner, chosen: Sequence[ParameterSet], kill: float, why: str, *, n: int, seed: int
) -> list[str]:
    cells: list[list[str]] = []
    design = space()
    by_id = {m.target.id: m for m in design.measured}
    alone = replace(design, arms=(design.arm("tace-placebo"),))
    for one in chosen:
        arms = run_design(runner, one, alone, n=n, seed=seed, values={"kill_tace": kill})
        ttp, os = added_to_sorafenib(runner, one, kill, n=n, seed=seed)
        cells.append([
            f"{measure_of(arms, by_id['space-response-placebo']):.3g}",
            f"{measure_of(arms, by_id['space-ttp-placebo']):.3g}",
            f"{ttp:.2f}",
            f"{os:.2f}",
        ])  # fmt: skip
    fraction = f"{100 * session_kills(kill, half_tace(runner)):.0f} %"
    return [fraction, why, *(" / ".join(column) for column in zip(*cells, strict=True))]


def added_to_sorafenib(
    runner: Runner, chosen: ParameterSet, kill: float, *, n: int, seed: int
) -> tuple[float, float]:
    """Hazard ratios of progression and death: sorafenib with three sessions against sorafenib, in SHARP."""
    values = {**scaled(runner, chosen, {}), "kill_tace": kill}
    patients = draw_patients(
        runner.mechanism, runner.kinetics, read_populations()["sharp"], n=n, seed=seed, sd=chosen.sd,
        values=values,
    )  # fmt: skip
    protocol = six_weekly(24.0, step_days=STEP_DAYS)
    plain = sorafenib_arm()
    local = tuple(LocalTherapy(day=d, kind="tace") for d in SESSIONS)
    with_tace, without = (
        runner.run(patients, arm, protocol, values=values, threads=1)
        for arm in (replace(plain, local=local), plain)
    )
    ratios = [
        float(np.exp(log_hazard_ratio(times(with_tace), times(without))[0]))
        for times in (progression_times, survival_times)
    ]
    return ratios[0], ratios[1]
