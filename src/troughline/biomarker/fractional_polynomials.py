"""MFPI: the treatment effect as a smooth function of a marker, by fractional polynomials, never cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from troughline.biomarker.endpoint import Endpoint, EndpointError, Flags, Floats, Regression
from troughline.biomarker.main_effects import main_effects
from troughline.biomarker.null_trials import NullTrials, null_trials, patients_in_order
from troughline.biomarker.polynomial_selection import (
    ENOUGH_EVENTS,
    POWERS,
    Chosen,
    Flexibility,
    Pair,
    Powers,
    Rules,
    choose,
    fitted,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolynomialInteraction:
    """The treatment effect at each `marker` (m,), log ratio or difference, with pointwise `low` and `high`.

    `powers` are those of the treated arm, `control_powers` those of the control arm (the same unless each has
    its own), `main_powers` those of the main effect. `statistic` is the likelihood ratio of interaction
    against main effect, `p_value` the share of `draws` trials without an interaction, powers chosen again in
    each, with a statistic as far out; with flexibility 1 (`draws` 0) it is that of χ² with `freedom` degrees.
    `shift` was added to the marker before the powers, where it holds values that are not positive. The
    intervals hold for the powers chosen, not for the choosing.
    """

    powers: Powers
    control_powers: Powers
    main_powers: Powers
    marker: Floats
    value: Floats
    low: Floats
    high: Floats
    statistic: float
    freedom: int
    p_value: float
    draws: int
    shift: float
    level: float


def polynomial_columns(x: Floats, powers: Powers) -> Floats:
    """The columns (n, len(powers)) of a fractional polynomial of positive `x`; power 0 is the logarithm.

    A repeated power p gives xᵖ and xᵖ·ln x (Royston and Altman 1994, doi 10.2307/2986270).
    """
    columns: list[Floats] = []
    for k, power in enumerate(powers):
        if k and power == powers[k - 1]:
            columns.append(columns[-1] * np.log(x))
        else:
            columns.append(np.log(x) if power == 0 else x**power)
    return np.column_stack(columns)


def polynomial_interaction(
    endpoint: Endpoint,
    treated: Flags,
    marker: Floats,
    *,
    rng: np.random.Generator,
    adjust: Floats | None = None,
    flexibility: Flexibility = 2,
    degree: int | None = None,
    simple: float = 0.0,
    draws: int = 1000,
    points: int = 60,
    level: float = 0.95,
) -> PolynomialInteraction:
    """Test and draw treatment × f(marker) for a fractional polynomial f chosen for the interaction.

    Parameters: `treated` (n,), `marker` (n,) in any unit; `simple` the power kept unless another fits better
    (0 the logarithm, 1 a straight line); `degree` 1 or 2 takes the best one or two powers instead. Two powers
    are allowed from 100 events (patients, for a mean) on. `flexibility` as in `choose`: 1 the powers of the
    main effect, 2 and 3 powers for which the interaction fits best, 4 one power of its own in each arm.

    With flexibility 2 to 4 choosing powers helps the interaction, and χ² is wrong for it. The test draws
    trials of the same patients from the fitted main effects, in which the treatment effect is the same in
    everybody, and chooses in each. The likelihoods compared are quadratics around the main effects, in the
    draws and in the data (exact for a mean). p = (1 + draws as far out)/(1 + draws). Effects are shown
    between the 2.5th and the 97.5th percentile of the marker.

    Raises `EndpointError` where no polynomial can be fitted.

    Royston and Sauerbrei 2004, doi 10.1002/sim.1815; the four flexibilities as `flex(1)` to `flex(4)` of
    Stata's mfpi; their type I errors with χ²: Royston and Sauerbrei 2013, doi 10.1002/sim.5813
    (not confirmed).
    """
    from scipy.special import chdtrc

    order = patients_in_order(endpoint, treated, marker, adjust)
    endpoint, treated, marker = endpoint.of(order), treated[order], marker[order]
    adjust = None if adjust is None else adjust[order]
    scaled = _Scaled.of(marker)
    a = treated.astype(np.float64)[:, np.newaxis]
    extra = np.empty((endpoint.n, 0)) if adjust is None else adjust
    events = endpoint.n_events()
    enough = (endpoint.n if events is None else events) >= ENOUGH_EVENTS
    rules = Rules(
        simple=simple, flexibility=flexibility, forced=degree is not None,
        degrees=(1, 2)[: 1 + (enough if degree is None else degree == 2)],
    )  # fmt: skip
    catalogue = _Catalogue.of(scaled.x, a, extra, rules)
    mains = fitted(endpoint, {m: catalogue.columns[:, catalogue.of_main(m)] for m in rules.mains})
    pairs = fitted(endpoint, {p: catalogue.columns[:, catalogue.of_pair(p)] for p in rules.pairs})
    if not (_any_finite(list(mains.values())) and _any_finite(list(pairs.values()))):
        raise EndpointError("no fractional polynomial of the marker could be fitted")
    found = choose(rules, mains, pairs)
    main, (control, powers) = rules.mains[int(found.main[0])], rules.pairs[int(found.pair[0])]
    p_value, made = float(chdtrc(len(powers), float(found.statistic[0]))), 0
    if flexibility > 1:
        seen, under = _drawn(endpoint, treated, catalogue, rules, main, rng, draws)
        made = under.nominal.size
        nominal = float((found if seen is None else seen).nominal[0])
        p_value = (1 + np.count_nonzero(under.nominal <= nominal * (1 + 1e-9))) / (1 + made)
    first, last = (float(np.quantile(marker, q)) for q in (0.025, 0.975))
    at = np.linspace(first, last, points)
    value, low, high = _curve(endpoint, a, extra, scaled, (control, powers), at, level)
    return PolynomialInteraction(
        powers=powers, control_powers=control, main_powers=main, marker=at, value=value, low=low, high=high,
        statistic=float(found.statistic[0]), freedom=len(powers), p_value=p_value, draws=made,
        shift=scaled.shift, level=level,
    )  # fmt: skip


def _any_finite(values: list[Floats]) -> bool:
    return bool(np.isfinite(np.array(values)).any())


@dataclass(frozen=True, slots=True)
class _Scaled:
    """The marker, positive and around 1: (marker + shift)/scale."""

    x: Floats
    shift: float
    scale: float

    @classmethod
    def of(cls, marker: Floats) -> _Scaled:
        shift = 0.0
        distinct = np.unique(marker)
        if distinct.size < 2:
            raise EndpointError("the marker is the same in every patient")
        if not distinct[0] > 0:
            shift = float(np.diff(distinct).min() - distinct[0])
        scale = float(np.median(marker + shift))
        return cls((marker + shift) / scale, shift, scale)


@dataclass(frozen=True, slots=True)
class _Catalogue:
    """Every column a candidate needs, standardised, and where it stands: treatment and covariates first."""

    columns: Floats
    n_first: int
    place: dict[tuple[str, float, bool], int]

    @classmethod
    def of(cls, x: Floats, a: Floats, extra: Floats, rules: Rules) -> _Catalogue:
        made: list[Floats] = [a, extra]
        place: dict[tuple[str, float, bool], int] = {}
        at = 1 + extra.shape[1]
        repeated = (False, True) if 2 in rules.degrees else (False,)
        for power in POWERS:
            for again in repeated:
                with np.errstate(over="ignore", invalid="ignore"):
                    column = polynomial_columns(x, (power, power) if again else (power,))[:, -1:]
                    column = (column - column.mean()) / column.std()
                if not np.isfinite(column).all():
                    raise EndpointError(
                        f"the marker spans {x.min():.3g} to {x.max():.3g} times its median: no power of it "
                        "can be fitted"
                    )
                for arm, weight in (("main", 1.0), ("treated", a), ("control", 1 - a)):
                    if arm == "control" and (again or rules.flexibility != 4):
                        continue
                    made.append(weight * column)
                    place[arm, power, again] = at
                    at += 1
        return cls(np.column_stack(made), 1 + extra.shape[1], place)

    def of_main(self, powers: Powers) -> list[int]:
        """The columns of a model without interaction."""
        return [*range(self.n_first), *self._in("main", powers)]

    def of_pair(self, pair: Pair) -> list[int]:
        """The columns of a model with interaction."""
        control, treated = pair
        common = self._in("main", treated) if control == treated else self._in("control", control)
        return [*range(self.n_first), *common, *self._in("treated", treated)]

    def _in(self, arm: str, powers: Powers) -> list[int]:
        return [self.place[arm, p, k > 0 and p == powers[k - 1]] for k, p in enumerate(powers)]


def _drawn(
    endpoint: Endpoint, treated: Flags, catalogue: _Catalogue, rules: Rules, main: Powers,
    rng: np.random.Generator, draws: int,
) -> tuple[Chosen | None, Chosen]:  # fmt: skip
    """The choice in trials drawn from the main effects with the powers `main`; and that in these data.

    The latter by the same quadratics as in the draws; None for a mean, whose likelihood needs none.
    """
    columns = catalogue.columns
    base = columns[:, catalogue.of_main(main)]
    fit = main_effects(endpoint, base, columns)
    first = base.shape[1]

    def chosen(log_likelihood: Callable[[list[int]], Floats]) -> Chosen:
        return choose(
            rules,
            {m: log_likelihood([first + k for k in catalogue.of_main(m)]) for m in rules.mains},
            {p: log_likelihood([first + k for k in catalogue.of_pair(p)]) for p in rules.pairs},
        )

    if endpoint.kind == "continuous":
        return None, chosen(fit.drawn_means(rng, draws))
    under = null_trials(endpoint, treated, base, columns, fit, rng=rng, draws=draws)
    here = NullTrials(base=fit.base[None], score=fit.score[None], information=fit.information[None])
    return chosen(here.log_likelihood), chosen(under.log_likelihood)


def _curve(
    endpoint: Endpoint, a: Floats, extra: Floats, scaled: _Scaled, pair: Pair, at: Floats, level: float
) -> tuple[Floats, Floats, Floats]:
    """The treatment effect at `at` (m,) with its interval: β + f₁(x)ᵀδ₁ − f₀(x)ᵀδ₀."""
    parts: list[tuple[Floats, Floats]] = []
    for powers in pair:
        columns = polynomial_columns(scaled.x, powers)
        centre, spread = columns.mean(axis=0), columns.std(axis=0)
        shown = polynomial_columns((at + scaled.shift) / scaled.scale, powers)
        parts.append(((columns - centre) / spread, (shown - centre) / spread))
    (control, control_at), (treated, treated_at) = parts
    design = np.column_stack((a, (1 - a) * control, a * treated, extra))
    fit: Regression = endpoint.regress(design, [f"x{k}" for k in range(design.shape[1])], level=level)
    weights = np.zeros((at.size, design.shape[1]))
    weights[:, 0], k = 1.0, control.shape[1]
    weights[:, 1 : 1 + k], weights[:, 1 + k : 1 + k + treated.shape[1]] = -control_at, treated_at
    effects = [fit.effect(row) for row in weights]
    return (
        np.array([e.value for e in effects]),
        np.array([e.low for e in effects]),
        np.array([e.high for e in effects]),
    )
