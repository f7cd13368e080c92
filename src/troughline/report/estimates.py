"""The files of `troughline estimate`: tables, `result.json` and the page, all of them or none."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from troughline.pk.estimate_tables import TABLES, Rows
from troughline.pk.estimates import EstimateOutcome, EstimateRequest, Estimates, estimate_into
from troughline.progress import Progress, silent
from troughline.report.write import check_writable, exchange, open_workshop

if TYPE_CHECKING:
    from troughline.model.spec import ModelSpec
    from troughline.pk.estimates import Sink
    from troughline.pk.table_file import Kind

FILES = {
    "individuals.csv": "random effects of each patient, their covariance, objective and status",
    "predictions.csv": "each sample beside the predictions, its residual, and whether it lies far out",
    "exposure.csv": "trough, peak, area and average of dosing intervals, with intervals",
    "parameters.csv": "individual parameters with intervals",
    "result.json": "counts, shrinkage, tests, findings, provenance",
    "report.html": "this page",
}
_OWN_PAGE = '<meta name="generator" content="Troughline'


def write_estimates(
    request: EstimateRequest, out: Path, *, report: bool = True, progress: Progress = silent
) -> EstimateOutcome:
    """Estimate and write the files of `FILES` to the folder `out`; tables are written as they are computed.

    All files are made in a temporary folder beside their place and moved there at the end; if anything fails,
    `out` is as it was. Without `report` there is no page, and that of an earlier run is removed.
    Raises as `estimate_into`, and `OSError` where `out` cannot be written to or a file of the data is what
    would be replaced.
    """
    check_writable(out)
    _check_inputs(request, out)
    with _whole_set(out, report) as made:
        outcome = _write_tables(request, made, progress)
        _write_rest(outcome, request.model.spec, made, report, progress)
    return outcome


def write_made_estimates(estimates: Estimates, out: Path, *, progress: Progress = silent) -> None:
    """Write the files of estimates that are there already, as `write_estimates`."""
    from troughline.pk.estimate_tables import table_kinds
    from troughline.pk.table_file import table_file

    check_writable(out)
    tables = {name: getattr(estimates, name) for name in TABLES}
    with _whole_set(out, True) as made:
        for name, kinds in table_kinds(estimates.effect_names).items():
            with table_file(made / f"{name}.csv", kinds) as table:
                table.write({column: tables[name][column].to_numpy() for column in kinds})
        _write_rest(estimates.outcome, estimates.model.spec, made, True, progress)


def _check_inputs(request: EstimateRequest, out: Path) -> None:
    from troughline.output_file import check_output

    if out.is_dir():
        for name in FILES:
            check_output(out / name, inputs=request.inputs)


@contextmanager
def _whole_set(out: Path, report: bool) -> Generator[Path]:
    """A folder to make the files in, whose files then take their places in `out` together."""
    with open_workshop(out) as workshop:
        made = workshop / "estimates"
        made.mkdir()
        yield made
        names = sorted(file.name for file in made.iterdir())
        if out.exists():
            stale = [] if report or not _own_page(out / "report.html") else ["report.html"]
            exchange(made, out, names, stale, workshop / "before")
        else:
            made.replace(out)


def _own_page(file: Path) -> bool:
    try:
        return _OWN_PAGE in file.read_text("utf-8")
    except (OSError, ValueError):
        return False


def _write_tables(request: EstimateRequest, made: Path, progress: Progress) -> EstimateOutcome:
    from troughline.pk.table_file import TableWriter, table_file

    with ExitStack() as stack:
        writers: dict[str, TableWriter] = {}

        def open_tables(kinds: dict[str, dict[str, Kind]]) -> Sink:
            for name, columns in kinds.items():
                writers[name] = stack.enter_context(table_file(made / f"{name}.csv", columns))
            return write

        def write(table: str, rows: Rows) -> None:
            writers[table].write(rows)

        return estimate_into(request, open_tables, progress=progress)


def _write_rest(
    outcome: EstimateOutcome,
    spec: ModelSpec,
    made: Path,
    report: bool,
    progress: Callable[[str, int, int], None],
) -> None:
    text = json.dumps(outcome.contents, indent=1, ensure_ascii=False, allow_nan=False)
    (made / "result.json").write_bytes(f"{text}\n".encode())
    if report:
        from troughline.report.estimate_page import page_results
        from troughline.report.pk_page import write_estimates_report

        results: dict[str, Any] = page_results(outcome, spec, FILES)
        write_estimates_report(results, made, progress=progress)
