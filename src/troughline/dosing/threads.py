"""Independent predictions on the cores there are, in the order of what they are of."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def in_threads(run: Callable[[A], B], items: Sequence[A], threads: int | None = None) -> list[B]:
    """`run` of every item, in order. The kernels let other threads work; results do not depend on them.

    The first item runs alone: it compiles or loads what is needed, which two threads would do twice.
    """
    workers = min(threads or os.cpu_count() or 1, len(items))
    made = [run(one) for one in items[:1]]
    if workers < 2 or len(items) < 3:
        return made + [run(one) for one in items[1:]]
    with ThreadPoolExecutor(workers) as pool:
        return made + list(pool.map(run, items[1:]))
