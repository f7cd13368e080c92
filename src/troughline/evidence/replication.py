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
"""The factor up to which results count as the same; of an area or a share, the factor of the odds."""
KEPT = 0.5
"""The share of the published effect that a result must keep to count as the same."""
VAGUE_SD = 2.0
"""SD of the vague part of a robust mixture: on the log or logit scale about one patient's information."""


class Agreement(StrEnum):
    """How a new result stands to the published one."""

    CONSISTENT = "consistent"
    DIFFERENT_SIZE = "same direction, different size"
    INCONSISTENT = "inconsistent"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A new estimate against the published ones; numbers are as printed unless said otherwise.

    `published` were used, `shown` are only shown, each with the reason. `value` with `low` and `high` is the
    published estimate (pooled where `pooled` is there) and `tau` the standard deviation between settings that
    was allowed for, on the scale. `prediction_low` and `prediction_high` hold the effect of one more setting;
    `inside_prediction` says whether the new estimate lies there. `p` tests the difference between the new and
    the published effect, `p_margin` is the largest of the one-sided tests that it is no larger than
    `margin_low` to `margin_high` around the published value. `reason` says in words why the agreement is what
    it is. All are None where no published estimate has an uncertainty, or the new one has none;
    `new_holds_published` then says whether the new interval holds the printed values. There is no prediction
    interval from one study unless `Rules.tau` is given.
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
    none), `margin_factor` the factor that counts as the same, `kept` the share of the published effect that
    must be kept where there is a null. `combine` is False where no posterior may be made, as for patients
    that were reconstructed from a summary. `tau` is the standard deviation
    between settings, on the scale, that is allowed for where one published estimate cannot show it. `prior`
    and `weight` say how the published enters the posterior (`borrowing.published_prior`); `vague_sd` left out
    is `VAGUE_SD`, or twice the SD of the published part where that is more. Raises `ValueError` for a margin
    factor not above 1, a share kept outside 0 to 1, a `tau` below 0 or a level outside 0.5 to 1.
    """

    null: float | None = None
    margin_factor: float = MARGIN_FACTOR
    kept: float = KEPT
    combine: bool = True
    tau: float = 0.0
    prior: PriorKind = "robust mixture"
    weight: float = 0.8
    vague_sd: float | None = None
    level: float = 0.95

    def __post_init__(self) -> None:
        if not self.margin_factor > 1.0:
            raise ValueError(f"margin factor {self.margin_factor:g} is not above 1")
        if not 0.0 <= self.kept < 1.0:
            raise ValueError(f"kept {self.kept:g} is not between 0 and 1")
        if not self.tau >= 0.0:
            raise ValueError(f"tau {self.tau:g} is below 0")
        if not 0.5 < self.level < 1.0:
            raise ValueError(f"level {self.level:g} is not between 0.5 and 1")


def compare(
    new: Effect,
    published: Sequence[Effect],
    rules: Rules | None = None,
    *,
    only_shown: Sequence[tuple[Effect, str]] = (),
) -> Comparison:
    """Hold a new estimate against published ones of the same quantity, scale and unit.

    `only_shown` are further published estimates that are not calculated with, each with the reason.

    Two or more published estimates with an uncertainty are pooled by random effects (REML), and the
    variance between settings is their τ̂²; else it is `rules.tau`². On the scale, y is the new effect and x
    the published one, both measured from the null; SE²(y − c x) = SE_new² + τ² + c² SE_published², because
    what is required of y is itself estimated.

    - *consistent*: no difference is found (two-sided p at least 1 − level), and one-sided tests at 1 − level
      (Schuirmann 1987, doi 10.1007/BF01068419) show that y − x lies within ± log(`margin_factor`) and, where
      there is a null, that y is beyond `kept`·x (a null with a share kept, as in trials of non-inferiority:
      Mielke, Munk & Schacht 2008, doi 10.1002/sim.3348).
    - *same direction, different size*: a difference is found, and both the new and the published interval lie
      on the same side of the null.
    - *inconsistent*: a difference is found otherwise.
    - *cannot tell*: none of these. Not finding a difference is no replication.

    Raises `ValueError` for published estimates of another scale or unit than the new one.
    """
    rules = rules or Rules()
    for e in (*published, *(e for e, _ in only_shown)):
        if (e.scale, e.unit) != (new.scale, new.unit):
            raise ValueError(f"{e.label}: {e.scale} scale in {e.unit} is not {new.scale} scale in {new.unit}")
    used, shown, flags = _usable(published)
    shown += only_shown
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
    zero = None if rules.null is None else to_scale(rules.null, scale)
    tests = _margin_tests(placed, centre, se, tau, zero, rules)
    gap = placed.value - centre
    p = 2.0 * float(ndtr(-abs(gap) / math.sqrt(placed.se**2 + se**2 + tau**2)))
    p_margin = max(t.p for t in tests)
    same_side = zero is not None and _side(placed.value, placed.se, zero, z) * _side(centre, se, zero, z) > 0
    agreement = (
        Agreement.CONSISTENT if p >= 1.0 - level and p_margin < 1.0 - level
        else Agreement.CANNOT_TELL if p >= 1.0 - level
        else Agreement.DIFFERENT_SIZE if same_side
        else Agreement.INCONSISTENT
    )  # fmt: skip
    vague = rules.vague_sd if rules.vague_sd is not None else max(VAGUE_SD, 2.0 * math.hypot(se, tau))
    prior = published_prior(centre, se, kind=rules.prior, tau=tau, weight=rules.weight, vague_sd=vague)
    posterior = borrow(prior, placed.value, placed.se, n=found.new.n, level=level) if rules.combine else None
    low = None if reach is None else from_scale(centre - reach, scale)
    high = None if reach is None else from_scale(centre + reach, scale)
    return replace(
        found,
        agreement=agreement,
        reason=_reason(agreement, rules, [t.left_open for t in tests if t.p >= 1.0 - level]),
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
        margin_low=from_scale(max(t.bound for t in tests if t.side > 0), scale),
        margin_high=from_scale(min(t.bound for t in tests if t.side < 0), scale),
        borrowing=posterior,
        posterior_value=None if posterior is None else from_scale(posterior.mean, scale),
        posterior_low=None if posterior is None else from_scale(posterior.low, scale),
        posterior_high=None if posterior is None else from_scale(posterior.high, scale),
        flags=tuple(flags),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Test:
    """One bound of what counts as the same: `side` is 1 for a lower bound and −1 for an upper one."""

    bound: float
    side: float
    p: float
    left_open: str


def _margin_tests(
    new: OnScale, centre: float, se: float, tau: float, zero: float | None, rules: Rules
) -> list[_Test]:
    """The one-sided tests that the new effect lies above the lower bounds and below the upper ones.

    A bound is `shift + c·published`; its error is c times that of the published.
    """
    from scipy.special import ndtr

    factor = math.log(rules.margin_factor)
    beyond = f"a difference above a factor of {rules.margin_factor:g}"
    ends = [(side, centre - side * factor, 1.0, beyond) for side in (1.0, -1.0)]
    if zero is not None:
        side = math.copysign(1.0, centre - zero)
        share = f"less than {_SHARES.get(rules.kept, f'{rules.kept:g}')} of the published effect"
        ends.append((side, zero + rules.kept * (centre - zero), rules.kept, share))
    return [
        _Test(
            bound=bound,
            side=side,
            p=float(ndtr(-side * (new.value - bound) / math.sqrt(new.se**2 + tau**2 + (c * se) ** 2))),
            left_open=words,
        )
        for side, bound, c, words in ends
    ]


def _side(value: float, se: float, zero: float, z: float) -> float:
    """1 or −1: the side of no effect on which the whole interval lies; 0 where it holds no effect."""
    return math.copysign(1.0, value - zero) if abs(value - zero) > z * se else 0.0


def _reason(agreement: Agreement, rules: Rules, left_open: list[str]) -> str:
    """Why; `left_open` says which differences are not excluded."""
    factor = f"a factor of {rules.margin_factor:g}"
    if agreement is Agreement.DIFFERENT_SIZE:
        return "both exclude no effect on the same side, and their sizes differ by more than chance allows"
    if agreement is Agreement.INCONSISTENT:
        text = "the new result differs from the published one by more than both uncertainties allow"
        return text if left_open else f"{text}, though by no more than {factor}"
    if agreement is Agreement.CONSISTENT:
        kept = _SHARES.get(rules.kept, f"{rules.kept:g}")
        share = "" if rules.null is None else f", more than {kept} of the published effect is kept"
        return f"no difference is found{share}, and the two lie within {factor} of each other"
    ends = list(dict.fromkeys(left_open))
    if len(ends) > 1:
        return f"no difference is found, but neither {' nor '.join(ends)} is excluded"
    return f"no difference is found, but {ends[0]} is not excluded"


_SHARES = {0.5: "half"}
