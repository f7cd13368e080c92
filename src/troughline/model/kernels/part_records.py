"""What runs a patient's records, for models of every kind: the engine's parts that know no solver."""

from __future__ import annotations

from typing import Any

from troughline.model.kernels import layout as at
from troughline.model.kernels.advance import evaluate
from troughline.model.kernels.dosing import give_dose
from troughline.model.kernels.part import INTS, LONG, REALS, WORDS, carray, part
from troughline.model.kernels.patient import run_patient
from troughline.model.kernels.pending import pass_events
from troughline.model.kernels.steady import run_period, still_under_way


@part(INTS, REALS, WORDS, REALS, REALS, REALS, INTS)
def refresh(l: Any, c: Any, fn: Any, theta: Any, eta: Any, w: Any, i: Any, _: Any, __: Any) -> Any:  # noqa: E741
    return evaluate(
        carray(l, LONG), carray(c, LONG), carray(fn, LONG), carray(theta, LONG), carray(eta, LONG),
        carray(w, LONG), carray(i, LONG),
    )  # fmt: skip


@part(INTS, REALS, WORDS, REALS, REALS, REALS, INTS)
def pass_by(
    l: Any, c: Any, fn: Any, theta: Any, eta: Any, w: Any, i: Any, until: Any, inclusive: Any,  # noqa: E741
) -> Any:  # fmt: skip
    return pass_events(
        carray(l, LONG), carray(c, LONG), carray(fn, LONG), carray(theta, LONG), carray(eta, LONG),
        carray(w, LONG), carray(i, LONG), until, inclusive != 0.0,
    )  # fmt: skip


@part(INTS, REALS, WORDS, REALS, REALS, REALS, INTS)
def give(l: Any, c: Any, fn: Any, theta: Any, eta: Any, w: Any, i: Any, _: Any, __: Any) -> Any:  # noqa: E741
    return give_dose(
        carray(l, LONG), carray(c, LONG), carray(fn, LONG), carray(theta, LONG), carray(eta, LONG),
        carray(w, LONG), carray(i, LONG),
    )  # fmt: skip


@part(INTS, REALS, WORDS, REALS, REALS, REALS, INTS)
def trial(l: Any, c: Any, fn: Any, theta: Any, eta: Any, w: Any, i: Any, cycles: Any, planned: Any) -> Any:  # noqa: E741
    return run_period(
        carray(l, LONG), carray(c, LONG), carray(fn, LONG), carray(theta, LONG), carray(eta, LONG),
        carray(w, LONG), carray(i, LONG), int(cycles), planned != 0.0,
    )  # fmt: skip


@part(INTS, REALS, WORDS, REALS, REALS, REALS, INTS)
def under_way(l: Any, c: Any, fn: Any, theta: Any, eta: Any, w: Any, i: Any, _: Any, __: Any) -> Any:  # noqa: E741
    return still_under_way(carray(l, LONG), carray(w, LONG), carray(i, LONG))


@part(INTS, REALS, WORDS, REALS, REALS, REALS, INTS, REALS, REALS, INTS, REALS, REALS, REALS, REALS)
def patient(
    l: Any, c: Any, fn: Any, theta: Any, eta: Any, rf: Any, ri: Any, cov: Any,  # noqa: E741
    w: Any, i: Any, f: Any, df: Any, err: Any, derr: Any, first: Any, last: Any,
) -> Any:  # fmt: skip
    ll, ii = carray(l, LONG), carray(i, LONG)
    begin, end = int(first), int(last)
    rows, q = end - begin, ii[at.Q]
    return run_patient(
        ll, carray(c, LONG), carray(fn, LONG), carray(theta, LONG), carray(eta, LONG), carray(rf, (end, 6)),
        carray(ri, (end, 7)), carray(cov, (end, ll[at.N_COVARIATES])), begin, end, carray(w, LONG), ii,
        carray(f, rows), carray(df, (rows, ii[at.DF_COLUMNS])), carray(err, (rows, 3)),
        carray(derr, (rows, 3, q)),
    )  # fmt: skip
