"""Where tests find the public reference data that is kept beside the checkout and not in it."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared(relative: str) -> Path:
    """The path of a shared reference file; skips the test, saying so, where it is missing."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"reference data not found: shared/{relative} beside the checkout")
    return path
