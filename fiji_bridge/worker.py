"""`cellspan fiji-worker`: runs `fiji-segment` and its like for ImageJ's commands, so that nobody waits for Python.

ImageJ's commands are thereby clients of the engine like all others (core/service/client.py), also with a Java that
knows no sockets in folders, and there is one program that knows stacks, volumes, selections and time.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from urllib.parse import unquote_plus

import click

from cellspan.core.cli.programs import tell_progress
from cellspan.core.errors import Cancelled
from cellspan.fiji_bridge.answers import Report
from cellspan.fiji_bridge.cells_command import fiji_cells
from cellspan.fiji_bridge.segment_command import fiji_segment
from cellspan.fiji_bridge.tracks import fiji_link

COMMANDS = {"fiji-segment": fiji_segment, "fiji-cells": fiji_cells, "fiji-link": fiji_link}

IDLE_SECONDS = 600.0  # without a command, after which it ends


@click.command()
def fiji_worker() -> None:
    """Run a command for each line of standard input, until it is closed or nothing comes for ten minutes.

    A line has the words of one `fiji-segment`, `fiji-cells` or `fiji-link`, URL-encoded, with spaces between them. Each
    is answered as by the command itself with --watch: progress and notes on standard error, and last OK or ERROR on
    standard output. Closing standard input also cancels the image that is being segmented.
    """
    lines: queue.Queue[bytes] = queue.Queue()
    closed = threading.Event()
    threading.Thread(target=_read, args=(lines, closed), daemon=True).start()

    def report(fraction: float, words: str) -> None:
        if closed.is_set():
            raise Cancelled
        tell_progress(fraction, words)

    with contextlib.suppress(queue.Empty):
        while not closed.is_set():
            if line := lines.get(timeout=IDLE_SECONDS):
                _run([unquote_plus(word) for word in line.decode("ascii").split()], report)


def _read(lines: queue.Queue[bytes], closed: threading.Event) -> None:
    """Hand over the lines of standard input, and an empty one at its end."""
    # Not through sys.stdin, whose lock would be held when Python ends.
    left = b""
    while part := os.read(0, 1 << 16):
        *whole, left = (left + part).split(b"\n")
        for line in whole:
            lines.put(line)
    closed.set()
    lines.put(b"")


def _run(words: list[str], report: Report) -> None:
    name, *arguments = words
    command = COMMANDS[name]
    with contextlib.suppress(SystemExit):  # after an error
        context = command.make_context(name, arguments, parent=click.get_current_context(), obj=report)
        with context:
            command.invoke(context)
