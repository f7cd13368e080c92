"""Operating characteristics of interaction: type I error of its tests, coverage of its intervals.

Two arms of equal chance, a log-normal marker that is prognostic, a treatment that works alike (or not) over
it, uniform censoring. `python -m benchmarks.interaction_operating_characteristics [--sets 2000]` prints one
row an analysis: how often no interaction was found significant at 0.05, and how often the 95 % interval held
the truth. Every set has its own generator, keyed by (seed, set), so the order does not matter.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.absolute_interaction import restricted_mean_interaction, risk_interaction
from troughline.biomarker.endpoint import Endpoint, EndpointError
from troughline.biomarker.fractional_polynomials import polynomial_interaction
from troughline.biomarker.largest_score import largest_score
from troughline.biomarker.polynomial_selection import Flexibility
from troughline.biomarker.stepp import stepp
from troughline.biomarker.treatment_by_marker import treatment_by_marker

SEED = 20110901
LOW, HIGH, LEAST_COVERAGE = 0.035, 0.065, 0.93
TREATMENT, PROGNOSTIC, INTERACTION = math.log(0.7), 0.3, -0.4
BASE, TAU = 1.0, 1.0
DRAWS = 100
FLEXIBILITIES: tuple[Flexibility, ...] = (1, 2, 3, 4)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Drawn:
    """One simulated trial: `endpoint`, `treated` (n,), `marker` (n,) in doublings, and the generator."""

    endpoint: Endpoint
    treated: NDArray[np.bool_]
    marker: Floats
    rng: np.random.Generator


def draw(kind: str, n: int, interaction: float, seed: tuple[int, ...]) -> Drawn:
    """A trial of `n` patients with that `interaction` per doubling on the scale of the linear predictor."""
    rng = np.random.default_rng(seed)
    treated = np.asarray(rng.permutation(np.arange(n)) % 2 == 0, dtype=np.bool_)
    marker = rng.standard_normal(n)
    eta = treated * (TREATMENT + interaction * marker) + PROGNOSTIC * marker
    if kind == "survival":
        time = rng.exponential(1 / (BASE * np.exp(eta)))
        end = rng.uniform(0.5, 3.0, n)
        endpoint = Endpoint(kind="survival", time=np.minimum(time, end), event=time <= end)
    elif kind == "binary":
        endpoint = Endpoint(kind="binary", event=rng.random(n) < 1 / (1 + np.exp(-eta)))
    else:
        endpoint = Endpoint(kind="continuous", value=eta + rng.standard_normal(n))
    return Drawn(endpoint, treated, marker, rng)


Outcome = tuple[float, bool | None]
"""p of no interaction, and whether the interval held the truth (None where there is no interval)."""
Analysis = Callable[[Drawn, float], Outcome]


def relative(drawn: Drawn, truth: float) -> Outcome:
    """The regression with treatment × marker."""
    found = treatment_by_marker(drawn.endpoint, drawn.treated, drawn.marker, ("marker",)).interaction[0]
    return found.p_value, found.low <= truth <= found.high


def absolute(drawn: Drawn, truth: float) -> Outcome:
    """The interaction in restricted mean time or risk; the truth there is 0 under the null alone.

    With equal arms (no treatment effect at all) a prognostic marker has no absolute interaction either.
    """
    if drawn.endpoint.kind == "survival":
        found = restricted_mean_interaction(drawn.endpoint, drawn.treated, drawn.marker, tau=TAU)[0]
    else:
        found = risk_interaction(drawn.endpoint, drawn.treated, drawn.marker)[0]
    return found.p_value, found.low <= truth <= found.high


def polynomial(flexibility: Flexibility) -> Analysis:
    """MFPI on the marker itself, which is log-normal; 100 draws where the powers are chosen for it."""

    def analysis(drawn: Drawn, truth: float) -> Outcome:
        found = polynomial_interaction(
            drawn.endpoint, drawn.treated, np.exp2(drawn.marker), rng=drawn.rng, draws=DRAWS,
            flexibility=flexibility,
        )  # fmt: skip
        return found.p_value, None

    return analysis


def windows(drawn: Drawn, truth: float) -> Outcome:
    """STEPP with 100 draws; whether the band held the treatment effect in every window."""
    found = stepp(drawn.endpoint, drawn.treated, drawn.marker, rng=drawn.rng, draws=DRAWS)
    held = None
    if drawn.endpoint.kind in ("continuous", "survival"):
        held = bool(np.all((found.band_low <= TREATMENT) & (found.band_high >= TREATMENT)))
    return found.p_value, held


def searched(drawn: Drawn, truth: float) -> Outcome:
    """The best of all cuts between the 10th and the 90th percentile, corrected for the search."""
    inner = np.quantile(drawn.marker, (0.1, 0.9))
    cuts = np.sort(drawn.marker[(drawn.marker > inner[0]) & (drawn.marker <= inner[1])])
    cuts = cuts[np.unique(np.linspace(0, cuts.size - 1, 40).round().astype(int))]
    found = largest_score(
        drawn.endpoint, drawn.treated, drawn.marker, drawn.marker[:, np.newaxis] >= cuts, rng=drawn.rng,
        draws=DRAWS,
    )  # fmt: skip
    return found.p_value, None


def row(
    name: str, kind: str, n: int, sets: int, analysis: Analysis, interaction: float
) -> tuple[str, int, int, float, float, float]:
    """Name, patients, sets that had an answer, share significant, coverage, standard error of the share."""
    p: list[float] = []
    held: list[bool] = []
    truth = interaction if analysis is relative else 0.0
    for k in range(sets):
        try:
            value, inside = analysis(draw(kind, n, interaction, (SEED, n, k)), truth)
        except (EndpointError, ValueError):
            continue
        p.append(value)
        if inside is not None:
            held.append(inside)
    share = float(np.mean(np.array(p) < 0.05))
    coverage = float(np.mean(held)) if held else math.nan
    return name, n, len(p), share, coverage, math.sqrt(share * (1 - share) / max(len(p), 1))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--sets", type=int, default=2000)
    parser.add_argument("--only", default="")
    chosen = parser.parse_args()
    plan: list[tuple[str, str, int, Analysis, float]] = []
    for n in (100, 200, 600):
        plan += [(f"Cox, n = {n}", "survival", n, relative, 0.0)]
        plan += [(f"Cox, interaction, n = {n}", "survival", n, relative, INTERACTION)]
    for n in (100, 200):
        plan += [
            (f"logistic, n = {n}", "binary", n, relative, 0.0),
            (f"linear, n = {n}", "continuous", n, relative, 0.0),
            (f"restricted mean, n = {n}", "survival", n, absolute, 0.0),
            (f"risk difference, n = {n}", "binary", n, absolute, 0.0),
            (f"searched cut, n = {n}", "survival", n, searched, 0.0),
        ]
        for f in FLEXIBILITIES:
            plan += [(f"polynomial {f}, n = {n}", "survival", n, polynomial(f), 0.0)]
            plan += [(f"polynomial {f}, mean, n = {n}", "continuous", n, polynomial(f), 0.0)]
    for n in (100, 200, 400):
        plan += [
            (f"STEPP hazard ratio, n = {n}", "survival", n, windows, 0.0),
            (f"STEPP mean, n = {n}", "continuous", n, windows, 0.0),
            (f"STEPP risk difference, n = {n}", "binary", n, windows, 0.0),
        ]
    for name, analysis in (("STEPP", windows), *((f"polynomial {f}", polynomial(f)) for f in FLEXIBILITIES)):
        plan += [(f"{name}, interaction, n = 200", "survival", 200, analysis, INTERACTION)]
    print(f"{'analysis':34} {'n':>4} {'sets':>6} {'p < 0.05':>9} {'coverage':>9}")
    for name, kind, n, analysis, interaction in plan:
        if chosen.only and chosen.only not in name:
            continue
        _, _, answered, share, coverage, _ = row(name, kind, n, chosen.sets, analysis, interaction)
        flags: list[str] = []
        if interaction == 0 and not LOW <= share <= HIGH:
            flags.append("type I error")
        if coverage < LEAST_COVERAGE:
            flags.append("coverage")
        shown = "" if math.isnan(coverage) else f"{100 * coverage:8.1f} %"
        print(
            f"{name:34} {n:4d} {answered:6d} {100 * share:7.1f} % {shown:>9} {', '.join(flags)}", flush=True
        )


if __name__ == "__main__":
    main()
