"""What `results.json` holds of the dosing policies of a trial: doses and levels of each arm over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from troughline.trial.dosed import SUMS, grid_of
from troughline.trial.policies import policy_setup, shared_of, words_of

if TYPE_CHECKING:
    from troughline.trial.run import Gathered
    from troughline.trial.setup import Setup

Json = dict[str, Any]


def shared_dosing(setup: Setup) -> Json | None:
    """What the arms with a policy share; None where no arm has one."""
    text = next((t for t in setup.policies if t), None)
    if text is None:
        return None
    # An arm whose policy assumes the truth says nothing of the assumed model, which all of them name alike.
    return dict(shared_of(policy_setup(text)))


def policy_words(gathered: Gathered, k: int) -> str:
    """The policy of an arm in words; empty without one."""
    policies = gathered.setup.policies
    return words_of(policy_setup(policies[k])) if policies and policies[k] else ""


def arm_dosing(gathered: Gathered, k: int) -> Json | None:
    """The doses and levels of an arm over time, over all its virtual patients; None without a policy.

    Shares are of the patients on the first line on that day; `mean_dose_mg` is that of the regimens in
    force, holds counting as 0; `trough` the geometric mean of those who take doses, mg/L.
    """
    from troughline.dosing.policy.course import regimens_of

    setup = gathered.setup
    arm = setup.file.arm[k]
    if not setup.policies or not setup.policies[k]:
        return None
    resolved = policy_setup(setup.policies[k])
    policy = resolved.file.policy[0]
    sums = gathered.dosing[arm.id]
    row = dict(zip(SUMS, sums, strict=False))
    total = arm.n * len(gathered.trials)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = {name: 100.0 * row[name] / row["on"] for name in ("held", "inside", "below", "above")}
        mean = row["dose_mg"] / row["on"]
        trough = np.exp(row["log_trough"] / row["with_trough"])
        taking = 100.0 * sums[len(SUMS) :] / row["on"]
    regimens = regimens_of(resolved, policy)
    order = sorted(range(len(regimens)), key=lambda j: regimens[j].daily_dose_mg)
    return {
        "kind": policy.kind,
        "model": resolved.world(policy).spec.id if policy.kind == "model" else None,
        "shifted": list(resolved.world(policy).shifted) if policy.kind == "model" else [],
        "not_estimated": gathered.not_estimated[arm.id],
        "day": grid_of(resolved.file.visits.horizon_day),
        "on_first_line": 100.0 * row["on"] / total,
        **{name: _or_none(values) for name, values in shares.items()},
        "mean_dose_mg": _or_none(mean),
        "trough": _or_none(trough),
        "regimens": [
            {"id": regimens[j].id, "label": regimens[j].label, "daily_dose_mg": regimens[j].daily_dose_mg,
             "share": _or_none(taking[j])}
            for j in order
        ],
    }  # fmt: skip


def _or_none(values: Any) -> list[float | None]:
    return [round(float(v), 4) if np.isfinite(v) else None for v in values]
