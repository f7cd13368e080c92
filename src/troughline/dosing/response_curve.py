"""P(severe toxicity) and P(benefit) as a function of exposure, from a study's result or by hand."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.result import CurveSource
from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    from troughline.dosing.limits import Metric
    from troughline.dosing.patient import DosePatient
    from troughline.dosing.patient_schema import CurveEntry

Floats = NDArray[np.float64]
Role = Literal["toxicity", "benefit"]


@dataclass(frozen=True, kw_only=True)
class ResponseCurve:
    """A probability over exposure with its uncertainty.

    `exposure` (n,): mg/L, or mg·h/L in 24 h, rising; `center`, `sd` (n,): the logit of the probability. One
    draw is wrong by the same number of SDs at every exposure. Below and above the exposures studied the
    probability is that at the nearest of them; how often is `outside`.
    """

    role: Role
    metric: Metric
    exposure: Floats
    center: Floats
    sd: Floats
    source: CurveSource

    def probability(self, values: Floats, z: Floats) -> Floats:
        """The probability at values (n_draws,) or (n_draws, n) with each draw's deviation z (n_draws,)."""
        x = np.log(np.maximum(values, 1e-12))
        grid = np.log(self.exposure)
        mean = np.interp(x, grid, self.center)
        sd = np.interp(x, grid, self.sd)
        deviation = z if values.ndim == 1 else z[:, None]
        made: Floats = 1.0 / (1.0 + np.exp(-(mean + sd * deviation)))
        return made

    def outside(self, values: Floats) -> float:
        """The share of values outside the exposures studied."""
        return float(np.mean((values < self.exposure[0]) | (values > self.exposure[-1])))


def response_curves(patient: DosePatient, found: Findings) -> dict[str, ResponseCurve | CurveSource]:
    """The curve of each role, or why there is none; a curve that is named and cannot be read is an error."""
    named = patient.file.curves if patient.file is not None else None
    made: dict[str, ResponseCurve | CurveSource] = {}
    roles: tuple[Role, ...] = ("toxicity", "benefit")
    for role in roles:
        entry: CurveEntry | None = getattr(named, role) if named is not None else None
        if entry is None:
            made[role] = CurveSource(
                role=role, available=False,
                reason="no curve is named under [curves]: the published studies print thresholds and "
                "associations, from which no probability follows",
            )  # fmt: skip
            continue
        try:
            made[role] = (
                _of_study(patient, role, entry, found) if entry.study else _by_hand(patient, role, entry)
            )
        except ValueError as fault:
            found.add(
                Severity.ERROR, "curve", str(fault),
                file=patient.path.name if patient.path is not None else "patient", column=f"curves.{role}",
            )  # fmt: skip
            made[role] = CurveSource(role=role, available=False, reason=str(fault))
    return made


def _of_study(patient: DosePatient, role: Role, entry: CurveEntry, found: Findings) -> ResponseCurve:
    from troughline.dosing.study_results import question_of

    question, study = question_of(patient, entry.study or "", entry.question or "", kinds=("curve", "window"))
    series: dict[str, Any] = question["series"]["curve" if question["kind"] == "curve" else role]
    label = str(series.get("label", ""))
    metric: Metric = "auc" if "auc" in label.casefold() else "trough"
    if study.get("simulated"):
        found.add(
            Severity.WARNING, "simulated-curve",
            f"the curve of {role} comes from a study of simulated patients",
            file=patient.path.name if patient.path is not None else "patient", column=f"curves.{role}",
        )  # fmt: skip
    n = len(series.get("observed", {}).get("exposure", [])) or None
    return _curve(
        patient, role, metric, series["exposure"], series["mean"], series["low"], series["high"],
        str(series["unit"]), float(study.get("level", 0.95)),
        source=f"{study.get('title', entry.study)}, question {entry.question}",
        endpoint=str(series.get("outcome_label", "")), n=n,
    )  # fmt: skip


def _by_hand(patient: DosePatient, role: Role, entry: CurveEntry) -> ResponseCurve:
    return _curve(
        patient, role, entry.metric, entry.exposure, entry.probability, entry.low, entry.high,
        entry.unit or "", 0.95, source=entry.source, endpoint=entry.endpoint, n=None,
    )  # fmt: skip


def _inside(values: Any) -> Floats:
    """Probabilities off 0 and 1, where a logit has none."""
    return np.clip(np.asarray(values, dtype=np.float64), 1e-6, 1 - 1e-6)


def _curve(
    patient: DosePatient, role: Role, metric: Metric, exposure: Any, mean: Any, low: Any, high: Any,
    unit: str, level: float, *, source: str, endpoint: str, n: int | None,
) -> ResponseCurve:  # fmt: skip
    from troughline.evidence.store import load_drug
    from troughline.units import convert

    canonical = "mg*h/L" if metric == "auc" else "mg/L"
    mass = load_drug(patient.drug).molar_mass_g_per_mol
    x = convert(np.asarray(exposure, dtype=np.float64), unit, canonical, molar_mass_g_per_mol=mass)
    p, a, b = (_inside(v) for v in (mean, low, high))
    if not (np.isfinite(x).all() and np.isfinite([p, a, b]).all() and (np.diff(x) > 0).all()):
        raise ValueError(f"the curve of {role} has values that are not finite, or exposures that do not rise")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    shown = CurveSource(
        role=role, available=True, reason="", source=source, endpoint=endpoint, metric=metric, unit=canonical,
        n=n, domain=(float(x[0]), float(x[-1])),
    )  # fmt: skip
    return ResponseCurve(
        role=role, metric=metric, exposure=x, center=np.log(p / (1 - p)),
        sd=(np.log(b / (1 - b)) - np.log(a / (1 - a))) / (2 * z), source=shown,
    )  # fmt: skip
