"""The files of `troughline dose`: pages, `result.json`, tables and figures, all of them or none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from troughline.report.write import check_writable, json_file, write_files

Json = dict[str, Any]
Progress = Callable[[str, int, int], None]


def write_dose_report(
    results: Json, out: Path, *, report: bool = True, progress: Progress | None = None
) -> list[Path]:
    """Write `report.html`, `summary.html`, `result.json`, tables and figures to the folder `out`.

    `results` is the content of `result.json`. Without `report` there are no pages and no figures. As
    `write_report`: everything or nothing, files of an earlier report that this one does not have are removed,
    others are left alone, and the bytes depend on `results` alone.
    Returns the files written. Raises `OSError` where `out` cannot be written to, `ValueError` where
    `results` holds a number that JSON has no word for.
    """
    check_writable(out)
    return write_files(dose_files(results, report=report, progress=progress), out)


def dose_files(results: Json, *, report: bool = True, progress: Progress | None = None) -> dict[str, bytes]:
    """The content of every file by its path within the folder; nothing is written."""
    from troughline.report.dose_tables import dose_tables
    from troughline.report.tables import csv_of_dicts

    content = json_file("result.json", results)
    for name, rows in dose_tables(results).items():
        content[f"tables/{name}.csv"] = csv_of_dicts(rows, bool(results.get("simulated"))).encode()
    if report:
        content |= _pages(results, progress)
    return content


def _pages(results: Json, progress: Progress | None) -> dict[str, bytes]:
    from troughline.report.dose_page import render_dose_page, render_summary
    from troughline.report.figures.dose_plan import (
        draw_dose_figures,
        draw_narrow_course,
        draw_summary_course,
    )

    figures = draw_dose_figures(results, progress=progress)
    content = {
        "report.html": render_dose_page(results, figures, narrow=draw_narrow_course(results)).encode(),
        "summary.html": render_summary(results, draw_summary_course(results)).encode(),
    }
    for figure in figures:
        content[f"figures/{figure.name}.svg"] = figure.svg.encode()
    if progress is not None:
        progress("report written", len(figures), len(figures))
    return content
