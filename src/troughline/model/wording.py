"""How a message shows what was written and what was perhaps meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_NEAR = 0.7
"""How alike two names are, on `difflib`'s scale, for one to be a likely slip for the other."""


def shown(value: object) -> str:
    """A value as a message shows it: text quoted, on one line and cut at 40 characters; numbers plain."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, dict):
        return "a table"
    flat = " ".join(str(value).split())
    cut = flat if len(flat) <= 40 else flat[:39] + "…"
    if isinstance(value, (list, tuple)):
        return f"the list {cut}"
    return repr(cut) if isinstance(value, str) else cut


def near(name: str, known: Iterable[str]) -> str | None:
    """The known name most like the one written, whatever its case; None where nothing is near."""
    by_fold = {option.casefold(): option for option in known}
    found = get_close_matches(name.casefold(), by_fold, n=1, cutoff=_NEAR)
    return by_fold[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str], noun: str) -> str:
    """`did you mean 'central'?`, or where nothing is near, `the compartments are: …`."""
    options = list(known)
    meant = near(name, options)
    if meant is not None:
        return f"did you mean {meant!r}?"
    return f"the {noun} are: {', '.join(options)}" if options else f"there are no {noun}"
