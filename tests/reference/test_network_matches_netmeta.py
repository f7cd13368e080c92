"""The network estimate agrees with netmeta on the diabetes trials of Senn et al. 2013.

Data: 28 contrasts of 26 trials, one with three arms (doi 10.1177/0962280211432220; `Senn2013` in netmeta),
standard errors with four digits. Expected: what netmeta prints for them (Q and its parts, the common effect
model, DerSimonian–Laird's τ² 0.1087), to the digits printed.
"""

from __future__ import annotations

import numpy as np
import pytest

from troughline.evidence.network import Contrast, fit_network, split_nodes

SENN = """
DeFronzo1995 metf plac -1.90 0.1414
Lewin2007 metf plac -0.82 0.0992
Willms1999 metf acar -0.20 0.3579
Davidson2007 rosi plac -1.34 0.1435
Wolffenbuttel1999 rosi plac -1.10 0.1141
Kipnes2001 piog plac -1.30 0.1268
Kerenyi2004 rosi plac -0.77 0.1078
Hanefeld2004 piog metf 0.16 0.0849
Derosa2004 piog rosi 0.10 0.1831
Baksi2004 rosi plac -1.30 0.1014
Rosenstock2008 rosi plac -1.09 0.2263
Zhu2003 rosi plac -1.50 0.1624
Yang2003 rosi metf -0.14 0.2239
Vongthavaravat2002 rosi sulf -1.20 0.1436
Oyama2008 acar sulf -0.40 0.1549
Costa1997 acar plac -0.80 0.1432
Hermansen2007 sita plac -0.57 0.1291
Garber2008 vild plac -0.70 0.1273
Alex1998 metf sulf -0.37 0.1184
Johnston1994 migl plac -0.74 0.1839
Johnston1998a migl plac -1.41 0.2235
Kim2007 rosi metf 0.00 0.2339
Johnston1998b migl plac -0.68 0.2828
Gonzalez-Ortiz2004 metf plac -0.40 0.4356
Stucci1996 benf plac -0.23 0.3467
Moulin2006 benf plac -1.01 0.1366
Willms1999 metf plac -1.20 0.3758
Willms1999 acar plac -1.00 0.4669
"""


def contrasts(*, three_arms: bool = True) -> list[Contrast]:
    rows = [line.split() for line in SENN.strip().splitlines()]
    return [
        Contrast(
            study=study if three_arms or study != "Willms1999" else f"{study}-{k}",
            treatment=a, reference=b, value=float(d), se=float(se),
        )
        for k, (study, a, b, d, se) in enumerate(rows)
    ]  # fmt: skip


def test_q_and_its_parts_are_those_of_netmeta() -> None:
    # decomp.design: total 96.99 (18), within designs 74.46 (11), between designs 22.53 (7), p 0.0021.
    found = fit_network(contrasts(), random=False)
    assert (found.q_df, found.q_within_df, found.q_between_df) == (18, 11, 7)
    assert [found.q, found.q_within, found.q_between] == pytest.approx([96.99, 74.46, 22.53], abs=5.1e-3)
    assert found.q_between_p == pytest.approx(0.0021, abs=5e-5)


def test_effects_against_placebo_are_those_of_netmeta() -> None:
    # netmeta, common effect model, to four digits.
    expected = {
        "acar": -0.8274, "benf": -0.9052, "metf": -1.1141, "migl": -0.9439, "piog": -1.0664,
        "rosi": -1.2018, "sita": -0.5700, "sulf": -0.4395, "vild": -0.7000,
    }  # fmt: skip
    found = fit_network(contrasts(), random=False)
    for name, value in expected.items():
        assert found.estimate(name, "plac")[0] == pytest.approx(value, abs=5.1e-5)


def test_random_effects_are_those_of_netmeta_by_restricted_likelihood() -> None:
    # netmeta with method.tau = "REML", the three contrasts of Willms 1999 entered as three studies:
    # τ² 0.096, rosiglitazone −1.235 against placebo.
    found = fit_network(contrasts(three_arms=False))
    assert found.tau2 == pytest.approx(0.096, abs=5e-4)
    assert found.estimate("rosi", "plac")[0] == pytest.approx(-1.235, abs=5e-4)


def test_direct_and_indirect_evidence_combine_to_the_network_estimate() -> None:
    """Where no study of the pair has three arms, precision adds up: the network is direct plus indirect."""
    network = fit_network(contrasts(), random=False)
    splits = {(s.treatment, s.reference): s for s in split_nodes(contrasts(), random=False)}
    split = splits["sulf", "rosi"]
    precision = np.array([split.direct_se, split.indirect_se]) ** -2
    value, se = network.estimate("sulf", "rosi")
    assert (precision @ [split.direct, split.indirect]) / precision.sum() == pytest.approx(value, abs=1e-9)
    assert precision.sum() ** -0.5 == pytest.approx(se, abs=1e-9)
    # netsplit: one trial, direct 1.20 with SE 0.1436.
    assert (split.direct, split.direct_se) == pytest.approx((1.20, 0.1436), abs=1e-9)
    assert split.p < 0.001
    assert ("sita", "plac") not in splits
