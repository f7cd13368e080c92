"""What the answer would be if exposure rose in proportion to the dose, where a model says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.recommend import choose, labels_in_words
from troughline.dosing.result import IfProportional, ProportionalRow
from troughline.dosing.scores import score
from troughline.dosing.sentence import probability_in_words
from troughline.dosing.steady import NONLINEAR, dose_acts_elsewhere, names_with_dose
from troughline.pk.posterior import generator_of
from troughline.pk.quantities import bioavailability

if TYPE_CHECKING:
    from troughline.dosing.belief import Belief, Share
    from troughline.dosing.checks import Basis
    from troughline.dosing.forecast import Forecast
    from troughline.dosing.patient import DosePatient
    from troughline.dosing.recommend import Choice, Rules
    from troughline.dosing.regimen import Regimen
    from troughline.dosing.scores import Scores

Floats = NDArray[np.float64]


def if_proportional(
    patient: DosePatient, basis: Basis, belief: Belief, made: Sequence[Forecast], scores: Scores,
    choice: Choice, rules: Rules, *, current: int | None,
) -> IfProportional | None:  # fmt: skip
    """The choice among the same draws with a bioavailability that does not depend on the amount.

    The last level says what is taken up of the dose before it, a₀ mg; with F the bioavailability of a draw,
    a regimen of amounts aⱼ then gives Σ aⱼ F(a₀)/Σ aⱼ F(aⱼ) times the trough and the area, since both are
    proportional to what is taken up. Doses before the decision are left as they are: what remains of them
    at the horizon is small. None without a level, without a model whose bioavailability alone depends on
    the amount, and where all amounts are a₀.
    """
    levels = patient.used_levels
    before = [d for d in patient.doses if levels and d.time_h < levels[-1].time_h]
    shares = [s for s in belief.shares if _depends(s)]
    if not before or not shares:
        return None
    anchor = before[-1].amount_mg
    if all(a == anchor for r in basis.regimens for a in r.amounts_mg):
        return None
    changed = [_scaled(f, belief, anchor) for f in made]
    options = patient.options
    other = score(
        changed, basis.limits, basis.curves, options.utility, effective=belief.effective,
        rng=generator_of(options.seed, patient.id, "scores"),
    )  # fmt: skip
    daily = [r.daily_dose_mg for r in basis.regimens]
    then = choose(other, basis.limits, daily, rules, current=current)
    shown = sorted({*choice.among, *then.among} | (set() if current is None else {current}))
    same = _same(choice, then)
    models = labels_in_words([s.working.model.id for s in shares])
    proportion = (
        f"{models} lets exposure rise less than in proportion to the dose. If it rose in proportion, from "
        f"the {anchor:g} mg taken before the last level,"
    )
    then_said = "the answer would be the same" if same else _in_words(basis.regimens, other, then)
    return IfProportional(
        anchor_mg=anchor,
        answer=then.answer,
        among=tuple(basis.regimens[k].id for k in then.among),
        same=same,
        rows=tuple(_row(basis.regimens[k], scores, other, k) for k in shown),
        text=f"{proportion} {then_said}.",
    )


def _depends(share: Share) -> bool:
    model = share.working.model
    names = names_with_dose(model)
    given = [i.bioavailability.names for i in model.spec.inputs if i.bioavailability is not None]
    if model.compiled.kind == NONLINEAR or dose_acts_elsewhere(model):
        return False
    return any(g & names for g in given)


def _scaled(forecast: Forecast, belief: Belief, anchor_mg: float) -> Forecast:
    factors = [_factor(share, forecast, anchor_mg) for share in belief.shares]
    factor = np.concatenate(factors)
    return replace(forecast, trough=forecast.trough * factor, auc_24h=forecast.auc_24h * factor)


def _factor(share: Share, forecast: Forecast, anchor_mg: float) -> Floats:
    """What proportionality multiplies a regimen's exposure by (n_draws,)."""
    if not _depends(share):
        return np.ones(len(share.draws))
    model, regimen = share.working.model, forecast.regimen
    within = model.compiled.n_occasion
    effects = np.hstack(
        [share.draws[:, : model.compiled.n_subject], share.draws[:, share.draws.shape[1] - within :]]
    )
    amounts = np.array([anchor_mg, *regimen.amounts_mg])[:, None]
    part = bioavailability(
        model.spec, effects, share.records.covariates[-1], share.posterior.theta, dose_mg=amounts,
        time_h=forecast.end_h, interval_h=regimen.interval_h,
    )[0]  # fmt: skip
    part = np.broadcast_to(part, (len(amounts), len(effects)))
    taken: Floats = (amounts[1:] * part[1:]).sum(axis=0)
    return float(sum(regimen.amounts_mg)) * part[0] / taken


def _same(now: Choice, then: Choice) -> bool:
    if now.answer != then.answer:
        return False
    if now.answer == "not distinguished":
        return set(now.among) == set(then.among)
    return now.best == then.best


def _in_words(regimens: Sequence[Regimen], scores: Scores, then: Choice) -> str:
    labels = labels_in_words([regimens[k].label for k in sorted(then.among)])
    if then.answer == "target not reached":
        return f"no feasible regimen would reach the target, and {regimens[then.best].label} would be nearest"
    if then.answer == "not distinguished":
        return f"the evidence would not distinguish {labels}"
    p = probability_in_words(float(scores.inside[:, then.best].mean()))
    return f"the answer would be {regimens[then.best].label} (inside with probability {p})"


def _row(regimen: Regimen, scores: Scores, other: Scores, k: int) -> ProportionalRow:
    return ProportionalRow(
        regimen=regimen.id, label=regimen.label,
        trough=float(np.median(scores.trough[:, k])), p_in=float(scores.inside[:, k].mean()),
        trough_if_proportional=float(np.median(other.trough[:, k])),
        p_in_if_proportional=float(other.inside[:, k].mean()),
    )  # fmt: skip
