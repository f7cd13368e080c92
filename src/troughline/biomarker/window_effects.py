"""Treatment effects in many overlapping groups of patients at once, with what each patient adds to each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from troughline.biomarker.endpoint import Endpoint, Flags, Floats

_ITERATIONS = 25
_FARTHEST = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowEffects:
    """Treatment effects of K groups: log hazard ratios, or differences of risks or means.

    `value` (K,) is not a number where a group has no finite estimate; `influence` (n, K) holds what each
    patient adds, so that influenceᵀ influence is the covariance of the K values, patients shared included.
    `standard_error` (K,) is that of the model (information, or variances with n − 1): small groups need it.
    """

    value: Floats
    influence: Floats
    standard_error: Floats

    @property
    def covariance(self) -> Floats:
        """The covariance (K, K) of the values."""
        return np.asarray(self.influence.T @ self.influence, dtype=np.float64)


def window_effects(endpoint: Endpoint, treated: Flags, members: Flags) -> WindowEffects:
    """The treatment effect in each of K groups, `members` (n, K).

    A survival endpoint: log hazard ratio by Cox's partial likelihood (Breslow's ties); its influence is the
    score residual over the information (Lin and Wei 1989, doi 10.1080/01621459.1989.10478874). A binary or
    continuous one: difference of risks or of means.
    """
    if endpoint.kind == "survival":
        return _hazard(endpoint, treated, members)
    y = np.asarray(endpoint.event if endpoint.value is None else endpoint.value, dtype=np.float64)
    value, influence = np.zeros(members.shape[1]), np.zeros(members.shape)
    variance = np.zeros(members.shape[1])
    for arm, sign in ((treated, 1.0), (~treated, -1.0)):
        rows = (members & arm[:, np.newaxis]).astype(np.float64)
        n = rows.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = (y @ rows) / n
            value += sign * mean
            influence += sign * rows * (y[:, np.newaxis] - mean) / n
            variance += ((rows * (y[:, np.newaxis] - mean)) ** 2).sum(axis=0) / (n * (n - 1))
    return WindowEffects(value=value, influence=influence, standard_error=np.sqrt(variance))


@dataclass(frozen=True, slots=True)
class RiskTables:
    """Counts at the distinct times, rising, of K groups: events, events in the treated, at risk by arm."""

    d: Floats
    d1: Floats
    n0: Floats
    n1: Floats


def risk_tables(time: Floats, event: Flags, treated: Flags, members: Flags) -> RiskTables:
    """The tables (m, K) of `members` (n, K); `time` is sorted, rising."""
    m = members.astype(np.float64)
    starts = np.flatnonzero(np.concatenate(([True], np.diff(time) > 0)))
    a = treated[:, np.newaxis]
    happened = event[:, np.newaxis]
    d = np.add.reduceat(m * happened, starts, axis=0)
    d1 = np.add.reduceat(m * (happened & a), starts, axis=0)
    n1 = np.cumsum((m * a)[::-1], axis=0)[::-1][starts]
    n0 = np.cumsum((m * ~a)[::-1], axis=0)[::-1][starts]
    return RiskTables(d, d1, n0, n1)


def one_step(tables: RiskTables) -> Floats:
    """The one-step log hazard ratio (O − E)/V of each group; not a number without information.

    Finite wherever both arms are ever at risk at an event; V is the variance of the log-rank test (Yusuf,
    Peto and others 1985, doi 10.1016/S0033-0620(85)80003-7).
    """
    n = tables.n0 + tables.n1
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(n > 0, tables.n1 / n, 0.0)
        variance = np.where(
            n > 1, tables.d * share * (1 - share) * (n - tables.d) / np.maximum(n - 1, 1), 0.0
        ).sum(axis=0)
        return np.where(variance > 0, (tables.d1 - tables.d * share).sum(axis=0) / variance, np.nan)


def _hazard(endpoint: Endpoint, treated: Flags, members: Flags) -> WindowEffects:
    assert endpoint.time is not None
    assert endpoint.event is not None
    order = np.argsort(endpoint.time, kind="stable")
    time, event, arm, inside = endpoint.time[order], endpoint.event[order], treated[order], members[order]
    tables = risk_tables(time, event, arm, inside)
    theta = np.zeros(members.shape[1])
    information = np.ones_like(theta)
    p, at_risk = np.zeros_like(tables.d), np.zeros_like(tables.d)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for _ in range(_ITERATIONS):
            at_risk = tables.n0 + tables.n1 * np.exp(theta)
            p = np.where(at_risk > 0, tables.n1 * np.exp(theta) / at_risk, 0.0)
            information = (tables.d * p * (1 - p)).sum(axis=0)
            step = (tables.d1 - tables.d * p).sum(axis=0) / information
            theta = theta + np.clip(step, -1.0, 1.0)
            if np.nanmax(np.abs(step), initial=0.0) < 1e-10:
                break
        lost = ~np.isfinite(theta) | (np.abs(theta) > _FARTHEST) | ~(information > 1e-8)
        position = np.searchsorted(np.unique(time), time)
        hazard = np.where(at_risk > 0, tables.d / at_risk, 0.0)
        own = arm[:, np.newaxis].astype(np.float64)
        total, weighted = np.cumsum(hazard, axis=0)[position], np.cumsum(hazard * p, axis=0)[position]
        expected = np.exp(theta * own) * (own * total - weighted)
        residual = inside * (event[:, np.newaxis] * (own - p[position]) - expected)
        influence = np.empty_like(residual)
        influence[order] = residual / information
    theta = np.where(lost, np.nan, theta)
    influence[:, lost] = np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        error = 1 / np.sqrt(information)
    return WindowEffects(value=theta, influence=influence, standard_error=error)
