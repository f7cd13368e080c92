"""A small study with a faultless number of each kind, to put a fault into."""

from __future__ import annotations

from typing import Any

from troughline.evidence.checks import check_study
from troughline.evidence.records import Publication

HEAD: dict[str, Any] = {
    "kind": "study", "id": "sample-2020", "drug": "sorafenib", "title": "A sample", "citation": "Nobody 2020",
    "doi": "10.1000/sample", "read": "abstract", "design": "made up", "population": "nobody", "n": 600,
    "year": 2020, "enrolled_from": "2015-01", "enrolled_to": "2018-12",
}  # fmt: skip
PLACE: dict[str, Any] = {"verified": True, "where": "nowhere"}
CI: dict[str, Any] = {"interval": "confidence", "level": 0.95}


def number(**given: Any) -> dict[str, Any]:
    """A number with what every number needs."""
    return {"id": "it", "unit": "1", "label": "a number", **PLACE, **given}


def arms(**given: Any) -> list[dict[str, Any]]:
    """Two arms of three hundred; `first` and `second` add to them."""
    both = ("first", "second")
    return [{"id": name, "label": name, "n": 300, **PLACE, **given.get(name, {})} for name in both]


def study(*numbers: dict[str, Any], **given: Any) -> Publication:
    """The sample with these numbers and header keys or sections."""
    statement = [{"id": "s", "text": "Says something.", **PLACE}]
    return Publication.model_validate({**HEAD, "number": list(numbers), "statement": statement, **given})


def codes(*numbers: dict[str, Any], **given: Any) -> list[str]:
    """The rules that fire on the sample with these numbers."""
    return [finding.code for finding in check_study(study(*numbers, **given))]
