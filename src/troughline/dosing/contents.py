"""What `result.json` holds: the answer as plain values, from which the report is drawn."""

from __future__ import annotations

from typing import Any

from troughline.dosing.result import DoseResult
from troughline.results import plain


def contents_of(result: DoseResult) -> dict[str, Any]:
    """The plain contents of an answer; `findings` become `issues`.

    Not-a-number and infinity become null: a time to steady levels that is not reached, a limit that is
    open.
    """
    from dataclasses import fields

    made = {f.name: getattr(result, f.name) for f in fields(result) if f.name != "findings"}
    order = [name for name in made if name != "provenance"]
    contents: dict[str, Any] = {name: plain(made[name]) for name in order}
    contents["issues"] = [f.as_dict() for f in result.findings]
    contents["provenance"] = plain(result.provenance)
    return contents
