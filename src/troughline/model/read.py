"""Reads a model file: TOML in, a checked model in canonical units out, with every fault at its line."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path
from typing import Any

from troughline.issues import Findings, InputError, Severity
from troughline.model.assemble import assemble
from troughline.model.naming import check_uses, definitions, ordered
from troughline.model.places import Report, line_numbers
from troughline.model.random_effects import block_covariance
from troughline.model.sections import is_whole, read_sections
from troughline.model.self_tests import check_tests
from troughline.model.spec import ModelSpec
from troughline.model.unit_checks import check_units
from troughline.model.value_checks import check_values


def read_model(text: str, *, file: str) -> tuple[ModelSpec | None, Findings]:
    """The model that a TOML text describes, and everything found in it.

    Each finding has the file, the line as `row` and the place (`individual.CL`) as `column`. The model is
    None if any finding is an error; warnings and notes leave it usable.
    """
    found = Findings()
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5000 digits is a plain ValueError
        message = " ".join(str(error).split())
        line = re.search(r"\(at line (\d+), column \d+\)", message)
        row = int(line[1]) if line else len(text.splitlines()) or 1
        found.add(Severity.ERROR, "not-toml", f"is not valid TOML: {message}", file=file, row=row)
        return None, found
    report = Report(found, file, line_numbers(text))
    sections = read_sections(data, report)
    names = definitions(sections, report)
    check_uses(sections, names, report)
    order = ordered(sections, report)
    check_units(sections, names, order, report)
    check_values(sections, names, report)
    covariances = [
        block_covariance(block, ("random", i), report)
        for i, block in enumerate(sections.random)
        if block is not None
    ]
    check_tests(sections, names, report)
    found.items.sort(key=lambda finding: finding.row or 0)
    if found.errors or not is_whole(sections):
        return None, found
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return assemble(sections, order, [c for c in covariances if c is not None], sha256), found


def load_spec(path: Path) -> ModelSpec:
    """The model in a file.

    Raises `InputError` (configuration) with every finding if the file cannot be read or has an error.
    """
    found = Findings()
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        found.add(Severity.ERROR, "file-unreadable", message, file=str(path))
        raise InputError(found, configuration=True) from None
    except UnicodeDecodeError:
        found.add(Severity.ERROR, "not-utf-8", "is not UTF-8 text", file=path.name)
        raise InputError(found, configuration=True) from None
    spec, found = read_model(text, file=path.name)
    if spec is None:
        raise InputError(found, configuration=True)
    return spec
