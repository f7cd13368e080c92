"""What is said of all patients of `estimate`: counts, shrinkage, what stands out, where it came from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.model.records import ABOVE_LIMIT, BELOW_LIMIT, DOSE, MISSING, RESET_AND_DOSE
from troughline.pk.diagnostics import Shrinkage, effect_shrinkage, residual_shrinkage
from troughline.pk.individual import STATUS
from troughline.pk.work import repeated_doses

if TYPE_CHECKING:
    from troughline.model.records import Records
    from troughline.model.spec import ModelSpec
    from troughline.pk.estimate_data import EstimateData
    from troughline.pk.estimate_diagnosis import Diagnosis
    from troughline.pk.estimate_tables import Rows
    from troughline.pk.estimates import EstimateRequest
    from troughline.pk.individual import Individuals
    from troughline.pk.sampled import Sampled
    from troughline.pk.work import Plan

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Json = dict[str, Any]

ESTIMATED = (0, 4, 5)
MOST_LISTED = 200
"""Samples and patients that `result.json` lists; the tables have all."""
MOST_EXPOSURES = 50
"""Last dosing intervals that it lists."""


@dataclass(slots=True)
class Summary:
    """What is gathered over the parts of a file."""

    spec: ModelSpec
    statuses: Counter[int] = field(default_factory=Counter[int])
    methods: Counter[str] = field(default_factory=Counter[str])
    samples: int = 0
    below: int = 0
    doses: int = 0
    n_far: int = 0
    subject: list[Floats] = field(default_factory=list[Floats])
    occasion: list[Floats] = field(default_factory=list[Floats])
    iwres: list[Floats] = field(default_factory=list[Floats])
    output: list[Ints] = field(default_factory=list[Ints])
    censored: list[NDArray[np.bool_]] = field(default_factory=list[NDArray[np.bool_]])
    far: list[Json] = field(default_factory=list[Json])
    lost: list[Json] = field(default_factory=list[Json])
    exposure: list[Json] = field(default_factory=list[Json])

    def add(self, records: Records, individuals: Individuals, sampled: Sampled, method: list[str]) -> None:
        """Take in the patients of `records`."""
        self.statuses.update(individuals.status.tolist())
        self.methods.update(method)
        code = records.censoring[sampled.record]
        there = code != MISSING
        self.samples += int(there.sum())
        self.below += int(np.sum(code == BELOW_LIMIT))
        dosed = (records.event == DOSE) | (records.event == RESET_AND_DOSE)
        self.doses += int(np.sum(1 + repeated_doses(records)[dosed]))
        self.iwres.append(sampled.iwres[there])
        self.output.append(records.output[sampled.record[there]])
        self.censored.append((code[there] == BELOW_LIMIT) | (code[there] == ABOVE_LIMIT))
        self._effects(records, individuals)
        self._notable(records, individuals, sampled)

    def _effects(self, records: Records, individuals: Individuals) -> None:
        """The estimated effects that samples tell of: of patients, and of occasions with a sample."""
        n_subject, n_occasion = len(self.spec.subject_effects), len(self.spec.occasion_effects)
        good = individuals.status == 0
        self.subject.append(individuals.effects[good, :n_subject])
        if not n_occasion:
            return
        real = np.array([o.error.kind != "none" for o in self.spec.outputs], dtype=bool)
        rows = np.flatnonzero(records.observed & (records.censoring != MISSING) & real[records.output])
        pairs = np.unique(np.column_stack([records.patient_index()[rows], records.occasion[rows]]), axis=0)
        pairs = pairs[good[pairs[:, 0]]]
        place = n_subject + n_occasion * pairs[:, 1][:, None] + np.arange(n_occasion)
        self.occasion.append(individuals.effects[pairs[:, 0][:, None], place])

    def _notable(self, records: Records, individuals: Individuals, sampled: Sampled) -> None:
        self.n_far += int(sampled.far.sum())
        owner = records.patient_index()[sampled.record]
        for i in np.flatnonzero(sampled.far)[: MOST_LISTED - len(self.far)].tolist():
            k = int(sampled.record[i])
            output = self.spec.outputs[int(records.output[k])]
            self.far.append(
                {
                    "patient": records.patients[int(owner[i])],
                    "row": int(records.row[k]),
                    "time_h": float(records.time_h[k]),
                    "output": output.name,
                    "unit": output.unit,
                    "observed": float(sampled.observed[i]),
                    "limit": float(sampled.limit[i]),
                    "population": float(sampled.population[i]),
                    "probability": float(sampled.probability[i]),
                }
            )
        lost = np.flatnonzero(~np.isin(individuals.status, ESTIMATED))
        for p in lost[: MOST_LISTED - len(self.lost)].tolist():
            self.lost.append({"patient": records.patients[p], "status": STATUS[int(individuals.status[p])]})

    def add_exposure(self, rows: Rows) -> None:
        """Take in the last dosing interval of each patient and output, of the first patients."""
        room = MOST_EXPOSURES - len(self.exposure)
        names = [o.name for o in self.spec.outputs]
        last: dict[tuple[str, str], int] = {}
        for k, key in enumerate(zip(map(str, rows["patient"]), map(str, rows["output"]), strict=True)):
            if key[1] in names:
                last[key] = k
            if len(last) > room:
                break
        columns = ("patient", "output", "unit", "start_h", "end_h", "dose_mg", "method", "status")
        columns += tuple(c for c in rows if c.startswith(("trough", "cmax", "auc", "average")))
        for k in list(last.values())[:room]:
            self.exposure.append({c: rows[c][k] for c in columns})

    def contents(
        self, request: EstimateRequest, data: EstimateData, plan: Plan, diagnosis: Diagnosis
    ) -> Json:
        """What `result.json` holds."""
        from troughline.provenance import provenance
        from troughline.results import plain

        spec, options = self.spec, request.individual
        hashes = {**data.input_hashes, f"model {spec.id}": spec.sha256}
        n = sum(self.statuses.values())
        return plain(
            {
                "provenance": provenance(seed=request.seed, inputs=hashes, models=[spec.id]),
                "model": {
                    "id": spec.id,
                    "title": spec.title,
                    "drug": spec.drug,
                    "revision": spec.revision,
                    "calibrated": spec.calibrated,
                    "sha256": spec.sha256,
                },
                "data": {
                    "file": request.data.name,
                    "title": data.title,
                    "simulated": data.simulated or request.simulated,
                },
                "options": {
                    "draws": plan.draws,
                    "simulations": plan.simulations,
                    "seed": request.seed,
                    "level": request.level,
                    "prior_inflation": options.prior_inflation,
                    "starts": options.starts,
                    "zero_weight": options.zero_weight,
                    "interval_h": request.interval_h,
                },
                "counts": {
                    "patients": n,
                    "samples": self.samples,
                    "below_limit": self.below,
                    "doses": self.doses,
                    "not_estimated": sum(k for s, k in self.statuses.items() if s not in ESTIMATED),
                    "without_samples": self.statuses[4],
                    "far_outside": self.n_far,
                    "by_status": {STATUS[s]: k for s, k in sorted(self.statuses.items())},
                    "by_method": dict(sorted(self.methods.items())),
                    "diagnosed": diagnosis.n_patients,
                },
                "random_effects": self._random_effects(),
                "outputs": self._outputs(diagnosis),
                "far_outside": self.far,
                "not_estimated": self.lost,
                "last_exposure": self.exposure,
                "issues": [f.as_dict() for f in data.findings],
                "notes": self._notes(request, plan, diagnosis),
            }
        )

    def _random_effects(self) -> list[Json]:
        spec = self.spec
        rows: list[Json] = []
        for level, names, parts in (
            ("subject", spec.subject_effects, self.subject),
            ("occasion", spec.occasion_effects, self.occasion),
        ):
            if not names:
                continue
            sd = np.sqrt(np.diag(spec.covariance("subject" if level == "subject" else "occasion")))
            effects = np.concatenate(parts) if parts else np.empty((0, len(names)))
            found = effect_shrinkage(effects, sd)
            rows += [
                {"name": name, "level": level, "sd": float(sd[i]), **_shrinkage(found, i, "shrinkage_")}
                for i, name in enumerate(names)
            ]
        return rows

    def _outputs(self, diagnosis: Diagnosis) -> list[Json]:
        spec = self.spec
        none = np.empty(0)
        iwres = np.concatenate(self.iwres) if self.iwres else none
        output = np.concatenate(self.output) if self.output else none.astype(np.int64)
        censored = np.concatenate(self.censored) if self.censored else none.astype(bool)
        found = residual_shrinkage(iwres, output, len(spec.outputs))
        tests = {d.output: d.tests for d in diagnosis.outputs}
        return [
            {
                "name": o.name,
                "label": o.label,
                "unit": o.unit,
                "samples": int(np.sum(output == k)),
                "censored": int(np.sum(censored[output == k])),
                "shrinkage": _shrinkage(found, k, ""),
                "npde": tests.get(k),
            }
            for k, o in enumerate(spec.outputs)
        ]

    def _notes(self, request: EstimateRequest, plan: Plan, diagnosis: Diagnosis) -> list[str]:
        """What was not done to all, and why."""
        n = sum(self.statuses.values())
        notes: list[str] = []
        if not self.samples:
            notes.append(
                "No samples: every estimate is the prior, and every exposure its prediction before data."
            )
        if plan.why_none:
            notes.append(f"Intervals are to first order around the estimate: {plan.why_none}. Ask for draws.")
        elif not plan.draws:
            notes.append("Intervals are to first order around the estimate: no draws were asked for.")
        if not plan.simulate_tails and self.samples:
            notes.append("Prior probabilities of samples are to first order, except where they are small.")
        sampled = n - self.statuses[4] - self.statuses[5]
        if diagnosis.n_patients < sampled:
            notes.append(
                f"Figures and simulations are of {diagnosis.n_patients:,} of {sampled:,} patients with "
                "samples, spread evenly over the file."
            )
        if request.individual.prior_inflation != 1.0:
            inflation = request.individual.prior_inflation
            notes.append(f"The prior's covariance was multiplied by {inflation:g} for the estimates.")
        return notes


def _shrinkage(found: Shrinkage, k: int, prefix: str) -> Json:
    return {
        "n": int(found.n[k]),
        f"{prefix}sd": float(found.sd[k]),
        f"{prefix}variance": float(found.variance[k]),
    }
