"""Files are written whole or not at all, tables a chunk at a time and to the last digit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from troughline.issues import InputError
from troughline.output_file import check_output, whole_file
from troughline.pk.table_file import table_file

KINDS = {"row": "integer", "who": "text", "value": "number"}
FIRST = {"row": np.array([1, 2]), "who": ["a,b", 'say "x"'], "value": np.array([0.1 + 0.2, np.nan])}
SECOND = {"row": np.array([3]), "who": np.array(["ü"], dtype=object), "value": np.array([1e-300])}


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "T.CSV"])
def test_a_table_in_chunks_reads_back_exactly(name: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / name
    with table_file(path, KINDS) as table:
        table.write(FIRST)
        table.write(SECOND)
        assert not path.exists()
    assert table.rows == 3
    frame = pd.read_parquet(path) if name.endswith("parquet") else pd.read_csv(path)
    assert list(frame.columns) == list(KINDS)
    assert frame["row"].tolist() == [1, 2, 3]
    assert frame["who"].tolist() == ["a,b", 'say "x"', "ü"]
    np.testing.assert_array_equal(frame["value"], [0.1 + 0.2, np.nan, 1e-300])
    assert [p.name for p in path.parent.iterdir()] == [name]


def fail_half_way(path: Path) -> None:
    with table_file(path, KINDS) as table:
        table.write(FIRST)
        table.write({"row": np.array([1])})


def test_a_failure_leaves_all_as_it_was(tmp_path: Path) -> None:
    """The old file, no temporary one, and no folder made for the new."""
    old = tmp_path / "t.csv"
    old.write_text("mine")
    for path in (old, tmp_path / "a" / "b" / "t.csv"):
        with pytest.raises(ValueError, match="are not"):
            fail_half_way(path)
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]
    assert old.read_text() == "mine"


@pytest.mark.parametrize("name", ["t.xlsx", "t", "t.csv.gz"])
def test_only_csv_and_parquet_are_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.csv or \.parquet") as caught, table_file(tmp_path / name, KINDS):
        pass
    assert caught.value.configuration


def test_a_link_stays_a_link_and_its_file_is_replaced(tmp_path: Path) -> None:
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old")
    link.symlink_to(real)
    with whole_file(link) as place:
        place.write_text("new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_what_cannot_be_written_is_known_before(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "nowhere").symlink_to(tmp_path / "none")
    with pytest.raises(OSError, match="is there and no file"):
        check_output(tmp_path)
    with pytest.raises(OSError, match="link to nothing"):
        check_output(tmp_path / "nowhere")
    with pytest.raises(NotADirectoryError, match="is not a folder"):
        check_output(tmp_path / "file" / "below")
    with pytest.raises(OSError, match="what would be read"):
        check_output(tmp_path / "file", inputs=(tmp_path / "other", tmp_path / "file"))
    check_output(tmp_path / "file")
    check_output(tmp_path / "new" / "file")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "nowhere"]


def test_permissions_are_those_of_a_new_file(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("")
    with whole_file(tmp_path / "made") as place:
        place.write_text("")
    assert (tmp_path / "made").stat().st_mode == plain.stat().st_mode
