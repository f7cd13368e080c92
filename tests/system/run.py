"""Run the command line as a user does: a new process, its exit status and what it printed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def troughline(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`troughline ARGUMENTS` in a new process; never raises on a non-zero status."""
    environment = {**os.environ, "COLUMNS": "200", "SOURCE_DATE_EPOCH": "1790000000"}
    return subprocess.run(
        [sys.executable, "-m", "troughline", *map(str, arguments)],
        capture_output=True, text=True, check=False, cwd=cwd, env=environment, timeout=600,
    )  # fmt: skip
