"""Does a dose recommend what an exhaustive enumeration does?

Simulated patients get the answer of `dose` (1,000 draws; its choice, without what it explains), and beside
it one by brute force that shares nothing with it but the model file and the limits
(`benchmarks/sorafenib_draws.py`): draws of the population in NumPy, every dose propagated one by one, each
patient's posterior as these draws weighted by the density of his levels, every regimen's trough at the
horizon, the limits drawn too. Draws are added until every patient's weights count for `--draws` independent
ones, (Σw)²/Σw², or there are `--most`.

`python -m benchmarks.dose_enumeration --patients 200 --draws 100000`
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.dose_patients import HORIZON_DAYS, NOW_DAY, simulate_patients
from benchmarks.sorafenib_draws import Course, Draws, draw, read_document, regimen_troughs
from troughline.dosing.belief import believe, working_models
from troughline.dosing.candidates import same_regimen
from troughline.dosing.checks import basis_of
from troughline.dosing.forecast import forecasts
from troughline.dosing.patient import DosePatient
from troughline.dosing.recommend import choose
from troughline.dosing.regimen import Regimen
from troughline.dosing.regimen_rows import rules_of
from troughline.dosing.result import TargetResult
from troughline.dosing.scores import score
from troughline.issues import Findings
from troughline.pk.posterior import generator_of

Floats = NDArray[np.float64]
CHUNK, ROUND = 5_000, 20
WEIGHT_KG, DOSE_MG, INTERVAL_H = 70.0, 400.0, 12.0
NOW_H, END_H = 24.0 * NOW_DAY, 24.0 * (NOW_DAY + HORIZON_DAYS)
_Z95 = 1.959963984540054


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What `dose` chooses: `stated` (2, k) P(in) with the limits drawn and as printed, `among` by index."""

    regimens: tuple[Regimen, ...]
    target: TargetResult
    stated: Floats
    effective: float
    kind: str
    among: tuple[int, ...]


def answer(patient: DosePatient) -> Answer:
    """The steps of `dosing.dose.dose` as far as its choice."""
    basis = basis_of(patient, Findings())
    assert basis is not None
    assert patient.regimen is not None
    options = patient.options
    working = working_models(basis.models, parameter_uncertainty=options.parameter_uncertainty)
    belief = believe(patient, working, draws=options.draws, seed=options.seed)
    made = forecasts(patient, belief, basis.regimens, horizon_h=24.0 * options.horizon_days)
    scores = score(
        made, basis.limits, basis.curves, options.utility, effective=belief.effective,
        rng=generator_of(options.seed, patient.id, "scores"),
    )  # fmt: skip
    current = next(k for k, r in enumerate(basis.regimens) if same_regimen(r, patient.regimen))
    daily = [r.daily_dose_mg for r in basis.regimens]
    choice = choose(scores, basis.limits, daily, rules_of(patient, scores), current=current)
    return Answer(
        regimens=basis.regimens, target=basis.target,
        stated=np.stack([scores.inside.mean(axis=0), scores.inside_as_printed.mean(axis=0)]),
        effective=belief.effective, kind=choice.answer, among=choice.among,
    )  # fmt: skip


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

    def merge(self, more: Sums) -> None:
        """Add the sums over other draws."""
        self.w += more.w
        self.w2 += more.w2
        self.score += more.score
        self.score2 += more.score2
        self.pairs += more.pairs

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
    patients: tuple[DosePatient, ...], one: Answer, least: float, most: int, seed: int,
    map_: Callable[..., Iterable[Sums]],
) -> tuple[Sums, int]:  # fmt: skip
    """The sums over so many draws that the weights of every patient count for `least`, and how many.

    At most `most`: a patient far out in the population has few draws near him. Draws come in rounds of 20
    chunks, each with a generator of its own. `one`: an answer, for the regimens and the target.
    """
    times = [level.time_h for level in patients[0].levels]
    log_levels = np.log([[level.value or np.nan for level in p.levels] for p in patients])
    sums, done = Sums.empty(len(patients), len(one.regimens)), 0
    while done < most and (sums.w.min() == 0 or sums.effective.min() < least):
        part = partial(_chunk, times, log_levels, one, seed)
        for more in map_(part, range(done // CHUNK, done // CHUNK + ROUND)):
            sums.merge(more)
        done += ROUND * CHUNK
    return sums, done


def _chunk(times: list[float], log_levels: Floats, one: Answer, seed: int, number: int) -> Sums:
    """The sums over one chunk of draws."""
    document, rng = read_document(), np.random.default_rng([seed, number])
    draws = draw(document, CHUNK, len(times) + 1, weight_kg=WEIGHT_KG, rng=rng)
    levels, state = _history(draws, times)
    troughs = np.empty((CHUNK, len(one.regimens)))
    ahead = Course(draws, len(times))
    for interval in sorted({r.interval_h for r in one.regimens}):
        some = [k for k, r in enumerate(one.regimens) if r.interval_h == interval]
        amounts = [one.regimens[k].amounts_mg for k in some]
        troughs[:, some] = regimen_troughs(ahead, draws, state, amounts, interval, NOW_H, END_H)
    sums = Sums.empty(len(log_levels), len(one.regimens))
    sums.add(_likelihood(document, levels, log_levels), _scores(troughs, one.target, rng))
    return sums


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


def _limit(
    value: float, interval: tuple[float | None, float | None] | None, n: int, rng: np.random.Generator
) -> Floats:
    """Draws (n, 1) of a limit: its logarithm is normal on each side."""
    z = rng.standard_normal((n, 1))
    if interval is None:
        return np.full((n, 1), value)
    assert interval[0] is not None
    assert interval[1] is not None
    side = np.where(z < 0, np.log(value / interval[0]), np.log(interval[1] / value)) / _Z95
    return value * np.exp(side * z)


def _report(answers: list[Answer], sums: Sums) -> None:
    """How often both agree, by kind of answer, and what the choice of `dose` loses where they do not."""
    ids = [r.id for r in answers[0].regimens]
    for what, name in ((0, "P(in)"), (1, "P(in) with the limits as printed")):
        mean, stated = sums.mean(what), np.array([a.stated[what] for a in answers])
        size = np.array([[a.effective] for a in answers])
        error = np.sqrt(mean * (1 - mean) * (1 / size + 1 / sums.effective[:, None]))
        off = np.abs(stated - mean)
        print(
            f"{name}: {stated.size} stated probabilities, off by {100 * off.mean():.2f} points on average, "
            f"{100 * off.max():.1f} at most; mean square in Monte-Carlo errors "
            f"{np.mean(np.square(off / np.maximum(error, 1e-3))):.2f}"
        )
    kinds: Counter[str] = Counter()
    same: Counter[str] = Counter()
    losses: list[tuple[float, float, str]] = []
    for i, a in enumerate(answers):
        kinds[a.kind] += 1
        # The highest P(in), or the least distance to the limits where they are not reached.
        what, sign = (2, -1.0) if a.kind == "target not reached" else (0, 1.0)
        best, chosen = int(np.argmax(sign * sums.mean(what)[i])), a.among[0]
        if best == chosen:
            same[a.kind] += 1
            continue
        lost, own = sums.difference(what, i, best, chosen)
        error = own * np.sqrt(1 + sums.effective[i] / a.effective)
        other = "" if best in a.among else ", the best is not among those named"
        losses.append((sign * lost / error, sign * lost, f"{a.kind}{other}: {ids[chosen]}, best {ids[best]}"))
    print(f"the same first regimen in {sum(same.values())} of {len(answers)} patients")
    for kind in kinds:
        print(f"  {kind}: {same[kind]} of {kinds[kind]}")
    for errors, lost, words in sorted(losses, reverse=True):
        print(f"  differs ({words}): loses {lost:.4f}, {errors:.2f} Monte-Carlo errors")
    reach = sums.mean(1).max(axis=1)
    missed = np.array([a.kind == "target not reached" for a in answers])
    differ = reach[missed == (reach >= 0.5)]
    print(f"reached or not differs in {len(differ)}: highest P(in) as printed {np.round(differ, 3)}")


def main() -> None:
    """Print how often the two agree, and the largest regret in Monte-Carlo errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--draws", type=float, default=100_000)
    parser.add_argument("--most", type=int, default=5_000_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--skip", type=int, default=0, help="leave out the first of the patients")
    given = parser.parse_args()
    patients = simulate_patients(given.patients, seed=17).patients[given.skip :]
    begin = time.perf_counter()
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        answers = list(pool.map(answer, patients, chunksize=5))
        print(f"dose: {time.perf_counter() - begin:.0f} s", flush=True)
        begin = time.perf_counter()
        sums, done = enumerate_regimens(patients, answers[0], given.draws, given.most, 99, pool.map)
    effective = np.sort(sums.effective)
    enough = int((effective >= given.draws).sum())
    print(
        f"enumeration: {done} draws, which count for {effective[0]:.0f} (least) to {effective[-1]:.0f}, "
        f"median {np.median(effective):.0f}, enough for {enough} patients; "
        f"{time.perf_counter() - begin:.0f} s"
    )
    _report(answers, sums)


if __name__ == "__main__":
    main()
