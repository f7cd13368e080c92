"""Whether a marker's values can be what its name says: reference intervals of assays, as data."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from statistics import median
from typing import Any, Literal

SLIP = 1000.0
"""The factor between neighbouring prefixes: ng and pg, mg and µg."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assay:
    """A reference interval: `low` to `high` in `unit` (`low` is 0 where only an upper limit is printed)."""

    analyte: str
    names: tuple[str, ...]
    matrix: str
    platform: str
    unit: str
    low: float
    high: float
    source: str
    verified: bool

    @property
    def interval(self) -> str:
        """`137–838 U/mL` or `≤ 2.1 pg/mL`."""
        span = f"≤ {self.high:g}" if self.low == 0 else f"{self.low:g}–{self.high:g}"
        return f"{span} {self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssayDoubt:
    """Why values are doubtful: `other analyte`, `unit slip` or `implausible`, and the reason in words."""

    kind: Literal["other analyte", "unit slip", "implausible"]
    reason: str


@cache
def assays() -> tuple[Assay, ...]:
    """Every reference interval on file."""
    return tuple(
        Assay(
            analyte=a["analyte"],
            names=tuple(a["names"]),
            matrix=a["matrix"],
            platform=a["platform"],
            unit=a["unit"],
            low=float(a.get("low", 0.0)),
            high=float(a["high"]),
            source=a["source"],
            verified=bool(a["verified"]),
        )
        for a in _table()["assay"]
    )


def doubt_about(
    name: str,
    values: Sequence[float],
    unit: str,
    *,
    platform: str | None = None,
    limit: float | None = None,
) -> AssayDoubt | None:
    """What is doubtful about `values` in `unit` of the analyte `name`; None where nothing, or not on file.

    Values are possible where their median lies within a stated factor of one of the analyte's own intervals.
    Otherwise they may lie in the interval of another analyte with a unit of that kind (that of the same
    `platform` first), together with a stated `limit` of the study; or be in a unit 1000 times apart; or be
    neither.
    Three values or more are judged, fewer are not. No finding proves anything.
    """
    from troughline.units import convert, is_convertible

    own = [a for a in assays() if _plain(name) in {_plain(n) for n in (*a.names, a.analyte)}]
    if not own or len(values) < 3:
        return None
    convention = _table()["convention"]
    factor, share = float(convention["plausible_factor"]), float(convention["share_inside"])
    middle = median(values)
    comparable = [a for a in own if is_convertible(unit, a.unit)]

    def possible(assay: Assay, by: float) -> bool:
        value = float(convert(middle, unit, assay.unit)) * by
        return assay.low / factor <= value <= assay.high * factor

    if any(possible(a, 1.0) for a in comparable):
        return None
    intervals = "; ".join(f"{a.analyte} {a.interval} ({a.source})" for a in own)
    written = f"{name} is given with a median of {middle:.4g} {unit}"
    slip = ""
    for a in comparable:
        for by, words in ((1 / SLIP, "1000 times too high"), (SLIP, "1000 times too low")):
            if possible(a, by):
                slip = words
    others = [a for a in assays() if a.analyte != own[0].analyte and is_convertible(unit, a.unit)]
    others.sort(key=lambda a: not _same_platform(a.platform, platform))
    for a in others:
        inside = [a.low <= float(convert(v, unit, a.unit)) <= a.high for v in values]
        cut_inside = limit is None or a.low <= float(convert(limit, unit, a.unit)) <= a.high
        # An interval without a lower end holds every low value and says nothing.
        if a.low > 0 and cut_inside and sum(inside) >= share * len(inside):
            where = "the same platform" if _same_platform(a.platform, platform) else a.platform
            cut = f" and the limit of {limit:g}" if limit is not None else ""
            return AssayDoubt(
                kind="other analyte",
                reason=f"{written}; {100 * sum(inside) / len(inside):.0f} % of the values{cut} lie in the "
                f"range of {a.analyte} on {where} ({a.interval}; {a.source}), while the range on file for "
                f"the named analyte is {intervals}. It may be {a.analyte} that was measured: supported, "
                "not proven." + (f" A unit {slip} would fit as well." if slip else ""),
            )
    if slip:
        reason = f"{written}, {slip} for {intervals}: the unit may be mixed up (ng for pg)."
        return AssayDoubt(kind="unit slip", reason=reason)
    reason = f"{written}, which is implausible beside {intervals}"
    if not comparable:
        reason += f"; {unit} does not convert to {own[0].unit}"
    return AssayDoubt(kind="implausible", reason=f"{reason}.")


def _same_platform(a: str, b: str | None) -> bool:
    return b is not None and (_plain(a) in _plain(b) or _plain(b) in _plain(a))


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


@cache
def _table() -> dict[str, Any]:
    text = files("troughline.evidence").joinpath("data", "assays.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
