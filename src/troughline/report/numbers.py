"""How a number is written for a reader: three significant digits, en dashes, µ, no unit where none is."""

from __future__ import annotations

import math
import re
from typing import Literal

Style = Literal["number", "percent", "count", "p", "test", "bound"]

NO_VALUE = "not given"
NOT_BOUNDED = "not bounded by these data"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_GAP = re.compile(r" +(?=[.,;)](?!\d))")
_SIGN = re.compile(r"([<>≤≥]) (?=\d)")
_RANGE = re.compile(r"(?<=\d)–(?=\d)")
_MICRO = re.compile(r"\bu(?=(?:g|mol|L|M|m)\b)")


def micro(text: str) -> str:
    """`text` with `ug`, `umol`, `uL` written with µ, and `>=`, `<=` as one sign."""
    return _MICRO.sub("µ", text).replace(">=", "≥").replace("<=", "≤")


def closed_up(text: str) -> str:
    """`text` without the gaps that a quantity without a unit leaves in a sentence."""
    return _GAP.sub("", re.sub(r" {2,}", " ", text))


def unbroken(text: str) -> str:
    """`text` in which no line ends between a sign and its number or inside a range."""
    joined: str = _RANGE.sub("\u2060–\u2060", text)
    return _SIGN.sub("\\1\u00a0", joined)


def unit_text(unit: str | None) -> str:
    """A unit as printed; the unit `1` is an empty string."""
    if unit is None or unit.strip() in {"", "1"}:
        return ""
    return micro(unit.strip())


def number(value: float | None, digits: int = 3) -> str:
    """A number with `digits` significant digits and a true minus sign; whole above the last digit.

    `None` and values that are not finite read "not given". From 10 000 on thousands are set apart by a thin
    space; below 0.0001 a power of ten is written.
    """
    if value is None or not math.isfinite(value):
        return NO_VALUE
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits}g}")
    size = abs(rounded)
    exponent = math.floor(math.log10(size))
    if exponent < -4 or exponent > 8:
        mantissa = f"{rounded / 10.0**exponent:.{digits - 1}f}"
        return f"{mantissa} × 10{str(exponent).translate(_SUPERSCRIPT)}".replace("-", "−")
    if exponent >= digits - 1:
        return _grouped(round(value))
    return f"{rounded:.{digits - 1 - exponent}f}".replace("-", "−")


def count(value: float | None) -> str:
    """A whole number, thousands set apart from 10 000 on."""
    return NO_VALUE if value is None or not math.isfinite(value) else _grouped(round(value))


def percent(value: float | None, sign: bool = True) -> str:
    """A fraction between 0 and 1 as a percentage; near 0 and 1 one digit more, never 0 or 100 by rounding."""
    if value is None or not math.isfinite(value):
        return NO_VALUE
    p = 100.0 * value
    mark = "%" if sign else ""
    if 0.0 < p < 0.1:
        return f"< 0.1{mark}"
    if 99.9 < p < 100.0:
        return f"> 99.9{mark}"
    if 0.0 < p < 1.0 or 99.0 < p < 100.0:
        return f"{p:.1f}{mark}"
    return f"{p:.0f}{mark}".replace("-", "−")


def p_value(value: float | None) -> str:
    """A p value: `p = 0.032`, `p < 0.001`."""
    if value is None or not math.isfinite(value):
        return NO_VALUE
    if value < 0.001:
        return "p < 0.001"
    if value > 0.999:
        return "p > 0.999"
    return f"p = {value:.3f}" if value < 0.1 else f"p = {value:.2f}"


def styled(value: float | None, style: Style) -> str:
    """`value` in the named style, without a unit; the statistic of a test is a number."""
    if style in ("percent", "bound"):
        return percent(value)
    if style == "count":
        return count(value)
    return p_value(value) if style == "p" else number(value)


def short_interval(low: float | None, high: float | None, *, value: float | None = None) -> str:
    """`interval` without the words for an open end, where a figure shows that it is open."""
    text = interval(low, high, value=value)
    return text.replace(", not bounded above", "").replace(", not bounded below", "")


def interval(
    low: float | None, high: float | None, style: Style = "number", *, value: float | None = None
) -> str:
    """The two ends of an interval with an en dash; an end that the data do not bound is said in words.

    Both missing gives an empty string. With a negative end, "to" stands instead of the dash. Where `value`
    is given, an end is not written with more decimals than the value is.
    """
    if low is None and high is None:
        return ""
    if low is None:
        return f"up to {_end(high, style, value)}, not bounded below"
    if high is None:
        return f"from {_end(low, style, value)}, not bounded above"
    if style == "percent":
        left, right = percent(low, sign=False), percent(high)
    elif style == "bound":
        # An upper bound is rounded up, so that it stays one.
        left, right = percent(low, sign=False), f"{math.ceil(round(1000 * high, 9)) / 10:g}%"
    else:
        left, right = _end(low, style, value), _end(high, style, value)
    wordy = any(mark in left + right for mark in ("−", "<", ">", "×"))
    return f"{left} to {right}" if wordy else f"{left}–{right}"


def range_text(low: float | None, high: float | None, style: Style = "number", unit: str = "") -> str:
    """What the data say of a number that has no single value: `1.70–6.10 µg/mL`, or the one end they bound.

    The unit stands after the last number. Both ends missing reads "not bounded by these data".
    """
    after = f" {unit}" if unit else ""
    if low is None and high is None:
        return NOT_BOUNDED
    if low is None:
        return f"up to {styled(high, style)}{after}, not bounded below"
    if high is None:
        return f"from {styled(low, style)}{after}, not bounded above"
    return f"{interval(low, high, style)}{after}"


def _end(end: float | None, style: Style, value: float | None) -> str:
    text = styled(end, style)
    if style != "number" or value is None or end is None or "×" in text:
        return text
    most = _decimals(number(value))
    if _decimals(text) <= most:
        return text
    shorter = f"{end:.{most}f}"
    return text if float(shorter) == 0 and end != 0 else shorter.replace("-", "−")


def _decimals(text: str) -> int:
    return len(text.split(".")[1]) if "." in text and "×" not in text else 0


def _grouped(whole: int) -> str:
    text = f"{abs(whole):,}".replace(",", "\u2009") if abs(whole) >= 10_000 else str(abs(whole))
    return f"−{text}" if whole < 0 else text
