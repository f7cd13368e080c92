"""The individual quantities of a model, clearance and volume and so on, of patients with known effects."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.model.spec import CONTEXT_NAMES

if TYPE_CHECKING:
    from troughline.model.spec import ModelSpec

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class IndividualParameters:
    """The quantities of `[individual]` that depend on effects or covariates, and on parameters.

    Those that change with time or with the dose are left out: they have no single value.
    `names` and `units` (canonical: h, mg, L) (k,).
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    _evaluate: Callable[..., Any]

    def of(self, effects: Floats, covariates: Floats, theta: Floats) -> Floats:
        """The quantities (..., k) for effects (..., m), those between subjects and then of one occasion.

        `covariates` (..., n_covariates) in the units of the model file; `theta` (n_parameters,) canonical.
        """
        shape = np.broadcast_shapes(effects.shape[:-1], covariates.shape[:-1])
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = self._evaluate(*theta, *np.moveaxis(covariates, -1, 0), *np.moveaxis(effects, -1, 0))
        columns = [np.broadcast_to(np.asarray(v, dtype=np.float64), shape) for v in values]
        return np.stack(columns, axis=-1) if columns else np.empty((*shape, 0))


def individual_parameters(spec: ModelSpec) -> IndividualParameters:
    """The individual quantities of a model as functions of effects and covariates."""
    from troughline.model.expressions import to_sympy

    sympy: Any = importlib.import_module("sympy")

    def symbols(prefix: str, names: tuple[str, ...]) -> dict[str, Any]:
        return {name: sympy.Symbol(f"{prefix}_{name}", real=True) for name in names}

    theta = symbols("theta", tuple(p.name for p in spec.parameters))
    covariates = symbols("cov", tuple(c.name for c in spec.covariates))
    effects = symbols("eff", (*spec.subject_effects, *spec.occasion_effects))
    levels = {c.name: c.levels for c in spec.covariates if c.levels is not None}
    known: dict[str, Any] = {**theta, **effects}
    for covariate in spec.covariates:
        factor = sympy.Rational(covariate.factor.numerator, covariate.factor.denominator)
        known[covariate.name] = factor * covariates[covariate.name]
    changing = {*CONTEXT_NAMES, *(g.name for g in spec.gates), *(s.name for s in spec.states)}
    varies = {*covariates.values(), *effects.values()}
    made: dict[str, Any] = {}
    for name, expression in spec.individual:
        if expression.names & changing:
            changing.add(name)
            continue
        known[name] = to_sympy(expression, known, levels)
        if sympy.sympify(known[name]).free_symbols & varies:
            made[name] = known[name]
    arguments = [*theta.values(), *covariates.values(), *effects.values()]
    evaluate: Any = sympy.lambdify(arguments, list(made.values()), modules=["scipy", "numpy"], cse=True)
    return IndividualParameters(tuple(made), quantity_units(spec, tuple(made)), evaluate)


def quantity_units(spec: ModelSpec, names: tuple[str, ...]) -> tuple[str, ...]:
    """The canonical unit of each quantity, as its expression gives it."""
    from troughline.model.dimensions import EFFECT, Dimension, dimension_of, infer

    known: dict[str, Dimension] = {p.name: dimension_of(p.unit) for p in spec.parameters}
    known |= {c.name: dimension_of(c.unit) for c in spec.covariates if c.levels is None}
    known |= dict.fromkeys((*spec.subject_effects, *spec.occasion_effects), EFFECT)
    found: dict[str, str] = {}
    for name, expression in spec.individual:
        known[name] = infer(expression.tree, known)[0]
        text = str(known[name])
        found[name] = text if known[name].powers else "1"
    return tuple(found[name] for name in names)
