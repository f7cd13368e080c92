"""How often each test of change errs, how often its interval holds the truth, and what it finds.

    python -m benchmarks.change_operating_characteristics [--sets 2000] [--seed 1] [--workers 2] [--json FILE]
        [--log FILE] [--parts rank model family exposure]

Sets of 10, 37 and 10 patients, the groups of Nagai 2014: log levels before and after are a normal patient
effect (SD 1) plus error (SD 0.8), one limit at the 0, 20, 50 or 80 % quantile of all levels. Under no change
each test should reject in 5 % of the sets; it is held to 3.5–6.5 %, and intervals to 93 %. Then every level
after is `CHANGE` higher, and the rivals are what a paper would do: Student's paired test on the pairs with
both levels quantified, and on half the limit in the place of what lies below. Without a change there are two
more designs: an exposure that has nothing to do with the change, and a covariate that both chose the group
and moves the levels, for which the analysis of covariance is adjusted or not. Random numbers are keyed by
(seed, share below, change, set), so neither the number of workers nor the choice of `--parts` changes a
figure. What is in `--log` is not computed again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.ancova import ancova
from troughline.biomarker.censored import Censored, Pairs
from troughline.biomarker.exposure_slope import change_by_exposure
from troughline.biomarker.group_time import GroupTime
from troughline.biomarker.multiplicity import westfall_young
from troughline.biomarker.paired_normal import paired_normal
from troughline.biomarker.paired_tests import (
    prentice_wilcoxon_scores,
    sign_test,
    signed_rank_scores,
)
from troughline.biomarker.sign_flip import EXACT_UP_TO, flip_test
from troughline.biomarker.trend import jonckheere_terpstra
from troughline.response.multiplicity import holm

Floats = NDArray[np.float64]
Numbers = dict[str, float]

SIZES = (10, 37, 10)
DOSES = (200.0, 400.0, 800.0)
SHARES = (0.0, 0.2, 0.5, 0.8)
PATIENT_SD, ERROR_SD = 1.0, 0.8
CHANGE = 0.7
MARKERS, MARKER_CORRELATION = 4, 0.5
ALPHA = 0.05
LEAST, MOST, LEAST_COVERAGE = 0.035, 0.065, 0.93
CHUNK = 20
GROUPS = np.repeat(np.arange(3), SIZES)
PARTS = ("rank", "model", "family", "exposure")
"""Tests of ranks and signs; the Tobit model and ANCOVA; the corrected family; exposure and covariate."""
EXPOSURE_SD = 0.5
"""Standard deviation of the log exposure."""
COVARIATE_EFFECT, COVARIATE_GROUP = 0.6, 1.0
"""How far a covariate moves the later level per unit, and how far neighbouring groups lie apart in it."""


def draw(share: float, change: float, rng: np.random.Generator, markers: int = 1) -> list[Pairs]:
    """The pairs of each marker in all 57 patients; `share` of the levels (of the law) lie below the limit."""
    from scipy.stats import norm

    n = sum(SIZES)
    common, own = math.sqrt(MARKER_CORRELATION), math.sqrt(1 - MARKER_CORRELATION)

    def normal() -> Floats:
        shared = rng.normal(size=n)
        if markers == 1:
            return shared[None, :]
        return common * shared + own * rng.normal(size=(markers, n))

    patient = PATIENT_SD * normal()
    before, after = patient + ERROR_SD * normal(), patient + ERROR_SD * normal() + change
    sd = math.hypot(PATIENT_SD, ERROR_SD)
    limit = float(norm.ppf(share)) * sd + change / 2 if share > 0 else -math.inf
    return [
        Pairs(before=_cut(b, limit), after=_cut(a, limit), floor=np.full((2, n), limit))
        for b, a in zip(before, after, strict=True)
    ]


def _cut(level: Floats, limit: float) -> Censored:
    below = level < limit
    return Censored(np.where(below, -np.inf, level), np.where(below, limit, level))


def one_set(seed: int, share: float, change: float, number: int, parts: Sequence[str] = PARTS) -> Numbers:
    """1 where a test rejects or an interval holds the truth, by name; `n=10`, `n=37` are groups."""
    key = [seed, round(100 * share), round(100 * change), number]
    rng = np.random.default_rng(key)
    found: Numbers = {}
    (pairs,) = draw(share, change, rng)
    if "model" in parts:
        _modelled(pairs, change, found)
    if change == 0 and "exposure" in parts:
        _over_exposure(pairs, share, np.random.default_rng([*key, 1]), found)
    if "rank" not in parts and "family" not in parts:
        return found
    for g, name in ((0, "n=10"), (1, "n=37")):
        own = pairs[g == GROUPS]
        _paired(own, name, change, found)
    dose = np.array(DOSES)[GROUPS]
    permuted = _p(
        lambda: (
            jonckheere_terpstra(pairs.change, dose, rng=rng, permute_below=math.inf, permutations=999).p_value
        )
    )
    found["dose|Jonckheere–Terpstra, permutation"] = float(permuted < ALPHA)
    normal = _p(lambda: jonckheere_terpstra(pairs.change, dose).p_value)
    found["dose|Jonckheere–Terpstra, normal"] = float(normal < ALPHA)
    if change == 0 and "family" in parts:
        _family(share, rng, found)
    return found


def _paired(own: Pairs, name: str, change: float, found: Numbers) -> None:
    from scipy.stats import ttest_1samp

    rank, prentice = flip_test(signed_rank_scores(own)), flip_test(prentice_wilcoxon_scores(own))
    signs = sign_test(own)
    p = {
        "sign": signs.p_value, "sign, exact": signs.p_exact,
        "signed-rank": rank.p_value, "signed-rank, exact": rank.p_exact, "signed-rank, normal": rank.p_normal,
        "Prentice–Wilcoxon": prentice.p_value, "Prentice–Wilcoxon, normal": prentice.p_normal,
    }  # fmt: skip
    try:
        normal = paired_normal(own.change)
        p["paired normal, t"], p["paired normal, z"] = normal.p_value, normal.p_normal
    except ValueError:
        p["paired normal, t"] = p["paired normal, z"] = 1.0
    both = own.before.exact & own.after.exact
    complete = own.after.low[both] - own.before.low[both]
    half = [np.where(one.exact, one.low, one.high - math.log(2)) for one in (own.before, own.after)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        p["complete-case t"] = float(ttest_1samp(complete, 0.0).pvalue) if len(complete) > 1 else 1.0
        p["t at half the limit"] = float(ttest_1samp(half[1] - half[0], 0.0).pvalue)
    for test, value in p.items():
        # In a larger group the exact law is counted only where few pairs are informative: no fair row.
        if value is not None and (test != "signed-rank, exact" or len(own) <= EXACT_UP_TO):
            found[f"{name}|{test}"] = float(value < ALPHA)
    found[f"{name}|could reject"] = float(rank.least_p < ALPHA)
    # An interval holds the truth where its test accepts it.
    at_truth = flip_test(signed_rank_scores(own, change))
    found[f"{name} cover|Hodges–Lehmann"] = float(at_truth.p_value >= ALPHA)
    sd = float(complete.std(ddof=1)) if len(complete) > 1 else math.nan
    if sd > 0:
        t = abs(float(complete.mean()) - change) / sd * math.sqrt(len(complete))
        from scipy.stats import t as student

        found[f"{name} cover|complete-case t"] = float(t <= student.ppf(0.975, len(complete) - 1))


def _modelled(pairs: Pairs, change: float, found: Numbers) -> None:
    own: Numbers = {"model|not fitted": 0.0}
    try:
        model = GroupTime(pairs, GROUPS)
        for g, name in ((0, "n=10"), (1, "n=37")):
            own[f"{name}|Tobit mixed model"] = float(model.p_of(g, 0.0) < ALPHA)
            truth = model.p_of(g, change) if change else model.p_of(g, 0.0)
            own[f"{name} cover|Tobit mixed model"] = float(truth >= ALPHA)
        own["between|Tobit group × time"] = float(model.same_change().p_value < ALPHA)
        own["dose|Tobit trend"] = float(model.trend(np.array(DOSES))[1].p_value < ALPHA)
    except ValueError:
        own = {"model|not fitted": 1.0}
    found |= own
    if own["model|not fitted"]:
        return
    try:
        adjusted = ancova(pairs, GROUPS, dose=np.array(DOSES)[GROUPS])
    except ValueError:
        found["ancova|not fitted"] = 1.0
        return
    found["ancova|not fitted"] = 0.0
    assert adjusted.same is not None
    assert adjusted.trend is not None
    found["between|ANCOVA on baseline"] = float(adjusted.same.p_value < ALPHA)
    found["dose|ANCOVA trend"] = float(adjusted.trend.p_value < ALPHA)


def _over_exposure(pairs: Pairs, share: float, rng: np.random.Generator, found: Numbers) -> None:
    """An exposure that tells nothing of the change; then groups that a covariate of the levels decides."""
    x = EXPOSURE_SD * rng.normal(size=len(pairs))
    permuted = _p(
        lambda: (
            jonckheere_terpstra(pairs.change, x, rng=rng, permute_below=math.inf, permutations=999).p_value
        )
    )
    found["exposure|Kendall, exact or by permutation"] = float(permuted < ALPHA)
    found["exposure|Kendall, normal"] = float(
        _p(lambda: jonckheere_terpstra(pairs.change, x, exact=False).p_value) < ALPHA
    )
    try:
        slope = change_by_exposure(pairs, x)
        found["exposure|slope, Tobit mixed model"] = float(slope.p_value < ALPHA)
        found["exposure cover|slope, Tobit mixed model"] = float(slope.low <= 0 <= slope.high)
    except ValueError:
        found["exposure|slope, Tobit mixed model"] = 0.0
    covariate = rng.normal(size=len(pairs)) + COVARIATE_GROUP * (GROUPS - 1)
    patient = PATIENT_SD * rng.normal(size=len(pairs))
    before = patient + ERROR_SD * rng.normal(size=len(pairs))
    # The covariate moves the later level alone: equal first levels do not make its groups equal.
    after = patient + COVARIATE_EFFECT * covariate + ERROR_SD * rng.normal(size=len(pairs))
    limit = float(np.quantile(np.concatenate([before, after]), share)) if share > 0 else -math.inf
    made = Pairs(before=_cut(before, limit), after=_cut(after, limit), floor=np.full((2, len(before)), limit))
    dose = np.log2(DOSES)[GROUPS]
    for name, columns in (("unadjusted", None), ("adjusted", covariate[:, None])):
        try:
            fit = ancova(made, GROUPS, dose=dose, covariates=columns)
        except ValueError:
            continue
        assert fit.same is not None
        assert fit.trend is not None
        found[f"indication|ANCOVA, {name}"] = float(fit.same.p_value < ALPHA)
        found[f"indication|ANCOVA trend, {name}"] = float(fit.trend.p_value < ALPHA)


def _family(share: float, rng: np.random.Generator, found: Numbers) -> None:
    """Any rejection among 4 related markers × 3 groups without any change."""
    n = sum(SIZES)
    columns: list[Floats] = []
    raw: list[float] = []
    for pairs in draw(share, 0.0, rng, MARKERS):
        for g in range(3):
            column = np.zeros(n)
            column[g == GROUPS] = signed_rank_scores(pairs[g == GROUPS])
            columns.append(column)
            raw.append(flip_test(column).p_value)
    p = np.array(raw)
    found["family|uncorrected"] = float(p.min() < ALPHA)
    found["family|Holm"] = float(holm(p).min() < ALPHA)
    adjusted = westfall_young(np.column_stack(columns), rng, permutations=999)
    found["family|Westfall–Young"] = float(adjusted.min() < ALPHA)


def _p(test: object) -> float:
    """The p-value, 1 where the data have no order at all."""
    assert callable(test)
    try:
        return float(test())
    except ValueError:
        return 1.0


Task = tuple[int, float, float, range, tuple[str, ...]]


def work(task: Task) -> tuple[float, float, list[Numbers]]:
    """The sets of one task."""
    seed, share, change, numbers, parts = task
    return share, change, [one_set(seed, share, change, k, parts) for k in numbers]


def compute(
    sets: int, seed: int, workers: int, log: Path | None = None, parts: tuple[str, ...] = PARTS
) -> dict[tuple[float, float], list[Numbers]]:
    """Every set of every share, without and with a change."""
    from concurrent.futures import ProcessPoolExecutor

    tasks: list[Task] = [
        (seed, share, change, range(start, min(start + CHUNK, sets)), parts)
        for change in (0.0, CHANGE)
        for share in SHARES
        for start in range(0, sets, CHUNK)
    ]
    found: dict[tuple[float, float], list[Numbers]] = {}
    done: dict[str, list[Numbers]] = {}
    if log is not None and log.exists():
        for line in log.read_text(encoding="utf-8").splitlines():
            done |= json.loads(line)
    for task in tasks:
        if _key(task) in done:
            found.setdefault((task[1], task[2]), []).extend(done[_key(task)])
    left = [t for t in tasks if _key(t) not in done]
    with ProcessPoolExecutor(workers) as pool:
        for task, (share, change, rows) in zip(left, pool.map(work, left), strict=True):
            found.setdefault((share, change), []).extend(rows)
            if log is not None:
                with log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({_key(task): rows}) + "\n")
    return found


def _key(task: Task) -> str:
    seed, share, change, numbers, parts = task
    return f"{seed} {share:g} {change:g} {numbers.start} {numbers.stop} {'+'.join(parts)}"


def share_of(rows: Iterable[Numbers], name: str) -> tuple[float, int]:
    """How often 1, in how many sets it was looked at."""
    values = [r[name] for r in rows if name in r]
    return (float(np.mean(values)), len(values)) if values else (math.nan, 0)


def table(found: dict[tuple[float, float], list[Numbers]], change: float, prefix: str, title: str) -> str:
    """One Markdown table: a row a test, a column a share below the limit."""
    rows_at = {share: found[share, change] for share in SHARES if (share, change) in found}
    names: dict[str, None] = {}
    for rows in rows_at.values():
        for r in rows:
            names.update(dict.fromkeys(n for n in r if n.startswith(prefix + "|")))
    lines = [
        f"| {title} | " + " | ".join(f"{100 * s:.0f} % below" for s in rows_at) + " |",
        "|---|" + "---|" * len(rows_at),
    ]
    for name in names:
        cells: list[str] = []
        for rows in rows_at.values():
            value, n = share_of(rows, name)
            cells.append("–" if n == 0 else f"{100 * value:.1f}")
        lines.append(f"| {name.split('|')[1]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def report(found: dict[tuple[float, float], list[Numbers]]) -> str:
    """Every table as Markdown."""
    sets = len(next(iter(found.values())))
    parts = [
        f"{sets} sets a column; per cent; Monte-Carlo error {100 * math.sqrt(0.0475 / sets):.1f} at 5 %."
    ]
    for prefix, title in (
        ("n=10", "rejects without a change, n = 10"),
        ("n=37", "rejects without a change, n = 37"),
        ("between", "rejects without a difference between groups"),
        ("dose", "rejects without a trend over dose"),
        ("exposure", "rejects without a trend over exposure"),
        ("indication", "rejects without a difference, a covariate chose the group"),
        ("family", "any rejection among 12 tests without a change"),
        ("n=10 cover", "95 % interval holds no change, n = 10"),
        ("n=37 cover", "95 % interval holds no change, n = 37"),
        ("exposure cover", "95 % interval holds no slope over exposure"),
        ("model", "Tobit model"),
        ("ancova", "ANCOVA"),
    ):
        parts.append(table(found, 0.0, prefix, title))
    for prefix, title in (
        ("n=10", f"finds a change of {CHANGE}, n = 10"),
        ("n=37", f"finds a change of {CHANGE}, n = 37"),
        ("n=10 cover", "95 % interval holds the change, n = 10"),
        ("n=37 cover", "95 % interval holds the change, n = 37"),
    ):
        parts.append(table(found, CHANGE, prefix, title))
    return "\n\n".join(parts)


def main() -> None:
    """Print the tables, and write what was counted to `--json`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    given = parser.parse_args()
    found = compute(given.sets, given.seed, given.workers, given.log, tuple(given.parts))
    print(report(found))
    if given.json is not None:
        means = {
            f"{share:g} below, change {change:g}": {
                name: share_of(rows, name)[0] for name in sorted({n for r in rows for n in r})
            }
            for (share, change), rows in found.items()
        }
        given.json.write_text(json.dumps(means, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
