"""Noise and backgrounds of real pictures, which need no annotation: they are mixed into simulated fields."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.images import Floats
from cellspan.core.pictures.inputs import is_image_file
from cellspan.core.pictures.left_out import marked
from cellspan.core.pictures.reading import read_image
from cellspan.core.training.simulate.field import SimulatedField
from cellspan.core.training.simulate.textures import blurred

MOST = 300  # pictures that are kept
SIDE = 512  # pixels of a picture that are kept, from its middle
GRAIN = 2.0  # pixels of blur (sigma) that part noise from background
TRIES = 8  # places of a picture; the emptiest is borrowed
CALM = 0.35  # of a picture's range: a place that varies more holds cells, and only its noise is borrowed

Picture = NDArray[np.float16]


@dataclass(frozen=True)
class Textures:
    """Pictures (Y, X) with most of their grey values between 0 and 1."""

    pictures: tuple[Picture, ...]

    def mixed_into(self, field: SimulatedField, rng: np.random.Generator) -> SimulatedField:
        """The field with the noise and the background of a picture on top of its own, in each channel that it has."""
        planes = [self._mixed(plane, rng) if plane.any() else plane for plane in field.image]
        return replace(field, image=np.stack(planes))

    def _mixed(self, plane: Floats, rng: np.random.Generator) -> Floats:
        low, high = np.percentile(plane[::4, ::4], (1, 99.5))
        patch = self._patch((plane.shape[0], plane.shape[1]), rng)
        background = blurred(patch, GRAIN)
        borrowed = np.exp(rng.normal(0, 0.4)) * (patch - background)
        if _range_of(background) < CALM:
            borrowed = borrowed + rng.uniform(0.2, 1.0) * (background - background.mean())
        return np.asarray(np.maximum(plane + (high - low) * borrowed, 0), np.float32)

    def _patch(self, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
        """The calmest of some places (Y, X) of one picture, turned over at random; mirrored where it is too small."""
        picture = self.pictures[int(rng.integers(len(self.pictures)))]
        size = [min(side, length) for side, length in zip(shape, picture.shape, strict=True)]
        places = [rng.integers(0, np.array(picture.shape) - size + 1) for _ in range(TRIES)]
        cuts = [picture[y : y + size[0], x : x + size[1]] for y, x in places]
        calmest = min(cuts, key=lambda cut: _range_of(cut[::4, ::4])).astype(np.float32)
        turned = np.ascontiguousarray(calmest[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])])
        missing = [side - length for side, length in zip(shape, turned.shape, strict=True)]
        return np.asarray(np.pad(turned, [(0, more) for more in missing], mode="symmetric"), np.float32)


def read_textures(folder: str | Path) -> Textures:
    """The pictures below a folder, in alphabetical order; of many, some that are evenly spread over the list.

    Raises CellspanError if there are none, or if one cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CellspanError(f"{folder}: there is no such folder of pictures to take textures from.")
    files = [file for file in sorted(folder.rglob("*")) if is_image_file(file) and marked(file.stem) is None]
    if not files:
        raise CellspanError(f"{folder}: there are no pictures to take textures from, such as TIFF, PNG or JPEG files.")
    chosen = np.unique(np.linspace(0, len(files) - 1, min(len(files), MOST)).round().astype(int))
    pictures = [_kept(read_image(files[i]).channels[0]) for i in chosen]
    if not any(picture.any() for picture in pictures):
        raise CellspanError(f"{folder}: all its pictures have the same grey value everywhere; take others.")
    return Textures(tuple(picture for picture in pictures if picture.any()))


def _kept(plane: NDArray[np.generic]) -> Picture:
    """The middle of a picture, with its grey values spread over 0 to 1; zeros if they are all the same."""
    y, x = (max(0, (side - SIDE) // 2) for side in plane.shape)
    part = np.asarray(plane[y : y + SIDE, x : x + SIDE], np.float32)
    low, high = np.percentile(part, (0.5, 99.5))
    if high <= low:
        return np.zeros_like(part, np.float16)
    return np.asarray(np.clip((part - low) / (high - low), -0.5, 2), np.float16)


def _range_of(plane: NDArray[np.floating]) -> float:
    low, high = np.percentile(plane.astype(np.float32), (1, 99))
    return float(high - low)
