"""Curve files: one clear finding for each mistake, and labels where patients are approximate."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from benchmarks.printed_curves import simulated_trial

from troughline.evidence.reconstruct import schema
from troughline.evidence.reconstruct.load import load_curve_file
from troughline.evidence.reconstruct.result import APPROXIMATE
from troughline.evidence.reconstruct.run import check_curves, reconstruct
from troughline.issues import InputError

ROOT = Path(__file__).resolve().parents[2]
HEADER = '[curve]\ntitle = "A small curve"\ntime_unit = "month"\nreadings = 3\n'
CLICKS = "time,survival\n0,1\n1,0.9\n2,0.8\n3,0.7\n4,0.6\n5,0.6\n"
RISK = "time,at_risk\n0,20\n2,17\n4,12\n"
ARM = '[[arm]]\nname = "a"\nclicks = "clicks.csv"\nrisk_table = "risk.csv"\n'
SUMMARY = (
    "[summary]\nhazard_ratio = { value = 0.7 }\nevents = { value = 150 }\n"
    '[[arm]]\nname = "a"\nn = 100\nmedian = { value = 5.0, decimals = 1 }\n'
    '[[arm]]\nname = "b"\nn = 100\nmedian = { value = 7.0, decimals = 1 }\n'
)


def write(folder: Path, text: str, *, clicks: str = CLICKS, risk: str = RISK) -> Path:
    (folder / "clicks.csv").write_text(clicks)
    (folder / "risk.csv").write_text(risk)
    path = folder / "curve.toml"
    path.write_text(text)
    return path


def test_a_curve_file_becomes_patients_with_their_provenance(tmp_path: Path) -> None:
    made = reconstruct(write(tmp_path, HEADER + ARM))
    table = made.patients()
    assert list(table.columns) == ["patient", "arm", "time", "status", "time_unit", "source", "approximate"]
    assert len(table) == 20
    assert table["patient"].is_unique
    assert set(table["source"]) == {"clicks"}
    assert set(table["approximate"]) == {0}
    assert int(table["status"].sum()) == 8
    assert made.contents["arms"][0]["at_risk"]["reconstructed"] == [20, 17, 12]
    assert set(made.contents["provenance"]["inputs"]) == {"curve.toml", "clicks.csv", "risk.csv"}


def test_patients_say_which_study_they_stand_for(tmp_path: Path) -> None:
    """So that a comparison can leave it out; clicks or a summary alike."""
    named = HEADER.replace("[curve]\n", '[curve]\nstudy = "sharp-2008"\n')
    made = reconstruct(write(tmp_path, named + ARM))
    assert set(made.patients()["published_study"]) == {"sharp-2008"}
    assert made.contents["provenance"]["evidence"] == ["sharp-2008"]
    unknown = write(tmp_path, named.replace("sharp-2008", "nobody-1999") + ARM)
    with pytest.raises(InputError, match="'nobody-1999' is not in the evidence base") as caught:
        load_curve_file(unknown)
    assert caught.value.configuration


def test_assumed_times_have_their_unit(tmp_path: Path) -> None:
    made = reconstruct(write(tmp_path, HEADER + SUMMARY))
    assert any("months, data cut" in f.message for f in made.findings)


def test_the_same_file_gives_the_same_numbers(tmp_path: Path) -> None:
    arms = [
        f'[[arm]]\nname = "{name}"\nclicks = "{name}.csv"\n'
        f"at_risk = {{ time = {arm.risk_time.tolist()}, at_risk = {arm.at_risk.tolist()} }}\n"
        for name, arm in zip("ab", simulated_trial(3), strict=True)
    ]
    for name, arm in zip("ab", simulated_trial(3), strict=True):
        rows = "".join(f"{t},{s}\n" for t, s in zip(arm.click_time, arm.click_survival, strict=True))
        (tmp_path / f"{name}.csv").write_text("time,survival\n" + rows)
    path = write(tmp_path, HEADER + "".join(arms))
    first, again = reconstruct(path), reconstruct(path)
    first.contents["provenance"].pop("created")
    again.contents["provenance"].pop("created")
    assert first.contents == again.contents
    spread = first.comparisons[0].hazard_ratio_reading
    assert spread is not None
    assert spread.low <= spread.high


def test_approximate_is_said_in_every_place(tmp_path: Path) -> None:
    made = reconstruct(write(tmp_path, HEADER + SUMMARY))
    table = made.patients()
    assert set(table["approximate"]) == {1}
    assert set(table["source"]) == {"summary"}
    assert all(table["patient"].str.startswith("APPROX-"))
    assert made.contents["approximate"] is True
    assert made.contents["label"] == APPROXIMATE
    assert any(f.code == "approximate" for f in made.findings)
    assert any(f.code == "unverified" and "hazard ratio" in f.message for f in made.findings)


@pytest.mark.parametrize(
    ("clicks", "risk", "file", "words"),
    [
        ("", RISK, "clicks.csv", "is empty"),
        ("time,survival\n", RISK, "clicks.csv", "no records"),
        ("t,s\n0,1\n", RISK, "clicks.csv", "no column 'time' (columns: t, s)"),
        ("time,survival\n0,1\n1,x\n", RISK, "clicks.csv", "'x' is no number"),
        ("time,survival\n0,1\n1,\n", RISK, "clicks.csv", "is empty"),
        ("time,survival\n0,1\n1,1.3\n", RISK, "clicks.csv", "cannot exceed 1"),
        ("time,survival\n0,1\n1,0.5\n2,0.7\n", RISK, "clicks.csv", "never rises"),
        ("time,survival\n0,0.5\n1,0.4\n", RISK, "clicks.csv", "starts at 1"),
        (CLICKS, "time,at_risk\n0,20\n2,21\n", "risk.csv", "cannot grow"),
        (CLICKS, "time,at_risk\n0,20\n2,many\n", "risk.csv", "'many' is no number"),
        (CLICKS, "time,n\n0,20\n", "risk.csv", "no column 'at_risk'"),
        (CLICKS, "time,at_risk\n1,20\n2,10\n", "risk.csv", "give n"),
    ],
)
def test_bad_tables_are_one_clear_finding_with_their_file(
    tmp_path: Path, clicks: str, risk: str, file: str, words: str
) -> None:
    path = write(tmp_path, HEADER + ARM, clicks=clicks, risk=risk)
    errors = check_curves(path).errors
    assert [f.file for f in errors if words in f.message] == [file]
    assert len({f.code for f in errors}) == 1
    with pytest.raises(InputError) as caught:
        reconstruct(path)
    assert not caught.value.configuration


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("events = 25\n", "25 events among 20 patients"),
        ("events = 19\n", "events = 19 c"),
        ("n = 30\n", "20 at risk at time 0, but n = 30"),
        ("ticks = [9.0]\n", "tick at 9 lies outside"),
    ],
)
def test_numbers_of_an_arm_that_contradict_each_other(tmp_path: Path, change: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        reconstruct(write(tmp_path, HEADER + ARM + change))


def test_numbers_at_risk_that_the_clicks_contradict(tmp_path: Path) -> None:
    """All twenty still at risk at 4, where the curve has fallen to 0.6."""
    path = write(tmp_path, HEADER + ARM, risk="time,at_risk\n0,20\n4,20\n")
    with pytest.raises(InputError, match="contradict each other between 0 and 4 months"):
        reconstruct(path)


def test_a_percent_axis_is_read_and_a_wrong_one_is_said(tmp_path: Path) -> None:
    percent = "time,survival\n0,100\n1,90\n2,80\n3,70\n4,60\n5,60\n"
    scale = '[reading]\nsurvival = "percent"\n'
    assert int(reconstruct(write(tmp_path, HEADER + scale + ARM, clicks=percent)).arms[0].event.sum()) == 8
    assert "percent" in check_curves(write(tmp_path, HEADER + ARM, clicks=percent)).errors[0].message
    assert "fraction" in check_curves(write(tmp_path, HEADER + scale + ARM)).errors[0].message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEADER, "arm"),
        (HEADER.replace("month", "fortnight") + ARM, "must be one of"),
        (HEADER + ARM + "cliks = 3\n", "unknown key; did you mean 'clicks'?"),
        (HEADER + '[[arm]]\nname = "a"\nn = 5\n', "give one of clicks"),
        (HEADER + '[[arm]]\nname = "a"\nclicks = "clicks.csv"\n', "give risk_table"),
        (HEADER + ARM + ARM, "arm name used twice: a"),
        (HEADER + '[[arm]]\nname = "a"\nn = 5\npath = { index = 1 }\n', "[figure] names the file"),
        (HEADER + '[[arm]]\nname = "a"\nmedian = { value = 3.0 }\n', "n, the number of patients, is needed"),
        (HEADER + ARM + "n = 2.5\n", "whole number"),
        (HEADER + "[reading]\nstep = 0.5\n" + ARM, "must be below 0.2"),
        (HEADER + "path = 1\n" + ARM, "unknown key"),
        ("[curve\n", "not valid TOML"),
    ],
)
def test_mistakes_of_the_file_are_configuration_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        load_curve_file(write(tmp_path, text))
    assert caught.value.configuration
    assert words in str(caught.value)
    assert all("\n" not in f.message and f.file == "curve.toml" for f in caught.value.findings)


def test_printed_digits_are_those_written(tmp_path: Path) -> None:
    file = load_curve_file(
        write(tmp_path, HEADER + SUMMARY.replace("value = 0.7 ", "value = 0.7, low = 0.51, high = 0.96 "))
    )
    assert file.summary is not None
    assert file.summary.hazard_ratio is not None
    assert file.summary.hazard_ratio.digits == 2
    assert file.arm[0].median is not None
    assert file.arm[0].median.digits == 1


def test_a_contradictory_summary_is_an_error_of_the_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="contradict each other") as caught:
        reconstruct(write(tmp_path, HEADER + SUMMARY.replace("value = 0.7 ", "value = 1.7 ")))
    assert not caught.value.configuration


def _keys() -> list[str]:
    sections = (
        schema.CurveHeader, schema.ReadingSection, schema.FigureSection, schema.PathSection,
        schema.PrintedNumber, schema.PrintedCount, schema.SummarySection, schema.ArmSection,
    )  # fmt: skip
    return sorted(
        {name for section in sections for name in section.model_fields} - {"file", "value", "low", "high"}
    )


@pytest.mark.parametrize("key", _keys())
def test_every_key_of_the_curve_file_is_documented(key: str) -> None:
    text = (ROOT / "docs" / "reconstruct.md").read_text(encoding="utf-8")
    assert re.search(rf"`{key}[`=]|^{key} =|\b{key} = ", text, re.MULTILINE), key


@pytest.mark.parametrize("number", [0, 2])
def test_the_examples_of_the_page_are_curve_files(tmp_path: Path, number: int) -> None:
    """The file at the top of the page, and the summary further down with a heading of its own."""
    text = (ROOT / "docs" / "reconstruct.md").read_text(encoding="utf-8")
    block = text.split("```toml")[number + 1].split("```")[0]
    path = tmp_path / "curve.toml"
    path.write_text(block if number == 0 else HEADER + block, encoding="utf-8")
    assert len(load_curve_file(path).arm) == 2
