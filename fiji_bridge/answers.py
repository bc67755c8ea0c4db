"""What `cellspan fiji-segment` tells the macro that runs it: one line with the outcome, and the exit code is always 0.

ImageJ's exec() sees standard output only. `OK <count> <file>` and `ERROR <sentence>` go there; with
`cellspan --for-programs`, a line of JSON with the error's code and fields follows. Standard error gets
`PROGRESS <fraction> <words>` and `NOTE <sentence>` if the macro watches.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import click

from cellspan.core.cli.programs import are_listening, note_line, problem_line, tell_progress
from cellspan.core.errors import Cancelled, CellspanError

Report = Callable[[float, str], None]  # gets a fraction and a few words


class AnsweringCommand(click.Command):
    """A command whose every outcome is such an answer, wrong options included."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """As of click, but errors come to `make_context` and `invoke`."""
        return super().main(*args, **{**extra, "standalone_mode": False})

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """As of click; wrong options are answered."""
        try:
            return super().make_context(*args, **extra)
        except click.ClickException as error:
            _fail(CellspanError(error.format_message(), "usage"))

    def invoke(self, ctx: click.Context) -> Any:
        """As of click; whatever goes wrong is answered."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            _fail(CellspanError(error.format_message(), "usage"))
        except Cancelled:
            _fail(CellspanError("The segmentation was cancelled.", "cancelled"))
        except CellspanError as error:
            _fail(error)
        except Exception as error:  # noqa: BLE001 - a macro has nothing but this line
            _fail(CellspanError(f"{type(error).__name__}: {error}", "internal"))


def _fail(error: CellspanError) -> NoReturn:
    click.echo("ERROR " + " ".join(str(error).split()))
    if are_listening():
        click.echo(problem_line(error))
    sys.exit(0)


def reporter() -> Report:
    """Prints progress; raises Cancelled once standard input is closed."""
    closed = threading.Event()

    def wait_for_end() -> None:
        # Not through sys.stdin, whose lock would be held when Python ends.
        while os.read(0, 1024):
            pass
        closed.set()

    threading.Thread(target=wait_for_end, daemon=True).start()

    def report(fraction: float, words: str) -> None:
        if closed.is_set():
            raise Cancelled
        tell_progress(fraction, words)

    return report


def part_of(report: Report | None, number: int, total: int) -> Report | None:
    """Progress of one of several runs, counted from 0, as progress of all."""
    if report is None or total == 1:
        return report
    return lambda part, words: report((number + part) / total, f"{number + 1} of {total}: {words}")


def tell_notes(notes: Iterable[str], report: Report | None) -> None:
    """Notes on a result, each once, if the macro watches."""
    for sentence in dict.fromkeys(notes) if report is not None else ():
        click.echo(note_line(sentence), err=True)
