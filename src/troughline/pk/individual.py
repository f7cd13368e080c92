"""Individual estimates: the maximum a posteriori effects of every patient, as NONMEM defines them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from troughline.model.engine import Tolerance, effects_per_patient, over_patients, record_arrays
from troughline.progress import Progress, silent

if TYPE_CHECKING:
    from troughline.model.model import Model
    from troughline.model.records import Records

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STATUS = {
    0: "estimated",
    1: "not converged: the iteration limit was reached",
    2: "no likelihood: an observation is impossible under the model (a prediction of 0 under proportional "
    "error, or a level that is not positive on the log scale)",
    3: "no prediction: the model could not be solved",
    4: "no observation: the prior",
    5: "the model has no random effects",
}
_FIXED = 1e20
"""Precision given to an effect of variance 0, which so stays at 0."""
_LEAST_EIGENVALUE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateOptions:
    """How individuals are estimated.

    - `prior_inflation`: Ω is multiplied by it (1: as published). Above 1 a patient's samples weigh more.
    - `starts`: `first` from η = 0 alone; `suspicious` further starts (±1.5 prior SD of each between-subject
      effect) where the first did not converge or ended far from the prior or from the samples; `all` always.
    - `zero_weight`: None, or the weight that a prediction of exactly 0 takes under proportional error
      (NONMEM control streams often say W = 1); None leaves such an observation without a likelihood.
    """

    prior_inflation: float = 1.0
    starts: Literal["first", "suspicious", "all"] = "suspicious"
    zero_weight: float | None = None
    max_iterations: int = 100
    tolerance: Tolerance = field(default_factory=Tolerance)
    threads: int | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.prior_inflation) and self.prior_inflation > 0):
            raise ValueError(f"prior_inflation must be positive and finite, not {self.prior_inflation!r}")
        if self.zero_weight is not None and not self.zero_weight > 0:
            raise ValueError(f"zero_weight must be positive, not {self.zero_weight!r}")
        if self.max_iterations < 1:
            raise ValueError(f"max_iterations must be at least 1, not {self.max_iterations!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """The prior of the random effects: precision and log |Ω| of both levels."""

    subject: Floats
    occasion: Floats
    log_determinants: Floats
    covariance_subject: Floats
    covariance_occasion: Floats


@dataclass(frozen=True, kw_only=True)
class Individuals:
    """Estimates of n patients; q is the largest number of effects that any has.

    - `names` (q,): the effects; those of an occasion as `name@occasion`.
    - `effects` (n, q): η̂, NaN beyond a patient's own; `covariance` (n, q, q): the posterior covariance of
      NONMEM's first-order method, [Ω⁻¹ + Σ(h′h′ᵀ/V + ½V′V′ᵀ/V²)]⁻¹.
    - `objective` (n,): OFV_MAP = Σ [log V + (y − h)²/V] + η̂′Ω⁻¹η̂; `objective_focei` (n,): OFV_MAP + log |Ω| +
      log |covariance⁻¹|, the patient's share of NONMEM's FOCEI objective with interaction.
    - `status` (n,): 0 estimated, 4 no observation (the prior), otherwise a reason in `STATUS`.
    - `n_effects`, `n_observations`, `iterations` (n,).
    """

    patients: tuple[str, ...]
    names: tuple[str, ...]
    effects: Floats
    covariance: Floats
    objective: Floats
    objective_focei: Floats
    status: Ints
    n_effects: Ints
    n_observations: Ints
    iterations: Ints
    starts: Ints
    theta: Floats
    options: EstimateOptions

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Patients with an estimate, or with the prior for want of observations (n,)."""
        return np.isin(self.status, (0, 4, 5))

    def filled(self) -> Floats:
        """The effects with 0 where a patient has none or no estimate, as the engine takes them (n, q)."""
        return np.where(np.isfinite(self.effects), self.effects, 0.0)


def prior_of(model: Model, options: EstimateOptions) -> Prior:
    """The prior of a model. An effect of variance 0 stays at 0. Raises `ValueError` for a singular Ω."""
    blocks: list[Floats] = []
    precisions: list[Floats] = []
    logs: list[float] = []
    levels: tuple[Literal["subject", "occasion"], ...] = ("subject", "occasion")
    for level in levels:
        covariance = model.spec.covariance(level) * options.prior_inflation
        free = np.flatnonzero(np.diag(covariance) > 0)
        precision = np.diag(np.full(len(covariance), _FIXED))
        part = covariance[np.ix_(free, free)]
        if _singular(part):
            raise ValueError(f"{model.id}: the covariance of the {level} effects is singular")
        log = np.linalg.slogdet(part)[1]
        precision[np.ix_(free, free)] = np.linalg.inv(part)
        blocks.append(covariance)
        precisions.append(np.ascontiguousarray((precision + precision.T) / 2))
        # A fixed effect adds log variance to |Ω| and takes it off again in |information|.
        logs.append(float(log) - (len(covariance) - len(free)) * float(np.log(_FIXED)))
    return Prior(
        subject=precisions[0],
        occasion=precisions[1],
        log_determinants=np.array(logs),
        covariance_subject=blocks[0],
        covariance_occasion=blocks[1],
    )


def _singular(covariance: Floats) -> bool:
    """Whether some combination of effects has no variance: an eigenvalue of their correlation is 0."""
    sd = np.sqrt(np.diag(covariance))
    lowest = np.linalg.eigvalsh(covariance / np.outer(sd, sd)).min(initial=1.0)
    return not lowest > _LEAST_EIGENVALUE


def effect_names(model: Model, q: int) -> tuple[str, ...]:
    """The names of q effects: between subjects, then each occasion's as `name@1`, `name@2`, …"""
    subject, occasion = model.spec.subject_effects, model.spec.occasion_effects
    names = list(subject)
    k = 1
    while len(names) < q:
        names += [f"{name}@{k}" for name in occasion]
        k += 1
    return tuple(names)


def estimate_individuals(
    model: Model,
    records: Records,
    *,
    theta: Floats | None = None,
    options: EstimateOptions | None = None,
    progress: Progress = silent,
) -> Individuals:
    """Estimate every patient of `records`.

    Minimises Φ(η) = Σ [log V + (y − h)²/V] + η′Ω⁻¹η with exact derivatives; values beyond a limit of
    quantification enter by Beal's M3 (doi 10.1023/A:1012299115260). A patient that cannot be estimated has a
    status that says why and NaN effects; one without observations has the prior. Nothing is raised for a
    patient. `theta` (n_parameters,): typical values, canonical; None: the model file's.
    """
    from troughline.pk.kernels.maximum import estimate_batch

    chosen = options or EstimateOptions()
    prior = prior_of(model, chosen)
    compiled = model.compiled
    reals, ints, covariates = record_arrays(records)
    own = effects_per_patient(compiled, records)
    n, q = records.n_patients, int(own.max(initial=0))
    parameters = np.ascontiguousarray(model.spec.theta if theta is None else theta, dtype=np.float64)
    effects, covariance = np.full((n, q), np.nan), np.full((n, q, q), np.nan)
    summary, status = np.full((n, 4), np.nan), np.zeros(n, dtype=np.int64)
    first = np.ascontiguousarray(records.first, dtype=np.int64)
    starts = {"first": 1, "suspicious": 2, "all": 3}[chosen.starts]
    tolerance = chosen.tolerance
    done = 0

    def run(begin: int, end: int) -> None:
        nonlocal done
        estimate_batch(
            compiled.layout, compiled.coefficients, compiled.addresses, parameters, prior.subject,
            prior.occasion, prior.log_determinants, reals, ints, covariates, first, begin, end,
            tolerance.relative, tolerance.absolute, tolerance.max_steps, chosen.zero_weight or 0.0, starts,
            chosen.max_iterations, effects, covariance, summary, status,
        )  # fmt: skip
        done += end - begin
        progress("estimating patients", done, n)

    over_patients(run, n, chosen.threads)
    failed = np.isin(status, (1, 2, 3))
    lost = np.isin(status, (2, 3))
    effects[lost] = np.nan
    covariance[lost] = np.nan
    objective = np.where(lost, np.nan, summary[:, 0])
    focei = np.where(failed, np.nan, summary[:, 1])
    return Individuals(
        patients=records.patients,
        names=effect_names(model, q),
        effects=effects,
        covariance=covariance,
        objective=objective,
        objective_focei=np.where(lost, np.nan, focei),
        status=status,
        n_effects=own,
        n_observations=observations_per_patient(records, model),
        iterations=np.nan_to_num(summary[:, 2]).astype(np.int64),
        starts=np.nan_to_num(summary[:, 3]).astype(np.int64),
        theta=parameters,
        options=chosen,
    )


def observations_per_patient(records: Records, model: Model) -> Ints:
    """How many observations of each patient count in the likelihood (n_patients,)."""
    measured = np.array([o.error.kind != "none" for o in model.spec.outputs], dtype=bool)
    used = (records.event == 0) & (records.censoring != 3)
    used[used] = measured[records.output[used]]
    return np.bincount(records.patient_index()[used], minlength=records.n_patients).astype(np.int64)


def objective_at(
    model: Model,
    records: Records,
    effects: Floats,
    *,
    theta: Floats | None = None,
    options: EstimateOptions | None = None,
) -> tuple[Floats, Floats]:
    """OFV_MAP and the FOCEI objective of every patient at given effects (n, q), nothing optimised.

    Both are +∞ where an observation has no likelihood or the model no prediction.
    """
    from troughline.pk.kernels.maximum import objectives_given

    chosen = options or EstimateOptions()
    prior = prior_of(model, chosen)
    compiled = model.compiled
    parameters = np.ascontiguousarray(model.spec.theta if theta is None else theta, dtype=np.float64)
    n = records.n_patients
    objective, focei = np.full(n, np.inf), np.full(n, np.inf)
    objectives_given(
        compiled.layout, compiled.coefficients, compiled.addresses, parameters, prior.subject, prior.occasion,
        prior.log_determinants, *record_arrays(records), np.ascontiguousarray(records.first, dtype=np.int64),
        chosen.tolerance.relative, chosen.tolerance.absolute, chosen.tolerance.max_steps,
        chosen.zero_weight or 0.0, np.ascontiguousarray(effects, dtype=np.float64), objective, focei,
    )  # fmt: skip
    return objective, focei
