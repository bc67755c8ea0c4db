"""Progress of a run: image sets, sets per minute and the time left, on a terminal and in a log."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType

import click
from tqdm import tqdm

from cellspan.cp_module.batch.log import read_log
from cellspan.cp_module.batch.task import LOG, attempts_folder


class BatchProgress:
    """A progress bar on a terminal, otherwise a line per finished range."""

    def __init__(self, total: int, done: int) -> None:
        """`done`: image sets of an earlier run, which do not count for the speed."""
        self.total, self.earlier, self.done, self.started = total, done, done, time.monotonic()
        # tqdm counts per second, but a pipeline takes seconds per image.
        shape = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
        self._bar = tqdm(
            total=total, initial=done, dynamic_ncols=True, disable=not sys.stderr.isatty(), bar_format=shape
        )

    def reach(self, done: int) -> None:
        """Show that this many image sets are done; the bar does not go back if a range fails."""
        self.done = max(self.done, done)
        self._bar.set_postfix_str(self.pace(), refresh=False)
        self._bar.update(self.done - self._bar.n)
        self._bar.refresh()

    def pace(self) -> str:
        """Images per minute and the time left."""
        fresh, minutes = self.done - self.earlier, (time.monotonic() - self.started) / 60
        if not fresh:
            return "no image set finished yet"
        left = tqdm.format_interval((self.total - self.done) / fresh * minutes * 60)
        return f"{fresh / minutes:.1f} images/min, {left} left"

    def note(self, line: str, important: bool = True) -> None:
        """Print a line above the bar if it is important; in a log, add the progress."""
        if self._bar.disable:
            click.echo(f"[{self.done}/{self.total}] {line} ({self.pace()})", err=True)
        elif important:
            self._bar.write(line, file=sys.stderr)

    def __enter__(self) -> BatchProgress:
        """Use it in a `with` block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the bar."""
        self._bar.close()


def sets_underway(folder: Path) -> int:
    """The number of image sets completed by the running processes, from their logs."""
    return sum(len(read_log(log).completed) for log in attempts_folder(folder).glob(f"*/{LOG}"))
