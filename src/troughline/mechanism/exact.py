"""The exact run of one virtual patient's states: every dose, hour by hour, to the solver's last digits.

What the patient loop approximates by means over its steps, this integrates: the pharmacokinetic states and
the mechanism together, stopped at every dose and every switch of the gate. It takes seconds a patient and is
what the loop's error is measured against.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.mechanism.source import DRIVEN

if TYPE_CHECKING:
    from troughline.mechanism.runner import Runner

Floats = NDArray[np.float64]


def exact_course(
    runner: Runner,
    *,
    covariates: Floats,
    pk_covariates: Floats,
    effects: Floats,
    pk_effects: Floats,
    doses: Sequence[tuple[float, float]],
    sample_days: Sequence[float],
    sessions: Sequence[tuple[float, str]] = (),
    theta: Floats | None = None,
    tolerance: float = 1e-9,
) -> Floats:
    """The outputs at `sample_days` (n_samples, n_outputs), and the concentration (mg/L) as last column.

    `covariates`, `pk_covariates`, `effects`, `pk_effects`: one patient's row. `doses`: (hour, mg) in order;
    the time to the next is its interval, that of the last the one before. `sessions`: (day, `tace` or
    `ablation`) of local therapy. No second drug, no progression. Hazards are per hour. Raises `ValueError`
    where the solver fails, and for a session that the mechanism has no state for.
    """
    from scipy.integrate import solve_ivp

    module, layout = runner.module, runner.layout
    n, k = layout.n_states, layout.n_pk_states
    values = runner.theta() if theta is None else theta
    pk_theta = runner.kinetics.theta
    cov = covariates.astype(np.float64).copy()
    for place in layout.driven:
        cov[place] = 0.0
    personal, slots = np.zeros(layout.n_personal), np.zeros(layout.n_pk_slots)
    module.personal_values(values, cov, effects, personal)
    x = np.zeros(n + k)
    module.start(values, cov, effects, personal, x[:n])
    matrices: list[Floats] = []
    for gate in (0.0, 1.0):
        module.pk_values(pk_theta, pk_covariates, pk_effects, gate, 0.0, 0.0, 12.0, slots)
        a = np.zeros(k * k)
        module.pk_matrix(slots, a)
        matrices.append(a.reshape(k, k))
    opens = float(module.pk_gate_opens(slots))
    drug = layout.driven[DRIVEN.index("sorafenib")]
    f, d = np.zeros(n), np.zeros(n)

    def slope(t: float, y: Floats, a: Floats) -> Floats:
        z = y[n:]
        cov[drug] = float(module.pk_level(slots, z))
        module.rates(values, cov, effects, personal, y[:n], f, d)
        return np.concatenate([f, a @ z])

    def jump(amount: float, t: float, interval: float) -> None:
        module.pk_values(pk_theta, pk_covariates, pk_effects, 1.0, t, amount, interval, slots)
        module.pk_dose(slots, amount, x[n:])

    asked = 24.0 * np.asarray(sample_days, dtype=np.float64)
    states = [s.name for s in runner.mechanism.states]
    unknown = sorted({kind for _, kind in sessions} - set(states))
    if unknown:
        raise ValueError(f"the mechanism has no state for a session of {', '.join(unknown)}")
    shots = [(24.0 * day, states.index(kind)) for day, kind in sessions]
    stops = _stops(doses, [*asked.tolist(), *(t for t, _ in shots)], float(asked.max()), opens)
    given = dict(doses)
    times = [t for t, _ in doses]
    rows: list[Floats] = []
    y = np.zeros(len(layout.outputs))
    gate, t = 1, 0.0
    for end in stops:
        if end > t:
            made: Any = solve_ivp(
                slope, (t, end), x, method="DOP853", rtol=tolerance, atol=1e-3 * tolerance,
                args=(matrices[gate],),
            )  # fmt: skip
            if not made.success:
                raise ValueError(f"the exact run stopped at {t:g} h: {made.message}")
            x, t = made.y[:, -1].copy(), end
        if end in asked:
            cov[drug] = float(module.pk_level(slots, x[n:]))
            module.observe(values, cov, effects, personal, x[:n], y)
            rows.append(np.append(y, cov[drug]))
        for shot, state in shots:
            if shot == end:
                x[state] += 1.0
        if end in given:
            place = times.index(end)
            spans = np.diff(times) if len(times) > 1 else np.array([12.0])
            jump(given[end], end, float(spans[min(place, len(spans) - 1)]))
            gate = 0
        elif any(abs(end - (s + opens)) < 1e-9 for s in times):
            gate = 1
    return np.array(rows)


def _stops(
    doses: Sequence[tuple[float, float]], asked: Sequence[float], end: float, opens: float
) -> list[float]:
    times = [t for t, _ in doses]
    turns = [t + opens for i, t in enumerate(times) if i + 1 == len(times) or t + opens < times[i + 1]]
    return sorted({s for s in (*times, *turns, *asked) if s <= end})
