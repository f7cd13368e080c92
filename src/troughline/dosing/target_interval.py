"""Troughs of one dosing interval held against a target of another: what that means, in words and numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from troughline.dosing.checks import Basis
    from troughline.dosing.patient import DosePatient
    from troughline.dosing.result import TargetResult
    from troughline.dosing.scores import Scores

_SAME_H = 1e-6


def with_interval(shown: TargetResult, patient: DosePatient) -> TargetResult:
    """A target of a trough with the dosing interval that its troughs are of, and where that comes from.

    What the patient file says comes first, then the source; where neither does, it is that of the label's
    highest daily dose, and said so. A target of an area has none.
    """
    from troughline.evidence.store import load_drug

    if shown.metric == "auc":
        return shown
    entry = patient.file.target if patient.file is not None else None
    if entry is not None and entry.interval_h is not None:
        return replace(shown, interval_h=entry.interval_h, interval_source="the patient file says so")
    if shown.interval_h is not None:
        return replace(shown, interval_source="as in the source")
    label = [r for r in load_drug(patient.drug).regimen if r.basis == "label"]
    if not label:
        return shown
    full = max(label, key=lambda r: sum(r.amounts_mg) / len(r.amounts_mg) / r.interval_h)
    return replace(
        shown, interval_h=full.interval_h,
        interval_source=f"the source gives none; that of the label's full dose, {full.label}",
    )  # fmt: skip


def exposure_per_trough(scores: Scores, k: int) -> float:
    """The median over draws of AUC in 24 h over trough of a regimen, h."""
    return float(np.median(scores.auc_24h[:, k] / np.maximum(scores.trough[:, k], 1e-12)))


def interval_note(basis: Basis, scores: Scores, k: int) -> str | None:
    """A note on a regimen whose interval is not that of the target's troughs; None where it is.

    At the same area in 24 h a trough after a longer interval is lower: by how much is told by the candidates
    themselves, where one of them has the target's interval.
    """
    if not differs(basis, k):
        return None
    said = (
        f"trough after {basis.regimens[k].interval_h:g} h, the target's after {basis.target.interval_h:g} h"
    )
    alike = _with_the_targets(basis)
    if alike is None:
        return said
    own, other = exposure_per_trough(scores, k), exposure_per_trough(scores, alike)
    return f"{said}: {_change(other / own)} at the same AUC (AUC/trough {own:.0f} h, not {other:.0f} h)"


def differs(basis: Basis, k: int) -> bool:
    """Whether a regimen's interval is another than that of the target's troughs."""
    expected = basis.target.interval_h
    return expected is not None and abs(basis.regimens[k].interval_h - expected) > _SAME_H


def interval_sentence(basis: Basis, scores: Scores, named: tuple[int, ...]) -> str | None:
    """A sentence where the answer names a regimen of another interval than the target's."""
    others = [k for k in named if differs(basis, k)]
    if not others:
        return None
    alike, target = _with_the_targets(basis), basis.target
    said = (
        f"The target is taken as one of troughs on doses every {target.interval_h:g} h "
        f"({target.interval_source}). {_begun(basis.regimens[others[0]].label)} is held against it all the "
        "same"
    )
    if alike is None:
        return said + "."
    own, other = exposure_per_trough(scores, others[0]), exposure_per_trough(scores, alike)
    return (
        f"{said}, though at the same AUC its trough is {_change(other / own)}: its troughs stand for "
        f"{'more' if own > other else 'less'} exposure."
    )


def _with_the_targets(basis: Basis) -> int | None:
    """The first candidate with the interval of the target's troughs, one of equal doses before others."""
    found = [k for k in range(len(basis.regimens)) if not differs(basis, k)]
    return min(found, key=lambda k: len(basis.regimens[k].amounts_mg), default=None)


def _begun(label: str) -> str:
    return label[0].upper() + label[1:]


def _change(ratio: float) -> str:
    return f"{abs(ratio - 1):.0%} {'lower' if ratio < 1 else 'higher'}"
