"""The files of `troughline dose --simulate`: page, numbers, patients and figures, all of them or none."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from troughline.report.write import check_writable, json_file, write_files

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from troughline.dosing.policy.result import PolicyResult
    from troughline.progress import Progress

_OWN_FILE = re.compile(r'href="(figures/[a-z0-9-]+\.(?:svg|png))"')


def write_policies(
    result: PolicyResult, out: Path, *, report: bool = True, progress: Progress | None = None
) -> list[Path]:
    """Write `report.html`, `policy.json`, `patients.csv` and `figures/` to the folder `out`.

    All files are made beside their place and moved there at the end; if anything fails, `out` is as it was.
    Without `report` there is no page and no figure, and those of an earlier run go. The bytes depend on the
    result alone. Raises `OSError` where `out` cannot be written to.
    """
    check_writable(out)
    content = policy_files(result, report=report, progress=progress)
    return write_files(content, out, earlier=_earlier)


def policy_files(
    result: PolicyResult, *, report: bool = True, progress: Progress | None = None
) -> dict[str, bytes]:
    """The content of every file by its path within the folder; nothing is written."""
    content = json_file("policy.json", result.contents)
    content["patients.csv"] = patients_csv(result.patients).encode()
    if not report:
        return content
    from troughline.report.figures.policy_plan import draw_narrow_overview, draw_policy_figures
    from troughline.report.policy_page import render_policy_page

    figures = draw_policy_figures(result.contents, progress=progress)
    content["report.html"] = render_policy_page(
        result.contents, figures, narrow=draw_narrow_overview(result.contents)
    ).encode()
    for figure in figures:
        content[f"figures/{figure.name}.svg"] = figure.svg.encode()
        content[f"figures/{figure.name}.png"] = figure.png
    return content


def patients_csv(columns: Mapping[str, NDArray[Any]]) -> str:
    """The table of patients; the last column says that they are simulated."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*columns, "simulated"])
    values = [_cells(column) for column in columns.values()]
    writer.writerows([*row, "yes"] for row in zip(*values, strict=True))
    return out.getvalue()


def _cells(column: NDArray[Any]) -> list[str]:
    if column.dtype.kind == "f":
        return [f"{value:.8g}" for value in column.tolist()]
    return [str(value) for value in column.tolist()]


def _earlier(out: Path) -> set[str]:
    """What an earlier evaluation left in `out` that this one may not have: its page and figures."""
    try:
        page = (out / "report.html").read_text("utf-8")
    except (OSError, ValueError):
        return set()
    if '<meta name="generator" content="Troughline' not in page or "Dosing policies" not in page:
        return set()
    return {"report.html", *_OWN_FILE.findall(page)}
