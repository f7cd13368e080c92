"""Calls by address, so that the engine is compiled once for all models and each part of it once.

A generated function of a model is a C function that takes pointers to float64 and returns nothing; a part of
the engine (`parts`) takes pointers and two float64 and returns a status.
"""

from __future__ import annotations

import importlib
from typing import Any

from troughline.model.kernels.jit import inner

_types: Any = importlib.import_module("numba").types
_intrinsic: Any = importlib.import_module("numba.extending").intrinsic
_ir: Any = importlib.import_module("llvmlite.ir")


def _pointers(context: Any, builder: Any, signature: Any, args: Any) -> list[Any]:
    """Pointers to the data of the arrays in the tuple args[1], all as pointers to float64."""
    pointer = _ir.DoubleType().as_pointer()
    return [
        builder.bitcast(
            context.make_array(kind)(context, builder, builder.extract_value(args[1], i)).data, pointer
        )
        for i, kind in enumerate(signature.args[1].types)
    ]


@_intrinsic
def _call_void(typing_context: Any, function: Any, arrays: Any) -> Any:
    """Call `void f(double*, …)` at an address with a tuple of arrays."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = _pointers(context, builder, signature, args)
        function_type = _ir.FunctionType(_ir.VoidType(), [p.type for p in places])
        builder.call(builder.inttoptr(args[0], function_type.as_pointer()), places)
        return context.get_dummy_value()

    return _types.none(_types.uintp, arrays), build


@_intrinsic
def call_part(typing_context: Any, function: Any, arrays: Any, first: Any, second: Any) -> Any:
    """Call `int64 f(double*, …, double, double)` at an address with a tuple of arrays."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = _pointers(context, builder, signature, args)
        real = _ir.DoubleType()
        function_type = _ir.FunctionType(_ir.IntType(64), [*(p.type for p in places), real, real])
        return builder.call(
            builder.inttoptr(args[0], function_type.as_pointer()), [*places, args[2], args[3]]
        )

    return _types.int64(_types.uintp, arrays, _types.float64, _types.float64), build


@inner
def call_coefficients(address: Any, theta: Any, cov: Any, eta: Any, gates: Any, ctx: Any, p: Any) -> None:
    """p ← the model's slots at parameters θ, covariates, random effects, gates and context."""
    _call_void(address, (theta, cov, eta, gates, ctx, p))


@inner
def call_coefficients_d(
    address: Any, theta: Any, cov: Any, eta: Any, gates: Any, ctx: Any, p: Any, dp: Any
) -> None:
    """p ← the slots and dp (n_effects, n_slots) ← their derivatives by the random effects."""
    _call_void(address, (theta, cov, eta, gates, ctx, p, dp))


@inner
def call_rhs(address: Any, ctx: Any, x: Any, p: Any, f: Any) -> None:
    """f ← dx/dt (n_states)."""
    _call_void(address, (ctx, x, p, f))


@inner
def call_jacobian(address: Any, ctx: Any, x: Any, p: Any, jac: Any) -> None:
    """jac (n_states, n_states) ← ∂f/∂x."""
    _call_void(address, (ctx, x, p, jac))


@inner
def call_rhs_tangent(address: Any, ctx: Any, x: Any, p: Any, dx: Any, dp: Any, df: Any) -> None:
    """df ← (∂f/∂x)·dx + (∂f/∂p)·dp for one direction."""
    _call_void(address, (ctx, x, p, dx, dp, df))


@inner
def call_jacobian_tangent(address: Any, ctx: Any, x: Any, p: Any, dx: Any, dp: Any, v: Any, out: Any) -> None:
    """out ← (d/dε J(x + ε·dx, p + ε·dp))·v for one direction."""
    _call_void(address, (ctx, x, p, dx, dp, v, out))


@inner
def call_time_derivative(address: Any, ctx: Any, x: Any, p: Any, ft: Any) -> None:
    """ft ← ∂f/∂t, with time and time after dose advancing together."""
    _call_void(address, (ctx, x, p, ft))


@inner
def call_time_derivative_tangent(address: Any, ctx: Any, x: Any, p: Any, dx: Any, dp: Any, dft: Any) -> None:
    """dft ← the directional derivative of ∂f/∂t along (dx, dp)."""
    _call_void(address, (ctx, x, p, dx, dp, dft))


@inner
def call_output(address: Any, ctx: Any, x: Any, p: Any, out: Any, dx: Any, dp: Any) -> None:
    """out[0] ← the prediction h(x, p); dx ← ∂h/∂x (n_states); dp ← ∂h/∂p (n_slots)."""
    _call_void(address, (ctx, x, p, out, dx, dp))
