"""Arms of a trial file as arms of the mechanism: dose levels, second drugs at any dose, local therapy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from troughline.mechanism.treatment import (
    LONGEST_INTERVAL_H,
    Arm,
    DoseLevel,
    LocalTherapy,
    session_kills,
    sorafenib_levels,
)

if TYPE_CHECKING:
    from troughline.trial.schema import Arm as ArmOfFile
    from troughline.trial.schema import Drug, Line, Second, TrialFile

Effects = Mapping[str, float]
REDUCTIONS = 2
"""How often a regimen by hand is halved."""
REDUCED_SECOND = (1.0, 0.5, 0.5)
"""What is left of a second drug at each level of reduction."""
MOST_HOLDS = 8


def effects_of(drug: Drug) -> Effects:
    """What a drug of the file does at its usual dose. Raises `ValueError` for a drug that blocks nothing."""
    if not any(value > 0.0 for value in drug.blocks.values()):
        raise ValueError(f"the drug {drug.id!r} has no target: it blocks nothing")
    effects = {**drug.blocks, **({"toxicity": drug.toxicity} if drug.toxicity else {})}
    DoseLevel(dose_mg=0.0, second=effects)
    return effects


def at_dose(effects: Effects, dose: float) -> dict[str, float]:
    """What a drug does at `dose` times its usual dose.

    A block f at the usual dose is C/(K + C), so that dose d blocks d·f/(1 − f + d·f); toxicity rises in
    proportion to the dose.
    """
    return {
        node: dose * f if node == "toxicity" else (dose * f / (1.0 - f + dose * f) if dose else 0.0)
        for node, f in effects.items()
    }


def together(several: Sequence[Effects]) -> dict[str, float]:
    """Several second drugs: blocks of a node by 1 − ∏(1 − f), toxicities added."""
    found: dict[str, float] = {}
    for effects in several:
        for node, f in effects.items():
            before = found.get(node, 0.0)
            found[node] = before + f if node == "toxicity" else 1.0 - (1.0 - before) * (1.0 - f)
    return found


def halved(dose_mg: float, every_h: float) -> list[tuple[float, float]]:
    """A regimen and its reductions to a half and a quarter: half the dose where that is whole tablets, else
    the same dose twice as far apart (400 mg, 200 mg; 200 mg every 12 h, every 24 h). Fewer where the interval
    would be longer than the mechanism takes.
    """
    from troughline.evidence.store import load_drug

    tablet = load_drug("sorafenib").tablet_strength_mg
    levels = [(dose_mg, every_h)]
    for _ in range(REDUCTIONS):
        mg, hours = levels[-1]
        mg, hours = (mg, 2.0 * hours) if (mg / 2.0) % tablet else (mg / 2.0, hours)
        if hours > LONGEST_INTERVAL_H:
            break
        levels.append((mg, hours))
    return levels


def _second(second: Sequence[Second], drugs: Mapping[str, Effects], part: float) -> dict[str, float]:
    return together([at_dose(drugs[one.drug], one.dose * part) for one in second])


def _levels(line: ArmOfFile | Line, drugs: Mapping[str, Effects], toxicity: str) -> tuple[DoseLevel, ...]:
    """The dose levels of a line, from the start downwards."""
    given = line.sorafenib
    if given == "label":
        doses = [(level.dose_mg, level.interval_h) for level in sorafenib_levels()]
    elif given == "none":
        doses = [(0.0, 12.0)] * (1 + REDUCTIONS if line.second else 1)
    else:
        doses = halved(given.dose_mg, given.every_h)
    parts = list(REDUCED_SECOND[: len(doses)])
    if toxicity == "stop":
        doses, parts = doses[:1], parts[:1]
    elif toxicity == "hold" and (line.second or given != "none"):
        doses, parts = doses[:1] * MOST_HOLDS, parts[:1] * MOST_HOLDS
    return tuple(
        DoseLevel(dose_mg=mg, interval_h=hours, second=_second(line.second, drugs, part))
        for (mg, hours), part in zip(doses, parts, strict=True)
    )


def arm_of(arm: ArmOfFile, drugs: Mapping[str, Effects]) -> Arm:
    """An arm of the mechanism. Raises `ValueError` for what it cannot do."""
    later = arm.second_line
    return Arm(
        name=arm.id,
        levels=_levels(arm, drugs, arm.toxicity),
        second_line=() if later is None else _levels(later, drugs, "reduce"),
        local=tuple(
            LocalTherapy(day=day, kind=one.kind, amount=one.amount) for one in arm.local for day in one.days
        ),
        stop_share=arm.stop_share,
        stop_at_progression=arm.stop_at_progression,
        next_line_after_days=14.0 if later is None else later.after_days,
    )


def words_of(arm: ArmOfFile, policy: str = "") -> str:
    """The treatment of an arm in a sentence; `policy`: its dosing policy in words."""

    def line(one: ArmOfFile | Line) -> list[str]:
        given = one.sorafenib
        if policy and one is arm:
            words = [policy]
        elif given == "label":
            words = ["sorafenib by the label"]
        elif given == "none":
            words = []
        else:
            words = [f"sorafenib {given.dose_mg:g} mg every {given.every_h:g} h"]
        for s in one.second:
            words.append(s.drug if s.dose == 1.0 else f"{s.drug} at {s.dose:g} times its usual dose")
        return words

    words = " with ".join(line(arm)) or "placebo"
    for one in arm.local:
        days = ", ".join(f"{d:g}" for d in one.days)
        name = "TACE" if one.kind == "tace" else one.kind
        times = "" if one.amount == 1.0 else f" of {one.amount:g} times the usual session"
        words += f"; {name}{times} on day{'s' if len(one.days) > 1 else ''} {days}"
    if arm.second_line is not None:
        later = " with ".join(line(arm.second_line)) or "nothing"
        words += f"; after progression {later}"
    if arm.toxicity != "reduce" and words != "placebo":
        words += "; the dose is not reduced" if arm.toxicity == "hold" else "; the first toxicity ends it"
    return words


def assumed_of(arm: ArmOfFile, file: TrialFile) -> list[str]:
    """Where what an arm's second drugs and local therapy do comes from, and what of it is assumed."""
    from troughline.mechanism.treatment import second_drug_sources
    from troughline.trial.cells import the_runner

    given = {d.id: d.source for d in file.drug}
    shipped = second_drug_sources()
    lines = (arm.second, arm.second_line.second if arm.second_line else ())
    names = sorted({s.drug for line in lines for s in line})
    found = [f"{name}: {given[name] if name in given else shipped[name].words}" for name in names]
    kinds = sorted({one.kind for one in arm.local})
    if kinds:
        parameters = {p.name: p for p in the_runner().mechanism.parameters}
        for kind in kinds:
            name, kill = kind if kind == "ablation" else "TACE", parameters[f"kill_{kind}"]
            status = "" if kill.source == "calibration" else " (assumed)"
            found.append(f"{name}: {kill.note}{status}")
            amounts = sorted({one.amount for one in arm.local if one.kind == kind})
            scaled = any(file.population.scale.get(f"{word}_{kind}", 1.0) != 1.0 for word in ("kill", "half"))
            if scaled or amounts != [1.0]:
                shares = ", ".join(f"{100 * killed(kind, a, file.population.scale):.0f} %" for a in amounts)
                where = " (less with vascular invasion or spread)" if kind == "tace" else ""
                found.append(f"{name} as given in this file kills {shares} of what lives{where}")
    return found


def killed(kind: str, amount: float, scale: Mapping[str, float]) -> float:
    """The share of what lives that a session kills without spread.

    `scale`: factors on the mechanism's typical values, as a population has them.
    """
    from troughline.trial.cells import the_runner

    value = {p.name: p.value_as_written for p in the_runner().mechanism.parameters}
    rate, half = (value[f"{w}_{kind}"] * scale.get(f"{w}_{kind}", 1.0) for w in ("kill", "half"))
    return session_kills(rate, half, amount)
