"""The files of `troughline trial`: page, `results.json`, tables and figures, all of them or none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from troughline.report.write import check_writable, json_file, write_files

Json = dict[str, Any]
Progress = Callable[[str, int, int], None]


def write_trial_report(
    results: Json,
    out: Path,
    *,
    report: bool = True,
    patients: Path | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write `report.html`, `results.json`, tables and figures to the folder `out`.

    `results` is the content of `results.json`. Without `report` there are no page and no figures. `patients`:
    the Parquet file of every virtual patient, on the disk of `out`, which is moved there. As `write_report`:
    everything or nothing, files of an earlier report that this one does not have are removed, others are left
    alone, and the bytes depend on `results` alone.
    Returns the files written. Raises `OSError` where `out` cannot be written to, `ValueError` where
    `results` holds a number that JSON has no word for.
    """
    check_writable(out)
    content = trial_files(results, report=report, patients=patients is not None, progress=progress)
    return write_files(content, out, moved=None if patients is None else {"patients.parquet": patients})


def trial_files(
    results: Json, *, report: bool = True, patients: bool = False, progress: Progress | None = None
) -> dict[str, bytes]:
    """The content of every file by its path within the folder; nothing is written.

    `patients`: whether the page says that `patients.parquet` stands beside it.
    """
    from troughline.report.tables import csv_of_dicts
    from troughline.report.trial_tables import trial_tables

    content = json_file("results.json", results)
    for name, rows in trial_tables(results).items():
        content[f"tables/{name}.csv"] = csv_of_dicts(rows, simulated=True).encode()
    if not report:
        return content
    from troughline.report.figures.trial_plan import draw_trial_figures
    from troughline.report.trial_page import render_trial_page

    figures = draw_trial_figures(results, progress=progress)
    content["report.html"] = render_trial_page(results, figures, patients=patients).encode()
    for figure in figures:
        content[f"figures/{figure.name}.svg"] = figure.svg.encode()
    if progress is not None:
        progress("report written", len(figures), len(figures))
    return content
