"""Taking turns: a lock that serves those who wait in the order in which they came, and urgent ones first.

Python's own lock may be taken again by the thread that has just released it, so that a volume of a thousand tiles would
keep an image of one tile waiting to its end.
"""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType

from cellspan.core.machine.cancelling import is_urgent, raise_if_cancelled

ASK = 0.1  # seconds between two questions whether the work of the thread that waits is still wanted


class Turns:
    """A lock for `with`, first come, first served; raises Cancelled while it waits for work that nobody wants.

    With several places so many threads have their turn at once; `with turns as beside` says how many others do.
    """

    def __init__(self, places: int = 1) -> None:
        """Free at first."""
        self._guard = threading.Lock()
        self._places, self._taken = places, 0
        self._waiting: deque[threading.Event] = deque()  # urgent ones, then the others
        self._urgent: set[threading.Event] = set()

    def __enter__(self) -> int:
        """Wait for the turn."""
        with self._guard:
            if self._taken < self._places:
                self._taken += 1
                return self._taken - 1
            mine = threading.Event()
            if is_urgent():
                self._waiting.insert(len(self._urgent), mine)
                self._urgent.add(mine)
            else:
                self._waiting.append(mine)
        try:
            while not mine.wait(ASK):
                raise_if_cancelled()  # no pause: others may wait for what this thread holds
        except BaseException:
            self._give_up(mine)
            raise
        return self._places - 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The next one gets the turn."""
        self._pass_on()

    def _pass_on(self) -> None:
        with self._guard:
            if self._waiting:
                following = self._waiting.popleft()
                self._urgent.discard(following)
                following.set()
            else:
                self._taken -= 1

    def _give_up(self, mine: threading.Event) -> None:
        with self._guard:
            if mine in self._waiting:
                self._waiting.remove(mine)
                self._urgent.discard(mine)
                return
        self._pass_on()  # it was given the turn at the last moment
