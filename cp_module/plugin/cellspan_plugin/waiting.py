"""Tells what an image waits for: in the log and, in test mode on the desktop, in a window with a Cancel button."""

from __future__ import annotations

import inspect
import sys
import threading
import time
from typing import Any, Callable, Generic, TypeVar

OnProgress = Callable[[float, str], None]
Result = TypeVar("Result")

QUIET_SECONDS = 2.0  # shorter waits are not worth a word
AGAIN_SECONDS = 10.0  # after which the log repeats what has not changed
PULSE_SECONDS = 0.1  # between two looks of the window at the user
WAITS = ("waiting", "starting", "preparing")  # what the image waits for; told at every change


class Stopped(Exception):
    """The user stopped the image while it was waiting or being segmented."""

    def __init__(self) -> None:
        """With its sentence."""
        super().__init__("You stopped this image.")


class Teller:
    """A listener for the engine's client that says what it hears to `say`, once the image has waited for a while."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """The wait begins now."""
        self._say, self._clock = say, clock
        self._began = clock()
        self._said = ("", self._began - AGAIN_SECONDS)  # the last text and when it was said
        self.sentence = "Waiting for the engine"

    def __call__(self, fraction: float, message: str) -> None:
        """Hear what the client tells."""
        now = self._clock()
        self.sentence = sentence_of(fraction, message, now - self._began)
        text, when = self._said
        is_start = message.startswith("starting the") and not text  # the first image waits longer than others
        is_news = message.startswith(WAITS) and message != text and now - when >= 1
        is_due = now - self._began >= QUIET_SECONDS and (is_news or now - when >= AGAIN_SECONDS)
        if is_start or is_due:
            self._said = message, now
            self._say(self.sentence)


def sentence_of(fraction: float, message: str, seconds: float) -> str:
    """What the client tells, as one line: with the progress, if there is any, and how long it has taken."""
    progress = f", {100 * fraction:.0f} %" if 0 < fraction < 1 else ""
    elapsed = "" if message.endswith(" s)") else f" ({seconds:.0f} s)"
    return f"{message[:1].upper()}{message[1:]}{progress}{elapsed}"


def attend(work: Callable[[OnProgress], Result], say: Callable[[str], None], title: str, workspace: Any) -> Result:
    """The result of `work`, which gets a listener for its progress.

    In the main thread of a desktop, the work has a thread of its own; if it takes long, a window tells what is going
    on and stays alive. Raises Stopped if the user presses its Cancel button or stops the analysis, and whatever the
    work raises.
    """
    wx = desktop()
    teller = Teller(say)
    if wx is None:
        return work(_unless(_analysis_is_stopped(workspace), teller))
    aside = _Aside(work, teller)
    aside.start()
    aside.join(QUIET_SECONDS)
    if aside.is_alive():
        style = wx.PD_APP_MODAL | wx.PD_CAN_ABORT
        window = wx.ProgressDialog(title, teller.sentence, maximum=100, parent=workspace.frame, style=style)
        try:
            _watch(window, aside, teller)
        finally:
            window.Destroy()
    return aside.outcome()


def _unless(is_stopped: Callable[[], bool], tell: OnProgress) -> OnProgress:
    """A listener that ends the work once it is stopped."""

    def heard(fraction: float, message: str) -> None:
        if is_stopped():
            raise Stopped  # the client then takes the image back from the engine
        tell(fraction, message)

    return heard


def _analysis_is_stopped(workspace: Any) -> Callable[[], bool]:
    """Whether CellProfiler has told this worker of an analysis to stop.

    It looks at that between modules only, and ends a worker that is still busy after ten seconds; until then, the
    desktop stands still. `end_step` then finds the message in the socket, because it is only looked for here.
    """
    worker = getattr(workspace.cancel_handler, "__self__", None)  # there is none in test mode and without a display
    messages = getattr(worker, "notify_socket", None) or getattr(worker, "keepalive_socket", None)  # 4.2, 5
    return lambda: messages is not None and bool(messages.poll(0))


def end_step(workspace: Any) -> None:
    """End the step that the user has stopped; an analysis ends, test mode stays at this module.

    For test mode, CellProfiler 4.2 gives the workspace a handler for this, which fails: it marks a list of its own
    instead of the one that its caller, `do_step`, looks at. That one is marked here. Raises Stopped if there is none;
    an exception always ends the test mode.
    """
    try:
        workspace.cancel_request()
    except IndexError:
        frame = inspect.currentframe()
        while frame is not None and frame.f_code.co_name != "do_step":
            frame = frame.f_back
        cancelled = None if frame is None else frame.f_locals.get("cancelled")
        if not isinstance(cancelled, list):
            raise Stopped from None
        cancelled[0] = True


def _watch(window: Any, aside: _Aside[Result], teller: Teller) -> None:
    """Keep the window alive until the work has ended; raises Stopped."""
    while aside.is_alive():
        goes_on, _ = window.Pulse(teller.sentence)
        if not goes_on:
            aside.stopped.set()  # it ends at its next word; nobody has to wait for that
            raise Stopped
        aside.join(PULSE_SECONDS)


class _Aside(threading.Thread, Generic[Result]):
    """Work in a thread of its own."""

    def __init__(self, work: Callable[[OnProgress], Result], tell: OnProgress) -> None:
        super().__init__(daemon=True)
        self._work, self._tell = work, tell
        self._result: list[Result] = []
        self._error: BaseException | None = None
        self.stopped = threading.Event()

    def run(self) -> None:
        """See Thread."""
        try:
            self._result.append(self._work(self._heard))
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            self._error = error

    def outcome(self) -> Result:
        """The result; raises what the work raised."""
        if self._error is not None:
            raise self._error
        return self._result[0]

    def _heard(self, fraction: float, message: str) -> None:
        if self.stopped.is_set():
            raise Stopped  # the client then takes the image back from the engine
        self._tell(fraction, message)


def desktop() -> Any:
    """The module wx if this is the thread of CellProfiler's windows, otherwise None."""
    wx = sys.modules.get("wx")  # not imported: without the desktop it may be missing
    return wx if wx is not None and wx.GetApp() is not None and wx.IsMainThread() else None
