"""Simulated data sets: the records of patients with drawn random effects and residual error."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from troughline.pk.residual import with_residual

if TYPE_CHECKING:
    from troughline.model.model import Model
    from troughline.model.records import Records

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHUNK_RECORDS = 200_000
"""How many records are predicted at a time: what memory holds beside the data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicates:
    """Some replicates of some patients: all of one patient's before those of the next.

    `records`: each patient as often as it has replicates here; `replicate` (n_records,): from 1;
    `prediction` (n_records,): with the drawn random effects; `simulated` (n_records,): with residual error
    as well; both in canonical units on the natural scale, NaN where nothing is observed or predicted.
    `status` (n_patients,): as `Prediction` has it.
    """

    records: Records
    replicate: Ints
    prediction: Floats
    simulated: Floats
    status: Ints


def replicates(model: Model, records: Records, *, draws: int, seed: int) -> Iterator[Replicates]:
    """Simulate the records of every patient `draws` times, a chunk at a time.

    Random effects are normal with the model's covariance, those between occasions drawn for each occasion.
    The numbers of a patient depend on `seed` and the patient's name alone, not on who else is there, nor on
    how many replicates follow. Raises `ValueError` unless `draws` is at least 1 and `seed` at least 0.
    """
    from troughline.model.engine import effects_per_patient

    if draws < 1 or seed < 0:
        raise ValueError(f"draws must be at least 1 and seed at least 0, not {draws} and {seed}")
    own = effects_per_patient(model.compiled, records)
    generators: dict[int, np.random.Generator] = {}
    for begin, end, first, last in chunks(records, draws):
        if first == 0:
            generators = {i: _generator(seed, records.patients[i]) for i in range(begin, end)}
        yield _chunk(model, repeated(records, begin, end, last - first), generators, own, (first, last))


def chunks(records: Records, draws: int = 1) -> Iterator[tuple[int, int, int, int]]:
    """Ranges of patients and of replicates, (begin, end, first, last), of about `CHUNK_RECORDS` records."""
    until: list[int] = (records.first * draws).tolist()
    begin = 0
    while begin < records.n_patients:
        end = bisect_right(until, until[begin] + CHUNK_RECORDS) - 1
        if end > begin:
            yield begin, end, 0, draws
        else:
            end = begin + 1
            step = max(1, CHUNK_RECORDS // int(records.first[end] - records.first[begin]))
            for first in range(0, draws, step):
                yield begin, end, first, min(first + step, draws)
        begin = end


def repeated(records: Records, begin: int, end: int, times: int) -> Records:
    """The records of the patients from index `begin` up to, without, `end`, each patient `times` times."""
    from troughline.model.records import Records

    starts = np.repeat(records.first[begin:end], times)
    lengths = np.repeat(np.diff(records.first[begin : end + 1]), times)
    first = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    index = np.arange(int(first[-1]), dtype=np.int64) + np.repeat(starts - first[:-1], lengths)
    arrays = {
        f.name: getattr(records, f.name) for f in fields(records) if f.name not in ("patients", "first")
    }
    return Records(
        patients=tuple(p for p in records.patients[begin:end] for _ in range(times)),
        first=first,
        **{name: array[index] for name, array in arrays.items()},
    )


def _chunk(
    model: Model,
    records: Records,
    generators: dict[int, np.random.Generator],
    own: Ints,
    block: tuple[int, int],
) -> Replicates:
    times = block[1] - block[0]
    observed = np.bincount(records.patient_index()[records.observed], minlength=records.n_patients)
    effects = np.zeros((records.n_patients, int(own[list(generators)].max(initial=0))))
    normal = np.zeros(len(records))
    which, at = np.flatnonzero(records.observed), 0
    for k, (i, generator) in enumerate(generators.items()):
        q, n = int(own[i]), int(observed[k * times])
        drawn = generator.standard_normal((times, q + n))
        effects[k * times : (k + 1) * times, :q] = drawn[:, :q]
        normal[which[at : at + times * n]] = drawn[:, q:].ravel()
        at += times * n
    predicted = model.predict(records, effects=_correlated(model, effects), check=False)
    simulated = with_residual(model.spec.outputs, records.output, predicted.value, predicted.error, normal)
    of_patient = np.tile(np.arange(*block) + 1, len(generators))
    return Replicates(
        records=records,
        replicate=of_patient[records.patient_index()],
        prediction=predicted.value,
        simulated=simulated,
        status=predicted.status,
    )


def _correlated(model: Model, normal: Floats) -> Floats:
    """Independent standard normal numbers (n, q) turned into random effects with the model's covariance."""
    subject = len(model.spec.subject_effects)
    occasion = len(model.spec.occasion_effects)
    effects = np.zeros(normal.shape)
    _add_product(effects[:, :subject], normal[:, :subject], _root(model, "subject"))
    if occasion:
        root = _root(model, "occasion")
        for at in range(subject, normal.shape[1], occasion):
            _add_product(effects[:, at : at + occasion], normal[:, at : at + occasion], root)
    return effects


def _add_product(out: Floats, normal: Floats, root: Floats) -> None:
    """out ← out + normal·rootᵀ, summed column by column.

    A matrix product would round differently with the number of rows, so that a patient's draws would depend
    on who else is in the chunk.
    """
    for column in range(out.shape[1]):
        out += normal[:, column, None] * root[:, column]


def _root(model: Model, level: Literal["subject", "occasion"]) -> Floats:
    """A matrix R with R·Rᵀ = Ω, also where an effect has no variance or two are one."""
    values, vectors = np.linalg.eigh(model.spec.covariance(level))
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _generator(seed: int, patient: str) -> np.random.Generator:
    name = int.from_bytes(hashlib.sha256(patient.encode()).digest()[:8], "big")
    return np.random.default_rng([seed, name])
