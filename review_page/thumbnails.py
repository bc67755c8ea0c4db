"""Thumbnails: an image with the outlines of its objects, small, made when it is asked for and kept on disk."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageDraw
from numpy.typing import NDArray

from cellspan.core.objects.boundaries import border_pixels
from cellspan.core.objects.labels import Labels, resize_labels
from cellspan.core.pictures.resizing import resize
from cellspan.core.planes.preview import shrunk
from cellspan.review_page.pixels import Channel

SIDE = 256  # pixels at most
FINE = 2  # times larger, lines are drawn; so that they do not cover small objects when they get smaller
LINE = (255, 230, 0)
STRENGTH = 0.8  # of the lines over the image
MEDIA_TYPE = "image/webp"
QUALITY = 80

Picture = NDArray[np.uint8]


def thumbnail(plane: NDArray[Any], channels: Sequence[Channel], labels: Labels | None) -> bytes:
    """The channels (C, Y, X) in their colours with the outlines of the labels (Y, X), as WebP."""
    size = shrunk(plane.shape[-2:], FINE * SIDE)
    # Sampled before it is resized: the mean over a large image would take longer than reading it.
    step = max(1, max(plane.shape[-2:]) // (2 * FINE * SIDE))
    coarse = np.nan_to_num(plane[:, ::step, ::step].astype(np.float32), posinf=0, neginf=0)
    picture = composed(resize(np.ascontiguousarray(coarse), size), channels)
    if labels is not None and labels.any():
        borders = border_pixels(resize_labels(labels, size))
        picture[borders] = (1 - STRENGTH) * picture[borders] + STRENGTH * np.array(LINE)
    return _encoded(PIL.Image.fromarray(picture))


def placeholder() -> bytes:
    """What stands for an image that cannot be read."""
    picture = PIL.Image.new("RGB", (SIDE, SIDE), (48, 48, 48))
    pen = PIL.ImageDraw.Draw(picture)
    for ends in (((64, 64), (192, 192)), ((64, 192), (192, 64))):
        pen.line(ends, (120, 120, 120), 6)
    return _encoded(picture)


def composed(planes: NDArray[np.float32], channels: Sequence[Channel]) -> Picture:
    """The channels, each from its low to its high in its colour, added up: RGB (Y, X, 3)."""
    total = np.zeros((*planes.shape[-2:], 3), np.float32)
    for plane, about in zip(planes, channels, strict=True):
        shown = ((plane - about.low) / (about.high - about.low)).clip(0, 1)
        colour = np.array([int(about.color[k : k + 2], 16) for k in (1, 3, 5)], np.float32)
        total += shown[:, :, None] * colour
    return np.asarray(total.clip(0, 255), np.uint8)


def _encoded(picture: PIL.Image.Image) -> bytes:
    picture.thumbnail((SIDE, SIDE), PIL.Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=QUALITY, method=2)
    return buffer.getvalue()
