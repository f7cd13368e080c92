"""Checks of the population models that predictors name: there, readable, and fed by what the study has."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from troughline.cohort.reporting import shown
from troughline.issues import Finding, Findings, InputError, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from troughline.cohort.cohort import Cohort
    from troughline.cohort.studyfile import Predictor, Study
    from troughline.model.model import Model
    from troughline.model.spec import ModelSpec

PER_PATIENT = ("covariate-missing", "covariate-range")
"""Errors in a model's records that concern single patients: they have no exposure, the others have theirs."""
_OF_OTHER_ANALYTES = ("analyte-not-used",)


def model_reference(study: Study, predictor: Predictor) -> str | Path:
    """The model that a predictor names: an id of the library, or the path of a file.

    A path starts at the folder of the study file. Raises `ValueError` where the predictor names none.
    """
    if predictor.exposure is None:
        raise ValueError("the predictor names no model")
    named = predictor.exposure.removeprefix("model:").strip()
    return study.folder / named if named.endswith(".toml") else named


def check_models(
    study: Study, known: Iterable[str], cohort: Cohort | None, found: Findings, hashes: dict[str, str]
) -> None:
    """Everything wrong with the models that questions name, each once, with the file and the place.

    `known`: the covariates that are declared or computed; `cohort`: the tables where they were read without
    an error, else None, and what only they can tell is not said. The SHA-256 of a model file goes to
    `hashes`.
    """
    covariates = {name.casefold() for name in known}
    specs: dict[str | Path, ModelSpec | None] = {}
    held: set[str] = set()
    for question in study.question:
        predictor, where = question.predictor, f"question {question.id} predictor.exposure"
        if predictor is None or predictor.exposure is None or predictor.analyte is None:
            continue
        file = study.path.name
        if "doses" not in study.tables:
            found.add(
                Severity.ERROR,
                "doses-needed",
                "a model predicts exposure from the doses: give tables.doses, a row at each change",
                file=file,
                column=where,
            )
        reference = model_reference(study, predictor)
        if reference not in specs:
            model = _loaded(reference, file, where, found, hashes)
            specs[reference] = model.spec if model is not None else None
        spec = specs[reference]
        if spec is None:
            continue
        complete = _check_question(spec, predictor, file, where, found)
        complete &= _check_covariates(spec, covariates, cohort, file, where, found)
        if complete and cohort is not None and "doses" in study.tables and spec.sha256 not in held:
            held.add(spec.sha256)
            _check_records(cohort, spec, found)


def _loaded(
    reference: str | Path, file: str, where: str, found: Findings, hashes: dict[str, str]
) -> Model | None:
    from troughline.model.model import load_model

    try:
        model = load_model(reference)
    except InputError as error:
        found.extend(error.findings)
        found.add(
            Severity.ERROR, "model-faulty", f"{Path(reference).name} has errors", file=file, column=where
        )
    except OSError as error:
        name = Path(reference).name
        reason = f"cannot be read: {error.strerror}"
        found.add(Severity.ERROR, "model-unreadable", f"{name} {reason}", file=file, column=where)
    except UnicodeDecodeError:
        message = f"{Path(reference).name} is not UTF-8 text"
        found.add(Severity.ERROR, "model-unreadable", message, file=file, column=where)
    except ValueError as error:
        found.add(Severity.ERROR, "unknown-model", str(error), file=file, column=where)
    else:
        if isinstance(reference, Path):
            hashes[reference.name] = hashlib.sha256(reference.read_bytes()).hexdigest()
        return model
    return None


def _check_question(spec: ModelSpec, predictor: Predictor, file: str, where: str, found: Findings) -> bool:
    from troughline.cohort.studyfile_messages import did_you_mean
    from troughline.units import is_convertible, is_unit, molar_mass_g_per_mol

    analyte, unit = str(predictor.analyte), str(predictor.unit)
    outputs = {o.name.casefold(): o.name for o in spec.outputs}
    if analyte.casefold() not in outputs:
        hint = did_you_mean(analyte, outputs.values(), "its outputs")
        found.add(
            Severity.ERROR,
            "model-output",
            f"{spec.id} does not predict {shown(analyte)}; {hint}",
            file=file,
            column=where,
        )
        return False
    given = "mg*h/L" if predictor.metric == "auc" else "mg/L"
    mass = molar_mass_g_per_mol(analyte)
    if is_unit(unit) and not is_convertible(given, unit, molar_mass_g_per_mol=mass):
        what = "an area, such as mg*h/L" if predictor.metric == "auc" else "a level, such as mg/L"
        found.add(
            Severity.ERROR,
            "unit-not-convertible",
            f"metric = {predictor.metric!r} is {what}; {shown(unit)} is not",
            file=file,
            column=where.removesuffix("exposure") + "unit",
        )
        return False
    return True


def _check_covariates(
    spec: ModelSpec, covariates: set[str], cohort: Cohort | None, file: str, where: str, found: Findings
) -> bool:
    """An error for the covariates that the model needs and the study has nowhere."""
    if cohort is None:
        return True
    measured = {str(a).casefold() for a in cohort.measurements["analyte"].unique()}
    missing = [
        c
        for c in spec.covariates
        if c.default is None and c.name.casefold() not in covariates and c.name.casefold() not in measured
    ]
    for c in missing:
        kind = f"levels {', '.join(c.levels)}" if c.levels is not None else f"unit {c.unit}"
        found.add(
            Severity.ERROR,
            "covariate-needed",
            f"{spec.id} needs {c.name} ({kind}) and has no default: declare it under [covariates], with a "
            "column of the patients table, or measure it",
            file=file,
            column=where,
        )
    return not missing


def _check_records(cohort: Cohort, spec: ModelSpec, found: Findings) -> None:
    """What turning the tables into the model's records finds; patients it cannot use are a warning."""
    from troughline.cohort.dosing_records import records_of

    told = {(f.code, f.message, f.file, f.row) for f in found}
    _, findings = records_of(cohort, spec)
    for finding in findings:
        if finding.code in _OF_OTHER_ANALYTES:
            continue
        one = _downgraded(finding, spec)
        if (one.code, one.message, one.file, one.row) not in told:
            told.add((one.code, one.message, one.file, one.row))
            found.extend([one])


def _downgraded(finding: Finding, spec: ModelSpec) -> Finding:
    if finding.severity is Severity.ERROR and finding.code in PER_PATIENT:
        message = f"{finding.message}: no exposure by {spec.id} for such a patient"
        return replace(finding, severity=Severity.WARNING, message=message)
    return finding
