"""The contents of a made-up virtual trial, small and with every part: two arms and one with a second drug."""

from __future__ import annotations

import math
from typing import Any

Json = dict[str, Any]
DAYS = [0.0, 42.0, 84.0, 126.0, 168.0, 252.0, 336.0, 420.0, 504.0, 578.0]
HAZARD = {"placebo": 0.0030, "sorafenib": 0.0021, "added": 0.0023}
LABELS = {"placebo": "placebo", "sorafenib": "sorafenib <400 mg>", "added": "sorafenib + erlotinib"}
MARKERS = {"VEGF": 1.5, "sKIT": 0.8, "Ang2": 1.0, "AFP": 1.8, "sTNFa": 1.2}
ROUTES = {"PI3K/AKT": 30.0, "JAK-STAT": 12.0, "hypoxia": 25.0, "EMT": 8.0, "resistant clone": 25.0}


def sample() -> Json:
    """A fresh copy, to change."""
    return {
        "design": "trial",
        "title": "A made-up trial",
        "description": "Nothing here was computed. doi 10.1056/NEJMoa0708857",
        "simulated": True,
        "level": 0.95,
        "sentence": "sorafenib <400 mg> against placebo: hazard ratio of death 0.70 (0.55–0.89).",
        "methods": ["One paragraph on how it was made."],
        "issues": [
            {
                "severity": "warning",
                "code": "few-replicates",
                "message": "only 4 trials a set",
                "file": "t.toml",
                "row": None,
                "column": "trial.replicates",
            }
        ],
        "setup": {
            "patients_per_trial": 900,
            "replicates": 4,
            "sets": [{"id": "kd-1", "reading": "Kd"}, {"id": "ic-1", "reading": "IC50"}],
            "runs": 24,
            "horizon_days": 578,
            "visit_days": [42.0 * k for k in range(1, 14)],
            "primary": "os",
            "alpha": 0.05,
            "follow_up": {"shortest_months": 6.0, "longest_months": 19.0},
            "patients_mode": "randomised",
            "population": {
                "base": "sharp",
                "label": "advanced HCC",
                "source": "assumed",
                "words": ["HBV 19 %, HCV 29 %"],
                "scales": [{"set": "kd-1", "doubling": 0.37, "death_0": 1.7}],
            },
        },
        "arms": [_arm(k) for k in LABELS],
        "comparisons": [
            _comparison("sorafenib", "placebo", 0.70, 0.55),
            _comparison("added", "sorafenib", 1.08, 1.05),
        ],
        "targets": _targets(),
        "combinations": _combinations(),
        "sensitivity": {
            "arm": "sorafenib",
            "control": "placebo",
            "asked": ["os_hr"],
            "level": 0.95,
            "method": "Morris over 6 parameters.",
            "n": 300,
            "trajectories": 8,
            "runs": 56,
            "sobol_runs": 64,
            "width": 0.3,
            "predictions": [_hangs_on("os_hr", 0.3)],
        },
        "provenance": {
            "troughline": "0.1.0",
            "created": "2026-09-21T14:13:20Z",
            "seed": 7,
            "inputs": {"t.toml": "ab" * 32},
            "evidence": ["sharp-2008"],
            "models": ["sorafenib/hcc"],
            "python": "3.12.0",
            "libraries": {"numpy": "2.0"},
        },
    }


def _hangs_on(prediction: str, size: float) -> Json:
    effects = [size / (k + 1) for k in range(6)]
    return {
        "prediction": prediction,
        "morris": [
            {
                "rank": k + 1, "parameter": f"parameter_{k}", "mu_star": x, "low": x - 0.03, "high": x + 0.03,
                "mean": -x, "sigma": 0.1, "rank_low": k + 1, "rank_high": k + 1 + k,
                "status": ("source", "fitted", "assumed")[k % 3], "note": "made up",
            }
            for k, x in enumerate(effects)
        ],
        "sobol": [
            {"parameter": f"parameter_{k}", "S1": 0.3 / (k + 1), "S1_conf": 0.05, "ST": 0.4 / (k + 1),
             "ST_conf": 0.06}
            for k in range(3)
        ],
        "measurement": [
            {"measurement": "growth before", "narrowing": 0.31},
            {"measurement": "AFP at week 6", "narrowing": 0.12},
        ],
    }  # fmt: skip


def estimate(
    name: str, value: float | None, low: float | None, high: float | None, unit: str = "1", label: str = ""
) -> Json:
    """An estimate as results.json holds it."""
    return {
        "name": name,
        "value": value,
        "low": low,
        "high": high,
        "level": 0.95,
        "unit": unit,
        "n": 300,
        "method": "guarded: over trials",
        "label": label,
        "p_value": None,
        "note": "",
    }


def _curve(rate: float) -> Json:
    alive = [math.exp(-rate * d) for d in DAYS]
    return {
        "day": DAYS,
        "survival": alive,
        "low": [max(s - 0.05, 0.0) for s in alive],
        "high": [min(s + 0.05, 1.0) for s in alive],
        "risk_day": DAYS[::2],
        "at_risk": [round(300 * s) for s in alive[::2]],
    }


def _arm(arm: str) -> Json:
    rate, k = HAZARD[arm], list(LABELS).index(arm)
    month = math.log(2) / rate / 30.4375
    change = [60.0 - 9.0 * j + 3 * k for j in range(14)]
    best = ["PD" if c > 20 else "SD" if c > -30 else "PR" for c in change]
    shares = {"CR": 0.0, "PR": 2.0 + k, "SD": 65.0 + k, "PD": 28.0 - 2 * k, "NE": 5.0}
    return {
        "id": arm,
        "label": LABELS[arm],
        "words": f"what {arm} is",
        "assumed": ["the block of EGFR"] if k == 2 else [],
        "n": 300,
        "estimates": [
            estimate("os_median", month, month * 0.9, month * 1.1, "month"),
            estimate("ttp_median", None if k == 2 else 4.1, None, None, "month"),
            estimate("os_1_year", 100 * math.exp(-rate * 365), 30.0, 50.0, "%"),
            estimate("growth", 0.2 - 0.05 * k, 0.1, 0.25, "mm/day"),
        ],
        "curves": {"os": _curve(rate), "ttp": _curve(2 * rate)},
        "responses": {"recist": shares, "mrecist": {**shares, "PR": 6.0, "SD": 61.0 + 2 * k - k}},
        "waterfall": [
            {"patient": j, "change": c, "best": b} for j, (c, b) in enumerate(zip(change, best, strict=True))
        ],
        "swimmer": [
            {
                "patient": j,
                "stop_day": 40.0 * j + 20 if j % 4 else None,
                "stop_why": ("toxicity", "progression")[j % 2],
                "progression_day": 84.0 if j % 3 else None,
                "death_day": 45.0 * j + 50 if j % 2 else None,
                "last_day": 45.0 * j + 50,
                "next_line_day": 45.0 * j + 30 if j == 5 else None,
                "reductions": j % 3,
                "best": "SD",
            }
            for j in range(10)
        ],
        "markers": [
            {
                "marker": m,
                "day": [0.0, 28.0, 84.0, 168.0],
                "ratio": [1.0, *(r ** (k / 2 * f) for f in (0.5, 1.0, 1.2))],
                "low": [1.0, 0.8, 0.7, 0.65],
                "high": [1.0, 1.4, 1.7, None],
                "n": [300, 280, 200, 100],
            }
            for m, r in MARKERS.items()
        ],
        "routes": [{"route": r, "share": s, "low": s - 4, "high": s + 4} for r, s in ROUTES.items()],
        "stops": [{"why": "toxicity", "share": 20.0}, {"why": "progression", "share": 60.0}],
    }


def _comparison(arm: str, control: str, os: float, ttp: float) -> Json:
    trials = [1.0 + 0.12 * math.sin(2.1 * k) for k in range(8)]
    return {
        "arm": arm,
        "control": control,
        "label": f"{arm} against {control}",
        "estimates": [
            *(
                estimate("os_hr", os * f, os * 0.8, os * 1.25, label=reading)
                for f, reading in ((1, ""), (0.98, "Kd"), (1.02, "IC50"))
            ),
            estimate("ttp_hr", ttp, ttp * 0.85, ttp * 1.2),
        ],
        "by_set": [{"set": "kd-1", "reading": "Kd", "os_hr": os, "ttp_hr": ttp, "mttp_hr": None}],
        "success": [
            {
                "endpoint": e,
                "n": n,
                "share": min(0.95, f * n / 300 if os < 1 else 0.0),
                "low": 0.0,
                "high": 0.99,
                "trials": 8,
            }
            for e, f in (("os", 0.75), ("ttp", 0.9))
            for n in (100, 200, 300)
        ],
        "hazard_ratios": {"os": [os * t for t in trials], "ttp": [ttp * t for t in reversed(trials)]},
    }


def _targets() -> list[Json]:
    common = {
        "unit": "1",
        "printed": "",
        "source": "sharp-2008",
        "verified": True,
        "note": "",
        "arm": "sorafenib",
        "control": None,
        "sets": 2,
        "quantity": "os_hr",
    }
    return [
        {
            **common,
            "id": "hr",
            "label": "hazard ratio of death",
            "published": 0.69,
            "low": 0.62,
            "high": 0.76,
            "predicted": 0.70,
            "predicted_low": 0.55,
            "predicted_high": 0.89,
            "use": "calibrated",
            "inside": True,
            "sets_inside": 2,
        },
        {
            **common,
            "id": "band",
            "label": "survival in the middle band",
            "published": 17.8,
            "low": 11.0,
            "high": 25.0,
            "unit": "month",
            "predicted": 10.1,
            "predicted_low": 9.9,
            "predicted_high": 10.2,
            "use": "held out",
            "inside": False,
            "sets_inside": 0,
        },
        {
            **common,
            "id": "far",
            "label": "a far miss",
            "published": 1.0,
            "low": 0.9,
            "high": 1.1,
            "predicted": 4.0,
            "predicted_low": 3.0,
            "predicted_high": 5.0,
            "use": "held out",
            "inside": False,
            "sets_inside": 0,
            "verified": False,
        },
        {
            **common,
            "id": "words",
            "label": "a direction",
            "published": None,
            "printed": "an increase",
            "low": 1.05,
            "high": 2.0,
            "predicted": 1.6,
            "predicted_low": None,
            "predicted_high": None,
            "use": "shown",
            "inside": True,
            "sets_inside": 2,
        },
    ]


def _combinations() -> Json:
    rows = [
        {
            "id": f"c{k}",
            "label": f"{drug} at half the dose",
            "drug_a": drug,
            "dose_a": 0.5,
            "drug_b": None,
            "dose_b": None,
            "rank": 3 - k,
            "p_best": 0.2 + 0.1 * k,
            "os_hr": 0.95 - 0.05 * k,
            "os_hr_low": 0.8,
            "os_hr_high": 1.1,
            "ttp_hr": 0.9,
            "ttp_hr_low": 0.8,
            "ttp_hr_high": 1.0,
            "toxic": 20.0 + 4 * k,
            "toxic_low": 15.0,
            "toxic_high": 40.0,
            "signal_erk": 0.4,
            "bliss_erk": 0.02,
            "bliss_erk_low": -0.01,
            "bliss_erk_high": 0.05,
            "loewe_erk": None,
            "signal_akt": 0.1,
            "bliss_akt": 0.0,
            "loewe_akt": 0.7,
            "loewe_survival": 0.9,
            "toxicity_cut": k,
            "bliss_survival": -0.01,
            "bliss_survival_low": -0.05,
            "bliss_survival_high": 0.02,
            "robust": 0.8,
        }
        for k, drug in enumerate(("erlotinib", "selumetinib", "everolimus"))
    ]
    return {
        "definition": ["Bliss: the excess over independent action."],
        "control": "sorafenib",
        "rows": rows,
    }
