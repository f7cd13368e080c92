"""Scores and stages computed from a cohort's covariates, or checked where the file gives them already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.cohort import scores
from troughline.cohort.reporting import add_rows, shown
from troughline.cohort.studyfile import CovariateSpec
from troughline.cohort.values import frame_of
from troughline.issues import Findings, Severity
from troughline.units import convert, molar_mass_g_per_mol

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Texts = NDArray[np.object_]

SCORE_SPECS: Mapping[str, CovariateSpec] = {
    "child_pugh_score": CovariateSpec(unit="1"),
    "child_pugh_class": CovariateSpec(levels=scores.CHILD_PUGH_CLASSES, ordered=True),
    "albi": CovariateSpec(unit="1"),
    "albi_grade": CovariateSpec(levels=scores.ALBI_GRADES, ordered=True),
    "meld3": CovariateSpec(unit="1"),
    "bclc": CovariateSpec(levels=scores.BCLC_STAGES, ordered=True),
}
# How far a printed score may lie from the computed one: half a unit of its last usual digit.
_TOLERANCE = {"child_pugh_score": 0.0, "albi": 0.0051, "meld3": 0.51}
_SPELLINGS = {
    "tumour_number": ("tumour_number", "tumor_number"),
    "tumour_size": ("tumour_size", "tumor_size"),
}


class _Unusable(Exception):
    """A part is not there, or not in a form from which the score can be computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    frame: pd.DataFrame
    specs: Mapping[str, CovariateSpec]

    def name(self, part: str) -> str:
        for spelling in _SPELLINGS.get(part, (part,)):
            if spelling in self.specs:
                return spelling
        raise _Unusable

    def number(self, part: str, unit: str) -> Floats:
        name = self.name(part)
        declared = self.specs[name].unit
        if declared is None:
            return self._levels_as_numbers(name)
        values: Floats = self.frame[name].to_numpy(dtype=np.float64)
        if declared == "mEq/L" and unit == "mmol/L" and part == "sodium":
            return values  # one charge an ion
        try:
            return convert(values, declared, unit, molar_mass_g_per_mol=molar_mass_g_per_mol(part))
        except ValueError:
            raise _Unusable from None

    def _levels_as_numbers(self, name: str) -> Floats:
        try:
            return np.array([np.nan if v is None else float(v) for v in self.frame[name]], dtype=np.float64)
        except ValueError:
            raise _Unusable from None

    def words(self, part: str, meaning: Mapping[str, Any]) -> Floats:
        """A category as numbers by what its words mean; a number 0/1 too where the words include those."""
        name = self.name(part)
        if self.specs[name].levels is None:
            texts = [None if np.isnan(v) else f"{v:g}" for v in self.frame[name].to_numpy(dtype=np.float64)]
        else:
            texts = [None if v is None else str(v).strip().casefold() for v in self.frame[name]]
        if any(t is not None and t not in meaning for t in texts):
            raise _Unusable
        return np.array([np.nan if t is None else float(meaning[t]) for t in texts], dtype=np.float64)

    def optional(self, get: Callable[[], Floats]) -> Floats | None:
        try:
            return get()
        except _Unusable:
            return None


def add_scores(
    frame: pd.DataFrame, specs: Mapping[str, CovariateSpec], file: str, found: Findings
) -> tuple[pd.DataFrame, dict[str, CovariateSpec]]:
    """The patients with every score that their covariates allow, and the covariates with those scores added.

    A score that the file gives is kept and compared: a warning for each row that disagrees.
    """
    result, covariates = frame.copy(), dict(specs)
    parts = _Parts(frame=result, specs=covariates)
    for source, names, compute in (
        ("child_pugh", ("child_pugh_score", "child_pugh_class"), _child_pugh),
        ("albi", ("albi", "albi_grade"), _albi),
        ("meld3", ("meld3",), _meld3),
        ("bclc", ("bclc",), _bclc),
    ):
        try:
            computed = compute(parts)
        except _Unusable:
            continue
        except ValueError as error:
            found.add(
                Severity.WARNING, "score-not-computed", f"{names[0]} is not computed: {error}", file=file
            )
            continue
        for name, values in zip(names, computed, strict=True):
            if name in specs:
                _compare(name, result, values, specs[name], file, found)
            else:
                result[name] = frame_of({name: values}, result.index)[name]
                covariates[name] = SCORE_SPECS[name]
        if not set(names) <= set(specs):
            _note_computed(source, computed[0], file, found)
    return result, covariates


def _note_computed(source: str, values: Floats | Texts, file: str, found: Findings) -> None:
    """One note that a score was computed, for how many patients, and how well its constants are known."""
    published = scores.published_scores()[source]
    if values.dtype == object:
        known = sum(value is not None for value in values)
    else:
        known = int(np.isfinite(values.astype(np.float64)).sum())
    doubt = "" if published["verified"] else "; its constants were read in secondary sources only"
    found.add(
        Severity.NOTE,
        "score-computed",
        f"{published['title']} is computed from its parts for {known} of {len(values)} patients "
        f"(doi {published['doi']}){doubt}",
        file=file,
    )


def _child_pugh(parts: _Parts) -> tuple[Floats, Texts]:
    words = scores.published_scores()["child_pugh"]
    points = scores.child_pugh_points(
        bilirubin_mg_per_dl=parts.number("bilirubin", "mg/dL"),
        albumin_g_per_dl=parts.number("albumin", "g/dL"),
        inr=parts.number("inr", "1"),
        ascites_points=parts.words("ascites", words["ascites_points"]),
        encephalopathy_points=parts.words("encephalopathy", words["encephalopathy_points"]),
    )
    return points, scores.child_pugh_class(points)


def _albi(parts: _Parts) -> tuple[Floats, Texts]:
    albi = scores.albi_score(
        bilirubin_umol_per_l=parts.number("bilirubin", "umol/L"),
        albumin_g_per_l=parts.number("albumin", "g/L"),
    )
    return albi, scores.albi_grade(albi)


def _meld3(parts: _Parts) -> tuple[Floats]:
    words = scores.published_scores()
    score = scores.meld3_score(
        female=parts.words("sex", words["meld3"]["female_words"]),
        bilirubin_mg_per_dl=parts.number("bilirubin", "mg/dL"),
        sodium_mmol_per_l=parts.number("sodium", "mmol/L"),
        inr=parts.number("inr", "1"),
        creatinine_mg_per_dl=parts.number("creatinine", "mg/dL"),
        albumin_g_per_dl=parts.number("albumin", "g/dL"),
        age_years=parts.optional(lambda: parts.number("age", "year")),
        dialysis=parts.optional(lambda: parts.words("dialysis", words["bclc"]["yes_words"])),
    )
    return (score,)


def _bclc(parts: _Parts) -> tuple[Texts]:
    yes = scores.published_scores()["bclc"]["yes_words"]
    name = parts.name("child_pugh_class")
    if parts.specs[name].levels is None:
        raise _Unusable
    stage = scores.bclc_stage(
        performance_status=parts.number("performance_status", "1"),
        child_pugh=parts.frame[name].to_numpy(dtype=object),
        tumour_number=parts.number("tumour_number", "1"),
        largest_tumour_cm=parts.number("tumour_size", "cm"),
        vascular_invasion=parts.words("vascular_invasion", yes),
        extrahepatic_spread=parts.words("extrahepatic_spread", yes),
    )
    return (stage,)


def _compare(
    name: str, frame: pd.DataFrame, computed: Floats | Texts, spec: CovariateSpec, file: str, found: Findings
) -> None:
    given = frame[name].to_numpy()
    if (spec.levels is None) != (SCORE_SPECS[name].levels is None):
        # Given as a category where it is computed as a number, or the other way round: nothing to compare.
        return
    if spec.levels is None:
        with np.errstate(invalid="ignore"):
            differs = (
                np.abs(np.asarray(given, dtype=np.float64) - computed.astype(np.float64)) > _TOLERANCE[name]
            )
    else:
        levels = SCORE_SPECS[name].levels or ()
        differs = np.array(
            [g in levels and c is not None and g != c for g, c in zip(given, computed, strict=True)],
            dtype=bool,
        )
    add_rows(
        found,
        Severity.WARNING,
        "score-disagrees",
        frame["row"].to_numpy(dtype=np.int64),
        differs,
        lambda i: (
            f"{shown(given[i])} in the file, {_as_text(computed[i])} from its parts; the file's is kept"
        ),
        file=file,
        column=name,
    )


def _as_text(value: Any) -> str:
    return shown(value) if isinstance(value, str) else f"{float(value):.4g}"
