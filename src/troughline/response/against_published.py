"""A question's result held against the evidence base: what is published for the same endpoint."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from troughline.evidence.checks.roc_areas import hanley_mcneil_se
from troughline.evidence.effects import Effect
from troughline.results import Estimate, QuestionResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from troughline.evidence.comparable import Comparable, Compared
    from troughline.evidence.records import Drug
    from troughline.response.case import Case

Json = dict[str, Any]

_BY_KIND: dict[str, tuple[Compared, ...]] = {
    "threshold": ("auc", "threshold"),
    "window": ("window_lower", "window_upper"),
    "survival": ("hazard_ratio", "median_survival"),
}
_OF_A_GROUP = ("hazard_ratio", "median_survival")
NOT_POOLED = "medians depend on the setting and are not pooled: only that of the study named is tested"
REFERENCES = (
    "Box GEP 1980, prior predictive check, doi 10.2307/2982063",
    "Schuirmann DJ 1987, two one-sided tests, doi 10.1007/BF01068419",
    "Mielke M, Munk A, Schacht A 2008, share of an effect that is kept, doi 10.1002/sim.3348",
    "Schmidli H et al. 2014, robust mixture prior, doi 10.1111/biom.12242",
)
METHOD = (
    "Against what is published: z-test of the difference and one-sided tests of its size on the log scale "
    "(areas: logit scale); see docs/replication.md for the rule."
)
COMBINED = "Posterior with the published as a robust mixture prior (80 % published, 20 % vague)."
NOTHING = "Nothing published compares with these estimates"
"""How the sentence begins that says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a comparison must know beside the estimates.

    `publication` and `endpoint` are what the question names, `metric` how the level was taken (None where
    the predictor is no level of the drug), `events` and `others` the patients with and without the outcome,
    where there is one. `reconstructed_from` are the studies that the patients were made from,
    `approximate` whether from a printed summary: the former are not compared with, and the
    latter are combined with nothing.
    """

    drug: Drug
    publication: str
    endpoint: str
    metric: str | None
    level: float
    events: int | None = None
    others: int | None = None
    approximate: bool = False
    reconstructed_from: tuple[str, ...] = ()


def against_published(result: QuestionResult, case: Case, drug: Drug) -> QuestionResult:
    """The result with `replication` and the table `against-published`, where `published` names an endpoint.

    The result is unchanged where the question names none; where nothing compares, `methods` say so.
    """
    # What was printed of markers stands in a table of its own: it has no endpoint to test.
    if case.question.published is None or result.kind in ("association", "change"):
        return result
    exposure = case.predictor.exposure
    publication, _, endpoint = case.question.published.partition("/")
    return compared(
        result,
        Setting(
            drug=drug,
            publication=publication,
            endpoint=endpoint,
            metric=exposure.metric if exposure is not None and case.predictor.is_drug_level else None,
            level=case.cohort.study.study.level,
            events=case.measured.n_events,
            others=case.measured.n_non_events,
            approximate=case.cohort.approximate,
            reconstructed_from=case.cohort.reconstructed_from,
        ),
    )


def compared(result: QuestionResult, setting: Setting) -> QuestionResult:
    """The result held against every number of the evidence base that says the same.

    Compared are the numbers of all studies of the drug with the same endpoint, quantity, metric and group.
    Where there are none, `methods` say what else was published. Medians of several studies are shown and
    not pooled: that of the study named is compared.
    """
    from troughline.evidence.comparison_words import table_row
    from troughline.results import plain

    blocks = _blocks(result, setting)
    if not blocks:
        return replace(result, methods=(*result.methods, _nothing(result, setting)))
    rows: list[Json] = [plain(table_row(b)) for b in blocks]
    tested = any(b["p_difference"] is not None for b in blocks)
    combined = any(b["posterior"] is not None for b in blocks)
    methods = [METHOD] * tested + [COMBINED] * combined
    return replace(
        result,
        replication=tuple(blocks),
        tables={**result.tables, "against-published": rows},
        methods=(*result.methods, *methods),
        references=(*result.references, *REFERENCES) if tested else result.references,
    )


def _blocks(result: QuestionResult, setting: Setting) -> list[Json]:
    from troughline.evidence.comparable import NULLS
    from troughline.evidence.comparison_words import comparison_contents
    from troughline.evidence.replication import Rules, compare

    blocks: list[Json] = []
    for quantity in _BY_KIND.get(result.kind, ()):
        for estimate in _new_estimates(result, quantity):
            new = _new_effect(estimate, quantity, setting.level)
            published = _published(result, setting, quantity, estimate)
            found = [f for f in published if f.publication_id not in setting.reconstructed_from]
            if new is None or not found:
                continue
            placed = [(f, _alike(f, new, setting)) for f in found]
            tested = [e for f, e in placed if _is_tested(f, quantity, setting)]
            shown = [(e, NOT_POOLED) for f, e in placed if not _is_tested(f, quantity, setting)]
            rules = Rules(null=NULLS.get(quantity), level=setting.level, combine=not setting.approximate)
            held = compare(new, tested, rules, only_shown=shown)
            block = comparison_contents(held, name=quantity, label=estimate.label)
            flags = [*block["flags"], *_populations(found, block), *_made_from(published, setting)]
            blocks.append({**block, "flags": flags})
    return blocks


def _published(
    result: QuestionResult, setting: Setting, quantity: Compared, estimate: Estimate
) -> tuple[Comparable, ...]:
    from troughline.evidence.comparable import comparable_numbers

    group = _group(result, estimate) if quantity in _OF_A_GROUP else None
    return comparable_numbers(
        setting.drug.id, setting.endpoint, quantity, metric=setting.metric, group=group or None
    )


def _group(result: QuestionResult, estimate: Estimate) -> str:
    """The group or contrast of an estimate as a publication names it, without the covariate's name."""
    from troughline.response.questions.survival_columns import bare_label

    return bare_label(estimate.label, result.series.get("covariate"))


def _is_tested(found: Comparable, quantity: Compared, setting: Setting) -> bool:
    return quantity != "median_survival" or found.publication_id == setting.publication


def _made_from(published: Sequence[Comparable], setting: Setting) -> list[str]:
    """What patients who were reconstructed are not held against, and not combined with."""
    own = [f.effect.label for f in published if f.publication_id in setting.reconstructed_from]
    flags = [f"not compared with {name}: these patients were reconstructed from it" for name in own]
    if setting.approximate:
        flags.append("approximate patients, from a printed summary: combined with nothing")
    return flags


def _nothing(result: QuestionResult, setting: Setting) -> str:
    """Why nothing compares, with what is published of the endpoint and for whom."""
    from troughline.evidence.comparable import groups_of

    text = f"{NOTHING}, of endpoint {setting.endpoint}"
    kinds = _BY_KIND.get(result.kind, ())
    if not kinds:
        return f"{text}: a question of kind {result.kind} has none that is published."
    own = [
        label
        for quantity in kinds
        for e in _new_estimates(result, quantity)
        for label in _made_from(_published(result, setting, quantity, e), replace(setting, approximate=False))
    ]
    if own:
        return f"{text}: {'; '.join(dict.fromkeys(own))}."
    there = [
        f"{quantity.replace('_', ' ')} of {' | '.join(groups)}"
        for quantity in kinds
        for groups in [groups_of(setting.drug.id, setting.endpoint, quantity)]
        if groups
    ]
    here = dict.fromkeys(
        _group(result, e) for quantity in kinds for e in _new_estimates(result, quantity) if e.label
    )
    mine = f"; here: {' | '.join(here)}" if here else ""
    metric = "" if setting.metric is None else f", metric {setting.metric}"
    return f"{text}{metric}. Published: {'; '.join(there) or 'nothing of these kinds'}{mine}."


def _populations(found: Sequence[Comparable], block: Json) -> list[str]:
    """Who was studied, where the studies that were used are not of one population by name."""
    used = {p["label"] for p in block["published"] if p["used"]}
    listed = {f.effect.label: f.population for f in found if f.effect.label in used}
    if len(set(listed.values())) < 2:
        return []
    return ["studies pooled: " + "; ".join(f"{name}, {who}" for name, who in listed.items())]


def _new_estimates(result: QuestionResult, quantity: Compared) -> list[Estimate]:
    """The estimates to compare, one a label: guarded ones, but medians as published, from the first dose.

    The guarded medians of groups count from a landmark and say something else than a printed median does.
    """
    first = "as-published" if quantity == "median_survival" else "guarded"
    chosen: dict[str, Estimate] = {}
    for e in result.estimates:
        if e.name == quantity and e.method.startswith(first) and not e.method.endswith("printed"):
            if quantity in _OF_A_GROUP:
                chosen.setdefault(e.label, e)
            elif not e.label:
                chosen.setdefault("", e)
    return list(chosen.values())


def _new_effect(e: Estimate, quantity: Compared, level: float) -> Effect | None:
    """The new estimate as an effect; a range without a value is represented by its middle, and says so."""
    from troughline.evidence.comparable import SCALES

    scale, value, basis = SCALES[quantity], e.value, ""
    if value is None:
        if e.low is None or e.high is None or e.low <= 0.0:
            return None
        value, basis = (e.low * e.high) ** 0.5, "no single value: the middle of the range stands for it"
    try:
        return Effect(
            label="these patients", value=value, low=e.low, high=e.high, level=e.level or level, scale=scale,
            basis=basis, unit=e.unit, n=e.n, source=e.method,
        )  # fmt: skip
    except ValueError:
        # An area of 1, or an interval that does not hold its estimate, has no place on the scale.
        return None


def _alike(found: Comparable, new: Effect, setting: Setting) -> Effect:
    """The published effect in the new one's unit, an area without a usable interval with one from its n."""
    from troughline.units import convert, same_unit

    effect = found.effect
    if not same_unit(effect.unit, new.unit):
        factor = float(
            convert(1.0, effect.unit, new.unit, molar_mass_g_per_mol=setting.drug.molar_mass_g_per_mol)
        )
        effect = replace(
            effect, value=effect.value * factor, low=None if effect.low is None else effect.low * factor,
            high=None if effect.high is None else effect.high * factor,
        )  # fmt: skip
    effect = replace(effect, unit=new.unit)
    return _with_area_error(effect, setting) if effect.scale == "logit" else effect


def _with_area_error(effect: Effect, setting: Setting) -> Effect:
    from troughline.evidence.effects import on_scale

    try:
        on_scale(effect)
    except ValueError:
        events, others = setting.events, setting.others
        if effect.n is None or not events or not others:
            return effect
        cases = min(max(round(effect.n * events / (events + others)), 1), effect.n - 1)
        se = hanley_mcneil_se(effect.value, cases, effect.n - cases)
        return replace(
            effect,
            se=se / (effect.value * (1.0 - effect.value)),
            basis=f"no usable interval printed: standard error of Hanley and McNeil, with the same share of "
            f"events as here assumed ({cases} of {effect.n})",
        )
    return effect
