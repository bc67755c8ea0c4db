"""The same dynamics as core.dynamics.labelling, on a torch device: flows in, a label image out.

Paths, histogram, seeds, catchments and flow errors are computed where the tensors are, for many points at once; only
label images go back and forth, because the compiled loops of core.objects.labels clean them up on the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample, max_pool2d, pad

from cellspan.core.dynamics.flows import centre
from cellspan.core.dynamics.judging import cleaned
from cellspan.core.dynamics.labelling import check_shapes
from cellspan.core.dynamics.steps import REACH, SEED, STILL, TAIL, iterations_for
from cellspan.core.errors import CellspanError
from cellspan.core.machine.compiled import njit
from cellspan.core.machine.device_memory import explains_full_memory
from cellspan.core.objects.boxes import label_boxes
from cellspan.core.objects.labels import Labels
from cellspan.core.parameters import Parameters

# So much is worked on at once, because it takes memory; a few hundred megabytes in each case.
POINTS = 2**22  # that follow the flow
WINDOWS = 2**15  # around seeds
HEATED = 2**21  # pixels in which heat diffuses

NEIGHBOURS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
UP, LEFT, RIGHT, DOWN = (NEIGHBOURS.index(step) for step in ((-1, 0), (0, -1), (0, 1), (1, 0)))


@explains_full_memory
def flows_to_labels_torch(
    flows: Tensor, logits: Tensor, parameters: Parameters | None = None, diameter: float | None = None
) -> Labels:
    """Flows (2, Y, X) in pixels per step and logits (Y, X), on one device -> labels (Y, X) on the CPU, 1..n.

    Parameters and result are those of `core.dynamics.flows_to_labels`; coordinates have 32 bits
    here, so that a few pixels may differ. Raises CellspanError for wrong shapes and if the device's memory is full.
    """
    parameters = parameters or Parameters()
    if logits.ndim != 2:
        raise CellspanError(f"On a device flows are (2, Y, X), not {tuple(flows.shape)}; follow volumes on the CPU.")
    check_shapes(tuple(flows.shape), tuple(logits.shape))
    flows, logits = flows.float(), logits.float()
    steps = parameters.iterations or iterations_for(diameter or parameters.diameter)
    # Pixels without a direction (NaN, infinite) belong to nothing.
    foreground = (logits > parameters.cellprob_threshold) & flows.isfinite().all(0)
    found = _group(*_arrivals(flows, foreground, steps), foreground.shape)
    return cleaned(found.cpu().numpy(), parameters, lambda labels: flow_errors_torch(labels, flows))


def _arrivals(flows: Tensor, foreground: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """The foreground pixels (n,) in reading order and where each arrives (n,), as indices into the flat image."""
    # Order x, y, as grid_sample has it; the background stands still.
    field = torch.where(foreground, flows.flip(0), 0.0)[None]
    pixels = foreground.flatten().nonzero().squeeze(1)
    return pixels, torch.cat([_follow(field, part, steps) for part in pixels.split(POINTS)])


def _follow(field: Tensor, pixels: Tensor, steps: int) -> Tensor:
    """Where the pixels (n,) arrive in the field (1, 2, Y, X); those that have arrived need no more steps."""
    height, width = field.shape[2:]
    size = torch.tensor([width, height], dtype=torch.float32, device=field.device)
    points = torch.stack((pixels % width, pixels // width), 1).float()
    ends = points.clone()
    moving = torch.arange(len(pixels), device=field.device)
    earlier = points
    for step in range(steps):
        points = _moved(field, points, size)
        # Two steps apart, because points near a centre may swing from side to side for ever.
        if step & 1:
            ends[moving] = points
            far = ((points - earlier).abs() >= STILL).any(1)
            moving, points = moving[far], points[far]
            earlier = points
            if not len(moving):
                break
    ends[moving] = points
    x, y = ends.long().unbind(1)
    return y * width + x


def _moved(field: Tensor, points: Tensor, size: Tensor) -> Tensor:
    """The points (n, 2) in order x, y after one step, none beyond the image of this size."""
    # Coordinates from -1 to 1 at the outer edges of the image; the other convention of grid_sample takes another
    # implementation on NVIDIA cards, which is not made for millions of points.
    grid = (2 * points + 1) / size - 1
    flow = grid_sample(field, grid[None, None], mode="bilinear", padding_mode="zeros", align_corners=False)
    return torch.minimum((points + flow[0, :, 0].T).clamp_(min=0), size - 1)


def _group(pixels: Tensor, arrivals: Tensor, shape: torch.Size) -> Tensor:
    """Labels (Y, X) from points of arrival, see core.dynamics.grouping: numbered by strength, 0 = background."""
    histogram = torch.bincount(arrivals, minlength=shape.numel()).view(shape)
    labels = torch.zeros(shape.numel(), dtype=torch.int32, device=pixels.device)
    labels[pixels] = _catchments(histogram).flatten()[arrivals]
    return labels.view(shape)


def _is_seed(histogram: Tensor) -> Tensor:
    """Local maxima within 5x5."""
    counts = histogram.float()  # graphics cards have no max_pool2d of whole numbers
    return (counts > SEED) & (counts == max_pool2d(counts[None, None], 5, stride=1, padding=2)[0, 0])


def _catchments(histogram: Tensor) -> Tensor:
    """The number of the seed that gathers what arrives at each pixel (Y, X), the strongest seed's the largest."""
    height, width = histogram.shape
    seeds = _is_seed(histogram).flatten().nonzero().squeeze(1)
    # The strongest first; among equals the first in reading order.
    seeds = seeds[histogram.flatten()[seeds].sort(descending=True, stable=True).indices]
    numbers = torch.arange(len(seeds), 0, -1, dtype=torch.int32, device=seeds.device)
    # A border where nothing arrives, so that the window around every seed lies inside.
    padded_width = width + 2 * REACH
    passable = pad((histogram > TAIL).byte(), [REACH] * 4).flatten()
    corners = seeds // width * padded_width + seeds % width
    side = torch.arange(2 * REACH + 1, device=seeds.device)
    window = side[:, None] * padded_width + side
    catchment = torch.zeros(len(passable), dtype=torch.int32, device=seeds.device)
    for corner, number in zip(corners.split(WINDOWS), numbers.split(WINDOWS), strict=True):
        places = corner[:, None, None] + window
        claims = _reached(passable[places]) * number[:, None, None]
        catchment.scatter_reduce_(0, places.flatten(), claims.flatten(), "amax")
    return catchment.view(height + 2 * REACH, padded_width)[REACH:-REACH, REACH:-REACH]


def _reached(passable: Tensor) -> Tensor:
    """What grows from the middle of each window (n, side, side) in REACH steps over passable pixels, as 0 and 1."""
    allowed = passable[:, None].float()
    reached = torch.zeros_like(allowed)
    reached[:, :, REACH, REACH] = 1
    for _ in range(REACH):
        reached = max_pool2d(reached, 3, stride=1, padding=1) * allowed
    return reached[:, 0].int()


def flow_errors_torch(labels: Labels, flows: Tensor) -> NDArray[np.float64]:
    """As `core.dynamics.flows.flow_errors`, for labels (Y, X) on the CPU and flows (2, Y, X) on any device; (n,).

    The heat has 64 bits; on Apple graphics, which have none, 32, so that it fades out along very long objects.
    """
    count = int(labels.max(initial=0))
    boxes, areas = label_boxes(labels, count)
    steps = np.where(areas > 0, 2 * (boxes[:, 2:] - boxes[:, :2]).sum(1), 0)
    # Objects that need the most steps come first, so that those still at work are always at the front.
    order = np.argsort(-steps, kind="stable")
    areas, steps, centres = areas[order], steps[order], _centres(labels, boxes, areas)[order]
    objects = _Objects(labels, order, flows.device)
    errors = np.zeros(count)
    for group, pixels in _groups(areas):
        around = objects.around(pixels)
        heat = _diffused(around, objects.slots(centres[group]), steps[group], areas[group])
        difference = (_directions(heat, around) - objects.values(flows, pixels)).square().sum(0)
        errors[order[group]] = _means(difference, areas[group])
    return errors


def _groups(areas: NDArray[np.int64]) -> Iterator[tuple[slice, slice]]:
    """Objects of these areas in groups of at most HEATED pixels: which objects, and which of all their pixels."""
    ends = np.concatenate(([0], np.cumsum(areas)))
    first = 0
    while first < len(areas):
        last = max(first + 1, int(np.searchsorted(ends, ends[first] + HEATED, side="right")) - 1)
        yield slice(first, last), slice(int(ends[first]), int(ends[last]))
        first = last


@njit
def _centres(labels: Any, boxes: Any, areas: Any) -> Any:
    """The pixel at which each object is heated, as an index into the flat image."""
    centres = np.zeros(len(boxes), np.int64)
    for k in range(len(boxes)):
        if areas[k] > 0:
            y, x = centre(labels, k + 1, areas[k], boxes[k])
            centres[k] = y * labels.shape[1] + x
    return centres


class _Objects:
    """The pixels of all objects, object after object, and which of them are neighbours."""

    def __init__(self, labels: Labels, order: NDArray[np.int64], device: torch.device) -> None:
        """`order` lists the objects 1..n of the labels (Y, X) less one."""
        self._width = labels.shape[1]
        places = np.zeros(len(order) + 1, np.int64)
        places[order + 1] = np.arange(len(order))
        # A border of background, so that every pixel has eight neighbours.
        self._labels = pad(torch.from_numpy(labels).to(device), (1, 1, 1, 1)).flatten()
        pixels = self._labels.nonzero().squeeze(1)
        place = torch.from_numpy(places).to(device)[self._labels[pixels]]
        self._pixels = pixels[place.argsort(stable=True)]
        self._slots = torch.empty_like(self._labels)  # where in the group that is at work a pixel is

    def around(self, group: slice) -> Tensor:
        """For each of the pixels of a group (n,) the slots of its NEIGHBOURS (n, 9); n = none of the same object."""
        pixels = self._pixels[group]
        none = len(pixels)
        own = self._labels[pixels]
        self._slots[pixels] = torch.arange(none, dtype=torch.int32, device=pixels.device)
        around = torch.empty((none, len(NEIGHBOURS)), dtype=torch.int32, device=pixels.device)
        for k, (dy, dx) in enumerate(NEIGHBOURS):
            neighbours = pixels + (dy * (self._width + 2) + dx)
            around[:, k] = torch.where(self._labels[neighbours] == own, self._slots[neighbours], none)
        return around

    def slots(self, pixels: NDArray[np.int64]) -> Tensor:
        """The slots of pixels of the last group that `around` was asked for, given as indices into the flat image."""
        y, x = np.divmod(pixels, self._width)
        return self._slots[torch.from_numpy((y + 1) * (self._width + 2) + x + 1).to(self._slots.device)]

    def values(self, planes: Tensor, group: slice) -> Tensor:
        """What planes (C, Y, X) hold at the pixels of a group: (C, n)."""
        y, x = self._pixels[group] // (self._width + 2), self._pixels[group] % (self._width + 2)
        return planes.flatten(1)[:, (y - 1) * self._width + x - 1]


def _diffused(around: Tensor, centres: Tensor, steps: NDArray[np.int64], areas: NDArray[np.int64]) -> Tensor:
    """The heat of a group's pixels after each object's own number of steps, and the cold outside: (n + 1,).

    In each step every pixel becomes the mean of its 3x3 neighbourhood, see core.dynamics.flows.
    """
    real = torch.float32 if around.device.type == "mps" else torch.float64
    heat = torch.zeros(len(around) + 1, dtype=real, device=around.device)
    source = torch.ones(len(centres), dtype=real, device=around.device)
    ends = np.cumsum(areas)
    for step in range(int(steps[0])):
        objects = int(np.searchsorted(-steps, -step))  # that need more than `step` steps
        pixels = int(ends[objects - 1])
        heat.index_add_(0, centres[:objects], source[:objects])
        heat[:pixels] = heat.index_select(0, around[:pixels].flatten()).view(pixels, -1).mean(1)
    return heat


def _directions(heat: Tensor, around: Tensor) -> Tensor:
    """The direction in which the heat rises (2, n), order y, x: unit length, 0 where it is level."""
    up, left, right, down = (heat.index_select(0, around[:, k]) for k in (UP, LEFT, RIGHT, DOWN))
    rise = torch.stack((down - up, right - left))
    length = rise.square().sum(0).sqrt()
    return torch.where(length > 0, rise / length, 0.0)


def _means(values: Tensor, areas: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean of each object's values; they follow each other, object after object (n,)."""
    sizes = torch.from_numpy(areas).to(values.device)
    owner = torch.repeat_interleave(torch.arange(len(areas), device=values.device), sizes)
    sums = torch.zeros(len(areas), dtype=values.dtype, device=values.device).index_add_(0, owner, values)
    return sums.cpu().numpy().astype(np.float64) / np.maximum(areas, 1)
