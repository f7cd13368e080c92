"""Proportional odds by statsmodels, stored in `ordinal_statsmodels.json` beside this file.

Run with statsmodels installed (no test needs it): `python tests/reference/ordinal_statsmodels.py`. The data
are drawn here with a fixed seed: 86 patients, two covariates, five ordered stages with logistic error.
Slopes, their standard errors and the log-likelihood are those of `OrderedModel(distr="logit")` by Newton's
method; its thresholds are stored as cut points.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

N, SEED = 86, 20260301
SLOPES, CUTS = (1.0, -0.5), (-1.2, 0.1, 1.4, 2.6)


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Covariates (n, 2), to three decimals, and stages (n,) from 0 to 4."""
    rng = np.random.default_rng(SEED)
    x = np.round(rng.normal(size=(N, 2)), 3)
    return x, np.digitize(x @ np.array(SLOPES) + rng.logistic(size=N), CUTS)


def fitted(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """What statsmodels finds."""
    import statsmodels  # pyright: ignore[reportMissingImports]
    from statsmodels.miscmodels.ordinal_model import OrderedModel  # pyright: ignore[reportMissingImports]

    model: Any = OrderedModel(y, x, distr="logit")
    found: Any = model.fit(method="newton", maxiter=200, disp=0)
    thresholds = model.transform_threshold_params(found.params)[1:-1]
    return {
        "made_by": f"statsmodels {statsmodels.__version__} OrderedModel(distr='logit'), Newton",
        "x": x.tolist(),
        "y": y.tolist(),
        "slopes": found.params[:2].tolist(),
        "se": found.bse[:2].tolist(),
        "thresholds": thresholds.tolist(),
        "log_likelihood": float(found.llf),
    }


if __name__ == "__main__":
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(fitted(*drawn())) + "\n", encoding="utf-8")
