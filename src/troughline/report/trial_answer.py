"""A virtual trial for Python: the contents of `results.json`, and its tables as DataFrames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from troughline.progress import Progress, silent

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from troughline.issues import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialAnswer:
    """What a virtual trial found: `contents` is exactly what `results.json` holds.

    The tables are those of `tables/*.csv`; a table without rows is an empty DataFrame.
    """

    contents: dict[str, Any]
    findings: tuple[Finding, ...]

    @property
    def sentence(self) -> str:
        """The answer in one sentence."""
        return str(self.contents["sentence"])

    @property
    def arms(self) -> pd.DataFrame:
        """A row an arm and measure: median over the trials, with the interval over them."""
        return self.table("arms")

    @property
    def comparisons(self) -> pd.DataFrame:
        """A row a comparison and measure: hazard ratios over the trials, all and by reading of potency."""
        return self.table("comparisons")

    @property
    def success(self) -> pd.DataFrame:
        """A row a comparison, endpoint and size: the share of trials that show it."""
        return self.table("success")

    @property
    def curves(self) -> pd.DataFrame:
        """The Kaplan–Meier curves in long form."""
        return self.table("curves")

    @property
    def responses(self) -> pd.DataFrame:
        """A row an arm, criterion and best response, in percent."""
        return self.table("responses")

    @property
    def markers(self) -> pd.DataFrame:
        """Markers over time in long form: the ratio to the start."""
        return self.table("markers")

    @property
    def routes(self) -> pd.DataFrame:
        """A row an arm and route of resistance, in percent of those who progressed."""
        return self.table("routes")

    @property
    def targets(self) -> pd.DataFrame:
        """A row a published value: predicted, calibrated or held out, inside its tolerance or not."""
        return self.table("targets")

    @property
    def combinations(self) -> pd.DataFrame:
        """A row a combination, with its rank; empty where the file has none."""
        return self.table("combinations")

    def table(self, name: str) -> pd.DataFrame:
        """A table by its name (`arms`, `replicates`, `sensitivity-morris`, …)."""
        import pandas as pd

        from troughline.report.trial_tables import trial_tables

        return pd.DataFrame(trial_tables(self.contents).get(name, []))


def answer_trial(
    path: str | Path,
    *,
    seed: int | None = None,
    n: int | None = None,
    replicates: int | None = None,
    workers: int | None = None,
    patients: Path | None = None,
    progress: Progress = silent,
) -> TrialAnswer:
    """Run a trial file; `seed`, `n` patients an arm and `replicates` replace the file's where they are given.

    `workers`: None for the number of cores; the numbers are the same whatever it is. `patients`: the Parquet
    file that every virtual patient goes to, or None. Raises `InputError` with everything wrong, `ValueError`
    for an option outside its range, `OSError` for a file that cannot be written.
    """
    from troughline.trial.run import run_trial
    from troughline.trial.setup import load_trial, with_replicates, with_seed, with_size

    for name, value, least in (
        ("seed", seed, 0),
        ("n", n, 2),
        ("replicates", replicates, 1),
        ("workers", workers, 1),
    ):
        if value is not None and value < least:
            raise ValueError(f"{name} must be at least {least}, and is {value}")
    setup = load_trial(path)
    if seed is not None:
        setup = with_seed(setup, seed)
    if n is not None:
        setup = with_size(setup, n)
    if replicates is not None:
        setup = with_replicates(setup, replicates)
    outcome = run_trial(setup, workers=workers, progress=progress, patients=patients)
    return TrialAnswer(contents=outcome.contents, findings=tuple(outcome.findings))
