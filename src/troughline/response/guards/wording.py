"""How guards write numbers: three significant digits, intervals with a dash, counts with their noun."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from troughline.response.case import Interval, Measured


def number(value: float | None) -> str:
    """A number with three significant digits, or `unbounded`."""
    if value is None:
        return "unbounded"
    if value < 0:
        # No minus before a zero that only rounding made.
        shown = number(-value)
        return shown if not shown.strip("0.") else f"−{shown}"
    magnitude = value
    if magnitude >= 1000:
        return f"{value:.0f}"
    if magnitude == 0:
        return "0"
    decimals = 2
    if magnitude >= 100:
        decimals = 0
    elif magnitude >= 10:
        decimals = 1
    elif magnitude < 0.1:
        return f"{value:.2g}"
    return f"{value:.{decimals}f}"


def unit_text(unit: str) -> str:
    """A unit as it is read, after a space: ` µg/mL` for `ug/mL`, nothing for `1`."""
    if unit in ("", "1"):
        return ""
    return " " + (f"µ{unit[1:]}" if unit.startswith(("ug", "umol")) else unit)


def day(value: float) -> str:
    """A study day: whole where it is whole."""
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"


def percent(estimate: Interval) -> str:
    """A probability with its interval in per cent: `16 % (2–43 %)`."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return "not estimated"
    return f"{100 * estimate.value:.0f} % ({100 * estimate.low:.0f}–{100 * estimate.high:.0f} %)"


def percent_up(share: float) -> str:
    """An upper bound of a share in per cent, rounded up to a tenth so that it stays one: `5.2 %`."""
    return f"{math.ceil(round(1000 * share, 9)) / 10:g} %"


def interval(estimate: Interval | None) -> str:
    """`1.40 (0.90–2.10)`; an unbounded side is written `below …` or `above …`."""
    if estimate is None:
        return "not estimated"
    if estimate.low is None and estimate.high is None:
        return f"{number(estimate.value)} (unbounded on both sides)"
    if estimate.low is None:
        return f"{number(estimate.value)} (up to {number(estimate.high)}, unbounded below)"
    if estimate.high is None:
        return f"{number(estimate.value)} (from {number(estimate.low)}, unbounded above)"
    # A dash between negative numbers reads as a sign.
    joint = " to " if estimate.low < 0 else "–"
    return f"{number(estimate.value)} ({number(estimate.low)}{joint}{number(estimate.high)})"


def both_columns(measured: Measured, without: str) -> str:
    """What the as-published column says and what the guarded one says, for whichever number the case has.

    `without` names what the guarded column does differently, for instance `without these samples`; it
    differs in other ways too, and the sentence says so.
    """
    pairs = (
        ("AUC", measured.auc_published, measured.auc_guarded),
        ("Hazard ratio", measured.hazard_ratio_published, measured.hazard_ratio_guarded),
        ("Odds ratio per doubling", measured.odds_ratio_published, measured.odds_ratio_unadjusted),
    )
    for name, published, guarded in pairs:
        if published is not None and guarded is not None:
            return (
                f"{name} as published {interval(published)}; guarded, {without} and with every other "
                f"remedy, {interval(guarded)}."
            )
    if measured.window_lower is not None and measured.window_lower_published is not None:
        return (
            f"Bounds as published {number(measured.window_lower_published)} and "
            f"{number(measured.window_upper_published)}; guarded, {without} and with every other remedy, "
            f"{interval(measured.window_lower)} and {interval(measured.window_upper)}."
        )
    return ""


def count(n: int, noun: str, plural: str | None = None) -> str:
    """`1 patient`, `3 patients`."""
    return f"{n} {noun if n == 1 else plural or noun + 's'}"


def degrees(n: int) -> str:
    """`1 degree of freedom`, `2 degrees of freedom`."""
    return count(n, "degree of freedom", "degrees of freedom")


def p_value(p: float) -> str:
    """`p = 0.032` or `p < 0.001`."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
