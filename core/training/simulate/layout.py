"""Places cells in a field, paints them so that upper cells hide lower ones, and adds nuclei."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from cellspan.core.machine.compiled import njit
from cellspan.core.objects.labels import Labels, diameters, drop_on_edges, largest_pieces, median_diameter
from cellspan.core.pictures.images import Floats
from cellspan.core.training.simulate.shapes import (
    ARMED,
    BEND,
    COS,
    EXTENT,
    KIND,
    LENGTH,
    RADIAL,
    SIN,
    WAVE,
    WIDTH,
    Outlines,
    Values,
    X,
    Y,
    distance,
    draw_outlines,
)
from cellspan.core.training.simulate.textures import noise

CORRECTIONS = 2  # number of corrections of the radii to reach the median diameter
ENOUGH = 6  # whole cells needed for a median
STRIDES = (2, 12)  # packing looks at every second pixel, and at every twelfth of a diameter of large cells
HOPELESS = 150  # candidates in a row without room, after which no more are tried
SMALLEST = 12  # pixels of the smallest visible cell
BLURRED_AWAY = 0.6  # diameters out of focus, from which on nobody would draw the outline of a cell


@dataclass(frozen=True)
class Plan:
    """How the cells of a field are shaped and arranged."""

    shape: str  # one of SHAPES
    second_shape: str  # shape of some cells
    second_part: float  # fraction of the cells with the second shape
    spread: float  # of the logarithm of the radii
    coverage: float  # target fraction of the area under cells; 1 = as many as fit
    islands: float  # 0 = everywhere; otherwise the fraction of the area with islands
    overlap: float  # fraction of a cell that may lie over or under others
    growth: float  # how far cells grow beyond their outline to meet their neighbours; 1 = not at all
    aligned: bool  # neighbours point the same way
    ruffled: float  # distortion of outlines, in diameters
    nuclei: tuple[float, float] = (0.35, 0.75)  # smallest and largest nuclei of fields, in diameters of their cells


@dataclass(frozen=True)
class Scene:
    """The cells of a field before imaging; tables have one entry per label, the first for background."""

    labels: Labels  # (Y, X)
    under: Labels  # (Y, X): the cell below the uppermost one, 0 if none
    nuclei: Labels  # (Y, X): the label of the cell of a nucleus
    edge: Floats  # (Y, X): pixels to the cell's outline, 0 outside
    radius: Values  # (n + 1,): largest distance to the outline, pixels
    angle: Values  # (n + 1,): of the long axis
    diameter: float  # median, pixels
    outlines: Outlines  # n: of the cells as they were meant, label - 1 after label - 1
    depth: Values  # (n + 1,): diameters out of focus; infinite for cells that are not there after all
    vessels: Floats | None = None  # (Y, X): 1 where a vessel of the tissue is, 0 elsewhere

    @property
    def annotated(self) -> Labels:
        """The labels (Y, X), 1..n, of the cells that an annotator would draw: those near the focus."""
        wanted = self.depth < BLURRED_AWAY
        wanted[0] = False
        table = np.zeros(len(wanted), np.int32)
        table[wanted] = np.arange(1, np.count_nonzero(wanted) + 1)
        return table[self.labels]

    def of_cell(self, values: Values) -> Floats:
        """An image (Y, X) of values (n + 1,) per cell."""
        return np.asarray(values, np.float32)[self.labels]


def arrange(shape: tuple[int, int], diameter: float, plan: Plan, rng: np.random.Generator) -> Scene:
    """Cells and nuclei of a field (Y, X) whose median diameter is about `diameter` pixels."""
    seed = int(rng.integers(2**62))
    asked = diameter
    for _ in range(1 + CORRECTIONS):
        # The same random numbers, so that only the size changes.
        outlines, labels, under = _attempt(shape, asked, plan, np.random.default_rng(seed))
        found = _whole_diameter(labels, diameter)
        if abs(found / diameter - 1) < 0.08:
            break
        asked *= float(np.clip(diameter / found, 0.5, 2))
    edge = _edge_distance(labels)
    radius = _largest_of_each(edge, labels, len(outlines.rows))
    nuclei = _nuclei(labels, edge, outlines, plan, rng)
    angle = np.concatenate(([0.0], np.arctan2(outlines.rows[:, 3], outlines.rows[:, 2])))
    found = median_diameter(labels) or diameter
    return Scene(labels, under, nuclei, edge, radius, angle, found, outlines, np.zeros(len(radius)))


def _whole_diameter(labels: Labels, otherwise: float) -> float:
    """Median diameter of the cells that the field's border does not cut; `otherwise` if there are too few."""
    whole = drop_on_edges(labels)
    return median_diameter(whole) if whole.max(initial=0) >= ENOUGH else otherwise


def _attempt(
    shape: tuple[int, int], diameter: float, plan: Plan, rng: np.random.Generator
) -> tuple[Outlines, Labels, Labels]:
    """Outlines of the visible cells, their labels (Y, X), and the labels below them."""
    outlines = _candidates(shape, diameter, plan, rng)
    warp = np.stack([_push(shape, diameter, plan.ruffled, rng) for _ in range(2)])
    room = float(np.abs(warp).max(initial=0)) + 1
    parts = (outlines.rows, outlines.tables, outlines.arms)
    stride = max(STRIDES[0], int(diameter) // STRIDES[1])
    chosen = _pack(*parts, warp, room, plan.overlap, plan.coverage * shape[0] * shape[1], stride)
    outlines = outlines.some(chosen)
    labels, under = _paint(outlines.rows, outlines.tables, outlines.arms, warp, room, plan.growth)
    labels = largest_pieces(labels)
    areas = np.bincount(labels.ravel(), minlength=len(outlines.rows) + 1)
    visible = areas >= max(SMALLEST, 0.02 * np.pi / 4 * diameter**2)
    visible[0] = False
    table = np.zeros(len(visible), np.int32)
    table[visible] = np.arange(1, visible.sum() + 1)
    under = table[under]
    under[table[labels] == 0] = 0
    return outlines.some(visible[1:]), table[labels], under


def _candidates(shape: tuple[int, int], diameter: float, plan: Plan, rng: np.random.Generator) -> Outlines:
    """Many more cells than fit, at random positions where the plan has cells."""
    margin = diameter
    height, width = (side + 2 * margin for side in shape)
    tries = 4 if plan.coverage == 1 else 2
    count = int(np.clip(tries * height * width / (np.pi / 4 * diameter**2), 8, 20000))
    centres = rng.uniform(0, 1, (count, 2)) * (height, width)
    if plan.islands:
        density = noise((int(height) + 1, int(width) + 1), rng.uniform(3, 12) * diameter, rng)
        allowed = density > np.quantile(density, 1 - plan.islands)
        centres = centres[allowed[tuple(centres.astype(int).T)]]
    centres -= margin
    count = len(centres)
    radii = diameter / 2 * np.exp(rng.normal(0, plan.spread, count))
    # Cells that grow into free space start smaller.
    radii /= np.sqrt(plan.growth)
    angles = rng.uniform(0, np.pi, count)
    if plan.aligned:
        # Twice the angle is noise: a field of directions without a preferred one.
        parts = [noise((int(height) + 1, int(width) + 1), 8 * diameter, rng) for _ in range(2)]
        at = tuple(np.clip(centres + margin, 0, None).astype(int).T)
        angles = np.arctan2(parts[0][at], parts[1][at]) / 2 + rng.normal(0, 0.12, count)
    second = rng.random(count) < plan.second_part
    outlines = draw_outlines(plan.shape, centres[~second], angles[~second], radii[~second], rng)
    others = draw_outlines(plan.second_shape, centres[second], angles[second], radii[second], rng)
    outlines = outlines.followed_by(others)
    outlines = outlines.some(rng.permutation(count))
    return _with_buds(outlines, rng) if plan.shape == "budding" else outlines


def _with_buds(mothers: Outlines, rng: np.random.Generator) -> Outlines:
    """Add a smaller, touching cell to half of the cells; the mothers come first."""
    chosen = rng.random(len(mothers.rows)) < 0.5
    rows = mothers.rows[chosen]
    size = np.sqrt(rows[:, LENGTH] * rows[:, WIDTH])
    bud = size * rng.uniform(0.3, 0.85, len(rows))
    direction = rng.uniform(0, 2 * np.pi, len(rows))
    away = (size + bud) * 0.97
    centres = rows[:, (Y, X)] + away[:, None] * np.stack((np.sin(direction), np.cos(direction)), axis=1)
    buds = draw_outlines("budding", centres, direction, bud, rng)
    order = np.concatenate((np.arange(len(mothers.rows)), np.flatnonzero(chosen) + 0.5))
    return mothers.followed_by(buds).some(np.argsort(order))


def _push(shape: tuple[int, int], diameter: float, amount: float, rng: np.random.Generator) -> Floats:
    """Displacement (Y, X) in pixels that makes outlines irregular: a wide and a narrow part."""
    wide = noise(shape, diameter * rng.uniform(0.6, 1.5), rng) * (amount * diameter * 0.5)
    fine = rng.uniform(0, 0.1) * amount * diameter
    return wide + noise(shape, max(2.0, diameter * rng.uniform(0.1, 0.3)), rng) * fine


@njit(cache=True, fastmath=True)
def _box(row: Any, room: float, growth: float, height: int, width: int) -> tuple[int, int, int, int]:
    reach = row[EXTENT] * growth + room
    y0, y1 = max(0, int(row[Y] - reach)), min(height, int(row[Y] + reach) + 2)
    x0, x1 = max(0, int(row[X] - reach)), min(width, int(row[X] + reach) + 2)
    return y0, x0, y1, x1


@njit(cache=True, fastmath=True)
def _span(row: Any, dy: float, room: float, growth: float, x0: int, x1: int) -> tuple[int, int]:
    """The part of x0 to x1 in which a row of pixels, `dy` from the centre, may meet a cell: long cells fill few."""
    kind = int(row[KIND])
    if kind in (RADIAL, ARMED) or abs(row[SIN]) < 0.05:
        return x0, x1
    width = growth * row[WIDTH] * 1.3 + growth * growth * row[LENGTH] * (abs(row[BEND]) + 2 * abs(row[WAVE])) + 2 * room
    # Across the long axis, a point (dy, dx) is cos * dy - sin * dx away from it.
    middle, half = row[X] + row[COS] * dy / row[SIN], width / abs(row[SIN])
    return max(x0, int(middle - half)), min(x1, int(middle + half) + 2)


@njit(cache=True, fastmath=True)
def _pack(rows: Any, tables: Any, arms: Any, warp: Any, room: float, overlap: float, wanted: float, stride: int) -> Any:
    """The candidates that fit, in order: at most `overlap` of each covers others."""
    height, width = warp.shape[1:]
    taken = np.zeros((height, width), np.bool_)
    chosen = np.zeros(len(rows), np.bool_)
    mine = np.zeros((height, width), np.bool_)
    covered = missed = 0
    for k in range(len(rows)):
        if covered >= wanted or missed > HOPELESS:
            break
        y0, x0, y1, x1 = _box(rows[k], room, 1.0, height, width)
        y, x = int(rows[k, Y]), int(rows[k, X])
        if overlap < 0.3 and 0 <= y < height and 0 <= x < width and taken[y // stride * stride, x // stride * stride]:
            missed += 1
            continue
        reach = rows[k, EXTENT] ** 2
        inside = hidden = 0
        y0, x0 = y0 // stride * stride, x0 // stride * stride
        for y in range(y0, y1, stride):
            left, right = _span(rows[k], y - rows[k, Y], room, 1.0, x0, x1)
            for x in range(left // stride * stride, right, stride):
                dy, dx = y + warp[0, y, x] - rows[k, Y], x + warp[1, y, x] - rows[k, X]
                near = dy * dy + dx * dx < reach
                mine[y, x] = near and distance(dy, dx, rows[k], tables[k], arms[k]) < 1
                inside += mine[y, x]
                hidden += mine[y, x] and taken[y, x]
        if inside == 0 or hidden > overlap * inside:
            missed += 1
            continue
        chosen[k], missed = True, 0
        covered += (inside - hidden) * stride * stride
        for y in range(y0, y1, stride):
            left, right = _span(rows[k], y - rows[k, Y], room, 1.0, x0, x1)
            for x in range(left // stride * stride, right, stride):
                taken[y, x] |= mine[y, x]
    return chosen


@njit(cache=True, fastmath=True)
def _paint(rows: Any, tables: Any, arms: Any, warp: Any, room: float, growth: float) -> Any:
    """Labels (Y, X), later cells over earlier ones, grown to meet each other; and the labels below the uppermost."""
    height, width = warp.shape[1:]
    labels = np.zeros((height, width), np.int32)
    under = np.zeros((height, width), np.int32)
    nearest = np.full((height, width), 1e9, np.float32)
    for k in range(len(rows)):
        y0, x0, y1, x1 = _box(rows[k], room, growth, height, width)
        reach = (rows[k, EXTENT] * growth) ** 2
        for y in range(y0, y1):
            left, right = _span(rows[k], y - rows[k, Y], room, growth, x0, x1)
            for x in range(left, right):
                dy, dx = y + warp[0, y, x] - rows[k, Y], x + warp[1, y, x] - rows[k, X]
                if dy * dy + dx * dx > reach:
                    continue
                away = distance(dy, dx, rows[k], tables[k], arms[k])
                if away < 1:
                    if nearest[y, x] < 1:
                        under[y, x] = labels[y, x]
                    labels[y, x] = k + 1
                    nearest[y, x] = away
                elif away < growth and away < nearest[y, x]:
                    labels[y, x] = k + 1
                    nearest[y, x] = away
    return labels, under


@njit(cache=True, fastmath=True)
def _paint_nuclei(owners: Any, rows: Any, tables: Any, arms: Any, labels: Any, edge: Any, rim: float) -> Any:
    """Each nucleus inside its own cell only, at least `rim` pixels from the outline."""
    nuclei = np.zeros_like(labels)
    height, width = labels.shape
    for k in range(len(rows)):
        y0, x0, y1, x1 = _box(rows[k], 1.0, 1.0, height, width)
        for y in range(y0, y1):
            for x in range(x0, x1):
                dy, dx = y - rows[k, Y], x - rows[k, X]
                if labels[y, x] != owners[k] or edge[y, x] <= rim or dy * dy + dx * dx > rows[k, EXTENT] ** 2:
                    continue
                if distance(dy, dx, rows[k], tables[k], arms[k]) < 1:
                    nuclei[y, x] = owners[k]
    return nuclei


@njit(cache=True)
def _largest_of_each(values: Any, labels: Any, count: int) -> Any:
    """The largest value (n + 1,) within each label, at least 1."""
    largest = np.ones(count + 1)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            if values[y, x] > largest[labels[y, x]]:
                largest[labels[y, x]] = values[y, x]
    return largest


def _edge_distance(labels: Labels) -> Floats:
    """Distance in pixels from each cell pixel to the nearest pixel of another label or the background."""
    inner = labels > 0
    same = labels[:, 1:] == labels[:, :-1]
    inner[:, 1:] &= same
    inner[:, :-1] &= same
    same = labels[1:] == labels[:-1]
    inner[1:] &= same
    inner[:-1] &= same
    # Cells continue beyond the field, so its border is not an outline.
    away = cv2.distanceTransform(inner.astype(np.uint8), cv2.DIST_L2, 3)
    # Without any outline in the field, the distance would be infinite.
    return np.where(labels > 0, np.minimum(away, max(labels.shape)) + 0.5, 0).astype(np.float32)


def _nuclei(labels: Labels, edge: Floats, cells: Outlines, plan: Plan, rng: np.random.Generator) -> Labels:
    """One nucleus, rarely two or none, in each cell."""
    rows, n = cells.rows, len(cells.rows)
    if n == 0:
        return np.zeros_like(labels)
    size = np.concatenate(([0.0], diameters(labels)))[1:] / 2
    part = rng.uniform(*plan.nuclei) * np.exp(rng.normal(0, 0.08, n))
    radii = np.minimum(part * size, 0.85 * np.where(rows[:, KIND] == RADIAL, size, rows[:, WIDTH]) + 1)
    jitter = rng.normal(0, 0.12, (n, 2)) * np.minimum(rows[:, WIDTH], size)[:, None]
    angles = np.arctan2(rows[:, 3], rows[:, 2])
    owners = np.arange(1, n + 1, dtype=np.int32)
    two = rng.random(n) < 0.04
    shift = np.where(two, 0.8, 0.0)[:, None] * radii[:, None] * np.stack((np.sin(angles), np.cos(angles)), axis=1)
    centres = rows[:, (Y, X)] + jitter
    shape = "lobed" if rng.random() < 0.15 else "round"
    first = draw_outlines(shape, centres + shift, angles, radii * np.where(two, 0.8, 1), rng)
    second = draw_outlines(shape, centres - shift, angles, radii * 0.8, rng).some(two)
    both = first.followed_by(second)
    long = np.concatenate((rows[:, KIND], rows[two][:, KIND])) != RADIAL
    both.rows[long, LENGTH] *= 1.3
    both.rows[long, EXTENT] *= 1.3
    rim = 1.0 + 0.03 * float(np.median(size))
    result: Labels = _paint_nuclei(
        np.concatenate((owners, owners[two])), both.rows, both.tables, both.arms, labels, edge, rim
    )
    return result
