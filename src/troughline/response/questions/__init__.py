"""One module a question kind: each answers a question as published and guarded, and hands over its case."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from troughline.cohort.cohort import Cohort
    from troughline.evidence.records import Drug
    from troughline.response.case import Case
    from troughline.response.questions.parts import Parts

    Runner = Callable[[Cohort, Any, Drug | None], tuple[Case, Parts]]


def runner_for(kind: str) -> Runner:
    """The function that answers questions of this kind. Raises `ValueError` for an unknown kind."""
    if kind == "threshold":
        from troughline.response.questions.threshold import run_threshold

        return run_threshold
    if kind == "curve":
        from troughline.response.questions.curve import run_curve

        return run_curve
    if kind == "window":
        from troughline.response.questions.window import run_window

        return run_window
    if kind == "survival":
        from troughline.response.questions.survival import run_survival

        return run_survival
    if kind == "association":
        from troughline.biomarker.association import run_association

        return run_association
    if kind == "interaction":
        from troughline.biomarker.interaction import run_interaction

        return run_interaction
    if kind == "change":
        from troughline.biomarker.change import run_change

        return run_change
    from troughline.response.guards.registry import QUESTION_KINDS

    raise ValueError(f"no question kind {kind!r}; known: {', '.join(QUESTION_KINDS)}")
