"""Parts of a result that may be missing: an empty list or an empty dict stands for what is not there."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def entries(data: Json, key: str) -> list[Any]:
    """The list under `key`, or an empty list."""
    value = data.get(key)
    return list(value) if value else []


def part(data: Json, key: str) -> Json:
    """The dict under `key`, or an empty dict."""
    value = data.get(key)
    return dict(value) if value else {}
