"""Choosing the powers of a fractional polynomial, with and without interaction, in data and in draws."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.endpoint import Endpoint, EndpointError, Floats

Name = TypeVar("Name", bound=Hashable)
Powers = tuple[float, ...]
Flexibility = Literal[1, 2, 3, 4]
Pair = tuple[Powers, Powers]
"""The powers in the control arm and in the treated arm."""

POWERS = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0)
ENOUGH_EVENTS = 100
"""Events (or patients, for a mean) from which two powers are allowed; below, one."""
ALPHA = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What may be chosen: `simple` power kept unless another fits better, `degrees` allowed, `flexibility`.

    `forced` takes the best of the highest degree allowed instead.
    """

    simple: float
    degrees: tuple[int, ...]
    flexibility: Flexibility
    forced: bool

    def of_degree(self, degree: int) -> list[Powers]:
        """The candidates with that many powers."""
        return list(combinations_with_replacement(POWERS, degree))

    @property
    def mains(self) -> list[Powers]:
        """The candidates for the main effect."""
        return [powers for degree in self.degrees for powers in self.of_degree(degree)]

    @property
    def pairs(self) -> list[Pair]:
        """The candidates for the interaction: the same powers in both arms, or one of its own in each."""
        if self.flexibility == 4:
            return [((a,), (b,)) for a, b in product(POWERS, POWERS)]
        return [(powers, powers) for powers in self.mains]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Of B samples: `main` and `pair` (B,) places of the models chosen, `statistic` (B,) = 2(l_int − l_main).

    `nominal` (B,) is the χ² probability beyond the statistic with as many degrees of freedom as powers: a
    yardstick between functions of one and of two powers, not a p-value.
    """

    main: NDArray[np.int64]
    pair: NDArray[np.int64]
    statistic: Floats
    nominal: Floats


def choose(rules: Rules, mains: Mapping[Powers, Floats], pairs: Mapping[Pair, Floats]) -> Chosen:
    """Choose powers from the log-likelihoods (B,) of all candidates; minus infinity where one has no fit.

    The main effect: the simple power unless one other fits better (likelihood ratio, one degree of freedom,
    p < 0.05), two powers where they fit better still (two degrees). Of the interaction, by `flexibility`:

    1. the powers of the main effect;
    2. the powers for which the model with interaction fits best, the main effect given the same ones;
    3. the powers for which the model with interaction fits best, held against the best main effect;
    4. as 3 with one power of its own in each arm.

    In 2 to 4 the simple power is kept in the same way (two powers for one cost three degrees; a power of its
    own in each arm two).
    """
    from scipy.special import chdtrc

    main_values, of_pairs = np.array(list(mains.values())), np.array(list(pairs.values()))
    listed = list(pairs)
    main = _simplest(
        rules, [len(m) for m in mains], [set(m) == {rules.simple} for m in mains], main_values, 1, 2
    )
    if rules.flexibility == 1:
        pair = np.array([listed.index((powers, powers)) for powers in mains])[main]
    else:
        own = rules.flexibility == 4
        pair = _simplest(
            rules, [len(a) for a, _ in listed], [set(a + b) == {rules.simple} for a, b in listed], of_pairs,
            2 if own else 1, 3,
        )  # fmt: skip
    samples: NDArray[np.int64] = np.arange(int(of_pairs.shape[1]))
    against = main_values[main, samples]
    if rules.flexibility == 2:
        same = np.array([list(mains).index(powers) for powers, _ in listed])
        against = main_values[same[pair], samples]
    freedom = np.array([len(a) for a, _ in listed], dtype=np.float64)[pair]
    statistic = np.maximum(2 * (of_pairs[pair, samples] - against), 0.0)
    return Chosen(main=main, pair=pair, statistic=statistic, nominal=np.asarray(chdtrc(freedom, statistic)))


def _simplest(
    rules: Rules, degrees: Sequence[int], simple: Sequence[bool], values: Floats, cost_of_power: int,
    cost_of_second: int,
) -> NDArray[np.int64]:  # fmt: skip
    """Places (B,) of the simplest candidate that none fits significantly better than; `values` (m, B)."""
    from scipy.special import chdtrc

    samples: NDArray[np.int64] = np.arange(int(values.shape[1]))

    def best(degree: int) -> NDArray[np.int64]:
        places = np.flatnonzero(np.array(degrees) == degree)
        return np.asarray(places[np.argmax(values[places], axis=0)], dtype=np.int64)

    def better(place: NDArray[np.int64], other: NDArray[np.int64], cost: int) -> NDArray[np.bool_]:
        with np.errstate(invalid="ignore"):
            gain = 2 * np.nan_to_num(values[place, samples] - values[other, samples], nan=0.0)
        return np.asarray(chdtrc(cost, np.maximum(gain, 0.0)) < ALPHA)

    if rules.forced:
        return best(max(degrees))
    plain = np.full(samples.size, next(k for k, s in enumerate(simple) if s and degrees[k] == 1))
    one = best(1)
    chosen = np.where(better(one, plain, cost_of_power), one, plain)
    if max(degrees) == 1:
        return chosen
    two = best(2)
    return np.where(better(two, chosen, cost_of_second), two, chosen)


def fitted(endpoint: Endpoint, designs: Mapping[Name, Floats]) -> dict[Name, Floats]:
    """The log-likelihood (1,) of each design (n, p); minus infinity where it has no maximum."""
    found: dict[Name, Floats] = {}
    for powers, design in designs.items():
        value = -np.inf
        try:
            fit = endpoint.regress(design, [f"x{k}" for k in range(design.shape[1])])
            value = -np.inf if fit.penalised else fit.log_likelihood
        except EndpointError:
            pass
        found[powers] = np.array([value])
    return found
