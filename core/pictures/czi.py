"""CZI files of Zeiss' ZEN, through the package pylibCZIrw; each scene is an image, its tiles are put together."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.planes import Planes, naming
from cellspan.core.pictures.series import Picture, Series, series_of
from cellspan.core.pictures.units import Sizes, sizes

czi: Any = import_module("pylibCZIrw.czi")  # which has no types

KINDS = {"Gray8": np.uint8, "Gray16": np.uint16, "Gray32Float": np.float32, "Bgr24": np.uint8, "Bgr48": np.uint16}
STACKED = "TZC"
OTHERS = {"R": "rotations", "I": "illuminations", "H": "phases", "V": "views", "B": "blocks"}


def open_file(path: Path) -> Picture:
    """The scenes in a file; raises CellspanError within `naming`."""
    files = ExitStack()
    try:
        file = files.enter_context(czi.open_czi(str(path)))
        scenes = file.scenes_bounding_rectangle_no_pyramid or {None: file.total_bounding_rectangle_no_pyramid}
        names = _scene_names(file.metadata)
        series = [_scene(path, file, scene, box, names.get(scene, "")) for scene, box in sorted(scenes.items())]
        return Picture(series, files, partial(naming, path))
    except BaseException:
        files.close()
        raise


def _scene(path: Path, file: Any, scene: int | None, box: Any, name: str) -> Series:
    bounds = file.total_bounding_box_no_pyramid
    for axis, words in OTHERS.items():
        if axis in bounds and bounds[axis][1] - bounds[axis][0] > 1:
            raise CellspanError(f"it holds {bounds[axis][1] - bounds[axis][0]} {words}, which are not read.")
    starts = {axis: bounds.get(axis, (0, 1))[0] for axis in STACKED}
    lengths = tuple(bounds.get(axis, (0, 1))[1] - starts[axis] for axis in STACKED)
    kinds = {str(kind) for kind in file.pixel_types.values()}
    if unknown := kinds - set(KINDS):
        raise CellspanError(f"its pixels are of the type {sorted(unknown)[0]}, which is not read.")
    is_colour = any(kind.startswith("Bgr") for kind in kinds)
    if is_colour and len(kinds) > 1:
        raise CellspanError("some of its channels are in colour and some are not, which is not read.")
    dtype = np.result_type(*(KINDS[kind] for kind in kinds))

    def read(place: tuple[int, ...]) -> NDArray[Any]:
        plane = {axis: starts[axis] + k for axis, k in zip(STACKED, place, strict=True)}
        pixels = np.asarray(file.read(roi=tuple(box), plane=plane, scene=scene))
        return np.ascontiguousarray(pixels[..., ::-1]) if is_colour else pixels[..., 0]

    inner = (box.h, box.w, 3) if is_colour else (box.h, box.w)
    planes = Planes((*lengths, *inner), np.dtype(dtype), read, len(inner), partial(naming, path))
    about = file.metadata
    return series_of(planes, STACKED + "YXS"[: len(inner)], name, _sizes(about), _channel_names(about))


def _found(about: Any, *names: str) -> Any:
    """What the metadata have at a path; an empty list if that is not there."""
    for name in ("ImageDocument", "Metadata", *names):
        about = about.get(name) if isinstance(about, dict) else None
    return [] if about is None else about if isinstance(about, list) else [about]


def _sizes(about: Any) -> Sizes:
    """In metres, whatever unit they are shown in."""
    steps = {str(one.get("@Id")): one.get("Value") for one in _found(about, "Scaling", "Items", "Distance")}
    return sizes(steps, "m")


def _channel_names(about: Any) -> list[str]:
    found = _found(about, "Information", "Image", "Dimensions", "Channels", "Channel")
    return [str(one.get("@Name", "")) for one in found]


def _scene_names(about: Any) -> dict[int | None, str]:
    found = _found(about, "Information", "Image", "Dimensions", "S", "Scenes", "Scene")
    return {int(one.get("@Index", k)): str(one.get("@Name", "")) for k, one in enumerate(found)}
