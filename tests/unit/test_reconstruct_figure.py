"""Curves from the vector paths of figures that Matplotlib draws from known patients, as SVG and as PDF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from troughline.evidence.reconstruct.figure import Axis, PathChoice, VectorPath, choose_path, vector_paths
from troughline.evidence.reconstruct.load import load_curve_file, load_curves
from troughline.evidence.reconstruct.run import reconstruct
from troughline.issues import Findings, InputError
from troughline.survival.kaplan_meier import kaplan_meier

LIBRARY = {"svg": "svgelements", "pdf": "pypdf"}
COLOURS = ("#1f77b4", "#d62728")


def patients(seed: int, n: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    death, lost = rng.exponential(scale, n), rng.uniform(6, 30, n)
    return np.minimum(death, lost), death <= lost


def draw(file: Path, *, axis: str = "fraction") -> tuple[str, list[Any]]:
    """A figure of two curves; returns the [figure] table of its axes, and the arms."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4))
    axes = figure.add_subplot()
    arms: list[Any] = []
    for seed, colour, dashes in ((1, COLOURS[0], "-"), (2, COLOURS[1], "--")):
        time, event = patients(seed, 90 + 30 * seed, 10.0 * seed)
        (curve,) = kaplan_meier(time, event)
        x, y = np.append(0, curve.time), np.append(1, curve.survival) * (100 if axis == "percent" else 1)
        axes.step(x, y, where="post", color=colour, linestyle=dashes, gid=f"curve-{seed}")
        arms.append((time, event, curve))
    axes.set_xlim(0, 32)
    axes.set_ylim(0, 105 if axis == "percent" else 1.05)
    figure.savefig(file)
    height = 288.0
    (x0, y0), (x1, y1) = (
        axes.transData.transform([[0, 0], [30, 100 if axis == "percent" else 1]]) * 72 / figure.dpi
    )
    if file.suffix == ".svg":
        y0, y1 = height - y0, height - y1
    top = 100 if axis == "percent" else 1
    text = (
        f'[figure]\nfile = "{file.name}"\ntime = [[{x0}, 0], [{x1}, 30]]\n'
        f"survival = [[{y0}, 0], [{y1}, {top}]]\n"
    )
    return text, arms


def curve_file(
    folder: Path, figure: str, arms: list[Any], *, choices: list[str], axis: str = "fraction"
) -> Path:
    risk = np.arange(0, 30, 5)
    sections = [
        f'[[arm]]\nname = "{k}"\npath = {choice}\n'
        f"at_risk = {{ time = {risk.tolist()}, at_risk = {curve.at_risk(risk).tolist()} }}\n"
        for k, (choice, (_, _, curve)) in enumerate(zip(choices, arms, strict=True))
    ]
    path = folder / "curve.toml"
    path.write_text(
        '[curve]\ntitle = "Figure"\ntime_unit = "month"\nsimulated = true\nreadings = 0\n'
        f'[reading]\nsurvival = "{axis}"\n' + figure + "".join(sections),
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("kind", ["svg", "pdf"])
@pytest.mark.parametrize("axis", ["fraction", "percent"])
def test_patients_come_back_from_a_figure(tmp_path: Path, kind: str, axis: str) -> None:
    """Every death and each number at risk exactly, its time within 1/2000 of the axis."""
    pytest.importorskip(LIBRARY[kind])
    figure, arms = draw(tmp_path / f"figure.{kind}", axis=axis)
    choices = [f'{{ stroke = "{colour}" }}' for colour in COLOURS]
    made = reconstruct(curve_file(tmp_path, figure, arms, choices=choices, axis=axis))
    for arm, (time, event, true) in zip(made.arms, arms, strict=True):
        assert int(arm.event.sum()) == int(event.sum())
        assert arm.time[arm.event] == pytest.approx(np.sort(time[event]), abs=0.016)
        assert arm.curve.at_risk(np.arange(0, 30, 5)).tolist() == true.at_risk(np.arange(0, 30, 5)).tolist()
        assert arm.source == "figure"
        assert arm.error is not None
        assert arm.error.largest < 0.005


def test_a_path_is_chosen_by_id_of_itself_or_its_group(tmp_path: Path) -> None:
    pytest.importorskip("svgelements")
    draw(tmp_path / "figure.svg")
    found = Findings()
    paths = vector_paths(tmp_path / "figure.svg", 1, found)
    for name, colour in (("curve-1", COLOURS[0]), ("curve-2", COLOURS[1])):
        chosen = choose_path(paths, PathChoice(id=name), found=found, file="figure.svg", arm="a")
        assert chosen is not None
        assert chosen.stroke == colour
    assert not found.errors


def test_transforms_viewbox_and_polylines_of_svg_are_applied(tmp_path: Path) -> None:
    pytest.importorskip("svgelements")
    (tmp_path / "f.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="200mm" height="100mm" viewBox="0 0 400 200">'
        '<g transform="translate(10 20) scale(2)"><g transform="rotate(90)">'
        '<polyline points="0,0 5,0 5,-7" style="fill:none;stroke:rgb(255,0,0)"/></g></g>'
        '<path d="m 1 1 h 4 v 2 H 9" stroke="#00f" fill="none"/></svg>'
    )
    found = Findings()
    red, blue = vector_paths(tmp_path / "f.svg", 1, found)
    # (x, y) → rotate 90° → (−y, x) → twice → moved by (10, 20).
    assert red.points == pytest.approx(np.array([[10, 20], [10, 30], [24, 30]]))
    assert (red.stroke, blue.stroke) == ("#ff0000", "#0000ff")
    assert blue.points == pytest.approx(np.array([[1, 1], [5, 1], [5, 3], [9, 3]]))


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (PathChoice(stroke="#00ff00"), "no path of stroke '#00ff00'"),
        (PathChoice(), "2 paths of any colour"),
        (PathChoice(index=3), "index 3, but 2 paths"),
    ],
)
def test_a_choice_that_names_no_single_path_lists_what_there_is(choice: PathChoice, words: str) -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    paths = [VectorPath(points=points, stroke=c, ids=("line",)) for c in COLOURS]
    found = Findings()
    assert choose_path(paths, choice, found=found, file="f.svg", arm="a") is None
    (finding,) = found.errors
    assert words in finding.message
    assert "#1f77b4, 3 points" in finding.message


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("f.svg", b"no svg", "no SVG"),
        ("f.pdf", b"no pdf", "no PDF"),
        ("f.png", b"", "read from .svg or .pdf"),
        ("f.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><image/></svg>', "a picture, perhaps"),
        ("f.svg", None, "cannot be read"),
    ],
)
def test_what_is_no_vector_figure_is_one_finding(
    tmp_path: Path, name: str, data: bytes | None, words: str
) -> None:
    pytest.importorskip("svgelements")
    pytest.importorskip("pypdf")
    if data is not None:
        (tmp_path / name).write_bytes(data)
    path = tmp_path / "curve.toml"
    path.write_text(
        '[curve]\ntitle = "x"\ntime_unit = "month"\n'
        f'[figure]\nfile = "{name}"\ntime = [[0, 0], [1, 1]]\nsurvival = [[0, 0], [1, 1]]\n'
        '[[arm]]\nname = "a"\npath = { index = 1 }\nn = 10\n'
    )
    errors = load_curves(load_curve_file(path)).findings.errors
    assert len(errors) == 1
    assert words in errors[0].message
    assert errors[0].file == name


def test_a_page_that_a_pdf_does_not_have_is_said(tmp_path: Path) -> None:
    pytest.importorskip("pypdf")
    draw(tmp_path / "f.pdf")
    found = Findings()
    assert vector_paths(tmp_path / "f.pdf", 2, found) == ()
    assert "has 1 page(s), none of number 2" in found.errors[0].message


def test_a_closed_shape_is_no_curve(tmp_path: Path) -> None:
    pytest.importorskip("svgelements")
    (tmp_path / "f.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10">'
        '<path d="M0 0 L10 0 L10 8 L0 8 z" stroke="#000000" fill="none"/></svg>'
    )
    path = tmp_path / "curve.toml"
    path.write_text(
        '[curve]\ntitle = "x"\ntime_unit = "month"\n'
        '[figure]\nfile = "f.svg"\ntime = [[0, 0], [10, 10]]\nsurvival = [[10, 0], [0, 1]]\n'
        '[[arm]]\nname = "a"\npath = { index = 1 }\nn = 10\n'
    )
    with pytest.raises(InputError, match="runs back in time"):
        reconstruct(path)


def test_an_axis_needs_two_points() -> None:
    with pytest.raises(ValueError, match="must differ"):
        Axis(position=(1.0, 1.0), value=(0.0, 1.0))
