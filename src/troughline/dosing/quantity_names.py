"""Individual quantities in words, for readers who do not read model files."""

from __future__ import annotations

from collections.abc import Mapping

NAMES: Mapping[str, str] = {
    "CL": "clearance",
    "CL_F": "apparent clearance",
    "V": "volume of distribution",
    "V_F": "apparent volume of distribution",
    "V1": "central volume",
    "V2": "peripheral volume",
    "Vc": "central volume",
    "Vp": "peripheral volume",
    "Q": "clearance between compartments",
    "ka": "absorption rate constant",
    "MAT": "mean absorption time",
    "k_out": "rate constant out of the central compartment",
    "Fent": "fraction that enters the bile",
    "left_at_ref": "exposure left on the reference day",
}
"""Names of pharmacokinetics as the library's models write them."""


def quantity_label(name: str) -> str:
    """The quantity in words; empty where only its name is known."""
    return NAMES.get(name, "")
