"""`troughline evidence compare` holds a finished study against print, and refuses what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.system.run import troughline

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "exposure-window" / "study.toml"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result of the example; `plain.json` beside it is the same without comparisons."""
    out = tmp_path_factory.mktemp("compare") / "out"
    troughline("study", EXAMPLE, "--out", out)
    contents = json.loads((out / "results.json").read_text(encoding="utf-8"))
    for question in contents["questions"]:
        question.pop("replication")
        question["tables"].pop("against-published", None)
    (out.parent / "plain.json").write_text(json.dumps(contents), encoding="utf-8")
    return out / "results.json"


def compare(file: Path, out: Path, *published: str, metric: str = "trough"):
    pairs = [word for one in published for word in ("--published", one)]
    return troughline("evidence", "compare", file, "--out", out, "--metric", metric, *pairs)


def test_a_finished_study_gets_the_comparison_that_the_study_makes(results: Path, tmp_path: Path) -> None:
    """The same blocks as `troughline study` writes where the study file names the endpoint."""
    plain = results.parent.parent / "plain.json"
    done = compare(
        plain, tmp_path / "a", "toxicity-threshold=noda-2020/toxicity", "window=noda-2020/window"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "SIMULATED DATA" in done.stdout
    made = {q["id"]: q for q in json.loads((tmp_path / "a" / "results.json").read_text())["questions"]}
    asked = {q["id"]: q for q in json.loads(results.read_text())["questions"]}
    for name in ("toxicity-threshold", "window"):
        for late, early in zip(made[name]["replication"], asked[name]["replication"], strict=True):
            assert (late["name"], late["agreement"], late["sentence"]) == (
                early["name"], early["agreement"], early["sentence"],
            )  # fmt: skip
            # A result holds ten digits of each estimate.
            assert late["new"]["value"] == pytest.approx(early["new"]["value"], rel=1e-8)
    assert "Against what is published" in (tmp_path / "a" / "report.html").read_text(encoding="utf-8")


def test_a_level_of_another_metric_compares_with_nothing(results: Path, tmp_path: Path) -> None:
    done = compare(results, tmp_path / "a", "toxicity-threshold=noda-2020/toxicity", metric="clinic-visit")
    assert done.returncode == 2
    assert "Nothing published compares" in done.stdout
    assert "all patients, trough" in done.stdout


@pytest.mark.parametrize(
    ("published", "metric", "message"),
    [
        ("nothing=noda-2020/toxicity", "trough", "no question 'nothing'"),
        ("window=nobody-1999/window", "trough", "unknown publication 'nobody-1999'"),
        ("window=noda-2020/none", "trough", "has no endpoint 'none'"),
        ("window", "trough", "takes QUESTION=STUDY/ENDPOINT"),
        ("window=noda-2020/window", "peak", "--metric takes trough"),
    ],
)
def test_a_wrong_option_is_one_line_and_status_3(
    results: Path, tmp_path: Path, published: str, metric: str, message: str
) -> None:
    done = compare(results, tmp_path / "a", published, metric=metric)
    assert done.returncode == 3
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("text", ["", "[]", '{"questions": [1], "study": {}}', '{"a": 1}', "\xff"])
def test_a_file_that_is_no_result_is_one_line_and_status_4(tmp_path: Path, text: str) -> None:
    file = tmp_path / "results.json"
    file.write_text(text, encoding="latin-1")
    done = compare(file, tmp_path / "a", "window=noda-2020/window")
    assert done.returncode == 4
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "a").exists()
