"""What a `change` question says: its summary, its methods, its references."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from troughline.biomarker.change_family import undecided
from troughline.response.guards.wording import count, number, p_value, unit_text
from troughline.response.questions.parts import model_methods

if TYPE_CHECKING:
    from troughline.biomarker.change_facts import BetweenFinding, ChangeFacts, GroupFinding, Silent
    from troughline.cohort.question_change import ChangeQuestion
    from troughline.response.predictor import PredictorValues

TESTS = {
    "signed-rank": "the signed-rank test for censored pairs (Pratt's zeros)",
    "prentice-wilcoxon": "the paired Prentice–Wilcoxon test",
    "sign": "the sign test",
    "tobit": "the Tobit mixed model",
}
CORRECTIONS = {
    "westfall-young": "Westfall–Young (step-down, before and after exchanged in whole patients)",
    "holm": "Holm",
    "benjamini-hochberg": "Benjamini–Hochberg (the expected share of false findings)",
}


def summary(facts: ChangeFacts, question: ChangeQuestion) -> str:
    """What changed and what did not, corrected before uncorrected, and what cannot be said."""
    family = facts.tested
    held = [f for f in family if f.p_adjusted is not None and f.p_adjusted < 0.05]
    naive = [f for f in facts.findings if (f.published.p_wilcoxon or 1.0) < 0.05]
    several = len(facts.group_names) > 1
    told = (
        "; ".join(_change(f, facts, several) for f in held[:6]) + ("; …" if len(held) > 6 else "")
        if held
        else ""
    )
    text = f"Of {count(len(family), 'test')}, corrected for all of them, "
    text += f"{len(held) or 'none'} {'show' if len(held) > 1 else 'shows'} a change"
    text += f": {told}." if told else "."
    text += f" As published, uncorrected, {len(naive)} of {len(facts.findings)} have p < 0.05."
    text += undecided(facts)
    if facts.only_tested:
        text += (
            f" Worked out in full, with intervals: the {facts.n_in_full} of {len(facts.between):,} with the "
            "smallest p-values; the others were tested only (table within-groups)."
        )
    text += _between(facts) if several else ""
    text += _over_exposure(facts)
    for s in facts.silent:
        text += f" {silent_words(s)}"
    if facts.too_small:
        text += f" Not tested: {'; '.join(facts.too_small)}."
    return text


def _change(f: GroupFinding, facts: ChangeFacts, several: bool) -> str:
    """`sTNF-R, 400: × 1.25 (1.10–1.42), p = 0.01`."""
    place = f"{f.marker}, {f.group}" if several else f.marker
    ratio = facts.scale == "ratio"
    if f.shift is None:
        return f"{place}, {p_value(f.p_adjusted or 0.0)}"

    def shown(x: float) -> str:
        if not math.isfinite(x):
            return "unbounded"
        return number(math.exp(x) if ratio else x)

    size = f"{'× ' if ratio else ''}{shown(f.shift.value)}{'' if ratio else unit_text(f.unit)}"
    if math.isnan(f.shift.value):
        size = ("a rise" if f.rank.z > 0 else "a fall") + " whose size is not bounded"
    span = f" ({shown(f.shift.low)} to {shown(f.shift.high)})"
    return f"{place} {size}{span}, {p_value(f.p_adjusted or 0.0)}"


def _between(facts: ChangeFacts) -> str:
    known = [b for b in facts.between if b.same is not None]
    if not known:
        return ""
    differ = [b for b in known if b.p_adjusted is not None and b.p_adjusted < 0.05]
    if differ:
        text = f" The change differs between the groups for {_names(differ)}"
        text += f" ({'; '.join(p_value(b.p_adjusted or 0.0) for b in differ)}, corrected)."
    else:
        smallest = min(b.p_adjusted or 1.0 for b in known)
        text = (
            " That it differs between the groups is not shown for any marker (group × time, smallest "
            f"corrected {p_value(smallest)}): significant in one group and not in another is no difference."
        )
    trends = [b for b in facts.between if b.trend is not None]
    if trends:
        rising = [b for b in trends if b.trend_adjusted is not None and b.trend_adjusted < 0.05]
        text += (
            f" Trend over dose: {_names(rising)}."
            if rising
            else " No trend over dose holds after correction."
        )
    return text


def _over_exposure(facts: ChangeFacts) -> str:
    """Which changes go with the measured exposure, p-values as they are."""
    known = sorted(
        (b for b in facts.between if b.exposure is not None),
        key=lambda b: 1.0 if b.exposure is None else b.exposure.p_value,
    )
    none = [b for b in facts.between if b.exposure is None and b.exposure_left_out]
    left_out = f" No exposure up to the later level: {_names(none)}." if none else ""
    if not known:
        return left_out
    told = [f"{b.marker} {p_value(b.exposure.p_value)}" for b in known if b.exposure is not None]
    more = "; …" if len(told) > 6 else ""
    return f" Trend of the change over the exposure, uncorrected: {'; '.join(told[:6])}{more}.{left_out}"


def _names(found: list[BetweenFinding]) -> str:
    return ", ".join(dict.fromkeys(b.marker for b in found))


def silent_words(s: Silent) -> str:
    """What can still be said of a marker that cannot be analysed."""
    said = "" if s.beyond is None else f" What can be said: {s.beyond.words(s.unit)}."
    return f"{s.marker} is not analysable: {s.reason}.{said}"


def methods(facts: ChangeFacts, question: ChangeQuestion, exposure: PredictorValues | None) -> list[str]:
    """How both columns came about, as sentences."""
    first = question.occasion_names[0]
    ratio = question.scale == "ratio"
    drawn = "" if facts.draws is None else f" ({facts.draws.words})"
    lines = [
        f"Pairs: the first level of a patient at each occasion, each later one against “{first}”; both by "
        "one assay.",
        "As published: half the limit in the place of levels below it (the limit for levels above), "
        "Student's and Wilcoxon's paired tests within each group, nothing corrected.",
        f"Guarded: {TESTS[question.test]} enters the family of {count(len(facts.tested), 'test')}, corrected "
        f"by {CORRECTIONS[question.correction]}{drawn}; levels beyond a limit count as what they are, and "
        "the two levels of a pair are seen through the same limit. Up to 16 informative pairs the tests are "
        "exact, with mid-p values; beyond, normal.",
        f"The {'ratio' if ratio else 'difference'} is Hodges–Lehmann's, its interval the values that the "
        "signed-rank test accepts; beside it that of a Tobit mixed model (random intercept, group × time, "
        f"one pair of standard deviations{', log scale' if ratio else ''}) with profile-likelihood "
        "intervals, likelihood ratios read as F.",
    ]
    permuted = f"by {question.permutations:,} permutations"
    if facts.only_tested:
        permuted = "by the normal law"
        lines.append(
            f"Of {len(facts.between):,} markers and occasions the {facts.n_in_full} with the smallest p "
            "of any test were worked out in full (`in_full`): Hodges–Lehmann's and the Tobit model's "
            "intervals, the paired normal test, analysis of covariance, slopes, figures"
            + (", the outcome" if question.outcome is not None else "")
            + ". The others have every rank test, the size in the Tobit model and group × time, in the "
            "tables. Chosen by their p-values, the sizes of those worked out run high (the winner's curse)."
        )
    if len(facts.group_names) > 1:
        lines.append(
            "Between groups: group × time in the same model, analysis of covariance on the first level with "
            "both levels censored"
            + (f", adjusted for {', '.join(question.adjust)}" if question.adjust else "")
            + ", and where the groups are ordered Jonckheere–Terpstra's test of the changes, exact without "
            f"ties, otherwise {permuted}; corrected over the markers."
        )
    if exposure is not None:
        lines.append(
            f"Over exposure: Kendall's test of the changes against {exposure.label}, {exposure.chosen}, "
            f"{permuted}; the size per doubling by a line through the changes in the Tobit mixed model, "
            "likelihood ratios read as F. As published: Spearman's correlation."
        )
        lines += model_methods(exposure, propagated=False)
    return lines


def references(question: ChangeQuestion) -> list[str]:
    """The sources of the methods used."""
    found = [
        "Helsel 2011, Statistics for Censored Environmental Data, doi 10.1002/9781118162729",
        "Pratt 1959, doi 10.1080/01621459.1959.10501526",
        "O'Brien & Fleming 1987, doi 10.2307/2531957",
        "Hodges & Lehmann 1963, doi 10.1214/aoms/1177704172",
        "Thiébaut & Jacqmin-Gadda 2004, doi 10.1016/j.cmpb.2003.08.004",
        "Jonckheere 1954, doi 10.1093/biomet/41.1-2.133",
    ]
    if question.correction == "westfall-young":
        found.append("Ge, Dudoit & Speed 2003, doi 10.1007/BF02595811")
    elif question.correction == "benjamini-hochberg":
        found.append("Benjamini & Hochberg 1995, doi 10.1111/j.2517-6161.1995.tb02031.x")
    else:
        found.append("Holm 1979, Scand J Stat 6:65–70")
    return found
