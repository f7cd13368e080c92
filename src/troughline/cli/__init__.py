"""The commands. No arithmetic here: each builds a typed request and calls a lower floor."""

from __future__ import annotations

import signal
import sys
from typing import Annotated, Any

import typer

from troughline.cli import (
    dose,
    estimate,
    evidence,
    evidence_compare,
    models,
    reconstruct,
    simulate,
    study,
    trial,
)
from troughline.cli.console import ALL_ANSWERED, BAD_CONFIGURATION, STOPPED, UNREADABLE_INPUT, print_findings

app = typer.Typer(
    name="troughline",
    help="Exposure-guided sorafenib therapy in hepatocellular carcinoma. Research software, not a medical "
    "device: it leaves every decision to the clinician.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(study.study)
app.command()(dose.dose)
app.command()(trial.trial)
app.command()(study.check)
app.command()(study.demo)
app.command()(estimate.estimate)
app.command()(simulate.simulate)
app.command()(reconstruct.reconstruct)
app.add_typer(models.app, name="models")
evidence.app.command("compare")(evidence_compare.compare)
app.add_typer(evidence.app, name="evidence")


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        from troughline import __version__

        typer.echo(f"troughline {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; a user's mistake ends in one line for each finding, never a traceback."""
    from troughline.issues import InputError

    command = typer.main.get_command(app)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a request to end is Ctrl-C: nothing is left
    try:
        status: Any = command.main(prog_name="troughline", standalone_mode=False)
    except InputError as error:
        print_findings(error.findings)
        sys.exit(BAD_CONFIGURATION if error.configuration else UNREADABLE_INPUT)
    except BrokenPipeError:
        _forget_standard_output()
        sys.exit(ALL_ANSWERED)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        typer.echo(f"error: {place}{error.strerror or error}", err=True)
        sys.exit(BAD_CONFIGURATION)
    except typer.Abort:
        typer.echo("error: stopped", err=True)
        sys.exit(BAD_CONFIGURATION)
    except Exception as error:
        message = _usage_message(error)
        if message is None:
            raise
        typer.echo(f"error: {message} (see troughline --help)", err=True)
        sys.exit(BAD_CONFIGURATION)
    if status == STOPPED:
        typer.echo("error: stopped", err=True)
    sys.exit(status if isinstance(status, int) else ALL_ANSWERED)


def _usage_message(error: Exception) -> str | None:
    """The message of a command-line mistake, or None for anything else."""
    from typer.exceptions import TyperException

    if not isinstance(error, TyperException):
        return None
    describe: Any = getattr(error, "format_message", None)
    return " ".join(str(describe() if describe else error).split()) or "a command is missing"


def _forget_standard_output() -> None:
    """Let nothing more be written to a reader, such as `head`, that has left."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
