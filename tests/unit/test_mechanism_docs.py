"""docs/mechanism.md against the data: every target has its row, every verdict follows from its numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from troughline.mechanism.parameters import read_sets
from troughline.mechanism.targets import read_targets
from troughline.mechanism.trial_designs import known_targets, read_designs, read_not_predicted

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "mechanism.md").read_text(encoding="utf-8")
ASKED = (
    "sharp-ttp-placebo", "sharp-ttp-sorafenib", "sharp-os-placebo", "sharp-os-sorafenib", "sharp-os-hr",
    "sharp-pr-sorafenib", "sharp-sd-sorafenib", "sharp-growth", "asia-ttp-placebo", "asia-ttp-sorafenib",
    "asia-ttp-hr", "asia-os-hr", "asia-sd-placebo", "surrogacy-slope", "search-os-hr", "search-ttp-hr",
    "noda-os-below", "noda-os-inside", "noda-os-above",
    *(f"{marker}-power-{dose}" for marker in ("tnf", "tnfr", "fas") for dose in (200, 400, 800)),
)  # fmt: skip


def part(mark: str) -> list[list[str]]:
    """The cells of the rows between two marks, without the head."""
    text = TEXT.split(f"<!-- begin {mark} -->")[1].split(f"<!-- end {mark} -->")[0]
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[2:]]


def rows(mark: str) -> dict[str, list[str]]:
    """The same by the id in the first cell."""
    return {row[0].strip("` "): row for row in part(mark)}


def numbers(cell: str) -> list[float]:
    """The numbers of a cell."""
    return [float(x) for x in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", cell)]


def test_every_target_has_its_row_and_nothing_else_does() -> None:
    """Targets of the fit in one table, those of other trials in the other."""
    assert set(rows("targets")) == {t.id for t in read_targets()}
    assert set(rows("trials")) == {m.target.id for d in read_designs() for m in d.measured}
    assert set(ASKED) <= set(rows("targets"))


@pytest.mark.parametrize("mark", ["targets", "trials"])
def test_verdict_use_and_source_follow_from_the_data(mark: str) -> None:
    """A best prediction outside what counts as approached is a miss in bold, and inside it is not."""
    known = known_targets()
    for name, row in rows(mark).items():
        target = known[name]
        assert row[1] == target.use, name
        assert row[-1].startswith(target.source), name
        assert ("(not verified)" in row[-1]) == (not target.verified), name
        best = numbers(row[4])[0]
        # A printed prediction has three figures: at the edge of the tolerance it says nothing.
        near = min(abs(best - target.low), abs(best - target.high)) <= 0.006 * abs(best)
        assert near or ("miss" in row[-3]) == (not target.low <= best <= target.high), (name, row)


def test_the_fitted_quantities_are_those_of_the_stored_sets() -> None:
    """The table of what was fitted names the best set's values, to three figures."""
    best = {reading: read_sets(reading=reading)[0] for reading in ("Kd", "IC50")}
    table = part("sets")
    assert len(table) > 15
    for row in table:
        name = row[0].strip("` ")
        for reading, cell in (("Kd", row[1]), ("IC50", row[3])):
            one = best[reading]
            if name == "follow_up_power":
                value = one.follow_up_power
            elif name.startswith("sd."):
                value = one.sd[name.removeprefix("sd.")]
            else:
                value = one.values[name]
            assert numbers(cell)[0] == pytest.approx(value, rel=6e-3), name


def test_what_is_not_predicted_is_said_with_its_reason() -> None:
    """Doxorubicin, lenvatinib and the rest stand on the page."""
    text = TEXT.split("<!-- begin not-predicted -->")[1].split("<!-- end not-predicted -->")[0]
    for one in read_not_predicted():
        assert f"{one.study}, {one.number.id}" in text
        assert one.reason in text


def test_assumptions_of_every_trial_are_on_the_page() -> None:
    """What no source says stands beside the predictions."""
    text = TEXT.split("<!-- begin trials -->")[1].split("<!-- end trials -->")[0]
    for design in read_designs():
        assert design.label in text
        assert all(line in text for line in design.assumed)


def test_the_count_of_what_is_inside_is_that_of_the_rows() -> None:
    """The sentence under the table counts its held-out rows."""
    held = [row for row in part("trials") if row[1] == "held out"]
    inside = sum(row[7] == "inside" for row in held)
    assert f"Held out, and inside with the best set: {inside} of {len(held)}." in TEXT
