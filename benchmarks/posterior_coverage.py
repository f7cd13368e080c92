"""How often the posterior's 90 % intervals of exposure hold the truth, beside those of a normal at the peak.

    python -m benchmarks.posterior_coverage [--patients 2000] [--design NAME …|all|quick] [--seed N]

Patients are simulated from a model's own prior, residual error included, with 1, 2 or 4 samples at random
times of random dosing intervals (a third of them troughs); where the model has between-occasion effects the
samples lie in two occasions and the forecast is in a third, whose true effects are drawn fresh. Four
quantities are estimated from the samples: the trough and the area of the last interval with a sample, and of
an interval a week after the last record. `normal` is the MAP estimate ± 1.645 standard errors (delta method).

If a posterior is right, the truth's rank among its draws is uniform (Talts 2018, arXiv:1804.06788): the last
column is the p value of χ² with 20 bins. Prints Markdown; a coverage from N patients has a standard error of
√(0.9 · 0.1 / N).
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chisquare

from troughline.model.build import DoseEvent, PatientRecord, Sample, records_from
from troughline.model.model import Model, load_model
from troughline.model.records import BELOW_LIMIT, OBSERVATION, QUANTIFIED, Records
from troughline.pk.exposure import ExposureQuery, exposure_draws
from troughline.pk.individual import EstimateOptions, Individuals, estimate_individuals
from troughline.pk.posterior import Posterior, PosteriorOptions, draw_normal, draw_posterior
from troughline.pk.residual import with_residual

Floats = NDArray[np.float64]
ZOO = Path(__file__).resolve().parents[1] / "tests" / "reference" / "models" / "zoo"
QUANTITIES = ("trough now", "AUC now", "trough ahead", "AUC ahead")
INTERVAL_H, AHEAD_H = 12.0, 168.0
LEVEL, Z = 0.9, 1.6448536269514722
BINS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What is simulated: `limit` (mg/L) is the limit of quantification, 0 for none."""

    model: str
    samples: int
    limit: float = 0.0
    doses: tuple[int, int] = (10, 28)
    quick: bool = True


DESIGNS = {
    **{f"transit chain, {n}": Design(model="transit-chain", samples=n) for n in (1, 2, 4)},
    "transit chain, 2, BLQ": Design(model="transit-chain", samples=2, limit=2.0),
    **{f"occasions, {n}": Design(model="occasions", samples=n) for n in (1, 2, 4)},
    "occasions, 4, BLQ": Design(model="occasions", samples=4, limit=1.2),
    **{
        f"{name}, {n}": Design(model=f"sorafenib/{name}", samples=n, doses=(28, 56), quick=False)
        for name in ("jain-2011", "hcc")
        for n in (1, 4)
    },
}


def main() -> None:
    """Run the designs asked for and print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=2000)
    parser.add_argument("--design", nargs="+", default=["all"], help=f"all, quick or {', '.join(DESIGNS)}")
    parser.add_argument("--draws", type=int, default=1000, help="posterior draws a patient")
    parser.add_argument("--seed", type=int, default=2018)
    arguments = parser.parse_args()
    names = [
        name for name, design in DESIGNS.items()
        if {name, "all", "quick" if design.quick else name} & set(arguments.design)
    ]  # fmt: skip
    if not names:
        parser.error(f"no such design; there are: {', '.join(DESIGNS)}")
    print("| design | quantity | covers, % | normal covers, % | bias, % | width | normal width | ranks, p |")
    print("|---|---|---|---|---|---|---|---|")
    notes = [run(name, DESIGNS[name], arguments.patients, arguments.draws, arguments.seed) for name in names]
    print("\n".join(["", *notes]), flush=True)


def run(name: str, design: Design, patients: int, draws: int, seed: int) -> str:
    """Print the rows of one design; the line that says how its posteriors were found."""
    model = load_model(design.model if "/" in design.model else ZOO / f"{design.model}.toml")
    rng = np.random.default_rng([seed, *name.encode()])
    blank = records_from([_patient(model, design, k, rng) for k in range(patients)], model.spec)
    truth, records = _simulated(model, blank, design, rng)
    started = time.process_time()
    individuals = estimate_individuals(model, records, options=EstimateOptions(threads=1))
    posterior = draw_posterior(
        model,
        records,
        individuals,
        options=PosteriorOptions(draws=draws, new_occasions=1, seed=seed, threads=1),
    )
    seconds = time.process_time() - started
    found = np.full((patients, len(QUANTITIES), 7), np.nan)
    for p in range(patients):
        if posterior.method[p] != "none":
            found[p] = _one(model, records, p, truth[p], individuals, posterior)
    _print_rows(name, found)
    used = found[np.isfinite(found[:, 0, 0])]
    kinds = {kind: posterior.method.count(kind) for kind in dict.fromkeys(posterior.method)}
    below = np.mean(records.censoring[records.event == OBSERVATION] == BELOW_LIMIT)
    return (
        f"- {name}: {len(used)} patients, {1000 * seconds / patients:.1f} ms each; "
        f"{posterior.evaluations.mean():.0f} evaluations on average, {posterior.evaluations.max()} at most; "
        f"effective {np.nanmin(posterior.effective):.0f} at least; "
        f"{', '.join(f'{kind} {count}' for kind, count in kinds.items())}; "
        f"{100 * below:.0f} % below the limit"
    )


def _patient(model: Model, design: Design, number: int, rng: np.random.Generator) -> PatientRecord:
    """A regimen with samples at random times, the values still to come."""
    per_occasion = int(rng.integers(*design.doses))
    occasions = 2 if model.spec.occasion_effects else 1
    # A record's conditions hold back to the record before: the first occasion ends with a dose of its own.
    ends = [DoseEvent(time_h=(per_occasion - 1) * INTERVAL_H, amount_mg=400, occasion=0)] * (occasions - 1)
    doses = [
        DoseEvent(
            time_h=k * per_occasion * INTERVAL_H, amount_mg=400, interval_h=INTERVAL_H,
            additional=per_occasion + 30 if k == occasions - 1 else per_occasion - 2, occasion=k,
        )
        for k in range(occasions)
    ] + ends  # fmt: skip
    samples: list[Sample] = []
    for j in range(design.samples):
        occasion = occasions - 1 if j == 0 else int(rng.integers(occasions))
        interval = occasion * per_occasion + int(rng.integers(per_occasion - 1))
        since = INTERVAL_H if rng.random() < 1 / 3 else rng.uniform(0.5, INTERVAL_H)
        samples.append(Sample(time_h=interval * INTERVAL_H + round(since, 3), value=1.0, occasion=occasion))
    return PatientRecord(
        patient=f"P{number:05d}",
        doses=doses,
        samples=samples,
        covariates={"weight": float(np.clip(rng.normal(75, 12), 45, 120))}
        if any(c.name == "weight" for c in model.spec.covariates)
        else {},
    )


def _simulated(
    model: Model, blank: Records, design: Design, rng: np.random.Generator
) -> tuple[Floats, Records]:
    """The true effects of every patient, one occasion to come included, and records with measured values."""
    occasions = 3 if model.spec.occasion_effects else 0
    n = blank.n_patients
    truth = np.hstack([
        draw_normal(model.spec.covariance("subject"), n, rng),
        *(draw_normal(model.spec.covariance("occasion"), n, rng) for _ in range(occasions)),
    ])  # fmt: skip
    predicted = model.predict(blank, effects=truth)
    noise = rng.standard_normal(len(blank))
    y = with_residual(model.spec.outputs, blank.output, predicted.value, predicted.error, noise)
    logged = model.spec.outputs[0].error.on_log_scale
    with np.errstate(invalid="ignore"):
        below = blank.observed & (y < design.limit)
        value, limit = (np.log(y), math.log(max(design.limit, 1e-9))) if logged else (y, design.limit)
    return truth, replace(
        blank,
        value=np.where(blank.observed & ~below, value, np.nan),
        censoring=np.where(below, BELOW_LIMIT, np.where(blank.observed, QUANTIFIED, blank.censoring)),
        limit=np.where(below, limit, np.nan),
    )


def _one(
    model: Model, records: Records, p: int, truth: Floats, individuals: Individuals, posterior: Posterior
) -> Floats:
    """For each quantity: truth, posterior mean, low, high, normal low, high, and the truth's rank."""
    rows = slice(int(records.first[p]), int(records.first[p + 1]))
    last = float(records.time_h[rows][records.observed[rows]].max())
    start = (math.ceil(last / INTERVAL_H - 1e-9) - 1) * INTERVAL_H
    ahead = math.ceil((float(records.time_h[rows][-1]) + AHEAD_H) / INTERVAL_H) * INTERVAL_H
    new = "new" if model.spec.occasion_effects else None
    queries = [
        ExposureQuery(quantity="trough", end=start + INTERVAL_H),
        ExposureQuery(quantity="auc", start=start, end=start + INTERVAL_H),
        ExposureQuery(quantity="trough", end=ahead + INTERVAL_H, occasion=new),
        ExposureQuery(quantity="auc", start=ahead, end=ahead + INTERVAL_H, occasion=new),
    ]
    center, spread = _normal(model, individuals, posterior, p)
    steps = np.sqrt(np.diag(spread)) * 1e-3
    moved = center + np.vstack([np.diag(steps), -np.diag(steps), np.zeros((1, len(center)))])
    k = len(center)
    points = np.vstack([posterior.draws[p, :, :k], moved, truth[None, :k]])
    whole = exposure_draws(model, records, p, points, queries, tolerance=posterior.options.tolerance)
    drawn, near, true = whole[: -2 * k - 2], whole[-2 * k - 2 : -1], whole[-1]
    slopes = (near[:k] - near[k : 2 * k]) / (2 * steps[:, None])
    errors = np.sqrt(np.einsum("iq,ij,jq->q", slopes, spread, slopes))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    rank = np.mean(drawn < true, axis=0) + 0.5 * np.mean(drawn == true, axis=0)
    peak = near[-1]
    return np.column_stack([true, drawn.mean(axis=0), low, high, peak - Z * errors, peak + Z * errors, rank])


def _normal(model: Model, individuals: Individuals, posterior: Posterior, p: int) -> tuple[Floats, Floats]:
    """The normal at the peak over all effects, those of the occasion to come included."""
    own = int(individuals.n_effects[p])
    extra = model.compiled.n_occasion
    spread = np.zeros((own + extra, own + extra))
    spread[:own, :own] = individuals.covariance[p, :own, :own]
    spread[own:, own:] = model.spec.covariance("occasion")
    return np.r_[individuals.effects[p, :own], np.zeros(extra)], spread


def _print_rows(name: str, found: Floats) -> None:
    found = found[np.isfinite(found).all(axis=(1, 2))]
    for k, quantity in enumerate(QUANTITIES):
        true, mean, low, high, normal_low, normal_high, rank = found[:, k].T
        cover = _percent((low <= true) & (true <= high))
        normal = _percent((normal_low <= true) & (true <= normal_high))
        counts = np.histogram(rank, bins=BINS, range=(0.0, 1.0))[0]
        bias = 100 * float(np.mean(mean - true) / np.mean(true))
        width, normal_width = np.mean(high - low), np.mean(normal_high - normal_low)
        print(
            f"| {name} | {quantity} | {cover} | {normal} | {bias:+.1f} | {width:.2f} | {normal_width:.2f} | "
            f"{chisquare(counts).pvalue:.2f} |",
            flush=True,
        )


def _percent(inside: Sequence[bool] | NDArray[np.bool_]) -> str:
    share = float(np.mean(inside))
    return f"{100 * share:.1f} ± {100 * math.sqrt(share * (1 - share) / len(inside)):.1f}"


if __name__ == "__main__":
    main()
