"""What all commands share: the program, its options, and how it ends."""

from __future__ import annotations

import logging
import signal
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from gridmarl.cli.printing import complain
from gridmarl.errors import GridmarlError, OutputError

if TYPE_CHECKING:
    from types import FrameType

app = typer.Typer(
    help="Electricity markets as multi-agent environments: clear, run, train, compare.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

FAILED, INTERRUPTED = 2, 130
_state = {"debug": False, "interrupted": False}


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gridmarl {version('gridmarl')}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more, on standard error.")] = False,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Set up what all commands share."""
    from rich.logging import RichHandler

    from gridmarl.bench.progress import messages

    _state["debug"] = debug
    handler = RichHandler(console=messages(), show_path=False, show_time=False)
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler], format="%(message)s")


def main() -> NoReturn:
    """Run the command line: errors on purpose are one line and exit code 2, an interruption is 130."""
    signal.signal(signal.SIGINT, _interrupt)
    try:
        app()
    except GridmarlError as error:
        if _state["debug"]:
            raise
        complain(str(error))
        sys.exit(FAILED)
    except OSError as error:
        if _state["debug"] or error.filename is None:
            raise
        complain(str(OutputError(f"{error.filename}: {error.strerror}", remedy="choose another file or folder")))
        sys.exit(FAILED)
    except Exception:
        if _state["debug"] or not _state["interrupted"]:
            raise
        _stop()
    except SystemExit as stop:
        # typer's own code for Ctrl-C; before it had one, it raised Abort
        if stop.code == INTERRUPTED or isinstance(stop.__context__, typer.Abort):
            _stop()
        raise
    sys.exit(0)


def _stop() -> NoReturn:
    complain("interrupted; nothing half-written is left")
    sys.exit(INTERRUPTED)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Note Ctrl-C: compilers that swallow it in a callback fail a moment later with an error of their own."""
    _state["interrupted"] = True
    signal.default_int_handler(number, frame)
