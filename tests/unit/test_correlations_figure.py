"""The forest of correlations says whose p it shows, and what its squares are."""

from __future__ import annotations

from typing import Any

from troughline.report.figures.correlations import sketch_correlations


def question(*, adjusted: bool) -> dict[str, Any]:
    span = {"value": -0.34, "low": -0.53, "high": -0.11}
    rows = [
        {"marker": "IL-2", "characteristic": name, "spearman": span, "p_holm": p,
         "partial": {**span, "value": -0.2} if adjusted else None}
        for name, p in (("BCLC", 0.0002), ("size", 0.0081), ("ALBI", 0.34))
    ]  # fmt: skip
    return {"series": {"correlations": {"rows": rows}}}


def texts(asked: dict[str, Any]) -> tuple[list[str], str]:
    sketch = sketch_correlations(asked)
    (axes,) = sketch.figure.axes
    return [t.get_text() for t in axes.texts], sketch.caption


def test_the_p_values_are_called_those_of_the_trend_test_and_written_alike() -> None:
    shown, caption = texts(question(adjusted=False))
    assert {"Spearman (interval)", "p (trend, Holm)"} <= set(shown)
    assert {"< 0.001", "0.008", "0.34"} <= set(shown)
    assert not any(t.startswith("p <") or t.startswith("p =") for t in shown)
    assert "p belongs to another test" in caption


def test_filled_and_hollow_squares_have_a_key_where_there_are_both() -> None:
    assert {"plain", "adjusted"} <= set(texts(question(adjusted=True))[0])
    assert not {"plain", "adjusted"} & set(texts(question(adjusted=False))[0])
