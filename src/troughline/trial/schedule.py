"""Cells run in threads here, or on a Dask scheduler; results come back in the order of the cells."""

from __future__ import annotations

import importlib.util
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from troughline.trial.cells import Cell, CellResult, run_cell

Item = TypeVar("Item")
Found = TypeVar("Found")
AHEAD = 2
"""Cells in flight for each worker: what bounds the memory."""


class SchedulerError(ValueError):
    """Dask is not installed, or its scheduler or workers cannot be reached or are lost."""


def has_dask() -> bool:
    """Whether Dask with its scheduler is installed."""
    return importlib.util.find_spec("distributed") is not None


def run_in_order(
    cells: Iterable[Cell], *, workers: int | None, scheduler: str | None
) -> Generator[CellResult]:
    """The results of cells in their order; the numbers are the same whatever runs them.

    `workers`: threads, None for the number of cores. `scheduler`: the address of a Dask scheduler, or
    `local`; a cell that a lost worker had is run again by another. Raises `SchedulerError`, and what a cell
    raises.
    """
    if scheduler is not None:
        from troughline.trial.dask_cells import run_on_dask

        yield from run_on_dask(cells, workers=workers, scheduler=scheduler)
        return
    yield from in_threads(run_cell, cells, workers=workers)


def in_threads(
    one: Callable[[Item], Found], items: Iterable[Item], *, workers: int | None
) -> Generator[Found]:
    """`one` of each item in threads, in the order of the items, a few at a time in memory.

    Where the caller stops, what has not begun is never run. `workers`: None for the number of cores.
    """
    count = workers or os.cpu_count() or 1
    if count < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    pool = ThreadPoolExecutor(count)

    def submit(item: Item) -> Future[Found]:
        return pool.submit(one, item)

    try:
        yield from in_window(items, submit, AHEAD * count, _result)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def in_window(
    items: Iterable[Item], submit: Callable[[Item], Any], size: int, result: Callable[[Any], Found]
) -> Generator[Found]:
    """The results of what is submitted, in order, with no more than `size` of them under way."""
    waiting: deque[Any] = deque()
    for item in items:
        waiting.append(submit(item))
        if len(waiting) >= size:
            yield result(waiting.popleft())
    while waiting:
        yield result(waiting.popleft())


def _result(future: Future[Found]) -> Found:
    return future.result()
