"""Progress over many items: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
from types import TracebackType

import click
from tqdm import tqdm

from cellspan.core.files.regular import readable


class Progress:
    """A bar when standard error is a terminal; otherwise one line per item, such as `[3/65] cells.tif: 41 objects`."""

    def __init__(self, total: int, unit: str) -> None:
        """`unit` is what is counted, for example 'image'."""
        self.total, self.done = total, 0
        self._bar = tqdm(total=total, unit=unit, dynamic_ncols=True, disable=not sys.stderr.isatty())

    def step(self, line: str, important: bool = False) -> None:
        """One item is done; on a terminal, only important lines stay above the bar."""
        self.done += 1
        if self._bar.disable:
            click.echo(f"[{self.done}/{self.total}] {readable(line)}", err=True)
            return
        if important:
            self._bar.write(readable(line), file=sys.stderr)
        self._bar.update()

    def skip(self) -> None:
        """One item needed nothing: it is counted without a line, because there may be thousands after a stop."""
        self.done += 1
        self._bar.update()

    def within(self, fraction: float, words: str) -> None:
        """How far the current item is; on a terminal only."""
        self._bar.set_postfix_str(f"{words}, {fraction:.0%}" if fraction < 1 else "")

    def reach(self, done: int, total: int | None = None) -> None:
        """How many items are done, and of how many; on a terminal only, because a log gets lines of its own."""
        if total is not None:
            self._bar.total = total
        self._bar.update(done - self._bar.n)

    def note(self, line: str) -> None:
        """A line that stays, above the bar."""
        self._bar.write(readable(line), file=sys.stderr)

    def __enter__(self) -> Progress:
        """Use it in a `with` block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the bar."""
        self._bar.close()
