"""Records from Python values: order, carrying, occasions, units, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.unit.records_sample import (
    DEPOT,
    LOGGED,
    PARENT_AND_METABOLITE,
    covariate_model,
    small_model,
)
from troughline.model.build import CovariateValues, DoseEvent, PatientRecord, Sample, records_from
from troughline.model.carry import carried
from troughline.model.records import (
    ABOVE_LIMIT,
    ALL_INPUTS,
    BELOW_LIMIT,
    DOSE,
    MISSING,
    OBSERVATION,
    OTHER,
    QUANTIFIED,
    RESET,
    RESET_AND_DOSE,
    records_slice,
)

NAN = math.nan


def test_at_one_time_come_resets_then_covariates_then_samples_then_doses() -> None:
    """So that a sample at the time of a dose is a trough."""
    records = records_from(
        [
            PatientRecord(
                patient="A",
                doses=(DoseEvent(time_h=24, amount_mg=10), DoseEvent(time_h=0, amount_mg=10)),
                samples=(Sample(time_h=24),),
                changes=(CovariateValues(time_h=24, values={"weight": 70}),),
                resets=(24,),
            )
        ],
        covariate_model(),
    )
    assert records.event.tolist() == [DOSE, RESET, OTHER, OBSERVATION, DOSE]
    assert records.time_h.tolist() == [0, 24, 24, 24, 24]


def test_a_sample_at_a_repeated_dose_parts_the_repetitions() -> None:
    """28 doses each 12 h with samples at the second and the last: three dose records, still 28 doses."""
    dose = DoseEvent(time_h=0, amount_mg=400, interval_h=12, additional=27, steady_state=1)
    samples = (Sample(time_h=12), Sample(time_h=27 * 12), Sample(time_h=30))
    records = records_from([PatientRecord(patient="A", doses=(dose,), samples=samples)], small_model())
    doses = records.event == DOSE
    assert records.time_h[doses].tolist() == [0, 12, 324]
    assert records.additional[doses].tolist() == [0, 25, 0]
    assert records.steady_state[doses].tolist() == [1, 0, 0]
    assert (records.additional[doses] + 1).sum() == 28
    at_twelve = records.event[records.time_h == 12]
    assert at_twelve.tolist() == [OBSERVATION, DOSE]


def test_values_become_canonical_and_keep_to_the_error_scale() -> None:
    """3450 ng/mL is 3.45 mg/L to the last bit, its logarithm where the error is on the log scale."""
    patient = PatientRecord(
        patient="A",
        samples=(
            Sample(time_h=1, value=3450),
            Sample(time_h=2, below_limit=True, limit=10),
            Sample(time_h=3, above_limit=True, limit=9000),
            Sample(time_h=4),
        ),
    )
    plain = records_from([patient], small_model())
    assert plain.value[0] == 3.45
    assert plain.censoring.tolist() == [QUANTIFIED, BELOW_LIMIT, ABOVE_LIMIT, MISSING]
    np.testing.assert_array_equal(plain.limit, [NAN, 0.01, 9.0, NAN])
    logged = records_from([patient], small_model(outputs=LOGGED))
    np.testing.assert_allclose(logged.value, [math.log(3.45), NAN, NAN, NAN], rtol=1e-15)
    np.testing.assert_allclose(logged.limit[1:3], np.log([0.01, 9.0]), rtol=1e-15)


@pytest.mark.parametrize(
    ("carry", "weights"), [("next", [72, 70, 70, 60, 60]), ("last", [72, 72, 70, 70, 60])]
)
def test_covariates_are_carried_by_their_rule(carry: str, weights: list[float]) -> None:
    """Records at 0, 50, 100 (70 kg), 150 and 200 h (60 kg); a value given without a time is the first one."""
    records = records_from(
        [
            PatientRecord(
                patient="A",
                samples=tuple(Sample(time_h=t) for t in (0, 50, 100, 150, 200)),
                covariates={"weight": 72, "sex": "Female"},
                changes=(
                    CovariateValues(time_h=100, values={"weight": 70}),
                    CovariateValues(time_h=200, values={"weight": 60}),
                ),
            )
        ],
        covariate_model(carry=carry),
    )
    seen = records.event == OBSERVATION
    assert records.covariates[seen, 0].tolist() == weights
    assert set(records.covariates[:, 1].tolist()) == {1.0}


def test_a_covariate_that_is_not_given_takes_the_default_or_is_refused() -> None:
    """80 kg and male are the model's defaults."""
    patient = PatientRecord(patient="A", samples=(Sample(time_h=0),))
    assert records_from([patient], covariate_model()).covariates.tolist() == [[80.0, 0.0]]
    with pytest.raises(ValueError, match="'sex' has no value, no default"):
        records_from([patient], covariate_model(default=""))


def test_carrying_stays_within_the_patient_and_within_the_moment() -> None:
    """Patients begin at 0, 3 and 3 (the second has no records); times let records of one moment agree."""
    values = np.array([NAN, 1.0, NAN, NAN, 5.0, NAN, 6.0])
    first = np.array([0, 3, 3, 7])
    np.testing.assert_array_equal(carried(values, first, "next"), [1, 1, 1, 5, 5, 6, 6])
    np.testing.assert_array_equal(carried(values, first, "last"), [1, 1, 1, 5, 5, 5, 6])
    time_h = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 2.0])
    np.testing.assert_array_equal(carried(values, first, "next", time_h=time_h), [1, 1, 1, 5, 5, 5, 6])
    np.testing.assert_array_equal(carried(values[:1], np.array([0, 1]), "next"), [NAN])


def test_a_dose_enters_as_the_models_inputs_say() -> None:
    """RATE −2 where the input declares a duration, −1 where a rate; 0 through all of them."""
    both = DEPOT + '[[doses]]\ncompartment = "central"\nduration = "D"\n'
    model = small_model(doses=both)
    doses = (
        DoseEvent(time_h=0, amount_mg=10),
        DoseEvent(time_h=1, amount_mg=10, compartment="depot"),
        DoseEvent(time_h=2, amount_mg=10, compartment="central"),
        DoseEvent(time_h=3, amount_mg=10, compartment="central", duration_h=4),
        DoseEvent(time_h=4, amount_mg=10, reset=True),
    )
    records = records_from([PatientRecord(patient="A", doses=doses)], model)
    assert records.rate_mg_per_h.tolist() == [0, 0, -2, 2.5, 0]
    assert records.compartment.tolist() == [ALL_INPUTS, 0, 1, 1, ALL_INPUTS]
    assert records.event.tolist() == [DOSE] * 4 + [RESET_AND_DOSE]
    rated = small_model(doses='[[doses]]\ncompartment = "depot"\nrate = "R"\n')
    assert records_from([PatientRecord(patient="A", doses=doses[1:2])], rated).rate_mg_per_h.tolist() == [-1]


def test_an_occasion_lasts_until_another_is_named() -> None:
    """Occasions 0 and 1 named by two doses; the samples after them belong to them."""
    records = records_from(
        [
            PatientRecord(
                patient="A",
                doses=(
                    DoseEvent(time_h=0, amount_mg=1, occasion=0),
                    DoseEvent(time_h=48, amount_mg=1, occasion=1),
                ),
                samples=(Sample(time_h=-1), Sample(time_h=48), Sample(time_h=60)),
            )
        ],
        small_model(),
    )
    assert records.occasion.tolist() == [0, 0, 0, 1, 1]


def test_a_slice_of_patients_is_what_they_alone_would_be() -> None:
    """Of four patients, one of them without records, the middle two."""
    model = covariate_model()
    patients = [
        PatientRecord(
            patient=name,
            doses=(DoseEvent(time_h=0, amount_mg=100),),
            samples=tuple(Sample(time_h=t, value=t) for t in range(1, n)),
            covariates={"weight": 50 + n},
        )
        for name, n in (("A", 3), ("B", 5), ("D", 2))
    ]
    patients.insert(2, PatientRecord(patient="C"))
    part = records_slice(records_from(patients, model), 1, 3)
    alone = records_from(patients[1:3], model)
    assert part.patients == alone.patients == ("B", "C")
    for name in ("first", "time_h", "event", "amount_mg", "value", "covariates", "output", "censoring"):
        np.testing.assert_array_equal(getattr(part, name), getattr(alone, name), err_msg=name)
    with pytest.raises(ValueError, match="not among the 4"):
        records_slice(records_from(patients, model), 3, 5)


def test_no_patients_are_no_records() -> None:
    """An empty cohort is not an error."""
    records = records_from([], covariate_model())
    assert (len(records), records.n_patients, records.covariates.shape) == (0, 0, (0, 2))


@pytest.mark.parametrize(
    ("patient", "message"),
    [
        (PatientRecord(patient="A", doses=(DoseEvent(time_h=0, amount_mg=-1),)), "amount_mg must be"),
        (PatientRecord(patient="A", doses=(DoseEvent(time_h=0, amount_mg=1, additional=1),)), "interval_h"),
        (
            PatientRecord(patient="A", doses=(DoseEvent(time_h=0, amount_mg=1, compartment="x"),)),
            "no compart",
        ),
        (PatientRecord(patient="A", samples=(Sample(time_h=0, output="x"),)), "no output 'x'"),
        (PatientRecord(patient="A", samples=(Sample(time_h=0, below_limit=True),)), "needs that limit"),
        (PatientRecord(patient="A", samples=(Sample(time_h=0, value=NAN),)), "must be finite"),
        (PatientRecord(patient="A", samples=(Sample(time_h=NAN),)), "a time must be finite"),
        (PatientRecord(patient="A", covariates={"height": 1}), "no covariate height"),
        (PatientRecord(patient="A", covariates={"weight": 10}), "outside 20 to 250 kg"),
        (PatientRecord(patient="A", covariates={"sex": "other"}), r"none of male \(0\), female \(1\)"),
        (PatientRecord(patient="A", covariates={"weight": "heavy"}), "not a number"),
    ],
)
def test_what_makes_no_sense_is_refused(patient: PatientRecord, message: str) -> None:
    """A mistake of the caller is a ValueError that says what and where."""
    with pytest.raises(ValueError, match=message):
        records_from([patient], covariate_model())


def test_an_output_must_be_named_where_there_are_two() -> None:
    """And a value on the log scale must be positive."""
    model = small_model(outputs=PARENT_AND_METABOLITE)
    records = records_from(
        [PatientRecord(patient="A", samples=(Sample(time_h=0, value=1, output="metabolite"),))], model
    )
    assert records.output.tolist() == [1]
    with pytest.raises(ValueError, match="name the output"):
        records_from([PatientRecord(patient="A", samples=(Sample(time_h=0),))], model)
    with pytest.raises(ValueError, match="above 0"):
        records_from(
            [PatientRecord(patient="A", samples=(Sample(time_h=0, value=0),))], small_model(outputs=LOGGED)
        )
