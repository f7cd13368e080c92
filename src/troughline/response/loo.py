"""How well a model predicts a patient it has not seen, and the weights of models that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.response.pareto import log_sum_exp, pareto_smoothed

Floats = NDArray[np.float64]

BOOTSTRAP_REPLICATES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveOneOut:
    """The expected log predictive density of a model.

    `pointwise` `(n_patients,)`; `total` is its sum and `standard_error` that of the sum; `largest_pareto_k`
    is that of the patient whose absence changes the posterior most, and `poor_patients` counts those
    above 0.7.
    """

    pointwise: Floats
    total: float
    standard_error: float
    largest_pareto_k: float
    poor_patients: int


def leave_one_out(log_likelihood: Floats, log_weights: Floats) -> LeaveOneOut:
    """Leave-one-out prediction from one posterior sample, by Pareto-smoothed importance sampling.

    Parameters: `log_likelihood` `(n_draws, n_patients)`; `log_weights` `(n_draws,)` of the draws (zeros
    where they count equally). Patient i's absence weights draw s by `w_s / p(y_i | draw s)`.
    Source: Vehtari, Gelman & Gabry 2017, doi 10.1007/s11222-016-9696-4.
    """
    ratios = log_weights[None, :] - log_likelihood.T
    weights, k = pareto_smoothed(ratios)
    pointwise = log_sum_exp(weights + log_likelihood.T)
    n = pointwise.size
    return LeaveOneOut(
        pointwise=pointwise,
        total=float(pointwise.sum()),
        standard_error=float(np.sqrt(n) * pointwise.std(ddof=1)) if n > 1 else float("nan"),
        largest_pareto_k=float(k.max()),
        poor_patients=int((k > 0.7).sum()),
    )


def model_weights(pointwise: Sequence[Floats], *, rng: np.random.Generator) -> Floats:
    """Weights of models by pseudo-BMA+: softmax of the summed predictive densities, over Bayesian bootstraps.

    Parameters: `pointwise`, one `(n_patients,)` array a model. Returns weights that sum to 1.

    Chosen over stacking because at the sizes of such cohorts logistic and Emax curves predict alike:
    stacking then gives all the weight to one of them on the strength of a patient or two, while the
    bootstrap over patients leaves weight on every model that the data cannot tell apart.
    Source: Yao, Vehtari, Simpson & Gelman 2018, doi 10.1214/17-BA1091.
    """
    table = np.stack([np.asarray(p, dtype=float) for p in pointwise])
    n = table.shape[1]
    shares = rng.standard_exponential((BOOTSTRAP_REPLICATES, n))
    totals = n * (shares @ table.T) / shares.sum(axis=1, keepdims=True)
    totals -= totals.max(axis=1, keepdims=True)
    weights = np.exp(totals)
    return (weights / weights.sum(axis=1, keepdims=True)).mean(axis=0)
