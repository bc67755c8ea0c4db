"""What was found in one image or volume: labels, the network's outputs, and the same objects with other thresholds."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.dynamics.flows import flow_errors
from cellspan.core.dynamics.volume_quality import volume_flow_errors
from cellspan.core.errors import CellspanError
from cellspan.core.objects.labels import Labels, areas, object_means
from cellspan.core.parameters import DYNAMICS, Parameters
from cellspan.core.pictures.images import Floats
from cellspan.core.planes.preview import html_of, overlay_of, preview_of
from cellspan.core.planes.seen import Seen


@dataclass(frozen=True)
class Result:
    """What was found in one image of height Y and width X, or in a volume of Z slices."""

    labels: Labels  # (Y, X) or (Z, Y, X): 0 = background, 1..n
    flows: Floats  # (2, Y, X): y, x in pixels per step; (3, Z, Y, X): z, y, x; (2, Z, Y, X) of slices that were joined
    probability: Floats  # (Y, X) or (Z, Y, X), logits
    diameter: float  # pixels; given or estimated
    style: Floats  # (S,), unit length; of a volume, the mean over its slices
    model: str  # its name
    model_sha256: str  # of its weights
    device: str  # that the network ran on
    seconds: float  # that it took
    notes: list[str] = field(default_factory=list)  # sentences for the user
    anisotropy: float = 1.0  # of a volume: z step divided by the pixel size, as it was taken
    parameters: Parameters = field(default_factory=Parameters)  # that it was made with
    seen: Seen | None = None  # None for volumes, whose outputs are not kept
    errors: NDArray[np.float64] | None = None  # the flow error of each object, if the dynamics computed it
    restored: Floats | None = None  # (C, y, x) or (C, Z, Y, X): the channels as `parameters.restore` made them
    restore_sha256: str = ""  # of the weights of that model
    preview: Floats | None = None  # some pixels of what was segmented, for a small picture; None for volumes

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
        arrays: list[NDArray[Any]] = [
            self.labels,
            self.flows,
            self.probability,
            *([self.seen.outputs] if self.seen else []),
        ]
        arrays += [self.restored] if self.restored is not None else []
        arrays += [self.preview] if self.preview is not None else []
        return [*arrays, *([self.seen.mask] if self.seen and self.seen.mask is not None else [])]

    def _repr_html_(self) -> str:
        """In a notebook: the outlines over a small picture, with count, diameter, model and notes below."""
        picture = None if self.preview is None else overlay_of(preview_of(self.preview), self.labels)
        objects = f"{self.count} object{'' if self.count == 1 else 's'}"
        about = f"{objects}, diameter {self.diameter:.1f} pixels (model {self.model}, {self.seconds:.1f} s)"
        return html_of(picture, [about, *self.notes])

    def again(self, parameters: Parameters) -> Result:
        """The same image with other thresholds, sizes, edges, holes, steps or `resample`: the network is not asked.

        The labels are those of a fresh run, bit for bit. `parameters.model` is not read, as in `Segmenter.segment`.
        Raises CellspanError if other parameters differ, because then the network would see another image, and for
        volumes.
        """
        if self.seen is None:
            raise CellspanError("The outputs of a volume are not kept; segment it once more.")
        parameters = parameters.model_copy(update={"model": self.parameters.model})
        check_same_network(self.parameters, parameters)
        started = time.perf_counter()
        found, outputs = self.seen.objects(parameters)
        return replace(
            self,
            labels=found.labels,
            errors=found.errors,
            flows=outputs[:2],
            probability=outputs[2],
            diameter=self.seen.diameter_of(found.labels),
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
    errors = result.errors
    if errors is None and result.labels.ndim == 2:
        errors = flow_errors(result.labels, result.flows)
    if errors is None:
        errors = volume_flow_errors(result.labels, result.flows, result.anisotropy)
    return np.stack([means, errors]).astype(np.float32)


def _owner(array: NDArray[Any]) -> NDArray[Any]:
    """The array whose memory this is a view of."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
