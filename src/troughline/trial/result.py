"""What `results.json` holds of a trial: arms, comparisons, targets, all with intervals over trials."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.issues import Finding, Severity
from troughline.progress import Progress, silent
from troughline.results import Estimate, plain
from troughline.trial.cells import MARKERS, ROUTES, WHY
from troughline.trial.gather import FEWEST, effective, middle, middles, succeeds, wilson
from troughline.trial.statistics import ENDPOINTS, UNITS
from troughline.trial.stream import RESPONSES

if TYPE_CHECKING:
    from troughline.issues import Findings
    from troughline.trial.run import Columns, Gathered

Floats = NDArray[np.float64]
Json = dict[str, Any]
METHOD = "guarded: median over virtual trials, central interval, readings of potency with the same weight"
SWIMMERS = 40
ARM_NUMBERS = (
    "os_median", "ttp_median", "mttp_median", "os_1_year", "cr", "pr", "orr", "sd", "dcr", "m_orr", "m_dcr",
    "severe", "reductions", "stopped_toxic", "deaths", "duration_median", "dose_mean", "growth",
)  # fmt: skip
DOSING_NUMBERS = (
    "daily_dose", "days_inside", "days_below", "days_above", "dose_changes", "raised", "lowered", "samples",
)  # fmt: skip


def contents_of(
    gathered: Gathered, found: Findings, *, workers: int | None = None, progress: Progress = silent
) -> Json:
    """The whole of `results.json`, in plain values; what comes up on the way is added to `found`."""
    from troughline.provenance import provenance
    from troughline.trial.cells import the_runner
    from troughline.trial.targets import target_rows
    from troughline.trial.words import headline, methods

    setup = gathered.setup
    file = setup.file
    runner = the_runner(file.population.clearance)
    contents: Json = {
        "design": "trial",
        "title": file.trial.title,
        "description": file.trial.description,
        "simulated": True,
        "level": file.trial.level,
        "setup": _setup(gathered),
        "arms": [_arm(gathered, k) for k in range(len(file.arm))],
        "comparisons": [_comparison(gathered, arm, control) for arm, control in setup.pairs],
        "targets": target_rows(gathered),
        "combinations": None,
        "sensitivity": None,
    }
    if file.combinations is not None:
        from troughline.trial.combinations import rank

        contents["combinations"] = rank(setup, gathered.scales, workers=workers, progress=progress)
    if file.sensitivity is not None:
        from troughline.trial.sensitivity import screen

        contents["sensitivity"], more = screen(setup, gathered.scales, workers=workers, progress=progress)
        found.extend(more)
    contents["methods"] = methods(setup)
    contents["sentence"] = headline(contents)
    few = few_trials(gathered)
    if few:
        found.extend([few])
    contents["issues"] = [f.as_dict() for f in found]
    evidence = sorted({str(row["source"]).partition(",")[0].partition(":")[0] for row in contents["targets"]})
    contents["provenance"] = provenance(
        seed=file.trial.seed, inputs={setup.name: setup.sha256}, evidence=evidence,
        models=[f"{s.id} {s.sha256[:16]}" for s in (runner.mechanism, runner.kinetics)],
    )  # fmt: skip
    return plain(contents)


def _setup(gathered: Gathered) -> Json:
    from troughline.trial.dosing_result import shared_dosing
    from troughline.trial.people import words_of

    setup = gathered.setup
    file = setup.file
    follow = file.follow_up
    return {
        "patients_per_trial": sum(a.n for a in file.arm),
        "replicates": file.trial.replicates,
        "sets": [{"id": s.id, "reading": s.reading} for s in setup.sets],
        "runs": gathered.n_patients,
        "horizon_days": setup.protocol.horizon_days,
        "visit_days": list(setup.protocol.visit_days),
        "follow_up": None if follow is None else follow.model_dump(),
        "primary": file.trial.primary,
        "alpha": file.trial.alpha,
        "patients_mode": file.trial.patients,
        "dosing": shared_dosing(setup),
        "population": {
            "base": file.population.base,
            "label": setup.population.label,
            "source": setup.population.source if file.population.source == "assumed" else
            file.population.source,
            "words": words_of(file.population, setup.population),
            "scales": [
                {"set": s.id, **scale} for s, scale in zip(setup.sets, gathered.scales, strict=True) if scale
            ],
        },
    }  # fmt: skip


def _estimates(
    gathered: Gathered, name: str, values: Floats, *, unit: str, n: int, note: str = ""
) -> list[Estimate]:
    """A number over all trials, and over those of each reading where there are two.

    An interval is given from `FEWEST` trials on.
    """
    setup = gathered.setup
    made: list[Estimate] = []
    for label, rows in _by_reading(gathered):
        value, low, high = middle(values[rows], setup.file.trial.level, gathered.weight[rows])
        remark, few = note, int(rows.sum()) < FEWEST
        if few:
            low = high = math.nan
            remark = "; ".join(filter(None, (note, f"no interval from fewer than {FEWEST} trials")))
        if math.isinf(value):
            remark = "not reached within the horizon"
        elif math.isnan(value):
            remark = "not determined: no trial has it"
        made.append(
            Estimate(
                name=name, value=_or_none(value), low=_or_none(low), high=_or_none(high),
                level=setup.file.trial.level, unit=unit, n=n, method=METHOD, label=label, note=remark,
            )
        )  # fmt: skip
    return made


def _by_reading(gathered: Gathered) -> list[tuple[str, NDArray[np.bool_]]]:
    """All trials, and those of each reading of potency where there are two: label and which they are."""
    readings = gathered.reading_of
    groups = [("", np.ones(len(readings), dtype=bool))]
    names = list(dict.fromkeys(str(r) for r in readings))
    return groups + ([(r, np.asarray(readings == r, dtype=bool)) for r in names] if len(names) > 1 else [])


def few_trials(gathered: Gathered) -> Finding | None:
    """A finding where there are too few trials for an interval, of all or of a reading."""
    few = [(label, int(rows.sum())) for label, rows in _by_reading(gathered) if rows.sum() < FEWEST]
    if not few:
        return None
    words = ", ".join(f"{n} {f'under {label}' if label else 'in all'}" for label, n in few)
    bands = ", and bands in figures run from about the least to about the greatest" if few[0][0] == "" else ""
    return Finding(
        Severity.WARNING, "few-trials",
        f"fewer than {FEWEST} virtual trials ({words}): no interval over them is given{bands}; take more "
        "replicates",
        file=gathered.setup.name, column="trial.replicates",
    )  # fmt: skip


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _arm(gathered: Gathered, k: int) -> Json:
    from troughline.trial.dosing_result import arm_dosing, policy_words
    from troughline.trial.treatments import assumed_of, words_of

    file = gathered.setup.file
    arm = file.arm[k]
    dosing = arm_dosing(gathered, k)
    estimates: list[Estimate] = []
    for name in (*ARM_NUMBERS, *(DOSING_NUMBERS if dosing else ())):
        values = np.array([t.numbers[arm.id][name] for t in gathered.trials])
        estimates += _estimates(gathered, name, values, unit=UNITS.get(name, "%"), n=arm.n)
    first = gathered.first[arm.id]
    return {
        "id": arm.id,
        "label": arm.label or arm.id,
        "words": words_of(arm, policy_words(gathered, k)),
        "assumed": assumed_of(arm, file),
        "n": arm.n,
        "estimates": estimates,
        "curves": {endpoint: _curve(gathered, arm.id, endpoint) for endpoint in ENDPOINTS},
        "responses": {
            c: dict(
                zip(
                    RESPONSES, _mean(gathered, [t.responses[arm.id, c] for t in gathered.trials]), strict=True
                )
            )
            for c in ("recist", "mrecist")
        },
        "waterfall": _waterfall(first),
        "swimmer": _swimmer(first),
        "markers": _markers(gathered, arm.id),
        "routes": _routes(gathered, arm.id),
        "stops": [
            {"why": why, "share": share}
            for why, share in zip(
                WHY, _mean(gathered, [t.stops[arm.id] for t in gathered.trials]), strict=True
            )
        ],
        "dosing": dosing,
    }


def _mean(gathered: Gathered, rows: list[Any]) -> Floats:
    """The mean over the trials, each reading of potency with the same weight."""
    return np.average(np.array(rows, dtype=np.float64), axis=0, weights=gathered.weight)


def _curve(gathered: Gathered, arm: str, endpoint: str) -> Json:
    heights = np.array([t.curves[arm, endpoint] for t in gathered.trials], dtype=np.float64)
    mid, low, high = middles(heights, gathered.setup.file.trial.level, gathered.weight)
    risk = _mean(gathered, [t.at_risk[arm, endpoint] for t in gathered.trials])
    return {
        "day": gathered.grid, "survival": mid.round(5), "low": low.round(5), "high": high.round(5),
        "risk_day": gathered.risk_grid, "at_risk": risk.round(1),
    }  # fmt: skip


def _waterfall(first: Columns) -> list[Json]:
    change = np.asarray(first["best_change_percent"], dtype=np.float64)
    order = np.argsort(-change, kind="stable")
    return [
        {"patient": int(first["patient"][i]), "change": float(change[i]), "best": RESPONSES[first["best"][i]]}
        for i in order
        if np.isfinite(change[i])
    ]


def _swimmer(first: Columns) -> list[Json]:
    rows: list[Json] = []
    for i in range(min(SWIMMERS, len(first["patient"]))):
        died = bool(first["died"][i])
        last = float(first["os_day"][i])
        rows.append({
            "patient": int(first["patient"][i]),
            "stop_day": _until(float(first["stop_day"][i]), last),
            "stop_why": WHY[int(first["stop_why"][i])],
            "progression_day": float(first["ttp_day"][i]) if first["progressed"][i] else None,
            "death_day": last if died else None,
            "last_day": last,
            "next_line_day": _until(float(first["next_line_day"][i]), last),
            "reductions": int(first["reductions"][i]),
            "best": RESPONSES[first["best"][i]],
        })  # fmt: skip
    return sorted(rows, key=lambda row: -row["last_day"])


def _until(day: float, last: float) -> float | None:
    return day if math.isfinite(day) and day <= last else None


def _markers(gathered: Gathered, arm: str) -> list[Json]:
    n, total, squares = gathered.markers[arm]
    days = gathered.setup.file.markers.days
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / n
        sd = np.sqrt(np.maximum(squares / n - mean**2, 0.0))
    return [
        {
            "marker": marker, "day": list(days), "ratio": np.exp(mean[:, j]),
            "low": np.exp(mean[:, j] - sd[:, j]), "high": np.exp(mean[:, j] + sd[:, j]),
            "n": n[:, j].astype(np.int64),
        }
        for j, marker in enumerate(MARKERS)
    ]  # fmt: skip


def _routes(gathered: Gathered, arm: str) -> list[Json]:
    shares = np.array([t.routes[arm] for t in gathered.trials])
    rows: list[Json] = []
    for j, route in enumerate(ROUTES[1:], start=1):
        value, low, high = middle(shares[:, j], gathered.setup.file.trial.level, gathered.weight)
        if len(shares) < FEWEST:
            low = high = math.nan
        rows.append({"route": route, "share": value, "low": _or_none(low), "high": _or_none(high)})
    return rows


def _comparison(gathered: Gathered, arm: str, control: str) -> Json:
    setup, trials = gathered.setup, gathered.trials
    sizes = {a.id: a for a in setup.file.arm}
    n = sizes[arm].n + sizes[control].n
    ratio = {e: np.exp(np.array([t.log_hr[arm, control, e, 0][0] for t in trials])) for e in ENDPOINTS}
    estimates: list[Estimate] = []
    for endpoint, values in ratio.items():
        lost = int(np.isnan(values).sum())
        note = f"{lost} trials have no event in an arm" if lost else ""
        estimates += _estimates(gathered, f"{endpoint}_hr", values, unit="1", n=n, note=note)
    orr = np.array([t.numbers[arm]["orr"] - t.numbers[control]["orr"] for t in trials])
    estimates += _estimates(gathered, "orr_difference", orr, unit="%", n=n)
    by_set = [
        {
            "set": s.id, "reading": s.reading,
            "trials": setup.file.trial.replicates,
            **{f"{e}_hr": middle(v[gathered.set_of == k], 0.5)[0] for e, v in ratio.items()},
        }
        for k, s in enumerate(setup.sets)
    ]  # fmt: skip
    label = sizes[arm].label or arm
    return {
        "arm": arm,
        "control": control,
        "label": f"{label} against {sizes[control].label or control}",
        "estimates": estimates,
        "by_set": by_set,
        "success": _success(gathered, arm, control),
        "hazard_ratios": ratio,
    }


def _success(gathered: Gathered, arm: str, control: str) -> list[Json]:
    """How often a trial is won, for the arms' sizes (`n` of the smaller one) and smaller sizes asked for.

    Over all trials, each reading of potency with the same weight, and over those of each reading. The
    interval is Wilson's for as many trials as the weights are worth.
    """
    file = gathered.setup.file
    by_id = {a.id: a.n for a in file.arm}
    rows: list[Json] = []
    if file.trial.patients == "same":
        return rows  # the same patients in both arms: no trial that could be held
    for endpoint in ENDPOINTS:
        for size in (*(file.sizes.n if file.sizes else ()), 0):
            won = np.array(
                [succeeds(*t.log_hr[arm, control, endpoint, size], file.trial.alpha) for t in gathered.trials]
            )
            for label, which in _by_reading(gathered):
                weight = gathered.weight[which]
                share, worth = float(np.average(won[which], weights=weight)), effective(weight)
                low, high = wilson(share * worth, worth, file.trial.level)
                rows.append({
                    "endpoint": endpoint, "n": size or min(by_id[arm], by_id[control]), "label": label,
                    "share": share, "low": low, "high": high, "trials": int(which.sum()),
                })  # fmt: skip
    return rows
