"""What kind of file an input is, and every finding about it: for the command and for Python alike."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from troughline.issues import Findings

FileKind = Literal["study", "patient", "policy", "trial", "model", "curve", "evidence"]


def kind_of(file: str | Path) -> FileKind:
    """What a file is by its sections; JSON is a patient, and what nothing tells is a study.

    Patient and trial files have a section `model` too.
    """
    path = Path(file)
    sections, said = _sections_of(path)
    if said in ("study", "drug"):
        return "evidence"
    if "evaluation" in sections:
        return "policy"
    if "patient" in sections or path.suffix.lower() == ".json":
        return "patient"
    if "trial" in sections:
        return "trial"
    if "model" in sections:
        return "model"
    return "curve" if "curve" in sections else "study"


def findings_of(file: str | Path, kind: FileKind | None = None) -> Findings:
    """Every finding about a file of a kind (None: of the kind that it is); nothing is run.

    Raises `InputError` for a study file that cannot be used, `OSError` for a model file that cannot be read.
    """
    path = Path(file)
    match kind or kind_of(path):
        case "policy":
            from troughline.dosing.policy.setup import check_policy

            return check_policy(path)[1]
        case "trial":
            from troughline.trial.setup import check_trial

            return check_trial(path)[1]
        case "patient":
            from troughline.dosing.checks import check_dose_file

            return check_dose_file(path)
        case "model":
            from troughline.model.read import read_model

            return read_model(path.read_bytes().decode("utf-8-sig"), file=path.name)[1]
        case "curve":
            from troughline.evidence.reconstruct.run import check_curves

            return check_curves(path)
        case "evidence":
            from troughline.evidence.checks import check_file

            return check_file(path)
        case "study":
            from troughline.cohort.load import check_study
            from troughline.cohort.studyfile import load_study

            return check_study(load_study(path))


def _sections_of(file: Path) -> tuple[set[str], Any]:
    """The keys of a file, and its `kind`; where it is no TOML, what looks like headers of sections."""
    import tomllib

    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return set(), None
    try:
        contents = tomllib.loads(text)
    except (ValueError, RecursionError):
        return set(re.findall(r"^\s*\[([^\[\]\n]+)\]", text, re.MULTILINE)), None
    return set(contents), contents.get("kind")
