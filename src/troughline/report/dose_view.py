"""What the page of a dose question says of `result.json`, all of it as text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from troughline.report.figures.dose_parts import (
    regimen_cards,
    shown_regimens,
    target_name,
    target_text,
)
from troughline.report.numbers import NO_VALUE, count, interval, micro, number, p_value, percent, unit_text
from troughline.report.reading import entries, part

Json = dict[str, Any]

ANSWERS = {
    "regimen": ("answered", "One regimen is preferred"),
    "not distinguished": ("caution", "The evidence does not distinguish these regimens"),
    "target not reached": ("refused", "No feasible regimen reaches the target"),
    "no level": ("caution", "No level: nothing individual is known"),
    "level in doubt": ("refused", "A level is in doubt: no regimen is named"),
}
_TAGS = {
    "regimen": "recommended",
    "target not reached": "nearest",
    "no level": "unchanged",
    "level in doubt": "unchanged",
}
_OUTCOMES = {"toxicity": "P(grade ≥ 3 toxicity)", "benefit": "P(benefit)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A candidate regimen as text; `shares` are its three probabilities for the bar, in percent of its width.

    A text is empty where the quantity is not known; the reason stands once, in `unknown`.
    """

    id: str
    label: str
    detail: str
    tags: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    trough: tuple[str, str]
    auc: tuple[str, str]
    shares: tuple[float, float, float]
    below: str
    inside: str
    error: str
    as_printed: str
    above: str
    toxicity: tuple[str, str]
    benefit: tuple[str, str]
    utility: tuple[str, str]
    utility_error: str
    best: str
    steady: tuple[str, str]
    named: bool


def answer_badge(results: Json) -> tuple[str, str]:
    """The look of the answer's badge and its words; a warning makes one regimen's badge a cautious one.

    A severe toxicity that is not over comes before any regimen; a target with one limit prefers none.
    """
    recommendation: Json = part(results, "recommendation")
    answer = str(recommendation.get("answer"))
    if any(i.get("code") == "ongoing-toxicity" for i in entries(results, "issues")):
        return "refused", "Hold: a severe toxicity is not over"
    if recommendation.get("ranked") is False:
        if _named_is_in_force(results):
            return "caution", "The regimen in force reaches the target; regimens are not ranked"
        return "caution", "The smallest change that reaches the target; regimens are not ranked"
    if answer == "regimen" and warnings(results):
        return "caution", "One regimen is preferred, with a warning"
    return ANSWERS.get(answer, ("silent", "No recommendation"))


def _named_is_in_force(results: Json) -> bool:
    named = part(results, "recommendation").get("regimen")
    cards = [r["regimen"] for r in entries(results, "regimens")]
    return any(c["id"] == named and c.get("current") for c in cards)


def warnings(results: Json) -> list[str]:
    """The messages of the warnings about the input and the answer."""
    severe = [i for i in entries(results, "issues") if i.get("severity") in {"error", "warning"}]
    return [micro(str(i.get("message") or "")) for i in severe]


def with_interval(spread: Json | None, *, unit: bool = True) -> str:
    """`3.55 µg/mL (2.19–5.74)`, or that it is not known."""
    value, span = value_and_interval(spread)
    if value == NO_VALUE:
        return "not known"
    after = unit_words((spread or {}).get("unit")) if unit else ""
    text = f"{value} {after}".strip()
    return f"{text} ({span})" if span else text


def day_text(day: float | None) -> str:
    """A day without needless digits: `29`, `13.99`."""
    return NO_VALUE if day is None else f"{day:.2f}".rstrip("0").rstrip(".").replace("-", "−")


def unit_words(unit: str | None) -> str:
    """A unit as printed, a product with its sign: `µg·h/mL`."""
    return unit_text(unit).replace("*", "·")


def utility_text(value: float | None) -> str:
    """A utility, or a difference of two, with three decimals."""
    if value is None:
        return ""
    text = f"{value:.3f}"
    return "0.000" if float(text) == 0 else text.replace("-", "−")


def value_and_interval(spread: Json | None) -> tuple[str, str]:
    """A median and its interval as text, without the unit."""
    if not spread or spread.get("median") is None:
        return NO_VALUE, ""
    return number(spread["median"]), interval(spread.get("low"), spread.get("high"), value=spread["median"])


def regimen_rows(results: Json) -> list[Row]:
    """The candidates as they stand in `regimens`."""
    named, answer = shown_regimens(results), part(results, "recommendation").get("answer")
    effective = part(results, "individual").get("effective_draws")
    rows = [_row(r, named, str(answer), effective) for r in entries(results, "regimens")]
    target: Json = part(results, "target")
    # Beyond a limit that the target does not have there is nothing to be.
    if target and target.get("low") is None:
        rows = [replace(r, below=NO_VALUE) for r in rows]
    if target and target.get("high") is None:
        rows = [replace(r, above=NO_VALUE) for r in rows]
    return rows


def probability_text(p: float, effective: float | None) -> str:
    """A probability counted over draws: where none or all of them count, what so many draws can tell.

    `effective` is for how many independent draws they count.
    """
    if p in {0.0, 1.0} and effective and effective > 1:
        least = percent(1.0 / effective).removeprefix("< ")
        return f"< {least}" if p == 0.0 else f"> {percent(1.0 - 1.0 / effective).removeprefix('> ')}"
    return percent(p)


def _row(row: Json, named: list[str], answer: str, effective: float | None) -> Row:
    card: Json = row["regimen"]
    chosen = card["id"] in named
    tags: list[tuple[str, str]] = []
    if chosen:
        words = _TAGS.get(answer, "not told apart")
        tags.append(("named", words))
    if card.get("current"):
        tags.append(("current", "in force"))
    detail = [str(card["tablets"])] if card.get("tablets") else []
    detail.append(f"{day_text(card['daily_dose_mg'])} mg a day")
    if card.get("hold_days"):
        detail.append(f"after {day_text(card['hold_days'])} days without")
    steady: Json = part(row, "time_to_steady")
    notes = [micro(str(n)) for n in entries(row, "notes")]
    if steady.get("note"):
        notes.append(micro(str(steady["note"])))
    return Row(
        id=str(card["id"]),
        label=str(card["label"]),
        detail="; ".join(detail),
        tags=tuple(tags),
        notes=tuple(notes),
        trough=value_and_interval(row.get("trough")),
        auc=value_and_interval(row.get("auc")),
        shares=(100.0 * row["p_below"], 100.0 * row["p_in"], 100.0 * row["p_above"]),
        below=probability_text(row["p_below"], effective),
        inside=probability_text(row["p_in"], effective),
        error=percent(row["p_error"]) if row["p_error"] else "",
        as_printed=probability_text(row["p_in_as_printed"], effective)
        if row.get("p_in_as_printed") is not None
        else "",
        above=probability_text(row["p_above"], effective),
        toxicity=_probability(row, "p_toxicity"),
        benefit=_probability(row, "p_benefit"),
        utility=_utility(row),
        utility_error=utility_text(row.get("utility_error")),
        best=percent(row.get("p_best")),
        steady=_days(steady),
        named=chosen,
    )


def _probability(row: Json, name: str) -> tuple[str, str]:
    if row.get(name) is None:
        return "", ""
    return percent(row[name]), interval(row.get(f"{name}_low"), row.get(f"{name}_high"), "percent")


def _utility(row: Json) -> tuple[str, str]:
    if row.get("utility") is None:
        return "", ""
    ends = [utility_text(row.get(f"utility_{k}")) for k in ("low", "high")]
    return utility_text(row["utility"]), " to ".join(ends) if all(ends) else ""


def _days(steady: Json) -> tuple[str, str]:
    if steady.get("days") is None:
        return "not reached", ""
    low, high = steady.get("low"), steady.get("high")
    ends = [day_text(None if d is None else float(f"{d:.2g}")) for d in (steady["days"], low, high)]
    if high is None:
        return ends[0], "" if low is None else f"from {ends[1]}, perhaps not reached"
    return ends[0], f"{ends[1]}–{ends[2]}" if low is not None else f"up to {ends[2]}"


def unknown(results: Json) -> list[tuple[str, str]]:
    """What cannot be told of any regimen, with the reason: `P(benefit)`, `no curve was given`."""
    reasons: list[tuple[str, str]] = []
    rows: list[Json] = entries(results, "regimens")
    for role, name in _OUTCOMES.items():
        if any(r.get(f"p_{role}") is None for r in rows):
            curves: list[Json] = [c for c in entries(results, "curves") if c.get("role") == role]
            source: Json = curves[0] if curves else {}
            reasons.append((name, micro(str(source.get("reason") or "no curve was given").rstrip("."))))
    if len(reasons) == 2 and reasons[0][1] == reasons[1][1]:
        reasons = [(" and ".join(name for name, _ in reasons), reasons[0][1])]
    if any(r.get("utility") is None for r in rows):
        missing = " and ".join(name for name, _ in reasons)
        reasons.append(("Expected utility", f"needs {missing}" if missing else "not given"))
    return reasons


def curve_sources(results: Json) -> list[tuple[str, str]]:
    """Where P(toxicity) and P(benefit) come from: the name, and source, endpoint, n and domain in words."""
    told: list[tuple[str, str]] = []
    for one in entries(results, "curves"):
        if not one.get("available"):
            continue
        words = [str(one.get("source") or "")]
        if one.get("endpoint"):
            words.append(f"endpoint: {one['endpoint']}")
        if one.get("n") is not None:
            words.append(f"n = {one['n']}")
        if one.get("domain"):
            low, high = one["domain"]
            words.append(f"seen from {number(low)} to {number(high)} {unit_words(one.get('unit'))}")
        told.append((_OUTCOMES[one["role"]], micro("; ".join(filter(None, words)))))
    return told


def key_numbers(results: Json) -> list[tuple[str, str, str]]:
    """The few numbers beside the sentence: name, value with unit, interval or a word."""
    individual, answer = part(results, "individual"), part(results, "recommendation")
    shown: list[tuple[str, str, str]] = []

    def add(name: str, spread: Json) -> None:
        value, span = value_and_interval(spread)
        if value != NO_VALUE:
            shown.append((name, f"{value} {unit_words(spread.get('unit'))}".strip(), span))

    add(f"Trough now, {individual.get('regimen') or 'no regimen'}", part(individual, "trough"))
    named = shown_regimens(results)[:2]
    for row in [r for r in entries(results, "regimens") if r["regimen"]["id"] in named]:
        label = row["regimen"]["label"]
        add(f"Trough on {label}", part(row, "trough"))
        inside = probability_text(row["p_in"], individual.get("effective_draws"))
        shown.append((f"P(in the target) on {label}", inside, ""))
        if row.get("p_toxicity") is not None:
            shown.append((f"{_OUTCOMES['toxicity']} on {label}", *_probability(row, "p_toxicity")))
        if row.get("p_benefit") is not None:
            shown.append((f"{_OUTCOMES['benefit']} on {label}", *_probability(row, "p_benefit")))
    if answer.get("p_best") is not None and answer.get("answer") == "regimen":
        shown.append(("Probability that it is the best", percent(answer["p_best"]), ""))
    target: Json = part(results, "target")
    if target:
        shown.append(("Target", target_text(target), target_name(target)))
    return shown


def moment(results: Json) -> str:
    """`day 29, 2026-02-09 09:00`."""
    decision: Json = part(results, "decision")
    clock = clock_text(decision.get("clock"))
    day = f"day {day_text(_tenth(decision.get('day')))}"
    return f"{day}, {clock}" if clock else day


def horizon(results: Json) -> tuple[str, str]:
    """The day on which regimens are compared, and how many days that is after the decision."""
    decision: Json = part(results, "decision")
    return day_text(_tenth(decision.get("horizon_day"))), day_text(decision.get("horizon_days"))


def _tenth(day: float | None) -> float | None:
    return None if day is None else round(day, 1)


def clock_text(clock: str | None) -> str:
    """`2026-02-09 09:00`: a moment at the place of the file, without its offset."""
    return str(clock or "")[:16].replace("T", " ")


def step_sources(results: Json) -> list[tuple[str, str]]:
    """Where the steps come from: each source once, with the regimens that it is of."""
    found: dict[str, list[str]] = {}
    for card in regimen_cards(results).values():
        if card.get("source"):
            source = str(card["source"]).rstrip(".") + ("" if card.get("verified") else " (not verified)")
            found.setdefault(source, []).append(str(card["label"]))
    return [("; ".join(labels), micro(source)) for source, labels in found.items()]


def value_text(value: Any) -> str:
    """A covariate's value: a number, or the level's name."""
    return (
        number(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool)
        else micro(str(value))
    )


def sample_value(sample: Json) -> str:
    """`7.93`, or `below 0.05`."""
    return f"below {sample['limit']:g}" if sample.get("value") is None else number(sample["value"])


def change_text(value: float | None) -> str:
    """A fraction as a change in percent with its sign."""
    if value is None:
        return "–"
    return f"{'+' if value > 0 else ''}{number(100.0 * value, 2)}%"


def p_text(value: float | None) -> str:
    """A p value in a column of p values."""
    return "–" if value is None else p_value(value).removeprefix("p ").removeprefix("= ")


def n_text(value: int | None) -> str:
    """A number of patients, or that it is not given."""
    return NO_VALUE if value is None else count(value)


def target_n(target: Json) -> str:
    """A target's number of patients; virtual ones are called so."""
    value = target.get("n")
    words = f"{target.get('design') or ''} {target.get('population') or ''}".casefold()
    virtual = value is not None and ("virtual" in words or "simulated" in words)
    return f"{n_text(value)} virtual" if virtual else n_text(value)
