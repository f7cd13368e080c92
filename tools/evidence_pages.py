"""The generated pages of the evidence base: studies and drugs, rules, conflicts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from troughline.evidence import store
from troughline.evidence.checks import RULES, check_base
from troughline.evidence.comparable import comparable_numbers
from troughline.evidence.conflicts import Conflict, load_conflicts
from troughline.evidence.pooling import pool
from troughline.evidence.records import Drug, Publication
from troughline.report import evidence_view as view
from troughline.report.model_view import TextTable


def evidence_page() -> str:
    """docs/evidence.md as text."""
    studies = [store.load_publication(i) for i in store.list_publications()]
    drugs = [store.load_drug(i) for i in store.list_drugs()]
    items = sum(int(view.verified_share(r).split("/")[1]) for r in (*studies, *drugs))
    read = sum(int(view.verified_share(r).split("/")[0]) for r in (*studies, *drugs))
    lines = [
        "# Evidence",
        "",
        "Generated from the evidence files by `make docs`; do not edit by hand.",
        "",
        f"What is published about sorafenib, as data: {len(studies)} studies and {len(drugs)} drug file(s), "
        f"{items} sourced items, {read} of them read in the place named (*verified*). An item marked "
        f"**{view.UNVERIFIED}** was recalled or stands only in a place one cannot cite: it may be shown, "
        "and a calculation that uses it says so. A number is kept as printed, even where it cannot be right: "
        "[what the rules found](#what-the-rules-found).",
        "",
        "`troughline evidence show ID` prints the same on the screen. Where studies disagree: "
        "[conflicts](evidence-conflicts.md). How to add one: [the evidence file](evidence-files.md).",
        "",
        "## Studies",
        *_table(
            ("id", "n", "year", "design", "drugs", "read", "verified"),
            [
                (
                    f"[`{s.id}`](#{s.id})",
                    "" if s.n is None else str(s.n),
                    str(s.year or ""),
                    _text(s.design),
                    ", ".join(s.drugs),
                    s.read,
                    view.verified_share(s),
                )
                for s in studies
            ],
        ),
        "",
        "## What the rules found",
        "An *error* says that no data give the numbers as printed, a *warning* that they hardly do.",
        "",
        *_table(
            ("severity", "study", "rule", "finding"),
            [
                (str(f.severity), _linked(f.file), f"`{f.code}`", _text(_message(f.message)))
                for f in check_base()
            ],
        ),
        "",
        "## The rules",
        *_table(
            ("rule", "severity", "fires on", "limit", "why"),
            [
                (f"`{r.id}`", str(r.severity), _text(r.title), _text(r.limit), _text(r.reason))
                for r in RULES.values()
            ],
        ),
        "",
        "## Pooled here",
        "Computed from the numbers above, printed by no study: overall survival, sorafenib against placebo.",
        "",
        *_table(("what", "hazard ratio", "by"), _pooled()),
    ]
    for drug in drugs:
        lines += ["", *_drug_section(drug)]
    for study in studies:
        lines += ["", *_study_section(study)]
    return "\n".join(lines) + "\n"


def _pooled() -> list[tuple[str, str, str]]:
    """The two placebo-controlled trials of sorafenib alone, pooled in each way."""
    found = comparable_numbers("sorafenib", "survival", "hazard_ratio", group="sorafenib vs placebo")
    effects = [c.effect for c in found if c.effect.low is not None]
    plain, floor = pool(effects), pool(effects, interval="hartung-knapp-floor")
    names = " and ".join(e.label for e in effects)
    return [
        (names, f"{s.value:.3f} ({s.low:.3f} to {s.high:.3f})", s.method)
        for s in (plain.common, plain.random, floor.random)
    ]


def conflicts_page() -> str:
    """docs/evidence-conflicts.md as text."""
    conflicts = load_conflicts()
    lines = [
        "# Where the evidence disagrees",
        "",
        "Generated from `evidence/data/conflicts.toml` and the files it names by `make docs`; do not edit by "
        "hand.",
        "",
        "Both sides of each question as they were printed, with design, n and whether the number was read in "
        "its source. What may explain the difference is our reading, not a finding of the studies.",
        "",
        *(f"- [{_text(c.title)}](#{c.id})" for c in conflicts),
    ]
    for conflict in conflicts:
        lines += ["", *_conflict_section(conflict)]
    return "\n".join(lines) + "\n"


def _conflict_section(conflict: Conflict) -> list[str]:
    table = view.conflict_table(conflict)
    rows = [
        [f"[`{cell}`](evidence.md#{cell})" if i == 1 and cell else _mark(cell) for i, cell in enumerate(row)]
        for row in table.rows
    ]
    return [
        f'<a id="{conflict.id}"></a>',
        f"## {conflict.title}",
        *_table(table.header, rows),
        "",
        "What may explain it:",
        "",
        *(f"- {_text(e)}" for e in conflict.explanations),
    ]


def _drug_section(drug: Drug) -> list[str]:
    lines = [
        f"## {drug.id}",
        f"{', '.join(drug.names)}, {drug.formula}. {view.verified_line(drug)}. {_text(drug.note)}".rstrip(),
    ]
    parts = (
        ("Numbers", view.number_table(drug.number)),
        ("Doses of the label", view.dose_table(drug)),
        ("Interactions", view.interaction_table(drug)),
        ("Targets", view.affinity_table(drug)),
        ("Codes", view.code_table(drug)),
    )
    for title, table in parts:
        lines += _part(title, table)
    return lines


def _study_section(study: Publication) -> list[str]:
    n = "" if study.n is None else f", n = {study.n}"
    enrolled = view.enrolment_line(study)
    lines = [
        f"## {study.id}",
        f"**{_text(study.title)}.** {_text(view.place_line(study))}",
        "",
        f"- Design: {_text(study.design)}",
        f"- Population: {_text(study.population)}{n}",
        *([f"- Enrolled: {enrolled}"] if enrolled else []),
        f"- Read: {study.read}; {view.verified_line(study)}",
        *([f"- Note: {_text(study.note)}"] if study.note else []),
        *(f"- States: {_text(line)}" for line in view.statement_lines(study)),
    ]
    parts = [
        ("Arms", view.arm_table(study)),
        ("Numbers", view.number_table(study.number)),
        ("Exposure and outcome", view.finding_table(study.finding)),
        *((view.adverse_event_title(t), view.adverse_event_table(t)) for t in study.adverse_events),
        ("Biomarkers", view.biomarker_table(study)),
        ("Numbers at risk", view.at_risk_table(study)),
    ]
    for title, table in parts:
        lines += _part(title, table)
    return lines


def _part(title: str, table: TextTable) -> list[str]:
    if not table.rows:
        return []
    header, rows = view.used_columns(table)
    coded = [[f"`{cell}`" if i == 0 else _mark(cell) for i, cell in enumerate(row)] for row in rows]
    return ["", f"{_text(title)}:", "", *_table(header, coded)]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _linked(file: str | None) -> str:
    study = (file or "").removesuffix(".toml")
    return f"[`{study}`](#{study})"


def _message(message: str) -> str:
    return message.rpartition(" [")[0]


def _mark(cell: str) -> str:
    return f"**{cell}**" if cell == view.UNVERIFIED else _text(cell)


def _text(text: str) -> str:
    """Plain text as Markdown shows it unchanged."""
    return re.sub(r"([*|<])", r"\\\1", text)
