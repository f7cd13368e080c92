"""Write the clicks of examples/reconstruct: two arms of 120 simulated patients, read to half a percent.

Median survival 8 and 14 months, entry over 12 months, data cut at 24 months; numbers at risk every 4 months.
The seed is the date on which Guyot et al. appeared and was not searched for.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from troughline.survival.kaplan_meier import kaplan_meier

FOLDER = Path(__file__).resolve().parents[1] / "src" / "troughline" / "examples" / "reconstruct"
STEP, STEP_MONTHS, EVERY_MONTHS = 0.005, 0.1, 4.0


def main() -> None:
    """Write two tables of clicks and `clicks.toml`."""
    rng = np.random.default_rng(20120201)
    sections: list[str] = []
    for name, median in (("control", 8.0), ("treated", 14.0)):
        death = rng.exponential(median / np.log(2), 120)
        end = 24.0 - 12.0 * rng.random(120)
        time, event = np.minimum(death, end), death <= end
        (curve,) = kaplan_meier(time, event)
        falls = curve.n_events > 0
        at = np.concatenate(([0.0], curve.time[falls], curve.time[-1:]))
        survival = np.concatenate(([1.0], curve.survival[falls], curve.survival[-1:]))
        rows = [
            f"{STEP_MONTHS * round(t / STEP_MONTHS):.1f},{100 * STEP * round(s / STEP):.1f}"
            for t, s in zip(at.tolist(), survival.tolist(), strict=True)
        ]
        table = "\n".join(["time,survival", *rows]) + "\n"
        (FOLDER / f"clicks-{name}.csv").write_text(table, encoding="utf-8")
        risk = np.arange(0.0, curve.time[-1], EVERY_MONTHS)
        sections.append(
            f'\n[[arm]]\nname = "{name}"\nclicks = "clicks-{name}.csv"\n'
            f"at_risk = {{ time = {risk.tolist()}, at_risk = {curve.at_risk(risk).tolist()} }}\n"
            f"events = {int(event.sum())}\n"
        )
    header = (
        "# A printed curve as clicks: what one reads off a figure with a digitiser. "
        "Simulated, not patients.\n\n"
        '[curve]\ntitle = "Two simulated arms, read from their printed curves"\n'
        'source = "simulated (tools/simulate_reconstruct_example.py)"\nendpoint = "overall survival"\n'
        'time_unit = "month"\nsimulated = true\n\n'
        f'[reading]\nsurvival = "percent"\nstep = {STEP}\ntime_step = {STEP_MONTHS}\n'
    )
    (FOLDER / "clicks.toml").write_text(header + "".join(sections), encoding="utf-8")


if __name__ == "__main__":
    main()
