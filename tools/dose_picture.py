"""Draws docs/images/dose.png, the picture of the README, from examples/dose/patient.toml."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Answer the example and write its course as a picture."""
    from troughline.report.dose_answer import answer_file
    from troughline.report.figures.dose_course import sketch_course
    from troughline.report.figures.drawing import draw

    contents = answer_file(ROOT / "examples" / "dose" / "patient.toml").contents
    drawing = draw("dose", None, lambda: sketch_course(contents), simulated=True)
    (ROOT / "docs" / "images" / "dose.png").write_bytes(drawing.png)


if __name__ == "__main__":
    main()
