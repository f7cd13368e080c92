"""What a result was made from: version, inputs, seed, libraries, evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def provenance(
    *, seed: int, inputs: Mapping[str, str], evidence: Iterable[str] = (), models: Iterable[str] = ()
) -> dict[str, Any]:
    """The provenance block of a result.

    `inputs` maps file names to SHA-256 sums. `created` is the only value that differs between two runs on
    the same inputs; the environment variable SOURCE_DATE_EPOCH fixes it.
    """
    import os
    import platform
    from datetime import UTC, datetime
    from importlib.metadata import version

    from troughline import __version__

    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    libraries = ("numpy", "scipy", "pandas", "survival", "pint", "matplotlib")
    return {
        "troughline": __version__,
        "created": moment.replace(microsecond=0).isoformat().replace("+00:00", "Z"),
        "seed": seed,
        "inputs": dict(sorted(inputs.items())),
        "evidence": sorted(set(evidence)),
        "models": sorted(set(models)),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in libraries},
    }


def sha256_of(data: bytes) -> str:
    """The SHA-256 sum of some bytes, in hexadecimal."""
    import hashlib

    return hashlib.sha256(data).hexdigest()
