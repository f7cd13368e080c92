"""What a `change` question found, in the form that its guards, tables and words need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from troughline.biomarker.ancova import Ancova
    from troughline.biomarker.change_family import Draws
    from troughline.biomarker.exposure_slope import Slope
    from troughline.biomarker.group_time import Change, Contrast
    from troughline.biomarker.marker_levels import Beyond
    from troughline.biomarker.outcome_facts import OutcomeLink
    from troughline.biomarker.paired_normal import PairedNormal
    from troughline.biomarker.paired_tests import SignTest
    from troughline.biomarker.pattern import PatternFrequency
    from troughline.biomarker.published_tests import PrintedTest
    from troughline.biomarker.shift import Shift
    from troughline.biomarker.sign_flip import PairedTest
    from troughline.biomarker.trend import Trend
    from troughline.response.predictor import PredictorValues


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a paper would print for one group: half the limit below it, ordinary paired tests.

    `mean_change` is in the marker's unit, with Student's interval; p-values are None where a test does not
    exist (fewer than two pairs, or every difference 0).
    """

    mean_change: float
    low: float | None
    high: float | None
    p_t: float | None
    p_wilcoxon: float | None
    w_wilcoxon: float | None
    n_substituted: int


@dataclass(slots=True, kw_only=True)
class GroupFinding:
    """One marker in one group between two occasions; `p_adjusted` is set once the family is known.

    `p_error` is the Monte-Carlo error of `p_adjusted`, None where nothing was drawn. `fitted` is the change
    in the Tobit mixed model, None where it has no fit or runs away. `shift`, `tobit` and `normal` are None
    where the marker was only tested, not worked out in full; `tobit` and `normal` also where their likelihood
    has no maximum.
    """

    marker: str
    unit: str
    group: str
    occasion: str
    n: int
    n_below_before: int
    n_below_after: int
    published: Published
    sign: SignTest
    rank: PairedTest
    prentice: PairedTest
    p_value: float | None
    fitted: float | None = None
    shift: Shift | None = None
    normal: PairedNormal | None = None
    tobit: Change | None = None
    p_adjusted: float | None = None
    p_error: float | None = None


@dataclass(slots=True, kw_only=True)
class BetweenFinding:
    """One marker compared between groups; a part is None where it could not be computed (`why` says it).

    `sd_of_change` and `common_change` come from the Tobit model; `baseline_p` is Kruskal–Wallis's of the
    levels at the first occasion. `exposure` is the trend of the change over the guarded exposure
    (`exposure_values`; `exposure_left_out` says who has none), `exposure_slope` its size,
    `exposure_published` what a paper would print. `in_full` is false where the marker was only tested.
    `p_adjusted` is that of group × time, corrected over the markers.
    """

    marker: str
    occasion: str
    same: Contrast | None = None
    trend: Trend | None = None
    slope: float | None = None
    slope_test: Contrast | None = None
    ancova: Ancova | None = None
    exposure: Trend | None = None
    exposure_n: int = 0
    exposure_values: PredictorValues | None = None
    exposure_left_out: str = ""
    exposure_slope: Slope | None = None
    exposure_published: PrintedTest | None = None
    exposure_published_n: int = 0
    sd_of_change: float | None = None
    common_change: float | None = None
    baseline_p: float | None = None
    pattern: PatternFrequency | None = None
    p_adjusted: float | None = None
    trend_adjusted: float | None = None
    in_full: bool = True
    why: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """A marker that cannot be analysed: why, and what its levels say all the same (`beyond`, or None)."""

    marker: str
    unit: str
    reason: str
    n_levels: int
    n_patients: int
    beyond: Beyond | None = None


@dataclass(slots=True, kw_only=True)
class ChangeFacts:
    """Everything a `change` question found. `groups` maps each patient to a group; `link` is what the changes
    say of an outcome, where the question has one; `draws` are those of Westfall–Young's correction."""

    group_label: str
    group_names: tuple[str, ...]
    groups: Mapping[str, str]
    scale: str
    correction: str
    findings: list[GroupFinding] = field(default_factory=list[GroupFinding])
    between: list[BetweenFinding] = field(default_factory=list[BetweenFinding])
    silent: list[Silent] = field(default_factory=list[Silent])
    unpaired: dict[str, str] = field(default_factory=dict[str, str])
    n_paired: int = 0
    batches: list[str] = field(default_factory=list[str])
    too_small: list[str] = field(default_factory=list[str])
    randomised: bool = False
    link: OutcomeLink | None = None
    draws: Draws | None = None

    @property
    def n_in_full(self) -> int:
        """How many markers (each with each later occasion) were worked out in full."""
        return sum(b.in_full for b in self.between)

    def worked_out(self, marker: str) -> bool:
        """Whether a marker was worked out in full at some occasion."""
        return any(b.in_full for b in self.between if b.marker == marker)

    @property
    def only_tested(self) -> bool:
        """Whether some were only tested."""
        return self.n_in_full < len(self.between)

    @property
    def tested(self) -> list[GroupFinding]:
        """The findings with a p-value: the family."""
        return [f for f in self.findings if f.p_value is not None]
