"""The rows of an answer: every regimen with its probabilities, and what is recommended."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.candidates import card, same_regimen
from troughline.dosing.level_rows import spread_of
from troughline.dosing.recommend import Rules, labels_in_words, rules_in_words
from troughline.dosing.result import RecommendationResult, RegimenResult, SteadyTime
from troughline.dosing.sentence import lead_in_words
from troughline.dosing.target_interval import exposure_per_trough, interval_note
from troughline.dosing.tolerance import at_or_below
from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from troughline.dosing.checks import Basis
    from troughline.dosing.patient import DosePatient
    from troughline.dosing.recommend import Choice
    from troughline.dosing.regimen import Regimen
    from troughline.dosing.scores import Scores
    from troughline.evidence.records import Drug

Floats = NDArray[np.float64]

UNCHANGED = ("no level", "level in doubt")
"""Answers that propose no change and name nothing but the regimen in force."""


def regimen_rows(
    patient: DosePatient, basis: Basis, scores: Scores, choice: Choice, steady: Sequence[Floats]
) -> tuple[RegimenResult, ...]:
    """A row of each regimen; `steady`: each regimen's days to steady levels (n_draws,)."""
    from troughline.evidence.store import load_drug

    drug = load_drug(patient.drug)
    return tuple(
        _regimen(patient, drug, basis, k, scores, choice, steady[k]) for k in range(len(basis.regimens))
    )


def _regimen(
    patient: DosePatient, drug: Drug, basis: Basis, k: int, scores: Scores, choice: Choice, days: Floats
) -> RegimenResult:
    regimen, level = basis.regimens[k], patient.options.level
    effective = max(min(scores.effective, len(scores.inside)), 1.0)
    p_in = float(scores.inside[:, k].mean())
    toxicity, benefit = _mean(scores.toxicity, k, level), _mean(scores.benefit, k, level)
    utility = _mean(scores.utility, k, level)
    error = None if scores.utility is None else float(scores.utility[:, k].std() / math.sqrt(effective))
    low, median, high = (float(v) for v in np.quantile(days, [(1 - level) / 2, 0.5, (1 + level) / 2]))
    current = patient.regimen is not None and same_regimen(regimen, patient.regimen)
    interval = interval_note(basis, scores, k)
    note = "the regimen in force: what is left is its own approach to steady levels" if current else ""
    return RegimenResult(
        regimen=card(regimen, patient, drug),
        trough=spread_of(scores.trough[:, k], level, "mg/L"),
        auc=spread_of(scores.auc_24h[:, k], level, "mg*h/L"),
        p_below=float(scores.below[:, k].mean()),
        p_in=p_in,
        p_above=float(scores.above[:, k].mean()),
        p_error=float(scores.inside[:, k].std()) / math.sqrt(effective),
        p_in_as_printed=float(scores.inside_as_printed[:, k].mean()),
        p_toxicity=toxicity[0], p_toxicity_low=toxicity[1], p_toxicity_high=toxicity[2],
        p_benefit=benefit[0], p_benefit_low=benefit[1], p_benefit_high=benefit[2],
        utility=utility[0], utility_error=error, utility_low=utility[1], utility_high=utility[2],
        p_best=float(choice.p_best[k]),
        auc_over_trough_h=exposure_per_trough(scores, k),
        time_to_steady=SteadyTime(days=median, low=low, high=high, note=note),
        notes=(*_notes(patient, regimen, drug), *([] if interval is None else [interval])),
    )  # fmt: skip


def _mean(draws: Any, k: int, level: float) -> tuple[float | None, float | None, float | None]:
    if draws is None:
        return None, None, None
    low, high = (float(v) for v in np.quantile(draws[:, k], [(1 - level) / 2, (1 + level) / 2]))
    return float(draws[:, k].mean()), low, high


def _notes(patient: DosePatient, regimen: Regimen, drug: Drug) -> tuple[str, ...]:
    made = [f"the patient had {t.words}" for t in at_or_below(patient, regimen)]
    if regimen.basis == "above label":
        made.append("above the label's dose; offered because the file allows it")
    if regimen.basis == "practice":
        made.append("not a step of the label in this indication")
    if not regimen.verified:
        made.append("its source was not verified")
    if any(a % drug.tablet_strength_mg for a in regimen.amounts_mg):
        made.append(f"not in whole tablets of {drug.tablet_strength_mg:g} mg")
    return tuple(made)


def rules_of(patient: DosePatient, scores: Scores) -> Rules:
    """The limits of the rules for a patient; the least lead of utility is in units of its larger weight."""
    options = patient.options
    unit = max(options.utility.benefit, options.utility.toxicity) if scores.criterion == "utility" else 1.0
    return Rules(reach=options.reach, least_lead=options.least_lead * unit, indistinct=options.indistinct)


def report_choice(patient: DosePatient, choice: Choice, regimens: Sequence[Regimen], found: Findings) -> None:
    """Warn where regimens could not be ranked, or where more draws would tell more."""
    file = patient.path.name if patient.path is not None else "patient"
    if choice.one_sided:
        found.add(
            Severity.WARNING, "one-sided-target",
            "the target has one limit and there are no curves of both toxicity and benefit: P(in) only "
            "grows, or only falls, with the dose, so regimens are not ranked and no further level is valued",
            file=file, column="target",
        )  # fmt: skip
    if choice.nearly and choice.answer not in UNCHANGED:
        found.add(
            Severity.WARNING, "more-draws",
            f"{patient.options.draws} draws do not settle whether the target is reached: the largest P(in) "
            f"with the limits as printed is {choice.p_reach:.2f}; more draws are needed",
            file=file, column="options.draws",
        )  # fmt: skip
    if choice.unresolved:
        others = labels_in_words([regimens[k].label for k in choice.unresolved])
        found.add(
            Severity.WARNING, "more-draws",
            f"{patient.options.draws} draws do not settle {others} against {regimens[choice.best].label}: "
            "more draws are needed", file=file, column="options.draws",
        )  # fmt: skip


def recommendation_row(
    basis: Basis, scores: Scores, choice: Choice, rules: Rules, current: int | None
) -> RecommendationResult:
    """The recommendation: what is not told apart, or rests on no level, is no reason to change."""
    named: int | None = choice.best
    if choice.answer == "not distinguished":
        named = current if current is not None and current in choice.among else None
    if choice.answer in UNCHANGED:
        named = current
    return RecommendationResult(
        answer=choice.answer,
        regimen=None if named is None else basis.regimens[named].id,
        among=() if choice.answer in UNCHANGED else tuple(basis.regimens[k].id for k in choice.among),
        criterion=scores.criterion,
        margin=choice.margin,
        margin_error=choice.margin_error,
        p_best=None if choice.one_sided else float(choice.p_best[choice.best]),
        sentence=lead_in_words(scores, choice, basis),
        rules=rules_in_words(scores, choice, rules),
        ranked=not choice.one_sided,
    )
