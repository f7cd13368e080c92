"""How fast virtual patients run, beside libRoadRunner on the same model's SBML, and how exact they are.

    python -m benchmarks.mechanism_speed [--days 365] [--patients 500] [--rival-days 28]

Times are of the processor, on one core. One year, 400 mg twice daily, every state, nobody dies or stops.
Rivals: the joined model with every dose as an event, and the mechanism alone with a constant mean
concentration. The rival with events is timed over `--rival-days` and scaled up in proportion to the days.
The first error is against `exact_course`; the others, in 1,000 patients of the best set, against steps of
half a day.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from troughline.mechanism.compose import compose
from troughline.mechanism.exact import exact_course
from troughline.mechanism.heldout import without_limits
from troughline.mechanism.parameters import read_sets
from troughline.mechanism.population import Patients, draw_patients, read_populations
from troughline.mechanism.predictions import scaled, sorafenib_arm
from troughline.mechanism.runner import MECHANISM, Runner, load_runner
from troughline.mechanism.treatment import Arm, DoseLevel, Protocol, read_criteria
from troughline.model.library import model_path
from troughline.model.read import read_model
from troughline.model.sbml import to_sbml
from troughline.trial.cells import patients_of

Floats = NDArray[np.float64]
FIXED = Arm(name="fixed", levels=(DoseLevel(dose_mg=400.0),), stop_at_progression=0.0, liver_stop=1e6)


def own_seconds(runner: Runner, patients: Patients, days: float, step_days: float) -> tuple[float, float]:
    """Seconds a patient on one core (the best of three), and the share of them that ran all days."""
    protocol = Protocol(visit_days=(), horizon_days=days, criteria=read_criteria(), step_days=step_days)
    best, ran = np.inf, 0.0
    for _ in range(4):
        begin = time.process_time()
        c = runner.run(patients, FIXED, protocol, threads=1)
        best = min(best, time.process_time() - begin)
        ran = float(np.mean(c.death_day >= days - 1.0))
    return best / len(patients), ran


def worst_error(runner: Runner, patients: Patients, days: float, step_days: float) -> float:
    """The largest relative error of the sum of diameters over the patients, after `days` days."""
    protocol = Protocol(visit_days=(), horizon_days=days + 1, criteria=read_criteria(), step_days=step_days)
    ours = runner.run(patients, FIXED, protocol, sample_days=(days,), threads=1).sampled[:, 0, 0]
    worst = 0.0
    for i in range(len(patients)):
        exact = exact_course(
            runner,
            **patients.row(i),
            doses=[(12.0 * k, 400.0) for k in range(round(2 * days))],
            sample_days=[days],
            tolerance=1e-6,
        )
        worst = max(worst, abs(ours[i] / exact[0, 0] - 1.0))
    return worst


def sizes_after(runner: Runner, patients: Patients, arm: Arm, days: float, step_days: float) -> Floats:
    """The sum of diameters of the best set's patients after `days` days (n,); NaN of who has died."""
    visits = tuple(float(day) for day in range(42, int(days) + 1, 42)) if arm.stop_at_progression else ()
    protocol = Protocol(
        visit_days=visits, horizon_days=days + 1, criteria=read_criteria(), step_days=step_days
    )
    values = scaled(runner, read_sets()[0], {})
    courses = runner.run(patients, arm, protocol, values=values, sample_days=(days,), threads=1)
    return courses.sampled[:, 0, 0]


def print_errors(runner: Runner, days: float) -> None:
    """Errors in 1,000 patients of the best set, of those alive with either step, against half-day steps.

    At a fixed dose, and by the label with its rules.
    """
    best = read_sets()[0]
    drawn = patients_of(
        read_populations()["sharp"], best, clearance=1.0, n=1000, seed=20_260_202,
        values=scaled(runner, best, {}),
    ).with_spread(runner.mechanism, best.sd)  # fmt: skip
    for words, some, arm in (
        ("a fixed dose", without_limits(drawn), FIXED), ("the label, with toxicity", drawn, sorafenib_arm()),
    ):  # fmt: skip
        fine = sizes_after(runner, some, arm, days, 0.5)
        for step_days in (3.5, 7.0):
            coarse = sizes_after(runner, some, arm, days, step_days)
            known = np.isfinite(coarse) & np.isfinite(fine)
            errors = 100.0 * np.abs(coarse[known] / fine[known] - 1.0)
            print(
                f"{words}, steps to {step_days:g} d: of {len(errors)} alive after {days:g} days "
                f"{100 * np.mean(errors <= 1.0):.1f} % are within 1 %; median {np.median(errors):.2f} %, "
                f"largest {errors.max():.1f} %",
                flush=True,
            )


def rival_seconds(text: str, days: float, doses: int, outputs: list[str]) -> float:
    """Seconds of libRoadRunner for one patient, its default tolerances; compiling is not counted."""
    import roadrunner

    config = roadrunner.Config
    # Without the cache every use of a rule is written out again; the default back end then does not finish.
    config.setValue(config.LLVM_SYMBOL_CACHE, True)
    config.setValue(config.LLVM_BACKEND, config.LLJIT)
    config.setValue(config.LLJIT_OPTIMIZATION_LEVEL, config.NONE)
    simulator: Any = roadrunner.RoadRunner(text)
    if doses:
        for name, value in {
            "dose_amount": 400.0, "dose_interval": 12.0, "n_doses": float(doses), "next_dose_time": 0.0,
        }.items():  # fmt: skip
            simulator[f"init({name})"] = value
    simulator.resetAll()
    simulator.integrator.maximum_num_steps = 1_000_000
    simulator.timeCourseSelections = ["time", *(f"output_{name}" for name in outputs)]
    simulator.simulate(times=[0.0, 1.0])
    simulator.resetAll()
    begin = time.process_time()
    simulator.simulate(times=[0.0, 24.0 * days])
    return time.process_time() - begin


def main() -> None:
    """Print every figure with its ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--days", type=float, default=365.0)
    parser.add_argument("--patients", type=int, default=500)
    parser.add_argument("--rival-days", type=float, default=28.0)
    parser.add_argument("--without-rival", action="store_true")
    options = parser.parse_args()
    runner = load_runner()
    population = read_populations()["sharp"]
    drawn = draw_patients(runner.mechanism, runner.kinetics, population, n=options.patients, seed=1)
    patients = without_limits(drawn)
    for step_days in (3.5, 7.0):
        seconds, ran = own_seconds(runner, patients, options.days, step_days)
        error = worst_error(runner, patients.take(np.arange(5)), 56.0, step_days)
        print(
            f"ours, steps to {step_days:g} d: {1e3 * seconds:.3f} ms a patient ({1 / seconds:.0f}/s), "
            f"{100 * ran:.0f} % ran all {options.days:g} days; "
            f"largest error of 5 after 56 days {100 * error:.2f} %",
            flush=True,
        )
    print_errors(runner, options.days)
    if options.without_rival:
        return
    ours = own_seconds(runner, patients, options.days, 3.5)[0]
    slow = MECHANISM.read_text(encoding="utf-8")
    joined, _ = read_model(
        compose(slow, model_path("sorafenib/hcc").read_text(encoding="utf-8")), file="joined.toml"
    )
    assert joined is not None
    outputs = ["sum_of_diameters_seen"]
    alone = to_sbml(runner.mechanism, covariates={"sorafenib": 4.0})
    mean = rival_seconds(alone, options.days, 0, outputs)
    print(f"libRoadRunner, mean input: {1e3 * mean:.1f} ms, {mean / ours:.0f} times ours", flush=True)
    count = round(2 * options.rival_days)
    events = rival_seconds(to_sbml(joined), options.rival_days, count, outputs)
    events *= options.days / options.rival_days
    print(f"libRoadRunner, events: {1e3 * events:.1f} ms, {events / ours:.0f} times ours", flush=True)


if __name__ == "__main__":
    main()
