"""Arms of a trial file as arms of the mechanism: dose levels, second drugs at any dose, local therapy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from troughline.mechanism.treatment import (
    Arm,
    DoseLevel,
    LocalTherapy,
    sorafenib_levels,
)

if TYPE_CHECKING:
    from troughline.trial.schema import Arm as ArmOfFile
    from troughline.trial.schema import Drug, Line, Second, TrialFile

Effects = Mapping[str, float]
REDUCED = (1.0, 0.5, 0.25)
"""What is left of a regimen by hand at each level of reduction."""
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


def _second(second: Sequence[Second], drugs: Mapping[str, Effects], part: float) -> dict[str, float]:
    return together([at_dose(drugs[one.drug], one.dose * part) for one in second])


def _levels(line: ArmOfFile | Line, drugs: Mapping[str, Effects], toxicity: str) -> tuple[DoseLevel, ...]:
    """The dose levels of a line, from the start downwards."""
    given = line.sorafenib
    if given == "label":
        doses = [(level.dose_mg, level.interval_h) for level in sorafenib_levels()]
    elif given == "none":
        doses = [(0.0, 12.0)] * (len(REDUCED) if line.second else 1)
    else:
        doses = [(given.dose_mg * part, given.every_h) for part in REDUCED]
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


def words_of(arm: ArmOfFile) -> str:
    """The treatment of an arm in a sentence."""

    def line(one: ArmOfFile | Line) -> list[str]:
        given = one.sorafenib
        if given == "label":
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
        words += f"; {name} on day{'s' if len(one.days) > 1 else ''} {days}"
    if arm.second_line is not None:
        later = " with ".join(line(arm.second_line)) or "nothing"
        words += f"; after progression {later}"
    if arm.toxicity != "reduce" and words != "placebo":
        words += "; the dose is not reduced" if arm.toxicity == "hold" else "; the first toxicity ends it"
    return words


def assumed_of(arm: ArmOfFile, file: TrialFile) -> list[str]:
    """What is assumed about an arm's second drugs, where no source says it, and about its local therapy."""
    given = {d.id: d.source for d in file.drug}
    lines = (arm.second, arm.second_line.second if arm.second_line else ())
    names = sorted({s.drug for line in lines for s in line})
    words = [_assumption(name, given.get(name) or _shipped_source(name)) for name in names]
    kinds = ("TACE" if one.kind == "tace" else one.kind for one in arm.local)
    words += [f"what a session of {kind} kills and costs the liver" for kind in dict.fromkeys(kinds)]
    return words


def _assumption(drug: str, source: str) -> str:
    """`what akt-inhibitor blocks and its toxicity`, with what the source says beyond that it is assumed."""
    more = source.removeprefix("assumed").lstrip(":; ")
    return f"what {drug} blocks and its toxicity" + (f" ({more})" if more else "")


def _shipped_source(name: str) -> str:
    import tomllib

    from troughline.mechanism.treatment import SECOND_DRUGS

    data = tomllib.loads(SECOND_DRUGS.read_text(encoding="utf-8"))
    return next((str(d["source"]) for d in data["drug"] if d["id"] == name), "assumed")
