"""The page of a virtual trial: `results.json` in, one HTML file out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from troughline.report import view
from troughline.report.numbers import count, interval, micro, number, percent
from troughline.report.page import linked
from troughline.report.rendering import environment, stylesheet
from troughline.report.sensitivity_view import sensitivity_view
from troughline.report.trial_dosing import dosing_table, dosing_words, regimen_table
from troughline.report.trial_tables import trial_tables
from troughline.report.trial_view import (
    arm_tables,
    combination_name,
    comparison_table,
    endpoint_name,
    has_intervals,
    target_counts,
    target_rows,
)

if TYPE_CHECKING:
    from troughline.report.figures.drawing import Drawing

Json = dict[str, Any]
_SECTIONS = (
    ("survival", "Survival and progression", ("os", "ttp", "mttp")),
    ("comparisons", "Hazard ratios", ("hazard-ratios",)),
    ("dosing", "Dosing policies", ("dosing",)),
    ("response", "Response, single courses", ("response", "waterfall", "swimmer")),
    ("markers", "Markers over time", ("markers",)),
    ("routes", "Routes of resistance", ("routes",)),
    ("targets", "Published against predicted", ("targets",)),
    ("combinations", "Combinations", ("combinations",)),
)
_SCALED = {"doubling": "Doubling time, scaled", "death_0": "Baseline hazard of death, scaled"}


def render_trial_page(results: Json, figures: Sequence[Drawing], *, patients: bool = False) -> str:
    """The page as one HTML document; every text of `results` is escaped.

    `patients`: whether `patients.parquet` stands beside the page.
    """
    drawn = {f.name: f for f in figures}
    comparisons = comparison_table(results)
    return (
        environment(nice=micro, linked=linked, whole=count)
        .get_template("trial_page.html.j2")
        .render(
            css=stylesheet("style.css"),
            results=results,
            figures=drawn,
            patients=patients,
            tables=list(trial_tables(results)),
            sections=[
                *(
                    (i, words if i != "comparisons" or comparisons["success"] else "Hazard ratios")
                    for i, words, needs in _SECTIONS
                    if any(n in drawn for n in needs)
                ),
                *([("sensitivity", "Sensitivity")] if results["sensitivity"] else []),
            ],
            facts=_facts(results),
            spread=_spread(results),
            arms=arm_tables(results),
            treatments=_treatments(results),
            comparisons=comparisons,
            targets=target_rows(results),
            target_counts=target_counts(results),
            combinations=combination_tables(results),
            dosing=dosing_table(results),
            dosing_words=dosing_words(results),
            regimens=regimen_table(results),
            sensitivity=sensitivity_view(results),
            design=design_rows(results),
            findings=view.finding_groups(results["issues"]),
            provenance=results["provenance"],
            provenance_rows=_provenance(results["provenance"]),
        )
    )


def _spread(results: Json) -> str:
    """What the intervals beside medians hold, or that too few trials leave none, as the end of a sentence."""
    if has_intervals(results):
        return f", with the middle {percent(results['level'])} of these trials"
    return "; too few trials for an interval"


def _facts(results: Json) -> list[tuple[str, str]]:
    setup: Json = results["setup"]
    return [
        ("Arms", count(len(results["arms"]))),
        ("Patients a trial", count(setup["patients_per_trial"])),
        ("Trials", count(setup["replicates"] * len(setup["sets"]))),
        ("Parameter sets", count(len(setup["sets"]))),
        ("Followed for", f"{count(setup['horizon_days'])} days"),
    ]


def _treatments(results: Json) -> list[tuple[str, str, list[str]]]:
    """Each arm, what it takes, and where what it does comes from: assumed, calibrated, measured."""
    return [
        (
            f"{micro(str(a['label']))}, {count(a['n'])} patients a trial",
            micro(str(a["words"])),
            [micro(str(s)) for s in a["assumed"]],
        )
        for a in results["arms"]
    ]


def combination_tables(results: Json) -> Json:
    """The ranking as two tables: benefit, toxicity and robustness; synergy at signals and survival."""
    if not results["combinations"]:
        return {"definition": [], "benefit": {}, "synergy": {}}
    rows = sorted(results["combinations"]["rows"], key=lambda r: r["rank"])

    def span(r: Json, key: str) -> str:
        value = r.get(key)
        if value is None:
            return "none"
        ends = interval(r.get(f"{key}_low"), r.get(f"{key}_high"), value=value)
        return f"{number(value)} ({ends})" if ends else number(value)

    def toxic(r: Json) -> str:
        cut = r.get("toxicity_cut")
        return span(r, "toxic") + (f"; toxicity cut in {count(cut)}" if cut else "")

    return {
        "definition": results["combinations"]["definition"],
        "benefit": {
            "header": (
                "", "Added to sorafenib", "HR death", "HR progression", "Stopped by toxicity, %", "Best in",
                "Robust in",
            ),
            "rows": [
                (
                    count(r["rank"]), combination_name(r), span(r, "os_hr"), span(r, "ttp_hr"), toxic(r),
                    percent(r["p_best"]), percent(r["robust"]),
                )
                for r in rows
            ],
        },
        "synergy": {
            "header": (
                "", "Added to sorafenib", "ERK blocked", "Bliss, ERK", "Loewe, ERK", "AKT blocked",
                "Bliss, AKT", "Loewe, AKT", "Bliss, survival", "Loewe, survival",
            ),
            "rows": [
                (
                    count(r["rank"]), combination_name(r),
                    *(
                        text
                        for node in ("erk", "akt")
                        for text in (
                            percent(r[f"signal_{node}"]), span(r, f"bliss_{node}"), span(r, f"loewe_{node}")
                        )
                    ),
                    span(r, "bliss_survival"), span(r, "loewe_survival"),
                )
                for r in rows
            ],
        },
    }  # fmt: skip


def design_rows(results: Json) -> list[tuple[str, str]]:
    """How the trial was set up, as pairs of name and text."""
    setup, population = results["setup"], results["setup"]["population"]
    visits = [f"{d:g}" for d in setup["visit_days"]]
    rows = [
        (
            "Population",
            f"{micro(str(population['label'] or population['base']))}; {micro(str(population['source']))}",
        ),
        *((" ", micro(str(w))) for w in population["words"]),
        (
            "Patients",
            "the same virtual patients in every arm"
            if setup["patients_mode"] == "same"
            else "other virtual patients in each arm, as in a randomised trial",
        ),
        ("Images on days", ", ".join(visits)),
        (
            "Followed",
            f"{count(setup['horizon_days'])} days"
            + (
                f"; analysed {setup['follow_up']['shortest_months']:g} to "
                f"{setup['follow_up']['longest_months']:g} months after each patient's start"
                if setup["follow_up"]
                else ""
            ),
        ),
        ("Primary endpoint", f"{endpoint_name(str(setup['primary']))}, two-sided level {setup['alpha']:g}"),
        (
            "Parameter sets",
            ", ".join(f"{micro(str(s['id']))} ({micro(str(s['reading']))})" for s in setup["sets"]),
        ),
    ]
    for name, words in _SCALED.items():
        factors = [s[name] for s in population["scales"] if s.get(name) is not None]
        if factors:
            rows.append((words, f"× {interval(min(factors), max(factors))} over the sets"))
    return rows


def _provenance(provenance: Json) -> list[tuple[str, str]]:
    rows = [
        ("Troughline", str(provenance.get("troughline") or "")),
        ("Made at", str(provenance.get("created") or "")),
        ("Seed", str(provenance["seed"])),
        ("Models", ", ".join(provenance["models"])),
        ("Evidence", ", ".join(provenance["evidence"])),
        ("Python", str(provenance["python"])),
        ("Libraries", ", ".join(f"{name} {version}" for name, version in provenance["libraries"].items())),
    ]
    return [(name, micro(text)) for name, text in rows if text]
