"""Products of small matrices with rows of numbers, written for the processor's vector units.

A row holds `width` numbers: a multiple of 8 or, where a product says so, 1 or 4. Numba does not vectorise
sums over a short inner loop, so the loops are written in LLVM's own vectors, which run on every processor.
Each product below keeps its running sum in registers and writes every element of `out` once; `out` overlaps
no other argument. Arrays are C-contiguous float64, index lists int64; their sizes are the caller's to check.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from troughline.model.kernels.jit import prepare

prepare()
_types: Any = importlib.import_module("numba").types
_extending: Any = importlib.import_module("numba.extending")
_cgutils: Any = importlib.import_module("numba.core.cgutils")
_ir: Any = importlib.import_module("llvmlite.ir")

_DOUBLE, _INT32 = _ir.DoubleType(), _ir.IntType(32)
_FUSED = ("contract",)
LANES = 8


class _Rows:
    """Writes the instructions that read, sum and store `lanes` neighbouring numbers, `offset` into a row."""

    def __init__(self, builder: Any, lanes: int, offset: Any) -> None:
        self.builder, self.lanes, self.offset = builder, lanes, offset
        self.type = _DOUBLE if lanes == 1 else _ir.VectorType(_DOUBLE, lanes)

    def _place(self, array: Any, index: Any) -> Any:
        place = self.builder.gep(array, [self.builder.add(index, self.offset)])
        return place if self.lanes == 1 else self.builder.bitcast(place, self.type.as_pointer())

    def load(self, array: Any, index: Any) -> Any:
        return self.builder.load(self._place(array, index), align=8)

    def store(self, value: Any, array: Any, index: Any) -> None:
        self.builder.store(value, self._place(array, index), align=8)

    def spread(self, number: Any) -> Any:
        """The same number in every lane."""
        if self.lanes == 1:
            return number
        empty = _ir.Constant(self.type, _ir.Undefined)
        first = self.builder.insert_element(empty, number, _ir.Constant(_INT32, 0))
        zeros = _ir.Constant(_ir.VectorType(_INT32, self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, empty, zeros)

    def sum(self, first: Any, left: Any, right: Any) -> Any:
        """first + left · right, which the processor may round once."""
        product = self.builder.fmul(left, right, flags=_FUSED)
        return self.builder.fadd(first, product, flags=_FUSED)

    def times(self, value: Any, number: Any) -> Any:
        return self.builder.fmul(value, self.spread(number))

    def zero(self) -> Any:
        return _ir.Constant(self.type, None if self.lanes > 1 else 0.0)

    def running(self, value: Any) -> Any:
        """A variable for a sum; LLVM keeps it in a register."""
        place = _cgutils.alloca_once(self.builder, self.type)
        self.builder.store(value, place)
        return place


@contextmanager
def _each(builder: Any, start: Any, stop: Any) -> Generator[Any]:
    with _cgutils.for_range_slice(builder, start, stop, stop.type(1), intp=stop.type) as (index, _):
        yield index


def _number(builder: Any, array: Any, index: Any) -> Any:
    return builder.load(builder.gep(array, [index]))


def _build_borrowed(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    kind = signature.return_type
    array = context.make_array(kind)(context, builder, values[0])
    array.meminfo = _cgutils.get_null_value(array.meminfo.type)
    array.parent = _cgutils.get_null_value(array.parent.type)
    return array._getvalue()


@_extending.intrinsic
def borrowed(typing_context: Any, array: Any) -> Any:
    """`array` without its reference count, for cutting into views; it must outlive them.

    Counting references to every view of scratch space costs more than what a small system needs.
    """
    return array(array), _build_borrowed


def _each_strip(builder: Any, width: Any, narrow: tuple[int, ...], emit: Callable[[_Rows], None]) -> None:
    """The instructions for a row of one of the `narrow` widths, or else for each strip of 8 lanes."""
    zero = width.type(0)
    if narrow:
        fits = builder.icmp_signed("==", width, width.type(narrow[0]))
        with builder.if_else(fits) as (at_once, wider):
            with at_once:
                emit(_Rows(builder, narrow[0], zero))
            with wider:
                _each_strip(builder, width, narrow[1:], emit)
    else:
        loop = _cgutils.for_range_slice(builder, zero, width, width.type(LANES), intp=width.type)
        with loop as (offset, _):
            emit(_Rows(builder, LANES, offset))


def _product(names: str, narrow: tuple[int, ...], emit: Callable[..., None]) -> Any:
    """An intrinsic of the arguments `names`; emit(rows, **arguments) writes one strip of lanes.

    A name in capitals is an array, of which emit gets the pointer to its data; where the same name also
    stands in small letters, that is the place in it to begin at. `width` is the width of a row, `scale` and
    `weight` are float64, any other name an integer.
    """
    listed = names.split()

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        given: dict[str, Any] = {}
        for name, kind, value in zip(listed, signature.args, values, strict=True):
            is_array = isinstance(kind, _types.Array)
            given[name] = context.make_array(kind)(context, builder, value).data if is_array else value
        for name in [name for name in given if name.upper() in given and name.islower()]:
            given[name.upper()] = builder.gep(given[name.upper()], [given.pop(name)])
        _each_strip(builder, given["width"], narrow, lambda rows: emit(rows, **given))
        return context.get_dummy_value()

    def typed(*kinds: Any) -> Any:
        wanted = [
            kind if name.isupper() else _types.float64 if name in ("scale", "weight") else _types.intp
            for name, kind in zip(listed, kinds, strict=True)
        ]
        return _types.none(*wanted), build

    arguments = ", ".join(listed)
    scope: dict[str, Any] = {"typed": typed}
    exec(f"def product(typing_context, {arguments}):\n    return typed({arguments})\n", scope)
    return _extending.intrinsic(scope["product"])


def _emit_jets(rows: _Rows, *, rank: Any, width: Any, room: Any, STOP: Any, COLUMN: Any, VALUE: Any,
               SLOPE: Any, U: Any, weight: Any, OUT: Any, TOTAL: Any) -> None:  # fmt: skip
    builder = rows.builder
    with _each(builder, rank.type(0), rank) as i:
        acc = rows.running(rows.zero())
        with _each(builder, builder.mul(i, room), _number(builder, STOP, i)) as e:
            place = _number(builder, COLUMN, e)
            value = rows.spread(_number(builder, VALUE, e))
            total = rows.sum(builder.load(acc), value, rows.load(U, place))
            if rows.lanes > 1:
                slope = rows.load(SLOPE, builder.mul(e, width))
                total = rows.sum(total, slope, rows.spread(_number(builder, U, place)))
            builder.store(total, acc)
        place = builder.mul(i, width)
        result = builder.load(acc)
        rows.store(result, OUT, place)
        rows.store(rows.sum(rows.load(TOTAL, place), result, rows.spread(weight)), TOTAL, place)


def _by_pairs(builder: Any, count: Any, part: Callable[[Any, int, bool], None]) -> None:
    """part(j, several, with_value): the value and `several` directions from j on; all of `count` in turn.

    Two directions share what they read of the value and of the matrix.
    """
    zero, one, two = count.type(0), count.type(1), count.type(2)
    odd = builder.trunc(count, _ir.IntType(1))
    with builder.if_else(builder.icmp_signed("==", count, zero)) as (none, some):
        with none:
            part(zero, 0, True)
        with some, builder.if_else(odd) as (one_first, two_first):
            with one_first:
                part(zero, 1, True)
            with two_first:
                part(zero, 2, True)
    first = builder.select(odd, one, two)
    with _cgutils.for_range_slice(builder, first, count, two, intp=count.type) as (j, _):
        part(j, 2, False)


def _emit_sparse(rows: _Rows, *, rank: Any, count: Any, width: Any, room: Any, STOP: Any, COLUMN: Any,
                 VALUE: Any, SLOPE: Any, INIT: Any, scale: Any, NOW: Any, OUT: Any) -> None:  # fmt: skip
    builder = rows.builder
    block, entries = builder.mul(rank, width), builder.mul(rank, room)

    def part(j: Any, several: int, with_value: bool) -> None:
        ahead = [builder.add(j, j.type(k)) for k in range(several)]
        slopes = [builder.mul(k, entries) for k in ahead]
        shifts = [builder.mul(builder.add(k, k.type(1)), block) for k in ahead]
        with _each(builder, rank.type(0), rank) as i:
            accs = [rows.running(rows.zero()) for _ in range(several + 1)]
            with _each(builder, builder.mul(i, room), _number(builder, STOP, i)) as e:
                place = _number(builder, COLUMN, e)
                value = rows.spread(_number(builder, VALUE, e))
                base = rows.load(NOW, place)
                if with_value:
                    builder.store(rows.sum(builder.load(accs[0]), value, base), accs[0])
                for acc, slope_at, shift in zip(accs[1:], slopes, shifts, strict=True):
                    slope = rows.spread(_number(builder, SLOPE, builder.add(slope_at, e)))
                    total = rows.sum(builder.load(acc), slope, base)
                    builder.store(rows.sum(total, value, rows.load(NOW, builder.add(place, shift))), acc)
            for acc, shift in zip(accs, [block.type(0), *shifts], strict=True):
                if acc is not accs[0] or with_value:
                    place = builder.add(builder.mul(i, width), shift)
                    total = rows.sum(rows.load(INIT, place), builder.load(acc), rows.spread(scale))
                    rows.store(total, OUT, place)

    _by_pairs(builder, count, part)


def _emit_square(rows: _Rows, *, rank: Any, count: Any, width: Any, FIRST: Any, LAST: Any, NOW: Any,
                 OUT: Any) -> None:  # fmt: skip
    builder = rows.builder
    block = builder.mul(rank, width)

    def part(j: Any, several: int, with_value: bool) -> None:
        shifts = [builder.mul(builder.add(j, j.type(k + 1)), block) for k in range(several)]
        with _each(builder, rank.type(0), rank) as i:
            here = builder.mul(i, width)
            accs = [rows.running(rows.zero()) for _ in range(several + 1)]
            with _each(builder, _number(builder, FIRST, i), _number(builder, LAST, i)) as k:
                at, below = builder.add(here, k), builder.mul(k, width)
                left, base = rows.spread(_number(builder, NOW, at)), rows.load(NOW, below)
                if with_value:
                    builder.store(rows.sum(builder.load(accs[0]), left, base), accs[0])
                for acc, shift in zip(accs[1:], shifts, strict=True):
                    slope = rows.spread(_number(builder, NOW, builder.add(at, shift)))
                    total = rows.sum(builder.load(acc), slope, base)
                    builder.store(rows.sum(total, left, rows.load(NOW, builder.add(below, shift))), acc)
            for acc, shift in zip(accs, [block.type(0), *shifts], strict=True):
                if acc is not accs[0] or with_value:
                    rows.store(builder.load(acc), OUT, builder.add(here, shift))

    _by_pairs(builder, count, part)


def _emit_weighted(rows: _Rows, *, terms: Any, width: Any, INIT: Any, WEIGHTS: Any,
                   RIGHT: Any, OUT: Any) -> None:  # fmt: skip
    builder = rows.builder
    zero = terms.type(0)
    acc = rows.running(rows.load(INIT, zero))
    with _each(builder, zero, terms) as k:
        weight = rows.spread(_number(builder, WEIGHTS, k))
        builder.store(rows.sum(builder.load(acc), weight, rows.load(RIGHT, builder.mul(k, width))), acc)
    rows.store(builder.load(acc), OUT, zero)


jet_product = _product("rank width room STOP COLUMN VALUE SLOPE U u weight OUT out TOTAL", (1, 4), _emit_jets)
"""out ← M u and total ← total + weight · out, where every number carries width − 1 derivatives behind it.

M (rank, rank) is sparse: the entries of row i are i · room … STOP[i] − 1. COLUMN holds their column ·
width, VALUE their value, SLOPE (entries, width) its derivatives, 0 in lane 0. u, out, total: (rank, width).
"""

sparse_product = _product(
    "rank count width room STOP COLUMN VALUE SLOPE INIT scale NOW now OUT out", (1,), _emit_sparse
)
"""out ← init + scale · M now, and after it the derivatives out′ ← init′ + scale · (M now′ + M′ now).

now, out, init: (1 + count, rank, width). M as in `jet_product`; SLOPE (count, rank · room) holds M′.
"""

square = _product("rank count width FIRST LAST NOW now OUT out", (), _emit_square)
"""out ← now · now, and after it the derivatives out′ ← now · now′ + now′ · now; (1 + count, rank, width).

In row i of the left factors, only columns FIRST[i] … LAST[i] − 1 are not zero.
"""

weighted_sum = _product("terms width INIT WEIGHTS RIGHT OUT", (), _emit_weighted)
"""out (width,) ← init + Σ weights[k] · right[k], right (terms, width)."""
