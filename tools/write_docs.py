"""Write the generated pages of the documentation: docs/guards.md from the registry of guards."""

from __future__ import annotations

import sys
from pathlib import Path

from troughline.response.guards import REGISTRY, Guard

GUARDS = Path(__file__).resolve().parents[1] / "docs" / "guards.md"


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


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(
            0 if GUARDS.read_text(encoding="utf-8") == guards_page() else "docs/guards.md is out of date"
        )
    GUARDS.write_text(guards_page(), encoding="utf-8")
