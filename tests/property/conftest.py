"""How Hypothesis runs here: the same examples every time, however busy the machine is.

`TROUGHLINE_EXPLORE=1` draws new examples at each run, to look for what the fixed ones do not show.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "here",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("TROUGHLINE_EXPLORE", "") != "1",
)
settings.load_profile("here")
