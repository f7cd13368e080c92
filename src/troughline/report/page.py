"""The single-file page: results and figures in, HTML out; needs no network and no script to read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from troughline.report import view
from troughline.report.cards import card_numbers
from troughline.report.checklist import NOT_COMPUTED, checklists
from troughline.report.names import estimate_name
from troughline.report.numbers import micro, percent
from troughline.report.reading import entries, part
from troughline.report.rendering import environment, stylesheet
from troughline.report.tables import question_table_file

if TYPE_CHECKING:
    from markupsafe import Markup

    from troughline.report.figures.drawing import Drawing

Json = dict[str, Any]

VERDICTS = {
    "answered": ("answered", "Answered"),
    "answered with caution": ("caution", "Answered with caution"),
    "not analysable": ("silent", "Not analysable"),
    "refused": ("refused", "Refused"),
}
_PROVENANCE = ("troughline", "created", "seed", "python", "libraries", "evidence", "models", "inputs")
_DOI = re.compile(
    r"(?:https?://(?:dx\.)?doi\.org/|doi:?\s*)(10\.\d{4,9}/[^\s;,\"<>]+[^\s;,\"<>.\)])", re.IGNORECASE
)


def render_page(results: Json, figures: Sequence[Drawing]) -> str:
    """The whole report as one HTML document.

    `results` is the content of `results.json`; `figures` are those that `draw_figures` made of it. Every
    text of `results` is escaped.
    """
    study: Json = part(results, "study")
    questions: list[Json] = entries(results, "questions")
    titles = {
        str(g.get("id")): str(g.get("title") or g.get("id")) for g in entries(results, "guards_checked")
    }
    shown = [_question(q, study, titles, figures) for q in questions]
    return (
        environment(nice=micro, linked=linked)
        .get_template("page.html.j2")
        .render(
            css=stylesheet("style.css"),
            study={**dict.fromkeys(("title", "description", "drug", "simulated", "n_patients")), **study},
            provenance={**dict.fromkeys(_PROVENANCE), **part(results, "provenance")},
            questions=shown,
            counts=_verdict_counts(shown),
            level=percent(study.get("level", 0.95)),
            table1=_table1(results),
            exposure=_figure(figures, "exposure"),
            exposure_question=next(
                (q for q in shown if q["id"] == part(results, "exposure").get("question")), None
            ),
            exposure_model=_exposure_model(part(results, "exposure")),
            forest=_figure(figures, "forest"),
            findings=view.finding_groups(entries(results, "issues")),
            guards_checked=_guards_checked(results, {q["id"]: q["title"] for q in shown}),
            checklists=checklists(results),
        )
    )


def linked(text: str) -> Markup:
    """`text` escaped, with each DOI in it as a link."""
    from markupsafe import Markup, escape

    parts: list[Markup] = []
    end = 0
    for match in _DOI.finditer(text):
        parts.append(escape(text[end : match.start()]))
        parts.append(Markup('<a href="https://doi.org/{0}">doi:{0}</a>').format(match[1]))
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])


def _question(question: Json, study: Json, titles: dict[str, str], figures: Sequence[Drawing]) -> Json:
    identity = str(question.get("id", "question"))
    key, words = VERDICTS.get(
        str(question.get("verdict")), ("silent", str(question.get("verdict") or "no verdict"))
    )
    taken: list[str] = []
    tables: list[view.TableView] = []
    for name, rows in part(question, "tables").items():
        if rows:
            taken.append(question_table_file(question, name, taken))
            tables.append(view.table_view(name, taken[-1], rows))
    summary = str(question.get("summary") or "")
    return {
        "id": identity,
        "kind": str(question.get("kind") or ""),
        "title": _title(question, identity),
        "verdict": key,
        "verdict_words": words,
        "summary": micro(summary),
        "first_sentence": micro(view.first_sentence(summary)),
        "numbers": card_numbers(question),
        "pairs": view.pairs(question, study),
        "guards": [
            {
                **dict.fromkeys(("severity", "finding", "effect", "remedy", "reference"), ""),
                **g,
                "computed": not str(g.get("effect") or "").startswith(NOT_COMPUTED),
                "title": titles.get(
                    str(g.get("id")), str(g.get("id", "guard")).replace("-", " ").capitalize()
                ),
            }
            for g in entries(question, "guards")
        ],
        "figures": [f for f in figures if f.question == identity and not _is_replication(f)],
        "replication": _replication(question),
        "replication_figures": [f for f in figures if f.question == identity and _is_replication(f)],
        "tables": tables,
        "methods": [micro(str(m)) for m in entries(question, "methods")],
        "references": [str(r) for r in entries(question, "references")],
    }


def _is_replication(figure: Drawing) -> bool:
    return figure.name.endswith("replication")


def _replication(question: Json) -> list[tuple[str, str, str, str]]:
    """What was compared with print: the quantity, its verdict as an icon, the sentence, reservations."""
    icons = {"consistent": "answered", "same direction, different size": "caution", "inconsistent": "refused"}
    return [
        (
            ", ".join(
                filter(None, (estimate_name(str(b.get("name"))).label, micro(str(b.get("label") or ""))))
            ),
            icons.get(str(b.get("agreement")), "silent"),
            micro(str(b.get("sentence") or "")),
            micro("; ".join(map(str, entries(b, "flags")))),
        )
        for b in entries(question, "replication")
    ]


def _title(question: Json, identity: str) -> str:
    """The question's title; one that only repeats its identifier starts with a capital."""
    title = micro(str(question.get("title") or identity))
    return title[:1].upper() + title[1:] if title == identity.replace("-", " ") else title


def _figure(figures: Sequence[Drawing], name: str) -> Drawing | None:
    return next((f for f in figures if f.name == name and f.question is None), None)


def _exposure_model(exposure: Json) -> Json | None:
    """What is said of the population model that predicted the exposure; None where none did."""
    model: Json = part(exposure, "model")
    if not model.get("id"):
        return None
    return {
        **dict.fromkeys(("title", "sha256", "metric")),
        **model,
        "reservations": [micro(str(r)) for r in entries(model, "reservations")],
        "reliability": f"{model['reliability']:.2f}" if model.get("reliability") is not None else "",
    }


def _verdict_counts(questions: list[Json]) -> list[tuple[str, str, int]]:
    return [
        (key, words, n)
        for key, words in VERDICTS.values()
        if (n := sum(q["verdict"] == key and q["verdict_words"] == words for q in questions))
    ]


def _table1(results: Json) -> Json | None:
    table: Json = part(results, "table1")
    if not table.get("rows"):
        return None
    return {
        "columns": [micro(str(c)) for c in entries(table, "columns")],
        "rows": [[view.cell_text(c) for c in row] for row in table["rows"]],
    }


def _guards_checked(results: Json, titles: dict[str, str]) -> list[Json]:
    return [
        {
            "title": str(g.get("title") or g.get("id")),
            "detects": micro(str(g.get("detects") or "")),
            "fired_in": [(str(q), titles.get(str(q), str(q))) for q in entries(g, "fired_in")],
        }
        for g in entries(results, "guards_checked")
    ]
