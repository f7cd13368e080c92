"""What an interaction question found that its guards need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from troughline.response.case import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgroupFact:
    """The treatment effect in one half of the patients, as a paper prints it, with its p."""

    label: str
    effect: Interval
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LateEvents:
    """Events of a joint model, and how many came after the marker was last measured a quarter of the way.

    `last_sample` and `event_day` are median study days among those with the event.
    """

    n_events: int
    n_late: int
    last_sample: float
    event_day: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureFacts:
    """A signature's patients with every covariate among all, their events, and its worth inside and outside.

    `missing` counts the patients without a covariate, by its name, the most often missing first. Without a
    fit the numbers of its worth are None.
    """

    n_complete: int
    n_total: int
    n_events_complete: int
    n_events_total: int
    missing: tuple[tuple[str, int], ...]
    concordance_apparent: float | None = None
    concordance: Interval | None = None
    slope: Interval | None = None
    net_benefit: Interval | None = None
    threshold: float | None = None
    horizon: str = ""


@dataclass(slots=True, kw_only=True)
class InteractionFacts:
    """Facts about one interaction question; None or empty where they were not looked at.

    `no_control` says why there is no control arm. `halves` are the as-published subgroups, `pattern_chance`
    how often only one of them would be significant if both had the same effect. `cut_*` belong to a cut
    searched in these data. `subgroup_tests` are the interaction p of each subgrouping. `detectable` is the
    smallest interaction (`detectable_between` the halves of the marker, or the two levels hardest to tell
    apart) that 80 % of such studies would see, a ratio or a difference in standard deviations;
    `detectable_interval` is what was found there.
    `p_interaction` tests all columns of the marker at once, `p_trend` that of ordered levels with 1 degree of
    freedom, `p_prognostic` the marker in the control arm. `n_below` of `n_with_level` patients have a level
    below its limit, `below_how` says what the models make of them; `n_changes_below` patients have no change
    by the landmark for it. `n_published_later` patients have a sample after the start in the as-published
    value. `known_day` is the median day on which the marker was measured where that is after treatment began.
    `eventless` names arms without an event. `rate_measured` and `rate_unmeasured` are the risks of the event
    (`rate_by` when) of patients with and without the marker, `rate_p` the log-rank test between them.
    """

    word: str = "hazard ratio"
    no_control: str = ""
    arms: tuple[str, str] = ("", "")
    randomised: bool | None = None
    imbalances: tuple[tuple[str, float], ...] = ()
    interaction: Interval | None = None
    interaction_adjusted: Interval | None = None
    p_interaction: float | None = None
    halves: tuple[SubgroupFact, ...] = ()
    pattern_chance: float | None = None
    cut: float | None = None
    cut_p_naive: float | None = None
    cut_p_corrected: float | None = None
    subgroup_tests: Mapping[str, float] = field(default_factory=dict[str, float])
    p_trend: float | None = None
    p_prognostic: float | None = None
    detectable: float | None = None
    detectable_between: str = "low and high marker"
    detectable_interval: Interval | None = None
    detectable_is_ratio: bool = True
    known_day: float | None = None
    known_group: str = ""
    eventless: tuple[str, ...] = ()
    n_measured: int = 0
    n_total: int = 0
    n_below: int = 0
    n_with_level: int = 0
    below_words: str = ""
    below_how: str = ""
    n_changes_below: int = 0
    n_published_later: int = 0
    rate_measured: float | None = None
    rate_unmeasured: float | None = None
    rate_by: str = ""
    rate_p: float | None = None
    late_events: LateEvents | None = None
    signature: SignatureFacts | None = None
