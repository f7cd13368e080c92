"""The tables of docs/mechanism.md on what predictions hang on, from two finished sensitivity trials.

    troughline trial examples/resistance/sensitivity.toml --out kd          # the best set by Kd
    troughline trial sensitivity-ic50.toml --out ic50                       # the same with reading = "IC50"
    python tools/sensitivity_page.py kd/results.json ic50/results.json

Nothing is computed here but counts and sums of what the two files hold.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from mechanism_page import between, table

from troughline.report.sensitivity_view import rank_text

Json = dict[str, Any]
PAGE = Path(__file__).resolve().parents[1] / "docs" / "mechanism.md"
SHOWN, COUNTED = 6, 12
NAMES = {
    "os_hr": "hazard ratio of death",
    "ttp_hr": "hazard ratio of progression",
    "os_median": "median survival on sorafenib",
    "ttp_between": "median progression on sorafenib, between visits",
}
HEAD = (
    "prediction", "reading", "largest effects, with rank", f"of the first {COUNTED}, assumed",
    "first-order shares add to", "measurements that would narrow it most",
)  # fmt: skip


def main() -> None:
    """Read both results, write the table between its marks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("results", type=Path, nargs=2, help="results.json by Kd, and by IC50")
    options = parser.parse_args()
    found = {
        reading: json.loads(path.read_text(encoding="utf-8"))["sensitivity"]
        for reading, path in zip(("Kd", "IC50"), options.results, strict=True)
    }
    rows = [
        _row(next(p for p in found[reading]["predictions"] if p["prediction"] == name), words, reading)
        for name, words in NAMES.items()
        for reading in found
    ]
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(between(text, "sensitivity", table(HEAD, rows)), encoding="utf-8")
    for reading, sensitivity in found.items():
        print(reading, sensitivity["runs"], sensitivity["sobol_runs"], without_effect(sensitivity))


def _row(prediction: Json, words: str, reading: str) -> list[str]:
    morris = sorted(prediction["morris"], key=lambda m: m["rank"])
    largest = ", ".join(f"`{m['parameter']}` {m['mu_star']:.3f} ({rank_text(m)})" for m in morris[:SHOWN])
    shares = sum(s["S1"] for s in prediction["sobol"])
    narrow = sorted(prediction["measurement"], key=lambda m: -m["narrowing"])[:2]
    return [
        words, reading, largest, str(sum(m["status"] == "assumed" for m in morris[:COUNTED])),
        f"{shares:.2f}", "; ".join(f"{m['measurement']}, {100 * m['narrowing']:.0f} %" for m in narrow),
    ]  # fmt: skip


def without_effect(sensitivity: Json) -> list[str]:
    """Parameters that move none of the predictions."""
    largest: dict[str, float] = {}
    for prediction in sensitivity["predictions"]:
        for row in prediction["morris"]:
            name = row["parameter"]
            largest[name] = max(largest.get(name, 0.0), row["mu_star"])
    return sorted(name for name, effect in largest.items() if effect == 0.0)


if __name__ == "__main__":
    main()
