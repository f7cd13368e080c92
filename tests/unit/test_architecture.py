"""What stands higher imports only what stands lower, and heavy libraries stay where they belong."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "troughline"
FLOORS = {
    "cli": 7, "service": 7, "__main__": 7, "__init__": 7,
    "report": 6, "input_files": 6,
    "dosing": 5, "trial": 5,
    "response": 4, "biomarker": 4, "mechanism": 4,
    "pk": 3,
    "cohort": 2, "evidence": 2,
    "model": 1, "survival": 1,
    "units": 0, "issues": 0, "results": 0, "provenance": 0, "progress": 0, "output_file": 0,
    "toml_file": 0,
}  # fmt: skip


def _sources() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if "examples" not in p.parts)


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names if node.module == "troughline"}
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == (
            "import_module"
        ):
            names.add(ast.unparse(node.args[0]).strip("f'\"").replace("{name}", ""))
    return names


def _floor(module: str) -> int | None:
    parts = module.split(".")
    return FLOORS.get(parts[1]) if len(parts) > 1 else None


@pytest.mark.parametrize("path", _sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_floor_imports_only_what_stands_lower(path: Path) -> None:
    """The floors of docs/architecture.md."""
    own = FLOORS[path.relative_to(PACKAGE).parts[0].removesuffix(".py")]
    too_high = {
        name for name in _imports(path)
        if name.startswith("troughline.") and (_floor(name) or 0) > own
    }  # fmt: skip
    assert not too_high


@pytest.mark.parametrize(
    ("library", "homes"),
    [("matplotlib", ("report",)), ("survival", ("survival/library.py",)), ("pint", ("units.py",))],
)
def test_a_library_is_imported_in_its_home_alone(library: str, homes: tuple[str, ...]) -> None:
    """Matplotlib in the report, `survival` behind one module, pint in units."""
    users = {
        str(p.relative_to(PACKAGE)) for p in _sources()
        if any(name == library or name.startswith(library + ".") for name in _imports(p))
    }  # fmt: skip
    assert users
    assert all(user.startswith(homes) for user in users)


def test_a_file_is_one_idea() -> None:
    """A file past 500 lines is two ideas."""
    long = {
        str(p.relative_to(PACKAGE)): n for p in _sources() if (n := len(p.read_text().splitlines())) > 500
    }
    assert not long
