"""A trial on a Dask scheduler: real processes on the loopback, some of them killed while it runs."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.system.test_trial_interrupted import TRIAL, begun
from tests.unit.test_trial_run import made, without_date
from troughline.issues import InputError
from troughline.trial import dask_cells, run
from troughline.trial.run import run_trial
from troughline.trial.setup import Setup

distributed: Any = pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.slow,
    # Dask leaves sockets of a killed worker to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
LONGEST_S = 240.0


@contextmanager
def cluster(workers: int) -> Iterator[Any]:
    """Workers in processes of their own, reached by the loopback alone."""
    with distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    ) as made_:  # fmt: skip
        yield made_


def small(address: str | None = None, *, replicates: int = 3) -> Setup:
    """A trial of 24 cells, or of eight for each replicate."""
    changes: dict[str, Any] = {} if address is None else {"run": {"scheduler": address}}
    return made(trial={"title": "t", "replicates": replicates, "horizon_months": 6}, **changes)


def bounded(setup: Setup, **options: Any) -> Any:
    """The outcome or the error of a run, which must end within `LONGEST_S`."""
    found: list[Any] = []

    def work() -> None:
        try:
            found.append(run_trial(setup, **options))
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(LONGEST_S)
    assert found, f"the run has not ended after {LONGEST_S:g} s"
    return found[0]


def kill(nanny: Any) -> None:
    """Kill the process of one worker by its id, as the kernel does where memory is short."""
    os.kill(nanny.pid, signal.SIGKILL)


@pytest.fixture(autouse=True)
def _small_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "BATCH", 5)


def test_a_worker_killed_in_the_middle_changes_nothing(tmp_path: Path) -> None:
    """One of two workers is killed after the first trial: contents and patients are those without Dask."""
    alone = run_trial(small(), workers=1, patients=tmp_path / "alone.parquet")
    with cluster(2) as there:
        victims = list(there.workers.values())[:1]

        def strike(step: str, done: int, total: int) -> None:
            if done == 1 and step.startswith("trial") and victims:
                kill(victims.pop())

        found = bounded(small(there.scheduler_address), progress=strike, patients=tmp_path / "dask.parquet")
    assert not victims
    if isinstance(found, BaseException):
        raise found
    assert without_date(found.contents) == without_date(alone.contents)
    assert (tmp_path / "dask.parquet").read_bytes() == (tmp_path / "alone.parquet").read_bytes()


def test_the_last_worker_lost_ends_in_one_line_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only worker is killed and not started again: no waiting for ever, and no half a file."""
    monkeypatch.setattr(dask_cells, "NO_WORKER_S", 2.0)
    monkeypatch.setattr(dask_cells, "LOOK_S", 0.5)
    with cluster(1) as there:
        [nanny] = there.workers.values()

        async def leave(exit_code: int) -> None:
            """What the nanny does when its worker is gone, but for starting another."""
            await nanny._unregister()

        nanny._on_worker_exit = leave
        victims = [nanny]

        def strike(step: str, done: int, total: int) -> None:
            if done == 1 and step.startswith("trial") and victims:
                kill(victims.pop())

        # So many cells that they are not all done before the worker is gone.
        long = small(there.scheduler_address, replicates=100)
        found = bounded(long, progress=strike, patients=tmp_path / "p.parquet")
    assert isinstance(found, InputError), found
    assert found.configuration
    assert str(found).count("\n") == 0
    assert "had no worker for 2 s" in str(found)
    assert list(tmp_path.iterdir()) == []


def test_a_scheduler_without_workers_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, after a bounded wait."""
    monkeypatch.setattr(dask_cells, "NO_WORKER_S", 1.0)
    with cluster(0) as there:
        found = bounded(small(there.scheduler_address))
    assert isinstance(found, InputError), found
    assert "had no worker for 1 s" in str(found)


def test_a_scheduler_that_is_not_there_is_said() -> None:
    """The address of one that has gone: one line that names it."""
    with cluster(0) as there:
        address = str(there.scheduler_address)
    found = bounded(small(address))
    assert isinstance(found, InputError), found
    assert str(found).count("\n") == 0
    assert address in str(found)
    assert "cannot be reached" in str(found)


def test_a_scheduler_killed_in_the_middle_is_one_line(tmp_path: Path) -> None:
    """A scheduler and a worker in processes of their own; the scheduler is killed by its id while it runs."""
    address_file, folder = tmp_path / "scheduler.json", tmp_path / "run"
    folder.mkdir()
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    options = ["--host", "127.0.0.1", "--no-dashboard"]
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", *options]
    started = [subprocess.Popen([*dask, "--port", "0", "--scheduler-file", str(address_file)], **quiet)]
    try:
        _until(address_file.exists)
        _until(lambda: address_file.read_text("utf-8").rstrip().endswith("}"))
        address = json.loads(address_file.read_text("utf-8"))["address"]
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny", *options]
        started.append(subprocess.Popen([*worker, "--nthreads", "1"], **quiet))
        file = folder / "trial.toml"
        file.write_text(f'{TRIAL}\n[run]\nscheduler = "{address}"\n', encoding="utf-8")
        run = subprocess.Popen(
            [sys.executable, "-m", "troughline", "trial", str(file), "--out", str(folder / "out")],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(run)
        _until(lambda: begun(folder / "out"))
        started[0].kill()
        stderr = run.communicate(timeout=LONGEST_S)[1]
    finally:
        for process in started:
            process.kill()
            process.wait()
    lines = stderr.strip().splitlines()
    assert len(lines) == 1, stderr
    assert lines[0].startswith("error: trial.toml column run.scheduler: the scheduler tcp://127.0.0.1:")
    assert run.returncode == 3
    assert [p.name for p in folder.iterdir()] == ["trial.toml"]


def _until(there: Callable[[], bool]) -> None:
    end = time.monotonic() + LONGEST_S
    while not there():
        assert time.monotonic() < end, "it did not begin"
        time.sleep(0.1)


def test_one_started_for_the_run_gives_the_same(tmp_path: Path) -> None:
    """`scheduler = "local"`: the same bytes as threads, and no process is left."""
    alone = run_trial(small(), workers=2, patients=tmp_path / "alone.parquet")
    found = bounded(small("local"), workers=1, patients=tmp_path / "dask.parquet")
    if isinstance(found, BaseException):
        raise found
    assert without_date(found.contents) == without_date(alone.contents)
    assert (tmp_path / "dask.parquet").read_bytes() == (tmp_path / "alone.parquet").read_bytes()
