"""What is told of a wait: nothing at first, then every change, and from time to time what has not changed."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from cellspan_plugin import waiting
from cellspan_plugin.waiting import Stopped, Teller, attend, sentence_of

pytestmark = pytest.mark.quick

QUEUED = "waiting for the engine: {} jobs before yours"
WORKSPACE = SimpleNamespace(frame=None, cancel_handler=None)


def said(heard: list[tuple[float, float, str]]) -> list[str]:
    """What is said of (seconds, progress, message)."""
    now = [0.0]
    lines: list[str] = []
    teller = Teller(lines.append, lambda: now[0])
    for seconds, fraction, message in heard:
        now[0] = seconds
        teller(fraction, message)
    return lines


def test_a_short_wait_is_not_told() -> None:
    assert said([(0.5, 0.0, QUEUED.format(3)), (1.5, 0.3, "running the network"), (1.9, 1.0, "12 objects")]) == []


def test_every_change_of_a_longer_wait_is_told() -> None:
    heard = [(k / 2, 0.0, QUEUED.format(3 if k < 10 else 2)) for k in range(20)]
    assert said(heard) == [
        "Waiting for the engine: 3 jobs before yours (2 s)",
        "Waiting for the engine: 2 jobs before yours (5 s)",
    ]


def test_what_does_not_change_is_told_again() -> None:
    lines = said([(float(k), 0.0, QUEUED.format(1)) for k in range(30)])
    assert lines == [f"Waiting for the engine: 1 jobs before yours ({k} s)" for k in (2, 12, 22)]


def test_the_computation_of_the_first_image_is_told_when_it_begins() -> None:
    heard = [(float(k), 0.9, "running the network" if k < 6 else "preparing the computation") for k in range(10)]
    assert said(heard) == ["Running the network, 90 % (2 s)", "Preparing the computation, 90 % (6 s)"]


def test_the_steps_of_a_long_image_are_told_seldom() -> None:
    lines = said([(float(k), k / 40, f"running the network on slice {k} of 40") for k in range(30)])
    assert len(lines) == 3
    assert lines[0] == "Running the network on slice 2 of 40, 5 % (2 s)"


def test_the_start_of_the_engine_is_told_at_once() -> None:
    lines = said([(k / 20, 0.0, f"starting the cellspan engine ({k // 20} s)") for k in range(80)])
    assert lines[0] == "Starting the cellspan engine (0 s)"
    assert lines[1:] == ["Starting the cellspan engine (2 s)", "Starting the cellspan engine (3 s)"]


def test_progress_and_seconds_stand_at_the_end() -> None:
    assert sentence_of(0.42, "running the network", 7.4) == "Running the network, 42 % (7 s)"
    assert sentence_of(0.0, "starting the cellspan engine (3 s)", 3.2) == "Starting the cellspan engine (3 s)"


class Window:
    """Takes the place of wx.ProgressDialog."""

    goes_on = True
    opened: list[Window] = []  # noqa: RUF012

    def __init__(self, *arguments: Any, **more: Any) -> None:
        self.told: list[str] = []
        self.open = True
        self.opened.append(self)

    def Pulse(self, text: str) -> tuple[bool, bool]:
        self.told.append(text)
        return self.goes_on, False

    def Destroy(self) -> None:
        self.open = False


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> list[Window]:
    """A desktop in whose main thread the test is."""
    desktop = {"GetApp": lambda: True, "IsMainThread": lambda: True, "ProgressDialog": Window}
    monkeypatch.setitem(__import__("sys").modules, "wx", SimpleNamespace(PD_APP_MODAL=1, PD_CAN_ABORT=2, **desktop))
    monkeypatch.setattr(waiting, "QUIET_SECONDS", 0.01)
    monkeypatch.setattr(waiting, "PULSE_SECONDS", 0.01)
    monkeypatch.setattr(Window, "opened", [])
    return Window.opened


def test_quick_work_opens_no_window(windows: list[Window]) -> None:
    waiting.QUIET_SECONDS = 30.0
    assert attend(lambda tell: 7, print, "title", WORKSPACE) == 7
    assert windows == []


def test_a_window_tells_while_the_work_has_its_own_thread(windows: list[Window]) -> None:
    done = threading.Event()

    def work(tell: Any) -> str:
        tell(0.0, QUEUED.format(3))
        assert done.wait(20)
        return threading.current_thread().name

    threading.Timer(0.2, done.set).start()
    assert attend(work, print, "title", WORKSPACE) != threading.main_thread().name
    (window,) = windows
    assert window.told[-1].startswith("Waiting for the engine: 3 jobs before yours (")
    assert not window.open


def test_cancel_ends_the_wait_and_then_the_work(windows: list[Window], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Window, "goes_on", False)
    ended = threading.Event()
    stopped = threading.Event()

    def work(tell: Any) -> None:
        try:
            assert stopped.wait(20)
            tell(0.0, QUEUED.format(3))
        except Stopped:
            ended.set()
            raise

    with pytest.raises(Stopped):
        attend(work, print, "title", WORKSPACE)
    assert not windows[0].open
    stopped.set()
    assert ended.wait(20), "the client is told, and takes the image back from the engine"


def test_what_the_work_raises_is_raised(windows: list[Window]) -> None:
    def work(tell: Any) -> None:
        raise ValueError("no such model")

    with pytest.raises(ValueError, match="no such model"):
        attend(work, print, "title", WORKSPACE)
