"""Virtual patients written to Parquet as they come, a few at a time in memory."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from troughline.trial.cells import ROUTES, WHY

ROWS = 50_000
"""Rows of a group in the file."""
RESPONSES = ("NE", "CR", "PR", "SD", "PD")
REASONS = ("", "growth", "new lesion")
WORDS = {
    "best": RESPONSES, "mbest": RESPONSES, "reason": REASONS, "stop_why": WHY, "route": ROUTES,
    "etiology": ("HBV", "HCV", "other"), "child_pugh_class": ("A", "B"),
}  # fmt: skip


def _arrow(name: str = "pyarrow") -> Any:
    return importlib.import_module(name)


class PatientFile:
    """A Parquet file of virtual patients, whole or not at all. A context; `None` as path writes nothing.

    Entering raises `OSError` where the file cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._writer: Any = None
        self._whole: AbstractContextManager[Path] | None = None
        self._made: Path | None = None
        self._waiting: list[Any] = []
        self._rows = 0

    def __enter__(self) -> PatientFile:
        from troughline.output_file import check_output, whole_file

        if self._path is not None:
            check_output(self._path)
            self._whole = whole_file(self._path)
            self._made = self._whole.__enter__()
        return self

    def add(self, keys: Mapping[str, str | int], columns: Mapping[str, NDArray[Any]]) -> None:
        """Rows with the same keys."""
        if self._made is None:
            return
        pa = _arrow()
        n = len(next(iter(columns.values())))
        table: dict[str, Any] = {}
        for name, value in keys.items():
            if isinstance(value, str):
                table[name] = pa.DictionaryArray.from_arrays(np.zeros(n, dtype=np.int32), [value]).cast(
                    pa.string()
                )
            else:
                table[name] = np.full(n, value, dtype=np.int32)
        for name, values in columns.items():
            words = WORDS.get(name)
            if words is not None:
                table[name] = pa.array([words[int(v)] for v in values], type=pa.string())
            elif values.dtype == np.float64:
                table[name] = pa.array(values, from_pandas=True)
            else:
                table[name] = values
        self._waiting.append(pa.table(table))
        self._rows += n
        if self._rows >= ROWS:
            self._write()

    def _write(self) -> None:
        pa, pq = _arrow(), _arrow("pyarrow.parquet")
        if not self._waiting or self._made is None:
            return
        table: Any = pa.concat_tables(self._waiting)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._made, table.schema, compression="zstd")
        self._writer.write_table(table)
        self._waiting, self._rows = [], 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._write()
        except BaseException as mine:
            kind, error, trace = type(mine), mine, mine.__traceback__
            raise
        finally:
            if self._writer is not None:
                self._writer.close()
            if self._whole is not None:
                self._whole.__exit__(kind, error, trace)
