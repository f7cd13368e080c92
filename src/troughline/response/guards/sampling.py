"""Guards about the samples: what was drawn when, in which unit, how often, and in whom it is missing."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from troughline.response.guards.registry import EXPOSURE_KINDS, Fired, guard
from troughline.response.guards.wording import both_columns, count
from troughline.results import GuardSeverity

if TYPE_CHECKING:
    from troughline.cohort.exposure import Sample
    from troughline.response.case import Case

# Below this share of patients left out, missing data change little; above the second they change a lot.
MISSING_SHARE = 0.05


def _published_samples(case: Case) -> list[Sample]:
    exposure = case.predictor.exposure
    if exposure is None:
        return []
    return [s for e in exposure.as_published.values() for s in e.samples]


@guard(
    "not-a-trough",
    title="Not a trough",
    detects="a level used as a trough although it was drawn too soon after the dose, or at an unknown time",
    absent="every trough was drawn at least as long after the dose as the drug's file asks, or a population "
    "model predicts it from a level drawn at any time",
    remedy="Record the time of the last dose; a level too soon after it is left out of the guarded column.",
    reference="the drug's file in the evidence data (time after dose that makes a trough)",
    kinds=EXPOSURE_KINDS,
)
def not_a_trough(case: Case) -> Fired | None:
    """Drug levels called troughs that were drawn early or at an unrecorded time after the dose."""
    exposure = case.predictor.exposure
    if exposure is None or not exposure.is_drug or exposure.metric != "trough":
        return None
    if case.predictor.model is not None:
        return None
    used = _published_samples(case)
    early = [s for s in used if s.reason.startswith("not a trough")]
    unknown = [s for s in used if math.isnan(s.time_after_dose_h)]
    if not early and not unknown:
        return None
    parts: list[str] = []
    if early:
        hours = ", ".join(f"{s.time_after_dose_h:g} h" for s in early[:5])
        parts.append(f"{count(len(early), 'sample')} called a trough drawn too soon after the dose ({hours})")
    if unknown:
        parts.append(f"{count(len(unknown), 'sample')} without a recorded time after the dose")
    return Fired(
        finding="; ".join(parts) + ".",
        effect=both_columns(case.measured, "without those drawn too soon")
        if early
        else "They are used as troughs on trust.",
        severity=GuardSeverity.CAUTION if early else GuardSeverity.NOTE,
    )


@guard(
    "timing-unknown",
    title="When the level was drawn is unknown",
    detects="a drug level given as a column of the patients table, without day, time after dose or dose",
    absent="levels come from the measurements table with their days, or the predictor is no level",
    remedy="Move the levels to a measurements table (patient, time, analyte, value, unit, "
    "time_after_dose_h): only then can troughs, dose changes and late sampling be told.",
    reference="STROBE item 8, doi 10.1371/journal.pmed.0040296",
)
def timing_unknown(case: Case) -> Fired | None:
    """A covariate declared as a level of the study's drug."""
    if not case.predictor.level_of_drug:
        return None
    return Fired(
        finding=f"The drug level “{case.predictor.label}” comes without the day it was drawn: it may be no "
        "trough, may follow a dose change or the event, and those who died before it have none.",
        effect="No sample could be checked: the guarded column takes the same values.",
    )


@guard(
    "repeated-samples",
    title="Repeated samples taken as independent",
    detects="several samples of one patient counted as several patients, or a maximum over unequal numbers",
    absent="one value a patient, from a rule that does not depend on how often the patient was sampled",
    remedy="One value a patient: the guarded column takes the first eligible sample.",
    reference="Hurlbert 1984, doi 10.2307/1942661",
)
def repeated_samples(case: Case) -> Fired | None:
    """`summary = "every"` or `"max"` with unequal numbers of samples."""
    exposure = case.predictor.exposure
    summary = case.asked.summary
    if exposure is None or summary not in ("every", "max"):
        return None
    # Time to an event is analysed with one value a patient: every sample as a patient is not on offer there.
    if summary == "every" and case.question.kind not in ("threshold", "curve"):
        return None
    numbers = Counter(s.patient for s in exposure.samples)
    if max(numbers.values()) == min(numbers.values()) == 1:
        return None
    if summary == "max" and max(numbers.values()) == min(numbers.values()):
        return None
    n_samples, n_patients = sum(numbers.values()), len(numbers)
    finding = (
        f"{n_samples} samples of {count(n_patients, 'patient')} were taken as {n_samples} patients."
        if summary == "every"
        else f"The highest of {min(numbers.values())} to {max(numbers.values())} samples was taken: "
        "who is sampled more often has a higher maximum."
    )
    return Fired(finding=finding, effect=both_columns(case.measured, "with one value a patient"))


@guard(
    "mixed-units-or-assays",
    title="Mixed units or assays",
    detects="levels of one analyte in more than one unit or from more than one assay",
    absent="one unit and one assay",
    remedy="Units are converted; check the conversion, and compare assays on shared samples before pooling.",
    reference="FDA Bioanalytical Method Validation guidance, 2018",
    kinds=EXPOSURE_KINDS,
)
def mixed_units_or_assays(case: Case) -> Fired | None:
    """More than one written unit or assay among the samples."""
    exposure = case.predictor.exposure
    if exposure is None:
        return None
    units = Counter(s.unit_as_written for s in exposure.samples)
    assays = Counter(s.assay for s in exposure.samples if s.assay)
    parts = [
        f"{what}: " + ", ".join(f"{name} ({n})" for name, n in sorted(seen.items()))
        for what, seen in (("units", units), ("assays", assays))
        if len(seen) > 1
    ]
    if not parts:
        return None
    return Fired(
        finding="The samples mix " + "; ".join(parts) + ".",
        effect=f"All were converted to {exposure.unit}; a difference between assays would remain.",
    )


@guard(
    "below-limit",
    title="Levels below the limit of quantification",
    detects="levels below the limit of quantification among those used",
    absent="every level used was quantified",
    remedy="Ranks are right as they are (lowest); a model gets half the limit, and the share is stated.",
    reference="Beal 2001, doi 10.1023/A:1012299115260",
    kinds=EXPOSURE_KINDS,
)
def below_limit(case: Case) -> Fired | None:
    """Samples below the limit behind a value that is used."""
    exposure = case.predictor.exposure
    if exposure is None:
        return None
    below = [s for s in exposure.samples if s.below_limit]
    if not below:
        return None
    share = 100 * len(below) / len(exposure.samples)
    effect = "Half the limit stands in for them in the models."
    if case.predictor.model is not None:
        effect = (
            "The population model takes them as what they are, below the limit; half the limit stands in for "
            "them in the as-published column."
        )
    return Fired(
        finding=f"{len(below)} of {len(exposure.samples)} samples ({share:.0f} %) lie below the limit.",
        effect=effect,
        severity=GuardSeverity.CAUTION if share > 10 else GuardSeverity.NOTE,
    )


@guard(
    "missing-data",
    title="Missing data",
    detects="patients of the cohort who are not in the guarded analysis",
    absent=f"no more than {100 * MISSING_SHARE:.0f} % of the patients are left out",
    remedy="State who was left out and why; if the reason depends on the outcome, the answer holds only for "
    "those analysed.",
    reference="Sterne 2009, doi 10.1136/bmj.b2393; STROBE item 12c, doi 10.1371/journal.pmed.0040296",
)
def missing_data(case: Case) -> Fired | None:
    """Patients excluded from the guarded analysis, with the reasons."""
    total = len(case.cohort.patient_ids)
    incomplete = case.measured.n_incomplete_covariates
    missing = total - len(case.analysed) + incomplete
    if total == 0 or missing / total <= MISSING_SHARE:
        return None
    reasons = Counter(_kind(r) for p, r in case.excluded.items() if p not in set(case.analysed))
    if incomplete:
        reasons["an adjusting covariate is missing"] += incomplete
    listed = "; ".join(f"{n} {reason}" for reason, n in reasons.most_common())
    with_outcome = [
        p
        for p in case.excluded
        if any(o.happened.get(p) for o in case.outcomes.values()) and p not in set(case.analysed)
    ]
    effect = ""
    if case.outcomes and with_outcome:
        effect = (
            f"{len(with_outcome)} of those left out had an outcome that the question counts: "
            "they are not missing at random."
        )
    return Fired(
        finding=f"{missing} of {total} patients ({100 * missing / total:.0f} %) are not in the guarded "
        f"analysis{' or its adjusted models' * bool(incomplete)}: {listed}.",
        effect=effect,
    )


def _kind(reason: str) -> str:
    parts = [part.split(":")[0].split(" (day")[0] for part in reason.split("; ")]
    return " and ".join(dict.fromkeys(parts))
