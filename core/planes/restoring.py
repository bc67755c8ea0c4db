"""Restoring an image before its objects are looked for: networks of Cellpose 3 that take away noise, blur and the like.

Stringer & Pachitariu 2025 (Cellpose3, doi 10.1038/s41592-025-02595-5). The rules are those of its `DenoiseModel`, so
that the same weights give the same image.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cellspan.core.errors import CellspanError
from cellspan.core.inference.predictor import Predictor, fewer_tiles, make_predictor
from cellspan.core.inference.tiles import predict_tiled
from cellspan.core.machine.memory import require_memory
from cellspan.core.models.official import OFFICIAL
from cellspan.core.models.partners import partner_for_nuclei
from cellspan.core.models.registry import Model, find_model
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Floats, Image, Mask
from cellspan.core.pictures.normalise import Scaled, scaled_channels
from cellspan.core.pictures.resizing import resize_plane

UPSAMPLE = "upsample"  # models of this name see an image that was enlarged to their mean diameter
SMALLEST = 3.0  # pixels; the diameter from which they do so
SMALLER = 30.0 / 17.0  # how much smaller than cells their nuclei are, as the second channel is resized for them
MOST_KEPT = 4  # networks
BYTES = 24  # for each pixel that a network sees of an image: what goes in, what comes out, and both resized
OnProgress = Callable[[float, str], None]
_LOCK = threading.Lock()
_KEPT: dict[tuple[Path, str, str], Predictor] = {}  # by weights and device; the one that was used last at the end


@dataclass(frozen=True)
class Restored:
    """A restored image, and how to look at it as the original was to be looked at."""

    image: Image  # channels (C, y, x) in float32, about 0 to 1: those to segment, then the nuclei
    parameters: Parameters  # channels are numbered as here, and only percentiles are left to be scaled
    notes: list[str]
    sha256: str  # of the model's weights

    @property
    def pixels(self) -> Floats:
        """(C, y, x)."""
        pixels: Floats = self.image.channels
        return pixels


@dataclass(frozen=True)
class _Network:
    """A model that restores images, on a predictor."""

    model: Model
    predictor: Predictor

    def restored(self, plane: Floats, factor: float, report: Callable[[float], None]) -> Floats:
        """A normalised plane (Y, X), seen at `factor` times its size; a flat one stays as it is."""
        if not np.ptp(plane) > 0:
            return plane
        shape = tuple(max(1, int(side * factor)) for side in plane.shape)
        require_memory(
            BYTES * shape[0] * shape[1],
            f"at this diameter, {self.model.name} would see {shape[1]} x {shape[0]} pixels, which",
            "give a larger diameter or a part of the image",
        )
        outputs = self._predicted(_linear(plane, (shape[0], shape[1]))[None], report)
        if not np.isfinite(outputs).all():
            raise CellspanError(
                f"The model {self.model.name} gives numbers that are not finite; its weights are damaged."
            )
        return _linear(outputs[0], (plane.shape[0], plane.shape[1]))

    def _predicted(self, planes: Floats, report: Callable[[float], None]) -> Floats:
        if not self.predictor.tensors:
            return predict_tiled(self.predictor, planes, on_progress=report)[0]
        from cellspan.core.inference.torch_tiles import predict_tiled_torch  # only here, as torch need not be there

        predictor: Any = self.predictor
        found: Floats = predict_tiled_torch(predictor, planes, on_progress=report)[0].cpu().numpy()
        return found


class Restorer:
    """A model that restores images on a device, ready for many of them; nuclei have a model of their own."""

    def __init__(self, name: str, device: str = "auto", batch: int | None = None) -> None:
        """Load a model by name or path; `batch` limits the tiles that it is given at once.

        Raises CellspanError if it restores no images.
        """
        self.device, self.batch = device, batch
        self.network = _network(find_restoring(name), device, batch)

    @property
    def model(self) -> Model:
        """The model for what is to be segmented."""
        return self.network.model

    @property
    def predictor(self) -> Predictor:
        """What runs it."""
        return self.network.predictor

    @cached_property
    def for_nuclei(self) -> _Network | None:
        """The network for the channel of nuclei; None if a model of one's own has none, so it serves for both.

        Raises CellspanError if an official one is not there.
        """
        if self._origin not in OFFICIAL:
            return None
        return _network(find_restoring(partner_for_nuclei(self._origin)), self.device, self.batch)

    @property
    def _origin(self) -> str:
        """The name of the file that the model came in, by which it is known to be an official one."""
        notes = self.model.description.training
        return str(notes.get("imported_from") or notes.get("read_from") or self.model.name)

    def factor(self, diameter: float | None) -> float:
        """How many times an image is enlarged for the network, given the diameter of its objects in pixels."""
        return self.model.description.mean_diameter / diameter if diameter else 1.0

    def enlargement(self, diameter: float | None) -> float:
        """How many times larger the restored image is: 1, but for models that make up for coarse pixels."""
        enlarges = UPSAMPLE in self._origin and diameter and diameter >= SMALLEST
        return max(1.0, self.factor(diameter)) if enlarges else 1.0

    def restored(
        self,
        image: Image,
        parameters: Parameters,
        diameter: float | None,
        report: OnProgress,
        apart: int | None = None,
        sees_nuclei: bool = True,
    ) -> Restored:
        """The channels that the parameters choose, normalised and restored, each by itself.

        `diameter` in pixels of the image is that of its objects; None = about the model's mean. `apart` and
        `sees_nuclei` as in `network_input`. Raises CellspanError as that does, and if the model for nuclei is missing.
        """
        notes = []
        if diameter is None:
            mean = self.model.description.mean_diameter
            notes.append(f"The image was restored as if its objects were about {mean:g} pixels wide (set diameter).")
        seen = enlarged(image, self.enlargement(diameter))
        scaled = scaled_channels(seen, parameters, apart, sees_nuclei)
        planes = self.planes(scaled, self.factor(diameter), report)
        return Restored(
            replace(seen, channels=np.stack(planes), is_rgb=False, main=0),
            as_restored(parameters, len(scaled.to_segment), scaled.nuclei is not None),
            scaled.notes + notes,
            self.model.sha256,
        )

    def planes(self, scaled: Scaled, factor: float, report: OnProgress) -> list[Floats]:
        """Normalised channels restored: those to segment, then the nuclei."""
        work = [(self.network, plane, factor) for plane in scaled.to_segment]
        if scaled.nuclei is not None:
            work.append((self.for_nuclei or self.network, scaled.nuclei, factor * SMALLER))
        report(0.0, "restoring the image")
        found = []
        for k, (network, plane, magnified) in enumerate(work):

            def tell(part: float, done: int = k) -> None:
                report((done + part) / len(work), "restoring the image")

            found.append(network.restored(plane, magnified, tell))
        return found


def find_restoring(name: str) -> Model:
    """A model that restores images, by name or path; raises CellspanError if it does not."""
    return require_restoring(find_model(name))


def require_restoring(model: Model) -> Model:
    """The model, if it restores images; else raises CellspanError."""
    if not model.description.rules.restores:
        raise CellspanError(
            f"{model.name} finds {model.description.objects} and restores no images; choose a model such as "
            "denoise_cyto3 (cellspan models fetch denoise_cyto3)."
        )
    return model


def require_finding(model: Model) -> Model:
    """The model, if it finds objects; else raises CellspanError."""
    if model.description.rules.restores:
        raise CellspanError(
            f"{model.name} restores images and finds no objects; choose it as restore (--restore {model.name}), and "
            "another model."
        )
    return model


def as_restored(parameters: Parameters, count: int, has_nuclei: bool) -> Parameters:
    """How to look at restored channels: `count` to segment, then that of the nuclei, if there is one.

    What scaled the original is done. Its percentiles are taken once more, but not where fixed limits replaced them.
    """
    again = None if parameters.limits is not None else parameters.normalize
    channel = 0 if count == 1 else tuple(range(count))
    nuclei = count if has_nuclei else None
    return parameters.unscaled(normalize=again, channel=channel, nuclei_channel=nuclei)


def enlarged(image: Image, ratio: float) -> Image:
    """The image at a larger height and width."""
    if ratio <= 1:
        return image
    height, width = (int(side * ratio) for side in image.shape)
    require_memory(
        8 * len(image.channels) * height * width, f"an image enlarged to {width} x {height} pixels", "give a part of it"
    )
    channels = np.stack([_linear(plane.astype(np.float32), (height, width)) for plane in image.channels])
    spacing = None if image.spacing is None else (image.spacing[0] / ratio, image.spacing[1] / ratio)
    mask = None if image.mask is None else _larger(image.mask, (height, width))
    return replace(image, channels=channels, spacing=spacing, mask=mask)


def _larger(mask: Mask, shape: tuple[int, int]) -> Mask:
    return np.asarray(_linear(mask.astype(np.float32), shape) >= 0.5)


def _linear(plane: Floats, shape: tuple[int, int]) -> Floats:
    """A plane at another height and width, between the nearest four pixels also where it shrinks, as in training."""
    if plane.shape == shape:
        return plane
    result = np.empty(shape, np.float32)
    resize_plane(np.ascontiguousarray(plane), result, averaging=False)
    return result


def _network(model: Model, device: str, batch: int | None) -> _Network:
    """A model on a device, given at most `batch` tiles at once; the last ones are kept for all of this process."""
    key = (model.weights_file, model.sha256, device)
    with _LOCK:
        predictor = _KEPT.pop(key, None)
    predictor = predictor or make_predictor(model, device)
    with _LOCK:
        _KEPT[key] = predictor
        while len(_KEPT) > MOST_KEPT:
            del _KEPT[next(iter(_KEPT))]
    return _Network(model, predictor if batch is None else fewer_tiles(predictor, batch))
