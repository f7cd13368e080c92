"""The posterior of each patient's effects, not only its peak: weighted draws, checked by their number."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.model.engine import Tolerance, over_patients
from troughline.pk.individual import Individuals, Prior
from troughline.pk.sampler import Effort, Method, sample
from troughline.pk.target import Targets
from troughline.progress import Progress, silent

if TYPE_CHECKING:
    from troughline.model.model import Model
    from troughline.model.records import Records

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PosteriorOptions:
    """How the posterior is drawn.

    - `draws`: equally weighted draws returned for a patient.
    - `proposals`: points proposed at first, and at least, in each further round.
    - `most_proposals`: how many in all before Markov chains take over.
    - `least_effective`: the effective sample size that is enough.
    - `new_occasions`: how many occasions beyond those of the records get draws, from their prior.
    - `seed`: draws depend on it and on the patient's name alone, not on order or threads.
    - `tolerance`: of the solver; weights and draws need less than an estimate.
    """

    draws: int = 1000
    proposals: int = 500
    most_proposals: int = 8000
    least_effective: int = 400
    new_occasions: int = 0
    seed: int = 20260101
    tolerance: Tolerance = field(default_factory=lambda: Tolerance(relative=1e-5, absolute=1e-7))
    threads: int | None = None

    def __post_init__(self) -> None:
        for name in ("draws", "proposals", "least_effective"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.most_proposals < self.proposals:
            raise ValueError(f"most_proposals {self.most_proposals} is less than proposals {self.proposals}")
        if self.new_occasions < 0 or self.seed < 0:
            raise ValueError(
                f"new_occasions and seed must be at least 0, not {self.new_occasions} and {self.seed}"
            )


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """Draws of n patients' effects.

    - `draws` (n, n_draws, columns): equally weighted; the effects between subjects, those of each occasion of
      the records, and of occasions yet to come (all columns beyond a patient's own), which have their prior;
      NaN for a patient without a posterior.
    - `effective` (n,): the effective sample size of the importance weights, (Σw)²/Σw², or of the chains.
    - `method` (n,): how they were drawn.
    - `log_marginal` (n,): log p(y), y in canonical units and on the natural scale; `log_marginal_error` (n,):
      its standard error.
    - `acceptance` (n,): of the chains, else NaN.
    - `evaluations` (n,): how often the patient was predicted.
    """

    patients: tuple[str, ...]
    draws: Floats
    effective: Floats
    method: tuple[Method, ...]
    log_marginal: Floats
    log_marginal_error: Floats
    acceptance: Floats
    evaluations: Ints
    theta: Floats
    options: PosteriorOptions

    @property
    def reliable(self) -> NDArray[np.bool_]:
        """Patients whose draws count for at least a quarter of what was wanted (n,)."""
        return np.nan_to_num(self.effective) >= self.options.least_effective / 4


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
    """Draw from every patient's posterior, p(η | y) ∝ exp(−Φ(η)/2).

    Points are proposed from a multivariate t (7 degrees of freedom) at η̂ with the first-order posterior
    covariance, one in ten from the prior, and weighted by posterior over proposal. Where too few count, more
    are proposed, from a proposal moved to the weighted mean and covariance if the first was poor; all are
    weighted against the mixture of what they came from (Veach & Guibas 1995, doi 10.1145/218380.218498;
    Cornuet 2012, doi 10.1111/j.1467-9469.2011.00756.x). If that does not suffice, four Metropolis chains take
    over. Effects of occasions after the last observation are drawn from their prior, which is their
    posterior; both levels' priors are those of `individuals`, with its inflation.

    Raises `ValueError` where `individuals` are not of these records.
    """
    if individuals.patients != records.patients:
        raise ValueError("the individual estimates are of other patients than the records")
    chosen = options or PosteriorOptions()
    n, q_max = records.n_patients, individuals.effects.shape[1]
    columns = q_max + chosen.new_occasions * model.compiled.n_occasion
    draws = np.full((n, chosen.draws, columns), np.nan)
    numbers = np.full((n, 4), np.nan)
    methods: list[Method] = ["none"] * n
    evaluations = np.zeros(n, dtype=np.int64)
    targets = Targets.of(model, records, individuals, chosen.tolerance)
    effort = Effort(
        draws=chosen.draws,
        proposals=chosen.proposals,
        most_proposals=chosen.most_proposals,
        least_effective=chosen.least_effective,
    )
    done = 0

    def run(begin: int, end: int) -> None:
        nonlocal done
        for p in range(begin, end):
            if individuals.status[p] in (2, 3):
                continue
            name = records.patients[p]
            ahead = generator_of(chosen.seed, name, "prior")
            draws[p] = _prior_draws(targets.prior, columns, chosen.draws, ahead)
            result = sample(targets.of_patient(p), effort, generator_of(chosen.seed, name))
            draws[p, :, : result.draws.shape[1]] = result.draws
            methods[p], evaluations[p] = result.method, result.evaluations
            numbers[p] = (result.effective, result.log_marginal, result.log_marginal_error, result.acceptance)
        done += end - begin
        progress("drawing from the posterior", done, n)

    over_patients(run, n, chosen.threads, chunk=16)
    return Posterior(
        patients=records.patients,
        draws=draws,
        effective=numbers[:, 0].copy(),
        method=tuple(methods),
        log_marginal=numbers[:, 1].copy(),
        log_marginal_error=numbers[:, 2].copy(),
        acceptance=numbers[:, 3].copy(),
        evaluations=evaluations,
        theta=individuals.theta,
        options=chosen,
    )


def _prior_draws(prior: Prior, columns: int, size: int, rng: np.random.Generator) -> Floats:
    """Draws (size, columns) from the prior; more occasions change nothing in those before."""
    subject, occasion = prior.covariance_subject, prior.covariance_occasion
    blocks = [draw_normal(subject, size, rng)]
    while sum(b.shape[1] for b in blocks) < columns:
        blocks.append(draw_normal(occasion, size, rng))
    return np.hstack(blocks)


def draw_normal(covariance: Floats, size: int, rng: np.random.Generator) -> Floats:
    """Draws (size, k) of a normal with mean 0; the covariance may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return rng.standard_normal((size, len(covariance))) @ root.T
