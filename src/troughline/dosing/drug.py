"""The drug of a patient file, from the evidence store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    from troughline.evidence.records import Drug


def known_drug(name: str, *, file: str, found: Findings) -> Drug | None:
    """The drug of that id or name; None, with an error that suggests the nearest, where it is not on file."""
    from troughline.cohort.studyfile_messages import did_you_mean
    from troughline.evidence.store import list_drugs, load_drug

    by_name = {n.casefold(): drug for drug in list_drugs() for n in (drug, *load_drug(drug).names)}
    drug_id = by_name.get(name.casefold())
    if drug_id is None:
        found.add(
            Severity.ERROR, "unknown-drug",
            f"{name!r} is no drug on file: without its tablets no regimen can be made; "
            + did_you_mean(name, list_drugs(), "the drugs"),
            file=file, column="patient.drug",
        )  # fmt: skip
        return None
    return load_drug(drug_id)
