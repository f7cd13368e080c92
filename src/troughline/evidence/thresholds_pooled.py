"""Thresholds of exposure that several studies found, pooled on the log scale of one metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from troughline.evidence.effects import Effect
from troughline.evidence.heterogeneity import TauMethod
from troughline.evidence.pooling import Freedom, Pooled, pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A cut of exposure of one study; `metric` is how the level was taken (`trough`, `clinic-visit`)."""

    effect: Effect
    metric: str
    endpoint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledThresholds:
    """What was pooled (None where fewer than two thresholds have an uncertainty) and what is only shown."""

    metric: str
    pooled: Pooled | None
    shown: tuple[tuple[Threshold, str], ...]
    assumptions: tuple[str, ...]


def pool_thresholds(
    thresholds: Sequence[Threshold],
    *,
    assumed_log_sd: Mapping[str, float] | None = None,
    allow_unverified: bool = False,
    tau2: TauMethod = "REML",
    prediction: Freedom = "k-1",
    level: float = 0.95,
) -> PooledThresholds:
    """Pool thresholds of one metric and unit by random effects on the log scale, Hartung–Knapp with floor.

    A threshold printed without an interval says nothing of its error: n and the area under the curve do not
    give it either (a cut that maximises an index converges at the cube root of n, with a constant that
    depends on the distributions; Kim & Pollard 1990, doi 10.1214/aos/1176347498). It is shown and left out,
    unless `assumed_log_sd` gives a standard deviation of its logarithm by the effect's label; that is an
    assumption of the caller and stands in `assumptions`. Unverified thresholds are left out unless they are
    allowed.

    Raises `ValueError` for an empty list, more than one metric or unit, more than one endpoint, a label that
    is not there, or an assumed SD that is not above 0.
    """
    if not thresholds:
        raise ValueError("no threshold to pool")
    metric = _one("metric", [t.metric for t in thresholds], "a trough and a level at a visit do not compare")
    _one("unit", [t.effect.unit for t in thresholds], "convert them first")
    _one("endpoint", [t.endpoint for t in thresholds], "a cut for toxicity is none for response")
    assumed = dict(assumed_log_sd or {})
    unknown = sorted(set(assumed) - {t.effect.label for t in thresholds})
    if unknown:
        raise ValueError(f"an assumed SD for a threshold that is not there: {', '.join(unknown)}")
    used: list[Effect] = []
    shown: list[tuple[Threshold, str]] = []
    assumptions: list[str] = []
    for t in thresholds:
        effect = replace(t.effect, scale="log")
        if effect.label in assumed:
            sd = assumed[effect.label]
            words = f"SD {sd:g} of the logarithm assumed by the caller, not published"
            effect = replace(effect, se=sd, basis=words)
            assumptions.append(f"{effect.label}: {words}")
        if not effect.verified and not allow_unverified:
            shown.append((t, "not verified in its source"))
        elif effect.se is None and (effect.low is None or effect.high is None):
            shown.append((t, "printed without an interval, or with an open one"))
        else:
            used.append(effect)
    if len(used) == 1:
        only = next(t for t in thresholds if t.effect.label == used[0].label)
        shown.append((only, "the only threshold with an uncertainty"))
    return PooledThresholds(
        metric=metric,
        pooled=pool(used, tau2=tau2, interval="hartung-knapp-floor", prediction=prediction, level=level)
        if len(used) > 1
        else None,
        shown=tuple(shown),
        assumptions=tuple(assumptions),
    )


def _one(what: str, values: Sequence[str], why: str) -> str:
    kinds = sorted(set(values))
    if len(kinds) > 1:
        raise ValueError(f"thresholds of more than one {what} cannot be pooled ({', '.join(kinds)}): {why}")
    return kinds[0]
