"""Results as Cellpose saves them: `_seg.npy`, which its window opens, and outlines as text, which its macro reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.machine.memory import require_memory
from cellspan.core.models.architecture import FLOW_SCALE
from cellspan.core.objects.boundaries import border_pixels
from cellspan.core.objects.labels import Labels, file_type
from cellspan.core.objects.outlines import trace_outlines
from cellspan.core.pictures.images import Floats
from cellspan.core.pictures.seg_npy import COLOURS

BYTES = 80  # for each pixel while a `_seg.npy` is made: what it holds, and NumPy's copy of the largest part


def write_seg(
    path: Path,
    labels: Any,
    flows: Any,
    probability: Any,
    diameter: float,
    source: Path,
    channels: tuple[int | None, int | None],
) -> None:
    """Write the objects of a plane (Y, X) or a volume (Z, Y, X) as Cellpose's window saves them.

    With them come flows and probability, so that other thresholds can be tried there; both are None where they are not
    known. `source` is the image's file, `channels` are the one that was segmented, None for grey, and that of the
    nuclei. Raises CellspanError if it does not fit into the memory.
    """
    needed = BYTES * int(np.prod(labels.shape, dtype=np.int64))
    require_memory(needed, f"{source}: the result `seg`", "save labels instead")
    labels = np.asarray(labels)
    kind = file_type(int(labels.max(initial=0)))
    content: dict[str, Any] = {
        "masks": labels.astype(kind),
        "outlines": (labels * _outlines(labels)).astype(kind),
        "chan_choose": [_colour(channel) for channel in channels],
        "ismanual": np.zeros(int(labels.max(initial=0)), bool),
        "filename": os.path.abspath(source),
        "diameter": float(diameter),
    }
    if flows is not None:
        content["flows"] = _pictures(np.asarray(flows), np.asarray(probability))
    with path.open("wb") as file:
        np.save(file, content, allow_pickle=True)  # type: ignore[arg-type]


def _outlines(labels: Labels) -> NDArray[np.bool_]:
    return border_pixels(labels) if labels.ndim == 2 else np.stack([border_pixels(plane) for plane in labels])


def _colour(channel: int | None) -> int:
    """A channel as Cellpose counts them: from 1; 0 = grey, or none."""
    return 0 if channel is None or channel >= COLOURS else channel + 1


def _pictures(flows: Floats, probability: Floats) -> list[Any]:
    """What Cellpose keeps of the network's output: pictures of flows, probability and z flows, then the numbers."""
    directions = _in_colours(flows[-2:])
    likely = _grey(probability)
    if probability.ndim == 2:
        nothing = np.zeros_like(directions)
        first = [picture[None] for picture in (directions, likely, nothing)]
    else:
        along_z = flows[0] * FLOW_SCALE if len(flows) == 3 else np.zeros_like(probability)
        first = [directions, likely, (along_z / 10 * 127 + 127).clip(0, 255).astype(np.uint8)]
    numbers = np.concatenate([flows * np.float32(FLOW_SCALE), probability[None]])
    return [*first, [], numbers]


def _in_colours(flows: Floats) -> NDArray[np.uint8]:
    """The flows along y and x (2, ...) as RGB (..., 3): their direction as hue, their length as brightness."""
    y, x = flows
    brightness = _grey(np.hypot(y, x)).astype(np.float32)
    angle = np.arctan2(x, y) + np.pi
    bands = [brightness * (np.cos(angle + turn * np.pi / 3) + 1) / 2 for turn in (0, 2, 4)]
    return np.stack(bands, axis=-1).astype(np.uint8)


def _grey(values: Floats) -> NDArray[np.uint8]:
    """Values with their percentiles 1 and 99 as 0 and 255."""
    low, high = np.percentile(values, (1, 99)) if values.size else (0, 0)
    return np.asarray((((values - low) / max(high - low, 1e-9)).clip(0, 1) * 255).astype(np.uint8))


def write_outlines(path: Path, labels: Labels) -> None:
    """Write the outline of each object of (Y, X) as a line x,y,x,y,... of pixel corners, in the order of the labels.

    A line holds one closed outline: that of an object's largest piece, without its holes. Raises CellspanError for
    volumes.
    """
    if labels.ndim != 2:
        raise CellspanError("Outlines as text are for planes; save rois for volumes.")
    with path.open("w", encoding="ascii", newline="\n") as file:
        for loops in trace_outlines(labels):
            if loops:
                file.write(",".join(map(str, max(loops, key=_area).ravel().tolist())) + "\n")


def _area(loop: NDArray[np.int32]) -> int:
    """The pixels inside a loop of corners."""
    x, y = loop.T.astype(np.int64)
    return abs(int(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) // 2
