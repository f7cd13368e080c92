"""A model whose published typical values are uncertain: their intervals become random effects of one patient.

For a single patient an uncertain typical value and a random effect are the same thing, an unknown with a
prior that his levels tell something of. So each parameter with an interval gets an effect of variance 1
beside the model's own, and estimate, posterior and prediction carry it exactly.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from troughline.model.expressions import Expression, parse
from troughline.model.model import Model
from troughline.model.spec import Parameter, RandomBlock

if TYPE_CHECKING:
    from troughline.model.spec import ModelSpec

PREFIX = "unc_"
_TYPICAL = "_typical"
_LEAST_SD = 1e-3
_SAME = 0.05
"""Two sides of an interval, on its scale, that differ by less than this share are taken as equal."""


def uncertain_parameters(spec: ModelSpec) -> tuple[Parameter, ...]:
    """The parameters with an interval on both sides that the individual quantities may depend on."""
    fixed = _used_by_errors_alone(spec)
    return tuple(
        p for p in spec.parameters
        if p.low is not None and p.high is not None and p.high > p.low and p.name not in fixed
    )  # fmt: skip


def with_uncertain_parameters(model: Model) -> Model:
    """The model with an effect for each parameter that has an interval; the same model where none has.

    With value m, limits l and h of level 1 − 2α on the scale g (logit where all lie between 0 and 1 and the
    parameter is a pure number, log where all are positive, else none) and u a standard normal, the
    parameter is g⁻¹(g(m) + s(u)), s(u) = a (e^(bu) − 1)/b, with a and b such that s(±z) reaches the limits
    exactly: Tukey's g distribution (Tukey 1977, Exploratory Data Analysis), the normal where the sides are
    equal. Where the value lies on a limit, s(u) = u (g(h) − g(l))/2z. Parameters are taken as independent.
    """
    spec = model.spec
    chosen = uncertain_parameters(spec)
    if not chosen:
        return model
    names = {p.name for p in chosen}
    effects = tuple(PREFIX + p.name for p in chosen)
    parameters = tuple(
        replace(p, name=p.name + _TYPICAL, low=None, high=None) if p.name in names else p
        for p in spec.parameters
    )
    individual = tuple((p.name, _expression(p)) for p in chosen)
    block = RandomBlock(
        level="subject", effects=effects, covariance=np.eye(len(effects)), source="the intervals of the file"
    )
    subject = tuple(b for b in spec.random if b.level == "subject")
    occasion = tuple(b for b in spec.random if b.level == "occasion")
    digest = hashlib.sha256(
        "\0".join(["uncertain", spec.sha256, *(e.text for _, e in individual)]).encode()
    ).hexdigest()
    return Model(
        replace(
            spec, parameters=parameters, individual=(*individual, *spec.individual),
            random=(*subject, block, *occasion), tests=(), sha256=digest,
        )
    )  # fmt: skip


def _expression(p: Parameter) -> Expression:
    """The parameter as an expression of its typical value and its effect."""
    assert p.low is not None
    assert p.high is not None
    z = NormalDist().inv_cdf(0.5 + (p.level or 0.95) / 2)
    typical, effect = p.name + _TYPICAL, PREFIX + p.name
    bounded = p.unit == "1" and p.low > 0 and p.high < 1 and 0 < p.value_as_written < 1
    if bounded:
        low, value, high = (math.log(x / (1 - x)) for x in (p.low, p.value_as_written, p.high))
        return parse(f"expit(logit({typical}) + {_shift(low, value, high, z, effect)})")
    if p.low > 0 and p.value_as_written > 0:
        low, value, high = (math.log(x) for x in (p.low, p.value_as_written, p.high))
        return parse(f"{typical} * exp({_shift(low, value, high, z, effect)})")
    scale = p.value / p.value_as_written if p.value_as_written else 1.0
    low, value, high = (x * scale for x in (p.low, p.value_as_written, p.high))
    return parse(f"{typical} + {_shift(low, value, high, z, effect)}[{p.unit}]")


def _shift(low: float, value: float, high: float, z: float, effect: str) -> str:
    """s(u), with u the effect."""
    down, up = value - low, high - value
    if min(down, up) <= _SAME * (high - low) or abs(up - down) < _SAME * (up + down):
        return f"{max((high - low) / (2 * z), _LEAST_SD):.12g} * {effect}"
    b = math.log(up / down) / z
    a = b * up / (math.exp(b * z) - 1)
    return f"{a / b:.12g} * (exp({b:.12g} * {effect}) - 1)"


def _used_by_errors_alone(spec: ModelSpec) -> frozenset[str]:
    """Names that only residual errors use: they describe the noise, not the patient."""
    errors: set[str] = set()
    others: set[str] = set()
    for output in spec.outputs:
        parts = (output.error.additive, output.error.proportional, output.error.power)
        errors |= {n for e in parts if e is not None for n in e.names}
        others |= output.prediction.names
    expressions = [e for _, e in (*spec.individual, *spec.variables)]
    expressions += [f.rate for f in spec.flows] + list(spec.derivatives.values())
    for i in spec.inputs:
        expressions += [e for e in (i.bioavailability, i.lag, i.duration, i.rate) if e is not None]
    for g in spec.gates:
        expressions += [e for e in (g.start, g.length) if e is not None]
    expressions += [s.initial for s in spec.states if s.initial is not None]
    for e in expressions:
        others |= e.names
    return frozenset(errors - others)
