"""Write `src/troughline/model/kernels/dop853.json`: the coefficients of the Dormand–Prince method 8(5,3).

They are those that SciPy ships, in a module of its own that may move; hence a copy in this repository. They
stand in Hairer, Nørsett & Wanner 1993, Solving Ordinary Differential Equations I, section II.5 and the code
DOP853 that comes with the book (doi 10.1007/978-3-540-78862-1).

    python tools/write_tableaux.py [--check]

`--check` writes nothing and fails where the file differs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parents[1] / "src" / "troughline" / "model" / "kernels" / "dop853.json"
SOURCE = (
    "Hairer, Nørsett & Wanner 1993, Solving Ordinary Differential Equations I, 2nd edition, "
    "doi 10.1007/978-3-540-78862-1; as in SciPy"
)


def tableau() -> dict[str, Any]:
    """The method: row s of `a` and `nodes[s]` make stage s, `weights` the step, the rest its errors.

    The step is y + h Σ weights[s] f_s; its errors of order 5 and 3 are h Σ error5[s] f_s and h Σ error3[s]
    f_s. Numbers are the shortest decimals that give the same float64 back.
    """
    scipy: Any = importlib.import_module("scipy.integrate._ivp.dop853_coefficients")
    stages = int(scipy.N_STAGES)
    return {
        "source": SOURCE,
        "stages": stages,
        "nodes": [float(c) for c in scipy.C[:stages]],
        "a": [[float(scipy.A[s, k]) for k in range(s)] for s in range(stages)],
        "weights": [float(b) for b in scipy.B],
        "error5": [float(e) for e in scipy.E5[:stages]],
        "error3": [float(e) for e in scipy.E3[:stages]],
    }


def as_text(method: dict[str, Any]) -> str:
    """JSON with one line for each list of numbers."""
    lines: list[str] = []
    for name, value in method.items():
        if name == "a":
            rows = ",\n".join(f"    {json.dumps(row)}" for row in value)
            lines.append(f'  "a": [\n{rows}\n  ]')
        else:
            lines.append(f"  {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> int:
    """Write the file, or compare with it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the file differs")
    text = as_text(tableau())
    if parser.parse_args().check:
        same = TARGET.read_text(encoding="utf-8") == text
        print(f"{TARGET.name}: {'as it should be' if same else 'differs'}")
        return 0 if same else 1
    TARGET.write_text(text, encoding="utf-8")
    print(f"wrote {TARGET.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
