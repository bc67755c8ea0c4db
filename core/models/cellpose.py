"""Checkpoints of Cellpose as models: their kind and content, training diameters, and size models.

A checkpoint is a torch state_dict of one of the kinds in `core.models.kinds`; beside one of Cellpose 1 to 3 there may
be `size_<name>.npy`, the regression from style to diameter. They are used in place, because reading them takes no
longer than reading a converted copy.
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
from cellspan.core.files.hashing import sha256_of
from cellspan.core.files.regular import is_regular, readable
from cellspan.core.machine.memory import require_memory
from cellspan.core.models.architecture import (
    DIAMETERS,
    MOST_CHANNELS,
    Convolutional,
    Shapes,
    different_tensors,
    is_counter,
)
from cellspan.core.models.description import (
    LARGEST_MEAN,
    SMALLEST_MEAN,
    Model,
    ModelDescription,
    SizeModel,
    reason,
    require_weights,
)
from cellspan.core.models.kinds import KINDS, Kind, Layout, recognised
from cellspan.core.models.numpy_file import read_numbers
from cellspan.core.models.official import OFFICIAL_FILES
from cellspan.core.models.torch_file import TorchFile, open_torch_file
from cellspan.core.models.transformer import Transformer

NUCLEI_DIAMETER, CELL_DIAMETER = 17.0, 30.0  # pixels; training diameters of checkpoints that do not contain them
SMALLEST, LARGEST = 5.0, 2000.0  # pixels; Cellpose estimates no smaller diameters and has no upper limit
DINO_PART = "encoder.cls_token"  # of the other network of Cellpose 4
State = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """The description of a checkpoint, without its weights."""

    path: Path
    kind: Kind
    layout: Layout
    objects: str
    mean_diameter: float  # pixels
    usual_diameter: float | None  # pixels; of the objects in the training images, where the file says so
    size_file: Path | None

    def size_model(self) -> SizeModel | None:
        """The size model beside the checkpoint; raises CellspanError if it is damaged."""
        if self.size_file is None:
            return None
        return read_size_model(self.size_file, self.layout.style_length, self.mean_diameter)

    def described(self, **more: Any) -> ModelDescription:
        """The description of a model made from it; `more` are its other entries."""
        layout = self.layout
        return ModelDescription(
            kind=self.kind.name,
            objects=self.objects,
            widths=layout.widths if isinstance(layout, Convolutional) else (),
            transformer=layout if isinstance(layout, Transformer) else None,
            usual_diameter=self.usual_diameter,
            size_model=self.size_model(),
            **{"mean_diameter": self.mean_diameter, **more},
        )


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
    """A checkpoint as a model; raises CellspanError with the reason if it is of no kind that can be used."""
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
    description = checkpoint.described(
        name=name, weights_sha256=sha256, source_sha256=sha256, training={"read_from": readable(path.name)}
    )
    return CheckpointModel(path.parent, description, path)


def examine(path: Path) -> Checkpoint:
    """The kind and sizes of a checkpoint, by the names and shapes in it; raises CellspanError if it is of no kind."""
    with open_torch_file(path) as file:
        kind, layout = _checked_layout(file)
        objects = "nuclei" if "nuclei" in path.name else "cells"
        return Checkpoint(
            path,
            kind,
            layout,
            objects=f"images of {objects}" if kind.restores else objects,
            mean_diameter=_mean_diameter(file, kind),
            usual_diameter=_usual_diameter(file, kind),
            size_file=_size_file(path) if layout.style_length and not kind.restores else None,
        )


def read_checkpoint(path: Path) -> State:
    """All tensors of a checkpoint by name, completed for early versions; raises CellspanError.

    Also if they contain numbers that are not finite.
    """
    with open_torch_file(path) as file:
        kind, layout = _checked_layout(file)
        diameter = _mean_diameter(file, kind)
        stored = sum(tensor.size for tensor in file.tensors.values())  # and again as arrays
        require_memory(max(2 * stored, layout.memory), f"{path}: the checkpoint", "use another model")
        state = {name: file.array(name) for name in file.tensors}
    for name in DIAMETERS:
        state.setdefault(name, np.array([diameter], np.float32))
    for name in layout.shapes:
        if is_counter(name):
            state.setdefault(name, np.zeros((), np.int64))
    require_weights(path, state, layout)
    return state


def _checked_layout(file: TorchFile) -> tuple[Kind, Layout]:
    """The kind and the sizes of the network, after comparing every name and shape."""
    shapes = {name: tensor.shape for name, tensor in file.tensors.items()}
    found = recognised(shapes)
    if found is None:
        raise CellspanError(f"{file.path}: {_other_network(shapes)}")
    kind, layout = found
    if layout.channels > MOST_CHANNELS:
        raise CellspanError(
            f"{file.path}: this network has {layout.channels} input channels, more than {MOST_CHANNELS}."
        )
    wrong = different_tensors(shapes, layout.shapes)
    wrong += [name for name, tensor in file.tensors.items() if tensor.storage.dtype.kind not in "fi"]
    if wrong:
        raise CellspanError(
            f"{file.path}: these are not the weights of a {kind.network} that finds cells: '{wrong[0]}' does not match."
        )
    return kind, layout


def _other_network(shapes: Shapes) -> str:
    """What a file holds that is of no kind that can be used, and what to do."""
    known = ", ".join(f"the {kind.network}" for kind in KINDS.values())
    if DINO_PART in shapes:
        return f"this is cpdino, another network of Cellpose 4; cellspan runs {known}: use cpsam_v2 in its place."
    return f"these are not the weights of a network that cellspan runs: {known}; use a model of one of these kinds."


def _mean_diameter(file: TorchFile, kind: Kind) -> float:
    """The diameter to which objects are rescaled, in pixels; for official models, Cellpose ignores the file's value.

    For those of Cellpose 4 too: whatever they were trained on, a diameter is one in proportion to 30 pixels.
    """
    if kind.any_size:
        return CELL_DIAMETER
    if file.path.name in OFFICIAL_FILES or DIAMETERS[0] not in file.tensors:
        return NUCLEI_DIAMETER if "nuclei" in file.path.name else CELL_DIAMETER
    diameter = float(file.array(DIAMETERS[0])[0])
    if not SMALLEST_MEAN <= diameter < LARGEST:
        raise CellspanError(f"{file.path}: its mean diameter of {diameter:g} pixels is impossible.")
    return diameter


def _usual_diameter(file: TorchFile, kind: Kind) -> float | None:
    """The mean diameter of the objects that somebody trained a model on, in pixels; None if it is not known."""
    known = kind.any_size or kind.restores or file.path.name in OFFICIAL_FILES
    if known or DIAMETERS[1] not in file.tensors:
        return None
    diameter = float(file.array(DIAMETERS[1])[0])
    return diameter if SMALLEST_MEAN <= diameter <= LARGEST_MEAN else None


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
