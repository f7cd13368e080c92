"""The page of `troughline estimate`: model, fit, shrinkage and first patients in one HTML file."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from troughline.report import view
from troughline.report.figures import style
from troughline.report.figures.pk_plan import anchor, draw_estimate_figures
from troughline.report.figures.scale import tick_text
from troughline.report.numbers import NO_VALUE, count, interval, micro, number, p_value, percent, unit_text
from troughline.report.page import linked
from troughline.report.reading import entries, part
from troughline.report.rendering import environment, stylesheet
from troughline.report.write import check_writable

if TYPE_CHECKING:
    from troughline.report.figures.drawing import Drawing

Json = dict[str, Any]

HIGH_SHRINKAGE = 0.3
"""From here on individual estimates say little (doi 10.1208/s12248-009-9133-0 names 20 to 30 %)."""
CONFLICT_P = 0.05
_MODEL = ("id", "title", "drug", "revision", "description", "population", "calibrated", "sources", "notes")
_PROVENANCE = ("troughline", "created", "seed", "python", "libraries", "inputs", "command")


def write_estimates_report(
    results: Json, out: Path, *, progress: Callable[[str, int, int], None] | None = None
) -> Path:
    """Write `report.html` to the folder `out`, which is made where it is missing; returns its path.

    The file is complete or not there: it is written beside its place and moved at the end. Its bytes depend
    on `results` alone. Raises `OSError` where `out` cannot be written to. What `results` holds is told in
    `render_estimates_page`.
    """
    check_writable(out)
    page = render_estimates_page(results, draw_estimate_figures(results, progress=progress))
    out.mkdir(parents=True, exist_ok=True)
    target = out / "report.html"
    if target.is_dir():
        raise IsADirectoryError(f"cannot write {target}: it is a folder")
    with tempfile.NamedTemporaryFile(dir=out, prefix=".troughline-", delete=False) as file:
        made = Path(file.name)
    try:
        made.write_bytes(page.encode())
        made.chmod(0o644)
        made.replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            made.unlink()
        raise
    return target


def render_estimates_page(results: Json, figures: Sequence[Drawing]) -> str:
    """The page as one HTML document; every text of `results` is escaped.

    `figures` are those that `draw_estimate_figures` made of `results`. Keys of `results`, all optional but
    `model` and `counts`; lists of numbers may hold None or NaN, and may be arrays:

    - `model`: `id`, `title`, `drug`, `revision`, `description`, `population`, `calibrated` (to aggregate
      data), `notes` (texts), `sources` (dicts of `id`, `citation`, `doi`, `note`).
    - `counts`: `patients`, `samples`, `below_limit`, `doses`, `not_estimated` (patients without an estimate).
    - `title`, `description` of the data; `simulated`: true where no patient gave them; `level` of the bands.
    - `findings`: as `Finding.as_dict`.
    - `typical_values`: dicts of `name`, `value`, `unit`, `low`, `high`, `level`, `source`, `verified`,
      `note`.
    - `random_effects`: dicts of `name`, `level` (subject or occasion), `sd` (of the model), `n`,
      `shrinkage_sd`, `shrinkage_variance`.
    - `outputs`: one dict for each analyte, with `name`, `label`, `unit`, `limit`, `error` (words),
      `time_label`, `log` (of the check's axis), `fits_log`, `n`, `below_limit`,
      `shrinkage` (`n`, `sd`, `variance`), and for the figures `predictions`, `residuals`, `npde`, `vpc` and
      `fits` (a list), as `sketch_predictions`, `sketch_residuals`, `sketch_npde`, `sketch_vpc` and
      `sketch_fits` read them. Levels are on the natural scale, in `unit`. The verdict of an output is that
      of `npde["tests"]["global_p"]`, below 0.05 or not.
    - `tables`: dicts of `title`, `note` and `rows` (dicts of a column's name to its value).
    - `methods`: sentences; `files`: dicts of `name` and `what`, written beside the page.
    - `provenance`: `troughline`, `created`, `seed`, `python`, `libraries`, `inputs` (SHA-256 by file name),
      `command`.
    """
    model = {**dict.fromkeys(_MODEL), **part(results, "model")}
    effects = _effects(results)
    template = environment(nice=micro, linked=linked, whole=count).get_template("pk_page.html.j2")
    return template.render(
        css=stylesheet("style.css"),
        title=micro(str(results.get("title") or model["title"] or model["id"])),
        description=results.get("description"),
        simulated=bool(results.get("simulated")),
        model=model,
        sources=[
            {**dict.fromkeys(("id", "citation", "doi", "note")), **s} for s in entries(model, "sources")
        ],
        counts={"patients": 0, "samples": 0, "doses": None, **part(results, "counts")},
        summary=_summary(part(results, "counts")),
        typical=_typical(results),
        effects=effects,
        high_shrinkage=[e["name"] for e in effects if e["high"]],
        limit_shrinkage=percent(HIGH_SHRINKAGE),
        outputs=[_output(k, o, figures) for k, o in enumerate(entries(results, "outputs"))],
        findings=view.finding_groups(entries(results, "findings")),
        tables=[
            (view.table_view(str(t.get("title") or "Table"), "", entries(t, "rows")), t.get("note"))
            for t in entries(results, "tables")
            if entries(t, "rows")
        ],
        methods=[micro(str(m)) for m in entries(results, "methods")],
        files=[{"name": str(f.get("name")), "what": f.get("what")} for f in entries(results, "files")],
        provenance={**dict.fromkeys(_PROVENANCE), **part(results, "provenance")},
    )


def _summary(counts: Json) -> str:
    """`60 patients gave 300 samples, 70 of them below the limit of quantification.`"""
    patients, samples = counts.get("patients", 0), counts.get("samples", 0)
    text = f"{_many(patients, 'patient')} gave {_many(samples, 'sample')}"
    if counts.get("below_limit"):
        text += f", {count(counts['below_limit'])} of them below the limit of quantification"
    text += "."
    if not samples:
        text += " Without samples every estimate is that of the typical patient."
    missing = counts.get("not_estimated")
    if missing:
        text += f" {_many(missing, 'patient')} could not be estimated; individuals.csv says why."
    return text


def _many(n: int, word: str) -> str:
    return f"{count(n)} {word}" if n == 1 else f"{count(n)} {word}s"


def _typical(results: Json) -> list[Json]:
    """Typical values as text."""
    rows: list[Json] = []
    for one in entries(results, "typical_values"):
        value, unit = one.get("value"), unit_text(one.get("unit"))
        span = interval(one.get("low"), one.get("high"), value=value)
        if span and one.get("level") is not None:
            span += f" ({percent(one['level'])})"
        rows.append(
            {
                "name": str(one.get("name")),
                "value": "–" if value is None else f"{tick_text(float(value))} {unit}".strip(),
                "interval": span or "–",
                "source": str(one.get("source") or "–"),
                "unverified": one.get("verified") is False,
                "note": micro(str(one.get("note") or "")),
            }
        )
    return rows


def _effects(results: Json) -> list[Json]:
    """Random effects and residual errors with their shrinkage, as text."""
    rows = [
        (str(e.get("name")), f"between {e.get('level') or 'subject'}s", e.get("sd"), e.get("n"),
         e.get("shrinkage_sd"), e.get("shrinkage_variance"))
        for e in entries(results, "random_effects")
    ]  # fmt: skip
    for output in entries(results, "outputs"):
        shrinkage = part(output, "shrinkage")
        if shrinkage:
            name = micro(str(output.get("label") or output.get("name") or "output"))
            rows.append(
                (f"residuals of {name}", "within patients", 1.0, shrinkage.get("n"), shrinkage.get("sd"),
                 shrinkage.get("variance"))
            )  # fmt: skip
    return [
        {
            "name": name,
            "kind": kind,
            "sd": _or_dash(number(sd)),
            "n": _or_dash(count(n)),
            "shrinkage": _or_dash(percent(by_sd)),
            "variance": _or_dash(percent(by_variance)),
            "high": by_sd is not None and math.isfinite(by_sd) and by_sd >= HIGH_SHRINKAGE,
        }
        for name, kind, sd, n, by_sd, by_variance in rows
    ]


def _or_dash(text: str) -> str:
    return "–" if text == NO_VALUE else text


def _output(k: int, output: Json, figures: Sequence[Drawing]) -> Json:
    own = [f for f in figures if f.question == anchor(k)]
    title = micro(str(output.get("label") or output.get("name") or f"Output {k + 1}"))
    p = part(part(output, "npde"), "tests").get("global_p")
    verdict, words, sentence = _verdict(p)
    return {
        "id": anchor(k),
        "title": title[:1].upper() + title[1:],
        "verdict": verdict,
        "verdict_words": words,
        "sentence": sentence,
        "numbers": _numbers(output, p),
        "error": micro(str(output.get("error") or "")),
        "limit": f"{number(output['limit'])} {unit_text(output.get('unit'))}".strip()
        if output.get("limit") is not None
        else "",
        "diagnostics": [f for f in own if not f.name.endswith("-fits")],
        "fits": [f for f in own if f.name.endswith("-fits")],
    }


def _verdict(p: float | None) -> tuple[str, str, str]:
    """What the global test of the NPDE says: the look of its badge, the badge, a sentence."""
    if p is None or not math.isfinite(p):
        return "silent", "Not tested", "Too few samples, or no simulations, to test the model."
    if p < CONFLICT_P:
        sentence = "The samples do not lie where simulations of the model do: look at the figures first."
        return "caution", "Differs from the model", sentence
    return "answered", "No conflict found", "The samples lie among simulations of the model."


def _numbers(output: Json, p: float | None) -> list[tuple[str, str]]:
    from troughline.report.figures.pk_predictions import fold_errors

    shown: list[tuple[str, str]] = []
    if output.get("n") is not None:
        below = output.get("below_limit")
        shown.append(("Samples", count(output["n"]) + (f", {count(below)} below the limit" if below else "")))
    predictions = part(output, "predictions")
    observed = style.floats(predictions.get("observed"))
    for key, words in (("population", "typical patient"), ("individual", "own estimate")):
        predicted = style.floats(predictions.get(key))
        if observed.size and predicted.size == observed.size:
            quantified = ~np.array([bool(b) for b in predictions.get("below_limit", [False] * observed.size)])
            within = percent(fold_errors(observed[quantified], predicted[quantified])[1])
            shown.append((f"Within twofold, {words}", _or_dash(within)))
    if p is not None and math.isfinite(p):
        shown.append(("Test of the model", p_value(p)))
    return shown
