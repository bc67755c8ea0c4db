"""Looking at a plane: the network at the magnification that fits a diameter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cellspan.core.errors import CellspanError
from cellspan.core.inference.expectation import in_words, seconds_for
from cellspan.core.inference.predictor import Predictor
from cellspan.core.inference.tiles import predict_augmented, predict_tiled
from cellspan.core.machine.memory import available_memory
from cellspan.core.models.architecture import FLOW_SCALE
from cellspan.core.models.registry import Model
from cellspan.core.models.sizing import magnification
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.resizing import resize
from cellspan.core.planes.pixels import Pixels
from cellspan.core.planes.seen import Seen
from cellspan.core.planes.stages import stages_of

OUTPUT_BYTES = 16  # for each pixel: three outputs in float32, and a little more; each channel takes four more

OnProgress = Callable[[float, str], None]


@dataclass(frozen=True)
class Looker:
    """A model on a predictor."""

    model: Model
    predictor: Predictor

    def look(self, pixels: Pixels, diameter: float | None, report: OnProgress) -> Seen:
        """The network at the magnification that fits the diameter; None = the image as it is."""
        sized = diameter is not None
        diameter = diameter or self.model.description.mean_diameter
        parameters, shape = pixels.parameters, pixels.shape
        factor = magnification(self.model.description.mean_diameter, diameter)
        scaled_shape = max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))
        needed = (OUTPUT_BYTES + 4 * len(pixels.planes)) * scaled_shape[0] * scaled_shape[1]
        if needed > available_memory():
            raise CellspanError(
                f"at diameter = {diameter:g} pixels the network would see {scaled_shape[0]} x {scaled_shape[1]} "
                f"pixels, which takes {needed / 1e9:.0f} GB of memory; give a larger diameter or parts of the image."
            )
        words = "running the network" + self._expectation(scaled_shape, parameters)
        stages = stages_of(self.predictor)
        outputs, style = _way(self.predictor, parameters.augment)(
            self.predictor,
            resize(pixels.planes, scaled_shape),
            parameters.tile,
            parameters.tile_overlap,
            lambda part: report(0.9 * part, words),
        )
        outputs[:2] /= FLOW_SCALE
        found = stages.fetch(outputs)
        if not np.isfinite(style if len(style) else found).all():
            raise CellspanError(
                f"The model {self.model.name} gives numbers that are not finite; its weights are damaged."
            )
        return Seen(found, shape, diameter, factor, style, stages, pixels.mask, sized)

    def _expectation(self, shape: tuple[int, int], parameters: Parameters) -> str:
        """How long it will take, where that is worth a word."""
        about, overlap, augment = self.model.description, parameters.tile_overlap, parameters.augment
        seconds = seconds_for(about, self.predictor.device, shape, overlap, augment)
        return f" ({in_words(seconds)} on this processor)" if seconds >= 1 else ""


def _way(predictor: Predictor, augment: bool) -> Callable[..., Any]:
    """How a predictor sees an image: plainly, or also mirrored."""
    if not predictor.tensors:
        return predict_augmented if augment else predict_tiled
    # Only here, because the base install has no torch.
    from cellspan.core.inference.torch_tiles import predict_augmented_torch, predict_tiled_torch

    return predict_augmented_torch if augment else predict_tiled_torch
