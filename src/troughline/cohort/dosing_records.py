"""A cohort's four tables to records of a model.

A study day is 24 h; day 0 is the first dose. At one time come covariate changes, then samples, then doses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.cohort.dosing_covariates import covariates_of
from troughline.cohort.dosing_history import Flags, Floats, Ints, parted, placed, regimens, until_last
from troughline.cohort.dosing_measurements import Determinations, Samples, read_measurements
from troughline.cohort.record_covariates import name_patients, occasion_index
from troughline.cohort.reporting import name_rows
from troughline.issues import Findings, Severity
from troughline.model.build import dose_rate
from troughline.model.records import ALL_INPUTS, DOSE, MISSING, OBSERVATION, OTHER, Records

if TYPE_CHECKING:
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.schema import TableName
    from troughline.model.spec import ModelSpec

_RANK = {OTHER: 0, OBSERVATION: 1, DOSE: 2}


@dataclass(frozen=True, slots=True)
class _Records:
    """Records not yet in order: columns by the names of `Records`, `patient` an index; each (n_records,)."""

    columns: Mapping[str, NDArray[Any]]

    def get(self, name: str, otherwise: float, kind: type[np.generic]) -> NDArray[Any]:
        if name in self.columns:
            return self.columns[name].astype(kind)
        return np.full(len(self.columns["patient"]), otherwise, dtype=kind)


_COLUMNS: tuple[tuple[str, float, type[np.generic]], ...] = (
    ("patient", 0, np.int64),
    ("time_h", 0, np.float64),
    ("event", OTHER, np.int64),
    ("amount_mg", 0, np.float64),
    ("rate_mg_per_h", 0, np.float64),
    ("interval_h", 0, np.float64),
    ("additional", 0, np.int64),
    ("steady_state", 0, np.int64),
    ("compartment", ALL_INPUTS, np.int64),
    ("output", 0, np.int64),
    ("value", np.nan, np.float64),
    ("censoring", MISSING, np.int64),
    ("limit", np.nan, np.float64),
    ("label", np.nan, np.float64),
    ("covariate", -1, np.int64),
    ("determined", np.nan, np.float64),
    ("row", 0, np.int64),
)


def records_of(
    cohort: Cohort,
    spec: ModelSpec,
    *,
    analytes: Mapping[str, str | None] | None = None,
    predict_h: Sequence[float] | Mapping[str, Sequence[float]] = (),
) -> tuple[Records, Findings]:
    """The records of a cohort's patients, in its order, and what was found on the way; errors do not raise.

    - Doses enter through every input of the model. A row of the doses table holds until the next one of the
      patient, or his last record; amount 0 ends the one before.
    - Measurements are observations of the output, or values of the covariate, that has the analyte's name
      in any case; `analytes` names another output for an analyte, or None to leave it out.
    - A covariate is taken from the patients table at the first record, and from measurements at their time.
    - Where the study gives days, not clock times, a sample with a `time_after_dose_h` is placed that long
      after the dose that puts it nearest to its study day; without one it is a trough at the day's begin.
    - `predict_h`: times (h) at which every output is predicted, the same for all patients or by patient.

    `row` of a record is that of the doses or the measurements table. Raises `ValueError` where `analytes`
    names an output that the model does not have, and `predict_h` a patient who is not in the cohort.
    """
    found = Findings()
    patients = cohort.patient_ids
    index = _indexer(cohort)
    files = {name: _file(cohort, name) for name in ("patients", "doses", "measurements")}
    samples, determined = read_measurements(
        cohort.measurements,
        index(cohort.measurements["patient"]),
        spec,
        analytes or {},
        found,
        file=files["measurements"],
    )
    rows = regimens(cohort.doses, index(cohort.doses["patient"]), found, file=files["doses"])
    sample_h = samples.day_h
    if cohort.study.study.time == "day":
        sample_h, moved = placed(rows, samples.patient, samples.day_h, samples.after_dose_h)
        _say_placed(samples, sample_h, moved, found, file=files["measurements"])
    predicted = _predictions(patients, predict_h, len(spec.outputs))
    rows = until_last(rows, _last_times(len(patients), samples.patient, sample_h, predicted))
    observed = np.concatenate([samples.patient, predicted[0]])
    rows, times = parted(rows, observed, np.concatenate([sample_h, predicted[1]]))
    parts = (
        _determination_records(determined),
        _sample_records(samples, times[: len(sample_h)]),
        _Records(
            {
                "patient": predicted[0],
                "time_h": times[len(sample_h) :],
                "event": np.full(len(predicted[0]), OBSERVATION),
                "output": predicted[2],
            }
        ),
        _Records(
            {
                "patient": rows.patient,
                "time_h": rows.time_h,
                "event": np.full(len(rows), DOSE),
                "amount_mg": rows.amount_mg,
                "rate_mg_per_h": np.full(len(rows), dose_rate(spec, None)),
                "interval_h": rows.interval_h,
                "additional": rows.additional,
                "steady_state": rows.steady_state,
                "row": rows.row,
            }
        ),
    )
    merged = {name: np.concatenate([p.get(name, o, kind) for p in parts]) for name, o, kind in _COLUMNS}
    _report(cohort, spec, rows.patient, samples, found, file=files["doses"])
    return _ordered(merged, cohort, spec, found, files), found


def _ordered(
    merged: dict[str, NDArray[Any]],
    cohort: Cohort,
    spec: ModelSpec,
    found: Findings,
    files: Mapping[str, str],
) -> Records:
    rank = np.array([_RANK[OBSERVATION], _RANK[DOSE], _RANK[OTHER]])[merged["event"]]
    order = np.lexsort((rank, merged["time_h"], merged["patient"]))
    merged = {name: values[order] for name, values in merged.items()}
    counts = np.bincount(merged.pop("patient"), minlength=len(cohort.patients))
    first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    time_h, label = merged["time_h"], merged.pop("label")
    which, value = merged.pop("covariate"), merged.pop("determined")
    covariates = covariates_of(
        cohort, spec, which, value, merged["row"], first, time_h, found,
        patients_file=files["patients"], measurements_file=files["measurements"],
    )  # fmt: skip
    # A visit's sample tells of the doses before it, so an occasion reaches back from its samples.
    occasion = occasion_index(label, first, rule="next", time_h=time_h)
    return Records(
        patients=cohort.patient_ids,
        first=first,
        covariates=covariates,
        occasion=occasion,
        **merged,
    )


def _indexer(cohort: Cohort) -> Any:
    import pandas as pd

    known = pd.Index(list(cohort.patient_ids))

    def index(names: pd.Series[str]) -> Ints:
        return known.get_indexer(pd.Index(names.astype(str))).astype(np.int64)

    return index


def _file(cohort: Cohort, name: TableName) -> str:
    location = cohort.study.tables.get(name, name)
    return Path(location.partition("#")[0]).name


def _predictions(
    patients: tuple[str, ...], predict_h: Sequence[float] | Mapping[str, Sequence[float]], n_outputs: int
) -> tuple[Ints, Floats, Ints]:
    """Patient, time and output of each prediction that is asked for."""
    if isinstance(predict_h, Mapping):
        unknown = sorted(set(predict_h) - set(patients))
        if unknown:
            raise ValueError(f"predict_h: no such {name_patients(unknown)} in the cohort")
        of = [np.asarray(predict_h.get(p, ()), dtype=np.float64) for p in patients]
        counts = np.array([len(times) for times in of], dtype=np.int64)
        time_h = np.concatenate([np.empty(0), *of])
    else:
        every = np.asarray(predict_h, dtype=np.float64)
        counts = np.full(len(patients), len(every))
        time_h = np.tile(every, len(patients))
    patient = np.repeat(np.arange(len(patients)), counts)
    output = np.tile(np.arange(n_outputs), len(patient))
    return np.repeat(patient, n_outputs), np.repeat(time_h, n_outputs), output


def _last_times(
    n_patients: int, patient: Ints, time_h: Floats, predicted: tuple[Ints, Floats, Ints]
) -> Floats:
    """When each patient was last sampled or is last predicted (n_patients,); −∞ where never."""
    last = np.full(n_patients, -np.inf)
    np.maximum.at(last, patient, time_h)
    np.maximum.at(last, predicted[0], predicted[1])
    return last


def _sample_records(samples: Samples, time_h: Floats) -> _Records:
    return _Records(
        {
            "patient": samples.patient,
            "time_h": time_h,
            "event": np.full(len(time_h), OBSERVATION),
            "output": samples.output,
            "value": samples.value,
            "censoring": samples.censoring,
            "limit": samples.limit,
            "label": samples.occasion,
            "row": samples.row,
        }
    )


def _determination_records(determined: Determinations) -> _Records:
    return _Records(
        {
            "patient": determined.patient,
            "time_h": determined.time_h,
            "event": np.full(len(determined.time_h), OTHER),
            "covariate": determined.covariate,
            "determined": determined.value,
            "row": determined.row,
        }
    )


def _say_placed(samples: Samples, time_h: Floats, moved: Flags, found: Findings, *, file: str) -> None:
    known = ~np.isnan(samples.after_dose_h)
    if moved.any():
        by_h = np.abs(time_h - samples.day_h)[moved]
        found.add(
            Severity.NOTE,
            "sample-placed",
            f"{int(moved.sum())} samples are placed by their time after the dose, up to {by_h.max():.3g} h "
            "from the begin of their study day",
            file=file,
            column="time_after_dose_h",
        )
    unfit = known & ~moved
    if unfit.any():
        found.add(
            Severity.WARNING,
            "sample-not-placed",
            "no dose lies that long before the sample without another one in between: the sample stays at "
            f"its study day ({name_rows(samples.row[unfit])})",
            file=file,
            column="time_after_dose_h",
        )
    if not known.all():
        found.add(
            Severity.NOTE,
            "sample-time",
            f"samples without a time after the dose are taken at the study day as it stands, before a dose "
            f"that is due then ({name_rows(samples.row[~known])})",
            file=file,
            column="time_after_dose_h",
        )


def _report(
    cohort: Cohort, spec: ModelSpec, dosed: Ints, samples: Samples, found: Findings, *, file: str
) -> None:
    """A warning about patients without a dose, notes about missing observations and occasions."""
    without = np.flatnonzero(np.bincount(dosed, minlength=len(cohort.patients)) == 0).tolist()
    if without:
        names = name_patients([cohort.patient_ids[i] for i in without])
        found.add(Severity.WARNING, "no-dose", f"no dose is given to {names}", file=file)
    if not len(samples.patient):
        found.add(
            Severity.NOTE,
            "no-observation",
            f"nothing that {spec.id} predicts was measured: there is the prediction before data alone",
        )
    elif spec.occasion_effects and np.isnan(samples.occasion).all():
        found.add(Severity.NOTE, "one-occasion", "no occasions are named: each patient has a single one")
