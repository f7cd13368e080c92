"""What an evidence file says, as tables of text: for the screen and for the pages of the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from troughline.report.model_view import TextTable, number
from troughline.report.numbers import micro

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from troughline.evidence.conflicts import Conflict, Side
    from troughline.evidence.numbers import Number
    from troughline.evidence.records import Drug, Publication
    from troughline.evidence.study_sections import AdverseEventTable, ExposureFinding, Percent


class _Sourced(Protocol):
    @property
    def verified(self) -> bool: ...


UNVERIFIED = "NO"
"""What stands in the column `verified` of a number that was not read in its source."""

_SPANS = {"confidence": "CI", "interquartile": "quartiles", "range": "range"}
_MORE: dict[str, tuple[str, str]] = {
    "trough": ("with higher troughs", "at troughs in between"),
    "clinic-visit": ("with higher levels", "at levels in between"),
    "level": ("with higher levels", "at levels in between"),
    "auc": ("with a larger area", "at areas in between"),
    "cumulative-auc": ("with a larger cumulative area", "at areas in between"),
    "cmax": ("with higher peaks", "at peaks in between"),
    "dose": ("with a higher dose", "at doses in between"),
    "start-dose": ("with a higher starting dose", "at doses in between"),
    "cumulative-dose": ("with a higher cumulative dose", "at doses in between"),
    "dose-reduction": ("with dose reduction", "with some dose reduction"),
    "time-on-drug": ("with longer time on the drug", "at times in between"),
}
"""How the words of an association go on, by the kind of exposure: with more of it, and in between."""
_COUNTED = {"day": "days", "week": "weeks", "month": "months", "year": "years", "patient": "patients",
            "person": "people"}  # fmt: skip


def verified_line(record: Publication | Drug) -> str:
    """`12 of 14 numbers were read in the source named`, counting every sourced item of the file."""
    flags = [item.verified for item in _sourced(record)]
    return f"{sum(flags)} of {len(flags)} items were read in the place named"


def verified_share(record: Publication | Drug) -> str:
    """`12/14`: how many sourced items of a file were read in the place named."""
    flags = [item.verified for item in _sourced(record)]
    return f"{sum(flags)}/{len(flags)}"


def place_line(study: Publication) -> str:
    """The citation with DOI, PMID, PMC number, registry and address, as far as they are known."""
    parts = [
        study.citation,
        f"doi {study.doi}" if study.doi else "",
        f"PMID {study.pmid}" if study.pmid else "",
        study.pmcid or "",
        study.registry or "",
        study.url or "",
    ]
    return ", ".join(part for part in parts if part)


def enrolment_line(study: Publication) -> str:
    """`2005-03 to 2006-04`, or an empty string."""
    months = [m for m in (study.enrolled_from, study.enrolled_to) if m]
    return " to ".join(months)


def printed(n: Number) -> str:
    """A number as printed, with interval and unit: `0.69 (CI 95 % 0.55 to 0.87)`, `2.91 ug/mL (range …)`."""
    counted = n.unit if n.value == 1.0 and n.low is None else _COUNTED.get(n.unit, n.unit)
    unit = "" if n.unit == "1" else " %" if n.unit == "%" else f" {micro(counted)}"
    decimals = n.decimals
    span = ""
    if n.low is not None and n.high is not None:
        span = f"{_shown(n.low, decimals)} to {_shown(n.high, decimals)}"
    if n.value is None:
        return f"{span}{unit}"
    spread = f" (SD {_shown(n.sd, decimals)})" if n.sd is not None else ""
    value = f"{n.relation + ' ' if n.relation else ''}{_shown(n.value, decimals)}{unit}{spread}"
    if not span:
        return value
    level = f" {number(100 * n.level)} %" if n.level is not None else ""
    name = _SPANS.get(n.interval or "", "")
    return f"{value} ({name}{level} {span})"


def number_table(numbers: Iterable[Number]) -> TextTable:
    """Numbers with what they are of, as printed, n, p, whether and where they were read."""
    rows = [
        (
            n.id,
            _what(n),
            printed(n),
            "" if n.n is None else str(n.n),
            "" if n.events is None else str(n.events),
            _p(n.p_value),
            _basis(n),
            _read(n.verified),
            n.where if n.source is None else f"{n.where}; {n.source}",
            n.note,
        )
        for n in numbers
    ]
    header = ("id", "what", "printed", "n", "events", "p", "basis", "verified", "where", "note")
    return TextTable(header, tuple(rows))


def arm_table(study: Publication) -> TextTable:
    """The arms or groups of a study."""
    rows = [
        (a.id, a.label, _count(a.n), _count(a.n_safety), a.dose or "", _read(a.verified), a.where, a.note)
        for a in study.arm
    ]
    return TextTable(("id", "arm", "n", "safety n", "dose", "verified", "where", "note"), tuple(rows))


def finding_table(findings: Iterable[ExposureFinding]) -> TextTable:
    """Associations of an exposure with an outcome, and those looked for and not found."""
    rows = [
        (
            f.id,
            f.exposure,
            f.outcome,
            association(f),
            f.label,
            _p(f.p_value),
            _count(f.n),
            {None: "", True: "yes", False: "no"}[f.adjusted],
            _read(f.verified),
            f.note,
        )
        for f in findings
    ]
    header = (
        "id",
        "exposure",
        "outcome",
        "association",
        "in words",
        "p",
        "n",
        "adjusted",
        "verified",
        "note",
    )
    return TextTable(header, tuple(rows))


def association(f: ExposureFinding) -> str:
    """An association in words: `longer with dose reduction`, `more with higher troughs`."""
    if f.association == "none":
        return "no association found"
    more, between = _MORE[f.exposure]
    lives = f.outcome.endswith("survival") or f.outcome.startswith("survival")
    words = ("longer", "shorter", "longest") if lives else ("more", "less", "most")
    if f.association == "window":
        return f"{words[2]} {between}"
    return f"{words[0] if f.association == 'positive' else words[1]} {more}"


def adverse_event_title(table: AdverseEventTable) -> str:
    """What a table of adverse events counts, and where it was read."""
    read = "" if table.verified else "; not verified"
    return f"{table.label}, attribution: {table.attribution} ({table.where}{read})"


def adverse_event_table(table: AdverseEventTable) -> TextTable:
    """The rows of a printed table of adverse events, percent of the arm."""
    rows = [
        (
            r.term,
            r.arm,
            _count(r.n),
            *map(_percent, (r.any_grade, r.grade_3, r.grade_4, r.grade_3_or_more)),
        )
        for r in table.row
    ]
    header = ("adverse event", "arm", "n", "any grade %", "grade 3 %", "grade 4 %", "grade 3 or more %")
    return TextTable(header, tuple(rows))


def biomarker_table(study: Publication) -> TextTable:
    """Markers: change on treatment, what they say about the outcome, proposed cuts."""
    rows = [
        (
            b.id,
            b.marker,
            b.label,
            b.arm or "",
            b.change or "",
            ", ".join(b.role),
            "" if b.cutoff is None else f"{b.cutoff_side} {number(b.cutoff)} {b.unit}",
            _p(b.p_value),
            _p(b.p_interaction),
            _count(b.n),
            _read(b.verified),
            b.note,
        )
        for b in study.biomarker
    ]
    header = (
        "id", "marker", "what", "arm", "change", "role", "cut", "p", "p interaction", "n", "verified", "note",
    )  # fmt: skip
    return TextTable(header, tuple(rows))


def at_risk_table(study: Publication) -> TextTable:
    """Printed numbers at risk, a row for each arm."""
    rows = [
        (
            r.id,
            r.arm,
            f"{' '.join(number(t) for t in r.time)} {r.unit}",
            " ".join(map(str, r.n)),
            _read(r.verified),
            r.where,
        )
        for r in study.at_risk
    ]
    return TextTable(("id", "arm", "times", "at risk", "verified", "where"), tuple(rows))


def statement_lines(study: Publication) -> tuple[str, ...]:
    """What a paper says without a number of its own."""
    return tuple(s.text if s.verified else f"{s.text} (not verified)" for s in study.statement)


def dose_table(drug: Drug) -> TextTable:
    """The doses of the label, full dose first."""
    rows = [
        (
            "full dose" if d.level == 0 else f"reduction {d.level}",
            f"{number(d.amount_mg)} mg every {number(d.interval_h)} h",
            d.indication,
            _read(d.verified),
            d.where if d.source is None else f"{d.source}, {d.where}",
            d.note,
        )
        for d in sorted(drug.dose_level, key=lambda d: d.level)
    ]
    return TextTable(("level", "dose", "indication", "verified", "where", "note"), tuple(rows))


def interaction_table(drug: Drug) -> TextTable:
    """What other drugs and food do to the exposure."""
    rows = [
        (
            i.id,
            i.partner,
            "not read" if i.change is None else f"{i.of} {100 * i.change:+.0f} %",
            i.mechanism,
            _read(i.verified),
            i.where,
            i.note,
        )
        for i in drug.interaction
    ]
    return TextTable(("id", "with", "change", "mechanism", "verified", "where", "note"), tuple(rows))


def affinity_table(drug: Drug) -> TextTable:
    """Targets with their dissociation constants and half-inhibiting concentrations, tightest first."""
    ordered = sorted(drug.affinity, key=lambda a: (a.measure, a.value_nm, a.target))
    rows = [
        (a.target, a.measure, f"{number(a.value_nm)} nM", a.study, _read(a.verified), a.where, a.note)
        for a in ordered
    ]
    return TextTable(("target", "measure", "value", "study", "verified", "where", "note"), tuple(rows))


def code_table(drug: Drug) -> TextTable:
    """Codes of a drug in public terminologies."""
    rows = [(c.system, c.code, c.meaning, _read(c.verified), c.where) for c in drug.codes]
    return TextTable(("system", "code", "meaning", "verified", "where"), tuple(rows))


def conflict_table(conflict: Conflict) -> TextTable:
    """Both sides of a conflict: claim, source, design, n, what was printed, and whether it was read."""
    rows = [row for side in conflict.side for row in _side_rows(side)]
    return TextTable(("claim", "source", "design", "n", "what", "printed", "verified"), tuple(rows))


def used_columns(table: TextTable) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table without the columns in which nothing stands."""
    kept = [i for i, column in enumerate(zip(*table.rows, strict=True)) if any(column)]
    return [table.header[i] for i in kept], [[row[i] for i in kept] for row in table.rows]


def notes_below(table: TextTable) -> tuple[TextTable, tuple[str, ...], tuple[str, ...]]:
    """A table without its columns `where` and `note`, too wide for a screen, and both as lines.

    Returns the narrow table, a line for each place with the ids read there, and a line for each note.
    """
    column = {name: at for at, name in enumerate(table.header)}
    kept = [at for name, at in column.items() if name not in ("where", "note")]
    narrow = TextTable(
        tuple(table.header[at] for at in kept), tuple(tuple(row[at] for at in kept) for row in table.rows)
    )
    places: dict[str, list[str]] = {}
    notes: list[str] = []
    for row in table.rows:
        if "where" in column and row[column["where"]]:
            places.setdefault(row[column["where"]], []).append(row[0])
        if "note" in column and row[column["note"]]:
            notes.append(f"{row[0]}: {row[column['note']]}")
    return narrow, tuple(_place(where, ids, len(table.rows)) for where, ids in places.items()), tuple(notes)


def _place(where: str, ids: list[str], of: int) -> str:
    return f"{where}: {'all' if len(ids) == of else ', '.join(ids)}"


def _side_rows(side: Side) -> list[tuple[str, ...]]:
    from troughline.evidence.records import Publication

    source = side.source()
    study = source if isinstance(source, Publication) else None
    design = study.design if study else "label and product information"
    whole = study.n if study else None
    lines = [
        (
            _what(n, {} if study is None else {a.id: a.label for a in study.arm}),
            printed(n),
            _patients(n, study),
            n.verified,
        )
        for n in side.printed_numbers()
    ]
    lines += [(f.label, _finding(f), f.n or whole, f.verified) for f in side.printed_findings()]
    lines += [(s.text, "", whole, s.verified) for s in side.printed_statements()]
    rows: list[tuple[str, ...]] = []
    for at, (what, shown, n, verified) in enumerate(lines):
        head = (side.claim, source.id, design) if at == 0 else ("", "", "")
        rows.append((*head, _count(n), what, shown, _read(verified)))
    return rows


def _patients(n: Number, study: Publication | None) -> int | None:
    """The patients behind a number: its own n, its arms', or the study's; None where a group has no n."""
    if n.n is not None or study is None:
        return n.n
    if n.arm:
        arms = [study.arm_of(arm).n for arm in (n.arm, n.comparator) if arm]
        sizes = [size for size in arms if size is not None]
        return sum(sizes) if len(sizes) == len(arms) else None
    return None if n.group else study.n


def _finding(f: ExposureFinding) -> str:
    p = f", {_p(f.p_value)}" if f.p_value else ""
    return f"{association(f)}{p}"


def _sourced(record: Publication | Drug) -> Sequence[_Sourced]:
    from troughline.evidence.records import Drug

    if isinstance(record, Drug):
        return (*record.number, *record.codes, *record.dose_level, *record.interaction, *record.affinity)
    return (
        *record.arm,
        *record.number,
        *record.finding,
        *record.adverse_events,
        *record.biomarker,
        *record.at_risk,
        *record.statement,
    )


def _what(n: Number, arms: Mapping[str, str] | None = None) -> str:
    """The label, with the arm or patients behind it where the label does not say so already.

    `arms` holds the label of each arm, where no table beside says what their ids mean.
    """
    arm, comparator = (arms.get(a, a) if arms and a else a for a in (n.arm, n.comparator))
    against = f"{arm} against {comparator}" if comparator else arm
    of = ", ".join(part for part in (against, n.group) if part)
    return n.label if not of or of in n.label else f"{n.label} ({of})"


def _basis(n: Number) -> str:
    return "" if n.basis == "published" else n.basis


def _shown(value: float, decimals: int | None) -> str:
    return number(value) if decimals is None else f"{value:.{decimals}f}"


def _p(p_value: str | None) -> str:
    if p_value is None:
        return ""
    return f"p < {p_value[1:]}" if p_value.startswith("<") else f"p = {p_value}"


def _percent(percent: Percent | None) -> str:
    if percent is None:
        return ""
    return percent.replace("<", "< ") if isinstance(percent, str) else number(percent)


def _count(n: int | None) -> str:
    return "" if n is None else str(n)


def _read(verified: bool) -> str:
    return "yes" if verified else UNVERIFIED
