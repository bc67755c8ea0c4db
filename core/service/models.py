"""The warm models of a process: each loaded once, found anew when it was trained again, the least used dropped."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from cellspan.core.errors import CellspanError
from cellspan.core.inference.predictor import resolve_device
from cellspan.core.models.registry import Model, find_model, list_models
from cellspan.core.segmenter import Segmenter

WARM = 4  # models
PATIENCE = 10.0  # seconds that a file system may take to find a model

T = TypeVar("T")
Key = tuple[str, str, str]  # folder, hash of the weights, device


class WarmModels:
    """Segmenters that are ready; thread-safe."""

    def __init__(self, warm: int = WARM) -> None:
        """At most `warm` are kept."""
        self._warm = warm
        self._lock = threading.Lock()
        self._segmenters: OrderedDict[Key, Segmenter] = OrderedDict()
        self._loading: dict[Key, threading.Lock] = {}

    def get(self, name: str, device: str = "auto") -> Segmenter:
        """The model as it lies on disk now; raises CellspanError."""
        model, device = find_in_time(name), resolve_device(device)
        key = (str(model.folder), model.sha256, device)
        with self._lock:
            loading = self._loading.setdefault(key, threading.Lock())
        with loading:  # two jobs do not load it twice, and other models do not wait
            with self._lock:
                segmenter = self._segmenters.get(key)
            if segmenter is None:
                segmenter = Segmenter(model, device)
        with self._lock:
            self._segmenters[key] = segmenter
            self._segmenters.move_to_end(key)
            while len(self._segmenters) > self._warm:
                dropped, _ = self._segmenters.popitem(last=False)
                self._loading.pop(dropped, None)
        return segmenter

    def names(self) -> list[str]:
        """Those that are warm, the one that was used last at the end."""
        with self._lock:
            return [segmenter.model.name for segmenter in self._segmenters.values()]


class _Attempt(threading.Thread):
    """Work on files in a thread of its own, because a file system that is gone answers never."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(name="file system", daemon=True)
        self._work = work
        self.result: Any = None
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self.result = self._work()
        except Exception as error:  # noqa: BLE001 - raised again in the thread that asked
            self.error = error


_stuck: dict[str, _Attempt] = {}  # what did not end in time
_stuck_lock = threading.Lock()


def in_time(place: str, work: Callable[[], T], patience: float = PATIENCE) -> T:
    """Work on files of a place; if the place does not answer, it holds up nobody for long. Raises CellspanError."""
    with _stuck_lock:
        earlier = _stuck.get(place)
    attempt = earlier or _Attempt(work)
    if earlier is None:
        attempt.start()
    attempt.join(0 if earlier else patience)
    with _stuck_lock:
        if attempt.is_alive():
            _stuck[place] = attempt  # the next who asks is told at once, and starts no further thread
            raise CellspanError(f"{place} does not answer; is its disk or network connected?")
        _stuck.pop(place, None)
    if attempt.error is not None:
        raise attempt.error
    result: T = attempt.result
    return result


def find_in_time(name: str, patience: float = PATIENCE) -> Model:
    """As `find_model`, with a limit of time; raises CellspanError."""
    return in_time(f"The place of the model {name}", lambda: find_model(name), patience)


def list_in_time() -> list[Model]:
    """As `list_models`, with a limit of time; raises CellspanError."""
    return in_time("A folder of models", list_models)
