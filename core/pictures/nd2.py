"""ND2 files of Nikon's NIS-Elements, through the package nd2; each position of the stage is an image."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import nd2
import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.planes import Planes, naming
from cellspan.core.pictures.series import Picture, Series, series_of
from cellspan.core.pictures.units import sizes

FRAME = "CYXS"  # axes within a frame of the file


def open_file(path: Path) -> Picture:
    """The positions in a file; raises CellspanError within `naming`."""
    files = ExitStack()
    try:
        file = files.enter_context(nd2.ND2File(path))
        names = file._position_names() if "P" in file.sizes else [""]
        series = [_position(path, file, k, name) for k, name in enumerate(names)]
        return Picture(series, files, partial(naming, path))
    except BaseException:
        files.close()
        raise


def _position(path: Path, file: Any, position: int, name: str) -> Series:
    """One position with its time points and z-slices."""
    loops = [(axis, length) for axis, length in file.sizes.items() if axis not in FRAME]
    inner = [(axis, length) for axis, length in file.sizes.items() if axis in FRAME]
    outer = [(axis, length) for axis, length in loops if axis != "P"]

    def read(place: tuple[int, ...]) -> NDArray[Any]:
        along = dict(zip((axis for axis, _ in outer), place, strict=True))
        whole = tuple(position if axis == "P" else along[axis] for axis, _ in loops)
        number = int(np.ravel_multi_index(whole, [length for _, length in loops])) if loops else 0
        _require_frame(file, number, path)
        return np.asarray(file.read_frame(number)).reshape([length for _, length in inner])

    shape = tuple(length for _, length in (*outer, *inner))
    planes = Planes(shape, np.dtype(file.dtype), read, len(inner), partial(naming, path))
    size = file.voxel_size()
    axes = "".join(axis for axis, _ in (*outer, *inner))
    known = sizes({"Z": size.z, "Y": size.y, "X": size.x}) if file.metadata else None
    return series_of(planes, axes, name, known, _channel_names(file))


def _require_frame(file: Any, number: int, path: Path) -> None:
    """Refuse a frame that is not there, for which the package gives zeros; raises CellspanError."""
    offsets = getattr(file._rdr, "_frame_offsets", None)  # of files since 2010
    attributes = file.attributes
    size = 0 if attributes.compressionType else (attributes.widthBytes or 0) * attributes.heightPx
    if offsets is not None and offsets.get(number, path.stat().st_size) + size > path.stat().st_size:
        raise CellspanError(f"its frame {number} is not in the file; it is cut short.")


def _channel_names(file: Any) -> list[str]:
    return [one.channel.name or "" for one in file.metadata.channels or []] if file.metadata else []
