"""Guards about cut points: chosen by the data, judged by the same data, and how far they can be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troughline.response.guards.registry import Fired, guard
from troughline.response.guards.wording import both_columns, interval, number, p_value
from troughline.results import GuardSeverity

if TYPE_CHECKING:
    from troughline.response.case import Case

# A single cut is refused, and a window called wide, where the interval spans more than this factor; where
# values are not all positive a factor means nothing, and more than this share of the patients counts.
WIDEST_FACTOR = 2.0
WIDEST_SHARE = 0.5
# Two cuts are the same when they differ by less than this share.
SAME_CUT = 0.02


@guard(
    "optimal-cutpoint",
    title="Cut point chosen where these data look best",
    detects="a cut chosen to separate best in the same patients in whom it is then judged",
    absent="the cuts were fixed beforehand (`optimise = false`, or bands given)",
    remedy="Report the corrected Youden index and the interval of the cut; judge fixed published cuts "
    "instead. A cut whose interval spans more than a factor of two is no single number.",
    reference="Leeflang 2008, doi 10.1373/clinchem.2007.096032; Altman 1994, doi 10.1093/jnci/86.11.829",
    refuses="the interval of the cut spans more than a factor of two (or, where values are not all positive, "
    "half of the patients)",
    kinds=("threshold", "survival"),
)
def optimal_cutpoint(case: Case) -> Fired | None:
    """A threshold optimised in these data, or survival bands searched in them."""
    question, measured = case.question, case.measured
    if question.kind == "survival":
        if question.predictor.bands != "optimal":
            return None
        effect = ""
        if measured.cut_p_naive is not None and measured.cut_p_corrected is not None:
            effect = (
                f"Log-rank at the chosen cut {p_value(measured.cut_p_naive)}; corrected for the search "
                f"{p_value(measured.cut_p_corrected)}."
            )
        cut = measured.threshold_guarded
        if cut is not None:
            effect += f" Drawn again, the best cut lies between {number(cut.low)} and {number(cut.high)}."
        return Fired(
            finding="The cut was searched for the smallest p-value in these patients.",
            effect=effect.strip(),
            severity=GuardSeverity.REFUSAL if measured.threshold_wide else None,
        )
    if question.kind != "threshold" or not question.optimise:
        return None
    cut, wide = measured.threshold_guarded, measured.threshold_wide
    parts: list[str] = []
    if measured.youden_apparent is not None and measured.youden_corrected is not None:
        parts.append(
            f"Youden index {measured.youden_apparent:.2f} as found, "
            f"{number(round(measured.youden_corrected, 2))} expected in new patients."
        )
    if cut is not None:
        parts.append(
            f"The best cut lies between {number(cut.low)} and {number(cut.high)}: {measured.threshold_span}."
        )
    return Fired(
        finding="The cut was chosen where it separates these patients best and judged in the same patients."
        + (" Its interval is too wide for a single number, so none is given." if wide else ""),
        effect=" ".join(parts),
        severity=GuardSeverity.REFUSAL if wide else GuardSeverity.CAUTION,
    )


@guard(
    "degenerate-interval",
    title="Degenerate interval",
    detects="an interval that starts or ends at the estimate, or an AUC interval that passes 1",
    absent="the interval lies on both sides of the estimate and inside 0–1",
    remedy="Use an interval that keeps its coverage near 1: the guarded column has a score interval.",
    reference="Newcombe 2006, doi 10.1002/sim.2324",
    kinds=("threshold", "window"),
)
def degenerate_interval(case: Case) -> Fired | None:
    """A printed or computed AUC interval that cannot be a two-sided 95 % interval."""
    parts: list[str] = []
    guarded = case.measured.auc_guarded
    for printed in case.measured.printed:
        if not printed.low < printed.value < printed.high:
            end = "starts" if printed.low >= printed.value else "ends"
            parts.append(
                f"{printed.source} prints {printed.quantity} {printed.value:g} with the interval "
                f"{printed.low:.2f}–{printed.high:.2f}: an interval that {end} at its estimate allows no "
                "error on that side and cannot be a two-sided interval"
            )
    computed = case.measured.auc_published
    if computed is not None and computed.low is not None and computed.value is not None:
        if computed.low >= computed.value:
            parts.append(
                f"the DeLong interval has no width at AUC {computed.value:.2f} (perfect separation): "
                "its variance estimate is zero"
            )
        elif case.measured.auc_published_clipped:
            parts.append("the DeLong interval runs past 1 and is cut there")
    if not parts:
        return None
    text = "; ".join(parts)
    return Fired(
        finding=text[0].upper() + text[1:] + ".",
        effect=f"With coverage kept near 1: AUC {interval(guarded)}." if guarded else "",
    )


@guard(
    "double-dipping",
    title="Groups made from the data they are tested in",
    detects="survival compared between bands whose cuts were found in the same patients",
    absent="the cuts come from elsewhere",
    remedy="Compare at cuts fixed beforehand, or use exposure as it is (continuous, spline); the p-value of "
    "such bands tests nothing.",
    reference="Kriegeskorte 2009, doi 10.1038/nn.2303",
    kinds=("survival",),
    late=True,
)
def double_dipping(case: Case) -> Fired | None:
    """Bands from these data, searched in them, or equal to a cut that another question found."""
    predictor = case.asked
    if predictor.bands == "optimal":
        p = case.measured.cut_p_corrected
        paid = f": {p_value(p)} once the search is paid for" if p is not None else ""
        return Fired(
            finding="The bands were cut where these same patients differ most.",
            effect=f"The p-value between them tests nothing{paid}; read the continuous hazard ratio.",
        )
    if predictor.bands_from == "these data":
        return Fired(
            finding="The bands were cut where these same patients differ.",
            effect="The log-rank p-value of the bands is too small by an unknown amount; the continuous "
            "hazard ratio is not affected.",
        )
    if predictor.bands_from == "elsewhere" or not isinstance(predictor.bands, tuple):
        return None
    same = [
        (question_id, cut)
        for question_id, cut in case.found_cuts
        for band in predictor.bands
        if abs(band - cut) <= SAME_CUT * cut
    ]
    if not same:
        return None
    listed = ", ".join(f"{number(cut)} from “{question_id}”" for question_id, cut in same)
    return Fired(
        finding=f"The bands repeat cuts found in these same patients: {listed}.",
        effect="The log-rank p-value of the bands is too small by an unknown amount.",
    )


@guard(
    "dichotomised-predictor",
    title="A continuous level cut into groups",
    detects="a continuous predictor reduced to two or three groups",
    absent="the predictor is analysed as it is, or is a category by nature",
    remedy="Read the curve (probability at each level) or the continuous hazard ratio beside it.",
    reference="Royston 2006, doi 10.1002/sim.2331; Altman 2006, doi 10.1136/bmj.332.7549.1080",
    severity=GuardSeverity.NOTE,
    kinds=("threshold", "survival"),
)
def dichotomised_predictor(case: Case) -> Fired | None:
    """Bands or a threshold on a continuous value."""
    predictor = case.asked
    if case.predictor.group is not None or case.predictor.category:
        return None
    if case.question.kind == "survival" and predictor.bands is None:
        return None
    return Fired(
        finding="Patients just below and just above a cut are treated as different, those far apart on one "
        "side as equal.",
        effect="Information is lost; the continuous analysis is given beside the groups.",
    )


@guard(
    "direction-from-data",
    title="Direction chosen by the data",
    detects="whether a higher or a lower level counts as positive was decided by the data",
    absent="the direction is stated in the study file",
    remedy="State the direction beforehand; the corrected AUC counts the choice as part of the analysis.",
    reference="Robin 2011, doi 10.1186/1471-2105-12-77",
    kinds=("threshold",),
)
def direction_from_data(case: Case) -> Fired | None:
    """`direction = "auto"`."""
    if case.asked.direction != "auto":
        return None
    return Fired(
        finding="The direction was chosen so that the AUC is at least 0.5.",
        effect="A marker without any relation would show an AUC above 0.5 this way.",
    )


@guard(
    "incoherent-window",
    title="Two cuts that cross",
    detects="separately optimised cuts whose lower bound is not below the upper one",
    absent="the lower cut lies below the upper one",
    remedy="Estimate both bounds together from the joint posterior of benefit and toxicity.",
    reference="Overgaard 2015, doi 10.1002/psp4.12006",
    kinds=("window",),
)
def incoherent_window(case: Case) -> Fired | None:
    """As-published bounds that leave no window between them."""
    lower, upper = case.measured.window_lower_published, case.measured.window_upper_published
    if lower is None or upper is None or lower < upper:
        return None
    return Fired(
        finding=f"The cut for benefit ({number(lower)}) is not below the cut for toxicity ({number(upper)}).",
        effect=both_columns(case.measured, "estimated together"),
    )


@guard(
    "wide-window",
    title="A window too wide to be two numbers",
    detects="a bound of the window whose interval spans more than a factor of two or is not bounded, or a "
    "window that may not exist",
    absent="both bounds are known within a factor of two and the window exists with probability 0.95",
    remedy="Give the interval of each bound and the probability of being inside; collect the stated number "
    "of patients before naming a target.",
    reference="measured in benchmarks/window_coverage.py",
    refuses="a window exists with probability below 0.5",
    kinds=("window",),
)
def wide_window(case: Case) -> Fired | None:
    """Bounds that these patients do not pin down."""
    measured = case.measured
    if measured.window_lower is None or measured.window_upper is None:
        return None
    parts: list[str] = []
    for name, bound in (("lower", measured.window_lower), ("upper", measured.window_upper)):
        if bound.ratio is None or bound.ratio > WIDEST_FACTOR:
            parts.append(f"the {name} bound is {interval(bound)}")
    exists = measured.p_window_exists
    if exists is not None and exists < 0.95:
        parts.append(f"a window exists with probability {exists:.2f} only")
    if not parts:
        return None
    text = "; ".join(parts)
    needed = measured.n_to_halve
    about = "At least" if measured.n_to_halve_is_least else "About"
    return Fired(
        finding=text[0].upper() + text[1:] + ".",
        effect=f"{about} {needed:.0f} patients would halve both intervals." if needed else "",
        severity=GuardSeverity.REFUSAL if exists is not None and exists < 0.5 else GuardSeverity.CAUTION,
    )
