"""How a part of the engine becomes a C function that others call by address.

Each part takes the engine's flat arrays as pointers; `layout` and `workspace` say what they hold, so that
their lengths need not be known: a view is as long as the longest array could be, and bounds are not checked.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from troughline.model.kernels.jit import prepare

prepare()
_numba: Any = importlib.import_module("numba")
carray: Any = _numba.carray
_types: Any = _numba.types
REALS: Any = _types.CPointer(_types.float64)
INTS: Any = _types.CPointer(_types.int64)
WORDS: Any = _types.CPointer(_types.uint64)
LONG = 1 << 40


def part(*pointers: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile to a C function of arrays and two numbers that returns a status."""
    signature: Any = _types.int64(*pointers, _types.float64, _types.float64)
    decorate: Any = _numba.cfunc(signature, cache=True, error_model="numpy")
    return decorate
