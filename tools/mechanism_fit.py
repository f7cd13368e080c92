"""The fit of the mechanism: the scale of the search, residuals, optimum, profiles, equal fits."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from troughline.mechanism.parameters import ParameterSet, read_potency
from troughline.mechanism.population import Patients, draw_patients, read_populations
from troughline.mechanism.predictions import doubling, sharp_quantities, two_arms
from troughline.mechanism.runner import Runner
from troughline.mechanism.targets import Target

Floats = NDArray[np.float64]
FITTED = Path(__file__).resolve().parents[1] / "src" / "troughline" / "mechanism" / "data" / "fitted.toml"
STEP = 0.35  # of a finite difference, in widths of the prior
SEED = 20_260_101


@dataclass(frozen=True)
class Quantity:
    """A fitted quantity: a parameter of the mechanism, or `sd.EFFECT`, or `follow_up_power`.

    The search runs over x, with the value start·exp(width·x) for `log`, start + width·x for `linear`,
    expit(logit(start) + width·x) for `fraction`. A prior of that precision holds x near 0.
    """

    name: str
    kind: str
    start: float
    width: float
    precision: float

    def value(self, x: float) -> float:
        """The value at x."""
        if self.kind == "log":
            return self.start * math.exp(self.width * x)
        if self.kind == "linear":
            return self.start + self.width * x
        return 1.0 / (1.0 + math.exp(-(math.log(self.start / (1.0 - self.start)) + self.width * x)))

    def place(self, value: float) -> float:
        """The x of a value."""
        if self.kind == "log":
            return math.log(value / self.start) / self.width
        if self.kind == "linear":
            return (value - self.start) / self.width
        odds = value / (1.0 - value) * (1.0 - self.start) / self.start
        return math.log(odds) / self.width

    def of(self, chosen: ParameterSet) -> float:
        """The quantity's value in a set."""
        if self.name == "follow_up_power":
            return chosen.follow_up_power
        if self.name.startswith("sd."):
            return chosen.sd[self.name.removeprefix("sd.")]
        return chosen.values[self.name]


@dataclass(frozen=True)
class Fit:
    """A point of the search: x, residuals, predicted quantities, and the weighted sum of squares."""

    x: Floats
    residuals: Floats
    quantities: Mapping[str, float]

    @property
    def squares(self) -> float:
        """The sum of squares, prior included."""
        return float(self.residuals @ self.residuals)

    def squares_at(self, widths: Floats) -> float:
        """The same with each residual times its factor (n_residuals,)."""
        return float(np.sum((widths * self.residuals) ** 2))


def read_fitted(path: Path = FITTED) -> list[Quantity]:
    """The fitted quantities, each with the precision of the prior on its x."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    return [
        Quantity(
            q["name"], q["kind"], float(q["start"]), float(q["width"]),
            float(q.get("precision", data["prior_precision"])),
        )
        for q in data["quantity"]
    ]  # fmt: skip


class Problem:
    """Residuals of the calibrated targets of SHARP and of untreated growth, in the same virtual patients."""

    def __init__(
        self, runner: Runner, targets: Sequence[Target], *, n: int, reading: str, seed: int = SEED
    ) -> None:
        self.runner, self.reading = runner, reading
        self.quantities = read_fitted()
        self.prior = np.array([q.precision for q in self.quantities])
        self.targets = [t for t in targets if t.use == "calibrated" and "power" not in t.id]
        population = read_populations()["sharp"]
        self.patients: Patients = draw_patients(runner.mechanism, runner.kinetics, population, n=n, seed=seed)
        self.runs = 0
        own = [t.narrowing for t in self.targets]
        self.printed = np.array([*own, *np.ones(len(self.quantities))])
        """Factors of the residuals at the printed standard errors; the prior as it is."""

    def set_at(self, x: Floats, name: str = "fit") -> ParameterSet:
        """The parameter set at x."""
        values = dict(read_potency()[self.reading])
        sd: dict[str, float] = {}
        power = 2.0
        for quantity, xi in zip(self.quantities, x, strict=True):
            value = quantity.value(float(xi))
            if quantity.name == "follow_up_power":
                power = value
            elif quantity.name.startswith("sd."):
                sd[quantity.name.removeprefix("sd.")] = value
            else:
                values[quantity.name] = value
        return ParameterSet(id=name, reading=self.reading, values=values, sd=sd, follow_up_power=power)

    def place(self, chosen: ParameterSet) -> Floats:
        """The x of a set."""
        return np.array([q.place(q.of(chosen)) for q in self.quantities])

    def at(self, x: Floats) -> Fit:
        """The fit at x."""
        chosen = self.set_at(x)
        both = two_arms(self.runner, self.patients, chosen)
        found = {
            **sharp_quantities(self.runner, both, chosen),
            **doubling(self.runner, self.patients, chosen),
        }
        self.runs += 1
        own = [t.residual(found[t.quantity]) for t in self.targets]
        return Fit(np.array(x), np.array([*own, *(np.sqrt(self.prior) * x)]), found)

    def slopes(self, fit: Fit, sign: float = 1.0) -> Floats:
        """∂residuals/∂x by one-sided differences (n_residuals, n)."""
        n = len(fit.x)
        out = np.empty((len(fit.residuals), n))
        for i in range(n):
            d = np.zeros(n)
            d[i] = sign * STEP
            out[:, i] = (self.at(fit.x + d).residuals - fit.residuals) / d[i]
        return out

    def solve(self, start: Floats, rounds: int, say: Callable[[str], None]) -> tuple[Fit, Floats]:
        """Levenberg–Marquardt with differences on alternating sides; the optimum and the slopes there."""
        fit, damping = self.at(start), 0.3
        a = self.slopes(fit)
        say(f"start: {fit.squares:.2f}")
        for k in range(rounds):
            better = False
            for _ in range(4):
                step = -np.linalg.solve(a.T @ a + damping * np.eye(len(start)), a.T @ fit.residuals)
                trial = self.at(fit.x + np.clip(step, -1.5, 1.5))
                if trial.squares < fit.squares:
                    fit, better, damping = trial, True, max(damping / 3.0, 0.02)
                    break
                damping *= 4.0
            say(f"round {k + 1}: {fit.squares:.2f} after {self.runs} runs")
            if not better and k > 0:
                break
            if k + 1 < rounds:
                a = self.slopes(fit, sign=-1.0 if k % 2 == 0 else 1.0)
        return fit, a

    def profile_end(self, fit: Fit, a: Floats, index: int, side: int, rise: float) -> float | None:
        """Where the sum of squares at the printed errors, the others refitted, has risen by `rise`.

        None past 4 widths of the prior.

        The others follow by Gauss–Newton steps with the slopes of the optimum.
        """
        free = np.arange(len(fit.x)) != index
        w = self.printed
        b = a[:, free] * w[:, None]
        inverse = np.linalg.inv(b.T @ b + 0.02 * np.eye(b.shape[1]))

        def refitted(at: Fit) -> Fit:
            best = at
            for _ in range(2):
                x = best.x.copy()
                x[free] -= np.clip(inverse @ (b.T @ (w * best.residuals)), -1.0, 1.0)
                trial = self.at(x)
                if trial.squares_at(w) >= best.squares_at(w):
                    break
                best = trial
            return best

        least = fit.squares_at(w)
        inside, last, span = fit.x[index], least, 0.5
        at = fit
        while abs(at.x[index] - fit.x[index]) < 4.0:
            x = at.x.copy()
            x[index] += side * span
            at = refitted(self.at(x))
            now = at.squares_at(w)
            if now - least > rise:
                share = (rise - (last - least)) / max(now - last, 1e-9)
                return float(inside + share * (at.x[index] - inside))
            inside, last, span = at.x[index], now, span * 1.6
        return None

    def equal_fits(
        self, fit: Fit, a: Floats, *, rise: float, wanted: int, tries: int, seed: int
    ) -> list[Fit]:
        """Sets within `rise` of the best at the printed errors, that meet every tolerance that it meets.

        Drawn from the normal law of the linearised fit; each is run, none is trusted.
        """
        rng = np.random.default_rng(seed)
        w = self.printed
        b = a * w[:, None]
        values, vectors = np.linalg.eigh(b.T @ b)
        spread = vectors / np.sqrt(np.maximum(values, self.prior.min()))
        met = [t for t in self.targets if t.met(fit.quantities[t.quantity])]
        kept: list[Fit] = []
        for _ in range(tries):
            direction = rng.standard_normal(len(fit.x))
            radius = math.sqrt(rise * rng.uniform(0.2, 0.9)) / np.linalg.norm(direction)
            trial = self.at(fit.x + spread @ (direction * radius))
            good = trial.squares_at(w) - fit.squares_at(w) <= rise
            if good and all(t.met(trial.quantities[t.quantity]) for t in met):
                kept.append(trial)
            if len(kept) == wanted:
                break
        return kept
