"""A trial on a Dask scheduler: real processes on the loopback, some of them killed while it runs."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

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
        n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None,
        silence_logs=logging.CRITICAL,
    ) as made_:  # fmt: skip
        yield made_


def small(address: str | None = None) -> Setup:
    """A trial of 24 cells."""
    changes: dict[str, Any] = {} if address is None else {"run": {"scheduler": address}}
    return made(trial={"title": "t", "replicates": 3, "horizon_months": 6}, **changes)


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
        nanny.auto_restart = False
        victims = [nanny]

        def strike(step: str, done: int, total: int) -> None:
            if done == 1 and step.startswith("trial") and victims:
                kill(victims.pop())

        found = bounded(small(there.scheduler_address), progress=strike, patients=tmp_path / "p.parquet")
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


def test_one_started_for_the_run_gives_the_same(tmp_path: Path) -> None:
    """`scheduler = "local"`: the same bytes as threads, and no process is left."""
    alone = run_trial(small(), workers=2, patients=tmp_path / "alone.parquet")
    found = bounded(small("local"), workers=1, patients=tmp_path / "dask.parquet")
    if isinstance(found, BaseException):
        raise found
    assert without_date(found.contents) == without_date(alone.contents)
    assert (tmp_path / "dask.parquet").read_bytes() == (tmp_path / "alone.parquet").read_bytes()
