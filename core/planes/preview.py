"""A small picture of what was segmented, and a result as a notebook shows it."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from cellspan.core.objects.labels import Labels, resize_labels
from cellspan.core.objects.outlines import draw_outlines
from cellspan.core.pictures.images import Floats
from cellspan.core.pictures.resizing import resize

SIDE = 512  # pixels of a preview, at most

Grey = NDArray[np.uint8]


def preview_of(plane: Floats, side: int = SIDE) -> Grey:
    """A plane (Y, X) of intensities from 0 to 1, as grey values; not larger than `side` along either axis."""
    small = resize(np.ascontiguousarray(plane)[None], shrunk(plane.shape, side))[0]
    return np.asarray(255 * np.clip(small, 0, 1), np.uint8)


def sampled(plane: Floats, side: int = SIDE) -> Floats:
    """Every so many pixels of a plane (Y, X), enough for a preview of this side: for few people look at one."""
    step = -(-max(plane.shape) // (2 * side))
    return plane[::step, ::step].copy()


def shrunk(shape: Sequence[int], side: int = SIDE) -> tuple[int, int]:
    """Height and width of a picture of this shape that is not larger than `side`."""
    factor = min(1.0, side / max(shape))
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def overlay_of(grey: Grey, labels: Labels) -> NDArray[np.uint8]:
    """A preview with the outlines of the labels (Y, X) of any size: RGB (Y, X, 3)."""
    picture = np.repeat(grey[:, :, None], 3, axis=2)
    draw_outlines(picture, resize_labels(labels, (grey.shape[0], grey.shape[1])))
    return picture


def html_of(picture: NDArray[np.uint8] | None, lines: Sequence[str]) -> str:
    """A picture, if there is one, with lines of text below it."""
    image = "" if picture is None else f'<img alt="" src="data:image/png;base64,{_png(picture)}"/>'
    return f"<div>{image}{''.join(f'<div>{escape(line)}</div>' for line in lines)}</div>"


def _png(picture: NDArray[np.uint8]) -> str:
    import PIL.Image  # only here: whoever looks for objects need not wait for it

    buffer = io.BytesIO()
    PIL.Image.fromarray(picture).save(buffer, "PNG")
    return b64encode(buffer.getvalue()).decode("ascii")
