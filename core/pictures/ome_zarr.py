"""OME-Zarr, versions 0.4 and 0.5: single images, several positions in one folder, and plates with wells and fields.

See https://ngff.openmicroscopy.org. The largest resolution is read; label images are no images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.axes import letter_of
from cellspan.core.pictures.planes import Named, naming, require_parts
from cellspan.core.pictures.series import Picture, Series, series_of
from cellspan.core.pictures.units import sizes

OLD_AXES = "TCZYX"  # of versions before 0.4, which do not name them


def open_ome_zarr(path: Path) -> Picture:
    """The images in a folder; raises CellspanError."""
    import zarr

    group = zarr.open_group(path, mode="r")
    images = [(name, one) for name, one in _groups(group) if _multiscales(one)]
    if not images:
        raise CellspanError("this is no OME-Zarr: it has no 'multiscales'.")
    return Picture([_series(path, name, one) for name, one in images], named=partial(naming, path))


def _groups(group: Any) -> Iterator[tuple[str, Any]]:
    """The groups that may be images, with their names: itself, fields of a plate or a well, or positions."""
    about = _about(group)
    if "plate" in about:
        for well in about["plate"]["wells"]:
            yield from _fields(group[well["path"]], well["path"])
    elif "well" in about:
        yield from _fields(group, "")
    elif "multiscales" in about:
        yield "", group
    else:  # of bioformats2raw, or of programs that put one image beside the other
        listed = _about(group["OME"]).get("series") if "OME" in group else None
        names = listed or sorted((name for name, _ in group.groups() if name not in ("OME", "labels")), key=_by_number)
        for name in names:
            one = group[name]
            inner = _about(one)
            yield from ((f"{name}/{more}".rstrip("/"), image) for more, image in _inner(one, inner))


def _inner(group: Any, about: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if "multiscales" in about:
        yield "", group
    elif "plate" in about or "well" in about:
        yield from _groups(group)


def _fields(well: Any, path: str) -> Iterator[tuple[str, Any]]:
    for image in _about(well)["well"]["images"]:
        yield f"{path}/{image['path']}".lstrip("/"), well[image["path"]]


def _about(group: Any) -> dict[str, Any]:
    """The metadata, which version 0.5 keeps one step deeper."""
    attributes = dict(group.attrs)
    return dict(attributes.get("ome", attributes))


def _multiscales(group: Any) -> Any:
    return _about(group).get("multiscales")


def _by_number(name: str) -> tuple[bool, int, str]:
    """0, 1, 2, 10, then names in alphabetical order."""
    return (False, int(name), "") if name.isdigit() else (True, 0, name)


def _series(path: Path, name: str, group: Any) -> Series:
    scales = _multiscales(group)[0]
    first = scales["datasets"][0]
    stored = group[first["path"]]
    given = scales.get("axes", list(OLD_AXES[-len(stored.shape) :]))
    axes = "".join(letter_of(_name(axis)) or _name(axis)[:1].upper() for axis in given)
    if len(axes) != len(stored.shape):
        raise CellspanError(f"its metadata name the axes {axes}, but the image {name} has the shape {stored.shape}.")
    # Parts are decoded as a whole, however few pixels of them are wanted.
    require_parts(stored)
    along: dict[str, float] = {}
    for step in [*first.get("coordinateTransformations", []), *scales.get("coordinateTransformations", [])]:
        if step.get("type") == "scale":
            along = {axis: along.get(axis, 1.0) * size for axis, size in zip(axes, step["scale"], strict=True)}
    units = {letter_of(_name(axis)): str(axis.get("unit", "")) for axis in given if isinstance(axis, dict)}
    channels = [str(one.get("label", "")) for one in _about(group).get("omero", {}).get("channels", [])]
    return series_of(Named(stored, partial(naming, path)), axes, name, sizes(along, units), channels)


def _name(axis: Any) -> str:
    return str(axis["name"] if isinstance(axis, dict) else axis)
