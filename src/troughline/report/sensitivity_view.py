"""The sensitivity analysis of a virtual trial as text: what a prediction hangs on, with intervals."""

from __future__ import annotations

from typing import Any

from troughline.report.numbers import count, interval, micro, number, percent
from troughline.report.trial_view import sensitivity_figure, sensitivity_name

Json = dict[str, Any]
SHOWN = 12
MORRIS_HEADER = ("Parameter", "Effect", "Interval", "Sign", "Rank", "Rank, interval", "Value", "What it is")
SOBOL_HEADER = ("Parameter", "Alone", "Interval", "With interactions", "Interval")
KNOWN = {"source": "from a source", "fitted": "fitted to trials", "assumed": "assumed"}


def sensitivity_view(results: Json) -> Json | None:
    """What the page shows of the analysis; None where there is none."""
    found: Json | None = results["sensitivity"]
    if not found:
        return None
    said = [str(p["prediction"]) for p in found["predictions"]]
    return {
        "size": (
            f"{count(found['runs'])} runs of {count(found['n'])} virtual patients an arm "
            f"({count(found['trajectories'])} trajectories of Morris), and {count(found['sobol_runs'])} of "
            f"Sobol; width {found['width']:g}."
        ),
        "method": micro(str(found["method"])),
        "morris_header": MORRIS_HEADER,
        "sobol_header": SOBOL_HEADER,
        "predictions": [_prediction(results, p) for p in found["predictions"]],
        "silent": [sensitivity_name(results, p) for p in found["asked"] if p not in said],
    }


def _prediction(results: Json, one: Json) -> Json:
    name = sensitivity_name(results, str(one["prediction"]))
    rows: list[Json] = [m for m in one["morris"] if m["mu_star"] > 0.0]
    shown = rows[:SHOWN]
    none = len(one["morris"]) - len(rows)
    return {
        "title": name[:1].upper() + name[1:],
        "words": sensitivity_words(results, one),
        "figure": sensitivity_figure(one),
        "morris_note": f"The {count(len(shown))} largest effects; {count(none)} of "
        f"{count(len(one['morris']))} parameters have none. Sign: that of the mean effect, where it is more "
        "than half of the mean absolute one.",
        "morris": [_morris_row(m) for m in shown],
        "sobol": [_sobol_row(s) for s in one["sobol"]],
        "measurement": [
            (micro(str(m["measurement"])), percent(m["narrowing"])) for m in one["measurement"][:SHOWN]
        ],
    }


def sensitivity_words(results: Json, one: Json) -> str:
    """What a prediction hangs on, in sentences: the first parameters, how many are assumed, what to measure.

    Only parameters whose place is sure enough are named: those among the first half dozen in the interval.
    """
    level = percent(results["sensitivity"]["level"])
    sure = [m for m in one["morris"] if m["mu_star"] > 0.0 and m["rank_high"] <= 6]
    name = sensitivity_name(results, str(one["prediction"]))
    if sure:
        listed = ", ".join(f"{m['parameter']} ({KNOWN[str(m['status'])]})" for m in sure)
        words = f"The {name} hangs most on {listed}; each is among the first six in {level} of the resamples."
    else:
        words = f"No parameter is surely among the first six for the {name}: take more trajectories."
    best = next((m for m in one["measurement"] if m["narrowing"]), None)
    if best is not None:
        words += (
            f" The measurement that would narrow it most: {best['measurement']} "
            f"({percent(best['narrowing'])} of the variance)."
        )
    return micro(words)


def rank_text(m: Json) -> str:
    """The interval of a rank: `2–4`, or one number where both ends are the same."""
    return f"{m['rank_low']}–{m['rank_high']}" if m["rank_low"] < m["rank_high"] else str(m["rank_low"])


def _morris_row(m: Json) -> tuple[str, ...]:
    mean, size = float(m["mean"]), float(m["mu_star"])
    sign = "both" if abs(mean) < 0.5 * size else "up" if mean > 0 else "down"
    return (
        micro(str(m["parameter"])), number(size), interval(m["low"], m["high"], value=size), sign,
        str(m["rank"]), rank_text(m), KNOWN[str(m["status"])], micro(str(m["note"])),
    )  # fmt: skip


def _sobol_row(s: Json) -> tuple[str, ...]:
    def ends(name: str) -> str:
        value, half = float(s[name]), float(s[f"{name}_conf"])
        return f"{value - half:.2f} to {value + half:.2f}".replace("-", "−")

    return (micro(str(s["parameter"])), f"{s['S1']:.2f}".replace("-", "−"), ends("S1"),
            f"{s['ST']:.2f}".replace("-", "−"), ends("ST"))  # fmt: skip
