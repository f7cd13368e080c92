"""A world: a model with its typical values and variances, as the truth or as what a policy assumes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.cohort.studyfile_messages import did_you_mean
from troughline.issues import Findings, InputError, Severity

if TYPE_CHECKING:
    from troughline.dosing.policy.schema import World
    from troughline.model.model import Model
    from troughline.model.spec import ModelSpec

Floats = NDArray[np.float64]
_RATIO_TOLERANCE = 1e-6


@dataclass(frozen=True, kw_only=True)
class WorldModel:
    """A model as a world has it: `theta` (n_parameters,), variances in its `spec`, exposure that falls.

    `output`: the index of the level among the model's outputs. `fall_fraction`, `fall_half_time_h`: the fall
    beside the model (0: none). `shifted`: what differs from the model file, in words.
    """

    model: Model
    theta: Floats
    output: int
    fall_fraction: float = 0.0
    fall_half_time_h: float = 1.0
    shifted: tuple[str, ...] = ()

    @property
    def spec(self) -> ModelSpec:
        """The model's specification, with the variances of this world."""
        return self.model.spec

    def dose_factor(self, time_h: Floats) -> Floats:
        """By what a dose taken at a time (h) counts less, 1 without a fall: 1 − f·(1 − 2^(−t/T½))."""
        gone = 1.0 - np.exp2(-np.asarray(time_h, dtype=np.float64) / self.fall_half_time_h)
        return 1.0 - self.fall_fraction * gone

    def same_as(self, other: WorldModel) -> bool:
        """Whether two worlds are one: model, typical values, variances, fall."""
        return (
            self.spec.sha256 == other.spec.sha256
            and np.array_equal(self.theta, other.theta)
            and all(
                np.array_equal(self.spec.covariance(level), other.spec.covariance(level))
                for level in ("subject", "occasion")
            )
            and (self.fall_fraction, self.fall_half_time_h) == (other.fall_fraction, other.fall_half_time_h)
        )


def world_of(entry: World, drug: str, *, place: str, file: str, found: Findings) -> WorldModel | None:
    """The world of a section, or None with errors in `found`."""
    from troughline.model.model import load_model

    def fault(code: str, message: str, key: str = "model") -> None:
        found.add(Severity.ERROR, code, message, file=file, column=f"{place}.{key}")

    try:
        model = load_model(entry.model)
    except InputError as error:
        fault("model-faulty", f"{entry.model} cannot be used: {error.findings[0].line()}")
        return None
    except (ValueError, OSError) as error:
        fault("unknown-model", f"{entry.model!r} is no model: {error}")
        return None
    spec = model.spec
    if spec.drug.casefold() != drug.casefold():
        fault("other-drug", f"{spec.id} is a model of {spec.drug}, and the evaluation is about {drug}")
    names = [o.name for o in spec.outputs if o.error.kind != "none"]
    name = entry.output or (drug if drug in names else names[0] if len(names) == 1 else None)
    if name not in names:
        fault(
            "unknown-output", f"name the output that is the level; {spec.id} has {', '.join(names)}", "output"
        )
    theta = spec.theta.copy()
    shifted: list[str] = []
    known = [p.name for p in spec.parameters]
    for parameter, shift in entry.parameters.items():
        if parameter not in known:
            hint = did_you_mean(parameter, known, f"the parameters of {spec.id}")
            fault("unknown-parameter", f"{spec.id} has no parameter {parameter!r}; {hint}", "parameters")
            continue
        p = spec.parameters[known.index(parameter)]
        if shift.times is not None:
            theta[known.index(parameter)] *= shift.times
            shifted.append(f"{parameter} × {shift.times:g}")
        else:
            written = float(shift.value or 0.0)
            scale = p.value / p.value_as_written if p.value_as_written else 1.0
            theta[known.index(parameter)] = written * scale
            shifted.append(f"{parameter} = {written:g} {p.unit}".rstrip(" 1"))
    for words, factor in (("subjects", entry.between_subjects), ("occasions", entry.between_occasions)):
        if factor != 1:
            shifted.append(f"variances between {words} × {factor:g}")
    if entry.falling is not None:
        shifted.append(
            f"exposure falls by {entry.falling.fraction:.0%} with half-time "
            f"{entry.falling.half_time_days:g} days"
        )
    if len(found.errors):
        return None
    made = WorldModel(
        model=_with_variances(model, entry.between_subjects, entry.between_occasions),
        theta=theta,
        output=[o.name for o in spec.outputs].index(str(name)),
        fall_fraction=entry.falling.fraction if entry.falling else 0.0,
        fall_half_time_h=24.0 * entry.falling.half_time_days if entry.falling else 1.0,
        shifted=tuple(shifted),
    )
    if entry.falling is not None and not proportional_to_dose(made):
        fault(
            "falling-twice",
            f"the exposure of {spec.id} is not proportional to the dose, so that a fall cannot be put on the "
            "amounts; shift the model's own parameters instead",
            "falling",
        )
        return None
    return made


def _with_variances(model: Model, subjects: float, occasions: float) -> Model:
    """The model with its variances multiplied; what is compiled of it stays, as variances are not."""
    from troughline.model.model import Model

    if subjects == 1 and occasions == 1:
        return model
    factor = {"subject": subjects, "occasion": occasions}
    blocks = tuple(replace(b, covariance=b.covariance * factor[b.level]) for b in model.spec.random)
    return Model(replace(model.spec, random=blocks), model._made)  # pyright: ignore[reportPrivateUsage]


def proportional_to_dose(world: WorldModel) -> bool:
    """Whether twice the dose gives twice the level of the typical patient."""
    from troughline.model.build import DoseEvent, PatientRecord, Sample, records_from

    spec = world.spec
    name = spec.outputs[world.output].name
    patients = [
        PatientRecord(
            patient=f"{amount:g} mg",
            doses=(DoseEvent(time_h=0.0, amount_mg=amount),),
            samples=(Sample(time_h=12.0, output=name),),
        )
        for amount in (100.0, 200.0)
    ]
    try:
        levels = world.model.predict(records_from(patients, spec), theta=world.theta).value
    except ValueError:
        return False
    one, two = levels[np.isfinite(levels)]
    return bool(abs(two / one / 2.0 - 1.0) < _RATIO_TOLERANCE)
