"""Simulated z-stacks with true labels: touching ellipsoid nuclei or lumpy cells, with lower resolution along z."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from cellspan.core.errors import CellspanError
from cellspan.core.machine.compiled import njit
from cellspan.core.objects.labels import Labels, areas, largest_pieces, renumbered_by
from cellspan.core.pictures.images import Floats
from cellspan.core.training.simulate.nuclei import GAIN, OFFSET
from cellspan.core.training.simulate.textures import blurred

Shape = tuple[int, int, int]

FINEST = 2.0  # largest distance between the planes in which light is computed, in pixels, whatever the slice spacing
STRIDE = 2.0  # pixels; resolution of packing
ELONGATION = 2.5  # of the point spread function along z
VISIBLE = 0.05  # fraction of a typical object that must be in the volume to keep it
REACH = 12  # column of a table of bodies; before it the centre (3) and a matrix (9)


@dataclass(frozen=True)
class Plan:
    """How the objects of a kind are shaped and arranged."""

    coverage: tuple[float, float]  # fraction of the volume under objects, least and most
    spread: float  # of the logarithm of the radii
    stretch: float  # of the logarithm of each axis
    overlap: float  # fraction of an object that neighbours may cut off
    growth: float  # how far objects grow beyond their surface to meet their neighbours; 1 = not at all
    lumps: float  # distortion of surfaces, in diameters


KINDS = {
    "nuclei": Plan((0.15, 0.3), 0.12, 0.16, 0.1, 1.0, 0.0),
    "cells": Plan((0.4, 0.6), 0.15, 0.16, 0.15, 1.1, 0.2),
}


@dataclass(frozen=True)
class _Scene:
    """The objects before imaging, in planes at least as close as the slices."""

    labels: Labels  # (Z', Y, X)
    depth: Floats  # (Z', Y, X): 0 in the centre of an object, 1 on its surface
    step: float  # pixels from plane to plane
    stride: int  # planes from slice to slice

    @property
    def slices(self) -> slice:
        """The planes on which the microscope is focused."""
        return slice(self.stride // 2, None, self.stride)


def simulated_volume(
    seed: int, shape: Shape, anisotropy: float = 1.0, diameter: float = 24.0, kind: str = "nuclei"
) -> tuple[NDArray[np.uint16], Labels]:
    """A stack (Z, Y, X) of 16 bit, and its true labels 1..n; the same seed gives the same stack.

    `diameter` is that of a ball with the median volume of whole objects, in pixels along y and x; slices are
    `anisotropy` such pixels apart. `kind` is one of KINDS: nuclei are ellipsoids, cells have lumpy surfaces and are
    stained within, on their membranes, or both. Raises CellspanError for what cannot be simulated.
    """
    if kind not in KINDS:
        raise CellspanError(f"There are simulated volumes of {' and '.join(KINDS)}, but not of '{kind}'.")
    if min(shape) < 1 or anisotropy <= 0 or diameter <= 2:
        raise CellspanError(
            "A simulated volume needs at least one slice, row and column, an anisotropy above 0 and a diameter above 2."
        )
    rng = np.random.default_rng(seed)
    scene = _arrange(shape, anisotropy, diameter, KINDS[kind], rng)
    light = (_nuclear_light if kind == "nuclei" else _cellular_light)(scene, diameter, rng)
    return _microscope(light, scene, diameter, rng), np.ascontiguousarray(scene.labels[scene.slices])


# ---- positions of objects


def _arrange(shape: Shape, anisotropy: float, diameter: float, plan: Plan, rng: np.random.Generator) -> _Scene:
    stride = int(np.ceil(anisotropy / FINEST))
    step = anisotropy / stride
    fine = (shape[0] * stride, shape[1], shape[2])
    rows = _candidates(fine, step, diameter, plan, rng)
    warp = np.zeros((0, 1, 1, 1), np.float32)
    if plan.lumps:
        grain = 0.7 * diameter
        warp = np.stack([plan.lumps / 2 * diameter * _noise(fine, step, grain, rng) for _ in range(3)])
    room = float(np.abs(warp).max(initial=0))
    wanted = rng.uniform(*plan.coverage) * np.prod(fine)
    chosen = _pack(rows, warp, fine, step, room, plan.overlap, wanted)
    labels, depth = _paint(rows[chosen], warp, fine, step, room, plan.growth)
    scene = _Scene(largest_pieces(labels), depth, step, stride)
    return _Scene(_visible(scene, np.pi / 6 * diameter**3 / anisotropy), depth, step, stride)


def _candidates(fine: Shape, step: float, diameter: float, plan: Plan, rng: np.random.Generator) -> Any:
    """Many more ellipsoids than fit, at random places: centre, the matrix that makes a unit ball of them, reach."""
    size = np.array([fine[0] * step, fine[1], fine[2]])
    margin = diameter / 2
    count = int(np.clip(12 * np.prod(size + 2 * margin) / diameter**3, 16, 200000))
    centres = rng.uniform(-margin, size + margin, (count, 3))
    stretch = rng.normal(0, plan.stretch, (count, 3))
    stretch += rng.normal(0, plan.spread, (count, 1)) - stretch.mean(axis=1, keepdims=True)
    # Corrects for parts cut off by neighbours and for growth into free space.
    radii = diameter / 2 * np.exp(stretch) * (1 + 0.2 * plan.overlap) / np.sqrt(plan.growth)
    turned = Rotation.from_quat(rng.normal(size=(count, 4))).as_matrix()
    matrices = turned / radii[:, :, None]
    return np.concatenate((centres, matrices.reshape(count, 9), radii.max(axis=1, keepdims=True)), axis=1)


def _visible(scene: _Scene, typical: float) -> Labels:
    """Without objects that are mostly outside the slices; renumbered."""
    sizes = np.zeros(int(scene.labels.max(initial=0)) + 1, np.int64)
    found = areas(np.ascontiguousarray(scene.labels[scene.slices]))
    sizes[1 : len(found) + 1] = found
    wanted = sizes >= max(1.0, VISIBLE * typical)
    wanted[0] = False
    table = np.zeros(len(sizes), np.int32)
    table[wanted] = np.arange(1, np.count_nonzero(wanted) + 1)
    return renumbered_by(scene.labels, table)


@njit(cache=True, fastmath=True)
def _distance(row: Any, z: float, y: float, x: float) -> float:
    """0 in the centre of an ellipsoid, 1 on its surface."""
    dz, dy, dx = z - row[0], y - row[1], x - row[2]
    total = 0.0
    for i in range(3):
        part = row[3 + 3 * i] * dz + row[4 + 3 * i] * dy + row[5 + 3 * i] * dx
        total += part * part
    result: float = np.sqrt(total)
    return result


@njit(cache=True, fastmath=True)
def _at(row: Any, warp: Any, step: float, z: int, y: int, x: int) -> float:
    """Distance of a voxel from a lumpy ellipsoid's centre; see _distance."""
    result: float
    if len(warp) == 0:
        result = _distance(row, z * step, float(y), float(x))
        return result
    result = _distance(row, z * step + warp[0, z, y, x], y + warp[1, z, y, x], x + warp[2, z, y, x])
    return result


@njit(cache=True)
def _range(centre: float, reach: float, size: int, step: float) -> tuple[int, int]:
    """Voxels along one axis that a body may have."""
    return max(0, int(np.ceil((centre - reach) / step))), min(size, int(np.floor((centre + reach) / step)) + 1)


@njit(cache=True, fastmath=True)
def _pack(rows: Any, warp: Any, shape: Shape, step: float, room: float, overlap: float, wanted: float) -> Any:
    """The candidates that fit, in order: at most `overlap` of each is inside others."""
    taken = np.zeros(shape, np.bool_)
    mine = np.zeros(shape, np.bool_)
    chosen = np.zeros(len(rows), np.bool_)
    jump, stride = max(1, round(STRIDE / step)), int(STRIDE)
    covered = 0.0
    for k in range(len(rows)):
        if covered >= wanted:
            break
        z, y, x = int(rows[k, 0] / step), int(rows[k, 1]), int(rows[k, 2])
        z, y, x = z // jump * jump, y // stride * stride, x // stride * stride
        if 0 <= z < shape[0] and 0 <= y < shape[1] and 0 <= x < shape[2] and taken[z, y, x]:
            continue
        reach = rows[k, REACH] + room
        z0, z1 = _range(rows[k, 0], reach, shape[0], step)
        y0, y1 = _range(rows[k, 1], reach, shape[1], 1.0)
        x0, x1 = _range(rows[k, 2], reach, shape[2], 1.0)
        z0, y0, x0 = z0 // jump * jump, y0 // stride * stride, x0 // stride * stride
        inside = hidden = 0
        for z in range(z0, z1, jump):
            for y in range(y0, y1, stride):
                for x in range(x0, x1, stride):
                    mine[z, y, x] = _at(rows[k], warp, step, z, y, x) < 1
                    inside += mine[z, y, x]
                    hidden += mine[z, y, x] and taken[z, y, x]
        if inside == 0 or hidden > overlap * inside:
            continue
        chosen[k] = True
        covered += (inside - hidden) * jump * stride * stride
        for z in range(z0, z1, jump):
            for y in range(y0, y1, stride):
                for x in range(x0, x1, stride):
                    taken[z, y, x] |= mine[z, y, x]
    return chosen


@njit(cache=True, fastmath=True)
def _paint(rows: Any, warp: Any, shape: Shape, step: float, room: float, growth: float) -> Any:
    """Labels and depth: every voxel belongs to the object in which it is deepest, so neighbours share a face."""
    labels = np.zeros(shape, np.int32)
    depth = np.full(shape, np.float32(growth))
    for k in range(len(rows)):
        reach = growth * rows[k, REACH] + room
        z0, z1 = _range(rows[k, 0], reach, shape[0], step)
        y0, y1 = _range(rows[k, 1], reach, shape[1], 1.0)
        x0, x1 = _range(rows[k, 2], reach, shape[2], 1.0)
        for z in range(z0, z1):
            for y in range(y0, y1):
                for x in range(x0, x1):
                    away = np.float32(_at(rows[k], warp, step, z, y, x))
                    if away < depth[z, y, x]:
                        depth[z, y, x] = away
                        labels[z, y, x] = k + 1
    return labels, depth


def _noise(fine: Shape, step: float, grain: float, rng: np.random.Generator) -> Floats:
    """Noise (Z', Y, X) of mean 0 and spread 1 whose grains are about `grain` pixels wide, along every axis."""
    width = grain / 2.4
    spread = []
    for size, pixels in zip(fine, (step, 1.0, 1.0), strict=True):
        knots = np.arange(-3 * width, size * pixels + 3 * width, width)
        weights = np.exp(-(((np.arange(size)[:, None] * pixels - knots) / width) ** 2) / 2)
        spread.append((weights / np.sqrt((weights**2).sum(axis=1, keepdims=True))).astype(np.float32))
    z, y, x = spread
    coarse = rng.standard_normal((z.shape[1], y.shape[1], x.shape[1]), np.float32)
    # One axis after the other: as smooth as a blur, but many times faster.
    planes = y @ (coarse @ x.T)
    return np.asarray(np.tensordot(z, planes, 1), np.float32)


# ---- appearance


def _nuclear_light(scene: _Scene, diameter: float, rng: np.random.Generator) -> Floats:
    """Chromatin: every nucleus as bright as its stain, mottled, with dark nucleoli."""
    shape, step = scene.labels.shape, scene.step
    fine: Shape = (shape[0], shape[1], shape[2])
    mottled = 1 + 0.18 * _noise(fine, step, diameter / 4, rng) + 0.1 * _noise(fine, step, max(3, diameter / 10), rng)
    nucleoli = _noise(fine, step, diameter / 5, rng) > rng.uniform(1.6, 2.4)
    mottled[nucleoli] *= 0.5
    return np.asarray(np.maximum(mottled, 0.1) * _brightness(scene, 0.25, rng), np.float32)


def _cellular_light(scene: _Scene, diameter: float, rng: np.random.Generator) -> Floats:
    """Cell bodies with the shadow of a nucleus, membranes, or both."""
    shape, step = scene.labels.shape, scene.step
    membranes = rng.random() < 0.5
    grains = _noise((shape[0], shape[1], shape[2]), step, diameter / 4, rng)
    body = np.maximum(1 + 0.2 * grains, 0.1) * _brightness(scene, 0.3, rng)
    body[scene.depth < rng.uniform(0.35, 0.55)] *= rng.uniform(0.3, 0.9)
    if membranes:
        body *= rng.uniform(0.05, 0.5)
        body[_surfaces(scene.labels)] += rng.uniform(1.5, 2.5)
    return np.asarray(body, np.float32)


def _brightness(scene: _Scene, spread: float, rng: np.random.Generator) -> Floats:
    """(Z', Y, X): some objects are brighter than others; 0 outside."""
    table = np.exp(rng.normal(0, spread, int(scene.labels.max(initial=0)) + 1)).astype(np.float32)
    table[0] = 0
    return np.asarray(table[scene.labels])


def _surfaces(labels: Labels) -> NDArray[np.bool_]:
    """Voxels of objects next to another label or the background."""
    found = np.zeros(labels.shape, bool)
    for axis in range(3):
        change = np.diff(labels, axis=axis) != 0
        ahead = [slice(None)] * 3
        behind = [slice(None)] * 3
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        found[tuple(ahead)] |= change
        found[tuple(behind)] |= change
    return found & (labels > 0)


# ---- imaging


def _microscope(light: Floats, scene: _Scene, diameter: float, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Grey values (Z, Y, X): blur, out-of-focus haze, less light from deep slices, camera noise."""
    sharpness = rng.uniform(0.9, 1.5)
    sharp = _focused(light, scene, ELONGATION * sharpness)
    haze = _focused(light, scene, ELONGATION * diameter / 2)
    share, background = rng.uniform(0.1, 0.3), rng.uniform(0.02, 0.08)
    length = rng.uniform(12, 40) * diameter  # depth in pixels from which a third of the light arrives
    photons = rng.uniform(60, 250)
    image = np.empty(sharp.shape, np.uint16)
    for z in range(len(image)):
        seen = blurred(sharp[z], sharpness) + share * blurred(haze[z], diameter / 2)
        seen *= np.exp(-z * scene.stride * scene.step / length)
        electrons = rng.poisson(np.maximum(seen + background, 0) * photons)
        grey = OFFSET + GAIN * electrons + rng.normal(0, 20, seen.shape)
        image[z] = np.clip(grey, 0, 65535)
    return image


def _focused(light: Floats, scene: _Scene, blur: float) -> Floats:
    """The light (Z, Y, X) that arrives from all planes when each slice is in focus: a Gaussian along z."""
    planes = np.arange(len(light))
    weights = np.exp(-(((planes[scene.slices, None] - planes) * scene.step / blur) ** 2) / 2)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(np.tensordot(weights.astype(np.float32), light, 1), np.float32)
