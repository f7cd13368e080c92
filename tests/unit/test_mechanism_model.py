"""The mechanism's file and the code made from it: at rest nothing moves, mass is kept, signs are right."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.mechanism_sample import runner
from troughline.mechanism.compose import compose
from troughline.mechanism.parameters import read_potency, read_sets
from troughline.mechanism.runner import MECHANISM
from troughline.mechanism.source import write_module
from troughline.model.library import model_path
from troughline.model.model import load_model
from troughline.model.read import read_model

Floats = NDArray[np.float64]


class Typical:
    """The typical patient's rates and outputs in plain Python; covariates and states may be set by name."""

    def __init__(self, **covariates: float) -> None:
        r = runner("python")
        self.spec, self.module, self.layout = r.mechanism, r.module, r.layout
        self.theta = r.theta()
        self.cov = np.array([c.default or 0.0 for c in self.spec.covariates])
        names = [c.name for c in self.spec.covariates]
        for name, value in covariates.items():
            self.cov[names.index(name)] = value
        self.eta = np.zeros(len(self.spec.subject_effects))
        self.personal = np.zeros(self.layout.n_personal)
        self.module.personal_values(self.theta, self.cov, self.eta, self.personal)
        self.x = np.zeros(self.layout.n_states)
        self.module.start(self.theta, self.cov, self.eta, self.personal, self.x)
        self.index = {s.name: i for i, s in enumerate(self.spec.states)}

    def rates(self) -> dict[str, float]:
        """dx/dt by state, 1/day."""
        f, d = np.zeros(len(self.x)), np.zeros(len(self.x))
        self.module.rates(self.theta, self.cov, self.eta, self.personal, self.x, f, d)
        return {name: 24.0 * float(f[i]) for name, i in self.index.items()}

    def outputs(self) -> dict[str, float]:
        """The outputs by name."""
        y = np.zeros(len(self.layout.outputs))
        self.module.observe(self.theta, self.cov, self.eta, self.personal, self.x, y)
        return dict(zip(self.layout.outputs, (float(v) for v in y), strict=True))

    def parameter(self, name: str) -> float:
        """A typical value as the file writes it."""
        return next(p.value_as_written for p in self.spec.parameters if p.name == name)


def test_the_file_has_no_finding() -> None:
    """The mechanism reads without a finding: that the drug's doses enter another model, it says itself."""
    _, found = read_model(MECHANISM.read_text(encoding="utf-8"), file=MECHANISM.name)
    assert [f.line() for f in found.items] == []


def test_every_parameter_names_a_source_that_the_file_has() -> None:
    """A value is from a source, calibrated, or said to be assumed."""
    spec = load_model(MECHANISM).spec
    assert {p.source for p in spec.parameters} <= set(spec.sources)
    verified = [p.name for p in spec.parameters if p.verified]
    assert all(spec.sources[p.source].id != "assumed" for p in spec.parameters if p.verified)
    # death_child_pugh is none of them: its two medians are verified, their use as a log hazard is assumed.
    assert len(verified) >= 11


def test_the_file_holds_the_best_set() -> None:
    """Typical values and variances of the file are the first set's of calibrated.toml, to four digits."""
    best, spec = read_sets(reading="Kd")[0], load_model(MECHANISM).spec
    written = {p.name: p.value_as_written for p in spec.parameters}
    for name, value in best.values.items():
        if name not in read_potency()["Kd"]:
            assert written[name] == pytest.approx(value, rel=5e-4), name
    variances = dict(zip(spec.subject_effects, np.diag(spec.covariance("subject")), strict=True))
    for name, sd in best.sd.items():
        assert variances[name] == pytest.approx(sd * sd, rel=5e-4), name


def test_without_a_drug_the_signals_stand_still_and_the_tumour_doubles_in_its_time() -> None:
    """At the start every signal is 1 and at rest, and the whole tumour grows by log 2 per doubling time."""
    one = Typical()
    rates, seen = one.rates(), one.outputs()
    for name in (
        "feedback_erk",
        "s6k",
        "akt_adapted",
        "stat_adapted",
        "hif1",
        "hif2",
        "egfr",
        "emt",
        "toxicity",
    ):
        assert rates[name] == pytest.approx(0.0, abs=1e-12)
    for name in ("erk_activity", "akt_activity", "stat3_activity"):
        assert seen[name] == pytest.approx(1.0, abs=1e-12)
    growth = sum(rates[s] for s in ("sensitive", "tolerant", "resistant", "necrosis"))
    total = sum(one.x[one.index[s]] for s in ("sensitive", "tolerant", "resistant", "necrosis"))
    assert total == pytest.approx(1.0)
    assert growth == pytest.approx(math.log(2.0) / one.parameter("doubling"), rel=1e-9)


def test_local_therapy_moves_mass_and_makes_none() -> None:
    """A session takes from the living exactly what it adds to necrosis."""
    before, after = Typical(), Typical()
    after.x[after.index["ablation"]] = 1.0
    a, b = before.rates(), after.rates()
    moved = {s: b[s] - a[s] for s in ("sensitive", "tolerant", "resistant", "necrosis")}
    assert moved["sensitive"] < 0.0
    assert sum(moved.values()) == pytest.approx(0.0, abs=1e-12)


def test_switching_between_kinds_of_cells_keeps_their_sum() -> None:
    """Tolerance and resistance move cells; with equal growth and death the sum does not notice."""
    one = Typical(sorafenib=5.0)
    rates = one.rates()
    assert rates["tolerant"] > 0.0
    shift = Typical(sorafenib=5.0)
    index = [p.name for p in shift.spec.parameters].index("half_tolerance")
    shift.theta[index] *= 1e9
    shift.module.personal_values(shift.theta, shift.cov, shift.eta, shift.personal)
    other = shift.rates()
    cells = ("sensitive", "tolerant", "resistant", "necrosis")
    assert sum(rates[c] for c in cells) == pytest.approx(sum(other[c] for c in cells), rel=1e-9)
    assert rates["sensitive"] < other["sensitive"]


@pytest.mark.parametrize("level", [0.5, 2.0, 8.0])
def test_the_drug_pushes_every_marker_its_way(level: float) -> None:
    """On sorafenib VEGF rises, sVEGFR2, sKIT and sFas fall, TNF-alpha rises (Llovet 2012, Nagai 2014)."""
    rates = Typical(sorafenib=level).rates()
    assert rates["r_VEGF"] > 0.0
    assert rates["r_TNF"] > 0.0
    for name in ("r_VEGFR2", "r_KIT", "r_sFas"):
        assert rates[name] < 0.0


def test_a_blocked_node_silences_what_is_below_it() -> None:
    """A MEK inhibitor takes its fraction of ERK's activity; an AKT inhibitor of AKT's; each other is kept."""
    mek, akt = Typical(second_mek=0.81).outputs(), Typical(second_akt=0.5).outputs()
    assert mek["erk_activity"] == pytest.approx(0.19, rel=1e-9)
    assert akt["akt_activity"] == pytest.approx(0.5, rel=1e-9)
    assert akt["erk_activity"] == pytest.approx(1.0)


def test_low_occupancy_of_raf_activates_erk_where_the_term_is_strong() -> None:
    """The paradoxical term: with it large, little drug raises ERK and much lowers it; at 0 it never rises."""

    def erk(level: float, paradox: float) -> float:
        one = Typical(sorafenib=level)
        one.theta[[p.name for p in one.spec.parameters].index("paradox")] = paradox
        one.module.personal_values(one.theta, one.cov, one.eta, one.personal)
        return one.outputs()["erk_activity"]

    assert erk(0.5, 3.0) > 1.0 > erk(100.0, 3.0)
    assert erk(0.5, 0.0) < 1.0


def test_the_joined_file_is_a_model_file() -> None:
    """Mechanism and kinetics as one file: no finding, all states, the covariate gone."""
    kinetics = model_path("sorafenib/hcc").read_text(encoding="utf-8")
    spec, found = read_model(compose(MECHANISM.read_text(encoding="utf-8"), kinetics), file="joined.toml")
    assert spec is not None, [str(f) for f in found.items]
    assert not found.errors
    assert len(spec.states) == len(load_model(MECHANISM).spec.states) + 7
    assert "sorafenib" not in {c.name for c in spec.covariates}


def test_joining_refuses_what_does_not_fit() -> None:
    """A covariate that is not there, a name used twice."""
    text, kinetics = MECHANISM.read_text(encoding="utf-8"), model_path("sorafenib/hcc").read_text("utf-8")
    with pytest.raises(ValueError, match="no covariate 'aspirin'"):
        compose(text, kinetics, covariate="aspirin")
    with pytest.raises(ValueError, match="both models use the name vessels"):
        compose(text, kinetics.replace("gallbladder", "vessels"))


def test_a_file_that_cannot_run_a_trial_is_refused() -> None:
    """A model without the loop's inputs is named with what it lacks; so are kinetics that are not linear."""
    r = runner()
    with pytest.raises(ValueError, match="no covariate sorafenib"):
        write_module(r.kinetics, r.kinetics, "cpu")
    jain = load_model("sorafenib/jain-2011").spec  # its gate rises smoothly: rates that vary in time
    with pytest.raises(ValueError, match="not linear between doses"):
        write_module(r.mechanism, jain, "cpu")
