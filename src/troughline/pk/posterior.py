"""The posterior of each patient's effects, not only its peak: weighted draws, checked by their number."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from troughline.model.engine import over_patients, record_arrays
from troughline.pk.individual import Individuals, Prior, prior_of
from troughline.progress import Progress, silent

if TYPE_CHECKING:
    from troughline.model.model import Model
    from troughline.model.records import Records

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Method = Literal["importance", "adapted importance", "metropolis", "prior", "none"]

_DEGREES = 7.0
_ROUNDS = 3
_BURN_IN, _THIN = 2000, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PosteriorOptions:
    """How the posterior is drawn.

    - `draws`: equally weighted draws returned for a patient.
    - `proposals`: points the importance weights are computed at, per round.
    - `least_effective`: the effective sample size below which the proposal is adapted, and after three
      rounds a Markov chain takes over.
    - `seed`: draws depend on it and on the patient's name alone, not on order or threads.
    """

    draws: int = 1000
    proposals: int = 2000
    least_effective: int = 400
    seed: int = 20260101
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.draws < 1 or self.proposals < self.draws:
            raise ValueError(f"{self.draws} draws need at least as many proposals, not {self.proposals}")


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """Draws of n patients' effects.

    `draws` (n, n_draws, q): equally weighted, 0 beyond a patient's own effects, NaN for a patient without a
    posterior; `effective` (n,): effective sample size of the importance weights, (Σw)²/Σw², or of the chain;
    `method` (n,): how they were drawn; `log_marginal` (n,): log p(y), NaN for a chain; `acceptance` (n,): of
    the chain, else NaN.
    """

    draws: Floats
    effective: Floats
    method: tuple[Method, ...]
    log_marginal: Floats
    acceptance: Floats


def generator_of(seed: int, patient: str, purpose: str = "posterior") -> np.random.Generator:
    """A generator keyed by seed, patient and purpose: order and parallelism change nothing."""
    digest = hashlib.sha256(f"{purpose}\0{patient}".encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest, dtype=np.uint32).tolist()])


def draw_posterior(
    model: Model,
    records: Records,
    individuals: Individuals,
    *,
    options: PosteriorOptions | None = None,
    progress: Progress = silent,
) -> Posterior:
    """Draw from every patient's posterior.

    Points are proposed from a multivariate t (7 degrees of freedom) at η̂ with the first-order posterior
    covariance; their weights are exp(−Φ/2)/q. Where the effective sample size is too small the proposal is
    moved to the weighted mean and covariance, and after three rounds an adaptive random-walk Metropolis chain
    takes over. Effects of occasions after a patient's last observation are drawn from their prior, which is
    their posterior. Raises `ValueError` where `individuals` are not of these records.
    """
    from troughline.pk.kernels.sampling import objectives_at, random_walk

    if individuals.patients != records.patients:
        raise ValueError("the individual estimates are of other patients than the records")
    chosen = options or PosteriorOptions()
    prior = prior_of(model, individuals.options)
    n, q_max = records.n_patients, individuals.effects.shape[1]
    out = Posterior(
        draws=np.full((n, chosen.draws, q_max), np.nan),
        effective=np.full(n, np.nan),
        method=(),
        log_marginal=np.full(n, np.nan),
        acceptance=np.full(n, np.nan),
    )
    methods: list[Method] = ["none"] * n
    arrays = record_arrays(records)
    compiled, tolerance = model.compiled, individuals.options.tolerance
    zero_weight = individuals.options.zero_weight or 0.0

    def at_points(p: int, points: Floats) -> Floats:
        values = np.empty(len(points))
        objectives_at(
            compiled.layout, compiled.coefficients, compiled.addresses, individuals.theta, prior.subject,
            prior.occasion, *arrays, int(records.first[p]), int(records.first[p + 1]), tolerance.relative,
            tolerance.absolute, tolerance.max_steps, zero_weight, np.ascontiguousarray(points), values,
        )  # fmt: skip
        return values

    def chain(p: int, start: Floats, factor: Floats, rng: np.random.Generator) -> tuple[Floats, float]:
        steps = _BURN_IN + _THIN * chosen.draws
        kept = np.empty((chosen.draws, len(start)))
        rate = random_walk(
            compiled.layout, compiled.coefficients, compiled.addresses, individuals.theta, prior.subject,
            prior.occasion, *arrays, int(records.first[p]), int(records.first[p + 1]), tolerance.relative,
            tolerance.absolute, tolerance.max_steps, zero_weight, start, factor,
            rng.standard_normal((steps, len(start))), rng.random(steps), _BURN_IN, _THIN, kept,
        )  # fmt: skip
        return kept, float(rate)

    done = 0

    def run(begin: int, end: int) -> None:
        nonlocal done
        for p in range(begin, end):
            q = int(individuals.n_effects[p])
            if individuals.status[p] in (2, 3):
                continue
            rng = generator_of(chosen.seed, records.patients[p])
            whole = np.zeros((chosen.draws, q_max))
            _draw_free(whole, prior, q, rng)
            active = _active_effects(model, records, p, q)
            if individuals.status[p] in (4, 5) or not active:
                methods[p] = "prior"
                out.effective[p] = chosen.draws
                out.log_marginal[p] = 0.0
            else:
                result = _one_patient(
                    individuals, p, active, chosen, prior, lambda x, p=p: at_points(p, x),
                    lambda s, f, g, p=p: chain(p, s, f, g), rng, model,
                )  # fmt: skip
                whole[:, :active] = result.draws
                methods[p] = result.method
                out.effective[p], out.acceptance[p] = result.effective, result.acceptance
                out.log_marginal[p] = result.log_marginal + _normalisation(records, p, prior, active, model)
            out.draws[p] = whole
        done += end - begin
        progress("drawing from the posterior", done, n)

    over_patients(run, n, chosen.threads, chunk=16)
    return Posterior(
        draws=out.draws,
        effective=out.effective,
        method=tuple(methods),
        log_marginal=out.log_marginal,
        acceptance=out.acceptance,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    draws: Floats
    effective: float
    method: Method
    log_marginal: float
    acceptance: float = math.nan


def _one_patient(
    individuals: Individuals, p: int, active: int, chosen: PosteriorOptions, prior: Prior, at_points: Any,
    chain: Any, rng: np.random.Generator, model: Model,
) -> _Drawn:  # fmt: skip
    """The draws (n_draws, active) of one patient."""
    center = individuals.effects[p, :active].copy()
    free = _free(prior, model, active)
    spread = individuals.covariance[p, :active, :active][np.ix_(free, free)]
    points = np.zeros((chosen.proposals, active))
    weights, effective, log_mean = np.empty(0), 0.0, math.nan
    method: Method = "importance"
    shape = spread * 1.15
    for round_number in range(_ROUNDS):
        factor = _factor(shape)
        if factor is None:
            break
        proposed, log_density = _propose(center[free], factor, chosen.proposals, rng)
        points[:, free] = proposed
        log_weight = -0.5 * at_points(points) - log_density
        top = float(np.max(log_weight))
        if not np.isfinite(top):
            break
        weights = np.exp(log_weight - top)
        effective = float(weights.sum() ** 2 / np.sum(weights**2))
        log_mean = top + math.log(weights.mean())
        method = "importance" if round_number == 0 else "adapted importance"
        if effective >= chosen.least_effective:
            chosen_points = points[_systematic(weights, chosen.draws, rng)]
            return _Drawn(draws=chosen_points, effective=effective, method=method, log_marginal=log_mean)
        # Weights so uneven that few points carry them would give a covariance of nothing: temper them.
        tempered = np.exp((log_weight - top) * min(1.0, max(effective / 50.0, 0.2)))
        tempered /= tempered.sum()
        moved = tempered @ proposed
        center = center.copy()
        center[free] = moved
        shape = (proposed - moved).T @ ((proposed - moved) * tempered[:, None]) * 1.3 + 0.02 * spread
    start = individuals.effects[p, :active].copy()
    factor = _factor(spread)
    whole_factor = np.zeros((active, active))
    whole_factor[np.ix_(free, free)] = np.eye(len(free)) * 0.1 if factor is None else factor
    drawn, rate = chain(start, whole_factor, rng)
    return _Drawn(
        draws=drawn, effective=_chain_size(drawn[:, free]), method="metropolis", log_marginal=math.nan,
        acceptance=rate,
    )  # fmt: skip


def _free(prior: Prior, model: Model, active: int) -> Ints:
    """The effects that vary: those of variance 0 stay at 0."""
    subject = np.diag(prior.covariance_subject) > 0
    occasion = np.diag(prior.covariance_occasion) > 0
    n_occasions = (active - len(subject)) // len(occasion) if len(occasion) else 0
    return np.flatnonzero(np.concatenate([subject, *([occasion] * n_occasions)]))


def _factor(covariance: Floats) -> Floats | None:
    try:
        return np.linalg.cholesky((covariance + covariance.T) / 2)
    except np.linalg.LinAlgError:
        return None


def _propose(center: Floats, factor: Floats, size: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Points of a multivariate t and their log densities."""
    q = len(center)
    normals = rng.standard_normal((size, q))
    chi = rng.chisquare(_DEGREES, size) / _DEGREES
    steps = normals / np.sqrt(chi)[:, None]
    distance = np.sum(steps**2, axis=1)
    log_density = (
        math.lgamma((_DEGREES + q) / 2)
        - math.lgamma(_DEGREES / 2)
        - q / 2 * math.log(_DEGREES * math.pi)
        - float(np.sum(np.log(np.diag(factor))))
        - (_DEGREES + q) / 2 * np.log1p(distance / _DEGREES)
    )
    return center + steps @ factor.T, log_density


def _systematic(weights: Floats, size: int, rng: np.random.Generator) -> Ints:
    """Systematic resampling, in random order."""
    ladder = np.cumsum(weights / weights.sum())
    picks = (rng.random() + np.arange(size)) / size
    return rng.permutation(np.minimum(np.searchsorted(ladder, picks), len(weights) - 1))


def _chain_size(chain: Floats) -> float:
    """The smallest effective sample size of a chain's columns by batch means."""
    size = len(chain)
    batch = max(int(math.sqrt(size)), 1)
    count = size // batch
    if count < 2:
        return float("nan")
    means = chain[: count * batch].reshape(count, batch, -1).mean(axis=1)
    between = batch * means.var(axis=0, ddof=1)
    within = chain.var(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        sizes = np.where(between > 0, size * within / between, size)
    return float(min(size, np.min(sizes)))


def _active_effects(model: Model, records: Records, p: int, q: int) -> int:
    """How many of a patient's effects the observations can tell of: not those of later occasions."""
    subject, per_occasion = model.compiled.n_subject, model.compiled.n_occasion
    lo, hi = int(records.first[p]), int(records.first[p + 1])
    measured = np.array([o.error.kind != "none" for o in model.spec.outputs], dtype=bool)
    rows = np.arange(lo, hi)[(records.event[lo:hi] == 0) & (records.censoring[lo:hi] != 3)]
    rows = rows[measured[records.output[rows]]]
    if len(rows) == 0:
        return 0
    if per_occasion == 0:
        return q
    return subject + per_occasion * (int(records.occasion[lo : rows[-1] + 1].max()) + 1)


def _draw_free(whole: Floats, prior: Prior, q: int, rng: np.random.Generator) -> None:
    """Fill (n_draws, q) with draws from the prior; what the posterior knows is overwritten later."""
    subject, occasion = prior.covariance_subject, prior.covariance_occasion
    place = 0
    while place < q:
        block = subject if place == 0 and len(subject) else occasion
        whole[:, place : place + len(block)] = draw_normal(block, len(whole), rng)
        place += len(block)


def draw_normal(covariance: Floats, size: int, rng: np.random.Generator) -> Floats:
    """Draws (size, k) of a normal with mean 0; the covariance may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return rng.standard_normal((size, len(covariance))) @ root.T


def _normalisation(records: Records, p: int, prior: Prior, active: int, model: Model) -> float:
    """What exp(−Φ/2) lacks of p(y | η) p(η), logarithm."""
    lo, hi = int(records.first[p]), int(records.first[p + 1])
    measured = np.array([o.error.kind != "none" for o in model.spec.outputs], dtype=bool)
    quantified = (records.event[lo:hi] == 0) & (records.censoring[lo:hi] == 0)
    n = int(np.sum(measured[records.output[lo:hi][quantified]]))
    free = _free(prior, model, active)
    n_subject, n_occasion = len(prior.subject), len(prior.occasion)
    occasions = (active - n_subject) // n_occasion if n_occasion else 0
    log_omega = 0.0
    for covariance, times in ((prior.covariance_subject, 1), (prior.covariance_occasion, occasions)):
        kept = np.flatnonzero(np.diag(covariance) > 0)
        if len(kept) and times:
            log_omega += times * float(np.linalg.slogdet(covariance[np.ix_(kept, kept)])[1])
    return -0.5 * (n + len(free)) * math.log(2 * math.pi) - 0.5 * log_omega
