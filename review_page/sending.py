"""What the engine gets of an image, and the files that become of its answer: those of `cellspan segment`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.axes import MAX_CHANNELS
from cellspan.core.pictures.images import Image
from cellspan.core.pictures.planes import named
from cellspan.core.pictures.reading import read_image, read_volume
from cellspan.core.pictures.volume import Volume
from cellspan.core.planes.result import Result
from cellspan.core.results.plane_files import save_plane_outputs
from cellspan.core.service.client import Engine, EngineResult, OnProgress
from cellspan.review_page.stacks import Looks

JOIN_OVERLAP = 0.25  # at which objects in neighbouring slices are one, if nothing is said of stacks
STACKED = "A stack: its slices were segmented one by one and objects that overlap joined (stitch_threshold 0.25)."
ALSO = ("probability", "objects")


class Sent(Protocol):
    """An image that was read for the engine."""

    @property
    def parameters(self) -> Parameters:
        """With what the image itself decides."""
        ...

    @property
    def notes(self) -> list[str]:
        """For people."""
        ...

    def ask(self, engine: Engine, tell: OnProgress | None) -> EngineResult:
        """Segment it; raises EngineError."""
        ...

    def save(self, paths: Mapping[str, Path], source: Path, result: EngineResult) -> None:
        """Write the results of a run, all or none; raises CellspanError."""
        ...


def read_for_engine(path: Path, series: int | None, looks: Looks, parameters: Parameters) -> Sent:
    """Read an image, as a plane or as a volume; raises CellspanError that names the file."""
    if looks.frames > 1:
        raise CellspanError(
            f"{path}: this file holds {looks.frames} time points of a z-stack; save each one in its own file.", "frames"
        )
    if not looks.is_stack:
        plain = parameters.model_copy(update={"do_3d": False, "stitch_threshold": 0.0})
        return _Plane(read_image(path, series), plain, [])
    notes = []
    if not parameters.is_volume:
        parameters, notes = parameters.model_copy(update={"stitch_threshold": JOIN_OVERLAP}), [STACKED]
    volume = read_volume(path, series)
    try:
        with volume:
            channels = np.asarray(volume.channels)
    except CellspanError as error:
        raise named(error, path) from None
    if parameters.anisotropy is None and volume.anisotropy:
        parameters = parameters.model_copy(update={"anisotropy": volume.anisotropy})
    known = Volume(channels, volume.spacing, volume.unit, volume.is_rgb, volume.main)
    return _Stack(known, _with_channel(parameters, volume.main), notes)


@dataclass(frozen=True)
class _Plane:
    image: Image
    parameters: Parameters
    notes: list[str]

    def ask(self, engine: Engine, tell: OnProgress | None) -> EngineResult:
        pixels, parameters = _plane_pixels(self.image, self.parameters)
        return engine.segment(pixels, parameters.changed(), tell, ALSO, keep=True)

    def save(self, paths: Mapping[str, Path], source: Path, result: EngineResult) -> None:
        save_plane_outputs(dict(paths), _as_result(result, self.parameters), self.image, self.parameters, source)


@dataclass(frozen=True)
class _Stack:
    volume: Volume
    parameters: Parameters
    notes: list[str]

    def ask(self, engine: Engine, tell: OnProgress | None) -> EngineResult:
        channels: Any = self.volume.channels
        if self.volume.is_rgb:
            pixels = np.asarray(self.volume.shown(), np.float32)
        else:
            pixels = channels[0] if len(channels) == 1 else channels.transpose(1, 0, 2, 3)
        return engine.segment(pixels, self.parameters.changed(), tell, ALSO)

    def save(self, paths: Mapping[str, Path], source: Path, result: EngineResult) -> None:
        from cellspan.core.results.volume_files import save_volume_outputs  # scipy, which planes need not wait for
        from cellspan.core.volumes.pipeline import Found

        found = Found(result.labels, None, result.extra["probability"], result.diameter, count=result.count)
        found.anisotropy = self.parameters.anisotropy or self.volume.anisotropy or 1.0
        save_volume_outputs(dict(paths), found, self.volume, self.parameters, source)


def _plane_pixels(image: Image, parameters: Parameters) -> tuple[NDArray[Any], Parameters]:
    """(Y, X), (Y, X, 3) or (C, Y, X); of more channels than an array without names may have, those that are chosen."""
    channels = image.channels
    if image.is_rgb:
        return np.ascontiguousarray(channels[:3].transpose(1, 2, 0)), parameters
    parameters = _with_channel(parameters, image.main)
    if len(channels) == 1:
        return channels[0], parameters
    if len(channels) <= MAX_CHANNELS and channels.shape[-1] not in (3, 4):
        return channels, parameters
    nuclei = parameters.nuclei_channel
    chosen = [*(parameters.channels or (image.main,)), *([] if nuclei is None else [nuclei])]
    if max(chosen) >= len(channels):
        return channels[:MAX_CHANNELS], parameters  # the engine says what is wrong
    main = tuple(range(len(parameters.channels or (0,))))
    update = {"channel": main if len(main) > 1 else 0, "nuclei_channel": None if nuclei is None else len(main)}
    pixels = channels[chosen]
    return (pixels if len(chosen) > 1 else pixels[0]), parameters.model_copy(update=update)


def _with_channel(parameters: Parameters, main: int) -> Parameters:
    """Of several files that are one image, the channel of this one is meant if none is chosen."""
    return parameters if parameters.channel is not None or not main else parameters.model_copy(update={"channel": main})


def _as_result(result: EngineResult, parameters: Parameters) -> Result:
    """What writes files needs no flows."""
    nothing = np.zeros((2, 0, 0), np.float32)
    return Result(
        result.labels,
        nothing,
        result.extra["probability"],
        result.diameter,
        np.zeros(0, np.float32),
        result.model,
        result.model_sha256,
        result.device,
        result.seconds,
        list(result.notes),
        parameters=parameters,
    )
