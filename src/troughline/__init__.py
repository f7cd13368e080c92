"""Troughline: exposure-guided sorafenib therapy in hepatocellular carcinoma. Research software."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from troughline.issues import Findings
    from troughline.model.model import Model
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


def load_model(reference: str | Path) -> Model:
    """A model of the library by its id (`sorafenib/jain-2011`), or a model file by its path (`….toml`).

    `model.spec` is what the file says, `model.predict(records)` predicts. Raises
    `troughline.issues.InputError` with every finding of a faulty file, `ValueError` for an id that the
    library does not have, `OSError` for a file that cannot be read.
    """
    from troughline.model.model import load_model as load

    return load(reference)


def write(result: StudyResult, folder: str | Path) -> None:
    """Write a result's report, `results.json`, tables and figures. Raises `OSError` where it cannot."""
    from pathlib import Path

    from troughline.report.write import write_report

    write_report(result.contents, Path(folder))


def check(path: str | Path) -> Findings:
    """Every finding about a study file and its tables; nothing is computed.

    Raises `troughline.issues.InputError` when the study file itself cannot be used.
    """
    from troughline.cohort.load import check_study
    from troughline.cohort.studyfile import load_study

    return check_study(load_study(path))
