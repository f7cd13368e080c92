"""What a published study printed about the markers of a question, beside what these patients give."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from troughline.response.guards.wording import number, p_value, unit_text

if TYPE_CHECKING:
    from troughline.biomarker.association_pair import PairResult
    from troughline.biomarker.change_facts import ChangeFacts, GroupFinding
    from troughline.biomarker.family import Family
    from troughline.biomarker.markers import CharacteristicColumn, MarkerColumn
    from troughline.results import Json

ALPHA = 0.05
_SIZES = ("mean", "median", "proportion")


def printed_changes(study: str, facts: ChangeFacts) -> list[Json]:
    """One row for each change that the study printed of a marker here: its direction, and those found here.

    An arm of the study is the group whose name begins the arm's label or dose (`200 mg` and `200 mg/day`); a
    change printed for all patients stands beside the only group, where there is one.
    Raises `ValueError` for an unknown study.
    """
    from troughline.evidence.store import load_publication

    published = load_publication(study)
    here = {f.marker.casefold() for f in facts.findings} | {s.marker.casefold() for s in facts.silent}
    rows: list[Json] = []
    for one in published.biomarker:
        if one.change is None or one.marker.casefold() not in here:
            continue
        group = ""
        if one.arm is not None:
            arm = published.arm_of(one.arm)
            group = _group(facts.group_names, (arm.label or "", arm.dose or ""))
        elif len(facts.group_names) == 1:
            group = facts.group_names[0]
        found = [
            f for f in facts.findings if (f.marker.casefold(), f.group) == (one.marker.casefold(), group)
        ]
        rows.append(
            {
                "marker": one.marker,
                "group": group or (one.arm or "all patients"),
                "printed": one.change,
                "printed_p": one.p_value or "",
                "as_published_here": "; ".join(_as_published(f) for f in found) or _silent(facts, one.marker),
                "guarded_here": "; ".join(_guarded(f) for f in found) or _silent(facts, one.marker),
                "source": _source(published.id, one),
            }
        )
    return rows


def _group(names: Sequence[str], printed: tuple[str, ...]) -> str:
    for name in names:
        if any(re.match(rf"{re.escape(name.casefold())}(?![\w.])", p.casefold()) for p in printed):
            return name
    return ""


def _as_published(f: GroupFinding) -> str:
    p = f.published.p_wilcoxon
    return _direction(p, f.published.mean_change)


def _guarded(f: GroupFinding) -> str:
    return _direction(f.p_adjusted, f.rank.z)


def _direction(p: float | None, sign: float) -> str:
    if p is None:
        return "not tested"
    return f"{'none' if p >= ALPHA else 'increase' if sign > 0 else 'decrease'} ({p_value(p)})"


def _silent(facts: ChangeFacts, marker: str) -> str:
    for s in facts.silent:
        if s.marker.casefold() == marker.casefold():
            return "undetectable" if s.beyond is not None and s.beyond.side == "below" else s.reason
    return "no such group here"


def _source(study: str, one: Any) -> str:
    return f"{study}, {one.where}" + ("" if one.verified else ", not verified")


def printed_associations(
    study: str,
    markers: Sequence[MarkerColumn],
    characteristics: Mapping[str, CharacteristicColumn],
    found: Mapping[tuple[str, str], PairResult],
    family: Family[tuple[str, str]],
) -> list[Json]:
    """One row for each thing the study printed of a marker here: sizes, shares beyond a limit, relations.

    A number belongs to a marker that its label names as a word. Raises `ValueError` for an unknown study.
    """
    from troughline.evidence.store import load_publication

    published = load_publication(study)
    rows: list[Json] = []
    for m in markers:
        name = re.compile(rf"(?<![\w-]){re.escape(m.label)}(?![\w-])", re.IGNORECASE)
        for one in published.number:
            if one.quantity not in _SIZES or one.endpoint == "reference" or not name.search(one.label):
                continue
            spread = f" (SD {number(one.sd)})" if one.sd is not None else ""
            rows.append(
                {
                    "marker": m.label,
                    "what": one.label,
                    "printed": f"{number(one.value)}{unit_text(one.unit or '1')}{spread}",
                    "here": _size(m, one.quantity),
                    "source": _source(published.id, one),
                }
            )
        for one in published.biomarker:
            if one.marker.casefold() != m.label.casefold():
                continue
            cut = (
                f"{one.cutoff_side} {one.cutoff:g}{unit_text(one.unit or '1')}"
                if one.cutoff is not None
                else ""
            )
            rows.append(
                {
                    "marker": m.label,
                    "what": one.label,
                    "printed": cut or (one.p_value and f"p {one.p_value}") or "said, no number",
                    "here": _limit(m) if cut else _relations(m, characteristics, found, family),
                    "source": _source(published.id, one),
                }
            )
    return rows


def _size(m: MarkerColumn, quantity: str) -> str:
    values = m.substituted[m.known]
    if quantity == "proportion":
        return _share(m)
    if not values.size:
        return "no value"
    if quantity == "median":
        low, high = m.median(m.known)
        return "beyond a limit" if low is None or high is None else f"{number(low)}{unit_text(m.unit)}"
    spread = f" (SD {number(float(values.std(ddof=1)))})" if values.size > 1 else ""
    return f"{number(float(values.mean()))}{unit_text(m.unit)}{spread}"


def _share(m: MarkerColumn) -> str:
    from troughline.biomarker.association_view import beyond_limit

    known, beyond = beyond_limit(m)
    n = int(known.sum())
    if m.asked.reference is None or not n:
        return "no reference limit is given"
    return f"{100 * int(beyond.sum()) / n:.1f} % ({int(beyond.sum())} of {n})"


def _limit(m: MarkerColumn) -> str:
    reference = m.asked.reference
    if reference is None:
        return "no reference limit is given"
    return f"{'<' if reference.side == 'below' else '>'} {reference.limit:g}{unit_text(m.unit)}: {_share(m)}"


def _relations(
    m: MarkerColumn,
    characteristics: Mapping[str, CharacteristicColumn],
    found: Mapping[tuple[str, str], PairResult],
    family: Family[tuple[str, str]],
) -> str:
    """Each characteristic with its direction and corrected p."""
    told: list[str] = []
    for (marker, name), result in found.items():
        if marker != m.label:
            continue
        p = family.holm[marker, name]
        way = "none" if p >= ALPHA else "differs"
        if p < ALPHA and result.tau is not None:
            way = "lower" if result.tau.value < 0 else "higher"
        told.append(f"{characteristics[name].label} {way} ({p_value(p)})")
    return "; ".join(told) or "not analysed"
