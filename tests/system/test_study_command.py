"""`troughline study` and its kin on the bundled example, as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.system.run import troughline

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "exposure-window" / "study.toml"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one run of the example."""
    out = tmp_path_factory.mktemp("example") / "out"
    done = troughline("study", EXAMPLE, "--out", out)
    # Both thresholds are refused (their intervals are too wide), everything else is answered.
    assert done.returncode == 1, done.stderr
    return out


def _questions(out: Path) -> dict[str, Any]:
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    return {q["id"]: q for q in results["questions"]}


def _value(question: dict[str, Any], name: str, method: str, label: str = "") -> dict[str, Any]:
    return next(
        e for e in question["estimates"]
        if e["name"] == name and e["method"].startswith(method) and e["label"] == label
    )  # fmt: skip


def test_as_published_comes_near_what_noda_printed(example: Path) -> None:
    """Noda 2020 (doi 10.1007/s00280-020-04105-0): toxicity 3.45, AUC 0.74; response 1.40, AUC 0.97."""
    questions = _questions(example)
    for name, cut, auc in (("toxicity-threshold", 3.45, 0.74), ("response-threshold", 1.40, 0.97)):
        assert _value(questions[name], "threshold", "as-published")["value"] == pytest.approx(cut, abs=0.05)
        assert _value(questions[name], "auc", "as-published")["value"] == pytest.approx(auc, abs=0.005)


def test_survival_by_band_has_the_printed_pattern(example: Path) -> None:
    """Noda 2020 prints medians of 5.3, 17.8 and 9.5 months; the simulated cohort lies within 15 %."""
    medians = [
        e["value"] for e in _questions(example)["survival-by-band"]["estimates"]
        if e["name"] == "median_survival" and e["method"].startswith("as-published")
    ]  # fmt: skip
    assert medians == pytest.approx([5.3, 17.8, 9.5], rel=0.15)


def test_the_printed_interval_is_called_impossible(example: Path) -> None:
    """0.97 with the interval 0.97–1.00 starts at its estimate."""
    guards = {g["id"]: g for g in _questions(example)["response-threshold"]["guards"]}
    assert "0.97–1.00" in guards["degenerate-interval"]["finding"]
    guarded = _value(_questions(example)["response-threshold"], "auc", "guarded")
    assert guarded["low"] < guarded["value"] < guarded["high"]
    assert guarded["low"] < 0.93


def test_immortal_time_is_named_with_what_it_did(example: Path) -> None:
    """Responders look better from the first dose than from the landmark at which they are known."""
    question = _questions(example)["survival-by-response"]
    guard = next(g for g in question["guards"] if g["id"] == "immortal-time")
    assert "day 90" in guard["finding"]
    ratios = [e for e in question["estimates"] if e["name"] == "hazard_ratio"]
    naive = next(e for e in ratios if e["method"].startswith("as-published"))
    landmark = next(e for e in ratios if "landmark on day 90" in e["method"])
    changing = next(e for e in ratios if "changes over time" in e["method"])
    assert naive["value"] < 0.8 < min(landmark["value"], changing["value"])


def test_both_bounds_are_wider_than_a_factor_of_two(example: Path) -> None:
    """26 patients do not pin a window down, and the report says how wide it really is."""
    question = _questions(example)["window"]
    for name in ("window_lower", "window_upper"):
        bound = _value(question, name, "guarded")
        assert bound["low"] is None or bound["high"] is None or bound["high"] / bound["low"] > 2
    assert "wide-window" in {g["id"] for g in question["guards"]}
    assert 0.5 < _value(question, "p_window_exists", "guarded")["value"] < 0.99


def test_every_name_of_the_contract_is_there(example: Path) -> None:
    """results.json holds the names that the design promises."""
    found = {e["name"] for q in _questions(example).values() for e in q["estimates"]}
    promised = {
        "auc", "auc_corrected", "threshold", "youden", "youden_corrected", "sensitivity", "specificity",
        "window_lower", "window_upper", "p_window_exists", "hazard_ratio", "median_survival",
        "rmst_difference",
    }  # fmt: skip
    assert promised <= found
    results = json.loads((example / "results.json").read_text(encoding="utf-8"))
    assert {"provenance", "issues", "questions"} <= set(results)
    for q in results["questions"]:
        assert {"id", "kind", "verdict", "guards", "estimates"} <= set(q)
        for e in q["estimates"]:
            assert {"name", "value", "low", "high", "level", "unit", "n", "method"} <= set(e)
            assert e["method"].startswith(("as-published", "guarded"))
        for g in q["guards"]:
            assert {"id", "severity", "finding", "remedy"} <= set(g)


def test_clinic_visit_levels_are_not_compared_with_troughs(example: Path) -> None:
    """4.78 and 5.78 µg/mL (Fukudo 2014) are levels at a clinic visit: listed, not compared."""
    rows = _questions(example)["window"]["tables"]["published-cuts"]
    compared = {round(r["cut"], 2): r["compared"] for r in rows}
    assert compared[1.4] == compared[3.45] == compared[3.75] == "yes"
    assert compared[4.78].startswith("no")
    assert compared[5.78].startswith("no")


def test_simulated_data_are_labelled_on_the_page(example: Path) -> None:
    """The word stands on the page and in results.json."""
    page = (example / "report.html").read_text(encoding="utf-8").lower()
    assert page.count("simulated") >= 3
    assert json.loads((example / "results.json").read_text())["study"]["simulated"] is True


def test_the_same_run_twice_gives_the_same_bytes(example: Path, tmp_path: Path) -> None:
    """With the time stamp fixed (SOURCE_DATE_EPOCH) every file is equal, pictures included."""
    again = tmp_path / "again"
    troughline("study", EXAMPLE, "--out", again)
    first = {p.relative_to(example): p.read_bytes() for p in example.rglob("*") if p.is_file()}
    second = {p.relative_to(again): p.read_bytes() for p in again.rglob("*") if p.is_file()}
    assert set(first) == set(second)
    assert [str(name) for name in first if first[name] != second[name]] == []


def test_check_reports_and_computes_nothing(tmp_path: Path) -> None:
    """`troughline check` ends with status 0 and writes no file."""
    done = troughline("check", EXAMPLE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_demo_writes_the_report_of_each_example(tmp_path: Path) -> None:
    """`troughline demo` runs what is bundled."""
    done = troughline("demo", "--out", tmp_path / "demo")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "demo" / "exposure-window" / "report.html").exists()
    for patient in ("patient", "low", "unreached"):
        assert (tmp_path / "demo" / "dose" / patient / "summary.html").exists()
    assert (tmp_path / "demo" / "trial" / "report.html").exists()
    assert "SIMULATED" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--help",), 0), (("--version",), 0), (("study",), 3), (("nonsense",), 3),
        (("study", "missing.toml", "--out", "x"), 3),
    ],
)  # fmt: skip
def test_exit_statuses_of_the_command_line(arguments: tuple[str, ...], status: int, tmp_path: Path) -> None:
    """0 for help, 3 for bad arguments or a study file that cannot be used; one line, no traceback."""
    done = troughline(*arguments, cwd=tmp_path)
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 1


def test_the_python_interface_mirrors_the_command(tmp_path: Path) -> None:
    """`troughline.study` gives the same answers; its tables are DataFrames."""
    import troughline as package

    result = package.study(EXAMPLE)
    assert result.question("window").estimate("p_window_exists").value is not None
    frame = result.estimates()
    assert {"question", "name", "value"} <= set(frame.columns)
    package.write(result, tmp_path / "out")
    assert (tmp_path / "out" / "report.html").exists()
    with pytest.raises(KeyError, match="no question"):
        result.question("nothing")
