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


@dataclass(slots=True, kw_only=True)
class InteractionFacts:
    """Facts about one interaction question; None or empty where they were not looked at.

    `no_control` says why there is no control arm. `halves` are the as-published subgroups, `pattern_chance`
    how often only one of them would be significant if both had the same effect. `cut_*` belong to a cut
    searched in these data. `subgroup_tests` are the interaction p of each subgrouping. `detectable` is the
    smallest interaction between the upper and the lower half of the marker that 80 % of such studies would
    see: a ratio, or a difference in standard deviations. `known_day` is the median day on which the marker
    was measured where that is after treatment began. `eventless` names arms without an event. `rate_measured`
    and `rate_unmeasured` are the shares with the event of patients with and without the marker.
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
    detectable: float | None = None
    detectable_is_ratio: bool = True
    known_day: float | None = None
    known_group: str = ""
    eventless: tuple[str, ...] = ()
    n_measured: int = 0
    n_total: int = 0
    rate_measured: float | None = None
    rate_unmeasured: float | None = None
