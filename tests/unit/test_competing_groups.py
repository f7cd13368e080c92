"""Groups of a survival question compared where other events compete: Gray's test and Fine–Gray."""

from __future__ import annotations

import numpy as np
import pytest

from troughline.response.questions.competing_groups import compare_incidence
from troughline.response.questions.survival_columns import Column
from troughline.survival.fine_gray import fit_fine_gray
from troughline.survival.gray_test import gray_test


def column(n: int = 120, *, entry: bool = False, events: bool = True, groups: int = 2) -> Column:
    """Relapse (1) with death (2) competing; more relapses in the second group."""
    rng = np.random.default_rng(1)
    code = np.arange(n) % groups
    relapse, death = rng.exponential(10 * np.exp(-0.7 * code)), rng.exponential(15, n)
    lost = rng.uniform(2, 25, n)
    time = np.minimum(np.minimum(relapse, death), lost)
    status = np.where(time == lost, 0, np.where((time == relapse) & events, 1, 2))
    return Column(
        patients=tuple(f"P{i}" for i in range(n)),
        time=time,
        status=status.astype(np.int64),
        entry=np.zeros(n) if entry else None,
        group=tuple(f"g{k}" for k in code.tolist()),
        order=tuple(f"g{k}" for k in range(groups)),
        x=None,
        origin="the first dose",
    )


@pytest.mark.parametrize("groups", [2, 3])
def test_gray_and_the_subdistribution_ratio_are_reported_for_the_groups(groups: int) -> None:
    """The numbers of `gray_test` and `fit_fine_gray`, against the column's own reference group."""
    asked = column(groups=groups)
    found = compare_incidence(asked, 0.95, "death")
    assert [e.name for e in found] == ["gray_test", *["subdistribution_hazard_ratio"] * (groups - 1)]
    assert asked.group is not None
    cause = ["event" if k == 1 else "death" if k == 2 else None for k in asked.status.tolist()]
    assert found[0].p_value == gray_test(asked.time, cause, "event", asked.group).p_value
    others = [g for g in asked.order if g != asked.reference]
    x = np.column_stack([[float(g == name) for g in asked.group] for name in others])
    for estimate, term in zip(
        found[1:], fit_fine_gray(asked.time, cause, "event", x, others).terms, strict=True
    ):
        assert (estimate.value, estimate.low, estimate.high) == (term.hazard_ratio, term.low, term.high)
        assert estimate.label == f"{term.name} vs {asked.reference}"
        assert "death competing" in estimate.method


def test_nothing_is_reported_where_neither_method_applies() -> None:
    """Late entry, one group, no event."""
    assert compare_incidence(column(entry=True), 0.95, "death") == []
    assert compare_incidence(column(groups=1), 0.95, "death") == []
    assert compare_incidence(column(events=False), 0.95, "death") == []


def test_a_ratio_without_a_finite_value_is_said_to_have_none() -> None:
    """Every event in one group."""
    asked = column()
    assert asked.group is not None
    status = np.where(np.asarray(asked.group) == "g0", 0, asked.status)
    found = compare_incidence(
        Column(
            patients=asked.patients, time=asked.time, status=status, entry=None, group=asked.group,
            order=asked.order, x=None, origin=asked.origin,
        ),
        0.95,
        "death",
    )  # fmt: skip
    assert found[1].value is None
    assert "no estimate" in found[1].note
