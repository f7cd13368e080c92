"""What an association question found that its guards need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from troughline.biomarker.marker_levels import Beyond


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFact:
    """One marker against one characteristic: p as published, guarded, and corrected (Holm)."""

    marker: str
    characteristic: str
    p_published: float | None
    p_guarded: float | None
    p_holm: float | None
    stage_sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    proportional_odds_p: float | None = None
    odds_failed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerFact:
    """One marker: how many have it, how many lie beyond its limits, and what is known of its reference limit.

    `missing_differs` names the characteristics in which patients without the marker differ, each with p.
    `assay_doubt` says why the values may not be what the name says.
    """

    marker: str
    n: int
    n_total: int
    n_below: int
    n_above: int = 0
    limit_origin: str = ""
    limit_text: str = ""
    missing_differs: tuple[tuple[str, float], ...] = ()
    assay_doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationFacts:
    """Everything the guards of an association question read.

    `collinear` are pairs of characteristics with their Spearman correlation; `p_dichotomised` the smallest p
    of a marker cut at its limit, with the p of the same marker kept continuous; `beyond` markers none of
    whose levels was quantified, with unit and what they say.
    """

    pairs: tuple[PairFact, ...]
    markers: tuple[MarkerFact, ...]
    collinear: tuple[tuple[str, str, float], ...] = ()
    dichotomised: tuple[tuple[str, str, float, float], ...] = ()
    beyond: tuple[tuple[str, str, Beyond], ...] = ()
