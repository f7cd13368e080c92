"""`reconstruct`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from troughline.cli.console import print_findings, print_table, progress_bar, refusal

if TYPE_CHECKING:
    from troughline.evidence.reconstruct.result import Comparison, ReconstructedArm, Reconstruction


def reconstruct(
    curve_file: Annotated[Path, typer.Argument(metavar="CURVE.toml", help="The curve file.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="FILE", help="Where the patients go, .csv; .json and .svg are written beside it."
        ),
    ],
) -> None:
    """Printed Kaplan–Meier curve, or printed summary, → patient data with a stated error."""
    from troughline.evidence.reconstruct.load import input_files, load_curve_file
    from troughline.evidence.reconstruct.run import reconstruct as run
    from troughline.report.reconstruction import check_reconstruction_target, write_reconstruction

    try:
        check_reconstruction_target(out, input_files(load_curve_file(curve_file)))
    except OSError:
        raise
    except ValueError as error:
        from troughline.issues import InputError

        if isinstance(error, InputError):
            raise
        raise refusal(str(error)) from None
    with progress_bar() as progress:
        made = run(curve_file, progress=progress)
    files = write_reconstruction(made, out)
    print_findings(made.findings, notes=True)
    _print_result(made, files)


def _print_result(made: Reconstruction, files: tuple[Path, ...]) -> None:
    from troughline.evidence.reconstruct.result import APPROXIMATE

    typer.echo(made.title)
    if made.approximate:
        typer.echo(f"  {APPROXIMATE}")
    if made.contents["simulated"]:
        typer.echo("  SIMULATED DATA, not patients")
    percent = f"{100 * made.contents['level']:g}%"
    header = ["arm", "patients", "events", f"median, {made.time_unit}s ({percent} interval)"]
    header += [] if made.approximate else ["median by reading", "distance from clicks: max", "mean"]
    print_table(header, [_arm_row(arm) for arm in made.arms])
    for pair in made.comparisons:
        typer.echo(_comparison_line(pair, percent))
    typer.echo(f"  {', '.join(map(str, files))}")


def _arm_row(arm: ReconstructedArm) -> list[str]:
    curve, spread = arm.curve, arm.median_reading
    row = [
        arm.name,
        str(arm.time.size),
        str(int(arm.event.sum())),
        f"{_number(curve.median)} ({_number(curve.median_low)} to {_number(curve.median_high)})",
    ]
    if arm.error is not None:
        row.append("" if spread is None else f"{_number(spread.low)} to {_number(spread.high)}")
        row += [f"{arm.error.largest:.4f}", f"{arm.error.mean:.4f}"]
    return row


def _comparison_line(pair: Comparison, percent: str) -> str:
    if pair.note:
        return f"  {pair.arm} against {pair.reference}: {pair.note}"
    spread = pair.hazard_ratio_reading
    reading = "" if spread is None else f"; by reading {_number(spread.low)} to {_number(spread.high)}"
    return (
        f"  hazard ratio, {pair.arm} against {pair.reference}: {pair.hazard_ratio:.3f} ({percent} interval "
        f"{pair.low:.3f} to {pair.high:.3f}{reading}); log-rank p = {pair.log_rank_p_value:.3g}"
    )


def _number(value: float) -> str:
    import math

    return "not reached" if math.isnan(value) else f"{value:.4g}"
