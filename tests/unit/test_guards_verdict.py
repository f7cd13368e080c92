"""From the guards that fired to the verdict of a question."""

from __future__ import annotations

import itertools

import pytest

from troughline.response.study import verdict_of
from troughline.results import GuardFinding, GuardSeverity, Verdict

NOTE, CAUTION, REFUSAL = GuardSeverity.NOTE, GuardSeverity.CAUTION, GuardSeverity.REFUSAL
ORDER = (Verdict.ANSWERED, Verdict.CAUTION, Verdict.REFUSED)


def fired(*severities: GuardSeverity) -> tuple[GuardFinding, ...]:
    return tuple(
        GuardFinding(id=f"g{i}", severity=s, finding="f", remedy="r") for i, s in enumerate(severities)
    )


@pytest.mark.parametrize(
    ("severities", "verdict"),
    [
        ((), Verdict.ANSWERED),
        ((NOTE, NOTE), Verdict.ANSWERED),
        ((NOTE, CAUTION), Verdict.CAUTION),
        ((CAUTION, REFUSAL, NOTE), Verdict.REFUSED),
    ],
)
def test_the_gravest_guard_decides(severities: tuple[GuardSeverity, ...], verdict: Verdict) -> None:
    assert verdict_of(Verdict.ANSWERED, fired(*severities)) is verdict


@pytest.mark.parametrize(
    "severities", [s for r in range(3) for s in itertools.product(GuardSeverity, repeat=r)]
)
def test_a_verdict_never_improves_and_what_cannot_be_analysed_stays_so(
    severities: tuple[GuardSeverity, ...],
) -> None:
    for before in ORDER:
        assert ORDER.index(verdict_of(before, fired(*severities))) >= ORDER.index(before)
    assert verdict_of(Verdict.NOT_ANALYSABLE, fired(*severities)) is Verdict.NOT_ANALYSABLE


def test_judging_in_two_steps_is_judging_at_once() -> None:
    """The late guards are added to the verdict of the others."""
    for first, second in itertools.product(GuardSeverity, repeat=2):
        stepwise = verdict_of(verdict_of(Verdict.ANSWERED, fired(first)), fired(second))
        assert stepwise is verdict_of(Verdict.ANSWERED, fired(first, second))
