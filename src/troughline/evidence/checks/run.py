"""Every rule over a study, a file or the whole base, as findings."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from troughline.evidence.checks import (
    adverse_events,
    counts,
    dates,
    hazard_ratios,
    intervals,
    percentages,
    quantities,
    roc_areas,
    significance,
)
from troughline.evidence.records import Drug, Publication
from troughline.issues import Finding, Findings, InputError, Severity

if TYPE_CHECKING:
    from troughline.evidence.checks.rule import Rule

RULES: dict[str, Rule] = {
    rule.id: rule
    for module in (
        intervals,
        roc_areas,
        hazard_ratios,
        significance,
        percentages,
        counts,
        adverse_events,
        dates,
        quantities,
    )
    for rule in module.RULES
}
"""Every rule by its id."""

MALFORMED = "malformed"


def check_study(study: Publication, *, file: str | None = None, text: str | None = None) -> Findings:
    """Every rule over one study: rule id, severity, number, what is wrong and the limit.

    An `error` says that no data give the numbers as printed, a `warning` that they hardly do; neither stops
    anything, for a file holds what was printed. With the file's `text` a finding has the line of the number.
    """
    findings = Findings()
    for rule in RULES.values():
        for flag in rule.find(study):
            findings.add(
                flag.severity or rule.severity,
                rule.id,
                f"{flag.item}: {flag.message} [{rule.id}]",
                file=file or f"{study.id}.toml",
                row=None if text is None else line_of(text, flag.item),
            )
    return findings


def check_drug(drug: Drug, *, file: str | None = None, text: str | None = None) -> Findings:
    """Every rule over the numbers of a drug, as over those of a study; the rest of its file has no rule."""
    held = Publication.model_construct(
        kind="study", id=drug.id, drug=drug.id, title=drug.id, citation="", read="label",
        design="", population="", number=drug.number,
    )  # fmt: skip
    return check_study(held, file=file, text=text)


def check_base() -> Findings:
    """Every rule over every drug and study that comes with the package, in the order of their ids."""
    from troughline.evidence.store import list_drugs, list_publications, load_drug, load_publication, text_of

    findings = Findings()
    for identifier in list_drugs():
        findings.extend(check_drug(load_drug(identifier)))
    for identifier in list_publications():
        findings.extend(check_study(load_publication(identifier), text=text_of(identifier)))
    return findings


def check_file(path: Path) -> Findings:
    """Every rule over the evidence file of a study or a drug.

    Raises `InputError` (configuration) with every fault of a file that cannot be read as one, and `OSError`
    where it cannot be opened.
    """
    record, text = read_file(path)
    if isinstance(record, Drug):
        return check_drug(record, file=path.name, text=text)
    return check_study(record, file=path.name, text=text)


def read_file(path: Path) -> tuple[Publication | Drug, str]:
    """A study or drug from a file of one's own, and the file's text. Raises as `check_file` does."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _malformed(path, ["is not UTF-8 text"]) from None
    try:
        contents = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _malformed(path, [f"is no TOML: {error}"]) from None
    kinds = {"study": Publication, "drug": Drug}
    kind = contents.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        raise _malformed(path, [f"kind = {kind!r}: an evidence file has kind = 'study' or kind = 'drug'"])
    try:
        return kinds[kind].model_validate(contents), text
    except ValidationError as error:
        raise _malformed(
            path, [_place(e["loc"], contents) + _words(e["msg"]) for e in error.errors()]
        ) from None


def line_of(text: str, identifier: str) -> int | None:
    """The line where a number, arm or table of that id, or a key of that name, begins; None if not found."""
    escaped = re.escape(identifier)
    for number, line in enumerate(text.splitlines(), start=1):
        if re.match(rf'\s*(?:id\s*=\s*"{escaped}"|{escaped}\s*=)', line):
            return number
    return None


def _malformed(path: Path, messages: list[str]) -> InputError:
    findings = [Finding(Severity.ERROR, MALFORMED, message, path.name) for message in messages]
    return InputError(findings, configuration=True)


def _words(message: str) -> str:
    return message.removeprefix("Value error, ")


def _place(location: tuple[int | str, ...], contents: dict[str, Any]) -> str:
    """`number 'toxicity-auc' value: ` for what stands at a place of the file."""
    words: list[str] = []
    for depth, part in enumerate(location, start=1):
        words.append(part if isinstance(part, str) else _item(location[:depth], contents))
    return f"{' '.join(words)}: " if words else ""


def _item(location: tuple[int | str, ...], contents: Any) -> str:
    """The id of an item of an array, or its place, counted from 1."""
    try:
        for part in location:
            contents = contents[part]
        return repr(contents["id"])
    except (KeyError, IndexError, TypeError):
        return str(int(location[-1]) + 1)
