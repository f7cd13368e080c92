"""Comparison of treatments over a network of trials: direct and indirect evidence in one estimate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from troughline.evidence.contrasts import Contrast, Trial, trials

FloatArray = NDArray[np.float64]
_GRID = np.concatenate([[0.0], np.geomspace(1e-6, 1.0, 121)])
_HALVINGS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A fitted network of `treatments` (alphabetical), in the units of its contrasts (log hazard ratios).

    `effects[i, j]` is treatment i against treatment j and `standard_errors[i, j]` its error, both of shape
    `(n_treatments, n_treatments)`. `tau2` is the variance between studies of one comparison (0 in the common
    effect model). `q` with `q_df` measures all disagreement at τ² = 0; `q_within` the part between studies
    of the same arms, `q_between` the part between designs, which is inconsistency (design-by-treatment
    interaction, Higgins et al. 2012, doi 10.1002/jrsm.1044; Krahn, Binder & König 2013,
    doi 10.1186/1471-2288-13-35).
    """

    treatments: tuple[str, ...]
    studies: tuple[str, ...]
    effects: FloatArray = field(repr=False)
    standard_errors: FloatArray = field(repr=False)
    tau2: float
    q: float
    q_df: int
    q_within: float
    q_within_df: int
    q_between: float
    q_between_df: int

    def estimate(self, treatment: str, reference: str) -> tuple[float, float]:
        """The effect of `treatment` against `reference` and its standard error.

        Raises `ValueError` for a treatment that the network does not have.
        """
        i, j = (self._place(name) for name in (treatment, reference))
        return float(self.effects[i, j]), float(self.standard_errors[i, j])

    @property
    def q_between_p(self) -> float:
        """The p-value of inconsistency; not a number where no two designs can disagree."""
        return _tail(self.q_between, self.q_between_df)

    def league_table(self, *, level: float = 0.95) -> list[dict[str, str | float]]:
        """Every treatment against every other as a ratio with its interval, on the exponential scale."""
        from scipy.stats import norm

        z = float(norm.ppf(0.5 + level / 2.0))
        rows: list[dict[str, str | float]] = []
        for i, a in enumerate(self.treatments):
            for j, b in enumerate(self.treatments):
                if i != j:
                    d, se = float(self.effects[i, j]), float(self.standard_errors[i, j])
                    rows.append({
                        "treatment": a, "reference": b, "ratio": math.exp(d),
                        "low": math.exp(d - z * se), "high": math.exp(d + z * se),
                    })  # fmt: skip
        return rows

    def p_scores(self, *, less_is_better: bool = True) -> dict[str, float]:
        """The mean certainty that a treatment is better than another one, 0 to 1.

        P_i = mean over j of Φ((d_j − d_i)/se_ij) (Rücker & Schwarzer 2015, doi 10.1186/s12874-015-0060-8).
        A rank says nothing of the size of a difference: read it beside the league table.
        """
        from scipy.stats import norm

        sign = -1.0 if less_is_better else 1.0
        n = len(self.treatments)
        scores: dict[str, float] = {}
        for i, name in enumerate(self.treatments):
            others = [j for j in range(n) if j != i]
            z = sign * self.effects[i, others] / self.standard_errors[i, others]
            scores[name] = float(np.mean(norm.cdf(z)))
        return scores

    def _place(self, name: str) -> int:
        if name not in self.treatments:
            raise ValueError(f"no treatment {name!r} in the network; known: {', '.join(self.treatments)}")
        return self.treatments.index(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """One comparison taken apart: what studies of both treatments say, and what all others say.

    `difference` = direct − indirect with its standard error; `p` tests it.
    """

    treatment: str
    reference: str
    direct: float
    direct_se: float
    indirect: float
    indirect_se: float
    difference: float
    difference_se: float
    p: float


def fit_network(contrasts: Sequence[Contrast], *, random: bool = True) -> Network:
    """Fit a network by generalised least squares.

    y = X d + ε, ε ~ N(0, V + τ² S): V holds each study's covariance (arms of one study share their control),
    S has 1 on the diagonal and ½ between contrasts of one study. With `random` τ² maximises the restricted
    likelihood, else it is 0. Equal to the graph-theoretical estimate (Rücker 2012, doi 10.1002/jrsm.1058) and
    to Lu & Ades (2006, doi 10.1198/016214505000001302) with fixed study baselines; between two treatments
    over a common third it is Bucher's indirect comparison (1997, doi 10.1016/S0895-4356(97)00049-8).

    Raises `ValueError` as `contrasts.trials`, and where the treatments are not all connected.
    """
    if not contrasts:
        raise ValueError("a network needs a contrast")
    studies = trials(contrasts)
    names = tuple(sorted({arm for s in studies for arm in s.arms}))
    _check_connected(studies, names)
    x, y, v, s = _stack(studies, names)
    tau2 = _restricted_maximum(x, y, v, s) if random else 0.0
    d, covariance, _ = _least_squares(x, y, v + tau2 * s)
    full = np.concatenate([[0.0], d])
    padded = np.zeros((len(names), len(names)))
    padded[1:, 1:] = covariance
    diagonal = np.diag(padded)
    variances = diagonal[:, None] + diagonal[None, :] - 2.0 * padded
    q = _least_squares(x, y, v)[2]
    within, within_df = _within_designs(studies)
    q_df = len(y) - (len(names) - 1)
    between_df = q_df - within_df
    return Network(
        treatments=names,
        studies=tuple(t.study for t in studies),
        effects=full[:, None] - full[None, :],
        standard_errors=np.sqrt(np.maximum(variances, 0.0)),
        tau2=tau2,
        q=q,
        q_df=q_df,
        q_within=within,
        q_within_df=within_df,
        q_between=max(0.0, q - within) if between_df else 0.0,
        q_between_df=between_df,
    )


def split_nodes(contrasts: Sequence[Contrast], *, random: bool = True) -> tuple[Split, ...]:
    """Direct against indirect evidence for every comparison that has both.

    Studies with both treatments get a parameter of their own for the comparison, shared evenly between its
    two arms in studies of three arms or more (Dias et al. 2010, doi 10.1002/sim.3767; White 2015,
    doi 10.1177/1536867X1501500403). A comparison without a loop has no split. Raises as `fit_network`.
    """
    from scipy.stats import norm

    studies = trials(contrasts)
    names = tuple(sorted({arm for s in studies for arm in s.arms}))
    _check_connected(studies, names)
    x, y, v, s = _stack(studies, names)
    found: list[Split] = []
    for i, a in enumerate(names):
        for b in names[:i]:
            extra = np.concatenate([_own_parameter(t, a, b) for t in studies])
            wide = np.column_stack([x, extra])
            if not extra.any() or np.linalg.matrix_rank(wide) < wide.shape[1]:
                continue
            tau2 = _restricted_maximum(wide, y, v, s) if random else 0.0
            d, covariance, _ = _least_squares(wide, y, v + tau2 * s)
            pick = np.zeros(len(d))
            pick[i - 1] = 1.0
            if b != names[0]:
                pick[names.index(b) - 1] = -1.0
            both = pick.copy()
            both[-1] = 1.0
            gap, gap_se = float(d[-1]), math.sqrt(covariance[-1, -1])
            found.append(
                Split(
                    treatment=a,
                    reference=b,
                    direct=float(both @ d),
                    direct_se=math.sqrt(both @ covariance @ both),
                    indirect=float(pick @ d),
                    indirect_se=math.sqrt(pick @ covariance @ pick),
                    difference=gap,
                    difference_se=gap_se,
                    p=2.0 * float(norm.sf(abs(gap) / gap_se)),
                )
            )
    return tuple(found)


def _own_parameter(trial: Trial, a: str, b: str) -> FloatArray:
    """How direct − indirect of a against b enters the contrasts of a study that has both arms."""
    if a not in trial.arms or b not in trial.arms:
        return np.zeros(len(trial.arms) - 1)
    arm = np.array([0.5 if name == a else -0.5 if name == b else 0.0 for name in trial.arms])
    return arm[1:] - arm[0]


def _stack(
    studies: Sequence[Trial], names: tuple[str, ...]
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Design, contrasts, their covariance, and the structure of the variance between studies."""
    sizes = [len(t.values) for t in studies]
    total = sum(sizes)
    x, y = np.zeros((total, len(names))), np.zeros(total)
    v, s = np.zeros((total, total)), np.zeros((total, total))
    start = 0
    for trial, size in zip(studies, sizes, strict=True):
        rows = slice(start, start + size)
        y[rows], v[rows, rows] = trial.values, trial.covariance
        s[rows, rows] = 0.5 * (np.eye(size) + np.ones((size, size)))
        x[rows, names.index(trial.arms[0])] = -1.0
        for k, arm in enumerate(trial.arms[1:]):
            x[start + k, names.index(arm)] = 1.0
        start += size
    return x[:, 1:], y, v, s


def _least_squares(x: FloatArray, y: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Estimate, covariance, and the weighted sum of squared residuals."""
    root = np.linalg.cholesky(v)
    xw, yw = np.linalg.solve(root, x), np.linalg.solve(root, y)
    covariance: FloatArray = np.asarray(np.linalg.inv(xw.T @ xw), dtype=np.float64)
    d = covariance @ (xw.T @ yw)
    return d, covariance, float(np.sum((yw - xw @ d) ** 2))


def _restricted_maximum(x: FloatArray, y: FloatArray, v: FloatArray, s: FloatArray) -> float:
    """τ² at the highest peak of the restricted likelihood: a grid, then halving of the score's bracket."""
    if len(y) <= x.shape[1]:
        return 0.0
    plain = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    top = 2.0 * max(float(plain @ plain), float(np.finfo(np.float64).tiny))

    def height(tau2: float) -> float:
        total = v + tau2 * s
        _, covariance, q = _least_squares(x, y, total)
        return -0.5 * (np.linalg.slogdet(total)[1] - np.linalg.slogdet(covariance)[1] + q)

    def score(tau2: float) -> float:
        inverse = np.linalg.inv(v + tau2 * s)
        wx = inverse @ x
        p = inverse - wx @ np.linalg.solve(x.T @ wx, wx.T)
        residual = p @ y
        return float(residual @ s @ residual - np.trace(p @ s))

    candidates = top * _GRID
    best = int(np.argmax([height(float(c)) for c in candidates]))
    if best == 0 and score(0.0) <= 0.0:
        return 0.0
    low, high = float(candidates[max(best - 1, 0)]), float(candidates[min(best + 1, len(candidates) - 1)])
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if score(middle) > 0.0 else (low, middle)
    return (low + high) / 2.0


def _within_designs(studies: Sequence[Trial]) -> tuple[float, int]:
    """Q and its degrees of freedom between studies of the same arms, summed over designs, at τ² = 0."""
    q, df = 0.0, 0
    for design in sorted({t.arms for t in studies}):
        same = [t for t in studies if t.arms == design]
        x, y, v, _ = _stack(same, design)
        q += _least_squares(x, y, v)[2]
        df += len(y) - x.shape[1]
    return q, df


def _check_connected(studies: Sequence[Trial], names: tuple[str, ...]) -> None:
    group = {name: {name} for name in names}
    for trial in studies:
        joined = {name for arm in trial.arms for name in group[arm]}
        for name in joined:
            group[name] = joined
    parts = sorted({tuple(sorted(g)) for g in group.values()})
    if len(parts) > 1:
        listed = "; ".join(", ".join(p) for p in parts)
        raise ValueError(f"the network falls into parts that no trial connects: {listed}")


def _tail(q: float, df: int) -> float:
    from scipy.stats import chi2

    return float(chi2.sf(q, df)) if df > 0 else math.nan
