"""What an association question hands over: estimates in two columns, tables, and series for the figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from troughline.biomarker.association_pair import Effect, PairResult
from troughline.biomarker.change_parts import beyond_estimate
from troughline.biomarker.family import Family
from troughline.biomarker.markers import CharacteristicColumn, MarkerColumn, adjusting
from troughline.biomarker.published_tests import PrintedTest, chi_square, correlation_test, difference_test
from troughline.biomarker.rank_correlation import Correlation
from troughline.cohort.describe import listed
from troughline.response.guards.wording import number, unit_text
from troughline.response.proportions import wilson
from troughline.response.questions.parts import finite
from troughline.results import Estimate, Json

Key = tuple[str, str]
ALPHA = 0.05


def direction_words(marker: str, characteristic: CharacteristicColumn, result: PairResult) -> str:
    """`IL-2 is lower with higher BCLC stage (Spearman −0.31, −0.44 to −0.17)`, as the figure shows it.

    Kendall's tau-b stands in where there is no Spearman's correlation.
    """
    size, name = (result.tau, "tau") if result.rho is None else (result.rho, "Spearman")
    if size is None:
        return f"{marker} differs by {characteristic.label}"
    words = "lower" if size.value < 0 else "higher"
    if characteristic.scale == "binary":
        low, high = characteristic.levels
        with_what = f"in {characteristic.label} {high} than in {low}"
    else:
        label = characteristic.label
        with_what = f"with higher {label if label[1:2].isupper() else label[:1].lower() + label[1:]}"
    span = "" if math.isnan(size.low) else f", {number(size.low)} to {number(size.high)}"
    return f"{marker} is {words} {with_what} ({name} {number(size.value)}{span})"


def beyond_limit(marker: MarkerColumn) -> tuple[np.ndarray, np.ndarray]:
    """Who is known to lie beyond the reference limit or not, and who does; both (n,).

    A value below a limit of quantification that lies above the reference limit, or above one that lies below
    it, may be on either side.
    """
    reference = marker.asked.reference
    if reference is None:
        return np.zeros(marker.values.shape, dtype=np.bool_), np.zeros(marker.values.shape, dtype=np.bool_)
    limit, value = reference.limit, marker.values
    known = marker.known & ~(marker.below & (value > limit)) & ~(marker.above & (value < limit))
    with np.errstate(invalid="ignore"):
        low = ((value < limit) & ~marker.above) | marker.below
        high = ((value > limit) & ~marker.below) | marker.above
    return known, known & (low if reference.side == "below" else high)


def marker_estimates(marker: MarkerColumn, level: float) -> list[Estimate]:
    """The mean as published, the share below the limit, and the share beyond the reference limit."""
    values = marker.substituted[marker.known]
    n = int(values.size)
    estimates: list[Estimate] = []
    if n:
        sd = float(values.std(ddof=1)) if n > 1 else math.nan
        estimates.append(
            Estimate(
                name="marker_mean", value=float(values.mean()), level=None, unit=marker.unit, n=n,
                label=marker.label, method="as-published: mean, half the limit for values below it"
                + (", the limit for values above" if marker.above.any() else ""),
                note=f"standard deviation {sd:.4g}" if math.isfinite(sd) else "",
            )
        )  # fmt: skip
        low, high = marker.median(marker.known)
        side = "" if low is not None and high is not None else "below" if low is None else "above"
        estimates.append(
            Estimate(
                name="marker_median", value=None if side else low, low=low if side else None,
                high=high if side else None, level=None, unit=marker.unit, n=n, label=marker.label,
                method="guarded: median",
                note=f"half of the values or more lie {side} the limit" if side else "",
            )
        )  # fmt: skip
    if marker.beyond is not None:
        estimates.append(beyond_estimate(marker.label, marker.unit, marker.beyond))
    for name, side_of in (
        ("share_below_quantification", marker.below), ("share_above_quantification", marker.above)
    ):  # fmt: skip
        if side_of.any():
            share = wilson(int(side_of.sum()), n, level=level)
            estimates.append(
                Estimate(
                    name=name, value=share.value, low=share.low, high=share.high, level=level, n=n,
                    label=marker.label, method="guarded: Wilson",
                )
            )  # fmt: skip
    reference = marker.asked.reference
    if reference is None or not n:
        return estimates
    known, beyond = beyond_limit(marker)
    k, m = int(beyond.sum()), int(known.sum())
    word = "<" if reference.side == "below" else ">"
    label = f"{marker.label} {word} {reference.limit:g}{unit_text(marker.unit)}"
    if m:
        share = wilson(k, m, level=level)
        estimates.append(
            Estimate(
                name="proportion_beyond_limit", value=k / m, level=None, n=m, label=label,
                method="as-published: proportion", note=f"{k} of {m}",
            )
        )  # fmt: skip
        note = f"{k} of {m}; limit: {reference.origin}"
        if k in (0, m):
            note += f"; the limit lies {'above' if (k == m) == (word == '<') else 'below'} every value"
        estimates.append(
            Estimate(
                name="proportion_beyond_limit", value=share.value, low=share.low, high=share.high,
                level=level, n=m, label=label, method="guarded: Wilson", note=note,
            )
        )  # fmt: skip
    return estimates


def printed_tests(
    marker: MarkerColumn,
    characteristic: CharacteristicColumn,
    result: PairResult,
    tests: Literal["means", "ranks"],
) -> tuple[PrintedTest, PrintedTest | None]:
    """The test a paper prints for this pair, and its χ² of those beyond the reference limit."""
    values, groups = marker.substituted[result.inside], characteristic.values[result.inside]
    if characteristic.scale == "number":
        return correlation_test(values, characteristic.scores[result.inside], tests), None
    first = difference_test(values, groups, tests)
    known, beyond = beyond_limit(marker)
    rows = result.inside & known
    if marker.asked.reference is None or not rows.any():
        return first, None
    return first, chi_square(beyond[rows], characteristic.values[rows])


def pair_estimates(
    marker: MarkerColumn,
    characteristic: CharacteristicColumn,
    result: PairResult,
    family: Family[Key],
    tests: Literal["means", "ranks"],
    adjust: Sequence[str],
    level: float,
) -> list[Estimate]:
    """The estimates of one pair: each test and effect, as published and guarded."""
    key = (marker.label, characteristic.name)
    label = f"{marker.label} × {characteristic.label}"
    printed, chi = printed_tests(marker, characteristic, result, tests)
    out = [
        _test("association_test", printed, "as-published", label, result.n),
        Estimate(
            name="association_test", value=finite(result.statistic), level=None,
            n=result.n, label=label, p_value=result.p_value, method=f"guarded: {result.test}",
            note=f"corrected p = {family.holm[key]:.2g} (Holm), {family.bh[key]:.2g} (Benjamini–Hochberg), "
            f"of {len(family.raw)}",
        ),
    ]  # fmt: skip
    if chi is not None:
        out.append(_test("limit_by_stage_test", chi, "as-published", label, result.n))
    if characteristic.scale == "number" and math.isfinite(printed.statistic):
        out.append(
            Estimate(
                name="correlation", value=printed.statistic, level=None, n=result.n, label=label,
                p_value=printed.p_value, method=f"as-published: {printed.name}",
            )
        )  # fmt: skip
    adjusted = f", adjusted for {listed(adjusting(adjust, characteristic.name))}"
    for name, kind, found, more in (
        ("kendall_tau", "tau-b", result.tau, ""),
        ("correlation", "Spearman", result.rho, ""),
        ("partial_correlation", "Spearman", result.partial, adjusted),
    ):
        if found is not None:
            out.append(_correlation(name, found, label, f"guarded: {kind}, jackknife interval{more}"))
    for name, effect, more in (
        ("marker_per_step", result.step_effect, ""),
        ("marker_per_step_adjusted", result.step_effect_adjusted, adjusted),
    ):
        if effect is not None:
            out.append(_effect(name, effect, label, f"guarded: censored regression{more}", level, marker))
    ordinal = result.ordinal
    if ordinal is not None:
        if ordinal.plain is not None:
            p = ordinal.brant_p
            note = f"proportional odds: Brant p = {p:.2g}" if p is not None else ordinal.failed
            out.append(
                _effect("stage_odds_ratio", ordinal.plain, label, "guarded: proportional odds", level, None,
                        note=note)
            )  # fmt: skip
        elif ordinal.failed:
            out.append(
                Estimate(
                    name="stage_odds_ratio", value=None, level=None, n=result.n, label=label,
                    method="guarded: proportional odds", note=f"no estimate: {ordinal.failed}",
                )
            )  # fmt: skip
        if ordinal.adjusted is not None:
            method = f"guarded: proportional odds{adjusted}"
            out.append(_effect("stage_odds_ratio_adjusted", ordinal.adjusted, label, method, level, None))
    return out


def _test(name: str, test: PrintedTest, column: str, label: str, n: int) -> Estimate:
    return Estimate(
        name=name, value=finite(test.statistic), level=None, n=n, label=label, p_value=finite(test.p_value),
        method=f"{column}: {test.name}",
        note="" if math.isfinite(test.p_value) else "no estimate: cannot be computed",
    )  # fmt: skip


def _correlation(name: str, found: Correlation, label: str, method: str) -> Estimate:
    return Estimate(
        name=name, value=found.value, low=finite(found.low), high=finite(found.high), level=found.level,
        n=found.n, label=label, p_value=found.p_value, method=method,
    )  # fmt: skip


def _effect(
    name: str,
    effect: Effect,
    label: str,
    method: str,
    level: float,
    marker: MarkerColumn | None,
    *,
    note: str = "",
) -> Estimate:
    ratio = marker is None or marker.log
    words = f"ratio {effect.step}" if marker is not None and ratio else effect.step
    return Estimate(
        name=name, value=finite(effect.value), low=finite(effect.low), high=finite(effect.high), level=level,
        unit="1" if ratio or marker is None else marker.unit, n=effect.n, label=label, p_value=effect.p_value,
        method=method, note=f"{words}; {note}" if note else words,
    )  # fmt: skip


def tables(
    markers: Sequence[MarkerColumn],
    characteristics: Sequence[CharacteristicColumn],
    found: Mapping[Key, PairResult],
    family: Family[Key],
    unusable: Sequence[tuple[str, str, str]],
    level: float,
) -> dict[str, list[Json]]:
    """The family of tests, each marker by stage, and what could not be analysed."""
    made: dict[str, list[Json]] = {"family-of-tests": [], "by-stage": []}
    for m in markers:
        for c in characteristics:
            result = found.get((m.label, c.name))
            if result is None:
                continue
            key = (m.label, c.name)
            made["family-of-tests"].append(
                {
                    "marker": m.label, "characteristic": c.label, "n": result.n, "test": result.test,
                    "p": family.raw[key], "p_holm": family.holm[key], "p_bh": family.bh[key],
                    "kendall_tau": None if result.tau is None else finite(result.tau.value),
                }
            )  # fmt: skip
            if c.levels:
                made["by-stage"] += _by_stage(m, c, result, level)
    if unusable:
        made["not-analysable"] = [
            {"marker": a, "characteristic": b, "reason": reason} for a, b, reason in unusable
        ]
    return {name: rows for name, rows in made.items() if rows}


def _by_stage(m: MarkerColumn, c: CharacteristicColumn, result: PairResult, level: float) -> list[Json]:
    known, beyond = beyond_limit(m)
    rows: list[Json] = []
    for i, stage in enumerate(c.levels):
        here = result.inside & (c.values == i)
        n = int(here.sum())
        row: Json = {"marker": m.label, "characteristic": c.label, "stage": stage, "n": n}
        low, high = m.median(here) if n else (None, None)
        row["median"] = low if low is not None and high is not None else None
        row["n_below_quantification"] = int(m.below[here].sum())
        row["n_above_quantification"] = int(m.above[here].sum())
        if m.asked.reference is not None:
            k, total = int((beyond & here).sum()), int((known & here).sum())
            share = wilson(k, total, level=level)
            row |= {
                "n_beyond_limit": k, "proportion_beyond_limit": finite(share.value),
                "low": share.low if total else None, "high": share.high if total else None,
            }  # fmt: skip
        rows.append(row)
    return rows


def series(
    markers: Sequence[MarkerColumn],
    characteristics: Sequence[CharacteristicColumn],
    found: Mapping[Key, PairResult],
    family: Family[Key],
) -> Json:
    """What the violins and the forest of correlations are drawn from."""
    violins: list[Json] = []
    rows: list[Json] = []
    for m in markers:
        for c in characteristics:
            result = found.get((m.label, c.name))
            if result is None:
                continue
            key = (m.label, c.name)
            if c.levels:
                reference = m.asked.reference
                violins.append(
                    {
                        "marker": m.label, "unit": m.unit, "log": m.log, "characteristic": c.label,
                        "levels": list(c.levels), "group": c.values[result.inside].astype(int),
                        "value": m.values[result.inside], "below_limit": m.below[result.inside],
                        "above_limit": m.above[result.inside],
                        "reference": None if reference is None else reference.limit,
                        "tau": _span(result.tau), "p_holm": family.holm[key],
                    }
                )  # fmt: skip
            if result.rho is not None:
                rows.append(
                    {
                        "marker": m.label, "characteristic": c.label, "spearman": _span(result.rho),
                        "partial": _span(result.partial), "p_holm": family.holm[key],
                    }
                )  # fmt: skip
    return {"markers_by_stage": violins, "correlations": {"rows": rows}}


def _span(found: Correlation | None) -> Json | None:
    if found is None:
        return None
    return {"value": found.value, "low": finite(found.low), "high": finite(found.high)}
