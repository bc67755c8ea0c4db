"""Progress of a run: image sets, sets per minute and the time left, on a terminal and in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import click
from tqdm import tqdm

from cellspan.cp_module.batch.log import read_log
from cellspan.cp_module.batch.split import Range
from cellspan.cp_module.batch.task import LOG, attempts_folder

LINE_SECONDS = 60.0  # between two lines in a log


class BatchProgress:
    """A progress bar on a terminal, otherwise a line per finished range and per minute."""

    def __init__(self, total: int, done: int) -> None:
        """`done`: image sets of an earlier run, which do not count for the speed."""
        self.total, self.earlier, self.done, self.failed = total, done, done, 0
        self.started = self.told = time.monotonic()
        # tqdm counts per second, but a pipeline takes seconds per image.
        shape = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
        self._bar = tqdm(
            total=total, initial=done, dynamic_ncols=True, disable=not sys.stderr.isatty(), bar_format=shape
        )

    def reach(self, done: int, failed: int = 0) -> None:
        """Show how many image sets are done and how many are given up; the bar does not go back if a range fails."""
        self.failed = failed
        self.done = max(self.done, min(done, self.total - failed))
        self._bar.set_postfix_str(self.pace(), refresh=False)
        self._bar.update(self.done - self._bar.n)
        self._bar.refresh()
        if self._bar.disable and time.monotonic() - self.told >= LINE_SECONDS:
            self._line("still running")

    def pace(self) -> str:
        """Failures, images per minute and the time left."""
        failed = f"{self.failed} failed, " if self.failed else ""
        fresh, minutes = self.done - self.earlier, (time.monotonic() - self.started) / 60
        if not fresh or not minutes:
            return f"{failed}no image set finished yet"
        left = max(0, self.total - self.done - self.failed) / fresh * minutes * 60
        return f"{failed}{fresh / minutes:.1f} images/min, {tqdm.format_interval(left)} left"

    def note(self, line: str, important: bool = True) -> None:
        """Print a line above the bar if it is important; in a log, add the progress."""
        if self._bar.disable:
            self._line(line)
        elif important:
            self._bar.write(line, file=sys.stderr)

    def _line(self, line: str) -> None:
        self.told = time.monotonic()
        click.echo(f"[{self.done}/{self.total}] {line} ({self.pace()})", err=True)

    def __enter__(self) -> BatchProgress:
        """Use it in a `with` block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the bar."""
        self._bar.close()


def sets_underway(folder: Path, running: Iterable[Range]) -> int:
    """The number of image sets completed by the running processes, from their logs, each set once."""
    logs = [log for span in running for log in attempts_folder(folder).glob(f"{span.name}.*/{LOG}")]
    return len({number for log in logs for number in read_log(log).completed})
