"""Fine–Gray regression: ratios of subdistribution hazards, and the incidence they predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.survival.competing import coded_causes
from troughline.survival.cox import CoxFitError, CoxTerm, checked_covariates, wald_terms
from troughline.survival.fine_gray_likelihood import FineGrayStratum, arrange
from troughline.survival.times import FloatArray, as_floats, checked_level, checked_times, coded_groups

_ITERATIONS = 50
_HALVINGS = 30
_RELATIVE_CHANGE = 1e-13
_STEP_LEFT = 1e-9
_RUNAWAY = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FineGrayFit:
    """A Fine–Gray regression; in `terms` a hazard ratio is a ratio of subdistribution hazards.

    `covariance` (p, p) is the robust one, which allows for the estimated censoring weights;
    `inverse_information` (p, p) is the one that does not and is too small or too large. `baselines` holds the
    cumulative baseline subdistribution hazard of each stratum: times and values, covariates at 0.
    """

    cause: str
    terms: tuple[CoxTerm, ...]
    level: float
    coefficients: FloatArray
    covariance: FloatArray
    inverse_information: FloatArray
    log_likelihood: float
    log_likelihood_null: float
    n: int
    n_events: int
    n_rivals: int
    strata: tuple[str, ...]
    baselines: tuple[tuple[FloatArray, FloatArray], ...]

    def term(self, name: str) -> CoxTerm:
        """The covariate of that name; raises `KeyError` where there is none."""
        for term in self.terms:
            if term.name == name:
                return term
        raise KeyError(f"no covariate {name!r} in this regression")

    def incidence(self, covariates: ArrayLike, at: ArrayLike, *, stratum: str | None = None) -> FloatArray:
        """The predicted cumulative incidence (k, t) of patients with `covariates` (k, p) at times `at` (t,).

        F(t | x) = 1 − exp(−H₀(t) exp(xᵀβ)). Times beyond the last event have its value. Raises `ValueError`
        for covariates of another width, and where `stratum` is not one of `strata` or is left open among
        several.
        """
        x = np.atleast_2d(np.asarray(covariates, dtype=np.float64))
        if x.shape[1] != self.coefficients.size:
            raise ValueError(f"covariates have {x.shape[1]} columns; expected {self.coefficients.size}")
        if stratum is None and len(self.strata) > 1:
            raise ValueError(f"stratum: name one of {', '.join(self.strata)}")
        if stratum is not None and stratum not in self.strata:
            raise ValueError(f"stratum {stratum!r} is not one of {', '.join(self.strata)}")
        time, hazard = self.baselines[0 if stratum is None else self.strata.index(stratum)]
        position = np.searchsorted(time, np.atleast_1d(np.asarray(at, dtype=np.float64)), side="right")
        baseline = np.concatenate(([0.0], hazard))[position]
        return -np.expm1(-np.exp(x @ self.coefficients)[:, np.newaxis] * baseline)


def fit_fine_gray(
    time: ArrayLike,
    cause: Sequence[str | None] | NDArray[Any],
    of: str,
    covariates: ArrayLike,
    names: Sequence[str],
    *,
    strata: Sequence[Any] | NDArray[Any] | None = None,
    censoring_group: Sequence[Any] | NDArray[Any] | None = None,
    level: float = 0.95,
) -> FineGrayFit:
    """Regress the incidence of the cause `of` on covariates, in the presence of the other causes.

    Parameters: `time`, `cause` as in `cumulative_incidence`; `covariates` (n, p), `names` (p,); `strata` (n,)
    with a baseline and a censoring curve each; `censoring_group` (n,) within which censoring is alike
    (none: one curve a stratum). Everybody is under observation from time 0: there is no delayed entry here.

    A subdistribution hazard ratio says in which direction and how far a covariate shifts the probability of
    the cause, whether by the cause itself or by what competes with it; `cause_specific_cox` says which.

    Raises `CoxFitError` where nobody had the cause, where covariates are constant or collinear, or where a
    coefficient runs off to infinity; `ValueError` for what `fit_cox` refuses.

    λ(t | x) = λ₀(t) exp(xᵀβ) for λ = −d log(1 − F)/dt; patients with another cause stay at risk with weight
    G(t−)/G(T−), G the censoring curve; Breslow's ties and the variance of Fine and Gray 1999, doi
    10.1080/01621459.1999.10474144, as R's `cmprsk::crr`; strata as in Zhou and others 2011, doi
    10.1111/j.1541-0420.2010.01493.x.
    """
    codes, causes = coded_causes(cause, None)
    times = checked_times(time, codes > 0)
    x = checked_covariates(covariates, names, times.n)
    checked_level(level)
    if of not in causes:
        raise CoxFitError(f"nobody had the cause {of!r}: its hazard ratio has no estimate")
    own = causes.index(of) + 1
    status = np.where(codes == 0, 0, np.where(codes == own, 1, 2))
    layers, labels = coded_groups(strata, times.n)
    censoring = coded_groups(censoring_group, times.n)[0]
    centre, spread = x.mean(axis=0), x.std(axis=0)
    constant = [name for name, s in zip(names, spread.tolist(), strict=True) if not s > 0]
    if constant:
        raise CoxFitError(f"{', '.join(constant)}: the same value in every patient; it has no hazard ratio")
    scaled = (x - centre) / spread
    blocks = [
        arrange(times.time[rows], status[rows], scaled[rows], censoring[rows])
        for rows in (layers == k for k in range(len(labels)))
    ]
    beta, value, null = _maximise(blocks, names)
    evaluations = [block.evaluate(beta) for block in blocks]
    information = as_floats(np.sum([e.information for e in evaluations], axis=0))
    inverse = as_floats(np.linalg.inv(information))
    influences = [block.influence(e) for block, e in zip(blocks, evaluations, strict=True)]
    middle = as_floats(np.sum([i.T @ i for i in influences], axis=0))
    scale = np.outer(spread, spread)
    covariance = inverse @ middle @ inverse / scale
    coefficients = beta / spread
    # The baseline was for covariates at their means; the one reported is for covariates at 0.
    shift = np.exp(-float(centre @ coefficients))
    return FineGrayFit(
        cause=of,
        terms=wald_terms(names, coefficients, covariance, level),
        level=level,
        coefficients=coefficients,
        covariance=covariance,
        inverse_information=inverse / scale,
        log_likelihood=value,
        log_likelihood_null=null,
        n=times.n,
        n_events=int((status == 1).sum()),
        n_rivals=int((status == 2).sum()),
        strata=labels,
        baselines=tuple(
            (block.event_time, np.cumsum(block.baseline(e)) * shift)
            for block, e in zip(blocks, evaluations, strict=True)
        ),
    )


def _maximise(blocks: list[FineGrayStratum], names: Sequence[str]) -> tuple[FloatArray, float, float]:
    """Newton's method with step halving on standardised covariates: estimate, its likelihood, that at 0."""
    beta = np.zeros(len(names))

    def at(point: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        parts = [block.evaluate(point) for block in blocks]
        return (
            sum(e.log_likelihood for e in parts),
            np.sum([e.score for e in parts], axis=0),
            np.sum([e.information for e in parts], axis=0),
        )

    value, score, information = at(beta)
    null = value
    for _ in range(_ITERATIONS):
        if np.linalg.matrix_rank(information, hermitian=True, tol=1e-10 * max(1.0, np.trace(information))) < (
            len(names)
        ):
            raise CoxFitError(
                f"the events carry no separate information about {', '.join(names)} (collinear, or a "
                "coefficient runs off to infinity)"
            )
        step = np.linalg.solve(information, score)
        for _ in range(_HALVINGS):
            with np.errstate(over="ignore", invalid="ignore"):
                found = at(beta + step)
            if np.isfinite(found[0]) and found[0] >= value - abs(value) * _RELATIVE_CHANGE:
                break
            step = step / 2
        else:
            raise CoxFitError(f"no step raises the likelihood ({', '.join(names)})")
        beta, change = beta + step, found[0] - value
        value, score, information = found
        runaway = [name for name, b in zip(names, beta.tolist(), strict=True) if abs(b) > _RUNAWAY]
        if runaway:
            raise CoxFitError(f"{', '.join(runaway)}: the coefficient runs off to infinity (separation)")
        if abs(change) <= _RELATIVE_CHANGE * abs(value) and float(np.max(np.abs(step))) < _STEP_LEFT:
            return beta, value, null
    raise CoxFitError(f"no convergence after {_ITERATIONS} iterations ({', '.join(names)})")
