"""Guards: rules that look for the known ways an exposure–response analysis misleads, and say so."""

from troughline.response.guards import (
    association,
    change_outcome,
    changes,
    cutpoints,
    inference,
    interaction,
    modelled,
    sampling,
    signatures,
    timing,
)
from troughline.response.guards.registry import REGISTRY, Guard, check

__all__ = [
    "REGISTRY",
    "Guard",
    "association",
    "change_outcome",
    "changes",
    "check",
    "cutpoints",
    "inference",
    "interaction",
    "modelled",
    "sampling",
    "signatures",
    "timing",
]
