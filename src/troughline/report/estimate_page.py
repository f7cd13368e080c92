"""What the page of `troughline estimate` is drawn from, made of the outcome and the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from troughline.report.numbers import number, percent
from troughline.results import plain

if TYPE_CHECKING:
    from troughline.model.spec import ModelSpec
    from troughline.pk.estimate_diagnosis import OutputDiagnosis
    from troughline.pk.estimates import EstimateOutcome
    from troughline.pk.fits import Fit

Json = dict[str, Any]

_METHODS = (
    "Each patient's random effects are the maximum of their posterior density, with exact derivatives; "
    "objective and covariance are defined as NONMEM defines them. Levels beyond a limit of quantification "
    "enter by the probability of that (M3, doi:10.1023/A:1012299115260).",
    "NPDE: normalised prediction distribution errors from simulations with random effects of the model and "
    "residual error (doi:10.1007/s11095-006-9067-5), what lies below the limit drawn below it "
    "(doi:10.1007/s10928-012-9264-2). The predictive check is corrected by the prediction "
    "(doi:10.1208/s12248-011-9255-z).",
    "A sample is far outside the prior prediction where the probability of a level at least as far out, "
    "before any sample, is below 0.001 over the patient's number of samples. It is flagged, and used.",
)
_FIRST_ORDER = (
    "Intervals are to first order around the estimate: of the logarithm, with the posterior covariance."
)
_DRAWS = (
    "Intervals lie between quantiles of draws from each posterior, by importance sampling, or Metropolis "
    "chains where too few draws counted; individuals.csv has the effective number."
)


def page_results(outcome: EstimateOutcome, spec: ModelSpec, files: Mapping[str, str]) -> Json:
    """What `render_estimates_page` reads."""
    contents = outcome.contents
    counts, data = contents["counts"], contents["data"]
    by_name = {o["name"]: o for o in contents["outputs"]}
    looked = {d.output: d for d in outcome.diagnosis.outputs}
    outputs = [_output(spec, k, by_name[o.name], looked.get(k), outcome) for k, o in enumerate(spec.outputs)]
    return {
        "title": data["title"],
        "description": " ".join(contents["notes"]) or None,
        "simulated": data["simulated"],
        "level": contents["options"]["level"],
        "model": _model(spec),
        "counts": {k: counts[k] for k in ("patients", "samples", "below_limit", "doses", "not_estimated")},
        "findings": contents["issues"],
        "typical_values": [_parameter(p) for p in spec.parameters],
        "random_effects": contents["random_effects"],
        "outputs": [o for o in outputs if o["n"]],
        "tables": [*_far_outside(contents), *_not_estimated(contents), *_last_exposure(contents)],
        "methods": [*_METHODS, _DRAWS if contents["options"]["draws"] else _FIRST_ORDER],
        "files": [{"name": n, "what": w} for n, w in files.items() if n != "report.html"],
        "provenance": contents["provenance"],
    }


def _model(spec: ModelSpec) -> Json:
    return {
        "id": spec.id,
        "title": spec.title,
        "drug": spec.drug,
        "revision": spec.revision,
        "description": " ".join(spec.description.split()),
        "population": spec.population,
        "calibrated": spec.calibrated,
        "sources": [
            {"id": s.id, "citation": s.citation, "doi": s.doi, "note": s.note} for s in spec.sources.values()
        ],
        "notes": list(spec.notes),
    }


def _parameter(parameter: Any) -> Json:
    names = ("name", "unit", "low", "high", "level", "source", "verified", "note")
    return {"value": parameter.value_as_written, **{n: getattr(parameter, n) for n in names}}


def _output(
    spec: ModelSpec, k: int, said: Json, looked: OutputDiagnosis | None, outcome: EstimateOutcome
) -> Json:
    from troughline.report.model_view import error_formula

    output = spec.outputs[k]
    fits = [_fit(f) for f in outcome.diagnosis.fits if f.output == k]
    one: Json = {
        "name": output.name,
        "label": output.label or output.name,
        "unit": output.unit,
        "error": error_formula(output.error),
        "n": said["samples"],
        "below_limit": said["censored"],
        "shrinkage": said["shrinkage"],
        "fits": fits,
        "fits_log": False,
    }
    return one if looked is None else {**one, **_figures(looked, outcome.diagnosis.n_simulations)}


def _figures(d: OutputDiagnosis, n_simulations: int) -> Json:
    shown: Json = {
        "limit": d.limit,
        "time_label": "time after dose" if d.after_dose else "time",
        "predictions": {
            "observed": d.observed,
            "population": d.population,
            "individual": d.individual,
            "below_limit": d.censoring > 0,
        },
        "residuals": {
            "time_h": d.moment_h,
            "iwres": d.iwres,
            "individual": d.individual,
            "population": d.population,
        },
    }
    if d.pwres is not None:
        shown["residuals"]["pwres"] = d.pwres
    if d.npde is not None:
        shown["npde"] = {
            "npde": d.npde.npde,
            "time_h": d.moment_h,
            "prediction": d.npde.prediction,
            "tests": plain(d.tests),
            "n_simulations": n_simulations,
        }
    if d.vpc is not None:
        shown["vpc"] = {**plain(d.vpc), "points": {"time_h": d.moment_h, "value": d.vpc.corrected}}
    return shown


def _fit(fit: Fit) -> Json:
    samples = "1 earlier sample" if fit.left_out == 1 else f"{fit.left_out} earlier samples"
    left = f", {samples} not shown" if fit.left_out else ""
    return {
        "patient": fit.patient,
        "note": f"{fit.dose_mg:g} mg{left}",
        "curve": {
            "time_h": fit.time_h,
            "individual": fit.individual,
            "low": fit.low,
            "high": fit.high,
            "population": fit.population,
        },
        "samples": {"time_h": fit.sample_h, "value": fit.sample, "below_limit": fit.below},
        "doses_h": fit.doses_h,
        "limit": fit.limit if np.isfinite(fit.limit) else None,
    }


def _far_outside(contents: Json) -> list[Json]:
    rows = [
        {
            "patient": s["patient"],
            "row": s["row"],
            "time (h)": s["time_h"],
            "observed": s["observed"] if s["observed"] is not None else f"limit {s['limit']:g}",
            "typical patient": s["population"],
            "unit": s["unit"],
            "probability": s["probability"],
        }
        for s in contents["far_outside"]
    ]
    total = contents["counts"]["far_outside"]
    note = "Check the dose, the time and the sample: they are used in the estimates all the same."
    if total > len(rows):
        note += f" The first {len(rows)} of {total}; predictions.csv has all."
    return [{"title": "Samples far outside the prior prediction", "note": note, "rows": rows}] if rows else []


def _not_estimated(contents: Json) -> list[Json]:
    rows = contents["not_estimated"]
    return [{"title": "Patients without an estimate", "note": None, "rows": rows}] if rows else []


def _last_exposure(contents: Json) -> list[Json]:
    """The last dosing interval of the first patients, with intervals."""
    level = percent(contents["options"]["level"])
    several = len(contents["outputs"]) > 1
    rows: list[Json] = []
    for one in contents["last_exposure"]:
        row: Json = {"patient": one["patient"]}
        if several:
            row["output"] = one["output"]
        row |= {"from (h)": one["start_h"], "to (h)": one["end_h"], "dose (mg)": one["dose_mg"]}
        for name, words, unit in (
            ("trough", "trough", one["unit"]),
            ("cmax", "peak", one["unit"]),
            ("auc", "area", _times_hours(one["unit"])),
        ):
            row[f"{words} ({unit})"] = _with_interval(one, name)
        rows.append(row)
    total = contents["counts"]["patients"]
    note = f"Median of each estimate and {level} interval, in the last dosing interval of the records."
    if len(rows) < total:
        note += f" The first {len(rows)} rows; exposure.csv has all {total} patients."
    return [{"title": "Exposure", "note": note, "rows": rows}] if rows else []


def _times_hours(unit: str) -> str:
    """`mg·h/L` for `mg/L`."""
    over, stroke, under = unit.partition("/")
    return f"{over}·h{stroke}{under}"


def _with_interval(one: Json, name: str) -> str:
    median, low, high = (one[f"{name}_{bound}"] for bound in ("median", "low", "high"))
    return "–" if median is None else f"{number(median)} ({number(low)}–{number(high)})"
