"""A small valid study on disk, for tests that then change one thing in it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

PATIENTS = "patient,start,age\n" + "".join(f"P{i},,{50 + i}\n" for i in range(1, 13))
MEASUREMENTS = "patient,time,analyte,value,unit\n" + "".join(
    f"P{i},28,sorafenib,{1.0 + 0.45 * i:.2f},ug/mL\n" for i in range(1, 13)
)
EVENTS = "patient,time,event,term,grade,version,response,criterion\n" + "".join(
    f"P{i},{30 + i},adverse event,hand-foot skin reaction,{3 if i % 3 == 0 or i > 9 else 1},5.0,,\n"
    f"P{i},56,response,,,,{'PR' if i % 2 else 'PD'},RECIST 1.1\n"
    f"P{i},{200 + 10 * i},{'death' if i % 4 else 'last contact'},,,,,\n"
    for i in range(1, 13)
)

HEADER = """
[study]
title = "A small study"
simulated = true
drug = "sorafenib"
"""

TABLES = """
[tables]
patients = "patients.csv"
measurements = "measurements.csv"
events = "events.csv"
"""

COVARIATES = """
[covariates]
age = { unit = "year" }
"""

QUESTION = """
[[question]]
id = "threshold"
kind = "threshold"
predictor = { analyte = "sorafenib", metric = "trough", unit = "ug/mL" }
outcome = { event = "adverse event", grade = ">=3" }
bootstrap = 200
"""


def write_study(
    folder: Path,
    *,
    header: str = HEADER,
    tables: str = TABLES,
    covariates: str = COVARIATES,
    question: str = QUESTION,
    files: dict[str, str | bytes] | None = None,
) -> Path:
    """Write the study file and its three tables; `files` replaces or adds tables by file name."""
    contents: dict[str, str | bytes] = {
        "patients.csv": PATIENTS,
        "measurements.csv": MEASUREMENTS,
        "events.csv": EVENTS,
        **(files or {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        data = content.encode("utf-8") if isinstance(content, str) else content
        (folder / name).write_bytes(data)
    study = folder / "study.toml"
    study.write_text(header + tables + covariates + question, encoding="utf-8")
    return study


def table(header: str, rows: Iterable[str]) -> str:
    """A CSV text from a header and rows."""
    return "\n".join((header, *rows)) + "\n"
