"""The `association` question: markers held against stage, size and liver function at one time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator, model_validator

from troughline.cohort.question_base import QuestionBase, Strict, only_a_study
from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    import pandas as pd

    from troughline.cohort.studyfile import CovariateSpec, Predictor, Study

LimitSource = Literal[
    "manufacturer", "own controls", "published", "median split", "optimised on these data", "not stated"
]


class ReferenceLimit(Strict):
    """A limit beyond which a marker counts as low or high, in the marker's unit, and where it came from."""

    limit: float = Field(gt=0)
    side: Literal["below", "above"] = "below"
    origin: LimitSource = "not stated"


class Marker(Strict):
    """A marker: an `analyte` of the measurements table with its `unit`, or a `covariate` that is a number.

    `platform` names the analyser; `log` says whether ratios are the scale to speak in (default: where every
    value is positive); `reference` is a limit of normality. The first sample of each patient counts.
    """

    analyte: str | None = None
    unit: str | None = None
    covariate: str | None = None
    platform: str | None = None
    log: bool | None = None
    reference: ReferenceLimit | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Marker:
        if (self.analyte is None) == (self.covariate is None):
            raise ValueError("give exactly one of analyte or covariate")
        if (self.analyte is None) != (self.unit is None):
            raise ValueError(
                "an analyte needs its unit" if self.analyte else "unit goes with an analyte: a covariate has "
                "the unit of its declaration"
            )  # fmt: skip
        return self

    @property
    def name(self) -> str:
        """The analyte or covariate."""
        return self.analyte or self.covariate or ""


class Characteristic(Strict):
    """A covariate that markers are held against; with `log` a number counts per doubling."""

    covariate: str
    log: bool = False

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"covariate": value} if isinstance(value, str) else value


class AssociationQuestion(QuestionBase):
    """Which markers go with which characteristics of the patients, all at one time.

    `tests` says what the as-published column uses: tests of means (t, ANOVA, Pearson) or of ranks
    (Mann–Whitney, Kruskal–Wallis, Spearman).
    """

    kind: Literal["association"]
    markers: tuple[Marker, ...] = Field(min_length=1, max_length=1000)
    characteristics: tuple[Characteristic, ...] = Field(min_length=1, max_length=100)
    tests: Literal["means", "ranks"] = "means"
    permutations: int = Field(default=9999, ge=999, le=1_000_000)

    @field_validator("markers", "characteristics", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, (str, dict)) else value

    @model_validator(mode="after")
    def _each_once(self) -> AssociationQuestion:
        only_a_study(self.published)
        for what, names in (
            ("marker", [m.name.casefold() for m in self.markers]),
            ("characteristic", [c.covariate for c in self.characteristics]),
        ):
            twice = sorted({n for n in names if names.count(n) > 1})
            if twice:
                raise ValueError(f"{what} given twice: {', '.join(twice)}")
        return self

    @property
    def predictor(self) -> Predictor:
        """The first marker in the form that other kinds of questions have."""
        from troughline.cohort.studyfile import Predictor

        first = self.markers[0]
        if first.covariate is not None:
            return Predictor(covariate=first.covariate)
        return Predictor(analyte=first.analyte, unit=first.unit, metric="level")


def check_associations(
    study: Study,
    measurements: tuple[str, pd.DataFrame] | None,
    covariates: Mapping[str, CovariateSpec],
    found: Findings,
) -> None:
    """Errors for markers and characteristics that an association question cannot have.

    The first marker is checked with the predictors of the other questions (`checks.check_questions`).
    """
    from troughline.cohort.question_checks import check_published
    from troughline.cohort.reporting import shown
    from troughline.cohort.studyfile_messages import did_you_mean
    from troughline.units import is_unit

    place = study.path.name

    def error(code: str, message: str, column: str) -> None:
        found.add(Severity.ERROR, code, message, file=place, column=column)

    for question in study.question:
        if not isinstance(question, AssociationQuestion):
            continue
        where = f"question {question.id}"
        check_published(question, place, found)
        for c in question.characteristics:
            spec = covariates.get(c.covariate)
            column = f"{where} characteristics"
            if spec is None:
                hint = did_you_mean(c.covariate, covariates, "the covariates")
                error(
                    "covariate-undeclared",
                    f"{shown(c.covariate)} is not declared under [covariates] and cannot be computed; {hint}",
                    column,
                )
            elif c.log and spec.levels is not None:
                error("log-of-a-category", f"{shown(c.covariate)} has levels: it has no logarithm", column)
        for position, marker in enumerate(question.markers):
            column = f"{where} markers"
            if marker.covariate is not None:
                spec = covariates.get(marker.covariate)
                if spec is None and position > 0:
                    hint = did_you_mean(marker.covariate, covariates, "the covariates")
                    error(
                        "covariate-undeclared",
                        f"{shown(marker.covariate)} is not declared under [covariates]; {hint}",
                        column,
                    )
                elif spec is not None and spec.levels is not None:
                    error(
                        "marker-not-a-number",
                        f"{shown(marker.covariate)} has levels; a marker is a number (declare its unit)",
                        column,
                    )
                if marker.covariate in [c.covariate for c in question.characteristics]:
                    error(
                        "marker-against-itself",
                        f"{shown(marker.covariate)} is a marker and a characteristic",
                        column,
                    )
            elif position > 0 and marker.unit is not None and not is_unit(marker.unit):
                error("unknown-unit", f"{shown(marker.unit)} is no unit known here", column)
            elif position > 0 and marker.analyte is not None and measurements is not None:
                rows = measurements[1]["analyte"].str.casefold() == marker.analyte.casefold()
                if not rows.any():
                    found.add(
                        Severity.WARNING,
                        "analyte-absent",
                        f"{measurements[0]} has no row of {shown(marker.analyte)}",
                        file=place,
                        column=column,
                    )
