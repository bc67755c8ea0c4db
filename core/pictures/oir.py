"""OIR files of Evident's (Olympus') FluoView, through the package oirfile."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.machine.memory import require_memory
from cellspan.core.pictures.planes import WAY_OUT, Planes, declared, naming
from cellspan.core.pictures.series import Picture, series_of
from cellspan.core.pictures.units import sizes

oirfile: Any = import_module("oirfile")  # which is not there for older Python


def open_file(path: Path) -> Picture:
    """The image in a file; raises CellspanError within `naming`."""
    files = ExitStack()
    try:
        file = files.enter_context(oirfile.OirFile(path))
        shape, dtype = tuple(file.shape), np.dtype(file.dtype)

        def read(place: tuple[int, ...]) -> NDArray[Any]:
            require_memory(2 * file.nbytes, declared(shape, dtype), WAY_OUT)
            return np.asarray(file.asarray())

        planes = Planes(shape, dtype, read, len(shape), partial(naming, path))
        axes = "".join(name[0] for name in file.dims)
        units = {axis: str(file.coord_units.get(axis, "")) for axis in "ZYX"}
        along = {axis: abs(file.coord_scales.get(axis, 0.0)) for axis in "ZYX"}
        channels = [str(one.name) for one in file.channels]
        one = series_of(planes, axes, "", sizes(along, units), channels)
        return Picture([one], files, partial(naming, path))
    except BaseException:
        files.close()
        raise
