"""`troughline models`, and `troughline check` on a model file, as a user meets them."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import troughline
from tests.system.run import troughline as run
from troughline.model.library import list_models

ANSWERED, A_TEST_FAILS, BAD_CONFIGURATION = 0, 1, 3
LINEAR = "cabozantinib/nguyen-2019"
MECHANISM = "sorafenib/hcc-mechanism"
SMALL = """
doses = [{ compartment = "central" }]
flows = [{ from = "central", rate = "CL / V" }]
[model]
id = "example/small"
title = "One compartment"
drug = "example"
revision = 1
population = "nobody"
source = "here"
notes = ["A note."]
[sources.here]
citation = "Made up"
doi = "10.1000/example"
[parameters]
CL_pop = { value = 5, unit = "L/h", low = 4, high = 6, level = 0.9 }
V = { value = 100, unit = "L", verified = true }
[covariates.weight]
unit = "kg"
default = 70
hard = [20, 200]
soft = [40, 120]
[[random]]
level = "subject"
effects = ["eta_CL"]
variance = [0.09]
[individual]
CL = "CL_pop * (weight / 70[kg])^0.75 * exp(eta_CL)"
[compartments]
central = {}
[outputs.plasma]
prediction = "central / V"
unit = "mg/L"
error = { kind = "combined", additive = "0.1[mg/L]", proportional = "0.2" }
lower_limit = 0.05
[[tests]]
name = "100 mg at once"
doses = [{ time = 0, amount = 100 }]
expect = [{ quantity = "at", time = 0.001, value = 1 }]
source = "dose / V"
"""


def lines_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert "Traceback" not in done.stderr, done.stderr
    return [line for line in done.stderr.splitlines() if line.strip()]


def model_file(folder: Path, old: str = "", new: str = "") -> Path:
    assert old in SMALL
    path = folder / "own.toml"
    path.write_text(SMALL.replace(old, new) if old else SMALL, encoding="utf-8")
    return path


def test_the_list_has_every_model_and_compiles_none(tmp_path: Path) -> None:
    """Id, structure, the calibrated flag, title and population; the cache holds no compiled model."""
    cache = {**os.environ, "TROUGHLINE_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "troughline", "models", "list"],
        capture_output=True, text=True, check=False, env=cache,
    )  # fmt: skip
    assert done.returncode == ANSWERED, done.stderr
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["id", "structure", "calibrated", "title", "population"]
    assert [row.split()[0] for row in rows] == list(list_models())
    assert [row.split()[0] for row in rows if "  yes  " in row] == ["sorafenib/hcc", MECHANISM]
    assert {row.split()[0] for row in rows if "  nonlinear  " in row} == {MECHANISM}
    assert {row.split()[0] for row in rows if "linear, varying in time" in row} == {"sorafenib/jain-2011"}
    assert not (tmp_path / "models").exists()
    assert not list(tmp_path.rglob("*.nb?"))


@pytest.mark.parametrize("model_id", list_models())
def test_a_library_model_is_shown_with_all_it_says(model_id: str) -> None:
    """Every parameter, effect, covariate, source, output, self-test and note of the file stands there."""
    spec = troughline.load_model(model_id).spec
    done = run("models", "show", model_id)
    assert done.returncode == ANSWERED, done.stderr
    assert lines_of(done) == []
    shown = done.stdout
    for part in (spec.parameters, spec.covariates, spec.outputs, spec.tests):
        assert all(item.name in shown for item in part)
    for expected in (*spec.subject_effects, *spec.occasion_effects, *spec.notes, spec.population):
        assert expected in shown
    for source in spec.sources.values():
        assert source.citation in shown
        assert source.doi is None or f"doi {source.doi}" in shown
    assert (
        shown.splitlines()[0] == "CALIBRATED TO AGGREGATE DATA, not fitted to patients"
    ) == spec.calibrated


def test_a_file_is_shown_with_intervals_formulas_and_ranges(tmp_path: Path) -> None:
    done = run("models", "show", model_file(tmp_path))
    assert done.returncode == ANSWERED, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["CL_pop", "5", "L/h", "4", "to", "6", "(90", "%)", "here", "no"] in rows
    assert ["V", "100", "L", "here", "yes"] in rows
    # 100·√(exp(0.09) − 1) = 30.69
    assert ["eta_CL", "subject", "0.09", "0.3", "30.7", "here", "no"] in rows
    assert ["weight", "kg", "70", "20", "to", "200", "40", "to", "120", "next"] in rows
    assert "plasma: combined: Var(y) = a² + (b·f)², a = 0.1[mg/L], b = 0.2" in done.stdout
    assert "linear between events, 1 compartments or states" in done.stdout
    assert "1 of 3 numbers were read in the source itself" in done.stdout
    assert "value of plasma, at 0.001 h: 1" in done.stdout


def test_python_loads_the_same_model() -> None:
    assert troughline.load_model(LINEAR).id == LINEAR
    with pytest.raises(ValueError, match="did you mean"):
        troughline.load_model("cabozantinib/nguyen")


COMMANDS = {
    "show": ("models", "show", "MODEL"),
    "check": ("models", "check", "MODEL"),
    "export": ("models", "export", "MODEL", "--to", "sbml"),
    "simulate": ("simulate", "data.csv", "--model", "MODEL", "--out", "out.csv"),
}


def refused(command: str, model: str | Path, folder: Path) -> list[str]:
    """The one or more lines with which a command refuses a model; it writes nothing."""
    before = sorted(folder.iterdir())
    done = run(*(str(model) if a == "MODEL" else a for a in COMMANDS[command]), cwd=folder)
    assert done.returncode == BAD_CONFIGURATION, done.stderr
    assert done.stdout == ""
    assert sorted(folder.iterdir()) == before
    lines = lines_of(done)
    assert lines
    assert all(line.startswith(("error: ", "warning: ", "note: ")) for line in lines)
    return lines


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_id_is_refused_and_the_nearest_named(command: str, tmp_path: Path) -> None:
    (line,) = refused(command, "sorafenib/jain-2012", tmp_path)
    assert "no model 'sorafenib/jain-2012' in the library; did you mean 'sorafenib/jain-2011'?" in line


@pytest.mark.parametrize("command", COMMANDS)
def test_a_model_file_that_is_not_there_is_refused(command: str, tmp_path: Path) -> None:
    (line,) = refused(command, "none.toml", tmp_path)
    assert "none.toml: No such file" in line


@pytest.mark.parametrize("command", COMMANDS)
def test_a_faulty_model_file_is_refused_with_line_and_place(command: str, tmp_path: Path) -> None:
    """Each fault in a line of its own, all at once."""
    path = model_file(tmp_path, 'rate = "CL / V"', 'rate = "CL / W"')
    path.write_text(path.read_text("utf-8").replace('unit = "kg"', 'unit = "parsecs"'), encoding="utf-8")
    text = path.read_text("utf-8").splitlines()
    lines = refused(command, path, tmp_path)
    for needle in ("CL / W", "parsecs"):
        row = next(i for i, line in enumerate(text, start=1) if needle in line)
        assert any(line.startswith(f"error: own.toml row {row} column ") for line in lines), lines


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "content", [b"title = \xff\xfe", b"[model\n", b""], ids=["no text", "no TOML", "empty"]
)
def test_a_file_that_is_no_model_is_refused(command: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_bytes(content)
    assert all("own.toml" in line for line in refused(command, "own.toml", tmp_path))


def test_a_file_whose_name_does_not_end_in_toml_is_told_to(tmp_path: Path) -> None:
    (tmp_path / "model.txt").write_text(SMALL, encoding="utf-8")
    (line,) = refused("show", tmp_path / "model.txt", tmp_path)
    assert "the name of a model file ends in .toml" in line


def test_check_runs_the_self_tests(tmp_path: Path) -> None:
    """Exit 0 where all agree; 1, with the value found, where one does not."""
    passed = run("models", "check", model_file(tmp_path))
    assert passed.returncode == ANSWERED, passed.stderr
    assert "example/small: 1 of 1 values of 1 self-tests agree" in passed.stdout
    failed = run(
        "models", "check", model_file(tmp_path, "time = 0.001, value = 1", "time = 0.001, value = 2")
    )
    assert failed.returncode == A_TEST_FAILS
    (line,) = lines_of(failed)
    assert line.startswith("error: example/small: 100 mg at once: ")
    assert "expected 2" in line


def test_check_prints_warnings_and_goes_on(tmp_path: Path) -> None:
    path = model_file(tmp_path, "V = { value = 100", "spare = 1\nV = { value = 100")
    done = run("models", "check", path)
    assert done.returncode == ANSWERED, done.stderr
    assert "warning: own.toml row 17 column parameters.spare" in done.stdout


def test_check_of_a_library_model_passes() -> None:
    done = run("models", "check", LINEAR)
    assert done.returncode == ANSWERED, done.stderr
    assert done.stdout.startswith(f"{LINEAR}: ")


def test_export_writes_sbml_to_standard_output_or_to_a_file(tmp_path: Path) -> None:
    printed = run("models", "export", LINEAR, "--to", "sbml")
    assert printed.returncode == ANSWERED, printed.stderr
    assert ElementTree.fromstring(printed.stdout).tag.endswith("}sbml")
    out = tmp_path / "new" / "model.xml"
    written = run("models", "export", LINEAR, "--to", "sbml", "--out", out)
    assert written.returncode == ANSWERED, written.stderr
    assert out.read_text(encoding="utf-8").strip() == printed.stdout.strip()
    assert [p.name for p in out.parent.iterdir()] == ["model.xml"]


def test_export_takes_covariates_in_place_of_defaults() -> None:
    """A number by its value, a level by its name; what the model does not have is refused."""
    written = run(
        "models", "export", "sorafenib/hcc", "--to", "sbml", "--covariate", "weight=60",
        "--covariate", "child_pugh_class=B",
    )  # fmt: skip
    assert written.returncode == ANSWERED, written.stderr
    values = {e.get("id"): e.get("value") for e in ElementTree.fromstring(written.stdout).iter()}
    assert (values["weight"], values["child_pugh_class"]) == ("60", "1")
    unknown = run("models", "export", "sorafenib/hcc", "--to", "sbml", "--covariate", "height=160")
    assert unknown.returncode == BAD_CONFIGURATION
    assert "height" in unknown.stderr


def test_export_joins_the_mechanism_with_the_model_of_its_doses(tmp_path: Path) -> None:
    """States of both, the level no covariate any more, and the first regimen of the model of the doses."""
    out = tmp_path / "joined.xml"
    done = run(
        "models", "export", MECHANISM, "--kinetics", "sorafenib/hcc", "--to", "sbml", "--out", out,
        "--covariate", "child_pugh_class=B",
    )  # fmt: skip
    assert done.returncode == ANSWERED, done.stderr
    root = ElementTree.fromstring(out.read_text(encoding="utf-8"))
    values = {e.get("id"): e.get("value") for e in root.iter()}
    ruled = {e.get("variable") for e in root.iter() if e.tag.endswith("}rateRule")}
    assert {"sensitive", "vessels", "depot", "central"} <= ruled
    first = troughline.load_model("sorafenib/hcc").spec.tests[0].doses[0]
    assert values["dose_amount"] == f"{first.amount:g}"
    assert values["dose_interval"] == f"{first.interval:g}"
    assert values["child_pugh_class"] == "1"
    assert values["sorafenib"] is None


def test_export_refuses_to_join_what_has_no_level_in_common() -> None:
    done = run("models", "export", MECHANISM, "--kinetics", LINEAR, "--to", "sbml")
    assert done.returncode == BAD_CONFIGURATION
    (line,) = lines_of(done)
    assert f"{MECHANISM}: cannot be joined with {LINEAR}: " in line
    assert "its outputs: cabozantinib" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ("--to", "matlab"),
        (),
        ("--to", "sbml", "--covariate", "weight"),
        ("--to", "sbml", "--out", "FOLDER"),
        ("--to", "sbml", "--out", "FILE/below.xml"),
    ],
)
def test_export_to_what_cannot_be_written_is_refused(arguments: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    places = {"FOLDER": str(tmp_path / "folder"), "FILE/below.xml": str(tmp_path / "file" / "below.xml")}
    done = run("models", "export", LINEAR, *(places.get(a, a) for a in arguments))
    assert done.returncode == BAD_CONFIGURATION
    assert len(lines_of(done)) == 1
    assert (tmp_path / "file").read_text() == "mine"


def test_export_never_replaces_the_model_file(tmp_path: Path) -> None:
    path = model_file(tmp_path)
    done = run("models", "export", path, "--to", "sbml", "--out", path)
    assert done.returncode == BAD_CONFIGURATION
    assert path.read_text("utf-8") == SMALL


def test_check_takes_a_model_file_and_computes_nothing(tmp_path: Path) -> None:
    """A wrong expectation is no finding; a fault is one, with status 3."""
    good = run("check", model_file(tmp_path, "value = 1 }", "value = 2 }"))
    assert good.returncode == ANSWERED, good.stderr
    assert "0 finding(s), no error" in good.stdout
    bad = run("check", model_file(tmp_path, 'rate = "CL / V"', 'rate = "CL / W"'))
    assert bad.returncode == BAD_CONFIGURATION
    assert any(line.startswith("error: own.toml row 3 column ") for line in lines_of(bad))


def test_a_reader_that_leaves_is_no_error() -> None:
    """`troughline models show … | head -1`."""
    shown = subprocess.Popen(
        [sys.executable, "-m", "troughline", "models", "show", LINEAR],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert shown.stdout is not None
    assert shown.stderr is not None
    shown.stdout.readline()
    shown.stdout.close()
    assert shown.stderr.read() == ""
    shown.stderr.close()
    shown.wait(60)


@pytest.mark.parametrize("arguments", [(), ("models",), ("models", "draw"), ("models", "show")])
def test_what_is_no_command_ends_with_three_and_one_line(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == BAD_CONFIGURATION
    assert len(lines_of(done)) == 1


def test_help_is_quick() -> None:
    """Under 0.4 s of processor time, which other tests beside it do not lengthen much; the best of three."""
    seconds: list[float] = []
    for _ in range(3):
        before = os.times()
        run("--help")
        after = os.times()
        seconds.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    assert min(seconds) < 0.4
