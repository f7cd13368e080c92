"""Views of flat arrays, cheaper to compile and to make than slices.

A view keeps nothing alive: the array it looks into must outlive it. Bounds are not checked.
"""

from __future__ import annotations

import importlib
from typing import Any

from troughline.model.kernels.jit import inner, prepare

prepare()
_types: Any = importlib.import_module("numba").types
_intrinsic: Any = importlib.import_module("numba.extending").intrinsic
_arrays: Any = importlib.import_module("numba.np.arrayobj")


def _view(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """A C-contiguous array of the sizes args[2:] that begins at element args[1] of args[0]."""
    source = context.make_array(signature.args[0])(context, builder, args[0])
    kind = signature.return_type
    view = context.make_array(kind)(context, builder)
    width = context.get_constant(_types.intp, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
    strides = [width]
    for size in reversed(args[3:]):
        strides.insert(0, builder.mul(strides[0], size))
    _arrays.populate_array(
        view,
        data=builder.gep(source.data, [args[1]]),
        shape=args[2:],
        strides=strides,
        itemsize=width,
        meminfo=None,
    )
    return view._getvalue()


@_intrinsic
def vector(typing_context: Any, w: Any, start: Any, size: Any) -> Any:
    """A view of `size` numbers."""
    return _types.Array(w.dtype, 1, "C")(w, _types.intp, _types.intp), _view


@_intrinsic
def matrix(typing_context: Any, w: Any, start: Any, rows: Any, columns: Any) -> Any:
    """A view of rows × columns numbers."""
    return _types.Array(w.dtype, 2, "C")(w, _types.intp, _types.intp, _types.intp), _view


@_intrinsic
def cube(typing_context: Any, w: Any, start: Any, layers: Any, rows: Any, columns: Any) -> Any:
    """A view of layers × rows × columns numbers."""
    return _types.Array(w.dtype, 3, "C")(w, _types.intp, _types.intp, _types.intp, _types.intp), _view


@inner
def clear(w: Any, start: int, size: int) -> None:
    """Set `size` numbers to zero."""
    for k in range(start, start + size):
        w[k] = 0.0


@inner
def copy(source: Any, start: int, target: Any, place: int, size: int) -> int:
    """Copy `size` numbers of `source` from `start` to `place` in `target`; the place after them."""
    for k in range(size):
        target[place + k] = source[start + k]
    return place + size
