"""The facade: a model on a device that segments images and volumes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from cellspan.core.dynamics.labelling import warm_up
from cellspan.core.errors import CellspanError, DeviceMemoryError
from cellspan.core.inference.predictor import Predictor, fewer_tiles, make_predictor
from cellspan.core.inference.tiles import unit
from cellspan.core.models.registry import Model, find_model
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Floats, Image, image_from_array
from cellspan.core.pictures.masks import with_mask
from cellspan.core.pictures.reading import read_image, read_volume
from cellspan.core.pictures.volume import Volume, volume_from_array
from cellspan.core.planes.looking import OnProgress
from cellspan.core.planes.pipeline import PlanePipeline
from cellspan.core.planes.restoring import find_restoring, require_finding
from cellspan.core.planes.result import Result

T = TypeVar("T")


class Segmenter:
    """A model on a device, ready for many images, also from several threads at once."""

    def __init__(self, model: str | Model = "cyto", device: str = "auto") -> None:
        """Load a model by name or path; device is auto, cpu, gpu, cuda, cuda:N or mps. Raises CellspanError."""
        self.model = require_finding(model if isinstance(model, Model) else find_model(model))
        self.predictor: Predictor = make_predictor(self.model, device)
        threading.Thread(target=warm_up).start()  # while the network is prepared and runs

    def segment(
        self,
        image: str | Path | ArrayLike | Image | Volume,
        parameters: Parameters | None = None,
        on_progress: OnProgress | None = None,
        series: int | None = None,
        mask: ArrayLike | None = None,
    ) -> Result:
        """Find the objects in a file, an array (see `image_from_array`) or an Image.

        `series` chooses, from 0, one of several images in a file. `mask` (Y, X) or (Z, Y, X), 0 outside, limits where
        to look: what lies outside is background, takes no part in the normalisation, and no object lies there.

        With `do_3d` or `stitch_threshold` in the parameters the file or array is a volume (see `volume_from_array`).
        `parameters.model` is not read here: the model is the Segmenter's. `on_progress` gets a fraction and a few
        words; an exception that it raises (such as Cancelled) ends the work. Raises CellspanError.
        """
        parameters = parameters or Parameters(model=self.model.name)
        report = on_progress or (lambda fraction, message: None)
        if parameters.is_volume:
            with _as_volume(image, series) as opened:
                volume = with_mask(opened, mask)
                return self.making_do(lambda pipeline: _segment_volume(pipeline, volume, parameters, report))
        plane = with_mask(_as_image(image, series), mask)
        return self.making_do(lambda pipeline: pipeline.segment(plane, parameters, report))

    def making_do(self, work: Callable[[PlanePipeline], T]) -> T:
        """Do some work, and again with less at once while the device's memory does not suffice.

        The device gets fewer tiles at once; when one is too many, the CPU does the work, and the notes say so. The
        next work has the whole device again, because other programs' memory comes and goes.
        """
        for pipeline in self._pipelines():
            try:
                return work(pipeline)
            except DeviceMemoryError:
                if pipeline.predictor.device.startswith("cpu"):
                    raise
        raise AssertionError("unreachable")

    def _pipelines(self) -> Iterator[PlanePipeline]:
        """From the fastest to the most modest."""
        batch = self.predictor.batch
        yield PlanePipeline(self.model, self.predictor)
        while batch > 1:
            batch //= 2
            yield PlanePipeline(self.model, fewer_tiles(self.predictor, batch))
        note = f"The memory of {self.predictor.device} did not suffice; the CPU was used."
        yield PlanePipeline(self.model, self._on_cpu, (note,))

    @cached_property
    def _on_cpu(self) -> Predictor:
        return make_predictor(self.model, "cpu")


def _segment_volume(pipeline: PlanePipeline, volume: Volume, parameters: Parameters, report: OnProgress) -> Result:
    # Only here, because scipy, which planes do not need, takes 0.3 s of the start.
    from cellspan.core.volumes.pipeline import segment_volume

    found, seconds = segment_volume(pipeline, volume, parameters, report)
    return Result(
        labels=found.labels,
        flows=found.flows,
        probability=found.probability,
        diameter=float(found.diameter),
        style=_mean_style(found.styles),
        model=pipeline.model.name,
        model_sha256=pipeline.model.sha256,
        device=pipeline.predictor.device,
        seconds=seconds,
        notes=found.notes,
        anisotropy=found.anisotropy,
        parameters=parameters,
        restored=found.restored,
        restore_sha256="" if parameters.restore is None else find_restoring(parameters.restore).sha256,
    )


def _mean_style(styles: list[Floats]) -> Floats:
    return unit(np.mean(styles, axis=0, dtype=np.float64))


def _as_image(image: Any, series: int | None) -> Image:
    if isinstance(image, (str, Path)):
        return read_image(image, series)
    _require_file(series)
    if isinstance(image, Image):
        return image
    if isinstance(image, Volume):
        raise CellspanError("this is a volume: choose do_3d (--do-3d) or a stitch_threshold (--stitch-threshold 0.25).")
    return image_from_array(image)


def _as_volume(volume: Any, series: int | None) -> AbstractContextManager[Volume]:
    """A volume that is closed if it was opened here."""
    if isinstance(volume, (str, Path)):
        return read_volume(volume, series)
    _require_file(series)
    if isinstance(volume, Volume):
        return nullcontext(volume)
    if isinstance(volume, Image):
        raise CellspanError("do_3d and stitch_threshold are for volumes, and this is a single plane.")
    return nullcontext(volume_from_array(volume))


def _require_file(series: int | None) -> None:
    if series is not None:
        raise CellspanError("series chooses among the images in a file, but what was given is no file.")
