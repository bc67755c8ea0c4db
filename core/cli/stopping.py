"""Ctrl-C, and the SIGTERM of a cluster: the work ends at the next good place, and what is done stays."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
WORDS = b"\nStopping after the current step; press Ctrl-C again to stop at once.\n"


class Stop:
    """Whether the work should end: call it. The second signal does not wait, it raises KeyboardInterrupt."""

    def __init__(self) -> None:
        """Nothing is stopped yet."""
        self.signal: int | None = None

    def __call__(self) -> bool:
        """True after the first signal."""
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """What shells expect of a program that a signal ended: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + (self.signal or signal.SIGINT)

    def heard(self, number: int, frame: FrameType | None) -> None:
        """A signal has come."""
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number
        os.write(2, WORDS)  # print may be in the middle of a line of its own, which it does not forgive


@contextmanager
def stopping() -> Iterator[Stop]:
    """While this lasts, signals that would end the process are heard; ignored ones, as in a shell script, stay so."""
    stop = Stop()
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, stop.heard)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
