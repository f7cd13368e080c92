"""Progress of a long computation: what the kernels' callers report, and nobody needs to listen to."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives the name of the step that begins and how many steps there are in all."""

    def __call__(self, step: str, done: int, total: int) -> None:
        """`done` of `total` steps are finished and `step` begins."""
        ...


def silent(step: str, done: int, total: int) -> None:
    """Reports nothing."""
