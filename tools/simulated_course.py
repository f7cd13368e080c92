"""The course of a simulated patient: liver tests, doses, samples, adverse events and tumour assessments.

Stage 5 of `simulate_exposure_window.py`. Days are whole study days from the first dose, levels ug/mL.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

Array = NDArray[np.float64]
Row = dict[str, object]

ADVERSE_EVENTS = (
    "Palmar-plantar erythrodysesthesia syndrome",
    "Hypertension",
    "Diarrhea",
    "Fatigue",
    "Aspartate aminotransferase increased",
)
NEVER = 10**6


@dataclass(frozen=True)
class Fate:
    """What the first four stages decided for one patient; `trough` is the mean of all samples to be drawn.

    `end` is the day of death or last contact; `daily` a start at 400 mg a day; `toxic` toxicity of grade 3 or
    more; `early_sample` marks the patient with one sample that is not a trough, `single_sample` those who
    must not have a second one.
    """

    name: str
    trough: float
    daily: bool
    toxic: bool
    unresponsive: bool
    end: int
    died: bool
    early_sample: bool
    single_sample: bool


@dataclass(frozen=True)
class Change:
    """One row of the dose table and the event that goes with it; amount 0 is a hold or the end."""

    day: int
    amount_mg: int
    interval_h: int
    event: str = ""


@dataclass(frozen=True)
class Course:
    """One patient's rows of three tables, and how many samples were drawn late.

    `late`: after the toxicity or after the dose was changed; `reduced`: after a reduction; `only_late`: all.
    """

    doses: list[Row]
    measurements: list[Row]
    events: list[Row]
    late: int
    reduced: int
    only_late: bool


def draw_one_course(rng: np.random.Generator, fate: Fate) -> Course | None:
    """One patient's course; None where no sample falls into the time on treatment."""
    events = list(_assessments(rng, fate))
    progression = min((_day(e) for e in events if e["event"] == "progression"), default=NEVER)
    toxicity = NEVER
    if fate.toxic:
        latest = min(fate.end - 5, progression - 2, 120)
        toxicity = 12 + round((latest - 12) * float(rng.random()) ** 1.3)
    regimen = _regimen(rng, fate, toxicity, min(progression, fate.end))
    stop = regimen[-1].day if regimen[-1].event == "discontinuation" else fate.end
    events += _adverse_events(rng, toxicity, stop)
    events += [_event(c.day, c.event) for c in regimen if c.event]
    events.append(_event(fate.end, "death" if fate.died else "last contact"))
    samples = _samples(rng, fate, regimen, stop)
    if samples is None:
        return None
    changed = regimen[1].day if len(regimen) > 1 else NEVER
    late = [day > min(toxicity, changed) for day, _, _ in samples]
    return Course(
        doses=[
            {
                "patient": fate.name,
                "time": c.day,
                "amount": c.amount_mg,
                "unit": "mg",
                "interval_h": c.interval_h,
            }
            for c in regimen
        ],
        measurements=[_measurement(fate.name, *sample) for sample in samples],
        events=[{"patient": fate.name, **e} for e in sorted(events, key=_day)],
        late=sum(late),
        reduced=sum(_reduced(regimen, day) for day, _, _ in samples),
        only_late=all(late),
    )


def draw_covariates(rng: np.random.Generator, impairment: Array, trough: Array) -> list[Row] | None:
    """The patients table: liver tests follow the impairment, the rest is drawn around plausible values.

    None where albumin or bilirubin does not show, by a rank correlation of at least 0.2, that a patient with
    a worse liver has a higher trough: confounding must be visible in the noisy tests to be adjusted for.
    """
    rows: list[Row] = []
    for i, z in enumerate(impairment):
        draws = normal_draws(rng, 9)
        female = rng.random() < 0.2
        height = (156 if female else 167) + 6 * draws[0]
        weight = (54 if female else 63) + 6 * draws[1]
        fluid, mind = 0.7 * z + 0.7 * draws[2], 0.6 * z + 0.8 * draws[3]
        frail = 0.5 * z - 0.5 * draws[1] + 0.7 * draws[4]
        rows.append(
            {
                "patient": patient_name(i),
                "age": round(69 + 6 * draws[5]),
                "sex": "female" if female else "male",
                "weight": f"{weight:.1f}",
                "body_surface_area": f"{(height * weight / 3600) ** 0.5:.2f}",
                "albumin": round(36.5 - 3.2 * z + 1.7 * draws[6]),
                "bilirubin": round(float(np.exp(np.log(13) + 0.40 * z + 0.25 * draws[7]))),
                "inr": f"{1.08 + 0.05 * z + 0.05 * draws[8]:.2f}",
                "ascites": "moderate" if fluid > 2.6 else "mild" if fluid > 0.9 else "none",
                "encephalopathy": "grade 1-2" if mind > 1.9 else "none",
                "performance_status": 2 if frail > 1.8 else 1 if frail > 0.6 else 0,
                "sarcopenia": "yes" if frail > 0.5 else "no",
            }
        )
    albumin, bilirubin = (np.array([float(str(r[key])) for r in rows]) for key in ("albumin", "bilirubin"))
    rises = _rank_correlation(bilirubin, trough), -_rank_correlation(albumin, trough)
    return rows if min(rises) >= 0.2 else None


def patient_name(index: int) -> str:
    """The identifier of a simulated patient."""
    return f"SIM-{index + 1:02d}"


def normal_draws(rng: np.random.Generator, n: int) -> Array:
    """Standard normal draws by inversion of uniforms, so that they do not depend on NumPy's sampler."""
    return ndtri(rng.random(n))


def _rank_correlation(x: Array, y: Array) -> float:
    return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])


def _assessments(rng: np.random.Generator, fate: Fate) -> Iterable[Row]:
    """Tumour assessments by mRECIST near days 42, 94 and 160, and the progression."""
    first, second, third = (
        round(36 + 12 * rng.random()),
        round(91 + 8 * rng.random()),
        round(140 + 40 * rng.random()),
    )
    u = rng.random()
    best = "CR" if u < 0.03 else "PR" if u < 0.18 else "SD"
    if fate.unresponsive:
        progression = round(34 + 52 * rng.random())
        progression = first if progression < first + 16 else progression
    else:
        progression = third - round(260 * float(np.log(rng.random())))
    for day, response in ((first, "SD"), (second, best), (third, best)):
        if day < progression - 20 * (day == third) and day < fate.end - 3:
            yield _event(day, "response", response=response, criterion="mRECIST")
    if progression < fate.end - 3:
        yield _event(progression, "response", response="PD", criterion="mRECIST")
        yield _event(progression, "progression")


def _adverse_events(rng: np.random.Generator, toxicity: int, stop: int) -> list[Row]:
    rows: list[Row] = []
    severe = ADVERSE_EVENTS[int(len(ADVERSE_EVENTS) * rng.random())]
    if toxicity < NEVER:
        grade = 4 if rng.random() < 0.08 else 3
        rows.append(_event(toxicity, "adverse event", term=severe, grade=grade, version="4.0"))
    for term in ADVERSE_EVENTS:
        present, grade, day = rng.random() < 0.35, 1 + int(rng.random() < 0.45), round(6 + 60 * rng.random())
        if present and day < stop:
            rows.append(_event(day, "adverse event", term=term, grade=grade, version="4.0"))
    return rows


def _regimen(rng: np.random.Generator, fate: Fate, toxicity: int, stop: int) -> list[Change]:
    """The dose at each change: a reduction, a hold of a week, or the end, as toxicity and progression ask."""
    start, reduced = ((400, 24), (200, 24)) if fate.daily else ((400, 12), (400, 24))
    rows = [Change(0, *start)]
    what, day = rng.random(), toxicity + round(2 * rng.random())
    if day < stop:
        if what < 0.12:
            stop = day
        elif what < 0.40 and day + 8 < stop:
            rows += [Change(day, 0, start[1], "dose hold"), Change(day + 7, *reduced, "dose reduction")]
        elif what < 0.90:
            rows.append(Change(day, *reduced, "dose reduction"))
    if stop < fate.end:
        rows.append(Change(stop, 0, rows[-1].interval_h, "discontinuation"))
    return rows


def _samples(
    rng: np.random.Generator, fate: Fate, regimen: list[Change], stop: int
) -> list[tuple[int, float, float]] | None:
    """(day, level, hours after the dose) of each sample, their mean being the patient's trough."""
    first = round(14 + 22 * rng.random() + (24 if rng.random() < 0.15 else 0))
    second = first + round(14 + 24 * rng.random())
    twice = (rng.random() < 0.5 or fate.early_sample) and not fate.single_sample
    noise = 0.10 * (2 * float(rng.random()) - 1)
    hours = rng.random(2)
    days = [first, second] if twice else [first]
    if not all(_steady(regimen, day) for day in days) or days[-1] >= stop:
        return None
    dosing = [[c.interval_h for c in regimen if c.day < day][-1] for day in days]
    after_dose = [interval - 1.6 + 1.8 * float(h) for interval, h in zip(dosing, hours, strict=False)]
    if not twice:
        return [(first, fate.trough, after_dose[0])]
    if fate.early_sample:
        early, opening = round(fate.trough * 1.03, 2), round(fate.trough * (1 + noise / 3), 2)
        return [
            (first, opening, after_dose[0]),
            ((first + second) // 2, early, 3.5),
            (second, round(3 * fate.trough - early - opening, 2), after_dose[1]),
        ]
    fell = _reduced(regimen, second) and not _reduced(regimen, first)
    opening = round(fate.trough * (1 + (0.22 if fell else noise)), 2)
    return [(first, opening, after_dose[0]), (second, round(2 * fate.trough - opening, 2), after_dose[1])]


def _reduced(regimen: list[Change], day: int) -> bool:
    return any(c.event == "dose reduction" and c.day < day for c in regimen)


def _steady(regimen: list[Change], day: int) -> bool:
    """Whether a sample on that day is at least five days from a hold or a restart."""
    held = [c.day for c in regimen if c.event == "dose hold"]
    return not any(at <= day <= at + 12 for at in held)


def _measurement(name: str, day: int, level: float, hours: float) -> Row:
    return {
        "patient": name,
        "time": day,
        "analyte": "sorafenib",
        "value": f"{level:.2f}",
        "unit": "ug/mL",
        "below_limit": 0,
        "limit": "0.05",
        "assay": "LC-MS/MS (simulated)",
        "time_after_dose_h": f"{hours:.1f}",
    }


def _event(
    day: int,
    event: str,
    *,
    term: str = "",
    grade: int | str = "",
    version: str = "",
    response: str = "",
    criterion: str = "",
) -> Row:
    return {
        "time": day,
        "event": event,
        "term": term,
        "grade": grade,
        "version": version,
        "response": response,
        "criterion": criterion,
    }


def _day(event: Row) -> int:
    day = event["time"]
    assert isinstance(day, int)
    return day
