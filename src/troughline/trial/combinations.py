"""Second drugs added to sorafenib, alone and in pairs: ranked by survival, with toxicity and synergy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.mechanism.predictions import scaled
from troughline.mechanism.treatment import Arm, DoseLevel, Protocol, sorafenib_levels
from troughline.progress import Progress, silent
from troughline.trial.assumed import movable, status_of, with_factors
from troughline.trial.cells import patients_of, the_runner
from troughline.trial.gather import middle
from troughline.trial.synergy import bliss_excess, dose_for, loewe_index
from troughline.trial.treatments import REDUCED_SECOND, at_dose, together

if TYPE_CHECKING:
    from troughline.mechanism.population import Patients
    from troughline.trial.setup import Setup

Floats = NDArray[np.float64]
Effects = Mapping[str, float]
Doses = tuple[tuple[str, float], ...]
SORAFENIB = "sorafenib"
SIGNAL_DAY = 28.0
LOEWE_DOSES = (0.25, 0.5, 1.0, 2.0, 4.0)
SPREAD = 0.5
"""SD of the logarithm of a second drug's odds of block, and of its toxicity, in draws for robustness."""
MECHANISM_SPREAD = 0.2
"""The same of every assumed parameter of the mechanism."""
DEFINITION = (
    "Signal: what is left of the mean of phosphorylated ERK and AKT on day 28 against the control, in "
    "patients of whom none stops; benefit and toxicity: the whole course, with holds, reductions and stops.",
    "Bliss: log of the combination's ratio to the control minus the sum of the logs of each alone; of the "
    "signal left, and of the hazard ratio of death. Below 0: more than independent action.",
    "Loewe: d_A/D_A + d_B/D_B with D the dose of one alone (up to "
    f"{LOEWE_DOSES[-1]:g} times the usual one) that has the pair's effect, the share of the signal "
    "blocked or 1 − hazard ratio of death; below 1: more than additive doses; empty where one alone never "
    "has it, as where each blocks a pathway that the other leaves open.",
    "One second drug is held against sorafenib, and its synergy is that with sorafenib over no treatment; "
    "two second drugs are held against sorafenib, and their synergy is that of the two on sorafenib.",
    "Intervals: over the parameter sets and the draws, in the same patients. A draw moves the second drugs' "
    f"block (its odds) and toxicity (SD of the logarithm {SPREAD:g}) and every assumed parameter of the "
    f"mechanism (SD {MECHANISM_SPREAD:g}), which is not fitted again. Robust: the share of draws with the "
    "sign of the median log hazard ratio.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Of an arm in one scenario: day and event of death and progression, % stopped by toxicity, signal."""

    os: tuple[Floats, NDArray[np.bool_]]
    ttp: tuple[Floats, NDArray[np.bool_]]
    toxic: float
    signal: float


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A parameter set with what the second drugs do, and factors on assumed parameters; `drawn`: whether
    these were drawn.
    """

    place: int
    drugs: Mapping[str, Effects]
    factors: Mapping[str, float]
    drawn: bool


def scenarios_of(setup: Setup) -> list[Scenario]:
    """Every set with the drugs as given, then draws of the drugs with the sets in turn."""
    asked = setup.file.combinations
    assert asked is not None
    names = list(dict.fromkeys(asked.drugs))
    given = {name: setup.drugs[name] for name in names}
    made = [Scenario(place=k, drugs=given, factors={}, drawn=False) for k in range(len(setup.sets))]
    known = movable(the_runner(setup.file.population.clearance).mechanism)
    free = [name for name, p in known.items() if status_of(p) == "assumed"]
    rng = np.random.default_rng([setup.file.trial.seed, 7])
    for d in range(asked.draws):
        drugs: dict[str, Effects] = {}
        for name in names:
            block, toxic = np.exp(SPREAD * rng.standard_normal(2))
            moved = at_dose(given[name], float(block))
            moved["toxicity"] = min(given[name].get("toxicity", 0.0) * float(toxic), 20.0)
            drugs[name] = moved
        factors = dict(zip(free, np.exp(MECHANISM_SPREAD * rng.standard_normal(len(free))), strict=True))
        made.append(Scenario(place=d % len(setup.sets), drugs=drugs, factors=factors, drawn=True))
    return made


def treatment(doses: Doses, drugs: Mapping[str, Effects]) -> Arm:
    """An arm of sorafenib and second drugs, each a multiple of the label's or its usual dose."""
    amounts = dict(doses)
    part = amounts.pop(SORAFENIB, 0.0)
    base = sorafenib_levels()
    levels = [
        DoseLevel(
            dose_mg=part * level.dose_mg,
            interval_h=level.interval_h,
            second=_capped(together([at_dose(drugs[n], d * left) for n, d in amounts.items()])),
        )
        for level, left in zip(base, REDUCED_SECOND, strict=True)
    ]
    return Arm(name="+".join(n for n, _ in doses) or "none", levels=levels if doses else levels[:1])


def _capped(effects: Effects) -> dict[str, float]:
    """Toxicity up to the most that the mechanism takes."""
    return {node: min(f, 20.0) if node == "toxicity" else f for node, f in effects.items()}


def rank(
    setup: Setup,
    scales: Sequence[Mapping[str, float]],
    *,
    workers: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Every drug and dose, and every pair, ranked by the median hazard ratio of death against sorafenib.

    The numbers do not depend on `workers`.
    """
    asked = setup.file.combinations
    assert asked is not None
    names = list(dict.fromkeys(asked.drugs))
    alone: list[Doses] = [((n, d),) for n in names for d in asked.doses]
    both: list[Doses] = (
        [((a, x), (b, y)) for a, b in combinations(names, 2) for x, y in product(asked.doses, repeat=2)]
        if asked.pairs
        else []
    )
    with_sorafenib = [((SORAFENIB, 1.0), *c) for c in (*alone, *both)]
    curves: list[Doses] = [((n, d),) for n in (SORAFENIB, *names) for d in LOEWE_DOSES]
    on_top: list[Doses] = [((SORAFENIB, 1.0), (n, d)) for n in names for d in LOEWE_DOSES] if both else []
    scenarios = scenarios_of(setup)
    whole = list(dict.fromkeys([(), ((SORAFENIB, 1.0),), *alone, *with_sorafenib]))
    jobs = [(s, arm) for s in range(len(scenarios)) for arm in whole]
    extra = [a for a in dict.fromkeys([*curves, *on_top]) if a not in set(whole)]
    jobs += [(s, arm) for s in range(len(scenarios)) if not scenarios[s].drawn for arm in extra]
    people = {
        k: patients_of(
            setup.population, chosen, clearance=setup.file.population.clearance, n=asked.n,
            seed=setup.file.trial.seed,
            values=scaled(the_runner(setup.file.population.clearance), chosen, scales[k]),
        )
        for k, chosen in enumerate(setup.sets)
    }  # fmt: skip
    done = 0
    seen: dict[tuple[int, Doses], Seen] = {}

    def one(job: tuple[int, Doses]) -> Seen:
        s, doses = job
        return _run(setup, scales, people, scenarios[s], doses)

    with ThreadPoolExecutor(workers) as pool:
        for job, found in zip(jobs, pool.map(one, jobs), strict=True):
            seen[job] = found
            done += 1
            progress("combinations", done, len(jobs))
    rows = [_row(setup, scenarios, seen, arm[1:]) for arm in with_sorafenib]
    _rank(rows)
    level = setup.file.trial.level
    ordered = sorted(rows, key=lambda row: row["rank"])
    return {
        "definition": list(DEFINITION),
        "control": SORAFENIB,
        "level": level,
        "patients": asked.n,
        "scenarios": len(scenarios),
        "rows": [{k: v for k, v in row.items() if k != "log_hr"} for row in ordered],
    }


def _run(
    setup: Setup,
    scales: Sequence[Mapping[str, float]],
    people: Mapping[int, Patients],
    scenario: Scenario,
    doses: Doses,
) -> Seen:
    """One arm in one scenario."""
    from troughline.mechanism.heldout import without_limits

    runner = the_runner(setup.file.population.clearance)
    values = scaled(runner, setup.sets[scenario.place], scales[scenario.place])
    values = with_factors(runner.mechanism, values, scenario.factors)
    patients, arm = people[scenario.place], treatment(doses, scenario.drugs)
    short = Protocol(
        visit_days=(), horizon_days=SIGNAL_DAY + 2.0, criteria=setup.protocol.criteria,
        step_days=setup.protocol.step_days,
    )  # fmt: skip
    held = runner.run(
        without_limits(patients), arm, short, values=values, sample_days=(SIGNAL_DAY,), threads=1
    )
    places = [runner.output_names.index(n) for n in ("erk_activity", "akt_activity")]
    signal = float(np.nanmean(held.sampled[:, 0, places]))
    courses = runner.run(patients, arm, setup.protocol, values=values, threads=1)
    return Seen(
        os=(courses.death_day, courses.died),
        ttp=(courses.progression_day, courses.progressed),
        toxic=100.0 * np.count_nonzero(courses.stop_why == 1) / len(patients),
        signal=signal,
    )


def _log_hr(arm: Seen, control: Seen, endpoint: str) -> float:
    from troughline.mechanism.endpoints import TimeToEvent, log_hazard_ratio

    def times(one: Seen) -> TimeToEvent:
        day, event = getattr(one, endpoint)
        return TimeToEvent(day=day, event=event, weight=np.ones(len(day)))

    try:
        return log_hazard_ratio(times(arm), times(control))[0]
    except ValueError:
        return math.nan


def _row(
    setup: Setup, scenarios: Sequence[Scenario], seen: Mapping[tuple[int, Doses], Seen], doses: Doses
) -> dict[str, Any]:
    """A combination beside sorafenib, over all scenarios."""
    level = setup.file.trial.level
    pair = len(doses) == 2
    sorafenib: Doses = ((SORAFENIB, 1.0),)
    base: Doses = sorafenib if pair else ()
    a: Doses = ((SORAFENIB, 1.0), doses[0]) if pair else sorafenib
    b: Doses = ((SORAFENIB, 1.0), doses[1]) if pair else doses
    found: dict[str, list[float]] = {k: [] for k in ("os", "ttp", "toxic", "signal", "bliss", "bliss_os")}
    loewe: dict[str, list[float]] = {"signal": [], "survival": []}
    for s, scenario in enumerate(scenarios):
        whole, control = seen[s, (*sorafenib, *doses)], seen[s, sorafenib]
        one, two, none = seen[s, a], seen[s, b], seen[s, base]
        found["os"].append(_log_hr(whole, control, "os"))
        found["ttp"].append(_log_hr(whole, control, "ttp"))
        found["toxic"].append(whole.toxic)
        found["signal"].append(1.0 - whole.signal / none.signal)
        logs = [math.log(x.signal / none.signal) for x in (one, two, whole)]
        found["bliss"].append(bliss_excess(*logs))
        hazards = [_log_hr(x, none, "os") for x in (one, two, whole)]
        found["bliss_os"].append(bliss_excess(*hazards))
        if not scenario.drawn:
            for key, effect in EFFECTS.items():
                index = _loewe(seen, s, doses, base, effect)
                loewe[key] += [] if index is None else [index]
    spread = {k: middle(np.array(v), level) for k, v in found.items()}
    log_os = np.array(found["os"])
    drawn = np.array([s.drawn for s in scenarios])
    sign = np.sign(spread["os"][0])
    robust = float(np.count_nonzero(np.sign(log_os[drawn]) == sign) / drawn.sum()) if drawn.any() else None

    def three(name: str, values: tuple[float, float, float]) -> dict[str, float]:
        return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))

    def ratio(key: str) -> tuple[float, float, float]:
        value, low, high = (float(np.exp(x)) for x in spread[key])
        return value, low, high

    label = " and ".join(f"{n} {d:g}" for n, d in doses)
    second = doses[1] if pair else (None, None)
    return {
        "id": "+".join(f"{n}:{d:g}" for n, d in doses),
        "label": f"sorafenib with {label}",
        "drug_a": doses[0][0] if pair else SORAFENIB,
        "dose_a": doses[0][1] if pair else 1.0,
        "drug_b": second[0] if pair else doses[0][0],
        "dose_b": second[1] if pair else doses[0][1],
        **three("os_hr", ratio("os")),
        **three("ttp_hr", ratio("ttp")),
        **three("toxic", spread["toxic"]),
        **three("signal", spread["signal"]),
        **three("bliss_signal", spread["bliss"]),
        **three("bliss_survival", spread["bliss_os"]),
        "loewe_signal": float(np.median(loewe["signal"])) if loewe["signal"] else None,
        "loewe_signal_sets": len(loewe["signal"]),
        "loewe_survival": float(np.median(loewe["survival"])) if loewe["survival"] else None,
        "loewe_survival_sets": len(loewe["survival"]),
        "robust": robust,
        "log_hr": log_os,
    }


def _signal_effect(arm: Seen, none: Seen) -> float:
    return 1.0 - arm.signal / none.signal


def _survival_effect(arm: Seen, none: Seen) -> float:
    return 1.0 - math.exp(_log_hr(arm, none, "os"))


EFFECTS: Mapping[str, Callable[[Seen, Seen], float]] = {
    "signal": _signal_effect,
    "survival": _survival_effect,
}


def _loewe(
    seen: Mapping[tuple[int, Doses], Seen],
    s: int,
    doses: Doses,
    base: Doses,
    effect: Callable[[Seen, Seen], float],
) -> float | None:
    """The interaction index of an effect in one scenario; None where the pair has no effect to explain."""
    pair = doses if len(doses) == 2 else ((SORAFENIB, 1.0), doses[0])
    none = seen[s, base]
    wanted = effect(seen[s, ((SORAFENIB, 1.0), *doses)], none)
    if not wanted > 0.0:
        return None

    def alone(name: str) -> float | None:
        effects = np.array([effect(seen[s, (*base, (name, d))], none) for d in LOEWE_DOSES])
        return dose_for(np.array(LOEWE_DOSES), effects, wanted)

    (name_a, dose_a), (name_b, dose_b) = pair
    return loewe_index(dose_a, dose_b, alone(name_a), alone(name_b))


def _rank(rows: list[dict[str, Any]]) -> None:
    """Places by the median hazard ratio of death, and how often each row is the first."""
    logs = np.array([row["log_hr"] for row in rows])
    filled = np.where(np.isnan(logs), np.inf, logs)
    best = np.bincount(filled.argmin(axis=0), minlength=len(rows)) / logs.shape[1]
    order = sorted(range(len(rows)), key=lambda i: (math.isnan(rows[i]["os_hr"]), rows[i]["os_hr"]))
    for place, i in enumerate(order):
        rows[i]["rank"], rows[i]["p_best"] = place + 1, float(best[i])
