"""Second drugs added to sorafenib, alone and in pairs: ranked by survival, with toxicity and synergy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.mechanism.predictions import scaled
from troughline.mechanism.treatment import MOST_TOXICITY, Arm, DoseLevel, Protocol, sorafenib_levels
from troughline.progress import Progress, silent
from troughline.trial.assumed import STRESS, drawn_shares, movable, status_of, with_factors
from troughline.trial.cells import patients_of, the_runner
from troughline.trial.gather import FEWEST, equally, middle
from troughline.trial.schedule import in_threads
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
SIGNALS = ("erk", "akt")
LEAST_SIGNAL = 0.01
"""A smaller share of a signal blocked is too near no effect to be divided into doses."""
CLEAR = 1.96
"""By how many standard errors a log hazard ratio must lie below 0 to be divided into doses."""
DEFINITION = (
    "Signal: what is left of phosphorylated ERK, and of AKT, on day 28 against the control, in patients of "
    "whom none stops, each by itself: drugs on different nodes would look like synergy in a mean of both. "
    "Benefit and toxicity: the whole course, with holds, reductions and stops.",
    "Bliss: log of the combination's ratio to the control minus the sum of the logs of each alone; of the "
    "signal left at a node, and of the hazard ratio of death. Below 0: more than independent action.",
    "Loewe: d_A/D_A + d_B/D_B with D the dose of one alone (up to "
    f"{LOEWE_DOSES[-1]:g} times the usual one) that has the pair's effect, the share of the signal "
    "blocked or 1 − hazard ratio of death; below 1: more than additive doses; from least to greatest over "
    "the parameter sets. None where one alone never has the pair's effect in half of the sets, and where the "
    f"pair's effect is near none: less than {100 * LEAST_SIGNAL:g} % of a signal, or a hazard ratio within "
    f"{CLEAR:g} standard errors of 1.",
    "One second drug is held against sorafenib, and its synergy is that with sorafenib over no treatment; "
    "two second drugs are held against sorafenib, and their synergy is that of the two on sorafenib.",
    "Intervals: over the parameter sets and the draws, in the same patients, each reading of potency with "
    f"the same weight; from least to greatest where these are fewer than {FEWEST}. A draw moves the second "
    f"drugs' block (its odds) and toxicity (SD of the logarithm {SPREAD:g}) and every assumed parameter of "
    f"the mechanism (SD {MECHANISM_SPREAD:g}), which is not fitted again. Robust: the share of draws with "
    "the sign of the median log hazard ratio.",
    f"Toxicity of second drugs together is cut at {MOST_TOXICITY:g} times sorafenib's at 4 mg/L; where that "
    "happened, the row says in how many of the sets and draws.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Of an arm in one scenario: day and event of death and progression, % stopped by toxicity, and what is
    left of each of `SIGNALS`.
    """

    os: tuple[Floats, NDArray[np.bool_]]
    ttp: tuple[Floats, NDArray[np.bool_]]
    toxic: float
    signal: Mapping[str, float]


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
    """Every set with the drugs as given, then draws of the drugs with the sets in turn, one reading after the
    other, so that few draws are of both.
    """
    asked = setup.file.combinations
    assert asked is not None
    names = list(dict.fromkeys(asked.drugs))
    given = {name: setup.drugs[name] for name in names}
    made = [Scenario(place=k, drugs=given, factors={}, drawn=False) for k in range(len(setup.sets))]
    known = movable(the_runner(setup.file.population.clearance).mechanism)
    free = [name for name, p in known.items() if status_of(p) == "assumed"]
    rng = np.random.default_rng([setup.file.trial.seed, 7])
    turns = in_turn([s.reading for s in setup.sets])
    for d in range(asked.draws):
        drugs: dict[str, Effects] = {}
        for name in names:
            block, toxic = np.exp(SPREAD * rng.standard_normal(2))
            moved = at_dose(given[name], float(block))
            moved["toxicity"] = given[name].get("toxicity", 0.0) * float(toxic)
            drugs[name] = moved
        factors = dict(zip(free, np.exp(MECHANISM_SPREAD * rng.standard_normal(len(free))), strict=True))
        factors |= drawn_shares(rng)
        made.append(Scenario(place=turns[d % len(turns)], drugs=drugs, factors=factors, drawn=True))
    return made


def in_turn(readings: Sequence[str]) -> list[int]:
    """Places of sets, each reading's in their order, a set of one reading after one of the other.

    A reading with fewer sets begins again, so that all readings come equally often.
    """
    groups = [[k for k, r in enumerate(readings) if r == name] for name in dict.fromkeys(readings)]
    longest = math.lcm(*(len(g) for g in groups))
    return [group[k % len(group)] for k in range(longest) for group in groups]


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
    return {node: min(f, MOST_TOXICITY) if node == "toxicity" else f for node, f in effects.items()}


def _too_toxic(doses: Doses, drugs: Mapping[str, Effects]) -> bool:
    """Whether the second drugs' toxicity is cut."""
    effects = together([at_dose(drugs[n], d) for n, d in doses])
    return effects.get("toxicity", 0.0) > MOST_TOXICITY


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
    seen: dict[tuple[int, Doses], Seen] = {}

    def one(job: tuple[int, Doses]) -> Seen:
        s, doses = job
        return _run(setup, scales, people, scenarios[s], doses)

    with closing(in_threads(one, jobs, workers=workers)) as results:
        for job, found in zip(jobs, results, strict=True):
            seen[job] = found
            progress("combinations", len(seen), len(jobs))
    rows = [_row(setup, scenarios, seen, arm[1:]) for arm in with_sorafenib]
    _rank(rows)
    level = setup.file.trial.level
    ordered = sorted(rows, key=lambda row: row["rank"])
    return {
        "definition": [*DEFINITION, STRESS],
        "control": SORAFENIB,
        "level": level,
        "patients": asked.n,
        "scenarios": len(scenarios),
        "rows": [{k: v for k, v in row.items() if k not in ("log_hr", "weight")} for row in ordered],
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
    signal = {
        name: float(np.nanmean(held.sampled[:, 0, runner.output_names.index(f"{name}_activity")]))
        for name in SIGNALS
    }
    courses = runner.run(patients, arm, setup.protocol, values=values, threads=1)
    return Seen(
        os=(courses.death_day, courses.died),
        ttp=(courses.progression_day, courses.progressed),
        toxic=100.0 * np.count_nonzero(courses.stop_why == 1) / len(patients),
        signal=signal,
    )


def _log_hr(arm: Seen, control: Seen, endpoint: str) -> tuple[float, float]:
    """Log hazard ratio and its standard error, as if the arms had other patients; NaN without an event."""
    from troughline.mechanism.endpoints import TimeToEvent, log_hazard_ratio

    def times(one: Seen) -> TimeToEvent:
        day, event = getattr(one, endpoint)
        return TimeToEvent(day=day, event=event, weight=np.ones(len(day)))

    try:
        return log_hazard_ratio(times(arm), times(control))
    except ValueError:
        return math.nan, math.nan


def _row(
    setup: Setup, scenarios: Sequence[Scenario], seen: Mapping[tuple[int, Doses], Seen], doses: Doses
) -> dict[str, Any]:
    """A combination beside sorafenib, over all scenarios."""
    pair = len(doses) == 2
    sorafenib: Doses = ((SORAFENIB, 1.0),)
    base: Doses = sorafenib if pair else ()
    a: Doses = ((SORAFENIB, 1.0), doses[0]) if pair else sorafenib
    b: Doses = ((SORAFENIB, 1.0), doses[1]) if pair else doses
    found: dict[str, list[float]] = {k: [] for k in ("os", "ttp", "toxic", "bliss_survival")}
    found |= {f"{what}_{node}": [] for node in SIGNALS for what in ("signal", "bliss")}
    loewe: dict[str, list[float]] = {key: [] for key in EFFECTS}
    sets = 0
    for s, scenario in enumerate(scenarios):
        whole, control = seen[s, (*sorafenib, *doses)], seen[s, sorafenib]
        one, two, none = seen[s, a], seen[s, b], seen[s, base]
        found["os"].append(_log_hr(whole, control, "os")[0])
        found["ttp"].append(_log_hr(whole, control, "ttp")[0])
        found["toxic"].append(whole.toxic)
        for node in SIGNALS:
            logs = [math.log(x.signal[node] / none.signal[node]) for x in (one, two, whole)]
            found[f"signal_{node}"].append(1.0 - math.exp(logs[2]))
            found[f"bliss_{node}"].append(bliss_excess(*logs))
        hazards = [_log_hr(x, none, "os")[0] for x in (one, two, whole)]
        found["bliss_survival"].append(bliss_excess(*hazards))
        if not scenario.drawn:
            sets += 1
            for key, effect in EFFECTS.items():
                index = _loewe(seen, s, doses, base, effect)
                loewe[key] += [] if index is None else [index]
    readings = [setup.sets[s.place].reading for s in scenarios]
    weight = equally(readings)
    level = setup.file.trial.level if len(scenarios) >= FEWEST else 1.0
    spread = {k: middle(np.array(v), level, weight) for k, v in found.items()}
    log_os = np.array(found["os"])
    drawn = np.array([s.drawn for s in scenarios])
    sign = np.sign(spread["os"][0])
    shown = np.sign(log_os[drawn]) == sign
    even = equally([r for r, of_draw in zip(readings, drawn, strict=True) if of_draw])
    robust = float(np.average(shown, weights=even)) if drawn.any() else None

    def three(name: str, values: tuple[float, float, float]) -> dict[str, float]:
        return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))

    def ratio(key: str) -> tuple[float, float, float]:
        value, low, high = (float(np.exp(x)) for x in spread[key])
        return value, low, high

    indices: dict[str, Any] = {}
    for key, values in loewe.items():
        ends = (float(np.median(values)), min(values), max(values)) if 2 * len(values) > sets else (None,) * 3
        indices |= dict(zip((f"loewe_{key}", f"loewe_{key}_low", f"loewe_{key}_high"), ends, strict=True))
        indices[f"loewe_{key}_sets"] = len(values)
    label = " and ".join(n if d == 1.0 else f"{n} × {d:g}" for n, d in doses)
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
        **{
            k: v
            for key in found
            if key.startswith(("signal", "bliss"))
            for k, v in three(key, spread[key]).items()
        },
        **indices,
        "toxicity_cut": sum(_too_toxic(doses, s.drugs) for s in scenarios),
        "robust": robust,
        "log_hr": log_os,
        "weight": weight,
    }


def _signal_effect(node: str) -> Callable[[Seen, Seen], tuple[float, float]]:
    def effect(arm: Seen, none: Seen) -> tuple[float, float]:
        return 1.0 - arm.signal[node] / none.signal[node], LEAST_SIGNAL

    return effect


def _survival_effect(arm: Seen, none: Seen) -> tuple[float, float]:
    log_hr, error = _log_hr(arm, none, "os")
    return 1.0 - math.exp(log_hr), 1.0 - math.exp(-CLEAR * error)


EFFECTS: Mapping[str, Callable[[Seen, Seen], tuple[float, float]]] = {
    **{node: _signal_effect(node) for node in SIGNALS},
    "survival": _survival_effect,
}
"""Each effect of an arm over none, and what it must exceed to be told from none."""


def _loewe(
    seen: Mapping[tuple[int, Doses], Seen],
    s: int,
    doses: Doses,
    base: Doses,
    effect: Callable[[Seen, Seen], tuple[float, float]],
) -> float | None:
    """The interaction index of an effect in one scenario; None where the pair has no effect to explain."""
    pair = doses if len(doses) == 2 else ((SORAFENIB, 1.0), doses[0])
    none = seen[s, base]
    wanted, least = effect(seen[s, ((SORAFENIB, 1.0), *doses)], none)
    if not wanted > least:
        return None

    def alone(name: str) -> float | None:
        effects = np.array([effect(seen[s, (*base, (name, d))], none)[0] for d in LOEWE_DOSES])
        return dose_for(np.array(LOEWE_DOSES), effects, wanted)

    (name_a, dose_a), (name_b, dose_b) = pair
    return loewe_index(dose_a, dose_b, alone(name_a), alone(name_b))


def _rank(rows: list[dict[str, Any]]) -> None:
    """Places by the median hazard ratio of death, and how often each row is the first."""
    logs = np.array([row["log_hr"] for row in rows])
    filled = np.where(np.isnan(logs), np.inf, logs)
    best = np.bincount(filled.argmin(axis=0), rows[0]["weight"], minlength=len(rows)) / logs.shape[1]
    order = sorted(range(len(rows)), key=lambda i: (math.isnan(rows[i]["os_hr"]), rows[i]["os_hr"]))
    for place, i in enumerate(order):
        rows[i]["rank"], rows[i]["p_best"] = place + 1, float(best[i])
