"""The warm models of a process: loaded once, reloaded after training, and dropped if least recently used."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from cellspan.core.errors import CellspanError
from cellspan.core.inference.predictor import resolve_device
from cellspan.core.machine.cancelling import ASK, raise_if_cancelled
from cellspan.core.machine.turns import Turns
from cellspan.core.models.registry import Model, find_model, list_models
from cellspan.core.parameters import Parameters
from cellspan.core.planes.restoring import require_finding, require_restoring
from cellspan.core.segmenter import Segmenter

WARM = 4  # models
PATIENCE = 10.0  # seconds that a file system may take to find a model
MOST_PLACES = 200  # queried at the same time

T = TypeVar("T")
Key = tuple[str, str, str]  # folder, hash of the weights, device


class WarmModels:
    """Segmenters that are ready; thread-safe."""

    def __init__(self, warm: int = WARM) -> None:
        """Keeps at most `warm` models."""
        self._warm = warm
        self._lock = threading.Lock()
        self._segmenters: OrderedDict[Key, Segmenter] = OrderedDict()
        self._loading: dict[Key, Turns] = {}

    def check(self, parameters: Parameters) -> None:
        """Raise CellspanError if there are no such models, or if their disk does not respond."""
        require_finding(find_in_time(parameters.model))
        if parameters.restore is not None:
            require_restoring(find_in_time(parameters.restore))

    def available(self) -> list[Model]:
        """All models that can be used; raises CellspanError."""
        return list_in_time()

    def get(self, name: str, device: str = "auto") -> Segmenter:
        """The model as it is on disk now; raises CellspanError, and Cancelled while another job loads it."""
        model, device = find_in_time(name), resolve_device(device)
        key = (str(model.folder), model.sha256, device)
        with self._lock:
            loading = self._loading.setdefault(key, Turns())
        with loading:  # load it only once, without blocking other models
            with self._lock:
                segmenter = self._segmenters.get(key)
            if segmenter is None:
                segmenter = Segmenter(model, device)
            self._keep(key, segmenter)
        return segmenter

    def _keep(self, key: Key, segmenter: Segmenter) -> None:
        with self._lock:
            self._segmenters[key] = segmenter
            self._segmenters.move_to_end(key)
            # Drop the old weights of a model that was trained again.
            dropped = [other for other in self._segmenters if other != key and (other[0], other[2]) == (key[0], key[2])]
            left = [other for other in self._segmenters if other not in dropped]
            dropped += left[: max(0, len(left) - self._warm)]
            for other in dropped:
                self._segmenters.pop(other, None)
                self._loading.pop(other, None)

    def names(self) -> list[str]:
        """The warm models, the last used at the end."""
        with self._lock:
            return [segmenter.model.name for segmenter in self._segmenters.values()]


def listed(model: Model) -> dict[str, Any]:
    """A model as the list of the service shows it: its model.json, the bytes of its weights, and an advice."""
    about = model.description
    return {
        **about.model_dump(mode="json"),
        "bytes": model.weights_file.stat().st_size,
        "graphics_card_advised": about.rules.wants_graphics_card,
    }


class _Attempt(threading.Thread):
    """Work on files in a separate thread, because a lost file system never responds."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(name="file system", daemon=True)
        self._work = work
        self.result: Any = None
        self.error: Exception | None = None
        self.late = False  # a caller has timed out

    def run(self) -> None:
        try:
            self.result = self._work()
        except Exception as error:  # noqa: BLE001 - raised again in the thread that asked
            self.error = error


_under_way: dict[str, _Attempt] = {}  # one per location
_under_way_lock = threading.Lock()


def in_time(place: str, work: Callable[[], T], patience: float = PATIENCE) -> T:
    """Work on files of a location, with a time limit if it does not respond. Raises CellspanError.

    Requests for the same location wait for each other, so that a location that does not respond blocks only one thread,
    and no request gets an older result. After one request has timed out, the others fail at once.
    """
    end = time.monotonic() + patience
    attempt = _Attempt(work)
    while True:
        with _under_way_lock:
            earlier = _under_way.get(place)
            if earlier is None or not earlier.is_alive():
                if sum(other.is_alive() for other in _under_way.values()) >= MOST_PLACES:
                    raise CellspanError(
                        "Too many disks or network folders with models do not respond; check their connections."
                    )
                _under_way[place] = attempt
                attempt.start()
                break
        if not earlier.late:
            _wait(earlier, end)
        if earlier.is_alive():
            raise _no_answer(place)
    _wait(attempt, end)
    if attempt.is_alive():
        attempt.late = True
        raise _no_answer(place)
    with _under_way_lock:
        if _under_way.get(place) is attempt:
            del _under_way[place]
    if attempt.error is not None:
        raise attempt.error
    result: T = attempt.result
    return result


def _wait(attempt: _Attempt, end: float) -> None:
    """Wait until then at most; raises Cancelled if the job was cancelled."""
    while attempt.is_alive() and time.monotonic() < end:
        raise_if_cancelled()
        attempt.join(max(0.0, min(ASK, end - time.monotonic())))


def _no_answer(place: str) -> CellspanError:
    return CellspanError(f"{place} does not respond; check that its disk or network is connected.")


def find_in_time(name: str, patience: float = PATIENCE) -> Model:
    """Like `find_model`, with a time limit; raises CellspanError."""
    return in_time(f"The location of the model {name}", lambda: find_model(name), patience)


def list_in_time() -> list[Model]:
    """Like `list_models`, with a time limit; raises CellspanError."""
    return in_time("A folder with models", list_models)
