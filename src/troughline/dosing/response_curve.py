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

_FARTHEST, _STEPS = 4.0, 61


@dataclass(frozen=True, kw_only=True)
class ResponseCurve:
    """A probability over exposure with its uncertainty.

    `exposure` (n,): mg/L, or mg·h/L in 24 h, rising; `table` (n, 61): the probability there at deviations z
    of −4 to 4, the quantiles at Φ(z) of a beta distribution with the curve's mean and the SD of its
    interval. One draw has one deviation at every exposure. Below and above the exposures studied the
    probability is that at the nearest of them; how often is `outside`.
    """

    role: Role
    metric: Metric
    exposure: Floats
    table: Floats
    source: CurveSource

    def probability(self, values: Floats, z: Floats) -> Floats:
        """The probability at values (n_draws,) or (n_draws, n) with each draw's deviation z (n_draws,)."""
        n = len(self.exposure)
        x = np.interp(
            np.log(np.maximum(values, 1e-12)), np.log(self.exposure), np.arange(n, dtype=np.float64)
        )
        deviation = z if values.ndim == 1 else np.broadcast_to(z[:, None], values.shape)
        y = (np.clip(deviation, -_FARTHEST, _FARTHEST) + _FARTHEST) * ((_STEPS - 1) / (2 * _FARTHEST))
        i = np.minimum(x.astype(np.int64), n - 2)
        j = np.minimum(y.astype(np.int64), _STEPS - 2)
        right, up = x - i, y - j
        t = self.table
        low = t[i, j] * (1 - up) + t[i, j + 1] * up
        high = t[i + 1, j] * (1 - up) + t[i + 1, j + 1] * up
        made: Floats = low * (1 - right) + high * right
        return made

    def outside(self, values: Floats) -> float:
        """The share of values outside the exposures studied."""
        inside = (values >= self.exposure[0]) & (values <= self.exposure[-1])
        return 1.0 - float(inside.mean())


_STEMS: dict[Role, tuple[str, ...]] = {
    "toxicity": ("toxic", "grade", "adverse", "reaction", "hypertens", "diarrh", "discontinu", "stop"),
    "benefit": ("respon", "benefit", "control", "stable", "surviv", "remission"),
}


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
            if not entry.study:
                _check_role(patient, role, entry.endpoint, found)
        except ValueError as fault:
            found.add(
                Severity.ERROR, "curve", str(fault),
                file=patient.path.name if patient.path is not None else "patient", column=f"curves.{role}",
            )  # fmt: skip
            made[role] = CurveSource(role=role, available=False, reason=str(fault))
    if sum(f.code == "curve-role" for f in found) == len(roles):
        found.add(
            Severity.ERROR, "curve", "the curves of toxicity and benefit are exchanged, by their outcomes",
            file=patient.path.name if patient.path is not None else "patient", column="curves",
        )  # fmt: skip
    return made


def _of_study(patient: DosePatient, role: Role, entry: CurveEntry, found: Findings) -> ResponseCurve:
    from troughline.dosing.study_results import metric_of, question_of

    question, study = question_of(patient, entry.study or "", entry.question or "", kinds=("curve", "window"))
    series: dict[str, Any] = question["series"]["curve" if question["kind"] == "curve" else role]
    metric = metric_of(str(series.get("label", "")), f"question {entry.question!r} of {entry.study}")
    _check_role(patient, role, str(series.get("outcome_label", "")), found)
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


def role_of_outcome(outcome: str) -> Role | None:
    """Toxicity or benefit, by an outcome's words; None where they say neither, or both."""
    words = outcome.casefold()
    meant: list[Role] = [role for role, stems in _STEMS.items() if any(stem in words for stem in stems)]
    return meant[0] if len(meant) == 1 else None


def _check_role(patient: DosePatient, role: Role, endpoint: str, found: Findings) -> None:
    """A warning where a curve's outcome, by its words, belongs to the other role."""
    if role_of_outcome(endpoint) in (None, role):
        return
    other = "benefit" if role == "toxicity" else "toxicity"
    found.add(
        Severity.WARNING, "curve-role",
        f"the outcome of the curve of {role} is {endpoint!r}: is it one of {other}?",
        file=patient.path.name if patient.path is not None else "patient", column=f"curves.{role}",
    )  # fmt: skip


def _by_hand(patient: DosePatient, role: Role, entry: CurveEntry) -> ResponseCurve:
    return _curve(
        patient, role, entry.metric, entry.exposure, entry.probability, entry.low, entry.high,
        entry.unit or "", 0.95, source=entry.source, endpoint=entry.endpoint, n=None,
    )  # fmt: skip


def _curve(
    patient: DosePatient, role: Role, metric: Metric, exposure: Any, mean: Any, low: Any, high: Any,
    unit: str, level: float, *, source: str, endpoint: str, n: int | None,
) -> ResponseCurve:  # fmt: skip
    from troughline.evidence.store import load_drug
    from troughline.units import convert

    canonical = "mg*h/L" if metric == "auc" else "mg/L"
    mass = load_drug(patient.drug).molar_mass_g_per_mol
    x = convert(np.asarray(exposure, dtype=np.float64), unit, canonical, molar_mass_g_per_mol=mass)
    p, a, b = (np.asarray(v, dtype=np.float64) for v in (mean, low, high))
    if not (np.isfinite(x).all() and np.isfinite([p, a, b]).all() and (np.diff(x) > 0).all()):
        raise ValueError(f"the curve of {role} has values that are not finite, or exposures that do not rise")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    shown = CurveSource(
        role=role, available=True, reason="", source=source, endpoint=endpoint, metric=metric, unit=canonical,
        n=n, domain=(float(x[0]), float(x[-1])),
    )  # fmt: skip
    return ResponseCurve(
        role=role, metric=metric, exposure=x, table=_quantiles(p, (b - a) / (2 * z)), source=shown
    )


def _quantiles(mean: Floats, sd: Floats) -> Floats:
    """Beta quantiles (n, 61) at Φ(z); the SD is held below what a beta of that mean can have."""
    from scipy.special import betaincinv, ndtr

    p = np.clip(mean, 1e-4, 1 - 1e-4)[:, None]
    most = p * (1 - p)
    variance = np.clip(sd[:, None] ** 2, 1e-8, 0.9 * most)
    size = most / variance - 1
    z = np.linspace(-_FARTHEST, _FARTHEST, _STEPS)[None, :]
    made: Floats = np.asarray(betaincinv(p * size, (1 - p) * size, ndtr(z)), dtype=np.float64)
    return made
