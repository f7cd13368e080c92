"""Steady-state troughs and areas of regimens at draws of one patient's effects, each dosing pattern once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.model.records import ALL_INPUTS, DOSE, MISSING, OBSERVATION
from troughline.pk.quantities import bioavailability

if TYPE_CHECKING:
    from troughline.dosing.regimen import Regimen
    from troughline.model.model import Model

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BEFORE_H = 1e-7
_LINEAR, NONLINEAR = 0, 2


@dataclass(frozen=True, kw_only=True)
class _Pattern:
    """Records of one regimen at steady state, with times from its first dose; `scaled`: those that follow.

    `reals` (n, 6) and `ints` (n, 7) as the kernels take them; `troughs`: rows of the levels before the
    doses of a cycle; `area`: the rows at the cycle's begin and end, None where no area is wanted.
    """

    regimen: Regimen
    index: int
    scaled: tuple[int, ...]
    reals: Floats
    ints: Ints
    troughs: tuple[int, ...]
    area: tuple[int, int] | None


class SteadyPatterns:
    """The patterns of some regimens for a model; `exposure` evaluates them for a patient's draws."""

    def __init__(self, model: Model, regimens: Sequence[Regimen], *, areas: bool, output: int = 0) -> None:
        self._model = model
        self._regimens = tuple(regimens)
        self._compiled = model.compiled_with_areas if areas else model.compiled
        may_scale = self._compiled.kind != NONLINEAR and not dose_acts_elsewhere(model)
        groups: dict[tuple[float, ...], list[int]] = {}
        # One amount first: it is the quickest to solve, and gives the scale of the others.
        for k, r in sorted(enumerate(regimens), key=lambda one: len(one[1].amounts_mg)):
            alone = not may_scale or (len(r.amounts_mg) > 1 and self._compiled.kind != _LINEAR)
            key = (r.interval_h, float(k)) if alone else (r.interval_h,)
            groups.setdefault(key, []).append(k)
        self._patterns = [
            _pattern(regimens[members[0]], members[0], tuple(members[1:]), model, output, areas)
            for members in groups.values()
        ]

    def exposure(
        self, effects: Floats, covariates: Floats, theta: Floats, at_h: float
    ) -> tuple[Floats, Floats]:
        """Troughs (mg/L) and areas in 24 h (mg·h/L, NaN where not wanted) of a cycle that ends at `at_h`.

        `effects` (n_draws, q): between subjects, then those of one occasion; `covariates` (n_covariates,),
        in the units of the model file. Returns two arrays (n_draws, n_regimens). A draw without a steady
        state is NaN.
        """
        from troughline.model.engine import Tolerance
        from troughline.pk.kernels.sampling import predict_at

        n, control = len(effects), Tolerance(relative=1e-5, absolute=1e-7)
        trough = np.full((n, len(self._regimens)), np.nan)
        area = np.full_like(trough, np.nan)
        compiled = self._compiled
        points = np.ascontiguousarray(effects)
        for p in self._patterns:
            start = at_h - p.regimen.period_h - (len(p.regimen.amounts_mg) - 1) * p.regimen.interval_h
            reals, rows = p.reals.copy(), len(p.reals)
            reals[:, 0] += start
            cov = np.ascontiguousarray(np.tile(covariates, (rows, 1)))
            f, err = np.empty((n, rows)), np.zeros((n, rows, 3))
            predict_at(
                compiled.layout, compiled.coefficients, compiled.addresses, theta, reals, p.ints, cov, 0,
                rows, control.relative, control.absolute, control.max_steps, points, f, err,
                np.zeros(n, dtype=np.int64),
            )  # fmt: skip
            trough[:, p.index] = f[:, list(p.troughs)].mean(axis=1)
            if p.area is not None:
                area[:, p.index] = (f[:, p.area[1]] - f[:, p.area[0]]) * 24.0 / p.regimen.period_h
            if not p.scaled:
                continue
            members = (p.index, *p.scaled)
            taken = self._taken_up([self._regimens[k] for k in members], effects, covariates, theta, start)
            for k, amount in zip(members[1:], taken[1:], strict=True):
                ratio = amount / taken[0]
                trough[:, k] = trough[:, p.index] * ratio
                area[:, k] = area[:, p.index] * ratio
        return trough, area

    def _taken_up(
        self, regimens: Sequence[Regimen], effects: Floats, covariates: Floats, theta: Floats, time_h: float
    ) -> list[Floats]:
        """Amount times bioavailability (n_draws,) of each regimen with one interval, the mean of its doses.

        Where the system is linear and its coefficients do not depend on time, the mean trough over a cycle
        is proportional to it: every dose meets the same system, whatever the others are.
        """
        amounts = [a for r in regimens for a in r.amounts_mg]
        times = [time_h + k * r.interval_h for r in regimens for k in range(len(r.amounts_mg))]
        dose, at = np.array(amounts)[:, None], np.array(times)[:, None]
        part = bioavailability(
            self._model.spec, effects, covariates, theta, dose_mg=dose, time_h=at,
            interval_h=regimens[0].interval_h,
        )[0]  # fmt: skip
        each = dose * np.broadcast_to(part, (len(amounts), len(effects)))
        ends = np.cumsum([len(r.amounts_mg) for r in regimens])[:-1]
        return [one.mean(axis=0) for one in np.split(each, ends)]


def _pattern(
    regimen: Regimen, index: int, scaled: tuple[int, ...], model: Model, output: int, areas: bool
) -> _Pattern:
    amounts, interval, period = regimen.amounts_mg, regimen.interval_h, regimen.period_h
    n = len(amounts)
    begin = (n - 1) * interval
    rows: list[dict[str, Any]] = [
        {"t": k * interval, "rank": 1, "amount": a, "steady": 1 if k == 0 else 2}
        for k, a in enumerate(amounts)
    ]
    troughs = [begin + (j + 1) * interval - _BEFORE_H for j in range(n)]
    rows += [{"t": t, "rank": 0, "what": "trough", "output": output} for t in troughs]
    if areas:
        whole = len(model.spec.outputs) + output
        rows.append({"t": begin, "rank": 2, "what": "begin", "output": whole})
        rows.append({"t": begin + period, "rank": 0, "what": "end", "output": whole})
    rows.sort(key=lambda r: (r["t"], r["rank"]))
    reals, ints = np.zeros((len(rows), 6)), np.zeros((len(rows), 7), dtype=np.int64)
    reals[:, 4:] = np.nan
    for i, r in enumerate(rows):
        dose = "amount" in r
        reals[i, :4] = (r["t"], r.get("amount", 0.0), 0.0, period if dose else 0.0)
        ints[i] = (
            DOSE if dose else OBSERVATION, 1 if dose else 0, r.get("steady", 0), ALL_INPUTS,
            r.get("output", 0), 0, MISSING,
        )  # fmt: skip
    named = [r.get("what") for r in rows]
    return _Pattern(
        regimen=regimen, index=index, scaled=scaled, reals=reals, ints=ints,
        troughs=tuple(i for i, what in enumerate(named) if what == "trough"),
        area=(named.index("begin"), named.index("end")) if areas else None,
    )  # fmt: skip


def names_with_dose(model: Model) -> frozenset[str]:
    """The amount of a dose, and the individual quantities that depend on it."""
    changing = {"dose"}
    for name, expression in model.spec.individual:
        if expression.names & changing:
            changing.add(name)
    return frozenset(changing)


def dose_acts_elsewhere(model: Model) -> bool:
    """Whether anything but one bioavailability depends on the amount of a dose."""
    spec, changing = model.spec, names_with_dose(model)
    others = [e for i in spec.inputs for e in (i.lag, i.duration, i.rate) if e is not None]
    others += [f.rate for f in spec.flows] + list(spec.derivatives.values())
    others += [e for g in spec.gates for e in (g.start, g.length) if e is not None]
    others += [o.prediction for o in spec.outputs] + [e for _, e in spec.variables]
    with_dose = sum(
        i.bioavailability is not None and bool(i.bioavailability.names & changing) for i in spec.inputs
    )
    return any(e.names & changing for e in others) or (with_dose > 0 and len(spec.inputs) > 1)
