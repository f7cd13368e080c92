"""Reading one image: the response since the start by sums of diameters and new lesions."""

from __future__ import annotations

from typing import Any

from troughline.mechanism.loop.contract import device

# loop

NOT_EVALUABLE, COMPLETE, PARTIAL, STABLE, PROGRESSIVE = 0, 1, 2, 3, 4


@device
def read_image(
    seen_mm: Any,
    start_mm: Any,
    nadir_mm: Any,
    new_lesion: Any,
    shrink: Any,
    grow: Any,
    least_mm: Any,
    gone_mm: Any,
) -> Any:
    """The response that one image shows.

    Progressive: a new lesion, or at least `grow` above the smallest sum so far and `least_mm` with it.
    Partial: at least `shrink` below the start. Complete: below `gone_mm`. Otherwise stable.
    """
    if new_lesion or (seen_mm >= (1.0 + grow) * nadir_mm and seen_mm - nadir_mm >= least_mm):
        return PROGRESSIVE
    if seen_mm < gone_mm:
        return COMPLETE
    if seen_mm <= (1.0 - shrink) * start_mm:
        return PARTIAL
    return STABLE


@device
def better(best: Any, response: Any) -> Any:
    """The better of the best response so far and a new one."""
    if best == NOT_EVALUABLE or response < best:
        return response
    return best
