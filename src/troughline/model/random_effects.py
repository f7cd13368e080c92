"""The covariance of a block of random effects, from any of the forms in which papers give it."""

from __future__ import annotations

import numpy as np

from troughline.model.places import Path, Report
from troughline.model.schema import RandomItem
from troughline.model.spec import Floats
from troughline.model.wording import did_you_mean, shown

FORMS = ("covariance", "variance", "sd", "cv_percent")
_ASYMMETRY = 1e-9
_NEGATIVE_EIGENVALUE = 1e-9


def block_covariance(item: RandomItem, path: Path, report: Report) -> Floats | None:
    """The covariance (n, n) of a block's n effects, or None where a fault was reported.

    variance = sd² = log(1 + (cv_percent/100)²), the last for a log-normal quantity; covariance = r·sd·sd.
    """
    given = [form for form in FORMS if getattr(item, form) is not None]
    if len(given) != 1:
        what = f"has {' and '.join(given)}" if given else "has none"
        report.error("random-effects", path, f"needs exactly one of {', '.join(FORMS)}, and {what}")
        return None
    form, n = given[0], len(item.effects)
    place: Path = (*path, form)
    before = len(report.found.errors)
    if form == "covariance":
        rows = item.covariance or []
        if len(rows) != n or any(len(row) != n for row in rows):
            report.error("random-effects", place, f"must be {n} × {n}, a row for each of {_listed(item)}")
            return None
        if item.correlation is not None:
            report.error("random-effects", (*path, "correlation"), "goes with variance, sd or cv_percent")
        covariance = np.array(rows, dtype=np.float64)
    else:
        numbers = np.array(getattr(item, form), dtype=np.float64)
        if len(numbers) != n:
            message = f"has {len(numbers)} entries for {n} effects: {_listed(item)}"
            report.error("random-effects", place, message)
            return None
        variance = {"variance": numbers, "sd": numbers**2, "cv_percent": np.log1p((numbers / 100) ** 2)}[form]
        sd = np.sqrt(variance)
        covariance = _correlations(item, path, report) * np.outer(sd, sd)
        np.fill_diagonal(covariance, variance)
    if len(report.found.errors) == before:
        _check_matrix(covariance, item, place, report)
    return covariance if len(report.found.errors) == before else None


def _correlations(item: RandomItem, path: Path, report: Report) -> Floats:
    matrix = np.eye(len(item.effects))
    seen = set[frozenset[int]]()
    for i, entry in enumerate(item.correlation or []):
        place: Path = (*path, "correlation", i)
        a, b, r = entry
        if not (isinstance(a, str) and isinstance(b, str) and not isinstance(r, str)):
            report.error("random-effects", place, f'must be ["effect", "effect", number], not {shown(entry)}')
            continue
        unknown = [name for name in (a, b) if name not in item.effects]
        for name in unknown:
            hint = did_you_mean(name, item.effects, "effects of this block")
            report.error("random-effects", place, f"unknown effect {name} in this block; {hint}")
        if not -1 <= r <= 1:
            report.error("random-effects", place, f"the correlation of {a} and {b} is {r:g}, outside −1 to 1")
        if unknown:
            continue
        pair = frozenset((item.effects.index(a), item.effects.index(b)))
        if len(pair) == 1 or pair in seen:
            what = "correlates with itself" if len(pair) == 1 else f"and {b} are given twice"
            report.error("random-effects", place, f"{a} {what}")
            continue
        seen.add(pair)
        row, column = pair
        matrix[row, column] = matrix[column, row] = r
    return matrix


def _check_matrix(covariance: Floats, item: RandomItem, place: Path, report: Report) -> None:
    for i, name in enumerate(item.effects):
        if covariance[i, i] < 0:
            report.error("random-effects", place, f"the variance of {name} is {covariance[i, i]:g}, below 0")
            return
    scale = float(np.max(np.abs(covariance), initial=0.0))
    i, j = np.unravel_index(int(np.argmax(np.abs(covariance - covariance.T))), covariance.shape)
    if abs(covariance[i, j] - covariance[j, i]) > _ASYMMETRY * scale:
        a, b = item.effects[int(i)], item.effects[int(j)]
        report.error(
            "random-effects", place, f"is not symmetric: {a}, {b} is {covariance[i, j]:g} one way and "
            f"{covariance[j, i]:g} the other",
        )  # fmt: skip
        return
    lowest = float(np.linalg.eigvalsh(covariance)[0])
    if lowest < -_NEGATIVE_EIGENVALUE * scale:
        report.error(
            "random-effects",
            place,
            f"is no covariance: not positive semi-definite (least eigenvalue {lowest:.3g}); "
            "a correlation in it is too large for the others",
        )


def _listed(item: RandomItem) -> str:
    return ", ".join(item.effects)
