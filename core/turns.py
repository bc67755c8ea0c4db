"""Taking turns: a lock that serves those who wait in the order in which they came.

Python's own lock may be taken again by the thread that has just released it, so that a volume of a thousand tiles would
keep an image of one tile waiting to its end.
"""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType

from cellspan.core.cancelling import raise_if_cancelled

ASK = 0.1  # seconds between two questions whether the work of the thread that waits is still wanted


class Turns:
    """A lock for `with`, first come, first served; raises Cancelled while it waits for work that nobody wants."""

    def __init__(self) -> None:
        """Free at first."""
        self._guard = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Event] = deque()

    def __enter__(self) -> None:
        """Wait for the turn."""
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Event()
            self._waiting.append(mine)
        try:
            while not mine.wait(ASK):
                raise_if_cancelled()  # no pause: others may wait for what this thread holds
        except BaseException:
            self._give_up(mine)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The next one gets the turn."""
        self._pass_on()

    def _pass_on(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False

    def _give_up(self, mine: threading.Event) -> None:
        with self._guard:
            if mine in self._waiting:
                self._waiting.remove(mine)
                return
        self._pass_on()  # it was given the turn at the last moment
