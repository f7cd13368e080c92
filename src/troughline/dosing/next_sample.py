"""What one more level would be worth, and when to draw it: a preposterior analysis on the draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.forecast import levels_at
from troughline.dosing.level_prediction import log_density, predict_draws, with_error
from troughline.dosing.records import patient_records
from troughline.dosing.result import NextSample, SampleValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from troughline.dosing.belief import Belief, Share
    from troughline.dosing.patient import DosePatient
    from troughline.dosing.regimen import Regimen
    from troughline.dosing.scores import Scores

Floats = NDArray[np.float64]

OUTCOMES = 200
"""Levels that are imagined at each candidate time."""
DAYS = (0.0, 2.0, 7.0, 14.0)
"""When a level may be drawn: at these days after the decision, before and after a dose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """A candidate: `time_h`, and `hours_after_dose`."""

    time_h: float
    hours_after_dose: float
    label: str


def candidate_times(patient: DosePatient, regimen: Regimen | None, start_h: float) -> tuple[Time, ...]:
    """Times before a dose (a trough), and a quarter and half way through the interval, on some days."""
    interval = regimen.interval_h if regimen is not None else 24.0
    made: list[Time] = []
    for day in DAYS:
        # The dose nearest before that day; the next dose itself for today.
        cycles = round(day * 24.0 / interval)
        dose = start_h + cycles * interval
        when = "before the next dose" if day == 0 else f"in {day:g} days, before a dose"
        if regimen is None:
            when = "now, on hold" if day == 0 else f"in {day:g} days, still on hold"
        after_dose = interval if regimen is not None else dose - patient.doses[-1].time_h
        made.append(Time(time_h=dose - 1e-3, hours_after_dose=after_dose, label=when))
        if regimen is None or day not in (0.0, 7.0):
            continue
        for part in (0.25, 0.5):
            after = part * interval
            what = (
                f"{after:g} h after the next dose"
                if day == 0
                else f"in {day:g} days, {after:g} h after a dose"
            )
            made.append(Time(time_h=dose + after, hours_after_dose=after, label=what))
    return tuple(t for t in made if t.time_h >= patient.now_h - 1e-3)


def value_of_samples(
    patient: DosePatient,
    lately: DosePatient,
    belief: Belief,
    scores: Scores,
    best: int,
    regimen: Regimen | None,
    *,
    start_h: float,
    rng: np.random.Generator,
) -> NextSample:
    """The expected gain from one more level, under the regimen in force, at each candidate time.

    `lately`: the patient with the doses that still matter. A level y is imagined at draw j; the other draws
    s get weights ∝ p(y | level of s), and the regimen is chosen anew. gain = mean over j of E_w[score of
    that choice] − E_w[score of the present one]; the draw that gave the level takes no part in its own
    weights, and one half of the draws judges what the other chose, so that noise does not count as
    information. The level belongs to an occasion of its own, another than the horizon's. (Raiffa & Schlaifer
    1961, Applied Statistical Decision Theory.)
    """
    times = candidate_times(patient, regimen, start_h)
    moments = [t.time_h for t in times]
    levels = levels_at(lately, belief, regimen, moments, start_h=start_h, new_occasion=0)
    limit = _limit(patient, levels)
    # Far below the limit nothing differs: a floor keeps logarithms and errors finite.
    levels = np.maximum(levels, limit * 1e-3)
    log_trough = np.log(np.maximum(scores.trough[:, best], 1e-12))
    outcomes = np.unique(np.linspace(0, len(levels) - 1, min(OUTCOMES, len(levels))).astype(np.int64))
    noise = rng.standard_normal(len(outcomes))
    sds = _error_sds(patient, belief, levels)
    ranked = scores.ranked
    winners = ranked == ranked.max(axis=1, keepdims=True)
    made = tuple(
        _value(
            patient,
            t,
            levels[:, k],
            sds[0][:, k],
            sds[1],
            outcomes,
            noise,
            ranked,
            winners,
            best,
            log_trough,
            limit,
        )
        for k, t in enumerate(times)
    )
    top = _earliest_as_good(made)
    return NextSample(
        criterion=scores.criterion, candidates=made, best=top, sentence=_sentence(made, top, scores)
    )


def _earliest_as_good(made: Sequence[SampleValue]) -> int | None:
    """The earliest time whose gain is within two errors of the largest; None where that is no gain."""
    if not made:
        return None
    most = max(made, key=lambda one: one.gain)
    if most.gain <= 2 * most.gain_error:
        return None
    good = [k for k, one in enumerate(made) if one.gain >= most.gain - 2 * most.gain_error]
    return min(good, key=lambda k: made[k].day)


def _limit(patient: DosePatient, levels: Floats) -> float:
    """The limit of quantification of an imagined level, mg/L: of the last level that has one.

    Without any, a ten-thousandth of the highest median level, at least 1e-6 mg/L.
    """
    known = [level.limit for level in patient.levels if level.limit is not None]
    return known[-1] if known else max(1e-4 * float(np.median(levels, axis=0).max()), 1e-6)


def _value(
    patient: DosePatient, time: Time, level: Floats, sd: Floats, on_log: NDArray[np.bool_],
    outcomes: NDArray[np.int64], noise: Floats, ranked: Floats, winners: NDArray[np.bool_], best: int,
    log_trough: Floats, limit: float,
) -> SampleValue:  # fmt: skip
    y = with_error(level[outcomes], sd[outcomes], noise, on_log=on_log[outcomes])
    # Below the limit a level tells that alone, as it does where it was measured.
    y = np.where(y < limit, np.nan, y)
    limits = np.full(len(y), limit)
    # (n_draws, n_outcomes): the density of each imagined level at each draw.
    dense = np.empty((len(level), len(y)))
    for logged in (True, False):
        own = on_log == logged
        if own.any():
            dense[own] = log_density(level[own, None], sd[own, None], y, limits, on_log=logged)
    weights = np.exp(dense - dense.max(axis=0, keepdims=True))
    weights[outcomes, np.arange(len(outcomes))] = 0.0
    weights = np.nan_to_num(weights)
    gains, right, changed = _chosen_and_judged(weights, ranked, winners, best)
    weights /= np.maximum(weights.sum(axis=0, keepdims=True), 1e-300)
    mean = weights.T @ log_trough
    variance = np.maximum(weights.T @ log_trough**2 - mean**2, 0.0)
    gain, loss = float(gains.mean()), float((ranked.max(axis=1) - ranked[:, best]).mean())
    return SampleValue(
        day=time.time_h / 24.0, clock=patient.clock(time.time_h), hours_after_dose=time.hours_after_dose,
        label=time.label, gain=gain, gain_error=float(gains.std() / np.sqrt(len(gains))),
        loss_before=loss, loss_after=loss - gain,
        p_wrong_before=float(1 - winners[:, best].mean()), p_wrong_after=float(1 - right.mean()),
        p_change=float(changed.mean()),
        narrower=float(np.sqrt(variance).mean() / max(float(log_trough.std()), 1e-12)),
    )  # fmt: skip


def _chosen_and_judged(
    weights: Floats, ranked: Floats, winners: NDArray[np.bool_], best: int
) -> tuple[Floats, Floats, Floats]:
    """Of each imagined level the gain, whether the choice is right and whether it changes (n_outcomes,).

    One half of the draws chooses, the other judges, and the other way round: a choice that only follows the
    noise of the weights gains nothing.
    """
    halves = np.arange(len(ranked)) % 2 == 0
    n = int(weights.shape[1])
    rows = np.arange(n)
    gains, right, changed = np.zeros(n), np.zeros(n), np.zeros(n)
    for chooses in (halves, ~halves):
        judges = ~chooses
        a = weights[chooses] / np.maximum(weights[chooses].sum(axis=0), 1e-300)
        b = weights[judges] / np.maximum(weights[judges].sum(axis=0), 1e-300)
        expected = a.T @ ranked[chooses]
        # The present choice stands unless another is better.
        keep = expected[:, best] >= expected.max(axis=1) - 1e-12
        chosen = np.where(keep, best, expected.argmax(axis=1))
        judged = b.T @ ranked[judges]
        gains += (judged[rows, chosen] - judged[:, best]) / 2
        right += (b.T @ winners[judges].astype(np.float64))[rows, chosen] / 2
        changed += (chosen != best) / 2
    return gains, right, changed


def _error_sds(patient: DosePatient, belief: Belief, levels: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """The residual SD at levels (n_draws, n_times), and where it is of the logarithm (n_draws,)."""
    from troughline.pk.residual import residual_sd

    sds: list[Floats] = []
    logged: list[NDArray[np.bool_]] = []
    begin = 0
    for share in belief.shares:
        own = levels[begin : begin + len(share.draws)]
        begin += len(share.draws)
        error = share.working.model.spec.outputs[share.output].error
        parts = error_parts(patient, share)
        sd = residual_sd(error.kind, own.ravel(), np.tile(parts, (own.size, 1)))
        sds.append(sd.reshape(own.shape))
        logged.append(np.full(len(own), error.on_log_scale))
    return np.vstack(sds), np.concatenate(logged)


def error_parts(patient: DosePatient, share: Share) -> Floats:
    """The error's additive, proportional and power parts (3,) at the decision."""
    working = share.working
    records = patient_records(
        patient, working.chosen, working.model, ask_h=(patient.now_h,), with_levels=False
    )
    made = predict_draws(working.model, records, share.draws[:1], share.posterior.theta)[1]
    return made[0, np.flatnonzero(records.observed)[-1]]


def _sentence(made: tuple[SampleValue, ...], top: int | None, scores: Scores) -> str:
    if not made:
        return "No time for a further level lies ahead."
    if top is None:
        return (
            "No single further level is expected to change the answer to the better by a measurable amount."
        )
    best = made[top]
    most = max(made, key=lambda one: one.gain)
    lead = "is worth most" if most is best else "is worth as much as any"
    what = "utility" if scores.criterion == "utility" else "probability to be inside the target"
    return (
        f"One more level {lead} {best.label}: deciding with it raises the expected {what} by "
        f"{best.gain:.3f}; knowing this patient fully would raise it by {best.loss_before:.3f}."
    )
