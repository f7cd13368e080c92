"""Guards about changes of markers: what looks like an effect of the dose, and what cannot be told."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from troughline.cohort.describe import listed, readable
from troughline.response.guards.inference import is_liver_function
from troughline.response.guards.registry import Fired, guard
from troughline.response.guards.wording import count, number, p_value
from troughline.results import GuardSeverity

if TYPE_CHECKING:
    from troughline.biomarker.change_facts import BetweenFinding, ChangeFacts, GroupFinding
    from troughline.response.case import Case

CHANGE = ("change",)
ALPHA = 0.05
MANY_TESTS = 3
SMALL_GROUP = 12
SUBSTITUTED_SHARE = 0.1
UNPAIRED_SHARE = 0.05
_NAMED = 4


def _facts(case: Case) -> ChangeFacts:
    assert case.change is not None
    return case.change


def _more(words: list[str]) -> str:
    left = len(words) - _NAMED
    return "; ".join(words[:_NAMED]) + (f"; and {left} more" if left > 0 else "")


@guard(
    "significant-in-one-group",
    title="Significant in one group, not in another",
    detects="a marker that is significant (p < 0.05, uncorrected) in some groups and not in others, while "
    "the test of group × time does not show that the groups differ",
    absent="a marker is significant in all groups or in none, or group × time is itself significant",
    remedy="Compare the groups with each other: group × time, or a trend over dose; the guarded column does.",
    reference="Gelman & Stern 2006, doi 10.1198/000313006X152649",
    kinds=CHANGE,
)
def significant_in_one_group(case: Case) -> Fired | None:
    """Mixed significance without a group × time interaction, and how often one common effect gives it."""
    facts = _facts(case)
    if len(facts.group_names) < 2:
        return None
    found: list[tuple[BetweenFinding, list[GroupFinding]]] = []
    for between in facts.between:
        own = [f for f in facts.findings if (f.marker, f.occasion) == (between.marker, between.occasion)]
        p = [f.published.p_wilcoxon for f in own if f.published.p_wilcoxon is not None]
        mixed = any(x < ALPHA for x in p) and any(x >= ALPHA for x in p)
        if mixed and (between.same is None or between.same.p_value >= ALPHA):
            found.append((between, own))
    if not found:
        return None
    told: list[str] = []
    effects: list[str] = []
    for between, own in found:
        yes = [f.group for f in own if (f.published.p_wilcoxon or 1.0) < ALPHA]
        no = [f.group for f in own if f.group not in yes]
        told.append(f"{between.marker} in {listed(yes)}, not in {listed(no)}")
        same = "not computed" if between.same is None else p_value(between.same.p_value)
        text = f"{between.marker}: group × time {same}"
        pattern = between.pattern
        if pattern is not None:
            sizes = "/".join(str(f.n) for f in own)
            power = "/".join(f"{100 * x:.0f}" for x in pattern.power)
            text += (
                f"; one common effect of the size found gives, in groups of {sizes}, power of {power} %, "
                f"some groups significant and some not in {100 * pattern.mixed:.0f} % of studies, and "
                f"exactly this pattern in {100 * pattern.observed:.0f} %"
            )
        effects.append(text)
    return Fired(finding=f"Significant in some groups only: {_more(told)}.", effect=f"{_more(effects)}.")


@guard(
    "dose-by-indication",
    title="The dose was chosen for a reason",
    detects="groups that chance did not form, with covariates that differ between them (p < 0.05) and are "
    "not adjusted for, or with no covariate recorded",
    absent="`randomised = true`, or the covariates that differ between the groups are among `adjust`",
    remedy="Adjust for what decided the dose (`adjust`), or read the groups as different patients, not as "
    "different doses.",
    reference="Hernán & Robins 2016, doi 10.1093/aje/kwv254",
    kinds=CHANGE,
)
def dose_by_indication(case: Case) -> Fired | None:
    """Covariates that differ between groups which nobody randomised."""
    facts = _facts(case)
    if facts.randomised or len(facts.group_names) < 2:
        return None
    question: Any = case.question
    used = {question.group, question.dose}
    names = [c for c in case.cohort.covariates if c not in used and c in case.cohort.patients.columns]
    if not names:
        return Fired(
            finding="The groups were not formed by chance, and no covariate is recorded that could tell why "
            "each patient got this dose."
        )
    differ = {name: p for name in names if (p := _difference(case, name, facts)) is not None and p < ALPHA}
    # Any measure of liver function stands for the others: they are made of the same laboratory values.
    liver = any(is_liver_function(name) for name in question.adjust)
    open_ones = {
        name: p
        for name, p in differ.items()
        if name not in question.adjust and not (liver and is_liver_function(name))
    }
    if not open_ones:
        return None
    told = [f"{readable(n, inside=True)} ({p_value(p)})" for n, p in open_ones.items()]
    effect = ""
    adjusted = [b for b in facts.between if b.ancova is not None and b.ancova.same is not None]
    if adjusted:
        effect = "Between groups, at equal first level" + (
            f" and {listed(question.adjust)}" if question.adjust else ", unadjusted for these"
        )
        effect += ": " + _more(
            [
                f"{b.marker} {p_value(b.ancova.same.p_value)}"
                for b in adjusted
                if b.ancova is not None and b.ancova.same is not None
            ]
        )
        effect += "."
    return Fired(
        finding=f"Chance did not choose the {facts.group_label or 'group'}: the groups differ in "
        f"{_more(told)}, not adjusted for.",
        effect=effect,
    )


def _difference(case: Case, name: str, facts: ChangeFacts) -> float | None:
    """The p-value of a covariate's difference between groups: Kruskal–Wallis, or χ² for plain categories."""
    import numpy as np
    from scipy.stats import chi2_contingency, kruskal

    spec = case.cohort.covariates[name]
    raw: list[Any] = case.cohort.patients[name].tolist()
    held: dict[str, list[float]] = {}
    for patient, value in zip(case.cohort.patient_ids, raw, strict=True):
        group = facts.groups.get(patient)
        if group is None:
            continue
        if spec.levels is None:
            if isinstance(value, (int, float)) and not math.isnan(float(value)):
                held.setdefault(group, []).append(float(value))
        elif isinstance(value, str) and value in spec.levels:
            held.setdefault(group, []).append(float(spec.levels.index(value)))
    values = [np.array(v) for v in held.values()]
    if len(values) < 2 or np.ptp(np.concatenate(values)) == 0:
        return None
    if spec.levels is None or spec.ordered or len(spec.levels) == 2:
        return float(kruskal(*values).pvalue)
    seen = sorted({x for v in values for x in v.tolist()})
    table = np.array([[int((v == x).sum()) for x in seen] for v in values])
    return float(chi2_contingency(table).pvalue)


@guard(
    "regression-to-the-mean",
    title="Regression to the mean",
    detects="groups whose first levels differ (Kruskal–Wallis p < 0.05): what starts high falls by itself, "
    "so their changes are not comparable as they are",
    absent="the first levels of the groups do not differ",
    remedy="Compare the later levels at equal first level: analysis of covariance, beside the changes in the "
    "guarded column.",
    reference="Barnett 2005, doi 10.1093/ije/dyh299; Vickers & Altman 2001, doi 10.1136/bmj.323.7321.1123",
    kinds=CHANGE,
)
def regression_to_the_mean(case: Case) -> Fired | None:
    """First levels that differ between groups."""
    facts = _facts(case)
    found = [b for b in facts.between if b.baseline_p is not None and b.baseline_p < ALPHA]
    if not found:
        return None
    told = [f"{b.marker} ({p_value(b.baseline_p or 0.0)})" for b in found]
    effects: list[str] = []
    for b in found:
        if b.ancova is None or b.ancova.same is None or b.same is None:
            continue
        lost = 100 * (1 - b.ancova.baseline_slope)
        effects.append(
            f"{b.marker}: changes between groups {p_value(b.same.p_value)}, at equal first level "
            f"{p_value(b.ancova.same.p_value)}; {lost:.0f} % of a difference at the start is gone afterwards "
            "without any treatment effect"
        )
    return Fired(
        finding=f"The groups started from different levels of {_more(told)}.",
        effect=f"{_more(effects)}." if effects else "",
    )


@guard(
    "uncorrected-family",
    title="Many markers and groups, each tested",
    detects="three or more tests of markers in groups, of which a paper would print each p-value as it is",
    absent="fewer than three tests",
    remedy="Read the p-value corrected over all markers and groups, or name one marker and one group "
    "beforehand.",
    reference="Westfall & Young 1993, ISBN 978-0-471-55761-6; Holm 1979, Scand J Stat 6:65–70",
    kinds=CHANGE,
)
def uncorrected_family(case: Case) -> Fired | None:
    """How many findings the correction leaves."""
    family = [f for f in _facts(case).tested if f.published.p_wilcoxon is not None]
    m = len(family)
    if m < MANY_TESTS:
        return None
    naive = [f for f in family if (f.published.p_wilcoxon or 1.0) < ALPHA]
    kept = [f for f in naive if f.p_adjusted is not None and f.p_adjusted < ALPHA]
    lost = [f for f in naive if f not in kept]
    finding = (
        f"{m} tests, none corrected: with nothing changing at all, {100 * (1 - 0.95**m):.0f} % of such "
        "studies would have a p below 0.05 if the tests were independent."
    )
    effect = f"{len(naive)} have p < 0.05 as published, {len(kept)} of them after correction."
    if lost:
        names = [
            f"{f.marker}, {f.group} ({p_value(f.published.p_wilcoxon or 0.0)} → "
            f"{'not computed' if f.p_adjusted is None else p_value(f.p_adjusted)})"
            for f in lost
        ]
        effect += f" Lost: {_more(names)}."
    return Fired(
        finding=finding, effect=effect, severity=GuardSeverity.CAUTION if lost else GuardSeverity.NOTE
    )


@guard(
    "substituted-limit",
    title="A number in the place of “below the limit”",
    detects="levels beyond a limit of quantification, for which a paper puts half the limit",
    absent="every level of a pair was quantified",
    remedy="Tests and models that take “below 0.15” as what it is; both are in the guarded column.",
    reference="Helsel 2006, doi 10.1016/j.chemosphere.2006.04.051",
    kinds=CHANGE,
)
def substituted_limit(case: Case) -> Fired | None:
    """Levels substituted in the as-published column, by marker, and what the tests say with and without."""
    facts = _facts(case)
    beyond, all_levels = Counter[str](), Counter[str]()
    for f in facts.findings:
        beyond[f.marker] += f.published.n_substituted
        all_levels[f.marker] += 2 * f.n
    markers = [m for m in all_levels if beyond[m]]
    if not markers:
        return None
    told = [f"{m} {beyond[m]} of {all_levels[m]} ({100 * beyond[m] / all_levels[m]:.0f} %)" for m in markers]
    effects = [
        f"{f.marker}, {f.group}: {p_value(f.published.p_wilcoxon)} → {p_value(f.rank.p_value)}"
        for f in facts.findings
        if f.published.n_substituted and f.published.p_wilcoxon is not None
    ]
    worst = max(beyond[m] / all_levels[m] for m in markers)
    return Fired(
        finding=f"Levels beyond a limit: {_more(told)}.",
        effect=f"Wilcoxon's test on half the limit and the censored one, uncorrected: {_more(effects)}."
        if effects
        else "",
        severity=GuardSeverity.CAUTION if worst > SUBSTITUTED_SHARE else GuardSeverity.NOTE,
    )


@guard(
    "all-below-limit",
    title="A marker that was never measured above its limit",
    detects="a marker all of whose levels lie below (or above) the limit of quantification",
    absent="at least one level of every marker was quantified",
    remedy="Say the limit and the share that may lie above it; a p-value of such a marker says nothing.",
    reference="Clopper & Pearson 1934, doi 10.1093/biomet/26.4.404",
    kinds=("change", "association"),
)
def all_below_limit(case: Case) -> Fired | None:
    """Markers without a quantified level."""
    if case.association is not None:
        found = [(name, unit, beyond) for name, unit, beyond in case.association.beyond]
    else:
        found = [(s.marker, s.unit, s.beyond) for s in _facts(case).silent if s.beyond is not None]
    if not found:
        return None
    return Fired(
        finding=f"Never quantified: {_more([f'{name} ({beyond.reason})' for name, _, beyond in found])}.",
        effect="Left out of every test. "
        + _more([f"{name}: {beyond.words(unit)}" for name, unit, beyond in found])
        + ".",
    )


@guard(
    "small-groups",
    title="Groups too small to show that nothing changed",
    detects=f"a group with fewer than {SMALL_GROUP} pairs, or one whose pairs could not give p < 0.05 "
    "whatever they were",
    absent=f"every group has {SMALL_GROUP} pairs or more, enough of which tell a direction",
    remedy="Read the interval: “not significant” in such a group does not mean “unchanged”.",
    reference="Altman & Bland 1995, doi 10.1136/bmj.311.7003.485",
    kinds=CHANGE,
)
def small_groups(case: Case) -> Fired | None:
    """Groups in which absence of evidence is no evidence of absence, and what they could have found."""
    from troughline.biomarker.pattern import detectable_change

    facts = _facts(case)
    small = {f.group: f.n for f in facts.findings if f.n < SMALL_GROUP}
    blind = [f for f in facts.findings if f.rank.least_p >= ALPHA]
    if not small and not blind and not facts.too_small:
        return None
    parts: list[str] = []
    if small:
        who = [f"{group} ({n})" if len(facts.group_names) > 1 else str(n) for group, n in small.items()]
        parts.append(f"fewer than {SMALL_GROUP} pairs: {', '.join(who)}")
    if blind:
        names = [f"{f.marker}, {f.group} ({f.rank.n_informative} of {f.n} pairs tell)" for f in blind]
        parts.append(f"no pattern of signs could give p < 0.05 in {_more(names)}")
    if facts.too_small:
        parts.append(f"not tested: {_more(facts.too_small)}")
    effects: list[str] = []
    for b in facts.between:
        own = [f for f in facts.findings if (f.marker, f.occasion) == (b.marker, b.occasion)]
        fewest = min((f.n for f in own), default=0)
        if b.sd_of_change is None or fewest >= SMALL_GROUP or fewest < 2:
            continue
        least = detectable_change(b.sd_of_change, fewest)
        shown = f"a factor of {number(math.exp(least))}" if facts.scale == "ratio" else number(least)
        effects.append(f"{b.marker} by {shown}")
    text = "; ".join(parts)
    return Fired(
        finding=f"{text[:1].upper()}{text[1:]}.",
        effect=f"The smallest group finds with 80 % power a change of {_more(effects)} or more, before "
        "correction."
        if effects
        else "",
    )


@guard(
    "unpaired-samples",
    title="Patients without a pair",
    detects="patients who lack a level at one of the occasions, or whose two levels come from two assays",
    absent="every patient of the cohort has both levels, each pair by one assay",
    remedy="Say who has no second sample and why: those who stopped early are not like those who stayed.",
    reference="Sterne 2009, doi 10.1136/bmj.b2393",
    kinds=CHANGE,
)
def unpaired_samples(case: Case) -> Fired | None:
    """Who is left out of pairs, and for which reason."""
    facts = _facts(case)
    if not facts.unpaired:
        return None
    reasons = Counter(reason.split(":")[0] for reason in facts.unpaired.values())
    total = len(case.cohort.patient_ids)
    n = len(facts.unpaired)
    by_group = Counter(facts.groups.get(p, "no group") for p in facts.unpaired)
    where = (
        f" By group: {', '.join(f'{g} {k}' for g, k in by_group.items())}."
        if len(facts.group_names) > 1
        else ""
    )
    return Fired(
        finding=f"{n} of {count(total, 'patient')} have no pair of some marker: "
        + "; ".join(f"{k} {reason}" for reason, k in reasons.most_common())
        + "."
        + where,
        effect="They are in neither column.",
        severity=GuardSeverity.CAUTION if n / total > UNPAIRED_SHARE else GuardSeverity.NOTE,
    )


@guard(
    "batch-is-occasion",
    title="The batch changed with the occasion",
    detects="a marker whose first and later levels share no batch",
    absent="batches hold both occasions, or none is recorded",
    remedy="Measure both samples of a patient on one plate, or some of the first ones again with the later.",
    reference="Leek 2010, doi 10.1038/nrg2825",
    kinds=CHANGE,
)
def batch_is_occasion(case: Case) -> Fired | None:
    """Occasions that share no batch."""
    found = _facts(case).batches
    if not found:
        return None
    return Fired(
        finding=f"No batch holds both occasions: {_more(found)}.",
        effect="A shift between batches looks exactly like a change of the marker.",
    )
