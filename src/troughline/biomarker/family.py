"""Many tests at once: p-values corrected over a family, by Holm and by Benjamini and Hochberg."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from troughline.response.multiplicity import benjamini_hochberg, holm

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family(Generic[Name]):
    """The p-values of a family of tests by name: as they are, and corrected in two ways.

    `holm` bounds the chance of any false finding, `bh` the share of false ones among the findings.
    """

    raw: Mapping[Name, float]
    holm: Mapping[Name, float]
    bh: Mapping[Name, float]


def family_of(p_values: Mapping[Name, float]) -> Family[Name]:
    """Both corrections of a family of tests (`troughline.response.multiplicity`).

    Raises `ValueError` for a p-value outside 0 to 1.
    """
    for name, p in p_values.items():
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"{name}: {p!r} is no p-value")
    raw = np.array(list(p_values.values()), dtype=np.float64)
    return Family(
        raw=dict(p_values),
        holm=dict(zip(p_values, holm(raw).tolist(), strict=True)),
        bh=dict(zip(p_values, benjamini_hochberg(raw).tolist(), strict=True)),
    )
