"""One patient's records, as a part of the engine."""

from __future__ import annotations

from typing import Any

from troughline.model.kernels import layout as at
from troughline.model.kernels.part import INTS, LONG, REALS, WORDS, carray, part
from troughline.model.kernels.patient import run_patient


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
