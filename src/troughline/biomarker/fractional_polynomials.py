"""MFPI: the treatment effect as a smooth function of a marker, by fractional polynomials, never cut."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from troughline.biomarker.endpoint import Endpoint, EndpointError, Flags, Floats

POWERS = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0)
ENOUGH_EVENTS = 100
"""Events (or patients, for a mean) from which two powers are allowed; below, one."""
ALPHA = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class PolynomialInteraction:
    """The treatment effect at each `marker` (m,), log ratio or difference, with pointwise `low` and `high`.

    `powers` were chosen without the interaction; `p_value` tests all products with treatment (`freedom`).
    `shift` was added to the marker before the powers, where it holds values that are not positive.
    """

    powers: tuple[float, ...]
    marker: Floats
    value: Floats
    low: Floats
    high: Floats
    p_value: float
    freedom: int
    shift: float
    level: float


def polynomial_columns(x: Floats, powers: tuple[float, ...]) -> Floats:
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
    adjust: Floats | None = None,
    degree: int | None = None,
    points: int = 60,
    level: float = 0.95,
) -> PolynomialInteraction:
    """Test and draw treatment × f(marker) for the best fractional polynomial f.

    The powers are those of the smallest deviance in the model with treatment and f(marker) and without their
    product (so that choosing them does not help the interaction); the products are then tested together by
    the likelihood ratio. `degree` 1 or 2 powers; default: two where there are 100 events and they fit the
    main effect better than one (likelihood ratio with two degrees of freedom, p < 0.05). Effects are shown
    between the 2.5th and the 97.5th percentile of the marker.

    Raises `EndpointError` where no polynomial can be fitted.

    Royston and Sauerbrei 2004, doi 10.1002/sim.1815 (MFPI, least flexible).
    """
    from scipy.special import chdtrc

    shift = 0.0
    if not np.all(marker > 0):
        distinct = np.unique(marker)
        if distinct.size < 2:
            raise EndpointError("the marker is the same in every patient")
        shift = float(np.diff(distinct).min() - distinct[0])
    scale = float(np.median(marker + shift))
    x = (marker + shift) / scale
    a = treated.astype(np.float64)
    extra = np.empty((endpoint.n, 0)) if adjust is None else adjust
    best = {d: _best(endpoint, a, x, extra, d) for d in ((1, 2) if degree is None else (degree,))}
    if degree is None:
        events = endpoint.n_events()
        enough = (endpoint.n if events is None else events) >= ENOUGH_EVENTS
        one, two = best[1], best[2]
        better = two is not None and (one is None or chdtrc(2, 2 * (two[0] - one[0])) < ALPHA)
        degree = 2 if enough and better else 1
    chosen = best[degree]
    if chosen is None:
        raise EndpointError("no fractional polynomial of the marker could be fitted")
    likelihood, powers = chosen
    columns, centre, spread = _scaled(polynomial_columns(x, powers))
    terms = ["treated", *(f"f{k}" for k in range(degree)), *(f"treated × f{k}" for k in range(degree))]
    fit = endpoint.regress(
        np.column_stack((a, columns, a[:, np.newaxis] * columns, extra)), [*terms, *_numbered(extra)],
        level=level,
    )  # fmt: skip
    at = np.linspace(*np.quantile(marker, [0.025, 0.975]), points)
    shown = (polynomial_columns((at + shift) / scale, powers) - centre) / spread
    effects = []
    for row in shown:
        weights = np.zeros(len(fit.names))
        weights[0], weights[1 + degree : 1 + 2 * degree] = 1.0, row
        effects.append(fit.effect(weights))
    statistic = 2 * (fit.log_likelihood - likelihood)
    return PolynomialInteraction(
        powers=powers,
        marker=at,
        value=np.array([e.value for e in effects]),
        low=np.array([e.low for e in effects]),
        high=np.array([e.high for e in effects]),
        p_value=float(chdtrc(degree, max(statistic, 0.0))),
        freedom=degree,
        shift=shift,
        level=level,
    )


def _best(
    endpoint: Endpoint, a: Floats, x: Floats, extra: Floats, degree: int
) -> tuple[float, tuple[float, ...]] | None:
    """The log-likelihood and powers of the best main effect with `degree` powers; None where none fits."""
    best: tuple[float, tuple[float, ...]] | None = None
    names = ["treated", *(f"f{k}" for k in range(degree)), *_numbered(extra)]
    for powers in combinations_with_replacement(POWERS, degree):
        columns = _scaled(polynomial_columns(x, powers))[0]
        try:
            fit = endpoint.regress(np.column_stack((a, columns, extra)), names)
        except EndpointError:
            continue
        if not fit.penalised and (best is None or fit.log_likelihood > best[0] + 1e-9):
            best = (fit.log_likelihood, powers)
    return best


def _scaled(columns: Floats) -> tuple[Floats, Floats, Floats]:
    centre, spread = columns.mean(axis=0), columns.std(axis=0)
    return (columns - centre) / spread, centre, spread


def _numbered(extra: Floats) -> list[str]:
    return [f"x{k}" for k in range(extra.shape[1])]
