"""Independent predictions on the cores there are, in the order of what they are of."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


def in_threads(run: Callable[[A], B], items: Sequence[A], threads: int | None = None) -> list[B]:
    """`run` of every item, in order. The kernels let other threads work; results do not depend on them.

    The compiled model should be loaded before: two threads would load it twice.
    """
    workers = min(threads or os.cpu_count() or 1, len(items))
    if workers < 2:
        return [run(one) for one in items]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(run, items))


@contextmanager
def collection_paused() -> Generator[None]:
    """No search for cyclic garbage meanwhile: it would walk all that an answer loads again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def beside(first: Callable[[], A], second: Callable[[], B], third: Callable[[], C]) -> tuple[A, B, C]:
    """Three answers that do not need each other, at the same time; the first fault in order is raised."""
    with ThreadPoolExecutor(3) as pool:
        a, b, c = pool.submit(first), pool.submit(second), pool.submit(third)
        return a.result(), b.result(), c.result()
