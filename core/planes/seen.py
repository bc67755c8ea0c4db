"""What the network said of a plane, and the objects that it leads to with any thresholds."""

from __future__ import annotations

from dataclasses import dataclass

from cellspan.core.dynamics.judging import drop_unwanted
from cellspan.core.dynamics.labelling import Objects
from cellspan.core.objects.labels import Labels, resize_labels
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Floats
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

    def objects(self, parameters: Parameters) -> tuple[Objects, Floats]:
        """The objects that the parameters want, and the outputs (3, Y, X) at the size of the image."""
        stages, outputs = self.stages, self.stages.place(self.outputs)
        full = stages.resize(outputs, self.shape)
        if parameters.resample:
            return stages.objects(full, parameters, self.diameter), stages.fetch(full)
        whole = parameters.model_copy(update={"min_size": 0, "exclude_on_edges": False})
        coarse = stages.objects(outputs, whole, self.diameter * self.factor).labels
        labels = drop_unwanted(resize_labels(coarse, self.shape), parameters)
        return Objects(labels, None), stages.fetch(full)  # their shapes are not those that were judged

    def everything(self, parameters: Parameters) -> tuple[Labels, Floats]:
        """As `objects`, with small ones and those at the border, whatever the parameters want of them."""
        found, outputs = self.objects(parameters.model_copy(update={"min_size": 0, "exclude_on_edges": False}))
        return found.labels, outputs
