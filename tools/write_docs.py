"""Write the generated pages of the documentation: the guards, the library of models, the evidence base."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from evidence_pages import conflicts_page, evidence_page

from troughline.model.library import list_models
from troughline.model.model import load_model
from troughline.model.spec import ModelSpec
from troughline.report import model_view
from troughline.response.guards import REGISTRY, Guard

DOCS = Path(__file__).resolve().parents[1] / "docs"


def _severity(guard: Guard) -> str:
    return f"{guard.severity}, or refusal" if guard.refuses else str(guard.severity)


def guards_page() -> str:
    """docs/guards.md as text."""
    lines = [
        "# Guards",
        "",
        "Generated from the registry by `make docs`; do not edit by hand.",
        "",
        "A guard looks for one known way in which an exposure–response analysis misleads. It fires by "
        "itself. A *note* informs, a *caution* qualifies the verdict, a *refusal* refuses the question. "
        "What each did to the answer stands in the report beside it.",
        "",
        "| id | looks for | question kinds | severity |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| [`{g.id}`](#{g.id}) | {g.title} | {', '.join(g.kinds)} | {_severity(g)} |"
        for g in REGISTRY.values()
    ]
    for g in REGISTRY.values():
        lines += [
            "",
            f"## {g.id}",
            f"**{g.title}.** Fires on {g.detects}. Silent when {g.absent}.",
            "",
            *([f"- Refuses the question where {g.refuses}."] if g.refuses else []),
            f"- Remedy: {g.remedy}",
            f"- Reference: {g.reference}",
        ]
    return "\n".join(lines) + "\n"


def models_page() -> str:
    """docs/models.md as text."""
    specs = [load_model(model_id).spec for model_id in list_models()]
    rows = [
        (
            f"[`{s.id}`](#{_anchor(s.id)})",
            _text(s.title),
            model_view.structure_of(s),
            "**yes**" if s.calibrated else "no",
            _text(s.population),
        )
        for s in specs
    ]
    lines = [
        "# Models",
        "",
        "Generated from the model files by `make docs`; do not edit by hand.",
        "",
        "The models that come with Troughline. `troughline models show ID` prints more: inputs, outputs, "
        "residual error, self-tests. A number is *verified* where it was read in the source itself, not in a "
        "transcription. A *calibrated* model was made to agree with published aggregates and fitted to no "
        "patient. How to write your own: [the model file](model-files.md).",
        "",
        *_table(("id", "title", "structure", "calibrated", "population"), rows),
    ]
    for spec in specs:
        lines += ["", *_model_section(spec)]
    return "\n".join(lines) + "\n"


def _model_section(spec: ModelSpec) -> list[str]:
    own_page = DOCS / "models" / f"{spec.id.replace('/', '-')}.md"
    link = f" Its own page: [{own_page.stem}](models/{own_page.name})." if own_page.is_file() else ""
    lines = [
        f"## {spec.id}",
        *([f"**{model_view.CALIBRATED}.**{link}", ""] if spec.calibrated else []),
        f"**{_text(spec.title)}.** {_text(' '.join(spec.description.split()))}"
        f"{'' if spec.calibrated else link}",
        "",
        f"- Population: {_text(spec.population)}",
        *(f"- Source `{s.id}`: {_text(model_view.source_line(s))}" for s in spec.sources.values()),
        f"- Verified: {model_view.verified_line(spec)}",
    ]
    tables = [
        model_view.parameter_table(spec),
        model_view.effect_table(spec),
        model_view.covariate_table(spec),
    ]
    for table in tables:
        if table.rows:
            lines += ["", *_table(*_used(table))]
    together = model_view.correlations(spec)
    if together:
        lines += ["", f"Correlations: {'; '.join(together)}."]
    if spec.notes:
        lines += ["", *(f"- {_text(note)}" for note in spec.notes)]
    return lines


def _used(table: model_view.TextTable) -> tuple[list[str], list[list[str]]]:
    """The table without empty columns, as Markdown; the first column is a name."""
    kept = [i for i, column in enumerate(zip(*table.rows, strict=True)) if any(column)]
    rows = [[f"`{row[i]}`" if i == 0 else _text(row[i]) for i in kept] for row in table.rows]
    return [table.header[i] for i in kept], rows


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _text(text: str) -> str:
    """Plain text as Markdown shows it unchanged."""
    return re.sub(r"([*|<])", r"\\\1", text)


def _anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")


PAGES: dict[str, Callable[[], str]] = {
    "guards.md": guards_page,
    "models.md": models_page,
    "evidence.md": evidence_page,
    "evidence-conflicts.md": conflicts_page,
}


def main() -> None:
    """Write every page; with `--check` say which are out of date instead, and exit with 1."""
    made = {DOCS / name: make() for name, make in PAGES.items()}
    if "--check" not in sys.argv:
        for path, text in made.items():
            path.write_text(text, encoding="utf-8")
        return
    old = [p.name for p, text in made.items() if not p.is_file() or p.read_text(encoding="utf-8") != text]
    if old:
        sys.exit(f"out of date, run make docs: {', '.join(old)}")


if __name__ == "__main__":
    main()
