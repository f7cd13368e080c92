"""The models of a patient file, loaded and held against the patient: output, covariates, their ranges."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from troughline.issues import Findings, InputError, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from troughline.dosing.patient import CovariateValue, DosePatient
    from troughline.dosing.patient_schema import ModelEntry
    from troughline.model.model import Model
    from troughline.model.spec import Covariate, ModelSpec

DEFAULT_MODELS: Mapping[str, str] = {"sorafenib": "sorafenib/hcc"}
"""The model taken, and said, where a file names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CovariateCourse:
    """A covariate as a model takes it: (time_h, value in the model's unit or a level), first value from −∞.

    `default`: no value was given and the model's own stands in.
    """

    name: str
    unit: str
    points: tuple[tuple[float, float | str], ...]
    default: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenModel:
    """A model that is used for a patient: as published, its output that is the level, its covariates."""

    model: Model
    weight: float
    output: str
    output_index: int
    covariates: tuple[CovariateCourse, ...]


def choose_models(patient: DosePatient, found: Findings) -> tuple[ChosenModel, ...]:
    """The models of a patient file; what is missing or out of range goes to `found`.

    Empty where a model cannot be loaded or a covariate cannot be had.
    """
    from troughline.dosing.patient_schema import ModelEntry

    file = _file(patient)
    entries = patient.file.model if patient.file is not None else ()
    if not entries:
        name = DEFAULT_MODELS.get(patient.drug)
        if name is None:
            found.add(
                Severity.ERROR, "no-model", f"no [[model]] is named, and {patient.drug} has none of its own",
                file=file, column="model",
            )  # fmt: skip
            return ()
        found.add(
            Severity.NOTE,
            "default-used",
            f"no [[model]] is named: {name} is taken",
            file=file,
            column="model",
        )
        entries = (ModelEntry(id=name),)
    made: list[ChosenModel] = []
    for k, entry in enumerate(entries):
        chosen = _choose(patient, entry, f"model.{k + 1}", found)
        if chosen is not None:
            made.append(chosen)
    twice = [m.model.id for m in made]
    if len(set(twice)) < len(twice):
        found.add(Severity.ERROR, "model-twice", "a model is named twice", file=file, column="model")
    if len(made) == len(entries):
        _report_unused(patient, made, found)
        return tuple(made)
    return ()


def chosen_model(patient: DosePatient, model: Model, found: Findings) -> ChosenModel | None:
    """A model that a program hands in, held against a patient."""
    output = _output(model, None, patient.drug, "", _file(patient), found)
    courses = covariate_courses(patient, model.spec, found)
    if output is None or courses is None:
        return None
    names = [o.name for o in model.spec.outputs]
    return ChosenModel(
        model=model, weight=1.0, output=output, output_index=names.index(output), covariates=courses
    )


def _choose(patient: DosePatient, entry: ModelEntry, place: str, found: Findings) -> ChosenModel | None:
    file = _file(patient)
    model = _load(patient, entry, place, found)
    if model is None:
        return None
    if model.spec.drug.casefold() != patient.drug.casefold():
        found.add(
            Severity.ERROR, "other-drug",
            f"{model.id} is a model of {model.spec.drug}, not of {patient.drug}",
            file=file, column=place,
        )  # fmt: skip
        return None
    output = _output(model, entry.output, patient.drug, place, file, found)
    courses = covariate_courses(patient, model.spec, found)
    if output is None or courses is None:
        return None
    names = [o.name for o in model.spec.outputs]
    return ChosenModel(
        model=model, weight=entry.weight, output=output, output_index=names.index(output), covariates=courses
    )


def _load(patient: DosePatient, entry: ModelEntry, place: str, found: Findings) -> Model | None:
    from troughline.model.model import load_model

    reference = entry.id or ""
    if entry.file is not None:
        folder = patient.path.parent if patient.path is not None else None
        reference = str(folder / entry.file) if folder is not None else entry.file
    try:
        return load_model(reference)
    except InputError as error:
        found.extend(error.findings)
    except (OSError, ValueError) as error:
        message = " ".join(str(error).split())
        if entry.id is not None:
            from troughline.cohort.studyfile_messages import did_you_mean
            from troughline.model.library import list_models

            hint = did_you_mean(entry.id, list_models(), "the models")
            message = f"{entry.id!r} is no model of the library; {hint}"
        found.add(Severity.ERROR, "unknown-model", message, file=_file(patient), column=place)
    return None


def _output(
    model: Model, wanted: str | None, drug: str, place: str, file: str, found: Findings
) -> str | None:
    """The output that is the drug's level: as named, the only one, or the one with the drug's name."""
    from troughline.units import is_convertible

    names = [o.name for o in model.spec.outputs]
    name = wanted or (names[0] if len(names) == 1 else next((n for n in names if n == drug), None))
    if name is None or name not in names:
        found.add(
            Severity.ERROR, "output",
            f"{model.id}: name one of its outputs, not {name!r}: {', '.join(names)}",
            file=file, column=f"{place}.output",
        )  # fmt: skip
        return None
    unit = model.spec.outputs[names.index(name)].unit
    if not is_convertible(unit, "mg/L"):
        found.add(
            Severity.ERROR, "output", f"{model.id}: {name} is in {unit}, no level in mass per volume",
            file=file, column=place,
        )  # fmt: skip
        return None
    return name


def covariate_courses(
    patient: DosePatient, spec: ModelSpec, found: Findings
) -> tuple[CovariateCourse, ...] | None:
    """Each covariate of a model over time; None, with errors, where one is missing or impossible."""
    made: list[CovariateCourse] = []
    fine = True
    for covariate in spec.covariates:
        course = _course(patient, covariate, spec.id, found)
        if course is None:
            fine = False
        else:
            made.append(course)
    return tuple(made) if fine else None


def _course(
    patient: DosePatient, covariate: Covariate, model: str, found: Findings
) -> CovariateCourse | None:
    file = _file(patient)
    place = f"covariate {covariate.name}"
    given = [c for c in patient.covariates if c.name.casefold() == covariate.name.casefold()]
    if not given:
        kind = f"levels {', '.join(covariate.levels)}" if covariate.levels else f"in {covariate.unit}"
        if covariate.default is None:
            found.add(
                Severity.ERROR, "covariate-needed",
                f"{model} needs {covariate.name} ({kind}) and has no default",
                file=file, column=place,
            )  # fmt: skip
            return None
        default = covariate.levels[int(covariate.default)] if covariate.levels else covariate.default
        said = f"{default}" if covariate.levels else f"{default:g} {covariate.unit}"
        found.add(
            Severity.NOTE, "default-used",
            f"{covariate.name} is not given: {model} takes its default, {said}",
            file=file, column=place,
        )  # fmt: skip
        return CovariateCourse(
            name=covariate.name, unit=covariate.unit, points=((float("-inf"), default),), default=True
        )
    points: list[tuple[float, float | str]] = []
    for value in given:
        read = _value(value.value, value.unit, covariate, model, file, place, found)
        if read is None:
            return None
        points.append((value.time_h, read))
    return CovariateCourse(name=covariate.name, unit=covariate.unit, points=tuple(points), default=False)


def _value(
    value: float | str, unit: str | None, covariate: Covariate, model: str, file: str, place: str,
    found: Findings,
) -> float | str | None:  # fmt: skip
    """One value in the model's unit, or None with an error."""
    from troughline.model.build import level_code
    from troughline.units import convert, is_convertible

    def error(code: str, message: str) -> None:
        found.add(Severity.ERROR, code, message, file=file, column=place)

    if covariate.levels is not None:
        try:
            return covariate.levels[int(level_code(covariate, value))]
        except ValueError:
            known = ", ".join(covariate.levels)
            error("covariate-range", f"{value!r} is none of the levels that {model} knows: {known}")
            return None
    if isinstance(value, str):
        error("covariate-text", f"{value!r} is text, and {model} takes a number in {covariate.unit}")
        return None
    if unit is None:
        error("covariate-unit", f"has no unit; {model} takes it in {covariate.unit}, write unit = ...")
        return None
    if not is_convertible(unit, covariate.unit):
        error("covariate-unit", f"cannot be converted from {unit!r} to {covariate.unit}, as {model} takes it")
        return None
    number = convert(float(value), unit, covariate.unit)
    if covariate.hard is not None and not covariate.hard[0] <= number <= covariate.hard[1]:
        low, high = covariate.hard
        error(
            "covariate-range",
            f"{number:g} {covariate.unit} lies outside {low:g} to {high:g}, the hard range of {model}: "
            "nothing is computed",
        )
        return None
    if covariate.soft is not None and not covariate.soft[0] <= number <= covariate.soft[1]:
        low, high = covariate.soft
        found.add(
            Severity.WARNING, "covariate-range",
            f"{number:g} {covariate.unit} lies outside {low:g} to {high:g}, the range that {model} was "
            "made for",
            file=file, column=place,
        )  # fmt: skip
    return number


def _report_unused(patient: DosePatient, models: list[ChosenModel], found: Findings) -> None:
    known = {c.name.casefold() for m in models for c in m.covariates}
    unused = [c for c in patient.covariates if c.name.casefold() not in known]
    for name in sorted({c.name for c in unused}):
        found.add(
            Severity.NOTE, "covariate-unused", f"{name} is in no model here: it only serves the explanations",
            file=_file(patient), column=f"covariate {name}",
        )  # fmt: skip
    for value in unused:
        _check_unused(patient, value, found)


@cache
def _library_ranges() -> tuple[tuple[str, tuple[float, float, str, str]], ...]:
    """Of every covariate of every model of the library: its name, and low, high, unit and the model."""
    from importlib.resources import as_file

    from troughline.model.library import list_models, model_path
    from troughline.model.read import load_spec

    made: list[tuple[str, tuple[float, float, str, str]]] = []
    for model in list_models():
        with as_file(model_path(model)) as path:
            covariates = load_spec(path).covariates
        for c in covariates:
            span = c.hard or c.soft
            if span is not None and c.levels is None:
                made.append((c.name.casefold(), (*span, c.unit, model)))
    return tuple(made)


def _check_unused(patient: DosePatient, value: CovariateValue, found: Findings) -> None:
    """A warning where a covariate lies outside the range of every model of the library that knows it."""
    from troughline.units import convert, is_convertible

    if isinstance(value.value, str):
        return
    spans = [span for name, span in _library_ranges() if name == value.name.casefold()]
    if not spans:
        return
    unit = value.unit or spans[0][2]
    fine = [
        is_convertible(unit, own) and low <= convert(float(value.value), unit, own) <= high
        for low, high, own, _ in spans
    ]
    if not any(fine):
        ranges = "; ".join(f"{low:g} to {high:g} {own} ({model})" for low, high, own, model in spans)
        found.add(
            Severity.WARNING, "covariate-range",
            f"{value.value:g} {unit} lies outside the range of every model that knows it: {ranges}",
            file=_file(patient), column=f"covariate {value.name}",
        )  # fmt: skip


def _file(patient: DosePatient) -> str:
    return patient.path.name if patient.path is not None else "patient"
