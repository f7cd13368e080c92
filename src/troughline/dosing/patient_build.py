"""From a patient file's contents to hours, mg and mg/L, with every contradiction a finding."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from troughline.dosing.dose_history import History, read_history
from troughline.dosing.patient import CovariateValue, DosePatient, Level, OtherDrug, Toxicity
from troughline.dosing.patient_times import TimeFault, Times
from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from troughline.dosing.patient_schema import Moment, PatientFile, SampleEntry

ABOUT_NOW_H = 1e-6
DEATH = 5


class Reader:
    """What the parts of a file's reading share: its findings, its times, its name."""

    def __init__(self, contents: PatientFile, file: str, found: Findings, times: Times) -> None:
        self.contents, self.file, self.found, self.times = contents, file, found, times

    def error(self, code: str, message: str, place: str) -> None:
        """Add an error at a place of the file."""
        self.found.add(Severity.ERROR, code, message, file=self.file, column=place)

    def warn(self, code: str, message: str, place: str) -> None:
        """Add a warning at a place of the file."""
        self.found.add(Severity.WARNING, code, message, file=self.file, column=place)

    def note(self, code: str, message: str, place: str) -> None:
        """Add a note at a place of the file."""
        self.found.add(Severity.NOTE, code, message, file=self.file, column=place)

    def hours(self, written: Moment, place: str) -> float | None:
        """A moment in h since the first dose; None, with an error, where it cannot be read."""
        try:
            return self.times.hours(written)
        except TimeFault as fault:
            self.error("time", str(fault), place)
            return None

    def optional(self, written: Moment | None, place: str) -> float | None:
        """A moment in h, or None where there is none."""
        return None if written is None else self.hours(written, place)


def build_patient(
    contents: PatientFile, *, file: str, found: Findings, path: Path | None = None, sha256: str = ""
) -> DosePatient | None:
    """The patient of a file, or None where its drug, doses or times cannot be read; faults go to `found`."""
    from troughline.dosing.drug import known_drug

    header = contents.patient
    drug = known_drug(header.drug, file=file, found=found)
    if not contents.dose:
        found.add(
            Severity.ERROR, "no-doses", "there is no [[dose]]: without the doses taken a level says nothing",
            file=file, column="dose",
        )  # fmt: skip
        return None
    try:
        times = Times(header)
    except TimeFault as fault:
        found.add(Severity.ERROR, "timezone", str(fault), file=file, column="patient.timezone")
        return None
    reader = Reader(contents, file, found, times)
    if not _set_origin(reader):
        return None
    now = _now(reader)
    history = None if now is None or drug is None else read_history(reader, now)
    if now is None or history is None or drug is None:
        return None
    levels = _levels(reader, history, now, drug.molar_mass_g_per_mol)
    if any(d.food not in ("not known", "fasting") for d in contents.dose):
        reader.note("food-unused", "food serves the explanations; no prediction changes by it", "dose.food")
    return DosePatient(
        id=header.id,
        title=header.title or header.id,
        drug=drug.id,
        simulated=header.simulated,
        now_h=now,
        doses=history.doses,
        missed_h=history.missed_h,
        regimen=history.regimen,
        hold_since_h=history.hold_since_h,
        levels=levels,
        covariates=_covariates(reader, now),
        toxicity=_toxicity(reader, now),
        other_drugs=_other_drugs(reader),
        no_other_drugs=contents.no_other_drugs,
        adherence=history.adherence,
        largest_daily_dose_mg=contents.tolerance.largest_daily_dose_mg,
        tolerance_reason=contents.tolerance.reason,
        origin=times.origin,
        options=contents.options,
        file=contents,
        path=path,
        sha256=sha256,
    )


def _set_origin(reader: Reader) -> bool:
    """Let time 0 be the earliest dose where times are clock times."""
    starts: list[tuple[float, Moment]] = []
    for k, dose in enumerate(reader.contents.dose):
        try:
            starts.append((reader.times.instant(dose.start), dose.start))
        except TimeFault as fault:
            reader.error("time", str(fault), f"dose.{k + 1}.start")
    if len(starts) < len(reader.contents.dose):
        return False
    reader.times.start_at(min(starts, key=lambda s: s[0])[1])
    if abs(reader.times.zero_h) > ABOUT_NOW_H:
        unit = reader.contents.patient.time
        written = reader.times.zero_h / (24.0 if unit == "day" else 1.0)
        reader.warn(
            "first-dose-not-0", f"the first dose is at {unit} {written:g}, not 0: every time of the answer "
            "is counted from it; doses before it that the file lacks belong into the file", "dose",
        )  # fmt: skip
    return True


def _now(reader: Reader) -> float | None:
    """The moment of the decision, h: `patient.now`, or the last thing that the file tells."""
    contents = reader.contents
    if contents.patient.now is not None:
        now = reader.hours(contents.patient.now, "patient.now")
        first = min((reader.times.hours(d.start) for d in contents.dose), default=0.0)
        if now is not None and now < first:
            reader.error("now-before-doses", "the decision lies before the first dose", "patient.now")
            return None
        return now
    moments: list[Moment] = [s.time for s in contents.sample]
    for dose in contents.dose:
        moments += [dose.start, *([dose.until] if dose.until is not None else [])]
    moments += [t.time for t in contents.toxicity]
    known: list[float] = []
    for written in moments:
        try:
            known.append(reader.times.hours(written))
        except TimeFault:
            continue
    now = max(known)
    reader.note(
        "default-used", f"no time of the decision is given: taken as the last record, {now / 24:.2f} days "
        "after the first dose", "patient.now",
    )  # fmt: skip
    return now


def _levels(reader: Reader, history: History, now: float, molar_mass: float) -> tuple[Level, ...]:
    from troughline.units import convert, is_convertible

    made: list[Level] = []
    first = history.doses[0].time_h if history.doses else 0.0
    for k, sample in enumerate(reader.contents.sample):
        place = f"sample.{k + 1}"
        time_h = reader.hours(sample.time, f"{place}.time")
        if not is_convertible(sample.unit, "mg/L", molar_mass_g_per_mol=molar_mass):
            reader.error("unit", f"{sample.unit!r} is no unit of a level, such as ug/mL", f"{place}.unit")
            continue
        if time_h is None or not _plausible(reader, sample, time_h, first, now, place):
            continue

        def canonical(value: float | None, unit: str = sample.unit) -> float | None:
            return None if value is None else convert(value, unit, "mg/L", molar_mass_g_per_mol=molar_mass)

        below = sample.below_limit or (
            sample.limit is not None and sample.value is not None and sample.value < sample.limit
        )
        use, reason = sample.use, "" if sample.use else "the file says so"
        if time_h <= first + ABOUT_NOW_H:
            use, reason = False, "before the first dose"
            reader.note("before-first-dose", "below the limit before the first dose: not used", place)
        made.append(
            Level(
                number=k + 1, time_h=time_h, value=None if below else canonical(sample.value),
                limit=canonical(sample.limit), written=None if below else sample.value, unit=sample.unit,
                method=sample.method, occasion=sample.occasion, use=use, reason=reason, note=sample.note,
            )
        )  # fmt: skip
    made.sort(key=lambda level: (level.time_h, level.number))
    _check_order(reader, made)
    return tuple(made)


def _plausible(
    reader: Reader, sample: SampleEntry, time_h: float, first: float, now: float, place: str
) -> bool:
    """Errors of a level by itself: its time against the doses and the decision, its value."""
    if time_h > now + ABOUT_NOW_H:
        reader.error(
            "sample-after-now",
            f"lies {(time_h - now) / 24:.2f} days after the decision: correct it or patient.now",
            f"{place}.time",
        )
        return False
    measured = not sample.below_limit and sample.value is not None
    seen = measured and (sample.limit is None or (sample.value or 0) >= sample.limit)
    if time_h <= first + ABOUT_NOW_H and seen:
        when = f"{(first - time_h) / 24:.2f} days before the first dose"
        if time_h >= first - ABOUT_NOW_H:
            when = "before the first dose takes effect"
        reader.error(
            "sample-before-doses",
            f"a level {when}: give the doses before it, or correct its time",
            f"{place}.time",
        )
        return False
    if measured and sample.value == 0:
        reader.error(
            "level-of-zero", "a level of 0 is below some limit: give limit and below_limit = true",
            f"{place}.value",
        )  # fmt: skip
        return False
    return True


def _check_order(reader: Reader, levels: list[Level]) -> None:
    """An error for two levels at one time, a warning for the number of an occasion that returns."""
    numbered = [level for level in levels if level.use and level.occasion is not None]
    ended: set[int | None] = set()
    for a, b in pairwise(numbered):
        if a.occasion != b.occasion:
            ended.add(a.occasion)
        if b.occasion in ended:
            reader.warn(
                "occasion-returns", f"occasion {b.occasion} returns after another one: it counts as a new "
                "occasion", f"sample.{b.number}.occasion",
            )  # fmt: skip
    for a, b in pairwise(levels):
        if abs(b.time_h - a.time_h) < ABOUT_NOW_H and a.use and b.use:
            reader.error(
                "contradictory-times",
                f"levels {a.number} and {b.number} were drawn at the same moment: keep one, or say use = "
                "false",
                f"sample.{b.number}.time",
            )


def _covariates(reader: Reader, now: float) -> tuple[CovariateValue, ...]:
    made: list[CovariateValue] = []
    for k, entry in enumerate(reader.contents.covariate):
        place = f"covariate.{k + 1}"
        time_h = _day_or_moment(reader, entry.time, f"{place}.time")
        if time_h is not None and time_h > now + ABOUT_NOW_H:
            reader.error("covariate-after-now", "lies after the decision", f"{place}.time")
            continue
        made.append(
            CovariateValue(
                name=entry.name, value=entry.value, unit=entry.unit,
                time_h=float("-inf") if time_h is None else time_h,
            )
        )  # fmt: skip
    seen: dict[tuple[str, float], CovariateValue] = {}
    for k, value in enumerate(made):
        key = (value.name, value.time_h)
        if key in seen and seen[key].value != value.value:
            reader.error(
                "contradictory-times", f"{value.name} has two values at one time: {seen[key].value!r} and "
                f"{value.value!r}", f"covariate.{k + 1}",
            )  # fmt: skip
        seen[key] = value
    return tuple(sorted(made, key=lambda c: (c.name, c.time_h)))


def _day_or_moment(reader: Reader, written: Moment | None, place: str) -> float | None:
    """A moment for which a date is enough: its noon."""
    if isinstance(written, str) and len(written) == 10:
        written = f"{written}T12:00:00"
    return reader.optional(written, place)


def _toxicity(reader: Reader, now: float) -> tuple[Toxicity, ...]:
    made: list[Toxicity] = []
    for k, entry in enumerate(reader.contents.toxicity):
        place = f"toxicity.{k + 1}"
        start = _day_or_moment(reader, entry.time, f"{place}.time")
        until = _day_or_moment(reader, entry.until, f"{place}.until")
        if start is None:
            continue
        # A date is taken at its noon, which may lie after a decision in the morning.
        if start > now + 24.0:
            reader.error("toxicity-after-now", "lies after the decision", f"{place}.time")
            continue
        if until is not None and until < start:
            reader.error("contradictory-times", "ends before it begins", f"{place}.until")
            continue
        if entry.grade == DEATH:
            reader.error("grade-5", "grade 5 is death: there is no dose to answer", f"{place}.grade")
            continue
        made.append(Toxicity(time_h=start, until_h=until, term=entry.term, grade=entry.grade))
    return tuple(sorted(made, key=lambda t: t.time_h))


def _other_drugs(reader: Reader) -> tuple[OtherDrug, ...]:
    made: list[OtherDrug] = []
    hours: Callable[[Moment | None, str], float | None] = lambda t, p: _day_or_moment(reader, t, p)  # noqa: E731
    for k, entry in enumerate(reader.contents.with_drug):
        place = f"with_drug.{k + 1}"
        start, until = hours(entry.start, f"{place}.start"), hours(entry.until, f"{place}.until")
        if start is not None and until is not None and until < start:
            reader.error("contradictory-times", "ends before it begins", f"{place}.until")
            continue
        made.append(OtherDrug(name=entry.name, kind=entry.kind, start_h=start, until_h=until))
    if made and reader.contents.no_other_drugs:
        reader.error(
            "contradiction", "no_other_drugs = true, and the file names some", "no_other_drugs"
        )  # fmt: skip
    return tuple(made)
