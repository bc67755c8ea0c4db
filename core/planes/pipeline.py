"""One plane from pixels to labels: normalise, find the diameter, resize, network, dynamics."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cellspan.core.dynamics.judging import drop_unwanted
from cellspan.core.dynamics.labelling import Objects, flows_to_objects
from cellspan.core.errors import CellspanError
from cellspan.core.inference.predictor import Predictor
from cellspan.core.inference.tiles import predict_augmented, predict_tiled, sample_style
from cellspan.core.machine.memory import available_memory
from cellspan.core.models.architecture import FLOW_SCALE
from cellspan.core.models.registry import Model
from cellspan.core.models.sizing import diameter_from_style, magnification
from cellspan.core.objects.labels import Labels, diameters, drop_on_edges, median_diameter
from cellspan.core.parameters import DYNAMICS, Parameters
from cellspan.core.pictures.images import Floats, Image, network_input, resize
from cellspan.core.planes.result import Result, Seen, Stages

BYTES_PER_PIXEL = 24  # two channels and three outputs in float32, and a little more
REFINE_FROM = 1.15  # ratio of found to estimated diameter that is worth a second pass
UNSURE = 1.6  # ratio of two looks at the style that do not agree: then every magnification is tried
FITTING = 1.5  # ratio of an object's diameter to the one that was looked for, at most, that confirms it
WINDOW = 480  # side of the windows in which a large image's diameter is measured, in pixels that the network sees
ENOUGH = 10  # objects in all windows that a median is taken of
FEWER = 2  # so many times fewer pixels than the image must the windows have

OnProgress = Callable[[float, str], None]


class ArrayStages:
    """The stages after the network with arrays, on the CPU."""

    def place(self, outputs: Floats) -> Floats:
        """As they are."""
        return outputs

    def fetch(self, outputs: Floats) -> Floats:
        """As they are."""
        return outputs

    def resize(self, outputs: Floats, shape: tuple[int, int]) -> Floats:
        """Outputs (3, y, x) at another height and width."""
        return resize(outputs, shape)

    def objects(self, outputs: Floats, parameters: Parameters, diameter: float) -> Objects:
        """The dynamics: outputs (3, Y, X) to labels (Y, X) and their flow errors."""
        return flows_to_objects(outputs[:2], outputs[2], parameters, diameter)


@dataclass(frozen=True)
class Pixels:
    """What the network sees of one image, before resizing: (2, Y, X)."""

    planes: Floats
    parameters: Parameters

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.planes.shape[1], self.planes.shape[2]

    @property
    def is_flat(self) -> bool:
        """Whether there is nothing to see."""
        return not np.ptp(self.planes[0]) > 0

    def windows(self, side: float) -> list[Pixels]:
        """Four parts of this side in pixels, for measuring; none if the image is too small for that to save time."""
        height, width = self.shape
        if height * width < FEWER * 4 * side**2 or min(height, width) < 2 * side:
            return []
        corners = [
            (round((k + 0.5) * height / 2 - side / 2), round((m + 0.5) * width / 2 - side / 2))
            for k in (0, 1)
            for m in (0, 1)
        ]
        return [self._part(y, x, side) for y, x in corners]

    def middle(self, side: float) -> Pixels:
        """The middle of the image, at most `side` pixels high and wide."""
        y, x = (max(0, round((length - side) / 2)) for length in self.shape)
        return self._part(y, x, max(1, side))

    def _part(self, y: int, x: int, side: float) -> Pixels:
        part = self.planes[:, y : y + round(side), x : x + round(side)]
        return Pixels(np.ascontiguousarray(part), self.parameters)


@dataclass(frozen=True)
class PlanePipeline:
    """A model on a predictor; keeps nothing, so that several threads may use it at once."""

    model: Model
    predictor: Predictor
    notes: tuple[str, ...] = ()  # what people should know of the device that is used

    def segment(self, image: Image, parameters: Parameters, report: OnProgress) -> Result:
        """Find the objects; see `Segmenter.segment`."""
        started = time.perf_counter()
        planes, notes = network_input(image, parameters)
        notes += self.notes
        pixels = Pixels(planes, parameters)
        if parameters.diameter is not None:
            seen = self.look(pixels, parameters.diameter, report)
        elif pixels.is_flat:
            seen = self.look(pixels, self.model.description.mean_diameter, report)
        else:
            seen, more = self._look_at_unknown(pixels, report)
            notes += more
        report(0.9, "following the flows")
        found, outputs = seen.objects(parameters)
        report(1.0, "done")
        return Result(
            labels=found.labels,
            errors=found.errors,
            flows=outputs[:2],
            probability=outputs[2],
            diameter=float(seen.diameter),
            style=seen.style,
            model=self.model.name,
            model_sha256=self.model.sha256,
            device=self.predictor.device,
            seconds=time.perf_counter() - started,
            notes=notes,
            parameters=parameters,
            seen=seen,
        )

    def segment_planes(
        self, planes: Floats, parameters: Parameters, diameter: float, report: OnProgress
    ) -> tuple[Labels, Floats, Floats]:
        """Normalised planes (2, Y, X) at a known diameter: all objects, outputs (3, Y, X), style (S,)."""
        seen = self.look(Pixels(planes, parameters), diameter, report)
        report(0.9, "following the flows")
        labels, outputs = seen.everything(parameters)
        return labels, outputs, seen.style

    def look(self, pixels: Pixels, diameter: float, report: OnProgress) -> Seen:
        """The network at the magnification that fits the diameter."""
        parameters, shape = pixels.parameters, pixels.shape
        factor = magnification(self.model.description.mean_diameter, diameter)
        scaled_shape = max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))
        needed = BYTES_PER_PIXEL * scaled_shape[0] * scaled_shape[1]
        if needed > available_memory():
            raise CellspanError(
                f"at diameter = {diameter:g} pixels the network would see {scaled_shape[0]} x {scaled_shape[1]} "
                f"pixels, which takes {needed / 1e9:.0f} GB of memory; give a larger diameter or parts of the image."
            )
        stages = stages_of(self.predictor)
        outputs, style = _way(self.predictor, parameters.augment)(
            self.predictor,
            resize(pixels.planes, scaled_shape),
            parameters.tile,
            parameters.tile_overlap,
            lambda part: report(0.9 * part, "running the network"),
        )
        if not np.isfinite(style).all():
            raise CellspanError(
                f"The model {self.model.name} gives numbers that are not finite; its weights are damaged."
            )
        outputs[:2] /= FLOW_SCALE
        return Seen(stages.fetch(outputs), shape, diameter, factor, style, stages)

    # ---- the diameter

    def _look_at_unknown(self, pixels: Pixels, report: OnProgress) -> tuple[Seen, list[str]]:
        """The network at the diameter that the objects have, which is found first.

        What is found on the way is judged with the default thresholds, so that the diameter, and with it what the
        network sees, does not depend on parameters with which `Result.again` may be called.
        """
        usual = Parameters(**{**vars(pixels.parameters), **{name: getattr(Parameters(), name) for name in DYNAMICS}})
        pixels = Pixels(pixels.planes, usual)
        report(0.0, "estimating the diameter")
        diameter, notes = self._estimate(pixels)
        measured = self._measured(pixels, diameter, report)
        if measured is not None:
            return self.look(pixels, measured, report), notes
        seen = self.look(pixels, diameter, report)
        found = median_diameter(seen.objects(usual)[0].labels)
        if found and max(found / diameter, diameter / found) > REFINE_FROM:
            seen = self.look(pixels, found, report)
        return seen, notes

    def _estimate(self, pixels: Pixels) -> tuple[float, list[str]]:
        """The diameter as the style tells it, and notes."""
        size_model = self.model.description.size_model
        mean = self.model.description.mean_diameter
        if size_model is None:
            return mean, [f"The model cannot estimate diameters; its mean, {mean:g} pixels, is taken (set diameter)."]
        diameter = diameter_from_style(sample_style(self.predictor, pixels.planes), size_model)
        # A second look at the magnification at which the network knows objects best: 11 % error become 6 %.
        part = pixels.middle(WINDOW * diameter / mean).planes
        shape = tuple(max(1, round(side * mean / diameter)) for side in part.shape[1:])
        scaled = resize(part, (shape[0], shape[1]))
        again = diameter * diameter_from_style(sample_style(self.predictor, scaled), size_model) / mean
        # Noise can look small twice, so the smallest diameter wants to be confirmed by what is found.
        agree = again > size_model.smallest and max(again / diameter, diameter / again) <= UNSURE
        again = max(again, size_model.smallest)
        if not agree:
            octaves = size_model.smallest * 2.0 ** np.arange(np.log2(size_model.largest / size_model.smallest))
            candidates = dict.fromkeys((again, diameter, *octaves))  # each once: both looks can be the first octave
            found = [self._covered(pixels, candidate) for candidate in candidates]
            again = max(found, key=lambda one: one[0])[1]
        return again, []

    def _covered(self, pixels: Pixels, diameter: float) -> tuple[float, float]:
        """The part of the middle of the image that objects of about this diameter cover when it is looked for, and
        their median diameter: closer to the truth than octaves are. The diameter itself if there is no such object.
        """
        part = pixels.middle(WINDOW * diameter / self.model.description.mean_diameter)
        found, _ = self.look(part, diameter, _silent).objects(Parameters())
        sizes = diameters(found.labels)
        fitting = sizes[np.abs(np.log(sizes / diameter)) < np.log(FITTING)]
        covered = float((fitting**2).sum()) / (part.shape[0] * part.shape[1])
        return covered, float(np.median(fitting)) if len(fitting) else diameter

    def _measured(self, pixels: Pixels, diameter: float, report: OnProgress) -> float | None:
        """The median diameter of what is found in parts of a large image; None if it is small or too little is found.

        So a large image is segmented once, at the right diameter, instead of twice.
        """
        sizes: list[float] = []
        for window in pixels.windows(WINDOW * diameter / self.model.description.mean_diameter):
            seen = self.look(window, diameter, lambda part, words: report(0.0, "measuring the diameter"))
            labels, _ = seen.everything(window.parameters)
            sizes.extend(diameters(drop_unwanted(drop_on_edges(labels), Parameters())))
        return float(np.median(sizes)) if len(sizes) >= ENOUGH else None


def _silent(part: float, words: str) -> None:
    """Progress that nobody watches."""


def _way(predictor: Predictor, augment: bool) -> Callable[..., Any]:
    """How a predictor sees an image: plainly, or also mirrored."""
    if not predictor.tensors:
        return predict_augmented if augment else predict_tiled
    # Only here, because the base install has no torch.
    from cellspan.core.inference.torch_tiles import predict_augmented_torch, predict_tiled_torch

    return predict_augmented_torch if augment else predict_tiled_torch


def stages_of(predictor: Predictor) -> Stages:
    """The stages after the network, where a predictor's outputs are."""
    if not predictor.tensors:
        return ArrayStages()
    from cellspan.core.planes.tensor_stages import TensorStages  # as above

    return TensorStages(predictor.device)
