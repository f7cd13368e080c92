"""Trials that no fit has seen: designs, tolerances by size, measures, scatter, sessions on demand."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from tests.unit.mechanism_sample import patients, runner
from troughline.evidence.store import load_publication
from troughline.mechanism.endpoints import TimeToEvent
from troughline.mechanism.parameters import read_sets
from troughline.mechanism.predictions import placebo_arm, scaled
from troughline.mechanism.runner import Courses
from troughline.mechanism.tace_on_demand import OnDemand, sessions_on_demand, untaceable_day
from troughline.mechanism.targets import read_targets
from troughline.mechanism.treatment import LocalTherapy, read_second_drugs, second_drug_sources, six_weekly
from troughline.mechanism.trial_designs import (
    DESIGNS,
    Measure,
    Measured,
    TrialDesign,
    interval_of_size,
    read_designs,
    read_not_predicted,
)
from troughline.mechanism.trial_predictions import Followed, arm_of, measure_of, run_design, scatter
from troughline.response.proportions import wilson


def design(name: str) -> TrialDesign:
    """One of the designs on file."""
    return next(d for d in read_designs() if d.id == name)


def measured(trial: TrialDesign, target: str) -> Measured:
    """One of its targets."""
    return next(m for m in trial.measured if m.target.id == target)


def followed(days: list[float], events: list[bool]) -> Followed:
    """Patients whose every time is the same, none of whom responded."""
    n = len(days)
    times = TimeToEvent(day=np.array(days), event=np.array(events), weight=np.ones(n))
    no = np.zeros(n, dtype=bool)
    return Followed(
        survival=times, progression=times, progression_free=times, duration=times, responded=no,
        controlled=no, reduced=no, repeated=no,
    )  # fmt: skip


# ---- what is on file


def test_every_held_out_target_of_the_facts_is_predicted_or_said_not_to_be() -> None:
    """All nine trials have a design; doxorubicin is refused with its reason."""
    assert {d.study for d in read_designs()} >= {
        "search-2015", "reflect-2018", "calgb-80802-2019", "refametinib", "reiss-2017", "resorce-2017",
        "space-2016", "tactics-2020", "stah-2019",
    }  # fmt: skip
    refused = {(x.study, x.number.id): x.reason for x in read_not_predicted()}
    assert "doxorubicin" in refused["calgb-80802-2019", "survival-combination"]
    assert all(len(reason) > 20 for reason in refused.values())


def test_one_number_of_all_trials_is_calibrated_and_none_enters_the_fit() -> None:
    """SPACE's response to beads with placebo sets kill_tace; nothing here is a target of the fit."""
    all_measured = [m for d in read_designs() for m in d.measured]
    assert [m.target.id for m in all_measured if m.target.use == "calibrated"] == ["space-response-placebo"]
    ids = [m.target.id for m in all_measured]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & {t.id for t in read_targets()}


def test_printed_values_and_sizes_are_those_of_the_evidence_records() -> None:
    """Each value, unit and flag is the record's number; each arm's size the record's arm."""
    for trial in read_designs():
        study = load_publication(trial.study)
        sizes = {a.id: a.n for a in study.arm}
        assert all(a.n == sizes[a.id] for a in trial.arms)
        for m in trial.measured:
            number = study.sourced(m.target.source.split(", ")[1])
            assert (m.target.value, m.target.unit, m.target.verified) == (
                number.value, number.unit, number.verified
            )  # fmt: skip
            assert m.target.low <= m.target.value <= m.target.high


def test_the_tolerance_is_the_printed_interval_where_one_is_printed() -> None:
    """RESORCE (Bruix 2017, Findings): 0.63 (0.50 to 0.79); REFLECT (Kudo 2018): 12.3 (10.4 to 13.9)."""
    hr = measured(design("resorce"), "resorce-os-hr").target
    assert (hr.value, hr.low, hr.high) == (0.63, 0.50, 0.79)
    os = measured(design("reflect"), "reflect-os").target
    assert (os.value, os.low, os.high) == (12.3, 10.4, 13.9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('arm = "sorafenib", number = "survival', 'arm = "none", number = "survival'), "has no arm 'none'"),
        (('measure = "reductions"', 'measure = "smiles"'), "unknown measure 'smiles'"),
        (('id = "reflect-os", measure = "os_median"', 'id = "reflect-os", measure = "os_hr"'),
         "a hazard ratio has a control"),
        (('criterion = "mrecist"', 'criterion = "choi"'), "the criterion of 'reflect' is"),
        (('criterion = "mrecist"', 'criterion = "untaceable"'), "has no on_demand"),
        (('sorafenib = "label" }', 'sorafenib = "twice" }'), "unknown treatment"),
        (('{ id = "sorafenib", sorafenib', '{ id = "nobody", sorafenib'), "no size of an arm 'nobody'"),
        (('number = "pfs-sorafenib"', 'number = "pfs-lost"'), "pfs-lost"),
    ],
)  # fmt: skip
def test_a_faulty_design_is_refused_with_its_fault(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    """One fault in REFLECT's design, one clear line."""
    text = DESIGNS.read_text(encoding="utf-8")
    one = next(part for part in text.split("[[trial]]") if 'id = "reflect"' in part)
    assert change[0] in one
    path = tmp_path / "designs.toml"
    path.write_text("[[trial]]" + one.replace(*change), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_designs(path)


# ---- tolerances and measures


def test_a_proportions_tolerance_is_wilsons() -> None:
    """63 of 153 responses: the interval of `response.proportions`, in %."""
    low, high = interval_of_size(100.0 * 63 / 153, "orr", 153, 0.75)
    expected = wilson(63, 153)
    assert (low, high) == pytest.approx((100.0 * expected.low, 100.0 * expected.high), rel=1e-12)


@pytest.mark.parametrize("measure", ["os_median", "os_hr"])
def test_the_interval_of_a_size_covers_the_truth_in_95_of_100_trials(measure: Measure) -> None:
    """Exponential times, censored at their 75 % quantile; the interval lies around the estimate."""
    rng = np.random.default_rng(5)
    n, inside, tries = 200, 0, 400
    end = np.log(4.0)
    for _ in range(tries):
        t = rng.exponential(1.0, (2, n))
        arms = [followed(list(np.minimum(row, end)), list(row <= end)) for row in t]
        # The truth: a median of log 2, a hazard ratio of 1.
        if measure == "os_median":
            value, truth, patients_in = float(np.median(t[0])), np.log(2.0), n
        else:
            wanted = measured(design("tactics"), "tactics-os-hr")
            value = measure_of({"tace-sorafenib": arms[0], "tace": arms[1]}, wanted)
            truth, patients_in = 1.0, 2 * n
        low, high = interval_of_size(value, measure, patients_in, 0.75)
        inside += low <= truth <= high
    assert 0.92 <= inside / tries <= 0.99


def test_measures_by_hand() -> None:
    """Medians in the target's unit, a share in %, a ratio against its control, and what is not reached."""
    trial = design("tactics")
    arms = {
        "tace": followed([30.0, 60.0, 90.0, 120.0], [True] * 4),
        "tace-sorafenib": followed([60.0, 90.0, 120.0, 150.0], [True, False, False, False]),
    }
    assert measure_of(arms, measured(trial, "tactics-os-tace")) == pytest.approx(60.0 / (365.25 / 12))
    assert np.isnan(measure_of(arms, measured(trial, "tactics-os-sorafenib")))
    assert measure_of(arms, measured(trial, "tactics-os-hr")) < 1.0
    two = replace(arms["tace"], responded=np.array([True, False, False, False]))
    assert measure_of({"tace-placebo": two}, measured(design("space"), "space-response-placebo")) == 25.0


def test_trials_of_a_size_scatter_as_binomial_shares_do() -> None:
    """Half of the virtual patients respond: the SD over trials of 153 is that of a binomial share."""
    trial = design("space")
    arm = followed([1.0] * 400, [True] * 400)
    arms = {"tace-placebo": replace(arm, responded=np.arange(400) % 2 == 0)}
    draws = scatter(arms, trial, measured(trial, "space-response-placebo"), draws=2000, seed=3)
    assert draws.mean() == pytest.approx(50.0, abs=0.5)
    assert draws.std() == pytest.approx(100.0 * np.sqrt(0.25 / 153), rel=0.08)
    again = scatter(arms, trial, measured(trial, "space-response-placebo"), draws=2000, seed=3)
    assert np.array_equal(draws, again)


# ---- arms as the mechanism runs them


def test_arms_are_what_their_words_say() -> None:
    """A reduced start, a second drug without sorafenib, a placebo line, sessions on the trial's days."""
    veterans = design("veterans")
    assert [x.dose_mg for x in arm_of(veterans, veterans.arm("standard")).levels] == [400.0, 400.0, 400.0]
    assert [x.interval_h for x in arm_of(veterans, veterans.arm("reduced")).levels] == [24.0, 48.0]
    alone = arm_of(design("refametinib"), design("refametinib").arm("refametinib"))
    assert all(x.dose_mg == 0.0 and x.second["mek"] > 0.0 for x in alone.levels)
    resorce = design("resorce")
    assert arm_of(resorce, resorce.arm("placebo")).second_line[0].second == {}
    assert arm_of(resorce, resorce.arm("regorafenib")).second_line[0].second["vegfr"] > 0.0
    space = design("space")
    placebo = arm_of(space, space.arm("tace-placebo"))
    assert tuple(s.day for s in placebo.local) == space.tace_days
    assert [x.dose_mg for x in placebo.levels] == [0.0]
    with pytest.raises(ValueError, match="gives 'aspirin'"):
        arm_of(space, replace(space.arm("tace-placebo"), second="aspirin"))


def test_a_second_line_counts_from_its_start_in_the_same_patients_of_both_arms() -> None:
    """RESORCE: who tolerated sorafenib is known before the second line, so both arms are the same people."""
    r, chosen = runner(), read_sets()[0]
    arms = run_design(r, chosen, design("resorce"), n=150, seed=8)
    regorafenib, placebo = arms["regorafenib"], arms["placebo"]
    assert len(regorafenib) == len(placebo) > 20
    first = run_design(r, chosen, replace(design("resorce"), origin="first dose"), n=150, seed=8)["placebo"]
    assert len(first) == 150
    assert placebo.survival.day.min() >= 0.0
    assert np.median(placebo.survival.day) < np.median(first.survival.day)


# ---- sessions on demand


def rule(repeat_above: float, untreatable_above: float = 1e9) -> OnDemand:
    """A rule that the liver never ends."""
    return OnDemand(repeat_above=repeat_above, untreatable_above=untreatable_above, liver_stop=1e9)


def test_sessions_that_are_never_asked_for_are_the_first_alone_and_always_asked_for_are_all() -> None:
    """Never and always are fixed schedules, to the last bit, in the patients' order."""
    r, some = runner(), patients(30)
    protocol = six_weekly(6)
    first = replace(placebo_arm(), local=(LocalTherapy(day=14.0, kind="tace"),))
    values = scaled(r, read_sets()[0], {})
    for repeat_above, days in ((1e9, (14.0,)), (-1.0, (14.0, *protocol.visit_days[:-1]))):
        courses, sessions = sessions_on_demand(r, some, first, protocol, rule(repeat_above), values=values)
        fixed = replace(first, local=tuple(LocalTherapy(day=d, kind="tace") for d in days))
        expected = r.run(
            some, fixed, protocol, values=values, sample_days=(0.0, *protocol.visit_days), threads=1
        )
        alive = expected.death_day > protocol.visit_days[-1]
        assert alive.sum() > 10
        for field in fields(Courses):
            a, b = getattr(courses, field.name), getattr(expected, field.name)
            np.testing.assert_array_equal(a[alive], b[alive], err_msg=field.name)
        assert np.all(sessions[alive] == len(days))
        assert np.all(sessions <= len(days))


def test_a_session_is_repeated_where_enough_lives_and_not_where_it_does_not() -> None:
    """Half of what a session leaves decides: a rate that kills nearly all asks for fewer sessions."""
    r, some = runner(), patients(40)
    protocol = six_weekly(9)
    first = replace(placebo_arm(), local=(LocalTherapy(day=14.0, kind="tace"),))
    counts = []
    for kill in (0.1, 0.741, 5.0):
        values = {**scaled(r, read_sets()[0], {}), "kill_tace": kill}
        counts.append(sessions_on_demand(r, some, first, protocol, rule(0.5), values=values)[1].mean())
    assert counts[0] > counts[1] > counts[2] >= 1.0


def test_untreatable_progression_is_the_first_image_that_shows_it() -> None:
    """Diameters 12 % above the start make a product 25 % above it; else censored at the last image seen."""
    r, some = runner(), patients(3)
    protocol = six_weekly(6)
    courses = r.run(some, placebo_arm(), protocol, sample_days=(0.0, *protocol.visit_days), threads=1)
    place = r.output_names.index("viable_diameters")
    liver = r.output_names.index("liver_score")
    courses.sampled[:, :, liver] = 0.0
    courses.sampled[:, :, place] = 100.0
    courses.sampled[0, 2:, place] = 112.0
    courses.sampled[1, 3:, place] = np.nan
    courses.sampled[2, 1, liver] = 3.0
    once = OnDemand(repeat_above=0.5, untreatable_above=1.25, liver_stop=2.0)
    times = untaceable_day(r, courses, protocol, once)
    assert times.day.tolist() == [84.0, 84.0, 42.0]
    assert times.event.tolist() == [True, False, True]


# ---- second drugs


def test_every_second_drug_says_where_its_block_and_its_toxicity_come_from() -> None:
    """Measured, calibrated or assumed; SEARCH counted tolerability, so erlotinib's toxicity is not 0."""
    drugs, sources = read_second_drugs(), second_drug_sources()
    assert set(drugs) == set(sources)
    assert all(drugs[name]["toxicity"] > 0.0 for name in drugs)
    erlotinib = sources["erlotinib"]
    assert erlotinib.toxicity_status == "calibrated"
    assert "10.1200/JCO.2013.53.7746" in erlotinib.toxicity_source
    assert erlotinib.words.startswith("block assumed; toxicity calibrated, set so that")
    assert sources["everolimus"].words == "block and toxicity assumed"


def test_a_second_drug_of_unknown_status_is_refused(tmp_path: Path) -> None:
    """A status that is none of the three is named."""
    path = tmp_path / "drugs.toml"
    path.write_text(
        '[[drug]]\nid = "x"\nsecond = { mek = 0.5 }\nsource = "a"\nstatus = "guessed"\n'
        'toxicity_source = "b"\ntoxicity_status = "assumed"\n',
        encoding="utf-8",
    )
    with pytest.raises(ValueError, match="'x' has the unknown status 'guessed'"):
        second_drug_sources(path)
