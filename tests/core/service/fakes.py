"""An engine without networks: what is brighter than a threshold are its objects, and it waits or fails when told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cellspan.core.dynamics.labelling import Objects
from cellspan.core.errors import CellspanError
from cellspan.core.machine.cancelling import checkpoint
from cellspan.core.models.kinds import KINDS
from cellspan.core.parameters import Parameters
from cellspan.core.planes.result import Result
from cellspan.core.service.jobs import Job
from cellspan.core.service.models import WarmModels

TOKEN = "a-token-for-tests"
LONG = 20.0  # seconds that nothing in these tests takes, unless it never ends


def until(condition: Callable[[], Any], seconds: float = LONG) -> None:
    """Wait for a condition; fails if it does not come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.002)


@dataclass(frozen=True)
class FakeSeen:
    """What the network said: the image itself, as a probability."""

    outputs: NDArray[Any]
    mask: None = None

    def diameter_of(self, labels: NDArray[Any]) -> float:
        """As it was given."""
        return 20.0

    def objects(self, parameters: Parameters) -> tuple[Objects, NDArray[Any]]:
        """The parts that are brighter than the threshold, without small ones."""
        labels, count = ndimage.label(self.outputs[2] > parameters.cellprob_threshold)
        sizes = np.bincount(labels.ravel(), minlength=count + 1)
        keep = sizes >= parameters.min_size
        keep[0] = False
        return Objects((np.cumsum(keep) * keep)[labels].astype(np.int32), None), self.outputs


def result_of(pixels: Any, parameters: Parameters | None = None, keep_outputs: bool = True) -> Result:
    """What the fake finds in an image (Y, X) or a volume (Z, Y, X)."""
    parameters = parameters or Parameters(min_size=0)
    plane = np.asarray(pixels, np.float32)
    seen: Any = FakeSeen(np.stack([np.zeros_like(plane), np.ones_like(plane), plane]))
    found, outputs = seen.objects(parameters)
    return Result(
        labels=found.labels,
        flows=outputs[:2],
        probability=outputs[2],
        diameter=7.5,
        style=np.zeros(0, np.float32),
        model="fake",
        model_sha256="0" * 64,
        device="cpu",
        seconds=0.25,
        parameters=parameters,
        seen=seen if keep_outputs else None,
    )


class FakeSegmenter:
    """Finds at once what it is shown, unless it is told to wait or to fail."""

    def __init__(self) -> None:
        """Everything is allowed."""
        self.model = SimpleNamespace(name="fake")
        self.gate = threading.Event()
        self.gate.set()
        self.fault: BaseException | None = None
        self.begun: list[str] = []  # names of the threads that have begun an image
        self.ended = 0  # images
        self.going_on = 0  # questions whether to go on, of all images
        self._lock = threading.Lock()

    def segment(self, image: Any, parameters: Parameters, on_progress: Callable[[float, str], None]) -> Result:
        """See Segmenter."""
        with self._lock:
            self.begun.append(threading.current_thread().name)
        on_progress(0.1, "running the network")
        while not self.gate.wait(0.002):
            checkpoint()
            on_progress(0.2, "running the network")
            self.going_on += 1
        if self.fault is not None:
            raise self.fault
        on_progress(0.9, "following the flows")
        seen = np.asarray(image.channels)[0]
        seen = seen if image.mask is None else np.where(image.mask, seen, -10)
        found = result_of(seen, parameters, keep_outputs=not parameters.is_volume)
        with self._lock:
            self.ended += 1
        return found


class FakeModels(WarmModels):
    """Two names, one segmenter."""

    def __init__(self, segmenter: FakeSegmenter) -> None:
        """`segmenter` is what both are."""
        super().__init__()
        self.segmenter: Any = segmenter

    def check(self, parameters: Parameters) -> None:
        """See WarmModels."""
        self._require(parameters.model)

    @staticmethod
    def _require(name: str) -> None:
        if name not in ("cyto", "fake"):
            raise CellspanError(f"There is no model {name!r}; choose cyto or fake.")

    def available(self) -> Any:
        """See WarmModels."""
        about = SimpleNamespace(model_dump=lambda mode: {"name": "fake"}, rules=KINDS["flow-cnn"])
        return [SimpleNamespace(description=about, weights_file=Path(__file__))]

    def get(self, name: str, device: str = "auto") -> Any:
        """See WarmModels."""
        self._require(name)
        return self.segmenter

    def names(self) -> list[str]:
        """See WarmModels."""
        return ["fake"]


@dataclass
class FakeWork:
    """Work of a job that is only waited for, or that does one thing."""

    is_long: bool = False
    act: Callable[[Callable[[float, str], None]], Result] = lambda on_progress: result_of(np.zeros((4, 4)))
    closed: threading.Event = field(default_factory=threading.Event)

    def run(self, on_progress: Callable[[float, str], None]) -> Result:
        """See Work."""
        return self.act(on_progress)

    def close(self) -> None:
        """See Work."""
        self.closed.set()


def a_job(client: str = "a", is_long: bool = False, **more: Any) -> Job:
    """A job of a client, with fake work unless told otherwise."""
    return Job(more.pop("work", None) or FakeWork(is_long), Parameters(), "cpu", client, **more)


def spots(*places: tuple[int, int], shape: tuple[int, int] = (32, 32), brightness: float = 10.0) -> NDArray[np.float32]:
    """An image with bright squares of 5 x 5 pixels."""
    image = np.full(shape, -10, np.float32)
    for y, x in places:
        image[y : y + 5, x : x + 5] = brightness
    return image
