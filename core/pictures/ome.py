"""OME-XML: the images that it describes, the files that hold their planes, channels and the size of pixels.

The schema is http://www.openmicroscopy.org/Schemas/OME/2016-06. Names of files in it may point anywhere; only their
last part counts here, because parts of an image are looked for in one folder alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import numpy as np

from cellspan.core.pictures.units import Sizes, sizes

Place = tuple[int, ...]  # of a plane along the axes of its image, such as t, z, c


@dataclass(frozen=True)
class Page:
    """Where a plane is stored."""

    uuid: str  # of the file; empty for the one that is open
    file: str  # its name without folders; may be empty
    index: int  # of the page


@dataclass(frozen=True)
class Description:
    """What an OME-XML says of an image."""

    name: str
    sizes: Sizes
    channels: tuple[str, ...]


@dataclass(frozen=True)
class OmeImage:
    """One image of an OME-XML."""

    name: str
    axes: str  # of its planes, slowest first, such as TZC
    shape: tuple[int, ...]  # along these axes
    pages: dict[Place, Page]  # without those that are said nothing of
    channels: tuple[str, ...]
    sizes: Sizes


def images_of(xml: str) -> list[OmeImage]:
    """The images with their planes; raises what ElementTree, int() and others raise on damaged XML."""
    root = ElementTree.fromstring(xml)
    return [_image(image, pixels) for image, pixels in _pixels_of(root)]


def descriptions_in(xml: str) -> list[Description]:
    """What is said of each image, without looking for its planes."""
    root = ElementTree.fromstring(xml)
    return [Description(image.get("Name", ""), _sizes(pixels), _channels(pixels)) for image, pixels in _pixels_of(root)]


def uuid_of(xml: str) -> str:
    """Of the file that this XML is in; empty if it does not say."""
    return ElementTree.fromstring(xml).get("UUID", "")


def master_of(xml: str) -> str:
    """The name of the file that holds the metadata, if this one does not; else empty."""
    for element in ElementTree.fromstring(xml):
        if _tag(element) == "BinaryOnly":
            return last_part(element.get("MetadataFile", ""))
    return ""


def files_in(xml: str) -> dict[str, str]:
    """The files that planes are in: their UUIDs and names."""
    root = ElementTree.fromstring(xml)
    found = (element for element in root.iter() if _tag(element) == "UUID")
    return {(element.text or "").strip(): last_part(element.get("FileName", "")) for element in found}


def without_files(xml: str) -> str:
    """The XML as if all planes were in the file that it is in."""
    return re.sub(r"<(\w+:)?UUID\b[^>]*?(/>|>.*?</(\w+:)?UUID\s*>)", "", xml, flags=re.DOTALL)


def last_part(name: str) -> str:
    """A file's name without folders, whichever system wrote it."""
    return re.split(r"[\\/]", name)[-1]


def _tag(element: Any) -> str:
    """Without the namespace."""
    return str(element.tag).rpartition("}")[2]


def _pixels_of(root: Any) -> Iterator[tuple[Any, Any]]:
    for image in root:
        if _tag(image) == "Image":
            yield from ((image, pixels) for pixels in image if _tag(pixels) == "Pixels")


def _image(image: Any, pixels: Any) -> OmeImage:
    axes = pixels.get("DimensionOrder", "XYCZT")[:1:-1].upper()
    samples = max([int(one.get("SamplesPerPixel", 1)) for one in pixels if _tag(one) == "Channel"] or [1])
    counts = {axis: int(pixels.get(f"Size{axis}", 1)) for axis in "CZT"}
    counts["C"] = max(1, counts["C"] // samples)
    shape = tuple(counts[axis] for axis in axes)
    pages: dict[Place, Page] = {}
    for data in pixels:
        if _tag(data) == "TiffData":
            pages.update(_pages(data, axes, shape))
    return OmeImage(image.get("Name", ""), axes, shape, pages, _channels(pixels), _sizes(pixels))


def _pages(data: Any, axes: str, shape: tuple[int, ...]) -> Iterator[tuple[Place, Page]]:
    """The planes that a TiffData tells of; the last axis of its order is the slowest."""
    uuid = next((one for one in data if _tag(one) == "UUID"), None)
    key, file = ("", "") if uuid is None else ((uuid.text or "").strip(), last_part(uuid.get("FileName", "")))
    first = [int(data.get(f"First{axis}", 0)) for axis in axes]
    if any(not 0 <= place < length for place, length in zip(first, shape, strict=True)):
        return  # ImageJ writes such ones when it crops
    start, total = int(np.ravel_multi_index(first, shape)), math.prod(shape)
    count = int(data.get("PlaneCount", data.get("NumPlanes", 1 if data.get("IFD") is not None else total)))
    for k in range(min(count, total - start)):
        place = tuple(int(number) for number in np.unravel_index(start + k, shape))
        yield place, Page(key, file, int(data.get("IFD", 0)) + k)


def _channels(pixels: Any) -> tuple[str, ...]:
    return tuple(one.get("Name", "") for one in pixels if _tag(one) == "Channel")


def _sizes(pixels: Any) -> Sizes:
    along = {axis: pixels.get(f"PhysicalSize{axis}") for axis in "ZYX"}
    return sizes(along, {axis: pixels.get(f"PhysicalSize{axis}Unit", "µm") for axis in "ZYX"})
