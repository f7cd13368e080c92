"""Published values beside what a trial gives for them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.trial.gather import FEWEST, middle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from troughline.mechanism.targets import Target as Shipped
    from troughline.trial.run import Gathered
    from troughline.trial.schema import Arm, Target

Floats = NDArray[np.float64]
NAMES = {"duration": "duration_median"}
UNITS = {
    "os_median": "month", "ttp_median": "month", "ttp_between": "day", "os_hr": "1", "ttp_hr": "1",
    "duration": "day", "growth": "mm/day",
}  # fmt: skip
"""The unit of a quantity; all others are %."""
_TREATED, _UNTREATED = "sorafenib", "placebo"
_PARTS = {
    "os": "os_median", "ttp": "ttp_median", "pr": "pr", "sd": "sd", "severe": "severe",
    "survival-1-year": "os_1_year", "duration": "duration",
}  # fmt: skip
_WHOLE = {"os-hr": "os_hr", "ttp-hr": "ttp_hr", "reductions": "reductions", "growth": "growth"}


def held_against(shipped: Shipped) -> tuple[str, str | None] | None:
    """The quantity of a trial that a target of the mechanism is about, and the arm (`placebo`, `sorafenib`).

    None for a target that is not a number of an arm or a pair, such as a power, a slope or a subgroup. Of the
    trials in `trial_designs.toml` the arms are their own: None beside the quantity.
    """
    from troughline.mechanism.trial_designs import read_designs

    own = {m.target.id: m.measure for design in read_designs() for m in design.measured}
    if shipped.id in own:
        measure = own[shipped.id]
        return next((q for q, name in NAMES.items() if name == measure), measure), None
    name = shipped.quantity
    trial, _, rest = name.partition("-")
    if rest in _WHOLE:
        return _WHOLE[rest], None if trial == "search" else _TREATED
    between = rest.endswith("-between")
    what, _, arm = rest.removesuffix("-between").rpartition("-")
    if what not in _PARTS or arm not in (_TREATED, _UNTREATED):
        return None
    return ("ttp_between" if between else _PARTS[what]), arm


def mismatch(target: Target, shipped: Shipped | None, arms: Mapping[str, Arm]) -> str | None:
    """Why a published value is no value of this quantity of these arms, or None."""
    unit = UNITS.get(target.quantity, "%")
    if shipped is None:
        if target.unit is not None and not _same_unit(target.unit, unit):
            return f"{target.quantity} is in {unit}, and the published value in {target.unit}"
        return None
    found = held_against(shipped)
    if found is None:
        return f"{shipped.id!r} is not a number of an arm or of two arms of a trial"
    quantity, arm = found
    if quantity != target.quantity:
        return f"{shipped.id!r} is a value of {quantity}, not of {target.quantity}"
    if target.control is not None:
        asked = ((target.arm, arm), (target.control, _UNTREATED if arm else None))
    else:
        asked = ((target.arm, arm),)
    for id_, role in asked:
        one = arms.get(id_)
        if one is None or role is None:
            continue
        if (role == _TREATED) != (one.sorafenib != "none"):
            return f"{shipped.id!r} is a value of {role}, and the arm {id_!r} is not"
    return None


def _same_unit(a: str, b: str) -> bool:
    from troughline.units import is_unit, same_unit

    return a == b or (is_unit(a) and is_unit(b) and same_unit(a, b))


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
        predicted, below, above = middle(values, gathered.setup.file.trial.level, gathered.weight)
        if len(values) < FEWEST:
            below = above = math.nan
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
            "note": "; ".join(filter(None, (given.note, shipped.note if shipped else ""))),
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
