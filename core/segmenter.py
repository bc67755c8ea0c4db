"""One image from pixels to labels: normalise, resize, network, dynamics."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil
from numpy.typing import ArrayLike

from cellspan.core.dynamics import drop_unwanted, flow_errors, flows_to_labels, warm_up
from cellspan.core.errors import CellspanError, DeviceMemoryError
from cellspan.core.images import Floats, Image, image_from_array, network_input, read_image, resize
from cellspan.core.inference.predictor import Predictor, make_predictor
from cellspan.core.inference.tiles import predict_augmented, predict_tiled, sample_style, unit
from cellspan.core.labels import (
    Labels,
    areas,
    diameters,
    drop_on_edges,
    median_diameter,
    object_means,
    resize_labels,
)
from cellspan.core.models.architecture import FLOW_SCALE
from cellspan.core.models.registry import Model, find_model
from cellspan.core.parameters import Parameters
from cellspan.core.sizing import diameter_from_style, magnification
from cellspan.core.volumes.quality import volume_flow_errors
from cellspan.core.volumes.segmenting import segment_volume
from cellspan.core.volumes.volume import Volume, read_volume, volume_from_array

BYTES_PER_PIXEL = 24  # two channels and three outputs in float32, and a little more
REFINE_FROM = 1.15  # ratio of found to estimated diameter that is worth a second pass
UNSURE = 1.6  # ratio of two looks at the style that do not agree: then every magnification is tried
FITTING = 1.5  # ratio of an object's diameter to the one that was looked for, at most, that confirms it
WINDOW = 480  # side of the windows in which a large image's diameter is measured, in pixels that the network sees
ENOUGH = 10  # objects in all windows that a median is taken of
FEWER = 2  # so many times fewer pixels than the image must the windows have

OnProgress = Callable[[float, str], None]
T = TypeVar("T")


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

    @property
    def count(self) -> int:
        """Number of objects."""
        return int(self.labels.max(initial=0))


def object_quality(result: Result) -> Floats:
    """Mean probability (a logit) and flow error of each object: (2, objects), in the order of their labels."""
    sizes = areas(result.labels)
    means = object_means(result.labels, result.probability, sizes)
    errors = flow_errors if result.labels.ndim == 2 else partial(volume_flow_errors, anisotropy=result.anisotropy)
    return np.stack([means, errors(result.labels, result.flows)]).astype(np.float32)


class Segmenter:
    """A model on a device, ready for many images."""

    def __init__(self, model: str | Model = "cyto", device: str = "auto") -> None:
        """Load a model by name or path; device is auto, cpu, gpu, cuda, cuda:N or mps. Raises CellspanError."""
        self.model = model if isinstance(model, Model) else find_model(model)
        self.predictor: Predictor = make_predictor(self.model, device)
        self._gave_up = ""  # why the CPU was used instead of the device
        self._warming = threading.Thread(target=warm_up)

    def segment(
        self,
        image: str | Path | ArrayLike | Image | Volume,
        parameters: Parameters | None = None,
        on_progress: OnProgress | None = None,
    ) -> Result:
        """Find the objects in a file, an array (see `image_from_array`) or an Image.

        With `do_3d` or `stitch_threshold` in the parameters the file or array is a volume (see `volume_from_array`).
        `parameters.model` is not read here: the model is the Segmenter's. `on_progress` gets a fraction and a few
        words; an exception that it raises (such as Cancelled) ends the work. Raises CellspanError.
        """
        return self.making_do(lambda: self._segment(image, parameters, on_progress))

    def making_do(self, work: Callable[[], T]) -> T:
        """Do some work with the predictor, again with less at once while the device's memory does not suffice."""
        while True:
            try:
                return work()
            except DeviceMemoryError as full:
                self._make_do(full)

    @property
    def notes(self) -> list[str]:
        """What people should know of the device that is used."""
        return [self._gave_up] if self._gave_up else []

    def _make_do(self, full: DeviceMemoryError) -> None:
        """Give the device fewer tiles at once; when one is too many, the CPU goes on, and each result says so."""
        if self.predictor.batch > 1:
            self.predictor.batch //= 2
            return
        if self.predictor.device == "cpu":
            raise full
        self._gave_up = f"The memory of {self.predictor.device} did not suffice; the CPU was used."
        self.predictor = make_predictor(self.model, "cpu")

    def _segment(
        self,
        image: str | Path | ArrayLike | Image | Volume,
        parameters: Parameters | None,
        on_progress: OnProgress | None,
    ) -> Result:
        started = time.perf_counter()
        with contextlib.suppress(RuntimeError):  # started already
            self._warming.start()  # while the network is prepared and runs
        parameters = parameters or Parameters(model=self.model.name)
        report = on_progress or (lambda fraction, message: None)
        if parameters.is_volume:
            return self._segment_volume(_as_volume(image), parameters, report)
        planes, notes = network_input(_as_image(image), parameters)
        notes += self.notes
        pixels = _Pixels(planes, parameters)
        diameter = parameters.diameter
        if diameter is None and pixels.is_flat:
            diameter = self.model.description.mean_diameter
        if diameter is None:
            report(0.0, "estimating the diameter")
            diameter, note = self._estimate(pixels)
            notes += note
        measured = self._measured(pixels, diameter, report) if parameters.diameter is None else None
        diameter = measured or diameter
        labels, outputs, style = self._pass(pixels, diameter, report)
        if parameters.diameter is None and measured is None:
            found = median_diameter(drop_unwanted(labels, Parameters()))
            if found and max(found / diameter, diameter / found) > REFINE_FROM:
                diameter = found
                labels, outputs, style = self._pass(pixels, diameter, report)
        report(1.0, "done")
        return Result(
            labels=drop_unwanted(labels, parameters),
            flows=outputs[:2],
            probability=outputs[2],
            diameter=float(diameter),
            style=style,
            model=self.model.name,
            model_sha256=self.model.sha256,
            device=self.predictor.device,
            seconds=time.perf_counter() - started,
            notes=notes,
        )

    def _segment_volume(self, volume: Volume, parameters: Parameters, report: OnProgress) -> Result:
        found, seconds = segment_volume(self, volume, parameters, report)
        return Result(
            labels=found.labels,
            flows=found.flows,
            probability=found.probability,
            diameter=float(found.diameter),
            style=unit(np.mean(found.styles, axis=0, dtype=np.float64)),
            model=self.model.name,
            model_sha256=self.model.sha256,
            device=self.predictor.device,
            seconds=seconds,
            notes=found.notes,
            anisotropy=found.anisotropy,
        )

    def segment_planes(
        self, planes: Floats, parameters: Parameters, diameter: float, report: OnProgress
    ) -> tuple[Labels, Floats, Floats]:
        """Normalised planes (2, Y, X) at a known diameter: all objects, outputs (3, Y, X), style; as `_pass`."""
        return self._pass(_Pixels(planes, parameters), diameter, report)

    def _estimate(self, pixels: _Pixels) -> tuple[float, list[str]]:
        size_model = self.model.description.size_model
        if size_model is None:
            mean = self.model.description.mean_diameter
            return mean, [f"The model cannot estimate diameters; its mean, {mean:g} pixels, is taken (set diameter)."]
        diameter = diameter_from_style(sample_style(self.predictor, pixels.planes), size_model)
        # A second look at the magnification at which the network knows objects best: 11 % error become 6 %.
        mean = self.model.description.mean_diameter
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

    def _covered(self, pixels: _Pixels, diameter: float) -> tuple[float, float]:
        """The part of the middle of the image that objects of about this diameter cover when it is looked for, and
        their median diameter: closer to the truth than octaves are. The diameter itself if there is no such object.
        """
        part = pixels.middle(WINDOW * diameter / self.model.description.mean_diameter)
        labels, _, _ = self._pass(part, diameter, lambda done, words: None)
        sizes = diameters(drop_unwanted(labels, Parameters()))
        fitting = sizes[np.abs(np.log(sizes / diameter)) < np.log(FITTING)]
        covered = float((fitting**2).sum()) / (part.shape[0] * part.shape[1])
        return covered, float(np.median(fitting)) if len(fitting) else diameter

    def _measured(self, pixels: _Pixels, diameter: float, report: OnProgress) -> float | None:
        """The median diameter of what is found in parts of a large image; None if it is small or too little is found.

        So a large image is segmented once, at the right diameter, instead of twice.
        """
        sizes: list[float] = []
        for window in pixels.windows(WINDOW * diameter / self.model.description.mean_diameter):
            labels, _, _ = self._pass(window, diameter, lambda part, words: report(0.0, "measuring the diameter"))
            sizes.extend(diameters(drop_unwanted(drop_on_edges(labels), Parameters())))
        return float(np.median(sizes)) if len(sizes) >= ENOUGH else None

    def _pass(self, pixels: _Pixels, diameter: float, report: OnProgress) -> tuple[Labels, Floats, Floats]:
        """Network and dynamics at one diameter: labels, outputs (3, Y, X) with flows in pixels, style.

        All objects are there, small ones and those at the border too: what the user wants to see of them must not
        change the diameter that is measured on them.
        """
        parameters, shape = pixels.parameters, pixels.shape
        everything = parameters.model_copy(update={"min_size": 0, "exclude_on_edges": False})
        factor = magnification(self.model.description.mean_diameter, diameter)
        scaled_shape = max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))
        needed = BYTES_PER_PIXEL * scaled_shape[0] * scaled_shape[1]
        if needed > psutil.virtual_memory().available:
            raise CellspanError(
                f"at diameter = {diameter:g} pixels the network would see {scaled_shape[0]} x {scaled_shape[1]} "
                f"pixels, which takes {needed / 1e9:.0f} GB of memory; give a larger diameter or parts of the image."
            )
        stages = _stages(self.predictor)
        predict = stages.predict_augmented if parameters.augment else stages.predict_tiled
        outputs, style = predict(
            self.predictor,
            resize(pixels.planes, scaled_shape),
            parameters.tile,
            parameters.tile_overlap,
            lambda part: report(0.9 * part, "running the network"),
        )
        outputs[:2] /= FLOW_SCALE
        report(0.9, "following the flows")
        if parameters.resample:
            outputs = stages.resize(outputs, shape)
            labels = stages.flows_to_labels(outputs[:2], outputs[2], everything, diameter)
            return labels, stages.fetch(outputs), style
        labels = stages.flows_to_labels(outputs[:2], outputs[2], everything, diameter * factor)
        return resize_labels(labels, shape), stages.fetch(stages.resize(outputs, shape)), style


@dataclass(frozen=True)
class _Stages:
    """From planes to labels: with arrays on the CPU, or with tensors that stay on the predictor's device."""

    predict_tiled: Callable[..., tuple[Any, Floats]]
    predict_augmented: Callable[..., tuple[Any, Floats]]
    resize: Callable[[Any, tuple[int, int]], Any]
    flows_to_labels: Callable[[Any, Any, Parameters, float], Labels]
    fetch: Callable[[Any], Floats]  # the outputs as an array


def _stages(predictor: Predictor) -> _Stages:
    if not predictor.tensors:
        return _Stages(predict_tiled, predict_augmented, resize, flows_to_labels, np.asarray)
    # Only here, because the base install has no torch.
    from cellspan.core.dynamics_torch import flows_to_labels_torch
    from cellspan.core.inference.torch_tiles import predict_augmented_torch, predict_tiled_torch, resize_torch

    return _Stages(
        predict_tiled_torch,
        predict_augmented_torch,
        resize_torch,
        flows_to_labels_torch,
        lambda outputs: outputs.cpu().numpy(),
    )


@dataclass(frozen=True)
class _Pixels:
    """What the network sees of one image, before resizing: (2, Y, X)."""

    planes: Floats
    parameters: Parameters

    @property
    def shape(self) -> tuple[int, int]:
        return self.planes.shape[1], self.planes.shape[2]

    def windows(self, side: float) -> list[_Pixels]:
        """Four parts of this side in pixels, for measuring; none if the image is too small for that to save time."""
        height, width = self.shape
        if height * width < FEWER * 4 * side**2 or min(height, width) < 2 * side:
            return []
        corners = [
            (round((k + 0.5) * height / 2 - side / 2), round((m + 0.5) * width / 2 - side / 2))
            for k in (0, 1)
            for m in (0, 1)
        ]
        parts = [self.planes[:, y : y + round(side), x : x + round(side)] for y, x in corners]
        return [_Pixels(np.ascontiguousarray(part), self.parameters) for part in parts]

    def middle(self, side: float) -> _Pixels:
        """The middle of the image, at most `side` pixels high and wide."""
        y, x = (max(0, round((length - side) / 2)) for length in self.shape)
        part = self.planes[:, y : y + max(1, round(side)), x : x + max(1, round(side))]
        return _Pixels(np.ascontiguousarray(part), self.parameters)

    @property
    def is_flat(self) -> bool:
        return not np.ptp(self.planes[0]) > 0


def _as_image(image: Any) -> Image:
    if isinstance(image, Image):
        return image
    if isinstance(image, Volume):
        raise CellspanError("this is a volume: choose do_3d (--do-3d) or a stitch_threshold (--stitch-threshold 0.25).")
    return read_image(image) if isinstance(image, (str, Path)) else image_from_array(image)


def _as_volume(volume: Any) -> Volume:
    if isinstance(volume, Volume):
        return volume
    if isinstance(volume, Image):
        raise CellspanError("do_3d and stitch_threshold are for volumes, and this is a single plane.")
    return read_volume(volume) if isinstance(volume, (str, Path)) else volume_from_array(volume)
