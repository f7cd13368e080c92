"""What a new cohort adds to what is published: a prior, a posterior, and whether the two are in conflict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

PriorKind = Literal["as is", "discounted", "power", "robust mixture"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """What is published, as a distribution on the scale of the effect: weights, a centre, SDs.

    One normal, or a mixture of two with the same centre: the published one and a vague one. `words` says how
    it was made. Made by `published_prior`.
    """

    kind: PriorKind
    centre: float
    sds: tuple[float, ...]
    weights: tuple[float, ...]
    words: str

    @property
    def sd(self) -> float:
        """The standard deviation, of a mixture as a whole."""
        return math.sqrt(sum(w * s**2 for w, s in zip(self.weights, self.sds, strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Borrowing:
    """The posterior on the scale, and what the prior did to it.

    `low` and `high` bound the central posterior probability `level`. `weights` are those of the posterior's
    components: in a mixture the first is the probability that the published result applies. `conflict_p` is
    the prior predictive probability of an estimate at least as far out as the new one (Box 1980,
    doi 10.2307/2982063; Evans & Moshonov 2006, doi 10.1214/06-BA129), under the published part of the prior:
    small means that the published result and the data do not go together. `effective_n`: how many more of
    the new cohort's patients would have made its own interval as narrow as the posterior one,
    n·((width without the prior / width with it)² − 1), an interval's width falling with √n; for one normal
    prior that is n·SE²/SD². It is below 0 where prior and data in conflict leave a wider interval, and None
    where n is not known.
    """

    prior: Prior
    mean: float
    sd: float
    low: float
    high: float
    level: float
    weights: tuple[float, ...]
    conflict_p: float
    effective_n: float | None


def published_prior(
    centre: float,
    se: float,
    *,
    kind: PriorKind = "discounted",
    tau: float = 0.0,
    weight: float = 1.0,
    vague_sd: float | None = None,
) -> Prior:
    """The published estimate as a prior, on the scale of the effect.

    `as is`: N(m, se²). `discounted`: N(m, se² + τ²), another setting may differ by τ. `power`: N(m, se²/a),
    the published likelihood to the power a = `weight` (Ibrahim & Chen 2000, doi 10.1214/ss/1009212673).
    `robust mixture`: `weight`·N(m, se² + τ²) + (1 − `weight`)·N(m, `vague_sd`²) (Schmidli et al. 2014,
    doi 10.1111/biom.12242), which lets go of the published result where the data contradict it.

    Raises `ValueError` for a standard error not above 0, a τ below 0, a weight outside 0 to 1 (0 itself for
    `power`), or a vague SD that is missing or no larger than the published one.
    """
    if not (math.isfinite(centre) and math.isfinite(se) and se > 0.0):
        raise ValueError(f"the published standard error {se:g} is not above 0")
    if not tau >= 0.0:
        raise ValueError(f"tau {tau:g} is below 0")
    if not (0.0 < weight <= 1.0):
        raise ValueError(f"weight {weight:g} is not above 0 and at most 1")
    sd = math.hypot(se, tau)
    if kind == "as is":
        return Prior(kind=kind, centre=centre, sds=(se,), weights=(1.0,), words="published, as it is")
    if kind == "discounted":
        words = f"published, widened by a standard deviation of {tau:.3g} between settings"
        return Prior(kind=kind, centre=centre, sds=(sd,), weights=(1.0,), words=words)
    if kind == "power":
        words = f"published, counted {100 * weight:.3g} %"
        return Prior(kind=kind, centre=centre, sds=(se / math.sqrt(weight),), weights=(1.0,), words=words)
    if vague_sd is None or vague_sd <= sd:
        raise ValueError(
            f"a robust mixture needs a vague_sd above the published one ({sd:.3g}), not {vague_sd}"
        )
    words = f"{100 * weight:.3g} % published, {100 * (1 - weight):.3g} % vague (SD {vague_sd:.3g})"
    return Prior(
        kind=kind, centre=centre, sds=(sd, vague_sd), weights=(weight, 1.0 - weight), words=words
    )  # fmt: skip


def borrow(prior: Prior, value: float, se: float, *, n: int | None = None, level: float = 0.95) -> Borrowing:
    """The posterior of the effect from a prior and a new estimate with its standard error, on the scale.

    Each component is updated as normal with normal; the weights by how well each predicted the estimate.
    Raises `ValueError` for a standard error not above 0.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr, ndtri

    if not (math.isfinite(value) and math.isfinite(se) and se > 0.0):
        raise ValueError(f"the new standard error {se:g} is not above 0")
    predictive = [math.hypot(s, se) for s in prior.sds]
    gap = value - prior.centre
    logs = [
        (math.log(w) if w > 0.0 else -math.inf) - math.log(p) - 0.5 * (gap / p) ** 2
        for w, p in zip(prior.weights, predictive, strict=True)
    ]
    top = max(logs)
    raw = [math.exp(x - top) for x in logs]
    weights = [r / sum(raw) for r in raw]
    shrinkage = [s**2 / p**2 for s, p in zip(prior.sds, predictive, strict=True)]
    means = [prior.centre + b * gap for b in shrinkage]
    sds = [math.sqrt(b) * se for b in shrinkage]
    mean = sum(w * m for w, m in zip(weights, means, strict=True))
    variance = sum(w * (s**2 + (m - mean) ** 2) for w, m, s in zip(weights, means, sds, strict=True))

    def below(x: float) -> float:
        return sum(w * float(ndtr((x - m) / s)) for w, m, s in zip(weights, means, sds, strict=True))

    def quantile(q: float) -> float:
        far = max(sds) * 40.0
        return float(brentq(lambda x: below(x) - q, min(means) - far, max(means) + far, xtol=1e-13))

    low, high = quantile(0.5 - level / 2.0), quantile(0.5 + level / 2.0)
    alone = 2.0 * float(ndtri(0.5 + level / 2.0)) * se
    return Borrowing(
        prior=prior,
        mean=mean,
        sd=math.sqrt(variance),
        low=low,
        high=high,
        level=level,
        weights=tuple(weights),
        conflict_p=2.0 * float(ndtr(-abs(gap) / predictive[0])),
        effective_n=None if n is None else n * ((alone / (high - low)) ** 2 - 1.0),
    )
