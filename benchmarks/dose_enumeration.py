"""Does a dose recommend what an exhaustive enumeration does?

Simulated patients get the whole answer of `dose` (1,000 draws), and beside it one by brute force that shares
nothing with it but the model file and the limits (`benchmarks/sorafenib_draws.py`): draws of the population
in NumPy, every dose propagated one by one, each patient's posterior as these draws weighted by the density of
his levels, every regimen's trough at the horizon, the limits drawn too. Draws are added until every patient's
weights count for `--draws` independent ones, (Σw)²/Σw².

`python -m benchmarks.dose_enumeration --patients 200 --draws 100000`
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.dose_patients import HORIZON_DAYS, NOW_DAY, simulate_patients
from benchmarks.sorafenib_draws import Course, Draws, draw, read_document, regimen_troughs
from troughline.dosing.dose import dose
from troughline.dosing.patient import DosePatient
from troughline.dosing.result import DoseResult, TargetResult

Floats = NDArray[np.float64]
CHUNK = 5_000
WEIGHT_KG, DOSE_MG, INTERVAL_H = 70.0, 400.0, 12.0
NOW_H, END_H = 24.0 * NOW_DAY, 24.0 * (NOW_DAY + HORIZON_DAYS)
_Z95 = 1.959963984540054


@dataclass(kw_only=True)
class Sums:
    """Weighted sums over all draws so far, of p patients and k regimens.

    `w`, `w2` (p,): Σw, Σw²; `score` (3, p, k): Σw·x, and `score2` (3, p, k): Σw²·x, `pairs` (3, p, k, k):
    Σw²·x·x′, with x inside the drawn limits, inside the printed ones, and the distance to these.
    """

    w: Floats
    w2: Floats
    score: Floats
    score2: Floats
    pairs: Floats

    @staticmethod
    def empty(p: int, k: int) -> Sums:
        return Sums(
            w=np.zeros(p), w2=np.zeros(p), score=np.zeros((3, p, k)), score2=np.zeros((3, p, k)),
            pairs=np.zeros((3, p, k, k)),
        )  # fmt: skip

    def add(self, weights: Floats, scores: Floats) -> None:
        """Weights (n, p) and scores (3, n, k) of further draws."""
        squared = weights**2
        self.w += weights.sum(axis=0)
        self.w2 += squared.sum(axis=0)
        for what, x in enumerate(scores):
            k = x.shape[1]
            self.score[what] += weights.T @ x
            self.score2[what] += squared.T @ x
            both = (x[:, :, None] * x[:, None, :]).reshape(len(x), k * k)
            self.pairs[what] += (squared.T @ both).reshape(-1, k, k)

    @property
    def effective(self) -> Floats:
        """For how many independent draws the weights count (p,)."""
        return self.w**2 / self.w2

    def mean(self, what: int) -> Floats:
        """The posterior mean (p, k) of a score."""
        return self.score[what] / self.w[:, None]

    def difference(self, what: int, i: int, a: int, b: int) -> tuple[float, float]:
        """Patient i's mean of a score in regimen a less that in b, and its Monte-Carlo error."""
        mean = self.mean(what)
        d = float(mean[i, a] - mean[i, b])
        pairs, once = self.pairs[what, i], self.score2[what, i]
        square = pairs[a, a] - 2 * pairs[a, b] + pairs[b, b] - 2 * d * (once[a] - once[b])
        square += d * d * self.w2[i]
        return d, float(np.sqrt(max(square, 0.0)) / self.w[i])


def enumerate_regimens(
    patients: tuple[DosePatient, ...], answers: list[DoseResult], least: float, seed: int
) -> tuple[Sums, int]:
    """The sums over so many draws that the weights of every patient count for `least`, and how many."""
    document, rng = read_document(), np.random.default_rng(seed)
    regimens = [r.regimen for r in answers[0].regimens]
    times = [one.time_h for one in patients[0].levels]
    log_levels = np.log([[one.value or np.nan for one in p.levels] for p in patients])
    sums, done = Sums.empty(len(patients), len(regimens)), 0
    while sums.w.min() == 0 or sums.effective.min() < least:
        draws = draw(document, CHUNK, len(times) + 1, weight_kg=WEIGHT_KG, rng=rng)
        levels, state = _history(draws, times)
        troughs = np.empty((CHUNK, len(regimens)))
        for interval in sorted({r.interval_h for r in regimens}):
            some = [k for k, r in enumerate(regimens) if r.interval_h == interval]
            troughs[:, some] = regimen_troughs(
                draws, state, len(times), [regimens[k].amounts_mg for k in some], interval, NOW_H, END_H
            )
        sums.add(_likelihood(document, levels, log_levels), _scores(troughs, answers[0].target, rng))
        done += CHUNK
    return sums, done


def _history(draws: Draws, times_h: list[float]) -> tuple[Floats, Floats]:
    """Levels (n, levels) under 400 mg twice daily, and the state (n, 7) when the next dose is due.

    An occasion lasts until its level, the last one until the next dose.
    """
    occasion, course, given = 0, Course(draws, 0), 0
    levels: list[Floats] = []
    for time_h in [*times_h, NOW_H]:
        if occasion and levels:
            # The occasion changes at a level, within an interval: what is left of it with the gate open.
            rest = given * INTERVAL_H - times_h[occasion - 1]
            course = Course(draws, min(occasion, len(times_h) - 1), state=course.state)
            course.open(rest)
        while (given + 1) * INTERVAL_H <= time_h + 1e-9:
            course.dose(draws.by_dose(DOSE_MG) * draws.by_time(given * INTERVAL_H))
            course.after_dose(INTERVAL_H)
            given += 1
        if time_h < NOW_H:
            course.dose(draws.by_dose(DOSE_MG) * draws.by_time(given * INTERVAL_H))
            course.after_dose(time_h - given * INTERVAL_H)
            given += 1
            levels.append(course.level)
            occasion += 1
    return np.column_stack(levels), course.state


def _likelihood(document: dict[str, Any], levels: Floats, log_measured: Floats) -> Floats:
    """The density of every patient's levels at every draw (n, p), on the log scale."""
    named = document["parameters"]
    made = np.ones((len(levels), len(log_measured)))
    for j in range(levels.shape[1]):
        f = levels[:, j]
        sd = np.hypot(named["sigma_prop"]["value"], named["sigma_add"]["value"] / f)
        z = (log_measured[:, j] - np.log(f)[:, None]) / sd[:, None]
        made *= np.exp(-0.5 * z**2) / sd[:, None]
    return made


def _scores(troughs: Floats, target: TargetResult, rng: np.random.Generator) -> Floats:
    """Inside the drawn limits, inside the printed ones, and log distance to these (3, n, k)."""
    assert target.low is not None
    assert target.high is not None
    low = _limit(target.low, target.low_interval, len(troughs), rng)
    high = _limit(target.high, target.high_interval, len(troughs), rng)
    inside = (troughs >= low) & (troughs <= high)
    printed = (troughs >= target.low) & (troughs <= target.high)
    away = np.maximum(np.log(target.low / troughs), np.log(troughs / target.high))
    return np.stack([inside.astype(np.float64), printed.astype(np.float64), np.maximum(away, 0.0)])


def _limit(value: float, interval: tuple[float, float] | None, n: int, rng: np.random.Generator) -> Floats:
    """Draws (n, 1) of a limit: its logarithm is normal on each side."""
    z = rng.standard_normal((n, 1))
    if interval is None:
        return np.full((n, 1), value)
    side = np.where(z < 0, np.log(value / interval[0]), np.log(interval[1] / value)) / _Z95
    return value * np.exp(side * z)


def _report(answers: list[DoseResult], sums: Sums) -> None:
    """How often both agree, by kind of answer, and what the choice of `dose` loses where they do not."""
    ids = [r.regimen.id for r in answers[0].regimens]
    for what, name in ((0, "p_in"), (1, "p_in_as_printed")):
        mean, stated = sums.mean(what), np.array([[getattr(r, name) for r in a.regimens] for a in answers])
        off = []
        for i, a in enumerate(answers):
            size = a.individual.effective_draws
            error = np.sqrt(mean[i] * (1 - mean[i]) * (1 / size + 1 / sums.effective[i]))
            off.append((stated[i] - mean[i]) / np.maximum(error, 1e-3))
        print(
            f"{name}: {np.size(stated)} stated probabilities differ by {100 * np.abs(stated - mean).mean():.2f} "
            f"points on average, {100 * np.abs(stated - mean).max():.1f} at most; mean square of the difference "
            f"in Monte-Carlo errors {np.mean(np.square(off)):.2f}"
        )
    kinds: Counter[str] = Counter()
    same: Counter[str] = Counter()
    losses: list[tuple[float, float, str, str]] = []
    for i, a in enumerate(answers):
        reached = a.recommendation.answer != "target not reached"
        kinds[a.recommendation.answer] += 1
        what, sign = (0, 1.0) if reached else (2, -1.0)
        best = int(np.argmax(sign * sums.mean(what)[i]))
        # The regimen with the highest P(in), or the nearest: what stands behind every kind of answer.
        chosen = ids.index(a.recommendation.among[0])
        if best == chosen:
            same[a.recommendation.answer] += 1
            continue
        lost, own = sums.difference(what, i, best, chosen)
        spread = own * np.sqrt(sums.effective[i])
        error = float(np.hypot(own, spread / np.sqrt(a.individual.effective_draws)))
        losses.append((sign * lost, sign * lost / error, a.recommendation.answer, ids[best]))
        if ids[best] not in a.recommendation.among and reached:
            losses[-1] = (*losses[-1][:2], f"{a.recommendation.answer}, best not among", ids[best])
    total = sum(same.values())
    print(f"the same first regimen in {total} of {len(answers)} patients")
    for kind in kinds:
        print(f"  {kind}: {same[kind]} of {kinds[kind]}")
    for lost, errors, kind, best in sorted(losses, key=lambda one: -one[1]):
        print(f"  differs ({kind}; {best} is best): loses {lost:.4f}, {errors:.2f} Monte-Carlo errors")
    reach = sums.mean(1).max(axis=1)
    disagree = [
        float(reach[i])
        for i, a in enumerate(answers)
        if (a.recommendation.answer == "target not reached") == (reach[i] >= 0.5)
    ]
    print(f"reached or not differs in {len(disagree)}: highest P(in) as printed {np.round(disagree, 3)}")


def main() -> None:
    """Print how often the two agree, and the largest regret in Monte-Carlo errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--draws", type=float, default=100_000)
    given = parser.parse_args()
    simulated = simulate_patients(given.patients, seed=17)
    begin = time.process_time()
    answers: list[DoseResult] = []
    for patient in simulated.patients:
        options = patient.options.model_copy(update={"next_sample": False})
        answers.append(dose(replace(patient, options=options)))
    print(f"dose: {time.process_time() - begin:.0f} s of processor time", flush=True)
    begin = time.process_time()
    sums, done = enumerate_regimens(simulated.patients, answers, given.draws, seed=99)
    effective = np.sort(sums.effective)
    print(
        f"enumeration: {done} draws, which count for {effective[0]:.0f} (least) to {effective[-1]:.0f}, median "
        f"{np.median(effective):.0f}; {time.process_time() - begin:.0f} s of processor time"
    )
    _report(answers, sums)


if __name__ == "__main__":
    main()
