"""Exposure that a population model predicts for the guarded column, and what is to be said of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from troughline.cohort.exposure import NOUNS, Exposure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from troughline.cohort.cohort import Cohort
    from troughline.cohort.studyfile import Predictor
    from troughline.model.model import Model
    from troughline.pk.cohort_exposure import DiscrepancyTest, ExposureMetric, ModelExposure
    from troughline.results import Json

RELIABLE = 0.7
"""Below this reliability ratio associations with the predicted exposure are called attenuated."""
NODES = 15
"""Over so many values of each patient's exposure the likelihood of a curve is averaged."""
_MOST_KEPT = 20_000
_kept: dict[bytes, ModelExposure] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUse:
    """A model and the exposures it predicted for one question.

    `exposures` by patient, one for each eligible sample, failed ones too; `reliability`: the ratio of
    `pk.cohort_exposure.reliability`, None with fewer than two patients; `discrepancy`: the samples against
    the model's predictions before data; `n_unverified` of the model's `n_numbers` were not read in their
    source; `metric` in words; `raw_unit` is that of the measured levels.
    """

    model_id: str
    title: str
    sha256: str
    calibrated: bool
    n_numbers: int
    n_unverified: int
    metric: str
    unit: str
    raw_unit: str
    exposures: Mapping[str, ModelExposure]
    reliability: float | None
    discrepancy: DiscrepancyTest | None

    @property
    def failed(self) -> dict[str, str]:
        """Why each patient with an eligible sample and no exposure has none."""
        return {p: e.status for p, e in self.exposures.items() if e.status}

    @property
    def flagged(self) -> dict[str, str]:
        """What is to be known of the exposure of single patients."""
        return {p: "; ".join(e.flags) for p, e in self.exposures.items() if e.flags and not e.status}

    @property
    def reservations(self) -> tuple[str, ...]:
        """What the reader must know of the model itself, in clauses."""
        said: list[str] = []
        if self.calibrated:
            said.append("calibrated to aggregate data, not fitted to patients")
        if self.n_unverified:
            said.append(f"{self.n_unverified} of its {self.n_numbers} numbers not read in their source")
        return tuple(said)

    def named(self) -> str:
        """The model in one line of provenance: its id, its file's hash, and its reservations."""
        return f"{self.model_id} ({'; '.join([f'SHA-256 {self.sha256}', *self.reservations])})"

    def nodes(self, patients: Sequence[str]) -> NDArray[np.float64]:
        """Equally likely values of each patient's exposure `(n, NODES)`, rising.

        The geometric means of as many equal parts of the sorted posterior draws: they keep 97 % of a normal
        variance, the medians of the parts 93 %.
        """
        import numpy as np

        ordered = np.log(np.stack([np.sort(self.exposures[p].draws) for p in patients]))
        parts = np.array_split(ordered, NODES, axis=1)
        return np.exp(np.column_stack([part.mean(axis=1) for part in parts]))

    def methods(self, *, propagated: bool) -> str:
        """What was done, as a sentence for the methods paragraph."""
        known = "" if self.reliability is None else f" (reliability ratio {self.reliability:.2f})"
        text = (
            f"Guarded exposure: the {self.metric} of the dosing interval that holds the first eligible "
            f"sample, under the dose in force, predicted by {self.named()} from each patient's samples up to "
            f"that one and none after it: the median of the patient's posterior{known}. "
        )
        if propagated:
            return text + (
                "Its uncertainty is carried through the curves: the likelihood of each patient's outcome is "
                f"averaged over {NODES} equal parts of that posterior. It is not carried into odds ratios."
            )
        return text + "Its uncertainty is not carried through: the intervals take the medians as known."

    def table(self, samples: Mapping[str, float]) -> list[Json]:
        """One row a patient with an eligible sample; `samples` holds the raw level of each."""
        return [
            {
                "patient": p,
                "day": e.day,
                f"level as measured ({self.raw_unit})": samples.get(p),
                "time after dose (h)": e.time_after_dose_h,
                "dose (mg)": e.dose_mg,
                f"predicted {self.metric} ({self.unit})": e.median,
                "90 % from": e.low,
                "90 % to": e.high,
                "SD of its logarithm": e.log_sd,
                "samples behind it": e.n_samples,
                "status": _status(e),
            }
            for p, e in self.exposures.items()
        ]

    def of_sample(self, patient: str, *, used: bool) -> Json:
        """The exposure predicted from a sample, for the table of samples; nothing where it was not used."""
        e = self.exposures.get(patient) if used else None
        return {
            "predicted": None if e is None else e.median,
            "predicted_low": None if e is None else e.low,
            "predicted_high": None if e is None else e.high,
            "predicted_unit": self.unit,
            "status": "" if e is None else _status(e),
        }

    def contents(self) -> Json:
        """What `results.json` says of the model beside the samples."""
        test = self.discrepancy
        return {
            "id": self.model_id,
            "title": self.title,
            "sha256": self.sha256,
            "calibrated": self.calibrated,
            "numbers": self.n_numbers,
            "unverified": self.n_unverified,
            "reservations": list(self.reservations),
            "metric": self.metric,
            "unit": self.unit,
            "reliability": self.reliability,
            "discrepancy": None
            if test is None
            else {"n": test.n, "mean": test.mean, "p_value": test.p_value, "ratio": test.ratio},
        }


def predicted(
    cohort: Cohort, predictor: Predictor, exposure: Exposure, molar_mass_g_per_mol: float | None
) -> tuple[Exposure, ModelUse]:
    """The exposure with its guarded values predicted by the predictor's model, and how that was done.

    Patients for whom there is no prediction lose their guarded value. Raises `ValueError` where the model
    cannot be used at all.
    """
    from troughline.cohort.model_checks import model_reference
    from troughline.issues import InputError
    from troughline.model.model import load_model
    from troughline.pk.cohort_exposure import cohort_exposure, discrepancy_test, reliability

    if predictor.unit is None or predictor.analyte is None:
        raise ValueError("the predictor is not a measured level")
    if cohort.doses.empty:
        raise ValueError("a model predicts exposure from the doses, and the doses table holds none")
    try:
        model = load_model(model_reference(cohort.study, predictor))
    except InputError as error:
        raise ValueError(f"the model has errors: {error.findings[0].line()}") from None
    except OSError as error:
        raise ValueError(f"the model cannot be read: {error.strerror}") from None
    if len(_kept) > _MOST_KEPT:
        _kept.clear()
    exposures = cohort_exposure(
        cohort,
        model,
        {p: e.samples[0] for p, e in exposure.guarded.items()},
        analyte=predictor.analyte,
        metric=cast("ExposureMetric", predictor.metric),
        unit=predictor.unit,
        seed=cohort.study.study.seed,
        molar_mass_g_per_mol=molar_mass_g_per_mol,
        kept=_kept,
    )
    guarded = {
        p: replace(e, value=exposures[p].median) for p, e in exposure.guarded.items() if exposures[p].usable
    }
    ratio = reliability(exposures)
    use = ModelUse(
        **_of_model(model),
        metric=NOUNS[predictor.metric],
        unit=predictor.unit,
        raw_unit=exposure.unit,
        exposures=exposures,
        reliability=ratio if math.isfinite(ratio) else None,
        discrepancy=discrepancy_test(exposures),
    )
    return replace(exposure, guarded=guarded), use


def _status(exposure: ModelExposure) -> str:
    if exposure.status:
        return f"left out: {exposure.status}"
    return "; ".join(exposure.flags) or "predicted"


def _of_model(model: Model) -> dict[str, Any]:
    spec = model.spec
    return {
        "model_id": spec.id,
        "title": spec.title,
        "sha256": spec.sha256,
        "calibrated": spec.calibrated,
        "n_numbers": len(spec.parameters) + sum(len(b.effects) for b in spec.random),
        "n_unverified": sum(not p.verified for p in spec.parameters)
        + sum(len(b.effects) for b in spec.random if not b.verified),
    }
