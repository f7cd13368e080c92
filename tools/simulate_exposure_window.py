"""Draw the simulated cohort of `examples/exposure-window`, matched to the printed summary of Noda 2020.

No patient of that study is in it: the paper prints a summary only, and this script draws 26 patients who
have the same summary. What was matched is read from the evidence file `noda-2020`, never written here:
n; median and range of the trough; both ROC areas (as near as 26 patients allow, ± 0.004) and both Youden
thresholds (± 0.02 ug/mL); median survival in the three bands (each within 12 %), with a log-rank test that
is not significant. Everything else (numbers of events, liver function, days, doses) is invented.

How it was matched. One generator with one fixed seed; five stages, each redrawn until it meets its targets:

1. patients: liver impairment, starting dose and a log-normal trough that rises with both. The troughs are
   then moved by an order-preserving, piecewise-linear map of their logarithm, so that the smallest, the
   largest, the median and the gaps around the two thresholds fall where printed; a draw in which one would
   move by more than 12 % is rejected.
2. toxicity of grade 3 or more: logistic in log trough and liver impairment.
3. non-response: logistic in log trough, steep around the printed response threshold.
4. survival: Weibull; the hazard rises with liver impairment and with a low trough, not with a high one, so
   the shorter survival in the highest band is confounding by liver function (and chance). A responder is by
   definition alive on day 90; a non-responder need not be: comparing the two carries immortal time.
5. course (`simulated_course.py`): days of toxicity, dose reductions, holds, progression, tumour assessments
   and samples. Some samples are drawn after the toxicity or after the dose was cut, one only 3.5 h after a
   dose. The mean of all of a patient's samples is the trough of stage 1, exactly. Then the liver tests, which
   show the impairment with noise.

Run `python tools/simulate_exposure_window.py [--out DIR]`; the same four CSV files come out, byte for byte.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from example_tables import write_tables
from numpy.typing import NDArray
from scipy.special import expit
from simulated_course import Course, Fate, Row, draw_covariates, draw_one_course, normal_draws, patient_name

from troughline.evidence.store import load_publication, published_values

SEED = 20200625
STABLE_DAYS = 90
DAYS_PER_MONTH = 365.25 / 12
MOST_ATTEMPTS = 200_000
EXAMPLE = Path(__file__).resolve().parents[1] / "src" / "troughline" / "examples" / "exposure-window"

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Drawn = TypeVar("Drawn")


@dataclass(frozen=True)
class Printed:
    """The printed summary that the cohort must reproduce; troughs in ug/mL, survival in months."""

    n: int
    median: float
    lowest: float
    highest: float
    toxicity_cut: float
    toxicity_auc: float
    response_cut: float
    response_auc: float
    survival_months: tuple[float, float, float]


@dataclass(frozen=True)
class Patients:
    """Stage 1. Shape (n,) each; `impairment` is standard normal, `daily` a start at 400 mg a day."""

    impairment: Array
    daily: Flags
    trough: Array


@dataclass(frozen=True)
class Survival:
    """Stage 4. Days from the first dose to death or last contact, and which of the two; shape (n,)."""

    day: Array
    died: Flags


def printed_summary() -> Printed:
    """The targets, from the evidence file."""
    study = load_publication("noda-2020")
    trough = study.sourced("trough-median")
    toxicity, response = published_values(study.id, "toxicity"), published_values(study.id, "response")
    medians = [study.sourced(f"survival-{band}").value for band in ("below", "inside", "above")]
    return Printed(
        n=study.n,
        median=_given(trough.value),
        lowest=_given(trough.low),
        highest=_given(trough.high),
        toxicity_cut=_given(toxicity.threshold),
        toxicity_auc=_given(toxicity.auc),
        response_cut=_given(response.threshold),
        response_auc=_given(response.auc),
        survival_months=(_given(medians[0]), _given(medians[1]), _given(medians[2])),
    )


def simulate(seed: int = SEED) -> dict[str, list[Row]]:
    """The four tables, as rows of columns in order."""
    rng = np.random.Generator(np.random.PCG64(seed))
    target = printed_summary()
    patients = _until(lambda: draw_patients(rng, target), "patients")
    toxic = _until(lambda: draw_toxicity(rng, patients, target), "toxicity")
    unresponsive = _until(lambda: draw_non_response(rng, patients, target), "non-response")
    survival = _until(lambda: draw_survival(rng, patients, unresponsive, target), "survival")
    tables = _until(lambda: draw_course(rng, patients, toxic, unresponsive, survival, target), "course")
    covariates = _until(lambda: draw_covariates(rng, patients.impairment, patients.trough), "covariates")
    return {"patients": covariates, **tables}


def draw_patients(rng: np.random.Generator, target: Printed) -> Patients | None:
    """Stage 1, or None where the draw is too far from the printed distribution."""
    impairment = normal_draws(rng, target.n)
    daily = rng.random(target.n) < expit(-0.9 + 0.5 * impairment)
    log_trough = np.log(target.median) + 0.30 * impairment - 0.20 * daily + 0.52 * normal_draws(rng, target.n)
    trough = calibrated(np.exp(log_trough), target)
    if trough is None or not 0.25 < np.corrcoef(impairment, np.log(trough))[0, 1] < 0.50:
        return None
    return Patients(impairment, daily, trough)


def calibrated(trough: Array, target: Printed) -> Array | None:
    """The troughs after the order-preserving map; None where it would move one by more than 12 %."""
    ordered = np.sort(trough)
    half = target.n // 2
    anchors = {0: target.lowest, target.n - 1: target.highest}
    for cut, few, many in ((target.response_cut, 5, 6), (target.toxicity_cut, 14, 17)):
        above = int(np.searchsorted(ordered, cut))
        if not few <= above <= many:
            return None
        gap = float(np.clip(ordered[above] - ordered[above - 1], 0.08, 0.20))
        anchors[above - 1], anchors[above] = cut - gap / 2, cut + gap / 2
    gap = float(np.clip(ordered[half] - ordered[half - 1], 0.04, 0.20))
    anchors[half - 1], anchors[half] = target.median - gap / 2, target.median + gap / 2
    places = sorted(anchors)
    goal = [np.log(anchors[p]) for p in places]
    if np.any(np.diff(goal) <= 0):
        return None
    moved = np.exp(np.interp(np.log(trough), np.log(ordered[places]), goal))
    if np.max(np.abs(np.log(moved / trough))) > np.log(1.12):
        return None
    moved = np.round(moved, 2)
    return moved if np.unique(moved).size == target.n else None


def draw_toxicity(rng: np.random.Generator, patients: Patients, target: Printed) -> Flags | None:
    """Stage 2, or None where area or threshold miss the printed ones."""
    logit = -0.1 + 1.7 * np.log(patients.trough / target.median) + 0.4 * patients.impairment
    toxic = rng.random(target.n) < expit(logit)
    if not 12 <= toxic.sum() <= 14:
        return None
    matched = matches(patients.trough, toxic, target.toxicity_auc, target.toxicity_cut)
    return toxic if matched else None


def draw_non_response(rng: np.random.Generator, patients: Patients, target: Printed) -> Flags | None:
    """Stage 3, or None where area or threshold miss the printed ones."""
    logit = -1.0 - 4.0 * np.log(patients.trough / (1.1 * target.response_cut))
    unresponsive = rng.random(target.n) < expit(logit)
    if not 6 <= unresponsive.sum() <= 8:
        return None
    matched = matches(patients.trough, ~unresponsive, target.response_auc, target.response_cut)
    return unresponsive if matched else None


def draw_survival(
    rng: np.random.Generator, patients: Patients, unresponsive: Flags, target: Printed
) -> Survival | None:
    """Stage 4, or None where a band's median is more than 12 % off or the bands differ significantly."""
    low = 1 / (1 + (patients.trough / target.response_cut) ** 3)
    hazard_ratio = np.exp(0.8 * patients.impairment + 2.8 * low)
    alive_until = np.where(unresponsive, 40, STABLE_DAYS + 8)
    alive = np.exp(-hazard_ratio * (alive_until / 760) ** 1.3) * rng.random(target.n)
    death = np.round(760 * (-np.log(alive) / hazard_ratio) ** (1 / 1.3))
    end = np.round(DAYS_PER_MONTH * (11 + 40 * rng.random(target.n)))
    died = death <= end
    day = np.minimum(death, end)
    early = int(np.sum(died & (day < STABLE_DAYS)))
    if not 2 <= early <= 3 or not 4 <= np.sum(~died) <= 9 or np.any(np.abs(day - STABLE_DAYS) < 3):
        return None
    band = np.digitize(patients.trough, [target.response_cut, target.toxicity_cut])
    for which, months in enumerate(target.survival_months):
        median = median_survival(day[band == which], died[band == which]) / DAYS_PER_MONTH
        if not abs(median / months - 1) < 0.12:
            return None
    return Survival(day, died) if log_rank_p(day, died, band) > 0.05 else None


def draw_course(
    rng: np.random.Generator,
    patients: Patients,
    toxic: Flags,
    unresponsive: Flags,
    survival: Survival,
    target: Printed,
) -> dict[str, list[Row]] | None:
    """Stage 5; None where too many or too few samples were drawn late, or the early one would matter.

    The early sample goes to the patient with the seventh highest trough, and must not change any rank:
    the cohort matches the printed summary with and without it. The lowest and the highest trough rest on
    one sample each, so that the printed range holds for samples too.
    """
    ranks = np.argsort(np.argsort(patients.trough))
    early = int(np.flatnonzero(ranks == target.n - 7)[0])
    courses: list[Course] = []
    for i in range(target.n):
        fate = Fate(
            name=patient_name(i),
            trough=float(patients.trough[i]),
            daily=bool(patients.daily[i]),
            toxic=bool(toxic[i]),
            unresponsive=bool(unresponsive[i]),
            end=int(survival.day[i]),
            died=bool(survival.died[i]),
            early_sample=i == early,
            single_sample=ranks[i] in (0, target.n - 1),
        )
        courses.append(_until(partial(draw_one_course, rng, fate), f"course of {fate.name}"))
    if not 3 <= sum(c.late for c in courses) <= 5 or sum(c.reduced for c in courses) < 2:
        return None
    if sum(c.only_late for c in courses) != 2:
        return None
    troughs_only = patients.trough.copy()
    levels = [
        (float(str(m["value"])), float(str(m["time_after_dose_h"]))) for m in courses[early].measurements
    ]
    troughs_only[early] = np.mean(
        [level for level, hours in levels if hours >= min(h for _, h in levels) + 5]
    )
    if np.any(np.argsort(troughs_only) != np.argsort(patients.trough)):
        return None
    return {
        "doses": [row for c in courses for row in c.doses],
        "measurements": [row for c in courses for row in c.measurements],
        "events": [row for c in courses for row in c.events],
    }


def matches(trough: Array, positive: Flags, area: float, cut: float) -> bool:
    """Whether the ROC area is within 0.004 and the only best Youden threshold within 0.02 ug/mL."""
    above = trough[positive][:, None] - trough[~positive][None, :]
    if abs(float(np.mean((above > 0) + 0.5 * (above == 0))) - area) > 0.004:
        return False
    ordered = np.sort(trough)
    cuts = (ordered[1:] + ordered[:-1]) / 2
    called = trough[None, :] >= cuts[:, None]
    youden = called[:, positive].mean(axis=1) - called[:, ~positive].mean(axis=1)
    best = np.flatnonzero(youden > youden.max() - 0.02)
    return best.size == 1 and abs(float(cuts[best[0]]) - cut) <= 0.02


def median_survival(day: Array, died: Flags) -> float:
    """The first day on which the Kaplan-Meier estimate is at most one half (inf where it never is)."""
    alive = 1.0
    for t in np.unique(day[died]):
        alive *= 1 - np.sum(died & (day == t)) / np.sum(day >= t)
        if alive <= 0.5:
            return float(t)
    return float("inf")


def log_rank_p(day: Array, died: Flags, band: NDArray[np.int64]) -> float:
    """p of the log-rank test of three bands (two degrees of freedom)."""
    excess, variance = np.zeros(2), np.zeros((2, 2))
    for t in np.unique(day[died]):
        at_risk, dead = day >= t, died & (day == t)
        n, d = at_risk.sum(), dead.sum()
        share = np.array([np.sum(at_risk & (band == g)) / n for g in (0, 1)])
        excess += np.array([np.sum(dead & (band == g)) for g in (0, 1)]) - d * share
        if n > 1:
            variance += d * (n - d) / (n - 1) * (np.diag(share) - np.outer(share, share))
    return float(np.exp(-0.5 * excess @ np.linalg.solve(variance, excess)))


def _until(draw: Callable[[], Drawn | None], stage: str) -> Drawn:
    for _ in range(MOST_ATTEMPTS):
        drawn = draw()
        if drawn is not None:
            return drawn
    raise RuntimeError(f"stage {stage!r} met its targets in none of {MOST_ATTEMPTS} draws")


def _given(value: float | None) -> float:
    if value is None:
        raise ValueError("the evidence file lacks a number that the cohort is matched to")
    return value


def main() -> None:
    """Write `patients.csv`, `doses.csv`, `measurements.csv` and `events.csv`."""
    parser = argparse.ArgumentParser(description="Draw the simulated cohort of examples/exposure-window.")
    parser.add_argument("--out", type=Path, default=EXAMPLE, help="folder to write the four tables to")
    write_tables(simulate(), parser.parse_args().out)


if __name__ == "__main__":
    main()
