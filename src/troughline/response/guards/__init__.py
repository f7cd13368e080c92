"""Guards: rules that look for the known ways an exposure–response analysis misleads, and say so."""

from troughline.response.guards import changes, cutpoints, inference, modelled, sampling, timing
from troughline.response.guards.registry import REGISTRY, Guard, check

__all__ = [
    "REGISTRY",
    "Guard",
    "changes",
    "check",
    "cutpoints",
    "inference",
    "modelled",
    "sampling",
    "timing",
]
