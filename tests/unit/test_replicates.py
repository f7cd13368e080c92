"""Simulated data sets: how the work is divided, and that the draws have the model's covariance."""

from __future__ import annotations

import numpy as np
import pytest

from troughline.model.build import DoseEvent, PatientRecord, Sample, records_from
from troughline.model.model import Model, load_model
from troughline.model.records import Records
from troughline.pk import replicates as module
from troughline.pk.replicates import chunks, repeated, replicates

MODEL = "cabozantinib/nguyen-2019"


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(MODEL)


def records_of(model: Model, counts: tuple[int, ...]) -> Records:
    patients = [
        PatientRecord(
            patient=f"P{i}",
            doses=[DoseEvent(time_h=0, amount_mg=60)],
            samples=[Sample(time_h=4.0 * k) for k in range(1, count + 1)],
        )
        for i, count in enumerate(counts)
    ]
    return records_from(patients, model.spec)


@pytest.mark.parametrize("limit", [1, 7, 20, 10_000])
@pytest.mark.parametrize("draws", [1, 3, 50])
def test_chunks_cover_every_replicate_of_every_patient_once(
    limit: int, draws: int, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No chunk holds more records than the limit, unless a single replicate of a patient does."""
    monkeypatch.setattr(module, "CHUNK_RECORDS", limit)
    records = records_of(model, (3, 1, 9, 2, 2))
    seen = np.zeros((5, draws), dtype=int)
    for begin, end, first, last in chunks(records, draws):
        seen[begin:end, first:last] += 1
        size = int(records.first[end] - records.first[begin]) * (last - first)
        assert size <= limit or (end - begin, last - first) == (1, 1)
    assert (seen == 1).all()


def test_repeated_patients_keep_their_records(model: Model) -> None:
    records = records_of(model, (3, 1, 2))
    twice = repeated(records, 1, 3, 2)
    assert twice.patients == ("P1", "P1", "P2", "P2")
    assert np.diff(twice.first).tolist() == [2, 2, 3, 3]
    assert twice.time_h.tolist() == [0, 4, 0, 4, 0, 4, 8, 0, 4, 8]


def test_how_the_work_is_divided_changes_no_number(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of one replicate, of some and of everything give the same rows in the same order."""
    records = records_of(model, (3, 1, 2))
    made = {}
    for limit in (1, 9, 10_000):
        monkeypatch.setattr(module, "CHUNK_RECORDS", limit)
        parts = list(replicates(model, records, draws=4, seed=11))
        made[limit] = np.concatenate([p.simulated for p in parts])
        patients = [name for p in parts for name in p.records.patients]
        assert patients == [f"P{i}" for i in range(3) for _ in range(4)]
        numbers = np.concatenate([p.replicate for p in parts])
        assert np.unique(numbers).tolist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(made[1], made[10_000])
    np.testing.assert_array_equal(made[9], made[10_000])
    assert np.isnan(made[1]).sum() == 3 * 4


def test_effects_have_the_covariance_of_the_model(model: Model) -> None:
    """From 40,000 draws each covariance lies within 4 standard errors of its value."""
    omega = model.spec.covariance("subject")
    normal = np.random.default_rng(3).standard_normal((40_000, len(omega)))
    effects = module._correlated(model, normal)
    error = np.sqrt((np.outer(np.diag(omega), np.diag(omega)) + omega**2) / len(effects))
    assert (np.abs(np.cov(effects.T) - omega) <= 4 * error + 1e-12).all()


@pytest.mark.parametrize(("draws", "seed"), [(0, 1), (1, -1)])
def test_a_request_for_nothing_is_refused(draws: int, seed: int, model: Model) -> None:
    with pytest.raises(ValueError, match="at least"):
        next(replicates(model, records_of(model, (1,)), draws=draws, seed=seed))
