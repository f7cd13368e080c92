"""The page of a policy evaluation: `policy.json` in, one HTML file out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from troughline.report import view
from troughline.report.numbers import count, interval, micro, number, percent
from troughline.report.page import linked

if TYPE_CHECKING:
    from troughline.report.figures.drawing import Drawing

Json = dict[str, Any]
_ICONS = {"better": "answered", "worse": "refused", "not distinguished": "caution"}
_SHARES = (
    "inside",
    "below",
    "above",
    "inside_at",
    "below_at",
    "above_at",
    "toxic",
    "stopped",
    "stopped_first",
)
FILES = {
    "policy.json": "everything on this page as numbers",
    "patients.csv": "one row a policy and virtual patient: covariates, true effects, outcomes",
}


def render_policy_page(results: Json, figures: Sequence[Drawing], *, narrow: Drawing | None = None) -> str:
    """The page as one HTML document; every text of `results` is escaped.

    `narrow`: the overview as `draw_narrow_overview` made it, shown where the screen is narrow.
    """
    from importlib.resources import files

    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("troughline.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=StrictUndefined,
    )  # fmt: skip
    filters: dict[str, Any] = environment.filters  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    filters.update(nice=micro, linked=linked, whole=count)
    css = files("troughline.report").joinpath("templates/style.css").read_text("utf-8")
    return environment.get_template("policy_page.html.j2").render(
        css=Markup(css),
        results=results,
        figures={f.name: f for f in figures},
        narrow=narrow,
        verdicts=verdict_table(results),
        measures=measure_table(results),
        regret=[_difference(results, r, f"true model − {r['policy']}") for r in results["regret"]],
        beside=[beside_row(b) for b in results["beside"]],
        design=design_rows(results),
        findings=view.finding_groups(results["issues"]),
        files=FILES,
        provenance=results["provenance"],
    )  # fmt: skip


def measure_text(measure: str, m: Json) -> str:
    """A measure with its interval: `62% (59–65%)`, `2.1 (2.0–2.2)`."""
    if measure in _SHARES:
        return f"{percent(m['value'])} ({interval(m['low'], m['high'], 'percent')})"
    span = interval(m["low"], m["high"], value=m["value"]) if m["value"] else ""
    return f"{number(m['value'])} ({span})" if span else number(m["value"])


def measure_table(results: Json) -> Json:
    """The policies as columns, the measures as rows, all as text."""
    return {
        "policies": [micro(p["id"]) for p in results["policies"]],
        "labels": [
            (micro(p["id"]), micro(p["label"]), p["assumes"], p["at_lowest"], micro(p["against_dose"]))
            for p in results["policies"]
        ],
        "rows": [
            (micro(words), [measure_text(m, p["measures"][m]) for p in results["policies"]])
            for m, words in results["measures"].items()
        ],
    }


_VERDICTS = {
    "inside": "days inside", "inside_at": "inside at the horizon", "below_at": "below at the horizon",
    "stopped": "stopped for toxicity",
}  # fmt: skip


def verdict_table(results: Json) -> Json:
    """A row a pair of policies, a column a measure: the verdict and the difference with its interval."""
    measures = [m for m in _VERDICTS if any(v["measure"] == m for v in results["verdicts"])]
    pairs = list(dict.fromkeys((v["first"], v["second"]) for v in results["verdicts"]))
    told = {(v["first"], v["second"], v["measure"]): v for v in results["verdicts"]}

    def cell(pair: tuple[str, str], measure: str) -> Json | None:
        v = told.get((*pair, measure))
        if v is None:
            return None
        value, low, high = (f"{100 * v[k]:+.1f}".replace("-", "−") for k in ("value", "low", "high"))
        words = v["answer"] if v["answer"] != "not distinguished" else "not told apart"
        return {"icon": _ICONS[v["answer"]], "words": words, "value": value, "span": f"{low} to {high}"}

    return {
        "columns": [_VERDICTS[m] for m in measures],
        "rows": [(micro(f"{a} against {b}"), [cell((a, b), m) for m in measures]) for a, b in pairs],
    }


def _difference(results: Json, d: Json, name: str) -> Json:
    share = d["measure"] != "changes"
    scale, unit = (100.0, "points") if share else (1.0, "")
    value, low, high = (scale * d[k] for k in ("value", "low", "high"))
    text = f"{value:+.1f} {unit} ({low:+.1f} to {high:+.1f})".replace("-", "−").replace(" (", " (")
    return {"name": micro(name), "measure": results["measures"][d["measure"]], "text": text}


def beside_row(b: Json) -> Json:
    """A published value beside ours, as text."""
    unit = {"1": "", "mg/L": " mg/L", "mg/day": " mg/day"}[b["unit"]]
    share = b["unit"] == "1"

    def shown(value: float | None) -> str:
        return percent(value) if share else f"{number(value)}{unit}"

    return {
        "label": f"{b['reference']}: {b['label']}",
        "published": shown(b["published"]) + ("" if b["verified"] else ", not verified"),
        "ours": shown(b["value"]),
        "range": interval(b["low"], b["high"], "percent" if share else "number", value=b["value"]) + unit,
        "policy": micro(b["policy"]),
        "what": f"{b['quantity']}, day {b['day']}",
        "n": b["n_study"],
        "verdict": "answered" if b["reproduced"] else "refused",
        "words": "reproduced" if b["reproduced"] else "missed",
        "note": micro(b["note"]),
    }


def design_rows(results: Json) -> list[tuple[str, str]]:
    """How the evaluation was set up, as pairs of name and text."""
    design, target = results["design"], results["target"]
    rows = [
        ("Virtual patients", f"{count(results['patients'])}, seed {results['provenance']['seed']}"),
        ("Truth", _world(results["truth"])),
        ("Assumed", "the truth" if results["matched"] else _world(results["assumed"])),
        ("Target", f"{micro(target['words'])}; {micro(target['source'])}"),
        ("Visits", f"days {', '.join(map(str, design['visits']))}; last day {design['horizon_day']}"),
        ("A decision takes effect after", f"{design['turnaround_days']} day(s)"),
        ("Start", design["start"]),
        ("Regimens to choose from", ", ".join(design["regimens"])),
        ("Reductions of the label", ", ".join(design["label_steps"])),
    ]  # fmt: skip
    rows += [
        (
            f"Covariate {c['covariate']}",
            f"{c['drawn']} {micro(c['unit'])}".rstrip() + f"; {micro(c['source'])}",
        )
        for c in results["population"]
    ]
    return rows


def _world(world: Json) -> str:
    shifted = f", with {', '.join(world['shifted'])}" if world["shifted"] else ""
    calibrated = "; calibrated to aggregate data, not fitted to patients" if world["calibrated"] else ""
    return micro(f"{world['model']}, revision {world['revision']}{shifted}{calibrated}")
