"""Sessions of local therapy: what they kill against the exact run, and what they leave of supply and VEGF."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.mechanism_sample import patients, runner
from troughline.mechanism.exact import exact_course
from troughline.mechanism.heldout import without_limits
from troughline.mechanism.predictions import placebo_arm
from troughline.mechanism.treatment import Arm, DoseLevel, LocalTherapy, Protocol, read_criteria

SESSION, WEEK_LATER = 14.0, 21.0


def session(kind: str) -> Arm:
    """Placebo with one session."""
    return replace(placebo_arm(), local=(LocalTherapy(day=SESSION, kind=kind),))


def quiet(days: float) -> Protocol:
    """Nobody is imaged."""
    return Protocol(visit_days=(), horizon_days=days, criteria=read_criteria())


@pytest.mark.parametrize("kind", ["tace", "ablation"])
def test_a_session_kills_what_the_equations_say(kind: str) -> None:
    """Diameters of what lives a week after a session, at the trial's steps: 1 % of the exact run.

    One step of a day took the rate of killing at its start for the whole of it: an ablation then left a
    hundredth of what the equations leave.
    """
    r, few = runner(), without_limits(patients(3))
    place = r.output_names.index("viable_diameters")
    c = r.run(few, session(kind), quiet(22.0), sample_days=(SESSION, WEEK_LATER), threads=1)
    for i in range(len(few)):
        exact = exact_course(
            r, **few.row(i), doses=[], sample_days=[SESSION, WEEK_LATER],
            sessions=[(SESSION, kind)], tolerance=1e-7,
        )  # fmt: skip
        ours = c.sampled[i, 1, place] / c.sampled[i, 0, place]
        assert ours == pytest.approx(exact[1, place] / exact[0, place], rel=0.01)


def test_the_exact_run_refuses_a_session_without_a_state() -> None:
    """A session is a dose into a state of the mechanism."""
    r, one = runner(), patients(1)
    with pytest.raises(ValueError, match="no state for a session of radiation"):
        exact_course(
            r, **one.row(0), doses=[], sample_days=[2.0], sessions=[(1.0, "radiation")],
        )  # fmt: skip


@pytest.mark.parametrize("kind", ["tace", "ablation"])
def test_what_a_session_leaves_is_not_fed_by_vessels_of_what_it_killed(kind: str) -> None:
    """The vessels of dead tissue go with it: no more of them for what is left than before, at any time.

    With the vessels of the whole tumour for a third of it, what was left grew half as fast again, and in most
    patients its death rate was below 0.
    """
    r, some = runner(), without_limits(patients(60))
    names = [s.name for s in r.mechanism.states]
    days = (SESSION, 15.0, 16.0, 18.0, WEEK_LATER, 28.0, 42.0)
    c = r.run(some, session(kind), quiet(43.0), sample_days=days, keep_states=True, threads=1)
    states = c.sampled[:, :, len(r.output_names) + 1 :]
    viable = sum(states[:, :, names.index(n)] for n in ("sensitive", "tolerant", "resistant"))
    share = states[:, :, names.index("vessels")] / viable
    assert np.all(share[:, 1:] < 1.05 * share[:, :1])
    assert np.all(share < 1.02)


def test_vegf_rises_after_chemoembolisation_and_falls_back() -> None:
    """The sign of the pulse: above the course without a session a week later, near it after six weeks."""
    r, some = runner(), without_limits(patients(60))
    place = r.output_names.index("VEGF")
    days = (SESSION, WEEK_LATER, 56.0)
    treated, control = (
        r.run(some, arm, quiet(57.0), sample_days=days, threads=1).sampled[:, :, place]
        for arm in (session("tace"), placebo_arm())
    )
    ratio = treated / control
    np.testing.assert_allclose(ratio[:, 0], 1.0)
    assert np.all(ratio[:, 1] > 1.02)
    assert np.all(ratio[:, 2] < ratio[:, 1])


def test_what_a_second_drugs_block_adds_to_stress_is_a_parameter() -> None:
    """A block of EGFR counts as stress in the share that `stress_escape` says, one of MEK by `stress_mek`."""
    r, some = runner(), without_limits(patients(20))
    names = [s.name for s in r.mechanism.states]
    place = len(r.output_names) + 1 + names.index("tolerant")

    def tolerant(node: str, **values: float) -> float:
        arm = Arm(name=node, levels=(DoseLevel(dose_mg=0.0, second={node: 0.5}),))
        c = r.run(some, arm, quiet(29.0), values=values, sample_days=(28.0,), keep_states=True, threads=1)
        return float(c.sampled[:, 0, place].mean())

    assert tolerant("egfr") == 0.0
    assert tolerant("egfr", stress_escape=0.5) < tolerant("egfr", stress_escape=1.0)
    assert tolerant("mek", stress_mek=0.0) == 0.0 < tolerant("mek")
