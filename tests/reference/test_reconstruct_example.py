"""SHARP and Asia-Pacific come out of their printed summaries within the printed rounding.

The printed values stand in the curve files of `examples/reconstruct`, each with its source.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from troughline.evidence.reconstruct.load import load_curve_file
from troughline.evidence.reconstruct.result import Reconstruction
from troughline.evidence.reconstruct.run import reconstruct
from troughline.evidence.reconstruct.schema import PrintedNumber
from troughline.evidence.records import Number, Publication
from troughline.evidence.store import load_publication

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "reconstruct"
TRIALS = ("sharp", "asia-pacific")


@pytest.fixture(scope="module")
def made() -> dict[str, Reconstruction]:
    return {trial: reconstruct(EXAMPLE / f"{trial}.toml") for trial in TRIALS}


@pytest.mark.parametrize("trial", TRIALS)
def test_medians_and_hazard_ratio_round_to_those_printed(made: dict[str, Reconstruction], trial: str) -> None:
    printed, got = load_curve_file(EXAMPLE / f"{trial}.toml"), made[trial]
    assert printed.summary is not None
    ratio = printed.summary.hazard_ratio
    assert ratio is not None
    assert round(got.comparisons[0].hazard_ratio, ratio.digits) == ratio.value
    for section, arm in zip(printed.arm, got.arms, strict=True):
        assert section.median is not None
        assert round(arm.curve.median, section.median.digits) == section.median.value
        assert arm.time.size == section.n


def test_sharp_has_its_deaths_and_all_but_the_upper_end_of_its_interval(
    made: dict[str, Reconstruction],
) -> None:
    """0.87 is printed, from a stratified analysis; 321 deaths give 0.86 without strata. Said in a warning."""
    sharp = made["sharp"]
    assert sum(int(arm.event.sum()) for arm in sharp.arms) == 321
    assert round(sharp.comparisons[0].low, 2) == 0.55
    assert sharp.comparisons[0].high == pytest.approx(0.87, abs=0.01)
    assert any(f.code == "not-met" and "interval" in f.message for f in sharp.findings)


def test_asia_pacific_has_its_interval_too(made: dict[str, Reconstruction]) -> None:
    pair = made["asia-pacific"].comparisons[0]
    assert (round(pair.low, 2), round(pair.high, 2)) == (0.50, 0.93)
    assert not any(f.code in ("unverified", "not-met") for f in made["asia-pacific"].findings)


@pytest.mark.parametrize("trial", TRIALS)
def test_the_example_and_the_evidence_base_say_the_same(trial: str) -> None:
    """Numbers of patients, medians, hazard ratio, deaths, whether they were read, and months of enrolment."""
    curve = load_curve_file(EXAMPLE / f"{trial}.toml")
    assert curve.curve.study is not None
    assert curve.summary is not None
    study = load_publication(curve.curve.study)
    for arm in curve.arm:
        on_file = study.arm_of(arm.name)
        assert (arm.n, arm.n_verified) == (on_file.n, on_file.verified)
        assert arm.median is not None
        assert _same(arm.median, study.sourced(f"survival-{arm.name}"))
    assert curve.summary.hazard_ratio is not None
    assert _same(curve.summary.hazard_ratio, study.sourced("survival-hazard-ratio"))
    if curve.summary.events is not None:
        assert curve.summary.events.value == study.sourced("deaths").value
    assert curve.summary.accrual is not None
    assert abs(curve.summary.accrual.value - _months(study)) <= 1.0
    assert study.doi is None or study.doi in curve.curve.source
    assert ("doi" in curve.curve.source) == (study.doi is not None)


def _same(example: PrintedNumber, on_file: Number) -> bool:
    return (example.value, example.low, example.high, example.verified) == (
        on_file.value, on_file.low, on_file.high, on_file.verified,
    )  # fmt: skip


def _months(study: Publication) -> float:
    """From the first to the last month of enrolment, the middle of each."""
    first, last = (
        [int(part) for part in str(month).split("-")] for month in (study.enrolled_from, study.enrolled_to)
    )
    return float(12 * (last[0] - first[0]) + last[1] - first[1])


def test_the_result_names_the_evidence_it_rests_on(made: dict[str, Reconstruction]) -> None:
    sharp = made["sharp"]
    assert sharp.contents["provenance"]["evidence"] == ["sharp-2008"]
    assert set(sharp.patients()["published_study"]) == {"sharp-2008"}


@pytest.mark.parametrize("trial", TRIALS)
def test_they_are_labelled_approximate(made: dict[str, Reconstruction], trial: str) -> None:
    assert made[trial].approximate
    assert set(made[trial].patients()["approximate"]) == {1}
    assert "approximate" in made[trial].title


def test_the_picture_of_the_example_is_what_the_command_draws(
    made: dict[str, Reconstruction], tmp_path: Path
) -> None:
    from troughline.report.reconstruction import write_reconstruction

    _, _, picture = write_reconstruction(made["sharp"], tmp_path / "sharp.csv")
    assert picture.read_text() == (EXAMPLE / "sharp.svg").read_text()
