"""The pixels of the images for the page: channels with their ranges and colours, and tiles at several levels."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.review_page.kept import Kept
from cellspan.review_page.stacks import Looks, read_plane

ROOM = 384e6  # bytes of planes and their smaller copies
LEAST_SIDE = 512  # of the smallest level
MOST_SAMPLED = 9  # slices whose range is looked at
SAMPLED_PIXELS = 1_000_000  # of a plane for its percentiles
SHOWN = (1.0, 99.8)  # percentiles that are black and white at first
LARGEST_TILE = 4096
TOP = 65_535

GREY, RGB = "#ffffff", {"red": "#ff0000", "green": "#00ff00", "blue": "#0000ff"}
PALETTE = ("#00ff00", "#ff00ff", "#00ffff", "#ffff00", "#ff0000", "#4080ff")
DYES = (
    (re.compile(r"dapi|hoechst|draq|blue", re.IGNORECASE), "#4080ff"),
    (re.compile(r"gfp|fitc|488|green|calcein", re.IGNORECASE), "#00ff00"),
    (re.compile(r"rfp|cherry|tritc|cy3|561|568|594|red|tomato|pi\b", re.IGNORECASE), "#ff4040"),
    (re.compile(r"cy5|647|640|far", re.IGNORECASE), "#ff00ff"),
    (re.compile(r"bright|phase|dic|trans|bf\b", re.IGNORECASE), GREY),
)

Pixels = NDArray[Any]


@dataclass(frozen=True)
class Channel:
    """How a channel is shown at first, and the grey values that its tiles span."""

    low: float
    high: float
    lowest: float
    highest: float
    color: str

    def as_json(self) -> dict[str, Any]:
        """For the page."""
        return vars(self)


class Shown:
    """Planes, channels and tiles of many images, kept while they are looked at; thread-safe."""

    def __init__(self, room: float = ROOM) -> None:
        """`room`: bytes for planes."""
        self._planes: Kept[Pixels] = Kept(room, lambda plane: plane.nbytes)
        self._channels: Kept[list[Channel]] = Kept(10_000, len)

    def plane(self, path: Path, series: int | None, z: int = 0, t: int = 0) -> Pixels:
        """The channels (C, Y, X) as they are stored; raises CellspanError that names the file."""
        return self._planes.get((str(path), series, z, t), lambda: read_plane(path, series, z, t))

    def channels(self, path: Path, series: int | None, looks: Looks) -> list[Channel]:
        """How each channel is shown at first."""
        return self._channels.get((str(path), series), lambda: self._judged(path, series, looks))

    def tile(
        self, path: Path, series: int | None, looks: Looks, channel: int, where: tuple[int, int], level: int, box: Any
    ) -> NDArray[np.uint16]:
        """A part of a channel, halved `level` times, as numbers from 0 (`lowest`) to 65535 (`highest`).

        `where` is z, t; `box` is x, y, size in pixels of that level. Raises CellspanError for what is not there.
        """
        z, t = where
        if not (0 <= channel < looks.channels and 0 <= z < looks.slices and 0 <= t < looks.frames):
            raise CellspanError(f"There is no channel {channel} in slice {z} of time point {t}.", "no_tile")
        if not 0 <= level < len(levels_of(looks.shape)):
            raise CellspanError(f"There is no level {level}.", "no_tile")
        x, y, size = box
        plane = self._level(path, series, z, t, channel, level)
        if not (0 <= x < plane.shape[1] and 0 <= y < plane.shape[0] and 0 < size <= LARGEST_TILE):
            raise CellspanError(f"There is no tile at x = {x}, y = {y}.", "no_tile")
        about = self.channels(path, series, looks)[channel]
        return scaled(plane[y : y + size, x : x + size], about)

    def forget(self, path: Path) -> None:
        """The file has changed."""
        name = str(path)

        def is_of_it(key: Hashable) -> bool:
            return isinstance(key, tuple) and key[0] == name

        self._planes.drop(is_of_it)
        self._channels.drop(is_of_it)

    def _level(self, path: Path, series: int | None, z: int, t: int, channel: int, level: int) -> Pixels:
        if level == 0:
            plane: Pixels = self.plane(path, series, z, t)[channel]
            return plane
        key = (str(path), series, z, t, channel, level)
        return self._planes.get(key, lambda: halved(self._level(path, series, z, t, channel, level - 1)))

    def _judged(self, path: Path, series: int | None, looks: Looks) -> list[Channel]:
        count = min(looks.slices, MOST_SAMPLED)
        slices = sorted({round(z) for z in np.linspace(0, looks.slices - 1, count)})
        return judged([self.plane(path, series, z) for z in slices], looks)


def judged(planes: Sequence[Pixels], looks: Looks) -> list[Channel]:
    """How the channels of these planes (C, Y, X) are shown at first."""
    colours = enumerate(colours_of(looks))
    channels = [_channel([plane[number] for plane in planes], colour) for number, colour in colours]
    return _together(channels, planes[0].dtype) if looks.is_rgb else channels


def _together(channels: list[Channel], dtype: np.dtype[Any]) -> list[Channel]:
    """Red, green and blue with one range, so that colours stay what they are; bytes are shown as they are."""
    lowest, highest = min(one.lowest for one in channels), max(one.highest for one in channels)
    low, high = min(one.low for one in channels), max(one.high for one in channels)
    if dtype == np.uint8:
        low, high = 0.0, 255.0
        lowest, highest = low, high
    return [Channel(low, high, lowest, highest, one.color) for one in channels]


def levels_of(shape: tuple[int, int]) -> list[dict[str, Any]]:
    """The levels of a plane: the image itself, and halves of it until a screen holds it."""
    levels, (height, width), scale = [], shape, 1
    while True:
        levels.append({"scale": scale, "shape": [height, width]})
        if max(height, width) <= LEAST_SIDE:
            return levels
        height, width, scale = -(-height // 2), -(-width // 2), 2 * scale


def halved(plane: Pixels) -> NDArray[np.float32]:
    """Half the height and width; each pixel is the mean of the four, or fewer at the border, that it stands for."""
    height, width = plane.shape
    padded = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge")
    rows = padded[::2].astype(np.float32) + padded[1::2]
    return np.asarray((rows[:, ::2] + rows[:, 1::2]) / 4, np.float32)


def scaled(plane: Pixels, about: Channel) -> NDArray[np.uint16]:
    """Numbers from 0 at the channel's lowest to 65535 at its highest; NaN becomes 0."""
    span = about.highest - about.lowest or 1.0
    values = (plane.astype(np.float32) - np.float32(about.lowest)) * np.float32(TOP / span)
    known = np.nan_to_num(values, nan=0, posinf=TOP, neginf=0)
    return np.asarray(known.round().clip(0, TOP), np.dtype("<u2"))


def names_of(looks: Looks) -> list[str]:
    """A name for each channel."""
    if looks.is_rgb:
        return list(RGB)[: looks.channels]
    return list(looks.names) or [f"channel {number}" for number in range(looks.channels)]


def colours_of(looks: Looks) -> list[str]:
    """A colour for each channel: by the name of its dye where there is one."""
    if looks.is_rgb:
        return list(RGB.values())[: looks.channels]
    if looks.channels == 1:
        return [GREY]
    free = [*PALETTE]
    colours = []
    for number in range(looks.channels):
        name = looks.names[number] if looks.names else ""
        by_name = next((colour for dye, colour in DYES if dye.search(name)), None)
        chosen = by_name or next((colour for colour in free if colour not in colours), PALETTE[number % len(PALETTE)])
        colours.append(chosen)
    return colours


def _channel(planes: list[Pixels], colour: str) -> Channel:
    """The range of all pixels, and percentiles of a sample of them."""
    step = max(1, int(np.sqrt(sum(plane.size for plane in planes) / SAMPLED_PIXELS)))
    sample = np.concatenate([plane[::step, ::step].ravel() for plane in planes])
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return Channel(0.0, 1.0, 0.0, 1.0, colour)
    low, high = (float(value) for value in np.percentile(sample, SHOWN))
    whole = [plane[np.isfinite(plane)] if plane.dtype.kind == "f" else plane for plane in planes]
    lowest = min(float(plane.min()) for plane in whole if plane.size)
    highest = max(float(plane.max()) for plane in whole if plane.size)
    if low == high:
        low, high = lowest, highest
    return Channel(low, max(high, low + 1e-6), lowest, highest if highest > lowest else lowest + 1, colour)
