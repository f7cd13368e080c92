"""Published values beside what a trial gives for them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.trial.gather import middle

if TYPE_CHECKING:
    from troughline.trial.run import Gathered
    from troughline.trial.schema import Target

Floats = NDArray[np.float64]
NAMES = {"duration": "duration_median"}


def target_rows(gathered: Gathered) -> list[dict[str, Any]]:
    """One row a target: published, predicted over all trials and sets, and whether it lies within."""
    if not gathered.setup.file.target:
        return []
    from troughline.mechanism.trial_designs import known_targets

    known = known_targets()
    rows: list[dict[str, Any]] = []
    for given in gathered.setup.file.target:
        shipped = known[given.target] if given.target is not None else None
        low = shipped.low if shipped else given.low or 0.0
        high = shipped.high if shipped else given.high or 0.0
        values = predictions_of(gathered, given)
        predicted, below, above = middle(values, gathered.setup.file.trial.level)
        by_set = [middle(values[gathered.set_of == s], 0.5)[0] for s in range(len(gathered.setup.sets))]
        rows.append({
            "id": given.id,
            "label": given.label or given.id,
            "quantity": given.quantity,
            "unit": shipped.unit if shipped else given.unit,
            "published": shipped.value if shipped else given.value,
            "printed": shipped.printed if shipped else "",
            "low": low,
            "high": high,
            "predicted": predicted,
            "predicted_low": below,
            "predicted_high": above,
            "use": shipped.use if shipped else given.use,
            "inside": bool(math.isfinite(predicted) and low <= predicted <= high),
            "sets_inside": sum(1 for v in by_set if math.isfinite(v) and low <= v <= high),
            "sets": len(by_set),
            "source": shipped.source if shipped else given.source,
            "verified": shipped.verified if shipped else False,
            "note": shipped.note if shipped else "",
            "arm": given.arm,
            "control": given.control,
        })  # fmt: skip
    return rows


def predictions_of(gathered: Gathered, target: Target) -> Floats:
    """The target's quantity in every trial, in their order (n_trials,)."""
    if target.quantity.endswith("_hr"):
        endpoint = target.quantity.removesuffix("_hr")
        key = (target.arm, str(target.control), endpoint, 0)
        return np.exp(np.array([t.log_hr[key][0] for t in gathered.trials]))
    name = NAMES.get(target.quantity, target.quantity)
    # A published rate of response counts complete ones.
    name = "orr" if name == "pr" else name
    return np.array([t.numbers[target.arm][name] for t in gathered.trials])
