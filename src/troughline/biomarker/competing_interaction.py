"""Treatment × class where other deaths compete: one Fine–Gray model of all classes, and one of the cause."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.endpoint import Effect, Flags

Scale = Literal["subdistribution", "cause-specific"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompetingInteraction:
    """Log ratios `interaction` of the treatment's hazard ratios, each level of `levels` against `reference`.

    `p_value` tests all of them at once (Wald, `freedom` degrees). `left_out` names levels in which nobody
    of one arm had the outcome: their ratio is zero or infinite.
    """

    scale: Scale
    reference: str
    levels: tuple[str, ...]
    interaction: tuple[Effect, ...]
    p_value: float
    freedom: int
    n: int
    n_events: int
    n_rivals: int
    left_out: tuple[str, ...]


def competing_interaction(
    time: NDArray[np.float64],
    cause: Sequence[str | None],
    of: str,
    treated: Flags,
    level_of: Sequence[str],
    levels: Sequence[str],
    *,
    scale: Scale,
    level: float = 0.95,
) -> CompetingInteraction:
    """Test whether the treatment's effect on the cause `of` differs between the levels of a class.

    Parameters: `time` (n,) in any unit, `cause` (n,) what ended each follow-up (None: censored), `treated`
    (n,), `level_of` (n,) with the `levels` in their order; the first that has the outcome in both arms is the
    reference.

    λ(t) = λ₀(t) exp(βA + Σ γⱼLⱼ + Σ δⱼ A·Lⱼ): of the subdistribution (Fine and Gray 1999, doi
    10.1080/01621459.1999.10474144, robust variance), whose exp(δ) is the ratio of subdistribution hazard
    ratios: does treatment shift the incidence more in one class; or of the cause alone (Cox, other deaths
    censored), whose exp(δ) says whether the effect on that cause's own rate differs. A class in which more
    die of something else can have the first without the second.

    Raises `CoxFitError` where fewer than two levels have the outcome in both arms, or there is no fit.
    """
    from scipy.special import chdtrc

    from troughline.survival.competing import cause_specific_cox
    from troughline.survival.cox import CoxFitError
    from troughline.survival.fine_gray import fit_fine_gray

    had = np.array([c == of for c in cause], dtype=np.bool_)
    given = np.array(list(level_of), dtype=object)
    there = [
        name for name in levels if all((had & (given == name) & arm).any() for arm in (treated, ~treated))
    ]
    left_out = tuple(name for name in levels if name not in there and bool((given == name).any()))
    if len(there) < 2:
        raise CoxFitError(
            f"{len(there)} of {len(there) + len(left_out)} classes have “{of}” in both arms; two are needed"
        )
    rows = np.isin(given.astype(str), there)
    a = treated[rows].astype(np.float64)[:, np.newaxis]
    classes = np.column_stack([(given[rows] == name).astype(np.float64) for name in there[1:]])
    k = len(there) - 1
    names = ["treated", *there[1:], *(f"treated × {name}" for name in there[1:])]
    kept: list[Any] = [c for c, r in zip(cause, rows.tolist(), strict=True) if r]
    fit_of = fit_fine_gray if scale == "subdistribution" else cause_specific_cox
    fit = fit_of(time[rows], kept, of, np.column_stack((a, classes, a * classes)), names, level=level)
    d, v = fit.coefficients[1 + k :], fit.covariance[1 + k :, 1 + k :]
    chi_square = float(d @ np.asarray(np.linalg.solve(v, d), dtype=np.float64))
    effects = tuple(
        Effect(
            value=t.coefficient, low=_log(t.low), high=_log(t.high), standard_error=t.standard_error,
            p_value=t.p_value,
        )
        for t in fit.terms[1 + k :]
    )  # fmt: skip
    return CompetingInteraction(
        scale=scale,
        reference=there[0],
        levels=tuple(there[1:]),
        interaction=effects,
        p_value=float(chdtrc(k, chi_square)),
        freedom=k,
        n=int(rows.sum()),
        n_events=int((had & rows).sum()),
        n_rivals=sum(c is not None and c != of for c in kept),
        left_out=left_out,
    )


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf
