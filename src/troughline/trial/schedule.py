"""Cells run in threads here, or on a Dask scheduler; results come back in the order of the cells."""

from __future__ import annotations

import importlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from troughline.trial.cells import Cell, CellResult, run_cell

AHEAD = 2
"""Cells in flight for each worker: what bounds the memory."""


class SchedulerError(ValueError):
    """Dask is not installed, or its scheduler cannot be reached."""


def run_in_order(
    cells: Iterable[Cell], *, workers: int | None, scheduler: str | None
) -> Iterator[CellResult]:
    """The results of cells in their order; the numbers are the same whatever runs them.

    `workers`: threads, None for the number of cores. `scheduler`: the address of a Dask scheduler, or
    `local`; a cell that a lost worker had is run again by another. Raises `SchedulerError`, and what a cell
    raises.
    """
    if scheduler is not None:
        yield from _dask(cells, workers, scheduler)
        return
    count = workers or os.cpu_count() or 1
    if count < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    pool = ThreadPoolExecutor(count)

    def submit(cell: Cell) -> Future[CellResult]:
        return pool.submit(run_cell, cell)

    try:
        yield from _window(cells, submit, AHEAD * count)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _window(cells: Iterable[Cell], submit: Callable[[Cell], Any], size: int) -> Iterator[CellResult]:
    waiting: deque[Any] = deque()
    for cell in cells:
        waiting.append(submit(cell))
        if len(waiting) >= size:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _dask(cells: Iterable[Cell], workers: int | None, scheduler: str) -> Iterator[CellResult]:
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        raise SchedulerError(
            "the trial file names a scheduler, and Dask is not installed: install dask and distributed, or "
            "leave [run] out"
        ) from None
    try:
        if scheduler == "local":
            client: Any = distributed.Client(n_workers=workers or os.cpu_count() or 1, threads_per_worker=1)
        else:
            client = distributed.Client(scheduler, timeout="10s")
    except (OSError, ValueError) as error:
        raise SchedulerError(f"the scheduler {scheduler} cannot be reached: {error}") from None

    def submit(cell: Cell) -> Any:
        return client.submit(run_cell, cell, pure=False, retries=3)

    try:
        size = AHEAD * max(len(client.scheduler_info()["workers"]), 1)
        yield from _window(cells, submit, size)
    finally:
        client.close()
