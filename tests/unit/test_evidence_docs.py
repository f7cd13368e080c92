"""docs/evidence-files.md teaches what the reader accepts, and the generated pages say all that is on file."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from troughline.evidence import conflicts, drug_sections, numbers, records, store, study_sections
from troughline.evidence.checks import RULES, check_study
from troughline.evidence.records import Publication

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "evidence-files.md").read_text(encoding="utf-8")
BASE = (DOCS / "evidence.md").read_text(encoding="utf-8")
CONFLICTS = (DOCS / "evidence-conflicts.md").read_text(encoding="utf-8")
RECORDS = (
    records.Publication, records.Drug, numbers.Number, study_sections.Arm, study_sections.AdverseEventTable,
    study_sections.AdverseEventRow, study_sections.ExposureFinding, study_sections.Biomarker,
    study_sections.AtRisk, study_sections.Statement, drug_sections.Code, drug_sections.DoseLevel,
    drug_sections.RegimenStep, drug_sections.ExposureCause, drug_sections.ExposureTrend,
    drug_sections.Interaction, drug_sections.Affinity, conflicts.Conflict, conflicts.Side,
)  # fmt: skip


def test_the_example_of_the_page_is_a_study_without_findings() -> None:
    (block,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    study = Publication.model_validate(tomllib.loads(block))
    assert [f.line() for f in check_study(study)] == []
    assert study.arm
    assert study.number
    assert study.finding
    assert study.adverse_events


@pytest.mark.parametrize("key", sorted({name for record in RECORDS for name in record.model_fields}))
def test_every_key_of_an_evidence_file_is_documented(key: str) -> None:
    assert re.search(rf"`\[?\[?(?:conflict\.)?{key}\b", PAGE)


@pytest.mark.parametrize("quantity", numbers.Quantity.__args__)
def test_every_quantity_is_documented(quantity: str) -> None:
    assert f"`{quantity}`" in PAGE


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_stands_on_the_page_of_the_base(rule: str) -> None:
    assert f"| `{rule}` |" in BASE


@pytest.mark.parametrize("publication_id", store.list_publications())
def test_a_study_stands_on_the_page_with_all_its_numbers(publication_id: str) -> None:
    """Its section names every number, arm, finding and marker; what was not read is marked NO in bold."""
    section = re.split(r"^## ", BASE, flags=re.MULTILINE)
    (own,) = [part for part in section if part.startswith(f"{publication_id}\n")]
    study = store.load_publication(publication_id)
    for item in (*study.arm, *study.number, *study.finding, *study.biomarker, *study.at_risk):
        assert f"| `{item.id}` |" in own
    unread = [n for n in (*study.arm, *study.number, *study.finding, *study.biomarker) if not n.verified]
    assert own.count("**NO**") == len(unread) + sum(not r.verified for r in study.at_risk)


@pytest.mark.parametrize("conflict", conflicts.load_conflicts(), ids=lambda c: c.id)
def test_a_conflict_stands_on_its_page_with_both_sides(conflict: conflicts.Conflict) -> None:
    (own,) = [p for p in CONFLICTS.split('<a id="') if p.startswith(f'{conflict.id}"')]
    for side in conflict.side:
        assert f"| {side.claim} | [`{side.source().id}`]" in own
        assert own.count("\n| ") >= 2 + len(side.numbers)
    assert all(f"- {e.replace('<', chr(92) + '<')}" in own for e in conflict.explanations)


def test_links_between_the_pages_lead_somewhere() -> None:
    headings = set(re.findall(r"^## ([a-z0-9-]+)$", BASE, re.MULTILINE)) | {"what-the-rules-found"}
    linked = set(re.findall(r"\(#([a-z0-9-]+)\)", BASE)) | set(
        re.findall(r"evidence\.md#([a-z0-9-]+)", CONFLICTS)
    )
    assert linked <= headings
    anchors = set(re.findall(r'<a id="([a-z0-9-]+)"', CONFLICTS))
    assert set(re.findall(r"\(#([a-z0-9-]+)\)", CONFLICTS)) == anchors
