"""The subgroup forest: treatment effects one subgroup at a time, and shrunken by a hierarchical model."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from troughline.biomarker.endpoint import EndpointError, Floats
from troughline.biomarker.interaction_data import Outcomes, Sample
from troughline.biomarker.interaction_view import effect_estimate
from troughline.biomarker.shrinkage import Shrunken, shrink
from troughline.biomarker.treatment_by_marker import treatment_by_marker
from troughline.cohort.describe import readable
from troughline.response.predictor import NotAnalysable
from troughline.response.questions.parts import finite
from troughline.results import Estimate

if TYPE_CHECKING:
    from troughline.response.case import Case
    from troughline.response.questions.parts import Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One subgrouping: its levels, and the level (0 …) of each patient, −1 where missing."""

    name: str
    levels: tuple[str, ...]
    code: np.ndarray[tuple[int], np.dtype[np.int64]]


def subgroup_forest(case: Case, parts: Parts, sample: Sample, outcomes: Outcomes) -> None:
    """Add the subgroup table, its series, an interaction test a subgrouping and the spread between subgroups.

    Raises `NotAnalysable` for a subgrouping that is no category.
    """
    question = case.question
    assert question.kind == "interaction"
    assert case.interaction is not None
    if not question.subgroups:
        return
    factors = [_factor(case, name, sample.patients) for name in question.subgroups]
    factors = [f for f in factors if len(f.levels) > 1]
    kind, level = sample.endpoint.kind, case.cohort.study.study.level
    tests = {f.name: _test(f, sample) for f in factors}
    case.interaction.subgroup_tests = {name: p for name, p in tests.items() if p is not None}
    scale = question.shrinkage
    if kind == "continuous":
        assert sample.endpoint.value is not None
        scale *= float(sample.endpoint.value.std(ddof=1))
    shrunken, why = shrunken_effects(sample, factors, scale, level)
    rows: list[dict[str, Any]] = []
    ratio = kind != "continuous"

    def shown(value: float) -> float | None:
        if not math.isfinite(value):
            return None
        return math.exp(value) if ratio else value

    k = 0
    for f in factors:
        for j, name in enumerate(f.levels):
            inside = f.code == j
            raw = _raw(sample, inside, level)
            row: dict[str, Any] = {
                "factor": f.name,
                "level": name,
                "n_treated": int((inside & sample.treated).sum()),
                "n_control": int((inside & ~sample.treated).sum()),
                "n_events": sample.endpoint.n_events(inside),
                "raw": raw.value,
                "raw_low": raw.low,
                "raw_high": raw.high,
                "shrunken": None if shrunken is None else shown(float(shrunken.mean[k])),
                "shrunken_low": None if shrunken is None else shown(float(shrunken.low[k])),
                "shrunken_high": None if shrunken is None else shown(float(shrunken.high[k])),
                "p_interaction": finite(tests[f.name]),
            }
            rows.append(row)
            k += 1
    parts.tables["subgroups"] = rows
    whole = _raw(sample, np.ones(sample.n, np.bool_), level)
    parts.series["subgroups"] = {
        "scale": case.interaction.word, "arms": list(case.interaction.arms), "rows": rows,
        "overall": {"value": whole.value, "low": whole.low, "high": whole.high},
    }  # fmt: skip
    parts.references.append("Dixon 1991, doi 10.2307/2532645; Röver 2021, doi 10.1002/jrsm.1475")
    if shrunken is None:
        parts.methods.append(f"Subgroup effects could not be shrunken: {why}.")
        return
    parts.estimates.append(
        Estimate(
            name="subgroup_spread", value=shrunken.tau_median, low=shrunken.tau_low, high=shrunken.tau_high,
            level=level, unit="1" if ratio else outcomes.unit, n=sample.n,
            method="guarded: hierarchical model of all subgroups",
            note=f"standard deviation of the {'log ' if ratio else ''}treatment effect between subgroups",
        )
    )  # fmt: skip
    shown_scale = f"{question.shrinkage:g}" + ("" if ratio else " standard deviations of the endpoint")
    parts.methods.append(
        "Subgroup effects: raw, one subgroup at a time; shrunken, all treatment × subgroup terms in one "
        "model, deviations from a common effect normal with standard deviation τ, a half-normal prior of "
        f"scale {shown_scale} on τ, integrated on a grid."
    )


def _factor(case: Case, name: str, patients: tuple[str, ...]) -> Factor:
    spec = case.cohort.covariates.get(name)
    if spec is None or spec.levels is None:
        known = ", ".join(n for n, s in case.cohort.covariates.items() if s.levels is not None) or "none"
        raise NotAnalysable(f"subgroups: {name!r} is no covariate with levels; there are: {known}")
    table: Any = case.cohort.patients.loc[list(patients)]
    raw: list[Any] = table[name].tolist()
    levels = tuple(level for level in spec.levels if level in raw)
    place = {level: k for k, level in enumerate(levels)}
    return Factor(
        name=readable(name, inside=True), levels=levels,
        code=np.array([place.get(v, -1) if isinstance(v, str) else -1 for v in raw], dtype=np.int64),
    )  # fmt: skip


def _indicators(factor: Factor, rows: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Floats:
    return np.column_stack(
        [(factor.code[rows] == j).astype(np.float64) for j in range(1, len(factor.levels))]
    )


def _test(factor: Factor, sample: Sample) -> float | None:
    known = factor.code >= 0
    try:
        fit = treatment_by_marker(
            sample.endpoint.of(known), sample.treated[known], _indicators(factor, known), factor.levels[1:]
        )
    except EndpointError:
        return None
    return finite(fit.p_value)


def _raw(sample: Sample, inside: np.ndarray[tuple[int], np.dtype[np.bool_]], level: float) -> Estimate:
    effect = None
    # A subgroup without an estimate is a row that says so.
    with contextlib.suppress(EndpointError):
        treated = sample.treated[inside].astype(np.float64)[:, np.newaxis]
        effect = sample.endpoint.of(inside).regress(treated, ("treated",), level=level).named("treated")
    return effect_estimate(
        sample.endpoint.kind, effect, n=int(inside.sum()), label="", method="as-published", level=level
    )


def shrunken_effects(
    sample: Sample, factors: list[Factor], scale: float, level: float
) -> tuple[Shrunken | None, str]:
    """Effects in every level of every factor from one model of all of them; or None, and why.

    Each subgroup's effect is that of its level, the other factors as they are mixed within it.
    """
    if not factors:
        return None, "no subgrouping varies"
    known = np.all([f.code >= 0 for f in factors], axis=0)
    a = sample.treated[known].astype(np.float64)
    columns = [_indicators(f, known) for f in factors]
    main = np.column_stack(columns)
    q = main.shape[1]
    try:
        fit = sample.endpoint.of(known).regress(
            np.column_stack((a, a[:, np.newaxis] * main, main)), [f"t{k}" for k in range(1 + 2 * q)]
        )
    except EndpointError as error:
        return None, str(error)
    if fit.penalised:
        return None, "a subgroup separates the events, so the joint model has no ordinary maximum"
    size = sum(len(f.levels) for f in factors)
    starts = np.concatenate(([0], np.cumsum([len(f.levels) for f in factors])))
    design = np.zeros((1 + q, 1 + size))
    design[0, 0] = 1.0
    row = 1
    for f, start in zip(factors, starts[:-1].tolist(), strict=True):
        design[0, 1 + start] = 1.0
        for j in range(1, len(f.levels)):
            design[row, 1 + start + j], design[row, 1 + start] = 1.0, -1.0
            row += 1
    wanted = np.zeros((size, 1 + size))
    k = 0
    for f in factors:
        for j in range(len(f.levels)):
            inside = known & (f.code == j)
            wanted[k, 0] = 1.0
            for g, start in zip(factors, starts[:-1].tolist(), strict=True):
                for m in range(len(g.levels)):
                    share = float((g.code[inside] == m).mean()) if inside.any() else 0.0
                    wanted[k, 1 + start + m] = share
            k += 1
    try:
        found = shrink(
            fit.coefficients[: 1 + q],
            fit.covariance[: 1 + q, : 1 + q],
            design,
            wanted,
            scale=scale,
            level=level,
        )
    except ValueError as error:
        return None, str(error)
    return found, ""
