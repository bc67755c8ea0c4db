"""What was found in one image: labels, what the network said, and the same objects anew with other thresholds."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cellspan.core.dynamics import drop_unwanted, flow_errors
from cellspan.core.errors import CellspanError
from cellspan.core.images import Floats
from cellspan.core.labels import Labels, areas, object_means, resize_labels
from cellspan.core.parameters import DYNAMICS, Parameters
from cellspan.core.volumes.quality import volume_flow_errors


class Stages(Protocol):
    """From the network's outputs to labels, with arrays on the CPU or with tensors on the device that made them."""

    def place(self, outputs: Floats) -> Any:
        """An array becomes what the others take."""
        ...

    def fetch(self, outputs: Any) -> Floats:
        """And back."""
        ...

    def resize(self, outputs: Any, shape: tuple[int, int]) -> Any:
        """Outputs (3, y, x) at another height and width."""
        ...

    def labels(self, outputs: Any, parameters: Parameters, diameter: float) -> Labels:
        """The dynamics: outputs (3, Y, X) to labels (Y, X)."""
        ...


@dataclass(frozen=True)
class Seen:
    """What the network said of a plane, at the magnification at which it looked."""

    outputs: Floats  # (3, y, x): flows along y and x in pixels per step, probability as logits
    shape: tuple[int, int]  # of the image
    diameter: float  # of its objects, in its pixels
    factor: float  # how many times the image was enlarged
    style: Floats  # (S,), unit length
    stages: Stages

    def everything(self, parameters: Parameters) -> tuple[Labels, Floats]:
        """All objects, and the outputs (3, Y, X) at the size of the image.

        Small ones and those at the border are there too: what the user wants to see of them must not change the
        diameter that is measured on them.
        """
        whole = parameters.model_copy(update={"min_size": 0, "exclude_on_edges": False})
        stages, outputs = self.stages, self.stages.place(self.outputs)
        full = stages.resize(outputs, self.shape)
        if parameters.resample:
            labels = stages.labels(full, whole, self.diameter)
        else:
            coarse = stages.labels(outputs, whole, self.diameter * self.factor)
            labels = resize_labels(coarse, self.shape)
        return labels, stages.fetch(full)

    def objects(self, parameters: Parameters) -> tuple[Labels, Floats]:
        """The objects that the parameters want, and the outputs as `everything` has them."""
        labels, outputs = self.everything(parameters)
        return drop_unwanted(labels, parameters), outputs


@dataclass(frozen=True)
class Result:
    """What was found in one image of height Y and width X, or in a volume of Z slices."""

    labels: Labels  # (Y, X) or (Z, Y, X): 0 = background, 1..n
    flows: Floats  # (2, Y, X): y, x in pixels per step; (3, Z, Y, X): z, y, x; (2, Z, Y, X) of slices that were joined
    probability: Floats  # (Y, X) or (Z, Y, X), logits
    diameter: float  # pixels; given or estimated
    style: Floats  # (S,), unit length; of a volume, the mean over its slices
    model: str
    model_sha256: str
    device: str
    seconds: float
    notes: list[str] = field(default_factory=list)
    anisotropy: float = 1.0  # of a volume: z step divided by the pixel size, as it was taken
    parameters: Parameters = field(default_factory=Parameters)  # that it was made with
    seen: Seen | None = None  # None for volumes, whose outputs are not kept

    @property
    def count(self) -> int:
        """Number of objects."""
        return int(self.labels.max(initial=0))

    @property
    def nbytes(self) -> int:
        """Bytes of memory, or of disk, that the arrays take."""
        arrays = {id(_owner(array)): _owner(array).nbytes for array in self._arrays()}
        return sum(arrays.values())

    def _arrays(self) -> list[NDArray[Any]]:
        return [self.labels, self.flows, self.probability, *([self.seen.outputs] if self.seen else [])]

    def again(self, parameters: Parameters) -> Result:
        """The same image with other thresholds, sizes, edges, holes, steps or `resample`: the network is not asked.

        The labels are those of a fresh run, bit for bit. Raises CellspanError if other parameters differ, because
        then the network would see another image, and for volumes.
        """
        if self.seen is None:
            raise CellspanError("The outputs of a volume are not kept; segment it once more.")
        check_same_network(self.parameters, parameters)
        started = time.perf_counter()
        labels, outputs = self.seen.objects(parameters)
        return replace(
            self,
            labels=labels,
            flows=outputs[:2],
            probability=outputs[2],
            parameters=parameters,
            seconds=time.perf_counter() - started,
        )


def check_same_network(before: Parameters, now: Parameters) -> None:
    """Refuse parameters with which the network would see another image; raises CellspanError that names one."""
    for name in Parameters.model_fields:
        if name not in DYNAMICS and getattr(before, name) != getattr(now, name):
            raise CellspanError(
                f"{name} = {getattr(now, name)} needs the network once more (it was {getattr(before, name)}); "
                f"without it, these can change: {', '.join(DYNAMICS)}."
            )


def object_quality(result: Result) -> Floats:
    """Mean probability (a logit) and flow error of each object: (2, objects), in the order of their labels."""
    sizes = areas(result.labels)
    means = object_means(result.labels, result.probability, sizes)
    errors = flow_errors if result.labels.ndim == 2 else partial(volume_flow_errors, anisotropy=result.anisotropy)
    return np.stack([means, errors(result.labels, result.flows)]).astype(np.float32)


def _owner(array: NDArray[Any]) -> NDArray[Any]:
    """The array whose memory this is a view of."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
