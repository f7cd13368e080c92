"""What a `change` question found about an outcome, in the form that its guards, tables and words need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from troughline.biomarker.endpoint import Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeSample:
    """What happened up to the second sample, in the patients whose outcome is known (`n_followed`).

    `n_event` had the event by their second sample, `n_ended` were followed no longer than that, `n_unsampled`
    were still at risk and have no pair of levels; for who has no second sample its median day counts.
    `median_day` is that day; `person_time` (in `unit`) is what those who are analysed had lived through
    before it, in which none of them could have had the event.
    """

    n_followed: int
    n_event: int
    n_ended: int
    n_unsampled: int
    median_day: float
    person_time: float
    unit: str


@dataclass(slots=True, kw_only=True)
class LinkFinding:
    """One marker's change up to one occasion against the outcome; every effect is a log ratio.

    `published`: responders against the others from the first dose, `n_published` patients of whom
    `n_responders` respond; `same_groups`: the same, counted from the second sample, in `n_at_risk`. `change`
    is per `step` at equal first level, from the second sample, in `n` patients with `n_events` events;
    `first_level` is the effect of the first level beside it. `n_beyond` levels lie beyond a limit; `near` and
    `far` are the effect of the change with each at its limit, and far beyond it. A part not computed is
    None and `why` says so.
    """

    marker: str
    occasion: str
    step: str
    n: int
    n_events: int
    n_at_risk: int
    n_published: int
    n_published_events: int
    n_responders: int
    before: BeforeSample
    published: Effect | None = None
    same_groups: Effect | None = None
    change: Effect | None = None
    first_level: Effect | None = None
    n_parameters: int = 2
    n_beyond: int = 0
    missing_information: float = 0.0
    near: float | None = None
    far: float | None = None
    penalised: bool = False
    p_adjusted: float | None = None
    left_out: dict[str, str] = field(default_factory=dict[str, str])
    why: list[str] = field(default_factory=list[str])


@dataclass(slots=True, kw_only=True)
class OutcomeLink:
    """The outcome of a `change` question and what every marker's change says of it.

    `failed` says why nothing could be held against it, or is empty.
    """

    label: str
    kind: Literal["survival", "binary"]
    counted_from: str
    responder: str
    unsampled: str
    findings: list[LinkFinding] = field(default_factory=list[LinkFinding])
    unknown: Mapping[str, str] = field(default_factory=dict[str, str])
    failed: str = ""
