"""docs/model-files.md teaches what the reader of model files accepts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from troughline.model import schema
from troughline.model.grammar import FUNCTIONS
from troughline.model.read import read_model
from troughline.model.sections import ARRAYS, TABLES
from troughline.model.spec import CONTEXT_NAMES, ErrorKind

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "model-files.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
ITEMS = (
    schema.HeaderItem, schema.UnitsItem, schema.SourceItem, schema.ParameterItem, schema.CovariateItem,
    schema.RandomItem, schema.CompartmentItem, schema.FlowItem, schema.GateItem, schema.DoseItem,
    schema.ErrorItem, schema.OutputItem, schema.TestDoseItem, schema.ExpectationItem, schema.TestItem,
)  # fmt: skip


def _keys() -> list[str]:
    return sorted({field.alias or name for item in ITEMS for name, field in item.model_fields.items()})


def _title(block: str) -> str:
    found = re.search(r'^id = "(.*)"$', block, re.MULTILINE)
    return found[1] if found else "a block without an id"


@pytest.mark.parametrize("block", BLOCKS, ids=_title)
def test_every_block_of_the_page_is_a_complete_model(block: str) -> None:
    """Neither an error nor a warning."""
    spec, found = read_model(block, file="model-files.md")
    assert [finding.line() for finding in found.items] == []
    assert spec is not None


def test_blocks_have_ids_of_their_own() -> None:
    """A model for each structure, and no structure twice."""
    assert len({_title(block) for block in BLOCKS}) == len(BLOCKS) >= 12


@pytest.mark.parametrize("key", _keys())
def test_every_key_of_a_model_file_is_documented(key: str) -> None:
    """The page names each key of the schema."""
    assert f"`{key}" in PAGE


@pytest.mark.parametrize("name", [*FUNCTIONS, *CONTEXT_NAMES])
def test_every_function_and_reserved_name_is_documented(name: str) -> None:
    """The page names each function, and each name that is given."""
    assert re.search(rf"`{name}[`(]", PAGE)


@pytest.mark.parametrize("section", [*TABLES, *ARRAYS])
def test_every_section_is_documented(section: str) -> None:
    """The page's table of sections names each section."""
    assert re.search(rf"^\| \*?\*?`\[\[?{section}[.\]]", PAGE, re.MULTILINE)


@pytest.mark.parametrize("kind", ErrorKind.__args__)
def test_every_error_model_is_documented_with_its_variance(kind: str) -> None:
    """The page's table of error models has a row for each kind."""
    assert f"| `{kind}` |" in PAGE


def test_every_finding_code_is_documented() -> None:
    """The codes that the reader of model files can report all stand on the page."""
    folder = Path(schema.__file__).parent
    codes = set[str]()
    for name in ("naming", "sections", "unit_checks", "value_checks", "self_tests", "random_effects", "read"):
        text = (folder / f"{name}.py").read_text(encoding="utf-8")
        codes |= set(re.findall(r'report\.(?:error|warning)\(\s*"([a-z-]+)"', text))
        codes |= set(re.findall(r'Severity\.\w+, "([a-z-]+)"', text))
    assert len(codes) > 15
    assert {code for code in codes if f"`{code}`" not in PAGE} == set()
