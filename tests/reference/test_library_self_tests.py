"""Every model of the library and of the zoo passes the tests its own file carries, at their tolerances."""

from __future__ import annotations

from pathlib import Path

import pytest

from troughline.model.library import list_models
from troughline.model.model import load_model
from troughline.model.self_test import run_self_tests

ZOO = sorted((Path(__file__).parent / "models" / "zoo").glob("*.toml"))


@pytest.mark.parametrize(
    "reference", [*list_models(), *ZOO], ids=lambda r: r.stem if isinstance(r, Path) else r
)
def test_a_model_passes_its_own_tests(reference: str | Path) -> None:
    results = run_self_tests(load_model(reference))
    assert results
    failed = [r for r in results if not r.passed]
    assert not failed, "\n".join(
        f"{r.test} · {r.quantity}: {r.found:.10g}, not {r.expected:.10g} ± {r.tolerance:.2g} {r.problem}"
        for r in failed
    )
