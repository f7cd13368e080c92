"""Calibrate the mechanism of sorafenib to trials: targets in, sets that fit about as well and a page out.

    python tools/calibrate_mechanism.py                  # fit, print what each target got
    python tools/calibrate_mechanism.py --write          # also write the sets and the page's tables
    python tools/calibrate_mechanism.py --profiles-only  # only profile the stored sets, write their table
    python tools/calibrate_mechanism.py --cytokines      # only size the stored sets' cytokines anew

Least squares over the calibrated targets of `mechanism/data/targets.toml`, with a weak prior on every fitted
quantity (`fitted.toml`); the same virtual patients stand in both arms and at every point of the search, so
that the sum of squares is smooth. Held-out targets are read only after the fit. Then, for each reading of
target potency: how well each quantity is determined (profiles), sets that fit as well, and weights that make
the best set's virtual patients match the calibrated numbers, with the effective sample size they leave.

The same numbers come out of every run. It takes about a quarter of an hour on two cores, without profiles.
The best set's values also go into the model file. What the sets then predict for trials that no fit has seen,
and the other tables of the page: tools/predict_mechanism.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from mechanism_cytokines import sized_cytokines
from mechanism_fit import Fit, Floats, Problem
from mechanism_page import write_beside, write_fitted, write_page, write_sets
from mechanism_report import held_out, target_rows

from troughline.mechanism.parameters import ParameterSet, read_sets
from troughline.mechanism.population import draw_patients, read_populations
from troughline.mechanism.predictions import scaled, two_arms
from troughline.mechanism.runner import Runner, load_runner
from troughline.mechanism.targets import read_targets
from troughline.mechanism.weights import balance, balance_features

RISE = 3.84  # 95 % quantile of chi-squared with one degree of freedom, at the printed errors
FRESH = 20_260_202  # another seed: what is reported is not what was fitted


def main() -> None:
    """Fit both readings, print, and with --write put the sets and the page's tables in their places."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the sets and the page")
    parser.add_argument("--patients", type=int, default=4000, help="virtual patients an arm in the fit")
    parser.add_argument("--rounds", type=int, default=12, help="rounds of the search")
    parser.add_argument("--sets", type=int, default=5, help="sets wanted for the first reading")
    parser.add_argument("--profiles", action="store_true", help="profile every fitted quantity too")
    parser.add_argument("--profiles-only", action="store_true", help="only profile the stored sets")
    parser.add_argument("--from-sets", action="store_true", help="begin where the stored best sets are")
    parser.add_argument("--without-predictions", action="store_true", help="write the sets only")
    parser.add_argument("--cytokines", action="store_true", help="only size the stored sets' cytokines anew")
    options = parser.parse_args()
    runner, targets = load_runner(), read_targets()
    if options.profiles_only:
        stored = read_sets()
        problem = Problem(runner, targets, n=options.patients, reading=stored[0].reading)
        at = problem.at(problem.place(stored[0]))
        write_fitted(_profiles(problem, at, problem.slopes(at)), stored, Path(__file__).resolve().parents[1])
        return
    if options.cytokines:
        stored = [_cytokines(runner, s) for s in read_sets()]
        write_sets(stored, Path(__file__).resolve().parents[1])
        return
    wanted = {"Kd": options.sets, "IC50": max(2, (options.sets + 1) // 2)}
    with ProcessPoolExecutor(len(wanted)) as pool:
        solving = {
            reading: pool.submit(
                _fit_of_reading, reading, sets, options.patients, options.rounds, options.from_sets
            )
            for reading, sets in wanted.items()
        }
        solved = {reading: future.result() for reading, future in solving.items()}
    found = {reading: pairs for reading, (pairs, _) in solved.items()}
    found = {r: [(_cytokines(runner, s), f) for s, f in pairs] for r, pairs in found.items()}
    chosen = [s for pairs in found.values() for s, _ in pairs]
    if options.without_predictions:
        write_sets(chosen, Path(__file__).resolve().parents[1])
        return
    print("predicting what was held out", flush=True)
    predicted = {s.id: held_out(runner, s, targets, seed=FRESH) for s in chosen}
    weights = weights_needed(runner, chosen[0])
    rows = target_rows(targets, chosen, predicted)
    for row in rows:
        print(" | ".join(row))
    print(weights)
    root = Path(__file__).resolve().parents[1]
    if options.write:
        write_sets(chosen, root)
        write_page(rows, {}, chosen, weights, root)
        write_beside(predicted[chosen[0].id], root)
    if options.profiles:
        problem = Problem(runner, targets, n=options.patients, reading="Kd")
        profiles = _profiles(problem, solved["Kd"][0][0][1], solved["Kd"][1])
        if options.write:
            write_page(rows, profiles, chosen, weights, root)


def _fit_of_reading(
    reading: str, wanted: int, n: int, rounds: int, stored: bool
) -> tuple[list[tuple[ParameterSet, Fit]], Floats]:
    """The sets of a reading with their fits, the best first, and the slopes at the best. One process each."""
    problem = Problem(load_runner(), read_targets(), n=n, reading=reading)
    start = np.zeros(len(problem.quantities))
    if stored:
        start = problem.place(read_sets(reading=reading)[0])
    best, slopes = problem.solve(start, rounds, say=lambda line: print(reading, line, flush=True))
    print(reading, {k: round(v, 4) for k, v in best.quantities.items() if "sharp" in k}, flush=True)
    others = problem.equal_fits(best, slopes, rise=RISE, wanted=wanted - 1, tries=6 * wanted, seed=7)
    named = [
        (replace(problem.set_at(f.x, f"{reading.lower()}-{k + 1}"), squares=f.squares), f)
        for k, f in enumerate([best, *others])
    ]
    print(f"{reading}: {len(named)} sets", flush=True)
    return named, slopes


def _profiles(problem: Problem, best: Fit, slopes: Floats) -> dict[str, tuple[float | None, float | None]]:
    """For each fitted quantity where its profile has risen by RISE, or None where it has not."""
    found: dict[str, tuple[float | None, float | None]] = {}
    for i, quantity in enumerate(problem.quantities):
        ends = [problem.profile_end(best, slopes, i, side, RISE) for side in (-1, 1)]
        low, high = (None if e is None else quantity.value(e) for e in ends)
        found[quantity.name] = (low, high)
        print(f"  {quantity.name}: {low} to {high}", flush=True)
    return found


def _cytokines(runner: Runner, chosen: ParameterSet) -> ParameterSet:
    """The set with the sizes of its cytokines' changes."""
    return sized_cytokines(runner, chosen, say=lambda line: print(line, flush=True))


def weights_needed(runner: Runner, chosen: ParameterSet) -> Mapping[str, float]:
    """How much weighting the best set's patients needs: the effective sample size, in % of the patients."""
    population = read_populations()["sharp"]
    patients = draw_patients(
        runner.mechanism, runner.kinetics, population, n=4000, seed=FRESH, sd=chosen.sd,
        values=scaled(runner, chosen, {}),
    )  # fmt: skip
    both = two_arms(runner, patients, chosen)
    features, wanted = balance_features(both, {t.id: t for t in read_targets()})
    balanced = balance(features, wanted)
    return {
        "patients": float(len(patients)),
        "effective": balanced.effective,
        "largest": balanced.largest,
        "worst_miss": balanced.worst_miss,
    }


if __name__ == "__main__":
    main()
