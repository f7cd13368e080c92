"""From one posterior sample a model to equally weighted draws of their average."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.response.importance import ImportanceSample, PosteriorError, systematic_resample
from troughline.response.loo import LeaveOneOut, leave_one_out, model_weights

Floats = NDArray[np.float64]

LEAST_LOO_DRAWS, MOST_LOO_DRAWS = 400, 1000
LOO_ELEMENTS = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """One model's part in an average, and how well its posterior was sampled.

    `weight` in the average; `n_draws`, `effective_draws`, `pareto_k`, `rounds` and `status` (`good` or
    `poor`) of the importance sample; `predictive_density` with `predictive_density_se`, the leave-one-out
    sum; `loo_pareto_k`, the largest of a patient, and `loo_poor_patients`, how many exceed 0.7.
    """

    model: str
    weight: float
    n_draws: int
    effective_draws: float
    pareto_k: float
    rounds: int
    status: str
    predictive_density: float
    predictive_density_se: float
    loo_pareto_k: float
    loo_poor_patients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Average:
    """Equally weighted draws of a model average: for model j the rows `chosen[j]` of its sample."""

    reports: tuple[ModelReport, ...]
    chosen: tuple[NDArray[np.intp], ...]


def loo_of_sample(
    sample: ImportanceSample, pointwise: Callable[[Floats], Floats], n_patients: int
) -> LeaveOneOut:
    """Leave-one-out prediction from a posterior sample, thinned to what its precision needs.

    A third of the draws enter, evenly spaced, but 400 at least and 1,000 at most; fewer where there are more
    than 4,000 patients, 200 at least.
    """
    possible = np.flatnonzero(np.isfinite(sample.log_weights))
    wanted = min(max(possible.size // 3, LEAST_LOO_DRAWS), MOST_LOO_DRAWS)
    kept = min(possible.size, wanted, max(200, LOO_ELEMENTS // n_patients))
    index = possible[np.linspace(0, possible.size - 1, kept).astype(int)]
    return leave_one_out(pointwise(sample.draws[index]), sample.log_weights[index])


def average_models(
    names: Sequence[str],
    samples: Sequence[ImportanceSample],
    loos: Sequence[LeaveOneOut],
    *,
    rng: np.random.Generator,
    n_draws: int,
    allow_poor: bool,
) -> Average:
    """Weigh models by leave-one-out prediction and draw `n_draws` equally weighted draws of their average.

    Raises `PosteriorError` where the sample of a model that carries more than 1 % of the weight is poor,
    unless `allow_poor`.
    """
    weights = model_weights([loo.pointwise for loo in loos], rng=rng)
    reports = tuple(
        ModelReport(
            model=name,
            weight=float(weight),
            n_draws=sample.draws.shape[0],
            effective_draws=sample.effective_draws,
            pareto_k=sample.pareto_k,
            rounds=sample.rounds,
            status=sample.status,
            predictive_density=loo.total,
            predictive_density_se=loo.standard_error,
            loo_pareto_k=loo.largest_pareto_k,
            loo_poor_patients=loo.poor_patients,
        )
        for name, sample, loo, weight in zip(names, samples, loos, weights, strict=True)
    )
    if not allow_poor:
        for report in reports:
            if report.status != "good" and report.weight > 0.01:
                raise PosteriorError(
                    f"the posterior of the model {report.model!r} was sampled poorly: "
                    f"{report.effective_draws:.0f} effective draws, Pareto k {report.pareto_k:.2f}"
                )
    with np.errstate(divide="ignore"):
        together = np.concatenate([np.log(w) + s.log_weights for w, s in zip(weights, samples, strict=True)])
    index = systematic_resample(together, n_draws, rng)
    ends = np.cumsum([s.draws.shape[0] for s in samples])
    starts = np.concatenate([[0], ends[:-1]])
    chosen = tuple(
        index[(index >= first) & (index < last)] - first for first, last in zip(starts, ends, strict=True)
    )
    return Average(reports=reports, chosen=chosen)
