"""MFPI: the treatment effect as a smooth function of a marker, by fractional polynomials, never cut."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from troughline.biomarker.endpoint import Effect, Endpoint, EndpointError, Flags, Floats

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
    simple: float = 0.0,
    points: int = 60,
    level: float = 0.95,
) -> PolynomialInteraction:
    """Test and draw treatment × f(marker) for the best fractional polynomial f.

    The polynomial is chosen in the model with treatment and f(marker) and without their product, so that
    choosing it does not help the interaction: `simple` (the logarithm, or 1 for a straight line) is kept
    unless one other power fits better (likelihood ratio, one degree of freedom, p < 0.05), and two powers are
    taken where there are 100 events and they fit better still (two degrees). `degree` 1 or 2 takes the best
    one or two powers instead. The products with treatment are then tested together by the likelihood ratio.
    Effects are shown between the 2.5th and the 97.5th percentile of the marker.

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
    chosen = (
        _selected(endpoint, a, x, extra, simple) if degree is None else _best(endpoint, a, x, extra, degree)
    )
    if chosen is None:
        raise EndpointError("no fractional polynomial of the marker could be fitted")
    likelihood, powers = chosen
    degree = len(powers)
    columns, centre, spread = _scaled(polynomial_columns(x, powers))
    terms = ["treated", *(f"f{k}" for k in range(degree)), *(f"treated × f{k}" for k in range(degree))]
    fit = endpoint.regress(
        np.column_stack((a, columns, a[:, np.newaxis] * columns, extra)), [*terms, *_numbered(extra)],
        level=level,
    )  # fmt: skip
    first, last = (float(np.quantile(marker, q)) for q in (0.025, 0.975))
    at = np.linspace(first, last, points)
    shown = (polynomial_columns((at + shift) / scale, powers) - centre) / spread
    effects: list[Effect] = []
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


Fitted = tuple[float, tuple[float, ...]]
"""A log-likelihood and the powers that gave it."""


def _selected(endpoint: Endpoint, a: Floats, x: Floats, extra: Floats, simple: float) -> Fitted | None:
    """The function selection of the main effect; None where nothing fits."""
    from scipy.special import chdtrc

    start = _of_powers(endpoint, a, x, extra, [(simple,)])
    one, two = _best(endpoint, a, x, extra, 1), _best(endpoint, a, x, extra, 2)
    events = endpoint.n_events()
    enough = (endpoint.n if events is None else events) >= ENOUGH_EVENTS
    if start is not None and (one is None or chdtrc(1, 2 * max(0.0, one[0] - start[0])) >= ALPHA):
        one = start
    if one is None:
        return two
    if enough and two is not None and chdtrc(2, 2 * max(0.0, two[0] - one[0])) < ALPHA:
        return two
    return one


def _best(endpoint: Endpoint, a: Floats, x: Floats, extra: Floats, degree: int) -> Fitted | None:
    return _of_powers(endpoint, a, x, extra, list(combinations_with_replacement(POWERS, degree)))


def _of_powers(
    endpoint: Endpoint, a: Floats, x: Floats, extra: Floats, candidates: list[tuple[float, ...]]
) -> Fitted | None:
    """The candidate of the greatest likelihood as main effect; None where none fits."""
    best: Fitted | None = None
    for powers in candidates:
        columns = _scaled(polynomial_columns(x, powers))[0]
        names = ["treated", *(f"f{k}" for k in range(len(powers))), *_numbered(extra)]
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
