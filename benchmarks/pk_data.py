"""Records that the pharmacokinetic benchmarks share."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

import numpy as np

from troughline.cohort.nonmem import read_nonmem
from troughline.model.model import Model, load_model
from troughline.model.records import Records

HERE = Path(__file__).resolve().parent
MODEL = HERE / "models" / "sorafenib-like.toml"
DATA = HERE.parents[1] / "shared" / "data" / "pk" / "sorafenib_like_200.csv"


def sorafenib_like() -> tuple[Model, Records]:
    """The model of `sorafenib-like.toml` and the 200 patients simulated from it."""
    if not DATA.exists():
        sys.exit(f"reference data not found: {DATA.name} in shared/data/pk beside the checkout")
    model = load_model(MODEL)
    return model, read_nonmem(DATA, model.spec).records


def repeated(records: Records, times: int) -> Records:
    """The same patients `times` over."""
    whole = {
        f.name: np.concatenate([getattr(records, f.name)] * times)
        for f in fields(Records)
        if f.name not in ("patients", "first")
    }
    lengths = np.tile(np.diff(records.first), times)
    return Records(
        patients=tuple(f"{name} ({k})" for k in range(times) for name in records.patients),
        first=np.concatenate([[0], np.cumsum(lengths)]),
        **whole,
    )
