"""Troughline: exposure-guided sorafenib therapy in hepatocellular carcinoma. Research software."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from troughline.evidence.reconstruct.result import Reconstruction
    from troughline.issues import Findings
    from troughline.model.model import Model
    from troughline.pk.estimates import Estimates
    from troughline.report.dose_answer import DoseAnswer
    from troughline.report.trial_answer import TrialAnswer
    from troughline.response.study import StudyResult

__version__ = "0.1.0"


def study(path: str | Path) -> StudyResult:
    """Answer every question of a study file.

    Returns the result; `write(result, folder)` writes the report. Raises `troughline.issues.InputError`,
    which lists everything wrong with the study file or its tables.
    """
    from troughline.cohort.studyfile import load_study
    from troughline.response.study import run_study

    return run_study(load_study(path))


def dose(path: str | Path, *, seed: int | None = None, draws: int | None = None) -> DoseAnswer:
    """From one patient's file to feasible regimens with their probabilities, and which to prefer.

    `seed` and `draws` replace those of the file. The result's `sentence` is the answer; `regimens`,
    `parameters`, `samples`, `targets`, `causes`, `next_sample`, `earlier` and `curve` are DataFrames;
    `write(result, folder)` writes the report. Raises `troughline.issues.InputError` with everything wrong in
    the file, `ValueError` for an option outside its range.
    """
    from troughline.report.dose_answer import answer_file

    return answer_file(path, seed=seed, draws=draws)


def trial(
    path: str | Path,
    *,
    seed: int | None = None,
    n: int | None = None,
    replicates: int | None = None,
    workers: int | None = None,
    patients: str | Path | None = None,
) -> TrialAnswer:
    """Run the virtual trial of a trial file.

    `seed`, `n` patients an arm and `replicates` replace those of the file; the numbers do not depend on
    `workers`; `patients` is the Parquet file that every virtual patient goes to, or None. The result's
    `sentence` is the answer; `arms`, `comparisons`, `success`, `curves`, `responses`, `markers`, `routes`,
    `targets` and `combinations` are DataFrames; `write(result, folder)` writes the report. Raises
    `troughline.issues.InputError` with everything wrong in the file, `ValueError` for an option outside its
    range, `OSError` for a file that cannot be written.
    """
    from pathlib import Path

    from troughline.report.trial_answer import answer_trial

    return answer_trial(
        path,
        seed=seed,
        n=n,
        replicates=replicates,
        workers=workers,
        patients=None if patients is None else Path(patients),
    )


def load_model(reference: str | Path) -> Model:
    """A model of the library by its id (`sorafenib/jain-2011`), or a model file by its path (`….toml`).

    `model.spec` is what the file says, `model.predict(records)` predicts. Raises
    `troughline.issues.InputError` with every finding of a faulty file, `ValueError` for an id that the
    library does not have, `OSError` for a file that cannot be read.
    """
    from troughline.model.model import load_model as load

    return load(reference)


def estimate(
    data: str | Path,
    model: str | Path | Model,
    *,
    draws: int | None = None,
    seed: int = 0,
    prior_inflation: float = 1.0,
    starts: Literal["first", "suspicious", "all"] = "suspicious",
    zero_weight: float | None = None,
    interval_h: float | None = None,
    simulations: int = 1000,
    simulated: bool = False,
    threads: int | None = None,
    columns: Mapping[str, str | None] | None = None,
) -> Estimates:
    """Estimate every patient of a NONMEM-style file or a study file (`.toml`) with a model.

    `model`: an id, a model file, or what `load_model` gave; the options are those of `troughline estimate`
    (docs/estimate.md). The result's `individuals`, `predictions`, `exposure` and `parameters` are DataFrames;
    `write(result, folder)` writes the files. Raises `troughline.issues.InputError` with everything wrong in
    the data or the model file, `ValueError` for an option outside its range or an id that the library does
    not have, `OSError` for a file that cannot be read.
    """
    from pathlib import Path

    from troughline.pk.estimates import EstimateRequest
    from troughline.pk.estimates import estimate as run
    from troughline.pk.individual import EstimateOptions

    request = EstimateRequest(
        data=Path(data),
        model=load_model(model) if isinstance(model, (str, Path)) else model,
        columns=columns or {},
        draws=draws,
        simulations=simulations,
        seed=seed,
        simulated=simulated,
        interval_h=interval_h,
        individual=EstimateOptions(
            prior_inflation=prior_inflation, starts=starts, zero_weight=zero_weight, threads=threads
        ),
    )
    return run(request)


def write(result: StudyResult | DoseAnswer | TrialAnswer | Estimates, folder: str | Path) -> None:
    """Write a result's report, tables and `results.json` or `result.json`, or the files of estimates.

    Raises `OSError` where it cannot.
    """
    from pathlib import Path

    from troughline.pk.estimates import Estimates

    if isinstance(result, Estimates):
        from troughline.report.estimates import write_made_estimates

        write_made_estimates(result, Path(folder))
        return
    from troughline.report.dose_answer import DoseAnswer

    if isinstance(result, DoseAnswer):
        from troughline.report.dose_write import write_dose_report

        write_dose_report(result.contents, Path(folder))
        return
    from troughline.report.trial_answer import TrialAnswer

    if isinstance(result, TrialAnswer):
        from troughline.report.trial_write import write_trial_report

        write_trial_report(result.contents, Path(folder))
        return
    from troughline.report.write import write_report

    write_report(result.contents, Path(folder))


def reconstruct(path: str | Path) -> Reconstruction:
    """Patients behind the printed Kaplan–Meier curves, or the printed summary, that a curve file describes.

    `patients()` of the result is the table that a study reads, `contents` the plain values of its JSON.
    Raises `troughline.issues.InputError` with everything wrong with the file, its clicks and its numbers at
    risk.
    """
    from troughline.evidence.reconstruct.run import reconstruct as run

    return run(path)


def check(path: str | Path) -> Findings:
    """Every finding about a study, patient, policy, trial, model, curve or evidence file; nothing is run.

    Which of these a file is, it says itself, as for `troughline check`. Raises `troughline.issues.InputError`
    where a study file cannot be used at all, `OSError` for a model file that cannot be read.
    """
    from troughline.input_files import findings_of

    return findings_of(path)


_run_trial = trial


class _TrialPackage(ModuleType):
    """The package `troughline.trial`, which can be called like the function that it takes the name of."""

    def __call__(self, *arguments: Any, **options: Any) -> TrialAnswer:
        return _run_trial(*arguments, **options)


class _Package(ModuleType):
    """This package: the first import from `troughline.trial` puts that package in the function's place."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "trial" and isinstance(value, ModuleType):
            value.__class__ = _TrialPackage
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
