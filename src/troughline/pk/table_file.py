"""A table of any length to CSV or Parquet, a chunk at a time, whole or not at all."""

from __future__ import annotations

import importlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from troughline.issues import Finding, InputError, Severity
from troughline.output_file import check_output, whole_file

Kind = Literal["integer", "number", "text"]
Columns = Mapping[str, NDArray[Any] | Sequence[str]]
SUFFIXES = (".csv", ".parquet")


class TableWriter:
    """Takes chunks of rows: `write` with an array of equal length for each column, NaN where empty."""

    def __init__(self, sink: Any, schema: Any) -> None:
        self._sink = sink
        self._schema = schema
        self._pa: Any = importlib.import_module("pyarrow")
        self.rows = 0

    def write(self, columns: Columns) -> None:
        """Append rows. Raises `ValueError` where the columns are not those of the table."""
        if list(columns) != list(self._schema.names):
            raise ValueError(f"columns {list(columns)} are not {list(self._schema.names)}")
        arrays = [
            self._pa.array(columns[field.name], type=field.type, from_pandas=True) for field in self._schema
        ]
        batch: Any = self._pa.record_batch(arrays, schema=self._schema)
        self._sink.write_batch(batch)
        self.rows += int(batch.num_rows)


def check_table_target(path: Path, *, inputs: Iterable[Path] = ()) -> None:
    """Raise unless a table can be written at `path`: `InputError` for its ending, otherwise `OSError`."""
    if path.suffix.lower() not in SUFFIXES:
        message = f"ends in {path.suffix!r}; tables are written as {' or '.join(SUFFIXES)}"
        raise InputError([Finding(Severity.ERROR, "file-kind", message, path.name)], configuration=True)
    check_output(path, inputs=inputs)


@contextmanager
def table_file(path: Path, kinds: Mapping[str, Kind]) -> Generator[TableWriter]:
    """A table at `path`, CSV or Parquet by its ending, with columns of these kinds, to write chunks to.

    Numbers keep every digit: what is read back equals what was written. The file appears when all is
    written; on failure the place is as it was. Raises as `check_table_target`.
    """
    check_table_target(path)
    pa: Any = importlib.import_module("pyarrow")
    types = {"integer": pa.int64(), "number": pa.float64(), "text": pa.string()}
    schema: Any = pa.schema([(name, types[kind]) for name, kind in kinds.items()])
    with whole_file(path) as place:
        if path.suffix.lower() == ".parquet":
            parquet: Any = importlib.import_module("pyarrow.parquet")
            with parquet.ParquetWriter(str(place), schema) as sink:
                yield TableWriter(sink, schema)
            return
        csv: Any = importlib.import_module("pyarrow.csv")
        with place.open("wb") as file:
            # pyarrow would put the header in quotes.
            file.write((",".join(kinds) + "\n").encode())
            with csv.CSVWriter(file, schema, write_options=csv.WriteOptions(include_header=False)) as sink:
                yield TableWriter(sink, schema)
