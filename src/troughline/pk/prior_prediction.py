"""What the model expects of a patient before any sample: effects from the prior, and what is seen then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.model.engine import Tolerance, record_arrays
from troughline.pk.posterior import draw_normal
from troughline.pk.residual import residual_sd

if TYPE_CHECKING:
    from troughline.model.model import Model
    from troughline.model.records import Records

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """Predictions of one patient's m records at n points of the effects.

    `centre` (n, m): the prediction, its logarithm where the output's error is on the log scale; `sd` (n, m)
    of the residual error on that scale. NaN where the model has no prediction.
    """

    centre: Floats
    sd: Floats


def prior_effects(
    model: Model, q: int, size: int, rng: np.random.Generator, *, inflation: float = 1.0
) -> Floats:
    """Draws (size, q) from the prior, its covariance times `inflation`.

    The q effects are those between subjects, then those of each occasion, each occasion's drawn anew.
    """
    out = np.zeros((size, q))
    for place, covariance in _blocks(model, q):
        width = len(covariance)
        out[:, place : place + width] = draw_normal(covariance * inflation, size, rng)
    return out


def prior_distance(model: Model, effects: Floats) -> tuple[Floats, int]:
    """η′Ω⁻¹η of points (n, q), and how many effects vary: those of variance 0 count in neither."""
    total, free = np.zeros(len(effects)), 0
    for place, covariance in _blocks(model, effects.shape[1]):
        part = effects[:, place : place + len(covariance)]
        total += np.einsum("ni,ij,nj->n", part, np.linalg.pinv(covariance, hermitian=True), part)
        free += int(np.linalg.matrix_rank(covariance, hermitian=True))
    return total, free


def _blocks(model: Model, q: int) -> list[tuple[int, Floats]]:
    """Where the covariance of each group of effects begins, and it."""
    subject, occasion = model.spec.covariance("subject"), model.spec.covariance("occasion")
    blocks = [(0, subject)] if len(subject) else []
    place = len(subject)
    while place < q:
        blocks.append((place, occasion))
        place += len(occasion)
    return blocks


class Predictor:
    """Predictions of single patients at many points of their effects; usable from several threads."""

    def __init__(
        self,
        model: Model,
        records: Records,
        *,
        theta: Floats | None = None,
        tolerance: Tolerance | None = None,
    ) -> None:
        self._compiled, self._arrays = model.compiled, record_arrays(records)
        self._theta = np.ascontiguousarray(model.spec.theta if theta is None else theta, dtype=np.float64)
        self._tolerance = tolerance or Tolerance(relative=1e-6, absolute=1e-8)
        self._outputs, self._records = model.spec.outputs, records

    def levels(self, p: int, effects: Floats, which: Ints) -> Floats:
        """Levels (n, m) of patient p at n points of his effects (n, q) and m of his records (indices)."""
        return self._run(p, effects, which)[0]

    def at(self, p: int, effects: Floats, which: Ints) -> Predicted:
        """Predictions and residual SDs of patient p, as `levels`."""
        f, parts = self._run(p, effects, which)
        return centred(self._outputs, self._records.output[which], f, parts)

    def _run(self, p: int, effects: Floats, which: Ints) -> tuple[Floats, Floats]:
        from troughline.pk.kernels.sampling import predict_at

        compiled, control = self._compiled, self._tolerance
        lo, hi = int(self._records.first[p]), int(self._records.first[p + 1])
        n = len(effects)
        f, parts = np.full((n, hi - lo), np.nan), np.zeros((n, hi - lo, 3))
        predict_at(
            compiled.layout, compiled.coefficients, compiled.addresses, self._theta, *self._arrays, lo, hi,
            control.relative, control.absolute, control.max_steps, np.ascontiguousarray(effects), f, parts,
            np.zeros(n, dtype=np.int64),
        )  # fmt: skip
        return f[:, which - lo], parts[:, which - lo]


def centred(outputs: tuple[Any, ...], output: Ints, f: Floats, parts: Floats) -> Predicted:
    """Predictions f (n, m) of these outputs (m,), with their error's parts (n, m, 3), as `Predicted`."""
    centre, sd = f.copy(), np.full(f.shape, np.nan)
    for k, what in enumerate(outputs):
        mine = output == k
        if not mine.any():
            continue
        own = f[:, mine]
        sd[:, mine] = residual_sd(what.error.kind, own.ravel(), parts[:, mine].reshape(-1, 3)).reshape(
            own.shape
        )
        if what.error.on_log_scale:
            with np.errstate(divide="ignore", invalid="ignore"):
                centre[:, mine] = np.where(own > 0, np.log(own), np.nan)
    sd[~(np.isfinite(centre) & np.isfinite(sd))] = np.nan
    centre[np.isnan(sd)] = np.nan
    return Predicted(centre=centre, sd=sd)
