"""Cells on a Dask scheduler: a worker that is lost is work redone, and nothing waits for ever."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import time
from collections.abc import Generator, Iterable
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from typing import Any

from troughline.trial.cells import Cell, CellResult, run_cell
from troughline.trial.schedule import AHEAD, SchedulerError, in_window

CONNECT_S = 10.0
"""How long a scheduler has to answer."""
NO_WORKER_S = 60.0
"""How long the run waits while the scheduler has no worker."""
LOOK_S = 5.0
"""How often a run that waits looks whether anybody works."""
RETRIES = 3
LOGS = ("distributed", "tornado", "asyncio")


def run_on_dask(cells: Iterable[Cell], *, workers: int | None, scheduler: str) -> Generator[CellResult]:
    """The results of cells in their order from a Dask scheduler's workers.

    `scheduler`: its address, or `local` for `workers` processes on this machine (None: one a core), reached
    by the loopback alone. What a lost worker had is run again by another. Raises `SchedulerError` where Dask
    is not installed, the scheduler cannot be reached or is lost, has had no worker for `NO_WORKER_S`, or
    loses worker after worker with one cell; and what a cell raises.
    """
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        raise SchedulerError(
            "the trial file names a scheduler, and Dask is not installed: install dask and distributed, or "
            "leave [run] out"
        ) from None
    with _quiet(), ExitStack() as open_:
        client = _client(distributed, scheduler, workers, open_)
        with _plainly(distributed, scheduler):
            client.wait_for_workers(1, timeout=NO_WORKER_S)
            size = AHEAD * max(sum(client.nthreads().values()), 1)

        def submit(cell: Cell) -> Any:
            with _plainly(distributed, scheduler):
                return client.submit(run_cell, cell, pure=False, retries=RETRIES)

        def result(future: Any) -> CellResult:
            with _plainly(distributed, scheduler):
                return _patiently(client, future)

        yield from in_window(cells, submit, size, result)


def _client(distributed: Any, scheduler: str, workers: int | None, open_: ExitStack) -> Any:
    try:
        if scheduler != "local":
            return open_.enter_context(distributed.Client(scheduler, timeout=CONNECT_S))
        with _no_interrupt():
            cluster = open_.enter_context(
                distributed.LocalCluster(
                    n_workers=workers or os.cpu_count() or 1, threads_per_worker=1, host="127.0.0.1",
                    dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL,
                )
            )  # fmt: skip
        return open_.enter_context(distributed.Client(cluster, timeout=CONNECT_S))
    except (OSError, ValueError, RuntimeError) as error:
        raise SchedulerError(f"the scheduler {scheduler} cannot be reached: {_line(error)}") from None


def _patiently(client: Any, future: Any) -> CellResult:
    """A future's result; `TimeoutError` where nobody has been there to work for too long."""
    alone_since: float | None = None
    while True:
        try:
            return future.result(timeout=LOOK_S)
        except TimeoutError:
            if future.done():
                raise
        now = time.monotonic()
        if client.nthreads():
            alone_since = None
        elif alone_since is None:
            alone_since = now
        elif now - alone_since >= NO_WORKER_S:
            raise TimeoutError


@contextmanager
def _plainly(distributed: Any, scheduler: str) -> Generator[None]:
    """Dask's own failures as a `SchedulerError` in one line; what a cell raises is left as it is."""
    try:
        yield
    except distributed.KilledWorker:
        raise SchedulerError(
            f"the scheduler {scheduler} lost worker after worker with the same virtual patients"
        ) from None
    except TimeoutError:
        raise SchedulerError(f"the scheduler {scheduler} had no worker for {NO_WORKER_S:g} s") from None
    except (CancelledError, OSError):
        raise SchedulerError(f"the scheduler {scheduler} was lost during the run") from None
    except ImportError as error:
        raise SchedulerError(f"a worker of {scheduler} lacks what a trial needs: {_line(error)}") from None


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def _no_interrupt() -> Generator[None]:
    """Holds Ctrl-C back, for good in the threads and processes begun meanwhile.

    A terminal sends it to every process of a command: this one stops, and stops its workers.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # where it starts later, it lets Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _quiet() -> Generator[None]:
    """Keeps Dask's log from the screen: what went wrong is said in one line of our own."""
    names = [n for n in logging.root.manager.loggerDict if n.split(".")[0] in LOGS]
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
