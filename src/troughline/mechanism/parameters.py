"""Parameter sets that calibration chose, and the readings of target potency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DATA = Path(__file__).resolve().parent / "data"
CALIBRATED = DATA / "calibrated.toml"
POTENCY = DATA / "potency.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSet:
    """Typical values that replace the model file's (in its units), and standard deviations of effects.

    `squares`: the weighted sum of squares of the calibrated targets; `reading`: `Kd` or `IC50`.
    `follow_up_power`: recruitment speeds up, so that follow-up is shortest + range · u to this power.
    """

    id: str
    reading: str = "Kd"
    values: Mapping[str, float] = field(default_factory=dict[str, float])
    sd: Mapping[str, float] = field(default_factory=dict[str, float])
    squares: float = float("nan")
    follow_up_power: float = 2.0


def read_sets(path: Path = CALIBRATED, *, reading: str | None = None) -> tuple[ParameterSet, ...]:
    """The sets of the data file, which fit about as well, the best of each reading first.

    Of one `reading` or of both.

    Raises `ValueError` where there is none.
    """
    import tomllib

    potencies = read_potency()
    found = tuple(
        ParameterSet(
            id=item["id"],
            reading=item["reading"],
            values={**potencies[item["reading"]], **{k: float(v) for k, v in item["values"].items()}},
            sd={k: float(v) for k, v in item["sd"].items()},
            squares=float(item["squares"]),
            follow_up_power=float(item["follow_up_power"]),
        )
        for item in tomllib.loads(path.read_text(encoding="utf-8"))["set"]
        if reading is None or item["reading"] == reading
    )
    if not found:
        raise ValueError(f"{path.name} holds no parameter set of the reading {reading!r}")
    return found


def read_potency(path: Path = POTENCY) -> dict[str, dict[str, float]]:
    """By reading of potency (`Kd`, `IC50`) the parameters of the mechanism that it sets, nmol/L.

    The numbers are those of the drug's evidence record; where a reading has none for a node, the file says
    which reading stands in. Raises `ValueError` for a number that the record does not have.
    """
    import tomllib

    from troughline.evidence.store import load_drug

    affinities = {(a.target, a.measure): a.value_nm for a in load_drug("sorafenib").affinity}
    readings: dict[str, dict[str, float]] = {}
    for item in tomllib.loads(path.read_text(encoding="utf-8"))["reading"]:
        values: dict[str, float] = {}
        for node in item["node"]:
            key = (node["target"], node["measure"])
            if key not in affinities:
                raise ValueError(f"the drug record has no {node['measure']} for {node['target']}")
            values[node["parameter"]] = affinities[key]
        readings[item["id"]] = values
    return readings
