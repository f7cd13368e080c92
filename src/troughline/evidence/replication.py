"""Whether a new result agrees with what is published, by a stated rule, and what it adds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from troughline.evidence.borrowing import Borrowing, PriorKind, borrow, published_prior
from troughline.evidence.effects import Effect, OnScale, from_scale, on_scale, to_scale
from troughline.evidence.pooling import Pooled, pool

MARGIN_FACTOR = 1.5
"""The factor up to which results count as the same where the quantity has no value of no effect."""
VAGUE_SD = 2.0
"""SD of the vague part of a robust mixture: on the log or logit scale about one patient's information."""


class Agreement(StrEnum):
    """How a new result stands to the published one."""

    CONSISTENT = "consistent"
    INCONSISTENT = "inconsistent"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A new estimate against the published ones; numbers are as printed unless said otherwise.

    `published` were used, `shown` are only shown, each with the reason. `value` with `low` and `high` is the
    published estimate (pooled where `pooled` is there) and `tau` the standard deviation between settings that
    was allowed for, on the scale. `prediction_low` and `prediction_high` hold the effect of one more setting;
    `inside_prediction` says whether the new estimate lies there. `p` tests the difference between the new and
    the published effect, `p_margin` that it is no larger than `margin_low` to `margin_high` around the
    published value. `reason` says in words why the agreement is what it is. All are None where no published
    estimate has an uncertainty, or the new one has none; `new_holds_published` then says whether the new
    interval holds the printed values. There is no prediction interval from one study unless `Rules.tau` is
    given.
    """

    new: Effect
    published: tuple[Effect, ...]
    shown: tuple[tuple[Effect, str], ...]
    level: float
    agreement: Agreement
    reason: str
    new_holds_published: bool | None
    pooled: Pooled | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    tau: float | None = None
    prediction_low: float | None = None
    prediction_high: float | None = None
    inside_prediction: bool | None = None
    p: float | None = None
    p_margin: float | None = None
    margin_low: float | None = None
    margin_high: float | None = None
    borrowing: Borrowing | None = None
    posterior_value: float | None = None
    posterior_low: float | None = None
    posterior_high: float | None = None
    flags: tuple[str, ...] = ()

    @property
    def width_before(self) -> float | None:
        """The width of the new interval on its scale: for a log scale the logarithm of high over low."""
        if self.new.low is None or self.new.high is None:
            return None
        try:
            return to_scale(self.new.high, self.new.scale) - to_scale(self.new.low, self.new.scale)
        except ValueError:
            return None

    @property
    def width_after(self) -> float | None:
        """The width of the posterior interval on its scale."""
        return None if self.borrowing is None else self.borrowing.high - self.borrowing.low


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a comparison is made.

    `null` is the value of no effect (1 for a ratio, 0.5 for an area under the curve; None where there is
    none), `margin_factor` the factor that counts as the same without one. `tau` is the standard deviation
    between settings, on the scale, that is allowed for where one published estimate cannot show it. `prior`
    and `weight` say how the published enters the posterior (`borrowing.published_prior`); `vague_sd` left out
    is `VAGUE_SD`, or twice the SD of the published part where that is more. Raises `ValueError` for a margin
    factor not above 1, a `tau` below 0 or a level outside 0.5 to 1.
    """

    null: float | None = None
    margin_factor: float = MARGIN_FACTOR
    tau: float = 0.0
    prior: PriorKind = "robust mixture"
    weight: float = 0.8
    vague_sd: float | None = None
    level: float = 0.95

    def __post_init__(self) -> None:
        if not self.margin_factor > 1.0:
            raise ValueError(f"margin factor {self.margin_factor:g} is not above 1")
        if not self.tau >= 0.0:
            raise ValueError(f"tau {self.tau:g} is below 0")
        if not 0.5 < self.level < 1.0:
            raise ValueError(f"level {self.level:g} is not between 0.5 and 1")


def compare(new: Effect, published: Sequence[Effect], rules: Rules | None = None) -> Comparison:
    """Hold a new estimate against published ones of the same quantity, scale and unit.

    Two or more published estimates with an uncertainty are pooled by random effects (REML), and the
    variance between settings is their τ̂²; else it is `rules.tau`². With the difference δ = new − published
    on the scale and SE² = SE_new² + SE_published² + τ²:

    - *consistent*: δ lies within the margin, by two one-sided tests at 1 − level (Schuirmann 1987,
      doi 10.1007/BF01068419). The margin is the distance of the published effect from the null, so that
      neither no effect nor twice the effect is left possible; without a null it is the margin factor.
    - *inconsistent*: not that, and δ differs from 0 (two-sided p below 1 − level).
    - *cannot tell*: neither. Not finding a difference is no replication.

    Raises `ValueError` for published estimates of another scale or unit than the new one.
    """
    rules = rules or Rules()
    for e in published:
        if (e.scale, e.unit) != (new.scale, new.unit):
            raise ValueError(f"{e.label}: {e.scale} scale in {e.unit} is not {new.scale} scale in {new.unit}")
    used, shown, flags = _usable(published)
    holds = _holds(new, [*used, *(e for e, _ in shown)])
    placed, why_not = _placed(new)
    if used and placed is not None:
        found = Comparison(
            new=new, published=tuple(used), shown=tuple(shown), level=rules.level,
            agreement=Agreement.CANNOT_TELL, reason="", new_holds_published=holds, flags=tuple(flags),
        )  # fmt: skip
        return _tested(found, placed, rules)
    return Comparison(
        new=new, published=tuple(used), shown=tuple(shown), level=rules.level,
        agreement=Agreement.CANNOT_TELL,
        reason=why_not or "no published estimate has an uncertainty to test against",
        new_holds_published=holds, flags=tuple(flags),
    )  # fmt: skip


def _usable(published: Sequence[Effect]) -> tuple[list[Effect], list[tuple[Effect, str]], list[str]]:
    used: list[Effect] = []
    shown: list[tuple[Effect, str]] = []
    flags: list[str] = []
    for e in published:
        if not e.verified:
            shown.append((e, "not verified in its source"))
            continue
        try:
            placed = on_scale(e)
        except ValueError as reason:
            shown.append((e, str(reason).removeprefix(f"{e.label}: ")))
            continue
        used.append(e)
        if e.se is not None and e.basis:
            flags.append(f"{e.label}: {e.basis}")
        if placed.asymmetric:
            flags.append(f"{e.label}: the interval is not symmetric on the {e.scale} scale")
    return used, shown, flags


def _placed(new: Effect) -> tuple[OnScale | None, str]:
    try:
        return on_scale(new), ""
    except ValueError as reason:
        return None, f"the new estimate cannot be tested: {str(reason).removeprefix(f'{new.label}: ')}"


def _holds(new: Effect, published: Sequence[Effect]) -> bool | None:
    if (new.low is None and new.high is None) or not published:
        return None
    return all(new.holds(e.value) for e in published)


def _tested(found: Comparison, placed: OnScale, rules: Rules) -> Comparison:
    from scipy.special import ndtr, ndtri

    scale, level, used = found.new.scale, rules.level, found.published
    flags = list(found.flags)
    z: float = float(ndtri(0.5 + level / 2.0))
    pooled = pool(used, interval="normal", level=level) if len(used) > 1 else None
    if pooled is None:
        single = on_scale(next(iter(used)))
        centre, se, tau = single.value, single.se, rules.tau
        reach = z * math.hypot(se, tau) if tau > 0.0 else None
        if reach is None:
            flags.append("one published study cannot show how settings differ; no difference was allowed for")
    else:
        centre, se, tau = pooled.random.centre, pooled.random.se, math.sqrt(pooled.tau2)
        far = pooled.prediction_high
        reach = None if far is None else to_scale(far, scale) - centre
    margin = (
        abs(centre - to_scale(rules.null, scale)) if rules.null is not None else math.log(rules.margin_factor)
    )
    gap = placed.value - centre
    error = math.sqrt(placed.se**2 + se**2 + tau**2)
    p = 2.0 * float(ndtr(-abs(gap) / error))
    towards_null = -1.0 if rules.null is not None and centre < to_scale(rules.null, scale) else 1.0
    p_ends = [float(ndtr(-(margin + side * towards_null * gap) / error)) for side in (1.0, -1.0)]
    p_margin = max(p_ends)
    agreement = (
        Agreement.CONSISTENT if p_margin < 1.0 - level
        else Agreement.INCONSISTENT if p < 1.0 - level
        else Agreement.CANNOT_TELL
    )  # fmt: skip
    vague = rules.vague_sd if rules.vague_sd is not None else max(VAGUE_SD, 2.0 * math.hypot(se, tau))
    prior = published_prior(centre, se, kind=rules.prior, tau=tau, weight=rules.weight, vague_sd=vague)
    posterior = borrow(prior, placed.value, placed.se, n=found.new.n, level=level)
    low = None if reach is None else from_scale(centre - reach, scale)
    high = None if reach is None else from_scale(centre + reach, scale)
    return replace(
        found,
        agreement=agreement,
        reason=_reason(agreement, rules, [p_end >= 1.0 - level for p_end in p_ends]),
        pooled=pooled,
        value=from_scale(centre, scale),
        low=from_scale(centre - z * se, scale),
        high=from_scale(centre + z * se, scale),
        tau=tau,
        prediction_low=low,
        prediction_high=high,
        inside_prediction=None if low is None or high is None else low <= found.new.value <= high,
        p=p,
        p_margin=p_margin,
        margin_low=from_scale(centre - margin, scale),
        margin_high=from_scale(centre + margin, scale),
        borrowing=posterior,
        posterior_value=from_scale(posterior.mean, scale),
        posterior_low=from_scale(posterior.low, scale),
        posterior_high=from_scale(posterior.high, scale),
        flags=tuple(flags),
    )


def _reason(agreement: Agreement, rules: Rules, left_open: list[bool]) -> str:
    """Why; `left_open`: whether no effect, and whether twice the effect, is not excluded."""
    if agreement is Agreement.INCONSISTENT:
        return "the new result differs from the published one by more than both uncertainties allow"
    if agreement is Agreement.CONSISTENT:
        return (
            "the new result is closer to the published one than that is to no effect"
            if rules.null is not None
            else f"the new result lies within a factor of {rules.margin_factor:g} of the published one"
        )
    if rules.null is None:
        return f"no difference is found, but one above a factor of {rules.margin_factor:g} is not excluded"
    ends = [
        w for w, open_ in zip(("no effect", "twice the published effect"), left_open, strict=True) if open_
    ]
    if len(ends) > 1:
        return f"no difference is found, but neither {' nor '.join(ends)} is excluded"
    return f"no difference is found, but {ends[0]} is not excluded"
