"""What the network said of a plane, and the objects that it leads to with any thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cellspan.core.dynamics.judging import cut_to_mask, drop_unwanted
from cellspan.core.dynamics.labelling import Objects
from cellspan.core.objects.labels import Labels, median_diameter, resize_labels
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Floats, Mask
from cellspan.core.pictures.resizing import resize
from cellspan.core.planes.stages import Stages


@dataclass(frozen=True)
class Seen:
    """What the network said of a plane, at the magnification at which it looked."""

    outputs: Floats  # (3, y, x): flows along y and x in pixels per step, probability as logits
    shape: tuple[int, int]  # of the image
    diameter: float  # of its objects, in its pixels
    factor: float  # how many times the image was enlarged
    style: Floats  # (S,), unit length
    stages: Stages
    mask: Mask | None = None  # (Y, X) of the image: where objects may lie; None = everywhere
    sized: bool = True  # whether `diameter` is given or estimated; if not, the network saw the image at its own size

    def diameter_of(self, labels: Labels) -> float:
        """The diameter in pixels to tell people: the one that was looked for, else that of these objects."""
        return self.diameter if self.sized else median_diameter(labels) or self.diameter

    def objects(self, parameters: Parameters) -> tuple[Objects, Floats]:
        """The objects that the parameters want, and the outputs (3, Y, X) at the size of the image."""
        stages, outputs = self.stages, self.stages.place(self.outputs)
        full = stages.resize(outputs, self.shape)
        if self.mask is None:
            return self._found(outputs, full, parameters), stages.fetch(full)
        # What touches the border is judged when the objects are cut to the mask.
        anywhere = parameters.model_copy(update={"exclude_on_edges": False})
        small = _resized(self.mask, (self.outputs.shape[1], self.outputs.shape[2]))
        inside = stages.restrict(outputs, small), stages.restrict(full, self.mask)
        found = self._found(*inside, anywhere)
        return Objects(*cut_to_mask(found.labels, found.errors, self.mask, parameters)), stages.fetch(full)

    def _found(self, outputs: Any, full: Any, parameters: Parameters) -> Objects:
        """The objects from the outputs as they are and at the size of the image."""
        stages = self.stages
        if parameters.resample:
            return stages.objects(full, parameters, self.diameter)
        whole = parameters.model_copy(update={"min_size": 0, "exclude_on_edges": False})
        coarse = stages.objects(outputs, whole, self.diameter * self.factor).labels
        labels = drop_unwanted(resize_labels(coarse, self.shape), parameters)
        return Objects(labels, None)  # their shapes are not those that were judged

    def everything(self, parameters: Parameters) -> tuple[Labels, Floats]:
        """As `objects`, with small ones and those at the border, whatever the parameters want of them."""
        found, outputs = self.objects(parameters.model_copy(update={"min_size": 0, "exclude_on_edges": False}))
        return found.labels, outputs


def _resized(mask: Mask, shape: tuple[int, int]) -> Mask:
    """The mask at another height and width."""
    return np.asarray(resize(mask[None].astype(np.float32), shape)[0] >= 0.5)
