"""Approximate patients where only a summary is printed: medians, hazard ratio, patients and events.

The model is a Weibull survival in each arm with proportional hazards, which the two medians and the hazard
ratio determine: S(t) = 2^(−(t/m)^k), HR = (m_reference / m)^k. Patients stand at its quantiles, and follow-up
ends with the data cut after entry at an even rate, so late that the printed number of events has happened.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from troughline.survival.cox import CoxFitError, CoxTerm, fit_cox
from troughline.survival.kaplan_meier import SurvivalCurve, kaplan_meier

FloatArray = NDArray[np.float64]

# Shapes outside these describe no survival of a group of patients: a hazard that soars or all but vanishes.
LOWEST_SHAPE, HIGHEST_SHAPE = 0.3, 5.0
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
_ROUNDS = 15
# Other starts of the sequence of entries, for where counts that jump by one keep the first from fitting.
_PHASES = tuple(k / 16 for k in range(16))
# In half units of the last printed digit: good enough to stop at, and too far off to be an answer.
_FITTED, _HARDLY_MET = 0.25, 3.0


class SummaryError(ValueError):
    """A summary whose numbers no patients can have together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """A number as printed: `value`, its interval where given, and `half`, half a unit of its last digit."""

    value: float
    half: float
    low: float | None = None
    high: float | None = None

    def misses(self, value: float) -> float:
        """How far `value` lies from the printed one, in `half`: up to 1 it rounds to it."""
        return abs(value - self.value) / self.half if math.isfinite(value) else math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSummary:
    """What is printed of one arm: `n` patients, their `median` and, where known, their `events`."""

    name: str
    n: int
    median: Printed
    events: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One arm, or two with the hazard ratio of the second against the first.

    `events` of both together; `accrual` how long patients entered; `follow_up` the time from the first entry
    to the data cut, both in the unit of the medians; `level` of the interval of the hazard ratio;
    `time_unit` is for words.
    """

    arms: tuple[ArmSummary, ...]
    hazard_ratio: Printed | None = None
    events: int | None = None
    accrual: float | None = None
    follow_up: float | None = None
    level: float = 0.95
    time_unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryPatients:
    """Approximate patients: `times` and `events`, an array (n,) an arm, and what was assumed.

    `shape` is the Weibull shape, `accrual` and `follow_up` those used. `hazard_ratio` is Cox's of these
    patients, None for one arm. `misses` says for each printed number by how many half units of its last
    digit these patients miss it: up to 1 it is met as printed. `events_from` says where the number of events
    comes from.
    """

    times: tuple[FloatArray, ...]
    events: tuple[NDArray[np.bool_], ...]
    curves: tuple[SurvivalCurve, ...]
    shape: float
    accrual: float
    follow_up: float
    hazard_ratio: CoxTerm | None
    misses: dict[str, float]
    events_from: str
    assumptions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Model:
    """The parameters that are fitted: shape, a median an arm, and the deaths aimed at."""

    shape: float
    medians: tuple[float, ...]
    target: int
    phase: float = 0.0


def reconstruct_summary(summary: Summary) -> SummaryPatients:
    """Patients whose medians, hazard ratio and number of events are those printed; no random number is drawn.

    Raises `SummaryError` where the numbers contradict each other: more events than patients, a hazard ratio
    on one side of 1 and medians on the other, a Weibull shape outside 0.3 to 5, more events printed (or
    implied by the interval) than the accrual leaves time for.

    Where the number of events is not printed, it follows from the interval of the hazard ratio: the variance
    of the log hazard ratio is ((ln high − ln low) / 2z)², and that of n₁:n₂ patients with d deaths is about
    (n₁ + n₂)² / (n₁ n₂ d) (Schoenfeld 1981, doi 10.1093/biomet/68.1.316); it is then corrected by the
    variance that Cox's regression gives.
    """
    _check(summary)
    target, source = _events(summary)
    model = _Model(_shape(summary), tuple(a.median.value for a in summary.arms), target)
    fitted = _fit(summary, model, source)
    if source == "interval" and fitted.hazard_ratio is not None and summary.hazard_ratio is not None:
        wanted = _printed_error(summary.hazard_ratio, summary.level)
        for _ in range(4):
            assert fitted.hazard_ratio is not None
            factor = (fitted.hazard_ratio.standard_error / wanted) ** 2
            target = min(round(target * factor), sum(a.n for a in summary.arms))
            if target == model.target:
                break
            model = replace(model, target=target)
            fitted = _fit(summary, model, source)
    return fitted


def _check(summary: Summary) -> None:
    if not 1 <= len(summary.arms) <= 2:
        raise SummaryError(f"{len(summary.arms)} arms: a summary is reconstructed for one arm or two")
    if (len(summary.arms) == 2) != (summary.hazard_ratio is not None):
        raise SummaryError("two arms need a hazard ratio, and one arm has none")
    n = sum(a.n for a in summary.arms)
    for arm in summary.arms:
        if arm.events is not None and arm.events > arm.n:
            raise SummaryError(f"arm {arm.name!r}: {arm.events} events among {arm.n} patients")
        if arm.median.value <= 0:
            raise SummaryError(f"arm {arm.name!r}: the median is {arm.median.value:g}; it must be above 0")
    if summary.events is not None and summary.events > n:
        raise SummaryError(f"{summary.events} events among {n} patients")
    known = [a.events for a in summary.arms if a.events is not None]
    if summary.events is not None and len(known) == len(summary.arms) and sum(known) != summary.events:
        raise SummaryError(f"the events of the arms sum to {sum(known)}, not to the {summary.events} of both")
    for name, value in (("accrual", summary.accrual), ("follow_up", summary.follow_up)):
        if value is not None and not value > 0:
            raise SummaryError(f"{name} is {value:g}; it must be above 0")
    if summary.accrual and summary.follow_up and summary.accrual > summary.follow_up:
        raise SummaryError(
            f"accrual {summary.accrual:g} exceeds follow_up {summary.follow_up:g}, from first entry to data "
            "cut"
        )
    ratio = summary.hazard_ratio
    if ratio is not None and not (ratio.value > 0 and (ratio.low is None or ratio.low > 0)):
        raise SummaryError("the hazard ratio and the ends of its interval must be above 0")
    if (
        ratio is not None
        and ratio.low is not None
        and ratio.high is not None
        and not ratio.low < ratio.value < ratio.high
    ):
        inside = f"its interval {ratio.low:g}–{ratio.high:g}"
        raise SummaryError(f"the hazard ratio {ratio.value:g} does not lie within {inside}")


def _events(summary: Summary) -> tuple[int, str]:
    """The deaths aimed at in all arms, and where they come from."""
    known = [a.events for a in summary.arms if a.events is not None]
    if len(known) == len(summary.arms):
        return sum(known), "arms"
    if summary.events is not None:
        return summary.events, "total"
    ratio = summary.hazard_ratio
    if ratio is None or ratio.low is None or ratio.high is None:
        raise SummaryError(
            "the number of events is needed, or the interval of the hazard ratio, which implies it"
        )
    n = [a.n for a in summary.arms]
    implied = sum(n) ** 2 / (n[0] * n[1]) / _printed_error(ratio, summary.level) ** 2
    if implied > 1.15 * sum(n):
        raise SummaryError(
            f"the interval {ratio.low:g}–{ratio.high:g} is that of about {implied:.0f} events, but there are "
            f"{sum(n)} patients"
        )
    return min(round(implied), sum(n)), "interval"


def _printed_error(ratio: Printed, level: float) -> float:
    """The standard error of the log hazard ratio that its printed interval implies."""
    from scipy.special import ndtri

    assert ratio.low is not None
    assert ratio.high is not None
    return math.log(ratio.high / ratio.low) / (2 * float(ndtri((1 + level) / 2)))


def _shape(summary: Summary) -> float:
    """The Weibull shape that the medians and the hazard ratio determine; 1 for one arm."""
    ratio = summary.hazard_ratio
    if ratio is None:
        return 1.0
    first, second = summary.arms[0].median, summary.arms[1].median
    corners = [
        math.log((second.value + a * second.half) / (first.value + b * first.half))
        for a, b in ((-1, 1), (1, -1))
    ]
    logs = [math.log(max(ratio.value + a * ratio.half, 1e-9)) for a in (-1, 1)]
    longer, lower = math.log(second.value / first.value), math.log(ratio.value)
    if longer * lower < 0 and abs(lower) > 0 and abs(longer) > 0:
        shape = -lower / longer
        if LOWEST_SHAPE <= shape <= HIGHEST_SHAPE:
            return shape
    # Rounding leaves a range of shapes: any of it inside the limits will do, the nearest to 1 first.
    same_side = min(corners) * max(corners) > 0 and min(logs) * max(logs) > 0
    if not same_side and min(corners) <= 0 <= max(corners) and min(logs) <= 0 <= max(logs):
        return 1.0
    if longer * lower >= 0 and same_side:
        raise SummaryError(
            f"the hazard ratio {ratio.value:g} and the medians {second.value:g} and {first.value:g} "
            "contradict "
            f"each other: {summary.arms[1].name!r} cannot have the {'lower' if lower < 0 else 'higher'} "
            f"hazard and the {'shorter' if longer < 0 else 'longer'} median, with proportional hazards"
        )
    shapes = [-a / b for a in logs for b in corners if b != 0 and -a / b > 0]
    inside = [k for k in shapes if LOWEST_SHAPE <= k <= HIGHEST_SHAPE]
    if inside:
        return min(inside, key=lambda k: abs(math.log(k)))
    need = -lower / longer if longer else math.inf
    raise SummaryError(
        f"the hazard ratio {ratio.value:g} and the medians {second.value:g} and {first.value:g} would need a "
        f"Weibull shape of {need:.2g} (allowed {LOWEST_SHAPE:g} to {HIGHEST_SHAPE:g}): they are not those of "
        "proportional hazards"
    )


def _fit(summary: Summary, start: _Model, source: str) -> SummaryPatients:
    """Correct shape and medians until the patients' own hazard ratio and medians are those printed."""
    best, score = None, math.inf
    for phase in _PHASES:
        for made in _corrected(summary, replace(start, phase=phase), source):
            worst = max((made.misses[k] for k in made.misses if k != "interval"), default=0.0)
            if worst < score:
                best, score = made, worst
            if worst <= _FITTED:
                return made
    assert best is not None
    if score > _HARDLY_MET:
        name = max((k for k in best.misses if k != "interval"), key=lambda k: best.misses[k])
        raise SummaryError(
            f"no patients with these medians, hazard ratio and {start.target} events were found: the printed "
            f"{name} is missed by {best.misses[name]:.0f} half units of its last digit; the numbers "
            "contradict each other, or there are too few patients"
        )
    return best


def _corrected(summary: Summary, model: _Model, source: str) -> Iterator[SummaryPatients]:
    """Patients of `model`, then of the model corrected by what they miss, and so on."""
    for _ in range(_ROUNDS):
        made = _patients(summary, model, source)
        yield made
        medians = tuple(
            m * (a.median.value / c.median if math.isfinite(c.median) else 0.98)
            for m, a, c in zip(model.medians, summary.arms, made.curves, strict=True)
        )
        shape = model.shape
        if made.hazard_ratio is not None and summary.hazard_ratio is not None:
            shift = math.log(summary.hazard_ratio.value) - made.hazard_ratio.coefficient
            longer = math.log(medians[1] / medians[0])
            if abs(longer) > 1e-6:
                shape = min(max(shape - 0.8 * shift / longer, LOWEST_SHAPE), HIGHEST_SHAPE)
        model = replace(model, shape=shape, medians=medians)


def _patients(summary: Summary, model: _Model, source: str) -> SummaryPatients:
    arms = summary.arms
    deaths = [
        m * (-np.log2(1.0 - (np.arange(a.n) + 0.5) / a.n)) ** (1.0 / model.shape)
        for a, m in zip(arms, model.medians, strict=True)
    ]
    # Entry, as a part of the accrual, independent of the time of death: the golden-ratio sequence, which
    # spreads evenly over any run of patients.
    entries = [np.mod((np.arange(a.n) + 1) * _GOLDEN + model.phase, 1.0) for a in arms]
    groups = (
        [([k], a.events or 0) for k, a in enumerate(arms)] if source == "arms"
        else [(list(range(len(arms))), model.target)]
    )  # fmt: skip
    times, events = [*deaths], [np.ones(a.n, dtype=bool) for a in arms]
    cuts: list[float] = []
    accruals: list[float] = []
    for members, target in groups:
        cut, accrual = _data_cut(summary, [deaths[k] for k in members], [entries[k] for k in members], target)
        cuts.append(cut)
        accruals.append(accrual)
        for k, (t, e) in zip(
            members,
            _censored([deaths[k] for k in members], [entries[k] for k in members], cut, accrual, target),
            strict=True,
        ):
            times[k], events[k] = t, e
    return _described(summary, model, source, times, events, max(cuts), max(accruals))


def _data_cut(
    summary: Summary, deaths: list[FloatArray], entries: list[FloatArray], target: int
) -> tuple[float, float]:
    """The time from first entry to data cut with which `target` deaths are seen, and the accrual."""

    def accrual_of(cut: float) -> float:
        return cut if summary.accrual is None else summary.accrual

    def seen(cut: float, accrual: float) -> int:
        return sum(int(np.sum(d <= cut - accrual * e)) for d, e in zip(deaths, entries, strict=True))

    if summary.follow_up is not None and summary.accrual is None:
        low, high = 0.0, summary.follow_up
        if not seen(high, high) <= target <= seen(high, 0.0):
            raise SummaryError(
                f"{target} events do not fit a follow_up of {high:g}: entry at an even rate over part of it "
                f"gives between {seen(high, high)} and {seen(high, 0.0)}"
            )
        for _ in range(80):
            middle = (low + high) / 2
            low, high = (middle, high) if seen(summary.follow_up, middle) >= target else (low, middle)
        return summary.follow_up, low
    low = summary.accrual or 0.0
    if seen(low, accrual_of(low)) > target:
        raise SummaryError(
            f"{target} events are too few: with these medians {seen(low, low)} have happened when accrual "
            f"({low:g}) ends"
        )
    high = max(low, 1.0)
    ceiling = 1e4 * max(float(d.max()) for d in deaths)
    while seen(high, accrual_of(high)) < target and high < ceiling:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if seen(middle, accrual_of(middle)) >= target else (middle, high)
    return high, accrual_of(high)


def _censored(
    deaths: list[FloatArray], entries: list[FloatArray], cut: float, accrual: float, target: int
) -> list[tuple[FloatArray, NDArray[np.bool_]]]:
    """Times and events with exactly `target` deaths; of several on the data cut the last are censored."""
    ends = [cut - accrual * e for e in entries]
    spare = np.concatenate([end - d for end, d in zip(ends, deaths, strict=True)])
    dead = spare >= 0
    for i in np.flatnonzero(dead)[np.argsort(spare[dead], kind="stable")][: max(int(dead.sum()) - target, 0)]:
        dead[i] = False
    for i in np.flatnonzero(~dead)[np.argsort(-spare[~dead], kind="stable")][
        : max(target - int(dead.sum()), 0)
    ]:
        dead[i] = True
    out: list[tuple[FloatArray, NDArray[np.bool_]]] = []
    first = 0
    for d, end in zip(deaths, ends, strict=True):
        event = dead[first : first + d.size]
        first += d.size
        # Nobody is followed for no time at all: an entry on the day of the cut counts as just before it.
        out.append((np.where(event, d, np.maximum(np.minimum(end, d), 1e-6 * cut)), event))
    return out


def _described(
    summary: Summary,
    model: _Model,
    source: str,
    times: list[FloatArray],
    events: list[NDArray[np.bool_]],
    cut: float,
    accrual: float,
) -> SummaryPatients:
    curves = [kaplan_meier(t, e)[0] for t, e in zip(times, events, strict=True)]
    term = None
    misses = {
        f"median {a.name}": a.median.misses(c.median) for a, c in zip(summary.arms, curves, strict=True)
    }
    ratio = summary.hazard_ratio
    if ratio is not None:
        arm = np.repeat([0.0, 1.0], [t.size for t in times])
        try:
            term = fit_cox(
                np.concatenate(times), np.concatenate(events), arm[:, np.newaxis], ["arm"],
                level=summary.level,
            ).terms[0]  # fmt: skip
        except CoxFitError as error:
            raise SummaryError(f"these numbers leave no hazard ratio: {error}") from None
        misses["hazard ratio"] = ratio.misses(term.hazard_ratio)
        if ratio.low is not None and ratio.high is not None:
            misses["interval"] = max(
                abs(term.low - ratio.low) / ratio.half, abs(term.high - ratio.high) / ratio.half
            )
    unit = f" {summary.time_unit}s" if summary.time_unit else ""
    assumptions = [
        f"Weibull survival of shape {model.shape:.3g}"
        + (" in both arms, with proportional hazards" if len(times) > 1 else ", an exponential: not printed"),
        f"entry at an even rate over {accrual:.3g}{unit}, data cut {cut:.3g}{unit} after the first entry",
    ]
    if summary.accrual is None and summary.follow_up is None:
        assumptions.append("neither accrual nor follow-up is given: entry until the data cut was assumed")
    if source == "interval":
        assumptions.append(f"the number of events, {model.target}, is that which the interval implies")
    return SummaryPatients(
        times=tuple(times),
        events=tuple(events),
        curves=tuple(curves),
        shape=model.shape,
        accrual=accrual,
        follow_up=cut,
        hazard_ratio=term,
        misses=misses,
        events_from=source,
        assumptions=tuple(assumptions),
    )
