"""Work beside the window: in a plain thread, at which a timer of the window looks.

Not napari's thread_worker: Qt destroys its objects in the thread that worked, which ended Python now and then (PyQt 6).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from qtpy.QtCore import QTimer

Result = TypeVar("Result")
TICK = 50  # milliseconds between two looks


class Aside(Generic[Result]):
    """Calls `work` in a thread.

    In the window's thread it calls `look` from time to time, and `ended` with what came of the work.
    """

    def __init__(
        self,
        work: Callable[[], Result],
        ended: Callable[[Result | BaseException], None],
        look: Callable[[], None] = lambda: None,
    ) -> None:
        """Begins at once; `ended` gets the result or the error."""
        self._work, self._ended, self._look = work, ended, look
        self._outcome: list[Result | BaseException] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._timer = QTimer()
        self._timer.timeout.connect(self._tick)
        self._thread.start()
        self._timer.start(TICK)

    def _run(self) -> None:
        try:
            self._outcome.append(self._work())
        except BaseException as error:  # noqa: BLE001 - the window is told of it
            self._outcome.append(error)

    def _tick(self) -> None:
        if not self._outcome:
            self._look()
            return
        self._timer.stop()
        self._ended(self._outcome[0])
