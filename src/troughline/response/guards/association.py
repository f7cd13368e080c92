"""Guards about markers held against stage, size and liver function at one time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troughline.response.guards.registry import Fired, guard
from troughline.response.guards.wording import count, number, p_value
from troughline.results import GuardSeverity

if TYPE_CHECKING:
    from troughline.response.case import Case
    from troughline.response.interaction_facts import InteractionFacts

KINDS = ("association",)
ALPHA = 0.05
SMALL_STAGE = 5
ONE_CONSTRUCT = 0.6
MANY_TESTS = 3
MISSING_SHARE = 0.05
BELOW_SHARE = 0.10
# Brant's test is checked once a pair; at 0.05 it would alarm too often over several pairs.
BRANT_ALARM = 0.01


@guard(
    "assay-sanity",
    title="The values may not be of the analyte named",
    detects="a marker whose values lie in the range of another analyte, or 1000-fold from its own range, or "
    "are implausible for it, judged by a table of assay ranges",
    absent="the values are of the order of the analyte's range on file, or the analyte is not on file",
    remedy="Ask the laboratory which analyte and unit the analyser reports before the marker is interpreted "
    "by name; the order of the patients, and so every rank test here, does not depend on it.",
    reference="evidence data, assays.toml, with the source of each range",
    kinds=KINDS,
)
def assay_sanity(case: Case) -> Fired | None:
    """Values against the assay table."""
    facts = case.association
    doubts = [m.assay_doubt for m in facts.markers if m.assay_doubt] if facts else []
    if not doubts:
        return None
    return Fired(
        finding=_capital(" ".join(doubts)),
        effect="Tests and correlations stay as they are; what the marker is called, and any comparison with "
        "other studies, does not.",
    )


@guard(
    "dichotomised-marker",
    title="Marker cut into low and high",
    detects="a marker tested as below or above a limit, which throws away how far",
    absent="no reference limit is given, or the marker has no stage to be tested against",
    remedy="Read the tests and correlations of the marker kept continuous; the proportion beyond the limit "
    "describes, it does not test.",
    reference="Royston 2006, doi 10.1002/sim.2331; Altman 2006, doi 10.1136/bmj.332.7549.1080",
    severity=GuardSeverity.NOTE,
    kinds=KINDS,
)
def dichotomised_marker(case: Case) -> Fired | None:
    """A χ² test of those beyond a reference limit."""
    facts = case.association
    if facts is None or not facts.dichotomised:
        return None
    named = sorted({m for m, _, _, _ in facts.dichotomised})
    pairs = [f"{m} × {c}: {p_value(cut)} cut, {p_value(p)} continuous" for m, c, cut, p in facts.dichotomised]
    return Fired(
        finding=f"{' and '.join(named)} is cut at its reference limit and tested by χ².",
        effect="; ".join(pairs[:4]) + ".",
    )


@guard(
    "chosen-reference-limit",
    title="Reference limit from these data, or from nowhere",
    detects="a limit of normality that is the median of these patients or was searched in them, or whose "
    "origin is not stated",
    absent="the limit comes from the manufacturer, own controls or a publication, or there is none",
    remedy="Take the limit of the assay's manufacturer or the percentiles of own controls, and say which "
    "(CLSI EP28); a limit searched in the patients finds what it was searched for.",
    reference="Altman 1994, doi 10.1093/jnci/86.11.829; CLSI EP28-A3c",
    kinds=KINDS,
)
def chosen_reference_limit(case: Case) -> Fired | None:
    """The origin of each reference limit."""
    facts = case.association
    if facts is None:
        return None
    own = ("median split", "optimised on these data")
    bad = [m for m in facts.markers if m.limit_origin in (*own, "not stated")]
    if not bad:
        return None
    serious = any(m.limit_origin in own for m in bad)
    said = "; ".join(f"{m.marker} {m.limit_text}: {m.limit_origin}" for m in bad)
    return Fired(
        finding=f"Origin of the reference limit: {said}.",
        effect="The share beyond a limit taken from the patients themselves is fixed by it."
        if serious
        else "Whether the share beyond the limit is high or low cannot be judged.",
        severity=GuardSeverity.CAUTION if serious else GuardSeverity.NOTE,
    )


@guard(
    "one-construct",
    title="Characteristics that are one thing",
    detects="characteristics that go together so closely that agreement with one is agreement with the other "
    f"(rank correlation {ONE_CONSTRUCT} or more): stage is made from size",
    absent="no two characteristics are so closely correlated",
    remedy="Count them as one finding; read the partial correlations adjusted for size and liver function.",
    reference="STROBE item 12, doi 10.1371/journal.pmed.0040296",
    kinds=KINDS,
)
def one_construct(case: Case) -> Fired | None:
    """Spearman correlation between characteristics."""
    facts = case.association
    close = [t for t in facts.collinear if abs(t[2]) >= ONE_CONSTRUCT] if facts else []
    if not close:
        return None
    pairs = "; ".join(f"{a} and {b} ({number(r)})" for a, b, r in close)
    adjusted = bool(case.question.adjust)
    return Fired(
        finding=f"Characteristics that go together: {pairs}.",
        effect="The tests against them are not independent confirmations."
        + ("" if adjusted else " Nothing is adjusted for: `adjust` is empty."),
        severity=GuardSeverity.NOTE if adjusted else GuardSeverity.CAUTION,
    )


@guard(
    "cross-sectional",
    title="No direction",
    detects="an association found in patients looked at once, which can be read as cause or prognosis",
    absent="no association holds after correction",
    remedy="Speak of association with stage. Prognosis needs follow-up (`survival`), cause needs more.",
    reference="STROBE item 20, doi 10.1371/journal.pmed.0040296",
    severity=GuardSeverity.NOTE,
    kinds=KINDS,
)
def cross_sectional(case: Case) -> Fired | None:
    """An association that holds, in data without time."""
    facts = case.association
    held = [p for p in facts.pairs if p.p_holm is not None and p.p_holm < ALPHA] if facts else []
    if not held:
        return None
    return Fired(
        finding=f"{count(len(held), 'association')} between values of one time: stage may lower the marker, "
        "the marker may shape the stage, or liver function both.",
        effect="No number changes.",
    )


@guard(
    "missing-marker",
    title="Marker missing in some",
    detects=f"a marker that more than {100 * MISSING_SHARE:.0f} % of the patients do not have, and whether "
    "they differ",
    absent=f"each marker is missing in no more than {100 * MISSING_SHARE:.0f} % of the patients",
    remedy="Say why it is missing; where those without it differ, what is found holds for the others alone.",
    reference="Sterne 2009, doi 10.1136/bmj.b2393; REMARK item 12, doi 10.1371/journal.pmed.1001216",
    kinds=KINDS,
)
def missing_marker(case: Case) -> Fired | None:
    """Patients without a marker."""
    facts = case.association
    if facts is None:
        return None
    lacking = [m for m in facts.markers if m.n_total and 1 - m.n / m.n_total > MISSING_SHARE]
    if not lacking:
        return None
    said = [f"{m.marker} in {m.n_total - m.n} of {m.n_total}" for m in lacking]
    differs = sorted({(c, p) for m in lacking for c, p in m.missing_differs}, key=lambda one: one[1])
    effect = "Those with and without it do not differ clearly in what was asked for."
    if differs:
        named = ", ".join(dict.fromkeys(f"{c} ({p_value(p)})" for c, p in differs[:4]))
        effect = f"Those without it differ in {named}: not missing at random."
    return Fired(finding=f"Missing: {'; '.join(said)}.", effect=effect)


@guard(
    "small-stage",
    title="A stage of very few",
    detects=f"a stage with one to {SMALL_STAGE - 1} patients",
    absent=f"every stage that occurs has at least {SMALL_STAGE} patients",
    remedy="Read the trend over all stages, not the values of that stage; join it with its neighbour only if "
    "that was planned.",
    reference="Jonckheere 1954, doi 10.1093/biomet/41.1-2.133",
    severity=GuardSeverity.NOTE,
    kinds=KINDS,
)
def small_stage(case: Case) -> Fired | None:
    """Stages with fewer than five patients."""
    facts = case.association
    if facts is None:
        return None
    small = {
        f"{pair.characteristic} {stage}: {n}"
        for pair in facts.pairs
        for stage, n in pair.stage_sizes.items()
        if 0 < n < SMALL_STAGE
    }
    if not small:
        return None
    failed = [p for p in facts.pairs if p.odds_failed]
    effect = "A mean or a proportion there rests on almost nothing; the trend test uses its rank alone."
    if failed:
        effect += f" {failed[0].marker} × {failed[0].characteristic}: {failed[0].odds_failed}."
    return Fired(finding=f"Few patients: {'; '.join(sorted(small))}.", effect=effect)


@guard(
    "family-of-tests",
    title="Many pairs, none corrected",
    detects=f"{MANY_TESTS} or more pairs of a marker and a characteristic, each tested at 0.05",
    absent=f"fewer than {MANY_TESTS} pairs",
    remedy="Read the p-value corrected over the family (Holm), or name one pair beforehand.",
    reference="Holm 1979, Scand J Stat 6:65–70",
    severity=GuardSeverity.NOTE,
    kinds=KINDS,
)
def family_of_tests(case: Case) -> Fired | None:
    """As-published significance that does not survive Holm's correction."""
    facts = case.association
    if facts is None or len(facts.pairs) < MANY_TESTS:
        return None
    lost = [
        p
        for p in facts.pairs
        if p.p_published is not None and p.p_published < ALPHA and p.p_holm is not None and p.p_holm >= ALPHA
    ]
    said = "; ".join(
        f"{p.marker} × {p.characteristic}: {p_value(p.p_published or 0.0)} as published, "
        f"{p_value(p.p_holm or 1.0)} corrected"
        for p in lost[:4]
    )
    return Fired(
        finding=f"{len(facts.pairs)} pairs were tested; {len(lost)} significant as published "
        f"{'does' if len(lost) == 1 else 'do'} not hold after correction.",
        effect=f"{said}." if said else "No finding depends on it.",
        severity=GuardSeverity.CAUTION if lost else GuardSeverity.NOTE,
    )


@guard(
    "marker-below-limit",
    title="Marker beyond its limits of quantification",
    detects=f"values below or above a limit in more than {100 * BELOW_SHARE:.0f} % of those measured; in an "
    "interaction question, any below",
    absent=f"no more than {100 * BELOW_SHARE:.0f} % lie beyond a limit; in an interaction question, none "
    "lie below",
    remedy="No mean, no half-limit: ranks and a censored regression, or, where a marker predicts, a group of "
    "its own for the values below the limit, all in the guarded column.",
    reference="Helsel 2011, ISBN 9780470479889; Tobin 1958, doi 10.2307/1907382",
    kinds=(*KINDS, "interaction"),
)
def marker_below_limit(case: Case) -> Fired | None:
    """The share of values beyond a limit, by marker."""
    if case.interaction is not None:
        return _predictive_below(case.interaction)
    facts = case.association
    low = [m for m in facts.markers if m.n and (m.n_below + m.n_above) / m.n > BELOW_SHARE] if facts else []
    if not low:
        return None
    sides = (("below", "Below the limit of quantification"), ("above", "Above the upper limit"))
    said = [
        f"{words}: " + "; ".join(f"{m.marker} {k} of {m.n} ({100 * k / m.n:.0f} %)" for m, k in counted)
        for side, words in sides
        if (counted := [(m, k) for m in low if (k := m.n_below if side == "below" else m.n_above)])
    ]
    return Fired(
        finding=f"{'. '.join(said)}.",
        effect="The as-published column puts half the limit in the place of what lies below it, and the "
        "limit of what lies above; the guarded one knows only on which side they lie.",
    )


def _predictive_below(facts: InteractionFacts) -> Fired | None:
    if not (facts.n_below or facts.n_changes_below):
        return None
    finding, effect = "", ""
    share = facts.n_below / max(facts.n_with_level, 1)
    if facts.n_below:
        finding = f"{facts.n_below} of {facts.n_with_level} levels ({100 * share:.0f} %) lie "
        finding += f"{facts.below_words}."
        effect = f"As published half the limit stands for them; guarded, {facts.below_how}."
    if facts.n_changes_below:
        finding += f" {facts.n_changes_below} changes by the landmark have a level below its limit."
        effect += " Their change is not known and they are left out of the landmark."
    return Fired(
        finding=finding.strip(),
        effect=effect.strip(),
        severity=GuardSeverity.CAUTION
        if share > BELOW_SHARE or facts.n_changes_below
        else GuardSeverity.NOTE,
    )


@guard(
    "odds-not-proportional",
    title="Odds not proportional",
    detects="one odds ratio for all cuts of the stage where the cuts differ (Brant's test, "
    f"p < {BRANT_ALARM})",
    absent="Brant's test does not alarm, or there is no ordered stage",
    remedy="Read the trend test and tau, which assume no common odds ratio.",
    reference="Brant 1990, doi 10.2307/2532457",
    kinds=KINDS,
)
def odds_not_proportional(case: Case) -> Fired | None:
    """Brant's test by pair."""
    facts = case.association
    bad = [
        p
        for p in (facts.pairs if facts else ())
        if p.proportional_odds_p is not None and p.proportional_odds_p < BRANT_ALARM
    ]
    if not bad:
        return None
    said = "; ".join(f"{p.marker} × {p.characteristic} {p_value(p.proportional_odds_p or 0.0)}" for p in bad)
    return Fired(finding=f"Brant's test: {said}.", effect="The odds ratio averages a changing effect.")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
