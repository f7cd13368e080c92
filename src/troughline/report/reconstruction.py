"""Reconstructed patients as files: the table that a study reads, its JSON and its picture, all or none."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from troughline.evidence.reconstruct.result import Reconstruction
from troughline.output_file import check_output, whole_file


def output_files(out: Path) -> tuple[Path, Path, Path]:
    """The table, the JSON and the picture.

    Raises `ValueError` where `out` does not end in .csv.
    """
    if out.suffix.lower() != ".csv":
        raise ValueError(
            f"--out is {out.name!r}: patients are written as .csv, with .json and .svg beside it"
        )
    return out, out.with_suffix(".json"), out.with_suffix(".svg")


def check_reconstruction_target(out: Path, inputs: Iterable[Path]) -> None:
    """Raise `ValueError` or `OSError` unless all three files can be written and none is an input."""
    read = tuple(inputs)
    for file in output_files(out):
        check_output(file, inputs=read)


def write_reconstruction(made: Reconstruction, out: Path) -> tuple[Path, Path, Path]:
    """Write `FILE.csv`, `FILE.json` and `FILE.svg`; all are made before the first is written.

    Raises `ValueError` for another ending than .csv, `OSError` where a file cannot be written.
    """
    from troughline.report.figures.drawing import draw
    from troughline.report.figures.reconstruction import sketch_reconstruction

    files = output_files(out)
    picture = draw(
        "reconstruction",
        None,
        lambda: sketch_reconstruction(made.contents),
        simulated=bool(made.contents["simulated"]),
    )
    texts = (
        made.patients().to_csv(index=False, lineterminator="\n"),
        json.dumps(made.contents, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        _standing_alone(picture.svg),
    )
    for file, text in zip(files, texts, strict=True):
        with whole_file(file) as place:
            place.write_text(text, encoding="utf-8")
    return files


def _standing_alone(svg: str) -> str:
    return f'<?xml version="1.0" encoding="utf-8"?>\n{svg}'
