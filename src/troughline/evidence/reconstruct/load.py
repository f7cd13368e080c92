"""CURVE.toml and the tables it names, read and checked; everything wrong is found together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from troughline.cohort.readers import RawTable, read_table
from troughline.cohort.reporting import shown
from troughline.evidence.reconstruct.clicks import CurveReading, ReadingStep, read_clicks
from troughline.evidence.reconstruct.figure import Axis, PathChoice, choose_path, path_clicks, vector_paths
from troughline.evidence.reconstruct.risk_table import RiskTable, read_risk_table
from troughline.evidence.reconstruct.schema import ArmSection, CurveFile
from troughline.issues import Findings, InputError, Severity
from troughline.toml_file import read_toml

FloatArray = NDArray[np.float64]

CLICK_STEP = 0.005
"""The reading step of survival of clicks by hand where none is stated."""
FIGURE_STEP = 0.0001
"""The same of a vector path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmInput:
    """One arm as read: its curve and its numbers at risk."""

    name: str
    curve: CurveReading
    table: RiskTable
    total_events: int | None
    ticks: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveInput:
    """A checked CURVE.toml: `arms` where it gives curves, none where it gives a summary."""

    file: CurveFile
    arms: tuple[ArmInput, ...]
    findings: Findings
    inputs: dict[str, str]


def load_curve_file(path: str | Path) -> CurveFile:
    """Read CURVE.toml and check its shape.

    Raises `InputError` (configuration) with one finding for each thing wrong with it.
    """
    file = Path(path)
    found = Findings()
    read = read_toml(file, found, called=str(path))
    if read is None:
        raise InputError(found, configuration=True)
    return _checked(read[0], file, found)


def load_curves(file: CurveFile) -> CurveInput:
    """Read the tables and figures that a curve file names.

    Errors are in `findings`; `arms` then holds what could be read.
    """
    found = Findings()
    inputs: dict[str, str] = {}
    figure = _figure_paths(file, found) if any(a.path for a in file.arm) else ()
    arms: list[ArmInput] = []
    for arm in file.arm:
        if arm.median is not None:
            continue
        clicked = (
            _clicks(file, arm, inputs, found)
            if arm.clicks is not None
            else _from_figure(file, arm, figure, found)
        )
        table = _risk_table(file, arm, inputs, found)
        if arm.events is not None and table is not None and arm.events > table.n:
            message = f"arm {arm.name!r}: {arm.events} events among {table.n} patients"
            found.add(Severity.ERROR, "events-above-n", message, file=file.path.name)
        if clicked is None or table is None:
            continue
        _check_ticks(file, arm, clicked.end, found)
        _check_end(file, arm, clicked, table, found)
        arms.append(
            ArmInput(
                name=arm.name,
                curve=clicked,
                table=table,
                total_events=arm.events,
                ticks=tuple(sorted(arm.ticks)),
            )
        )
    return CurveInput(file=file, arms=tuple(arms), findings=found, inputs=inputs)


def _checked(data: dict[str, Any], file: Path, found: Findings) -> CurveFile:
    from troughline.cohort.studyfile_messages import by_schema

    if "path" in data:
        found.add(Severity.ERROR, "curve-file", "unknown key", file=file.name, column="path")
        raise InputError(found, configuration=True)
    read = by_schema(CurveFile, data, found, file=file.name, code="curve-file", path=file)
    if read is None:
        raise InputError(found, configuration=True)
    if read.curve.study is not None:
        from troughline.evidence.store import list_publications

        if read.curve.study not in list_publications():
            message = f"study {read.curve.study!r} is not in the evidence base (troughline evidence list)"
            found.add(Severity.ERROR, "curve-file", message, file=file.name, column="curve.study")
            raise InputError(found, configuration=True)
    return read


def _figure_paths(file: CurveFile, found: Findings) -> Any:
    assert file.figure is not None
    return vector_paths(file.path.parent / file.figure.file, file.figure.page, found)


def _from_figure(file: CurveFile, arm: ArmSection, paths: Any, found: Findings) -> CurveReading | None:
    figure, choice = file.figure, arm.path
    assert figure is not None
    assert choice is not None
    if not paths:
        if not found.errors:
            message = (
                "holds no stroked path of three points or more: a picture, perhaps, not drawn in vectors"
            )
            found.add(Severity.ERROR, "no-path", message, file=Path(figure.file).name)
        return None
    name = Path(figure.file).name
    path = choose_path(
        paths, PathChoice(stroke=choice.stroke, id=choice.id, index=choice.index), found=found, file=name,
        arm=arm.name,
    )  # fmt: skip
    if path is None:
        return None
    axes = [
        Axis(position=(points[0][0], points[1][0]), value=(points[0][1], points[1][1]))
        for points in (figure.time, figure.survival)
    ]
    time, survival = path_clicks(path, axes[0], axes[1])
    if np.any(np.diff(time) < -0.01 * np.ptp(time)):
        message = f"arm {arm.name!r}: the path runs back in time: an outline or a closed shape, not a curve"
        found.add(Severity.ERROR, "path-not-a-curve", message, file=name)
        return None
    return _read(file, arm, time, survival, FIGURE_STEP, name, None, found)


def _clicks(file: CurveFile, arm: ArmSection, inputs: dict[str, str], found: Findings) -> CurveReading | None:
    assert arm.clicks is not None
    table = _table(file, arm.clicks, inputs, found)
    columns = _numbers(file, table, ("time", "survival"), found)
    if table is None or columns is None:
        return None
    return _read(file, arm, columns[0], columns[1], CLICK_STEP, table.file, table.rows, found)


def _read(
    file: CurveFile,
    arm: ArmSection,
    time: FloatArray,
    survival: FloatArray,
    step: float,
    name: str,
    rows: NDArray[np.int64] | None,
    found: Findings,
) -> CurveReading | None:
    reading = file.reading
    if reading.survival == "percent":
        if survival.size and float(np.max(survival)) <= 1.0:
            message = "no survival is above 1, but [reading] says percent: write survival = 'fraction'"
            found.add(Severity.ERROR, "axis", f"arm {arm.name!r}: {message}", file=name)
            return None
        survival = survival / 100.0
    longest = float(np.max(time)) if time.size else 0.0
    steps = ReadingStep(
        survival=reading.step or step,
        time=reading.time_step or max(longest, 1e-9) * (reading.step or step),
    )
    return read_clicks(time, survival, step=steps, found=found, file=name, rows=rows, arm=arm.name)


def _risk_table(
    file: CurveFile, arm: ArmSection, inputs: dict[str, str], found: Findings
) -> RiskTable | None:
    given = arm.at_risk
    if given is None and arm.risk_table is None:
        message = f"arm {arm.name!r}: no numbers at risk; " + (
            "censorings are spread evenly over follow-up, as the events then require"
            if arm.events is not None
            else "nor a number of events: it is what an even spread of censorings over follow-up gives"
        )
        found.add(Severity.WARNING, "no-risk-table", message, file=file.path.name)
        return read_risk_table([], [], n=arm.n, found=found, file=file.path.name, arm=arm.name)
    if given is not None:
        return read_risk_table(
            given.time, given.at_risk, n=arm.n, found=found, file=file.path.name, arm=arm.name
        )
    table = _table(file, str(arm.risk_table), inputs, found)
    columns = _numbers(file, table, ("time", "at_risk"), found)
    if table is None or columns is None:
        return None
    return read_risk_table(
        columns[0], columns[1], n=arm.n, found=found, file=table.file, rows=table.rows, arm=arm.name
    )


def _table(file: CurveFile, name: str, inputs: dict[str, str], found: Findings) -> RawTable | None:
    read = read_table(name, file.path.parent, found)
    if read.sha256 is not None:
        inputs[Path(name.partition("#")[0]).name] = read.sha256
    return read.table


def _numbers(
    file: CurveFile, table: RawTable | None, names: tuple[str, ...], found: Findings
) -> list[FloatArray] | None:
    """The named columns as numbers; None with an error for each that is missing or each cell that is none."""
    if table is None:
        return None
    before = len(found.errors)
    out: list[FloatArray] = []
    renamed: dict[str, str] = {str(k): v for k, v in file.reading.columns.items()}
    for name in names:
        column = renamed.get(name, name)
        if column not in table.columns:
            known = ", ".join(table.columns)
            message = (
                f"has no column {column!r} (columns: {known}); [reading.columns] {name} = ... names another"
            )
            found.add(Severity.ERROR, "column-missing", message, file=table.file, row=1, column=column)
            continue
        values = np.full(len(table.rows), np.nan)
        for i, cell in enumerate(table.cells[column].tolist()):
            text = str(cell).replace(",", ".") if table.decimal_comma else str(cell)
            try:
                values[i] = float(text)
            except ValueError:
                what = "is empty" if not text else f"{shown(text)} is no number"
                found.add(
                    Severity.ERROR,
                    "not-a-number",
                    what,
                    file=table.file,
                    row=int(table.rows[i]),
                    column=column,
                )
        out.append(values)
    return None if len(found.errors) > before else out


def _check_ticks(file: CurveFile, arm: ArmSection, end: float, found: Findings) -> None:
    outside = [t for t in arm.ticks if not 0 < t <= end * (1 + 1e-9)]
    if outside:
        message = (
            f"arm {arm.name!r}: a censoring tick at {outside[0]:g} lies outside the curve (0 to {end:g})"
        )
        found.add(Severity.ERROR, "tick-outside", message, file=file.path.name)


def _check_end(
    file: CurveFile, arm: ArmSection, curve: CurveReading, table: RiskTable, found: Findings
) -> None:
    """Say where the table goes on after the last click, or the curve falls when nobody is at risk."""
    beyond = (table.time > curve.end + curve.step.time) & (table.at_risk > 0)
    if beyond.any():
        last = float(table.time[beyond][-1])
        message = (
            f"arm {arm.name!r}: the curve ends at {curve.end:g}, but {int(table.at_risk[beyond][-1])} are "
            f"at risk at {last:g}: it is taken as level until then"
        )
        found.add(Severity.WARNING, "curve-ends-early", message, file=file.path.name)
    gone = table.time[table.at_risk == 0]
    if gone.size and curve.end > gone[0] + curve.step.time:
        late = curve.survival[curve.time > gone[0] + curve.step.time]
        if late.size and late[0] - late[-1] > curve.step.survival:
            message = f"arm {arm.name!r}: the curve falls after {gone[0]:g}, when nobody is at risk any more"
            found.add(Severity.ERROR, "falls-without-patients", message, file=file.path.name)


def input_files(file: CurveFile) -> tuple[Path, ...]:
    """Every file that a curve file is read from, itself included."""
    folder = file.path.parent
    named = [name for arm in file.arm for name in (arm.clicks, arm.risk_table) if name is not None]
    if file.figure is not None:
        named.append(file.figure.file)
    return (file.path, *(folder / name.partition("#")[0] for name in named))
