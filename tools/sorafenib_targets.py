"""The published targets of `sorafenib/hcc`, their weights, and what a parameter set predicts for each."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from sorafenib_curve import LIBRARY, Floats, Interval, Sorafenib

TARGETS = (
    Path(__file__).resolve().parents[1]
    / "src"
    / "troughline"
    / "model"
    / "calibration"
    / "sorafenib-hcc.toml"
)
LEVELS = ("trough", "auc", "peak", "ever-below")
MEDIAN_SHAPE = np.pi / 2.0
SEED = 20_260_101


@dataclass(frozen=True)
class Target:
    """One published number; `fields` holds the optional keys of its table (day, dose_mg, end_h, ...)."""

    id: str
    quantity: str
    value: float | None
    n: int
    used: bool
    source: str
    verified: bool
    fields: Mapping[str, Any]

    def get(self, key: str, default: Any = None) -> Any:
        """An optional field."""
        return self.fields.get(key, default)

    @property
    def shown_value(self) -> str:
        """The value as the page prints it, with its interval."""
        low, high = self.get("low"), self.get("high")
        if self.value is None:
            return f"{low:g}-{high:g}" if low is not None else f"< {high:g}"
        interval = f" ({low:g}-{high:g})" if low is not None and high is not None else ""
        return f"{self.value:g}{interval}"


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Variances of log clearance between patients and between occasions, and residual SD on the log scale.

    The variance of the volume, its correlation with clearance and the variance of absorption are Jain's.
    """

    between: float
    occasion: float
    residual: float
    volume: float
    correlation: float
    absorption: float


@dataclass(frozen=True)
class TroughSlopes:
    """Elasticities of the trough on day 28 with respect to clearance, volume and absorption rate."""

    clearance: float
    volume: float
    absorption: float


@dataclass(frozen=True)
class Calibration:
    """The targets file."""

    targets: tuple[Target, ...]
    between_studies: Mapping[str, float]
    sources: Mapping[str, Mapping[str, str]]
    statements: tuple[Mapping[str, str], ...]

    def target(self, target_id: str) -> Target:
        """A target by its id."""
        return next(t for t in self.targets if t.id == target_id)

    def sigma(self, target: Target) -> float:
        """Standard error of the log of a target: sampling and between studies, over the root of relevance."""
        if target.quantity.startswith("spread"):
            sampling, kind = 1.0 / (2.0 * (target.n - 1)), "spread"
        elif target.quantity == "child-pugh-auc-ratio":
            sampling = sum(
                target.get(f"spread_log{which}") ** 2 / count
                for which, count in (("", target.n), ("_reference", target.get("n_reference")))
            )
            kind = "ratio"
        else:
            median = "median" in target.get("statistic", "")
            sampling = target.get("spread_log") ** 2 * (MEDIAN_SHAPE if median else 1.0) / target.n
            kind = target.quantity if target.quantity in self.between_studies else "ratio"
            kind = "level" if target.quantity in LEVELS else kind
        return sqrt((sampling + self.between_studies[kind] ** 2) / target.get("relevance"))

    def weight(self, target: Target) -> float:
        """1 / sigma²."""
        return self.sigma(target) ** -2


def read_targets(path: Path = TARGETS) -> Calibration:
    """The calibration file."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    own = ("id", "quantity", "value", "n", "used", "source", "verified")
    targets = tuple(
        Target(
            id=t["id"],
            quantity=t["quantity"],
            value=t.get("value"),
            n=t["n"],
            used=t["used"] == "calibration",
            source=t["source"],
            verified=t["verified"],
            fields={k: v for k, v in t.items() if k not in own},
        )
        for t in document["target"]
    )
    return Calibration(
        targets, document["between_studies"], document["sources"], tuple(document["statement"])
    )


def read_profiles(path: Path = TARGETS) -> list[dict[str, Any]]:
    """The digitised mean profiles that the calibration file holds; no fit uses them."""
    return tomllib.loads(path.read_text(encoding="utf-8"))["profile"]


def read_spread(model_id: str = "sorafenib/hcc") -> Spread:
    """The variances and the residual error of a model file with the parameter names of `sorafenib/hcc`."""
    document = tomllib.loads((LIBRARY / f"{model_id}.toml").read_text(encoding="utf-8"))
    pair, absorption, occasion = document["random"]
    (between, covariance), (_, volume) = pair["covariance"]
    return Spread(
        between=between,
        occasion=occasion["variance"][0],
        residual=document["parameters"]["sigma_prop"]["value"],
        volume=volume,
        correlation=covariance / sqrt(between * volume),
        absorption=absorption["variance"][0],
    )


def available_at_reference(calibration: Calibration, patient: Sorafenib) -> float:
    """Hornecker's bioavailability at 400 mg that fits best, given the model's dependence on the dose.

    The weighted mean of the logarithms: its absolute height is not part of the model.
    """
    targets = [t for t in calibration.targets if t.quantity == "bioavailability"]
    gaps = [log(t.value / patient.bioavailability(t.get("dose_mg"), patient.reference_h)) for t in targets]
    return exp(float(np.average(gaps, weights=[calibration.weight(t) for t in targets])))


def predict(target: Target, patients: Mapping[str, Sorafenib], spread: Spread, available: float) -> float:
    """What the typical patients (Child-Pugh A, B) give for a target; `available`: Hornecker's F at 400 mg.

    Raises KeyError for a quantity that is not known.
    """
    if target.quantity.startswith("spread"):
        return predict_spread(target.quantity, trough_slopes(patients["A"]), spread)
    return _TYPICAL[target.quantity](target, patients, spread, available)


def predict_spread(quantity: str, slopes: TroughSlopes, spread: Spread) -> float:
    """Standard deviation of the log of a trough or an AUC over patients, occasions and residual error."""
    residual = spread.residual**2
    covariance = spread.correlation * sqrt(spread.between * spread.volume)
    trough = (
        slopes.clearance**2 * (spread.between + spread.occasion)
        + slopes.volume**2 * spread.volume
        + 2.0 * slopes.clearance * slopes.volume * covariance
        + slopes.absorption**2 * spread.absorption
    )
    return sqrt(
        {
            "spread-trough": trough + residual,
            "spread-auc": spread.between + spread.occasion,
            "spread-within": slopes.clearance**2 * spread.occasion + residual,
            "spread-occasion": spread.occasion,
            "spread-between": spread.between,
        }[quantity]
    )


def trough_slopes(patient: Sorafenib) -> TroughSlopes:
    """Elasticities of the steady-state trough at 400 mg twice daily, by central differences."""
    step = 0.02

    def slope(name: str) -> float:
        up, down = (
            log(patient.scaled(**{name: exp(s)}).steady_state(400.0, points=2).trough) for s in (step, -step)
        )
        return (up - down) / (2.0 * step)

    return TroughSlopes(slope("clearance"), slope("volume"), -slope("absorption"))


def _patient(target: Target, patients: Mapping[str, Sorafenib]) -> Sorafenib:
    return patients[target.get("child_pugh", "A")]


def _interval(target: Target, patients: Mapping[str, Sorafenib], points: int = 13) -> Interval:
    return _patient(target, patients).interval(target.get("dose_mg"), target.get("day"), points=points)


def _ever_below(target: Target, patient: Sorafenib, spread: Spread) -> float:
    """Share of patients with one of four troughs (day 14, 28, 56, 84) below a threshold, by simulation."""
    rng = np.random.default_rng(SEED)
    typical = np.log([patient.interval(400.0, day, points=2).trough for day in (14, 28, 56, 84)])
    slopes = trough_slopes(patient)
    size = 40_000
    covariance = spread.correlation * sqrt(spread.between * spread.volume)
    joint = [[spread.between, covariance], [covariance, spread.volume]]
    effects = rng.multivariate_normal([0.0, 0.0], joint, size)
    within = sqrt(slopes.clearance**2 * spread.occasion + spread.residual**2)
    patients: Floats = effects @ np.array([slopes.clearance, slopes.volume])
    troughs = typical + patients[:, None] + within * rng.standard_normal((size, 4))
    return float(np.mean(troughs.min(axis=1) < log(target.get("threshold"))))


def _without_recirculation(patient: Sorafenib) -> float:
    # F dose / ((1 - Fent) CL) over F dose / CL.
    return 1.0 - patient.recirculated


_TYPICAL: dict[str, Any] = {
    "trough": lambda t, p, s, f: _interval(t, p).trough,
    "peak": lambda t, p, s, f: _interval(t, p, 121).peak,
    "auc": lambda t, p, s, f: _interval(t, p).auc(t.get("end_h")),
    "fall": lambda t, p, s, f: p["A"].left(24.0 * t.get("day")) / p["A"].left(24.0 * t.get("from_day")),
    "bioavailability": lambda t, p, s, f: f * p["A"].bioavailability(t.get("dose_mg"), p["A"].reference_h),
    "auc-by-dose": lambda t, p, s, f: (
        p["A"].steady_state_auc(t.get("dose_mg")) / p["A"].steady_state_auc(t.get("from_dose_mg"))
    ),
    "half-life": lambda t, p, s, f: p["A"].half_life_h,
    "accumulation": lambda t, p, s, f: p["A"].interval(400.0, 7).auc() / p["A"].interval(400.0, 0).auc(),
    "peak-to-trough": lambda t, p, s, f: p["A"].interval(400.0, 28).peak / p["A"].interval(400.0, 28).trough,
    "without-recirculation": lambda t, p, s, f: _without_recirculation(p["A"]),
    "child-pugh-auc-ratio": lambda t, p, s, f: (
        p["B"].steady_state_auc(t.get("dose_mg")) / p["A"].steady_state_auc(t.get("dose_mg"))
    ),
    "ever-below": lambda t, p, s, f: _ever_below(t, p["A"], s),
}
