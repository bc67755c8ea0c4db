"""Checkpoints of Cellpose 1 to 3 as models: their content, training diameters, and size models.

A checkpoint is a torch state_dict with widths such as (2, 32, 64, 128, 256); there may also be `size_<name>.npy`, the
regression from style to diameter. They are used in place, because reading them takes no longer than reading a converted
copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from cellspan.core.errors import CellspanError, first_line
from cellspan.core.files.regular import is_regular, readable
from cellspan.core.machine.memory import require_memory
from cellspan.core.models.architecture import (
    CHANNELS,
    DIAMETERS,
    different_tensors,
    is_counter,
    network_shapes,
    widths_from_shapes,
)
from cellspan.core.models.description import (
    MOST_WIDTHS,
    SMALLEST_MEAN,
    WIDEST,
    Model,
    ModelDescription,
    SizeModel,
    reason,
    require_weights,
    sha256_of,
)
from cellspan.core.models.numpy_file import read_numbers
from cellspan.core.models.official import OFFICIAL_FILES
from cellspan.core.models.torch_file import TorchFile, open_torch_file

NUCLEI_DIAMETER, CELL_DIAMETER = 17.0, 30.0  # pixels; training diameters of checkpoints that do not contain them
SMALLEST, LARGEST = 5.0, 2000.0  # pixels; Cellpose estimates no smaller diameters and has no upper limit
SAM_PARTS = ("encoder.patch_embed", "encoder.blocks", "encoder.pos_embed", "encoder.neck", "W2")
State = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """The description of a checkpoint, without its weights."""

    path: Path
    widths: tuple[int, ...]
    objects: str
    mean_diameter: float  # pixels
    size_file: Path | None

    def size_model(self) -> SizeModel | None:
        """The size model beside the checkpoint; raises CellspanError if it is damaged."""
        return read_size_model(self.size_file, self.widths[-1], self.mean_diameter) if self.size_file else None


@dataclass(frozen=True)
class CheckpointModel(Model):
    """A checkpoint that is used in place."""

    file: Path

    @property
    def weights_file(self) -> Path:
        """The checkpoint."""
        return self.file

    def weights(self) -> State:
        """The network's state, name -> array; raises CellspanError if the file is damaged or has changed."""
        state = read_checkpoint(self.file)
        if sha256_of(self.file) != self.sha256:
            raise CellspanError(f"{self.file}: the checkpoint changed while it was being read; try again.")
        return state


def load_checkpoint(path: Path, name: str) -> CheckpointModel:
    """A checkpoint as a model; raises CellspanError with the reason if it is not from Cellpose 1 to 3."""
    size_file = _size_file(path)
    return _loaded(path, name, _state_on_disk(path), _state_on_disk(size_file) if size_file else None)


def _state_on_disk(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        raise CellspanError(f"{path}: there is no such file.") from None
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=64)
def _loaded(path: Path, name: str, state: tuple[int, int], size_state: tuple[int, int] | None) -> CheckpointModel:
    """Cached until one of the two files changes, because the engine looks up its model for every image."""
    checkpoint = examine(path)
    sha256 = sha256_of(path)
    description = ModelDescription(
        name=name,
        objects=checkpoint.objects,
        widths=checkpoint.widths,
        mean_diameter=checkpoint.mean_diameter,
        size_model=checkpoint.size_model(),
        weights_sha256=sha256,
        source_sha256=sha256,
        training={"read_from": readable(path.name)},
    )
    return CheckpointModel(path.parent, description, path)


def examine(path: Path) -> Checkpoint:
    """Whether a file is a checkpoint of Cellpose 1 to 3, by the names and shapes in it; raises CellspanError if not."""
    with open_torch_file(path) as file:
        widths = _checked_widths(file)
        return Checkpoint(
            path,
            widths,
            objects="nuclei" if "nuclei" in path.name else "cells",
            mean_diameter=_mean_diameter(file),
            size_file=_size_file(path),
        )


def read_checkpoint(path: Path) -> State:
    """All tensors of a checkpoint by name, completed for early versions; raises CellspanError.

    Also if they contain numbers that are not finite.
    """
    with open_torch_file(path) as file:
        widths, diameter = _checked_widths(file), _mean_diameter(file)
        needed = 2 * sum(tensor.size for tensor in file.tensors.values())  # as stored, and as arrays
        require_memory(needed, f"{path}: the checkpoint", "use another model")
        state = {name: file.array(name) for name in file.tensors}
    for name in DIAMETERS:
        state.setdefault(name, np.array([diameter], np.float32))
    for name in network_shapes(widths):
        if is_counter(name):
            state.setdefault(name, np.zeros((), np.int64))
    require_weights(path, state, widths)
    return state


def _checked_widths(file: TorchFile) -> tuple[int, ...]:
    """The widths of the network, after comparing every name and shape."""
    shapes = {name: tensor.shape for name, tensor in file.tensors.items()}
    if any(name.startswith(SAM_PARTS) for name in shapes):
        raise CellspanError(
            f"{file.path}: this is a Cellpose 4 (SAM) checkpoint; cellspan reads those of Cellpose 1 to 3."
        )
    try:
        widths = widths_from_shapes(shapes)
        if len(widths) > MOST_WIDTHS or any(not 0 < width <= WIDEST for width in widths):
            raise IndexError
    except (KeyError, IndexError):
        raise CellspanError(
            f"{file.path}: these are not the weights of the convolutional network of Cellpose 1 to 3."
        ) from None
    if widths[0] != CHANNELS:
        raise CellspanError(
            f"{file.path}: this network has {widths[0]} input channel{'s' * (widths[0] != 1)} instead of two."
        )
    wrong = different_tensors(shapes, network_shapes(widths))
    wrong += [name for name, tensor in file.tensors.items() if tensor.storage.dtype.kind not in "fi"]
    if wrong:
        raise CellspanError(
            f"{file.path}: these are not the weights of a network of Cellpose 1 to 3 that finds cells: "
            f"'{wrong[0]}' does not match."
        )
    return widths


def _mean_diameter(file: TorchFile) -> float:
    """The diameter to which objects are rescaled, in pixels; for official models, Cellpose ignores the file's value."""
    if file.path.name in OFFICIAL_FILES or DIAMETERS[0] not in file.tensors:
        return NUCLEI_DIAMETER if "nuclei" in file.path.name else CELL_DIAMETER
    diameter = float(file.array(DIAMETERS[0])[0])
    if not SMALLEST_MEAN <= diameter < LARGEST:
        raise CellspanError(f"{file.path}: its mean diameter of {diameter:g} pixels is impossible.")
    return diameter


def _size_file(checkpoint: Path) -> Path | None:
    """The size model of a checkpoint; official ones are called size_cyto3.npy or size_cytotorch_0.npy."""
    candidates = (checkpoint.with_name(f"size_{checkpoint.name}.npy"), Path(f"{checkpoint}_size.npy"))
    return next((path for path in candidates if is_regular(path)), None)


def read_size_model(path: Path, style_length: int, mean_diameter: float) -> SizeModel:
    """Cellpose's size model, log(diameter / mean) = A (style - smean) + ymean; raises CellspanError.

    The mean is the file's own; `mean_diameter` in pixels is taken if it has none.
    """
    try:
        content = read_numbers(path)
        slope = np.asarray(content["A"], np.float64).ravel()
        centre = np.asarray(content["smean"], np.float64).ravel()
        offset = float(np.asarray(content["ymean"]).ravel()[0])
        mean = float(np.asarray(content.get("diam_mean", mean_diameter)).ravel()[0])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise CellspanError(f"{path}: this is not a Cellpose size model ({first_line(error)[:200]}).") from None
    if slope.shape != (style_length,) or centre.shape != (style_length,):
        raise CellspanError(f"{path}: this size model does not fit a style of length {style_length}.")
    if not (np.isfinite([mean, offset, *slope, *centre]).all() and mean > 0):
        raise CellspanError(f"{path}: this size model contains impossible numbers.")
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # numbers like 1e300 are refused below
            intercept = float(np.log(mean) + offset - slope @ centre)
        return SizeModel(
            coefficients=[float(value) for value in slope], intercept=intercept, smallest=SMALLEST, largest=LARGEST
        )
    except ValidationError as error:
        raise CellspanError(f"{path}: this size model contains impossible numbers ({reason(error)}).") from None
