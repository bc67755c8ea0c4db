"""LIF files of Leica's LAS X, through the package liffile; each image of a project is one, and each tile of a scan."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import liffile
import numpy as np
from numpy.typing import NDArray

from cellspan.core.machine.memory import require_memory
from cellspan.core.pictures.planes import WAY_OUT, Planes, declared, naming
from cellspan.core.pictures.series import Picture, Series, series_of
from cellspan.core.pictures.units import sizes


def open_file(path: Path) -> Picture:
    """The images in a file; raises CellspanError within `naming`."""
    files = ExitStack()
    try:
        file = files.enter_context(liffile.LifFile(path))
        series = [one for image in file.images if not _is_flim(image) for one in _tiles(path, image)]
        return Picture(series, files, partial(naming, path))
    except BaseException:
        files.close()
        raise


def _is_flim(image: Any) -> bool:
    """Whether it holds lifetimes and no picture."""
    return "H" in image.dims or "FLIM" in type(image).__name__.upper()


def _tiles(path: Path, image: Any) -> list[Series]:
    """The image, or each of its tiles, which the microscope did not put together."""
    position = image.dims.index("M") if "M" in image.dims else None
    if position is None:
        return [_one(path, image, None, None)]
    return [_one(path, image, position, k) for k in range(image.shape[position])]


def _one(path: Path, image: Any, position: int | None, tile: int | None) -> Series:
    shape = tuple(length for axis, length in enumerate(image.shape) if axis != position)
    axes = "".join(name[0] for axis, name in enumerate(image.dims) if axis != position)
    dtype = np.dtype(image.dtype)

    def read(place: tuple[int, ...]) -> NDArray[Any]:
        require_memory(2 * image.nbytes, declared(tuple(image.shape), dtype), WAY_OUT)
        pixels = image.asarray()
        return np.asarray(pixels if position is None else pixels.take(tile, axis=position))

    planes = Planes(shape, dtype, read, len(shape), partial(naming, path))
    along = {axis: _step(image.coords.get(axis)) for axis in "ZYX"}
    name = image.name if tile is None else f"{image.name}, tile {tile}"
    return series_of(planes, axes, name, sizes(along, "m"))


def _step(places: Any) -> float:
    """From one pixel to the next, in metres; 0 if that is not known."""
    return abs(float(places[1] - places[0])) if places is not None and len(places) > 1 else 0.0
