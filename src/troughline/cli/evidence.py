"""`evidence list`, `show` and `check`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from troughline.cli.console import (
    ALL_ANSWERED,
    SOME_NOT_ANSWERED,
    print_table,
    refusal,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from troughline.evidence.records import Drug, Publication
    from troughline.issues import Findings
    from troughline.report.model_view import TextTable

app = typer.Typer(
    help="What is published: studies and drugs, each number with its source.", no_args_is_help=True
)
Reference = Annotated[
    str, typer.Argument(metavar="ID|FILE", help="A study or drug, or a file (its name ends in .toml).")
]


class Kind(StrEnum):
    """What a file of the evidence base is about."""

    STUDY = "study"
    DRUG = "drug"


@app.command("list")
def list_evidence(
    kind: Annotated[Kind | None, typer.Option("--kind", help="Only studies, or only drugs.")] = None,
    drug: Annotated[
        str | None, typer.Option("--drug", metavar="ID", help="Only what is about this drug, or gave it.")
    ] = None,
) -> None:
    """The studies and drugs that come with Troughline, and how much of each was read in its source."""
    from troughline.evidence import store
    from troughline.report.evidence_view import verified_share

    studies = [store.load_publication(i) for i in store.list_publications()]
    drugs = [store.load_drug(i) for i in store.list_drugs()]
    if drug is not None:
        known = sorted({name for study in studies for name in study.drugs} | {d.id for d in drugs})
        if drug not in known:
            raise refusal(f"unknown drug {drug!r}; known: {', '.join(known)}")
    rows = [
        ("drug", d.id, "", "", verified_share(d), ", ".join(d.names))
        for d in drugs
        if kind is not Kind.STUDY and drug in (None, d.id)
    ]
    rows += [
        ("study", s.id, str(s.n or ""), str(s.year or ""), verified_share(s), s.title)
        for s in studies
        if kind is not Kind.DRUG and (drug is None or drug in s.drugs)
    ]
    print_table(("kind", "id", "n", "year", "verified", "title"), rows)


@app.command()
def show(reference: Reference) -> None:
    """A study or a drug with all its numbers; what was not read in its source is marked NO."""
    from troughline.evidence.records import Publication

    record = _record(reference)
    if isinstance(record, Publication):
        _show_study(record)
    else:
        _show_drug(record)


@app.command()
def check(
    reference: Annotated[
        str | None,
        typer.Argument(metavar="[ID|FILE]", help="A study or a file; without one the whole base."),
    ] = None,
) -> None:
    """Impossible and unlikely numbers, by rule. Exit 1: an impossible one; 3: a faulty file."""
    from troughline.evidence.checks import check_base

    print_check(check_base() if reference is None else _findings(reference))


def print_check(findings: Findings) -> None:
    """Print what the rules found and exit: 1 where a number is impossible, else 0."""
    for finding in findings:
        typer.echo(finding.line())
    impossible = len(findings.errors)
    typer.echo(f"{impossible} impossible, {len(findings) - impossible} unlikely")
    raise typer.Exit(SOME_NOT_ANSWERED if impossible else ALL_ANSWERED)


def _show_study(study: Publication) -> None:
    from troughline.report import evidence_view as view

    typer.echo(f"{study.id}: {study.title}")
    _lines("", [view.place_line(study)])
    _lines("Design", [study.design])
    patients = "" if study.n is None else f", n = {study.n}"
    _lines("Population", [f"{study.population}{patients}"])
    _lines("Enrolled", [view.enrolment_line(study)])
    _lines("Read", [f"{study.read}; {view.verified_line(study)}"])
    _table("Arms", view.arm_table(study))
    _table("Numbers", view.number_table(study.number))
    _table("Exposure and outcome", view.finding_table(study.finding))
    for events in study.adverse_events:
        place = f"{events.where}{'' if events.verified else '; not verified'}"
        _table(
            f"{events.label}, attribution: {events.attribution} ({place})", view.adverse_event_table(events)
        )
    _table("Biomarkers", view.biomarker_table(study))
    _table("Numbers at risk", view.at_risk_table(study))
    _lines("Statements", view.statement_lines(study))
    _lines("Note", [study.note])


def _show_drug(drug: Drug) -> None:
    from troughline.report import evidence_view as view

    typer.echo(f"{drug.id}: {', '.join(drug.names)}, {drug.formula}")
    _lines("Read", [view.verified_line(drug)])
    _table("Numbers", view.number_table(drug.number))
    _table("Doses of the label", view.dose_table(drug))
    _table("Interactions", view.interaction_table(drug))
    _table("Targets", view.affinity_table(drug))
    _table("Codes", view.code_table(drug))
    _lines("Note", [drug.note])


def _record(reference: str) -> Publication | Drug:
    """A study or drug by its id, or from a file. Raises `InputError` (configuration)."""
    from troughline.evidence import store

    if reference.endswith(".toml"):
        from troughline.evidence.checks import read_file

        return read_file(Path(reference))[0]
    if reference in store.list_drugs():
        return store.load_drug(reference)
    if reference in store.list_publications():
        return store.load_publication(reference)
    hint = "; the name of an evidence file ends in .toml" if Path(reference).is_file() else ""
    ids = (*store.list_drugs(), *store.list_publications())
    near = _near(reference, ids)
    known = (
        f"perhaps {', '.join(near)}; troughline evidence list shows all"
        if near
        else f"known: {', '.join(ids)}"
    )
    raise refusal(f"unknown study or drug {reference!r}; {known}{hint}")


def _near(given: str, ids: Sequence[str]) -> list[str]:
    """The ids that hold what was given, else up to three that are spelled nearly so."""
    from difflib import get_close_matches

    word = given.strip().lower()
    holding = [i for i in ids if word and word in i]
    return holding or get_close_matches(word, ids, n=3, cutoff=0.6)


def _findings(reference: str) -> Findings:
    from troughline.evidence.checks import check_drug, check_file, check_study
    from troughline.evidence.records import Publication
    from troughline.evidence.store import text_of

    if reference.endswith(".toml"):
        return check_file(Path(reference))
    record = _record(reference)
    if isinstance(record, Publication):
        return check_study(record, text=text_of(record.id))
    return check_drug(record)


def _table(title: str, table: TextTable) -> None:
    from troughline.report.evidence_view import notes_below, used_columns

    if not table.rows:
        return
    narrow, places, notes = notes_below(table)
    typer.echo(f"\n{title}")
    print_table(*used_columns(narrow))
    for line in (*(f"where: {place}" for place in places), *notes):
        typer.echo(f"  {line}")


def _lines(title: str, lines: Sequence[str]) -> None:
    kept = [line for line in lines if line]
    if not kept:
        return
    typer.echo(f"\n{title}" if title else "")
    for line in kept:
        typer.echo(f"  {line}" if title else line)
