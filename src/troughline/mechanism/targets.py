"""What publications say the model should show: calibrated or held out, with the tolerance of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from troughline.evidence.store import load_publication

TARGETS = Path(__file__).resolve().parent / "data" / "targets.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One published number, or one that was asked of the model.

    `quantity` is what `Trials.quantities` predicts for it. `value` in `unit`; `low` to `high` is what counts
    as approached; `sd` the width of the fit, on the log scale where `log`; `printed_sd` the printed standard
    error where the fit's width is narrower, else 0.
    `printed`: what the source says where it gives no number of this kind (a direction, a visit).
    """

    id: str
    quantity: str
    use: Literal["calibrated", "held out", "shown"]
    value: float
    unit: str
    low: float
    high: float
    sd: float
    log: bool
    source: str
    verified: bool
    note: str
    printed: str = ""
    printed_sd: float = 0.0

    @property
    def narrowing(self) -> float:
        """The fit's width over the printed standard error; 1 where there is no other than the fit's."""
        return self.sd / self.printed_sd if self.printed_sd > 0.0 else 1.0

    def residual(self, predicted: float) -> float:
        """(predicted − value)/sd, on the log scale where the target is; 0 inside an interval without sd."""
        import math

        if self.sd == 0.0:
            width = 0.1 * (self.high - self.low)
            return max(self.low - predicted, predicted - self.high, 0.0) / width
        if self.log:
            return (math.log(max(predicted, 1e-12)) - math.log(self.value)) / self.sd
        return (predicted - self.value) / self.sd

    def met(self, predicted: float) -> bool:
        """Whether a prediction lies within the tolerance."""
        return self.low <= predicted <= self.high


def read_targets(path: Path = TARGETS) -> tuple[Target, ...]:
    """Every target of the data file, with its number from the evidence record that it names.

    Raises `ValueError` for a target that names no number and no value of its own.
    """
    import tomllib

    found: list[Target] = []
    for item in tomllib.loads(path.read_text(encoding="utf-8"))["target"]:
        value, unit, source, verified = (
            item.get("value"),
            item.get("unit", "1"),
            item.get("source", ""),
            False,
        )
        if "study" in item:
            publication = load_publication(item["study"])
            number = publication.sourced(item["number"])
            verified = number.verified
            source = f"{item['study']}, {item['number']}"
            printed = number.value
            if printed is not None:
                value = printed
                unit = number.unit
                if number.n and number.unit == "patient":
                    value, unit = 100.0 * printed / number.n, "%"
        if value is None:
            raise ValueError(f"the target {item['id']!r} has neither a value nor a number of a study")
        found.append(
            Target(
                id=item["id"],
                quantity=item.get("quantity", item["id"]),
                use=item["use"],
                value=float(value),
                unit=unit,
                low=float(item["low"]),
                high=float(item["high"]),
                sd=float(item.get("sd", 0.0)),
                log=bool(item.get("log", False)),
                source=source,
                verified=bool(item.get("verified", verified)),
                note=item.get("note", ""),
                printed=item.get("printed", ""),
                printed_sd=float(item.get("printed_sd", 0.0)),
            )
        )
    return tuple(found)


def squares(targets: tuple[Target, ...], predicted: Mapping[str, float]) -> float:
    """The weighted sum of squares over the calibrated targets."""
    return sum(t.residual(predicted[t.quantity]) ** 2 for t in targets if t.use == "calibrated")
