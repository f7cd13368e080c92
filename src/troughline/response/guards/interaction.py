"""Guards about predictive markers: no control arm, one subgroup significant, searched cuts, unlike arms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troughline.cohort.describe import listed
from troughline.response.guards.inference import holm
from troughline.response.guards.registry import Fired, guard
from troughline.response.guards.wording import count, day, interval, number, p_value
from troughline.results import GuardSeverity

if TYPE_CHECKING:
    from troughline.response.case import Case

KIND = ("interaction",)
SIGNIFICANT = 0.05
MANY_SUBGROUPS = 3
LARGEST_DETECTABLE_RATIO = 2.0
LARGEST_DETECTABLE_DIFFERENCE = 0.5
UNMEASURED_SHARE = 0.10


@guard(
    "no-control-arm",
    title="No control arm",
    detects="a marker asked to tell who benefits from a treatment that every patient received",
    absent="there is a treated and a control arm",
    remedy="Call the marker prognostic at most; ask the question again where some patients were not treated.",
    reference="Ballman 2015, doi 10.1200/JCO.2015.63.3651",
    severity=GuardSeverity.REFUSAL,
    kinds=KIND,
)
def no_control_arm(case: Case) -> Fired | None:
    """One arm only: the interaction does not exist."""
    facts = case.interaction
    if facts is None or not facts.no_control:
        return None
    return Fired(
        finding=f"There is no control arm: {facts.no_control}.",
        effect="A marker of a bad course and one that tells who benefits look alike when all are treated.",
    )


@guard(
    "one-subgroup-significant",
    title="Significant in one subgroup, not in the other",
    detects="a treatment effect significant in one part of the marker and not in the other, without an "
    "interaction",
    absent="both parts agree, or the interaction itself is significant",
    remedy="Read the interaction with its interval; a difference between significant and not significant is "
    "not itself significant.",
    reference="Gelman 2006, doi 10.1198/000313006X152649; Altman 2003, doi 10.1136/bmj.326.7382.219",
    kinds=KIND,
)
def one_subgroup_significant(case: Case) -> Fired | None:
    """Some as-published subgroups below 0.05, some not, interaction p of 0.05 or more."""
    facts = case.interaction
    if facts is None or len(facts.halves) < 2 or facts.p_interaction is None:
        return None
    significant = [h for h in facts.halves if h.p_value < SIGNIFICANT]
    if not significant or len(significant) == len(facts.halves) or facts.p_interaction < SIGNIFICANT:
        return None
    said = "; ".join(f"{h.label}: {interval(h.effect)}, {p_value(h.p_value)}" for h in facts.halves)
    chance = (
        ""
        if facts.pattern_chance is None
        else f" With one common effect and these sizes, just one of the two is significant in "
        f"{100 * facts.pattern_chance:.0f} % of studies."
    )
    return Fired(
        finding=f"Effect of the treatment: {said}.",
        effect=f"The interaction has {p_value(facts.p_interaction)}.{chance}",
    )


@guard(
    "predictive-cut-searched",
    title="Cut of a predictive marker searched in the same data",
    detects="a cut of the marker chosen for the greatest difference in treatment effect",
    absent="the marker is not cut, or at its median, or at a cut given beforehand",
    remedy="Keep the marker continuous (STEPP, fractional polynomials), or test the cut in other patients.",
    reference="Royston 2006, doi 10.1002/sim.2331",
    kinds=KIND,
)
def predictive_cut_searched(case: Case) -> Fired | None:
    """`bands = "optimal"` with an interaction question."""
    facts = case.interaction
    if facts is None or facts.cut is None:
        return None
    effect = ""
    if facts.cut_p_naive is not None and facts.cut_p_corrected is not None:
        effect = (
            f"The interaction at that cut has {p_value(facts.cut_p_naive)} alone and "
            f"{p_value(facts.cut_p_corrected)} when the search is repeated in trials drawn without one."
        )
    return Fired(
        finding=f"The cut {number(facts.cut)} is the one of many at which the arms differ most.",
        effect=effect,
    )


@guard(
    "many-subgroups",
    title="Many subgroups",
    detects="three or more subgroupings, each tested for an interaction",
    absent="fewer than three subgroupings",
    remedy="Read the shrunken effects and the corrected p; name one subgrouping beforehand.",
    reference="Wang 2007, doi 10.1056/NEJMsr077003; Holm 1979, Scand J Stat 6:65–70",
    kinds=KIND,
)
def many_subgroups(case: Case) -> Fired | None:
    """Holm's correction over the subgroupings; a caution where it changes what is significant."""
    facts = case.interaction
    if facts is None or len(facts.subgroup_tests) < MANY_SUBGROUPS:
        return None
    tests = dict(facts.subgroup_tests)
    corrected = holm(tests)
    name = min(tests, key=lambda n: tests[n])
    chance = 1 - (1 - SIGNIFICANT) ** len(tests)
    lost = [n for n in tests if tests[n] < SIGNIFICANT <= corrected[n]]
    return Fired(
        finding=f"{len(tests)} subgroupings were tested: by chance alone at least one is significant in "
        f"{100 * chance:.0f} % of studies.",
        effect=f"The smallest p is that of {name}: {p_value(tests[name])} alone, {p_value(corrected[name])} "
        "corrected for all.",
        severity=GuardSeverity.CAUTION if lost else GuardSeverity.NOTE,
    )


@guard(
    "interaction-power",
    title="Only a large interaction could have been seen",
    detects="no interaction shown in a study that had 80 % power only for one of a ratio above 2 (half a "
    "standard deviation of a number) between low and high marker, or between the two levels hardest to tell "
    "apart",
    absent="the interaction is significant, or a smaller one would have been seen",
    remedy="Say which interactions the interval leaves open; do not conclude that the effect is the same.",
    reference="Brookes 2004, doi 10.1016/j.jclinepi.2003.08.009",
    kinds=KIND,
)
def interaction_power(case: Case) -> Fired | None:
    """The smallest interaction seen with 80 % power is large, and none was found."""
    facts = case.interaction
    if facts is None or facts.detectable is None or facts.p_interaction is None:
        return None
    limit = LARGEST_DETECTABLE_RATIO if facts.detectable_is_ratio else LARGEST_DETECTABLE_DIFFERENCE
    if facts.p_interaction < SIGNIFICANT or facts.detectable <= limit:
        return None
    least = (
        f"a ratio of {number(facts.detectable)} (or its inverse)"
        if facts.detectable_is_ratio
        else f"a difference of {number(facts.detectable)} standard deviations"
    )
    shown = facts.detectable_interval or facts.interaction
    return Fired(
        finding=f"With 80 % power this study sees {least} between {facts.detectable_between}, not less.",
        effect=f"The interval of the interaction, {interval(shown)}, shows what remains possible.",
    )


@guard(
    "post-baseline-marker",
    title="Marker known only after treatment began",
    detects="a marker measured, or a group formed, after treatment began, asked to tell who benefits from it",
    absent="the marker was measured before treatment, in both columns",
    remedy="Use the value before treatment; hold a later one against what follows, from a landmark "
    '(`over_time = "landmark"`), and call it prognostic.',
    reference="Anderson 1983, doi 10.1200/JCO.1983.1.11.710; Ballman 2015, doi 10.1200/JCO.2015.63.3651",
    severity=GuardSeverity.REFUSAL,
    kinds=KIND,
)
def post_baseline_marker(case: Case) -> Fired | None:
    """The marker's day lies after the first dose; a note where the as-published column alone has one."""
    facts = case.interaction
    if facts is None:
        return None
    if facts.known_day is None:
        if not facts.n_published_later:
            return None
        return Fired(
            finding="As published, the marker holds samples drawn after treatment began in "
            f"{count(facts.n_published_later, 'patient')}.",
            effect="The halves of the as-published column depend on what the treatment did to the marker; "
            'the guarded column takes the sample before it (`summary = "first"` does so in both).',
            severity=GuardSeverity.NOTE,
        )
    what = f"The group “{facts.known_group}”" if facts.known_group else "The marker"
    return Fired(
        finding=f"{what} was known on day {day(facts.known_day)} (median), after treatment began.",
        effect="Whoever had the event before is not in it, and the treatment may have changed it.",
    )


@guard(
    "joint-model-extrapolated",
    title="Joint model far beyond the last sample",
    detects="a marker last measured before a quarter of the time to the event, in most of those with it",
    absent="most of them were measured later, or there is no joint model",
    remedy='Measure until the events, or hold the change against what follows (`over_time = "landmark"`).',
    reference="Rizopoulos 2012, doi 10.1201/b12208",
    kinds=KIND,
)
def joint_model_extrapolated(case: Case) -> Fired | None:
    """The line of the marker at the events is drawn, not measured."""
    facts = case.interaction
    late = facts.late_events if facts is not None else None
    if late is None or 2 * late.n_late <= late.n_events:
        return None
    return Fired(
        finding=f"In {late.n_late} of {count(late.n_events, 'patient')} with the event the marker was last "
        "measured before a quarter of the time to it.",
        effect=f"Median last sample day {day(late.last_sample)}, median event day {day(late.event_day)}: the "
        "value at the event is that of a line drawn on.",
    )


@guard(
    "arms-not-randomised",
    title="Arms not randomised",
    detects="arms that were not randomised, or of which the study file does not say so",
    absent="`randomised = true`",
    remedy="State how the arms came about; adjust for what chose the treatment (`adjust`).",
    reference="Austin 2009, doi 10.1002/sim.3697; Hernán 2016, doi 10.1093/aje/kwv254",
    kinds=KIND,
)
def arms_not_randomised(case: Case) -> Fired | None:
    """Not randomised, with the covariates in which the arms differ."""
    facts = case.interaction
    if facts is None or facts.no_control or facts.randomised:
        return None
    said = (
        "The arms were not randomised."
        if facts.randomised is False
        else "The study file does not say whether the arms were randomised."
    )
    if facts.imbalances:
        shown = [f"{name} ({number(d)} SD)" for name, d in facts.imbalances[:4]]
        said += f" They differ in {listed(shown)}."
    effect = ""
    if facts.interaction is not None and facts.interaction_adjusted is not None:
        effect = (
            f"Interaction {interval(facts.interaction)}, adjusted {interval(facts.interaction_adjusted)}."
        )
    return Fired(
        finding=said,
        effect=effect,
        severity=GuardSeverity.CAUTION
        if facts.randomised is False or facts.imbalances
        else GuardSeverity.NOTE,
    )


@guard(
    "arm-without-events",
    title="An arm without an event",
    detects="an arm in which nobody had the event",
    absent="both arms have events",
    remedy="Follow longer, or count an event that happens; the treatment effect has no finite estimate.",
    reference="Heinze 2001, doi 10.1111/j.0006-341X.2001.00114.x",
    kinds=KIND,
)
def arm_without_events(case: Case) -> Fired | None:
    """No event in the treated or in the control arm."""
    facts = case.interaction
    if facts is None or not facts.eventless:
        return None
    return Fired(
        finding=f"Nobody in the arm {listed(list(facts.eventless))} had the event.",
        effect="Every ratio that involves this arm is zero or infinite.",
    )


@guard(
    "marker-partly-measured",
    title="Marker measured in part of the patients",
    detects="more than a tenth of the patients of the arms without the marker",
    absent="the marker is known in nine of ten patients or more",
    remedy="Say who was measured and why; compare the outcome of both; the answer holds for those measured.",
    reference="McShane 2005 (REMARK), doi 10.1038/sj.bjc.6602678",
    kinds=KIND,
)
def marker_partly_measured(case: Case) -> Fired | None:
    """The marker is missing in more than 10 %."""
    facts = case.interaction
    if facts is None or facts.n_total == 0:
        return None
    missing = facts.n_total - facts.n_measured
    if missing / facts.n_total <= UNMEASURED_SHARE:
        return None
    effect = ""
    if facts.rate_measured is not None and facts.rate_unmeasured is not None:
        both = (
            f"{100 * facts.rate_measured:.0f} % of those measured had the event, "
            f"{100 * facts.rate_unmeasured:.0f} % of the others"
        )
        effect = f"{both}."
        if facts.rate_by:
            test = f", log-rank {p_value(facts.rate_p)}" if facts.rate_p is not None else ""
            effect = f"{facts.rate_by} {both} (Kaplan–Meier{test})."
    return Fired(
        finding=f"The marker is known in {facts.n_measured} of {count(facts.n_total, 'patient')}.",
        effect=effect,
    )
