"""`troughline trial` stopped by Ctrl-C or SIGTERM: one line, a status, and nothing left behind."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

TRIAL = """
[trial]
title = "Long"
replicates = 5000
horizon_months = 8

[model]
reading = "Kd"
sets = "best"

[[arm]]
id = "placebo"
n = 400
sorafenib = "none"

[[arm]]
id = "sorafenib"
n = 400
"""
SHORT = TRIAL.replace("replicates = 5000", "replicates = 1").replace("n = 400", "n = 4")
COMBINED = '\n[combinations]\ndrugs = ["refametinib", "erlotinib"]\nn = 100000\n'
SENSITIVITY = '\n[sensitivity]\narm = "sorafenib"\ncontrol = "placebo"\nn = 20000\n'
DASK = '\n[run]\nscheduler = "local"\n'
WAIT_S = 120.0


def _needs(name: str) -> pytest.MarkDecorator:
    there = importlib.util.find_spec(name) is not None
    return pytest.mark.skipif(not there, reason=f"{name} is not installed")


def begun(out: Path) -> bool:
    """Whether the file of patients is being written beside the folder."""
    return any(out.parent.glob(".troughline-*/.troughline-*.parquet")) or any(
        out.parent.glob(".troughline-*/patients.parquet")
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(TRIAL, id="trial"),
        pytest.param(SHORT + COMBINED, id="combinations"),
        pytest.param(SHORT + SENSITIVITY, id="sensitivity", marks=_needs("SALib")),
        pytest.param(TRIAL + DASK, id="dask", marks=_needs("distributed")),
    ],
)
def test_ctrl_c_ends_in_one_line_and_leaves_nothing(tmp_path: Path, text: str) -> None:
    """Status 130, `error: stopped`, no folder, no half a file, soon; what was there before is as it was."""
    _stopped(tmp_path, text, lambda pid: os.killpg(pid, signal.SIGINT))


def test_a_request_to_end_is_taken_like_ctrl_c(tmp_path: Path) -> None:
    """SIGTERM to the process alone, as a job's supervisor sends it."""
    _stopped(tmp_path, TRIAL, lambda pid: os.kill(pid, signal.SIGTERM))


def _stopped(tmp_path: Path, text: str, stop: Callable[[int], None]) -> None:
    file, out = tmp_path / "trial.toml", tmp_path / "out"
    file.write_text(text, encoding="utf-8")
    # As a terminal does: the whole group gets the signal, with its usual meaning.
    run = subprocess.Popen(
        [sys.executable, "-m", "troughline", "trial", str(file), "--out", str(out), "--workers", "2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        begin = time.monotonic()
        while not begun(out):
            assert run.poll() is None, run.communicate()[1]
            assert time.monotonic() - begin < WAIT_S, "the run did not begin"
            time.sleep(0.1)
        time.sleep(2.0)
        stop(run.pid)
        stdout, stderr = run.communicate(timeout=WAIT_S)
    finally:
        if run.poll() is None:
            run.kill()
            run.communicate()
    assert stderr.strip().splitlines() == ["error: stopped"], stderr
    assert run.returncode == 130
    assert stdout == ""
    assert [p.name for p in tmp_path.iterdir()] == ["trial.toml"]
