"""A run that pauses, so that what is seen until then may change the doses that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.mechanism.loop import patient as at

if TYPE_CHECKING:
    from troughline.mechanism.population import Patients
    from troughline.mechanism.runner import Courses, Runner
    from troughline.mechanism.treatment import Arm, Protocol

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Stepwise:
    """The course of an arm, lived through piece by piece.

    Without `prescribed` the doses are the arm's: pauses then change nothing, to the last bit, beside a run
    whose steps end on the same days (as with `sample_days` there). With `prescribed` the first line's doses
    are those of half-day slots:

    - `prescribed` (n, S): mg at the start of each slot of 12 h, S at least twice the horizon's days; `spans`
      (n, H + 1): the dosing interval in force on each day, h. Both may be changed while the run pauses. The
      arm's levels then say only what a second drug does at each, `level` from 0 on.
    - `last_day` (n,): when the data of each patient end; None: at the horizon.
    - `morning` (n, H + 1): written as days pass, the level before the morning dose, mg/L.
    - A toxicity that limits the dose pauses the patient; it holds the doses for the arm's `hold_days`,
      counted from the next whole day. Where `no_lower` it ends the treatment instead.
    """

    def __init__(
        self, runner: Runner, patients: Patients, arm: Arm, protocol: Protocol, *,
        values: Mapping[str, float] | None = None, sample_days: Sequence[float] = (),
        prescribed: tuple[Floats, Floats, Floats] | None = None, last_day: Floats | None = None,
    ) -> None:  # fmt: skip
        n = len(patients)
        self._runner = runner
        self._ready = runner.prepared(
            patients, arm, protocol, values=values, sample_days=sample_days, last_day=last_day
        )
        self._rules = self._ready.rules.copy()
        self._covariates = patients.covariates.copy()
        self._effects = patients.pk_effects.copy()
        self._work = np.zeros((n, runner.layout.work))
        self._kept = self._work[:, runner.layout.kept :]
        none = np.zeros((n, 1))
        self._doses = (none, none, none) if prescribed is None else prescribed
        if prescribed is not None:
            days = int(np.ceil(protocol.horizon_days))
            for name, array, width in zip(
                ("prescribed", "spans", "morning"), prescribed, (2 * days, days + 1, days + 1), strict=True
            ):
                if array.shape[0] != n or array.shape[1] < width:
                    raise ValueError(f"{name} must be {n} by at least {width}, not {array.shape}")
            self._rules[at.RULE_PRESCRIBED] = 1.0

    def go(self, until_day: float, *, threads: int | None = 1) -> Ints:
        """Live on until a day; returns the patients (their places) that a toxicity has paused before it.

        They go on with the next call, whatever its day.
        """
        self._rules[at.RULE_UNTIL] = until_day
        self._kept[:, at.AT_PAUSED] = 0.0
        prescribed, spans, morning = self._doses

        def chunk(begin: int, end: int) -> None:
            part = slice(begin, end)
            self._runner.launch(
                self._ready, part, self._rules, self._covariates[part], self._effects[part],
                self._work[part], prescribed[part], spans[part], morning[part],
            )  # fmt: skip

        self._runner.over_patients(chunk, len(self._work), threads)
        self._rules[at.RULE_RESUME] = 1.0
        kept = self._kept
        return np.flatnonzero((kept[:, at.AT_PAUSED] > 0.5) & (kept[:, at.AT_ENDED] < 0.5)).astype(np.int64)

    @property
    def day(self) -> Floats:
        """How far each patient has come (n,); who has died or come to the horizon stays there."""
        return self._kept[:, at.AT_DAY]

    @property
    def first_line_end(self) -> Floats:
        """The day on which each patient's first line ended by now (n,); ∞ where it goes on.

        By death too, and with the patient's data (`last_day`).
        """
        out = self._ready.out
        stopped = out[:, at.OUT_STOP] < at.NEVER
        died = np.where(out[:, at.OUT_DIED] > 0.5, out[:, at.OUT_DEATH], np.inf)
        end = np.where(stopped, np.minimum(out[:, at.OUT_STOP], died), died)
        over = self._kept[:, at.AT_ENDED] > 0.5
        return np.where(over, np.minimum(end, self._kept[:, at.AT_DAY]), end)

    def take_effects(self, pk_effects: Floats) -> None:
        """Other random effects of the exposure (n, q) from now on: a new occasion."""
        self._effects[:] = pk_effects

    def note_change(self, rows: Ints, day: float) -> None:
        """The doses of some patients change on a day: steps are short after it."""
        self._kept[rows, at.AT_CHANGED] = day

    def note_levels(self, rows: Ints, level: Ints) -> None:
        """How far the doses of some patients have been reduced; a second drug goes down with them."""
        self._kept[rows, at.AT_LEVEL] = np.minimum(level, self._ready.sizes[0] - 1)

    def note_lowest(self, no_lower: Flags) -> None:
        """Whose next toxicity that limits the dose ends the treatment (n,)."""
        self._kept[:, at.AT_LAST] = no_lower

    def note_reductions(self, count: Ints) -> None:
        """How often each patient's prescribed dose was reduced (n,), beside reductions of a second line."""
        self._ready.out[:, at.OUT_REDUCTIONS] += count

    def courses(self) -> Courses:
        """What became of the patients. Raises `RunError` where a state is not a finite number."""
        return self._ready.courses()
