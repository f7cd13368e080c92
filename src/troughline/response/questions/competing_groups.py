"""Groups compared on the incidence of an event that others compete with: Gray's test and Fine–Gray."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troughline.response.guards.wording import degrees
from troughline.response.questions.parts import finite
from troughline.results import Estimate

if TYPE_CHECKING:
    from troughline.response.questions.survival_columns import Column


def compare_incidence(column: Column, level: float, rivals: str) -> list[Estimate]:
    """Gray's test and the subdistribution hazard ratio of each group against the reference.

    Empty without two groups or an event, and where patients enter late (neither method allows for it). The
    Cox hazard ratio of the same groups, with the rivals censored, is the cause-specific one.
    """
    import numpy as np

    from troughline.survival.cox import CoxFitError
    from troughline.survival.fine_gray import fit_fine_gray
    from troughline.survival.gray_test import gray_test

    if column.group is None or len(column.order) < 2 or column.entry is not None:
        return []
    if len(set(column.group)) < 2 or not column.event.any():
        return []
    cause = [{0: None, 1: "event", 2: "competing"}[int(k)] for k in column.status]
    n, origin = len(column.patients), f"from {column.origin}, {rivals} competing"
    test = gray_test(column.time, cause, "event", column.group, order=column.order)
    found = [
        Estimate(
            name="gray_test", value=finite(test.statistic), level=None, n=n, p_value=finite(test.p_value),
            method=f"guarded: Gray {origin}", note=degrees(test.degrees_of_freedom),
        )
    ]  # fmt: skip
    others = [g for g in column.order if g != column.reference and g in column.group]
    labels = [f"{g} vs {column.reference}" for g in others]
    x = np.column_stack([[float(g == name) for g in column.group] for name in others])
    method, note = f"guarded: Fine–Gray {origin}", f"{int(column.event.sum())} events"
    try:
        terms = fit_fine_gray(column.time, cause, "event", x, labels, level=level).terms
    except CoxFitError as error:
        return found + [
            Estimate(
                name="subdistribution_hazard_ratio", value=None, level=level, n=n, label=label, method=method,
                note=f"no estimate: {error}",
            )
            for label in labels
        ]  # fmt: skip
    return found + [
        Estimate(
            name="subdistribution_hazard_ratio", value=finite(t.hazard_ratio), low=finite(t.low),
            high=finite(t.high), level=level, n=n, label=t.name, method=method, p_value=finite(t.p_value),
            note=note,
        )
        for t in terms
    ]  # fmt: skip
