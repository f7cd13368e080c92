"""A change question on real, public patients: viral load after an interruption, limits on both sides."""

from __future__ import annotations

import csv

import pytest

from tests.shared_data import shared
from troughline.cohort.studyfile import load_study
from troughline.response.study import run_study
from troughline.results import QuestionResult, Verdict

MONTHS = ("0", "1", "3", "6")


def measured() -> list[dict[str, str]]:
    """The rows of the four visits that hold a viral load."""
    lines = shared("data/survival/lmec_UTIdata.csv").read_text().splitlines()
    return [r for r in csv.DictReader(lines) if r["Fup"] in MONTHS and r["RNA"] != "NA"]


@pytest.fixture(scope="module")
def viral_load(tmp_path_factory: pytest.TempPathFactory) -> QuestionResult:
    """72 children and adolescents whose HIV treatment was interrupted (R package lmec, UTIdata).

    26 levels lie below 50 or 400 copies/mL and 7 above 750,000.
    """
    rows = measured()
    folder = tmp_path_factory.mktemp("uti")
    patients = sorted({r["Patid"] for r in rows})
    (folder / "patients.csv").write_text("patient\n" + "\n".join(patients) + "\n")
    levels = ["patient,time,analyte,value,unit,below_limit,limit,above_limit,occasion"]
    for r in rows:
        below, above = int(r["RNAcens"] == "1"), int(r["RNAcens"] == "2")
        value, limit = ("", r["RNA"]) if below or above else (r["RNA"], "")
        levels.append(
            f"{r['Patid']},{r['Days.after.TI']},HIV RNA,{value},1/mL,{below},{limit},{above},{r['Fup']}"
        )
    (folder / "measurements.csv").write_text("\n".join(levels) + "\n")
    (folder / "study.toml").write_text(
        '[study]\ntitle = "UTI"\n[tables]\npatients = "patients.csv"\nmeasurements = "measurements.csv"\n'
        '[[question]]\nid = "rna"\nkind = "change"\nmarkers = [{ analyte = "HIV RNA", unit = "1/mL" }]\n'
        f'occasions = {list(MONTHS)}\ncorrection = "holm"\n'.replace("'", '"'),
        encoding="utf-8",
    )
    return run_study(load_study(folder / "study.toml")).question("rna")


def test_the_viral_load_rises_and_every_method_says_so(viral_load: QuestionResult) -> None:
    """After interruption the load rises: every month, sign test to Tobit, corrected p below .01."""
    assert viral_load.verdict in (Verdict.ANSWERED, Verdict.CAUTION)
    ratios = [e for e in viral_load.estimates if e.name.startswith("change_ratio")]
    assert len(ratios) == 6
    for e in ratios:
        assert e.low is not None
        assert e.low > 1
        assert e.p_value is not None
        assert e.p_value < 0.01


def test_both_kinds_of_limit_are_counted(viral_load: QuestionResult) -> None:
    """As in the file: 26 below and 7 above over eight visits; those of the four visits here."""
    rows = measured()
    table = viral_load.tables["levels"]
    assert sum(r["below limit"] for r in table) == sum(r["RNAcens"] == "1" for r in rows)
    assert sum(r["above limit"] for r in table) == sum(r["RNAcens"] == "2" for r in rows)


def test_substitution_is_said(viral_load: QuestionResult) -> None:
    found = next(g for g in viral_load.guards if g.id == "substituted-limit")
    assert "HIV RNA" in found.finding


def test_rises_and_falls_are_those_that_the_limits_allow(viral_load: QuestionResult) -> None:
    """Counted again from the file: a pair rises where the later level surely lies above the first, both seen
    through the stricter limits of the two."""
    first: dict[tuple[str, str], tuple[float, float]] = {}
    for r in sorted(measured(), key=lambda r: float(r["Days.after.TI"])):
        x = float(r["RNA"])
        ends = {"0": (x, x), "1": (0.0, x), "2": (x, float("inf"))}[r["RNAcens"]]
        first.setdefault((r["Patid"], r["Fup"]), ends)
    for row in viral_load.tables["within-groups"]:
        pairs = [(first[p, "0"], first[p, row["occasion"]]) for p, v in first if v == "0" and (
            p, row["occasion"]) in first]  # fmt: skip
        assert len(pairs) == row["n"]
        rose = fell = 0
        for (low0, high0), (low1, high1) in pairs:
            rose += low1 > low0 if low0 == high0 and low1 == high1 else low1 >= high0
            fell += low1 < low0 if low0 == high0 and low1 == high1 else high1 <= low0
        assert (row["rose"], row["fell"]) == (rose, fell)
