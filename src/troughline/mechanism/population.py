"""Virtual patients: covariates and random effects drawn by (seed, id), and what a population is made of."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from troughline.mechanism.loop import patient as at

if TYPE_CHECKING:
    from troughline.model.spec import ModelSpec

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
POPULATIONS = Path(__file__).resolve().parent / "data" / "populations.toml"
_WORDS = 4  # a block of the generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """How a covariate is distributed in a population.

    `log-normal`: `center` is the median and `spread` the SD of the logarithm; `normal`: mean and SD; both
    are cut to `low` … `high` by drawing from what lies between. `levels`: the share of each level, in the
    mechanism's order; a covariate of 0 and 1 takes its share of ones as `center` with kind `share`.
    """

    kind: Literal["log-normal", "normal", "share", "levels", "fixed"]
    center: float = 0.0
    spread: float = 0.0
    low: float = -np.inf
    high: float = np.inf
    shares: tuple[float, ...] = ()

    def value(self, normal: Floats) -> Floats:
        """Covariate values from standard normal draws (n,)."""
        from scipy.special import ndtr, ndtri

        if self.kind == "fixed":
            return np.full(len(normal), self.center)
        if self.kind == "share":
            return (ndtr(normal) > 1.0 - self.center).astype(np.float64)
        if self.kind == "levels":
            edges = np.cumsum(self.shares)[:-1]
            return np.searchsorted(edges, ndtr(normal), side="right").astype(np.float64)
        log = self.kind == "log-normal"
        middle = np.log(self.center) if log else self.center
        ends = [
            (np.log(e) if e > 0 else -np.inf) if log and np.isfinite(e) else e for e in (self.low, self.high)
        ]
        a, b = (float(ndtr((end - middle) / self.spread)) for end in ends)
        inside = np.asarray(middle + self.spread * ndtri(a + ndtr(normal) * (b - a)), dtype=np.float64)
        return np.exp(inside) if log else inside


@dataclass(frozen=True, kw_only=True)
class Population:
    """Who is treated: the distribution of each covariate, and typical values that differ here.

    `values`: parameters of the mechanism in this population (the file's units), such as a scaled growth.
    `accept`: physiological bounds of covariates and individual quantities (in h, mg and L): who lies outside
    is no patient.
    """

    id: str
    label: str
    covariates: Mapping[str, Drawn]
    scale: Mapping[str, float]
    accept: Mapping[str, tuple[float, float]]
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Patients:
    """Virtual patients: their ids, covariates, and standard normal and uniform draws.

    `covariates` (n, n_covariates) and `pk_covariates` in data units; `normal` (n, n_effects) and `pk_normal`
    standard normal; `uniform` (n, 20). `sd` scales the effects: their covariance's Cholesky factor.
    """

    seed: int
    ids: Ints
    covariates: Floats
    pk_covariates: Floats
    normal: Floats
    pk_normal: Floats
    uniform: Floats
    factor: Floats
    pk_factor: Floats

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def effects(self) -> Floats:
        """Random effects of the mechanism (n, q)."""
        return np.ascontiguousarray(self.normal @ self.factor.T)

    @cached_property
    def pk_effects(self) -> Floats:
        """Random effects of the exposure (n, q), between patients; between occasions they are 0."""
        return np.ascontiguousarray(self.pk_normal @ self.pk_factor.T)

    def noise(self, n_visits: int) -> Floats:
        """Standard normal errors of measurement (n, 2 (n_visits + 1)), the start first: sum, viable sum."""
        from scipy.special import ndtri

        return ndtri(_uniforms(self.seed + 1_000_003, self.ids, 2 * (n_visits + 1)))

    def between_visits(self, n_visits: int, width: int) -> tuple[Floats, Floats]:
        """Standard normals of occasions of the exposure (n, n_visits, width), and of levels (n, n_visits)."""
        from scipy.special import ndtri

        n, size = len(self), n_visits * width
        z = ndtri(_uniforms(self.seed + 3_000_003, self.ids, size + n_visits))
        return z[:, :size].reshape(n, n_visits, width), z[:, size:]

    @cached_property
    def follow_up(self) -> Floats:
        """A uniform draw (n,) for how long each patient is followed."""
        return _uniforms(self.seed + 2_000_003, self.ids, 1)[:, 0]

    def take(self, keep: NDArray[Any]) -> Patients:
        """Some of the patients."""
        rows = ("ids", "covariates", "pk_covariates", "normal", "pk_normal", "uniform")
        return replace(self, **{name: getattr(self, name)[keep] for name in rows})

    def row(self, i: int) -> dict[str, Floats]:
        """What is one patient's own, as `exact_course` takes it."""
        return {
            name: getattr(self, name)[i] for name in ("covariates", "pk_covariates", "effects", "pk_effects")
        }

    def with_spread(self, mechanism: ModelSpec, sd: Mapping[str, float]) -> Patients:
        """The same patients with other standard deviations of some effects."""
        return replace(self, factor=_factor(mechanism, sd))


def draw_patients(
    mechanism: ModelSpec,
    kinetics: ModelSpec,
    population: Population,
    *,
    n: int,
    seed: int,
    first_id: int = 0,
    sd: Mapping[str, float] | None = None,
    values: Mapping[str, float] | None = None,
) -> Patients:
    """`n` accepted patients, the first with an id of at least `first_id`.

    A patient is the same whoever else is drawn: everything follows from (seed, id). `sd` replaces standard
    deviations of random effects, `values` typical values, for the bounds of acceptance.

    Raises `ValueError` for a covariate that neither model has, and for a population that (almost) no virtual
    patient satisfies.
    """
    if n < 1 or seed < 0 or first_id < 0:
        raise ValueError(f"n must be at least 1, seed and first_id at least 0, not {n}, {seed}, {first_id}")
    found: list[Patients] = []
    total, tried, at_id = 0, 0, first_id
    while total < n:
        size = max(256, int(1.2 * (n - total)))
        some = _draw(mechanism, kinetics, population, np.arange(at_id, at_id + size), seed, sd or {})
        keep = accepted(mechanism, population, some, values or {})
        found.append(some.take(np.flatnonzero(keep)))
        total, tried, at_id = total + int(keep.sum()), tried + size, at_id + size
        if tried >= 20_000 and total < tried / 1000:
            raise ValueError(
                f"the population {population.id!r} accepts {total} of {tried} virtual patients: its bounds "
                f"({', '.join(population.accept)}) leave nearly nobody"
            )
    rows = ("ids", "covariates", "pk_covariates", "normal", "pk_normal", "uniform")
    joined = {name: np.concatenate([getattr(p, name) for p in found])[:n] for name in rows}
    return replace(found[0], **joined)


def accepted(
    mechanism: ModelSpec, population: Population, patients: Patients, values: Mapping[str, float]
) -> NDArray[np.bool_]:
    """Which patients lie within the population's physiological bounds (n,)."""
    keep = np.ones(len(patients), dtype=bool)
    columns = {c.name: i for i, c in enumerate(mechanism.covariates)}
    wanted = [name for name in population.accept if name not in columns]
    quantities = individual_values(mechanism, wanted, patients, values) if wanted else {}
    for name, (low, high) in population.accept.items():
        x = patients.covariates[:, columns[name]] if name in columns else quantities[name]
        keep &= (x >= low) & (x <= high)
    return keep


def individual_values(
    spec: ModelSpec, names: list[str], patients: Patients, values: Mapping[str, float]
) -> dict[str, Floats]:
    """Individual quantities of the mechanism by name (n,), in h, mg and L.

    Raises `ValueError` for a name that is not among them.
    """
    from troughline.model.expressions import to_sympy
    from troughline.units import canonical_factor

    sympy: Any = importlib.import_module("sympy")
    columns: dict[str, Any] = {}
    for p in spec.parameters:
        given = values.get(p.name)
        columns[p.name] = p.value if given is None else given * float(canonical_factor(p.unit))
    for i, c in enumerate(spec.covariates):
        columns[c.name] = patients.covariates[:, i] * (1.0 if c.levels else float(c.factor))
    for i, name in enumerate((*spec.subject_effects, *spec.occasion_effects)):
        columns[name] = patients.effects[:, i]
    symbols: dict[str, Any] = {name: sympy.Symbol(name, real=True) for name in columns}
    levels = {c.name: c.levels for c in spec.covariates if c.levels is not None}
    env: dict[str, Any] = dict(symbols)
    known = [name for name, _ in spec.individual]
    for name, expression in spec.individual:
        env[name] = sympy.sympify(to_sympy(expression, env, levels))
    out: dict[str, Floats] = {}
    for name in names:
        if name not in known:
            raise ValueError(f"the mechanism has no covariate or individual quantity {name!r}")
        function: Any = sympy.lambdify(list(symbols.values()), env[name], "numpy")
        made: Any = function(*(columns[s] for s in symbols))
        out[name] = np.broadcast_to(np.asarray(made, dtype=np.float64), (len(patients),)).copy()
    return out


def _draw(
    mechanism: ModelSpec,
    kinetics: ModelSpec,
    population: Population,
    ids: Ints,
    seed: int,
    sd: Mapping[str, float],
) -> Patients:
    from scipy.special import ndtri

    names = sorted({c.name for c in (*mechanism.covariates, *kinetics.covariates)})
    unknown = sorted(set(population.covariates) - set(names))
    if unknown:
        raise ValueError(f"the population {population.id!r} has unknown covariates: {', '.join(unknown)}")
    q = len(mechanism.subject_effects) + len(mechanism.occasion_effects)
    pk_q = len(kinetics.subject_effects)
    occasions = len(kinetics.occasion_effects)
    u = _uniforms(seed, ids, q + pk_q + at.N_UNIFORM + len(_COVARIATE_ORDER))
    z = ndtri(u)
    latent = z[:, q + pk_q + at.N_UNIFORM :]
    unordered = sorted(set(population.covariates) - set(_COVARIATE_ORDER))
    if unordered:
        raise ValueError(f"no place for draws of {', '.join(unordered)}; see _COVARIATE_ORDER")
    drawn = {
        name: given.value(latent[:, _COVARIATE_ORDER.index(name)])
        for name, given in population.covariates.items()
    }

    def table(spec: ModelSpec) -> Floats:
        columns: list[Floats] = []
        for c in spec.covariates:
            if c.name in drawn:
                x = drawn[c.name]
                if c.hard is not None and (np.any(x < c.hard[0]) or np.any(x > c.hard[1])):
                    raise ValueError(
                        f"the population {population.id!r} draws {c.name} outside its limits "
                        f"{c.hard[0]:g} to {c.hard[1]:g} {c.unit}"
                    )
            elif c.default is None:
                raise ValueError(f"the population {population.id!r} gives no {c.name}, which has no default")
            else:
                x = np.full(len(ids), c.default)
            columns.append(x)
        return np.ascontiguousarray(np.column_stack(columns)) if columns else np.zeros((len(ids), 0))

    pk_normal = np.zeros((len(ids), pk_q + occasions))
    pk_normal[:, :pk_q] = z[:, q : q + pk_q]
    return Patients(
        seed=seed,
        ids=ids.astype(np.int64),
        covariates=table(mechanism),
        pk_covariates=table(kinetics),
        normal=np.ascontiguousarray(z[:, :q]),
        pk_normal=pk_normal,
        uniform=np.ascontiguousarray(u[:, q + pk_q : q + pk_q + at.N_UNIFORM]),
        factor=_factor(mechanism, sd),
        pk_factor=_factor(kinetics, {}),
    )


_COVARIATE_ORDER = (
    "sum_of_diameters", "albumin", "etiology", "spread", "child_pugh_class", "weight", "treated_before",
)  # fmt: skip
"""The place of each covariate's draw, so that a covariate more does not change the others."""


def _uniforms(seed: int, ids: Ints, count: int) -> Floats:
    """`count` uniform draws in (0, 1) for each id, from Philox with key (seed) and a counter from the id.

    Source of the generator: Salmon 2011, doi 10.1145/2063384.2063405.
    """
    blocks = -(-count // _WORDS)
    out = np.empty((len(ids), blocks * _WORDS))
    run = np.flatnonzero(np.diff(ids, prepend=ids[0] - 2) != 1)
    for a, b in zip(run, [*run[1:], len(ids)], strict=True):
        generator = np.random.Generator(np.random.Philox(key=seed, counter=int(ids[a]) * blocks))
        out[a:b] = generator.random((int(b - a), blocks * _WORDS))
    return np.maximum(out[:, :count], 2.0**-54)


def _factor(spec: ModelSpec, sd: Mapping[str, float]) -> Floats:
    """The lower Cholesky factor of the effects' covariance, with some standard deviations replaced."""
    names = (*spec.subject_effects, *spec.occasion_effects)
    unknown = sorted(set(sd) - set(names))
    if unknown:
        raise ValueError(f"{spec.id} has no random effect {', '.join(unknown)}")
    size, subject = len(names), len(spec.subject_effects)
    whole = np.zeros((size, size))
    whole[:subject, :subject] = spec.covariance("subject")
    whole[subject:, subject:] = spec.covariance("occasion")
    ratio = np.ones(size)
    for name, value in sd.items():
        i = names.index(name)
        if not value > 0.0 or whole[i, i] <= 0.0:
            raise ValueError(f"the standard deviation of {name} must be more than 0, not {value}")
        ratio[i] = value / np.sqrt(whole[i, i])
    whole *= ratio[:, None] * ratio[None, :]
    return np.asarray(np.linalg.cholesky(whole), dtype=np.float64)


def read_populations(path: Path = POPULATIONS) -> dict[str, Population]:
    """The populations of the data file, by id."""
    import tomllib

    data = tomllib.loads(path.read_text(encoding="utf-8"))
    found: dict[str, Population] = {}
    for item in data["population"]:
        covariates = {
            c["name"]: Drawn(
                kind=c["kind"],
                center=float(c.get("center", 0.0)),
                spread=float(c.get("spread", 0.0)),
                low=float(c.get("low", -np.inf)),
                high=float(c.get("high", np.inf)),
                shares=tuple(float(s) for s in c.get("shares", ())),
            )
            for c in item["covariate"]
        }
        found[item["id"]] = Population(
            id=item["id"],
            label=item["label"],
            covariates=covariates,
            scale={k: float(v) for k, v in item.get("scale", {}).items()},
            accept={k: (float(v[0]), float(v[1])) for k, v in item.get("accept", {}).items()},
            source=item.get("source", ""),
        )
    return found
