"""Shapes of single cells as distance functions: 0 at the centre, 1 on the outline, more beyond it.

A cell is one row of numbers (COLUMNS), a table of its outline at TABLE angles, and up to ARMS thin arms.

The angles of the tables are evenly spaced on a square, not on a circle, because where a point lies on a square is found
without trigonometry: that halves the time that a field takes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.machine.compiled import njit

Values = NDArray[np.float64]

# Columns: centre, unit vector of the long axis, half length and half width, bend, wave, reach.
Y, X, COS, SIN, LENGTH, WIDTH, BEND, WAVE, PHASE, POINTED, KIND, EXTENT = range(12)
COLUMNS = 12
TABLE, ARMS = 64, 4
# The angle of each entry of a table: 0 to 4 once around the square |x| + |y| = 1.
AROUND = np.arange(TABLE) * 4 / TABLE
ANGLES = np.arctan2(1 - np.abs((AROUND + 1) % 4 - 2), np.abs(AROUND - 2) - 1)
RADIAL, SPINDLE, ROD, ARMED = range(4)  # the kinds of distance function

SHAPES = (
    "round",
    "epithelial",
    "lobed",
    "spread",
    "spindle",
    "bipolar",
    "myoblast",
    "neurite",
    "neuron",
    "rod",
    "filament",
    "budding",
)
# Of the shapes with pointed ends: aspect ratio, and how far the body stays thick towards the ends (least, most).
SPINDLES = {
    "spindle": ((2.0, 8.0), (1.0, 2.5)),
    "bipolar": ((4.0, 10.0), (0.5, 1.0)),  # a small body with two long, thin processes
    "myoblast": ((4.0, 10.0), (1.2, 4.0)),
}
# Of the shapes with arms: their length in radii, and half width (least, most).
ARMED_SHAPES = {"neurite": ((1.5, 5.0), (0.1, 0.25)), "neuron": ((1.2, 2.2), (0.2, 0.45))}


@dataclass
class Outlines:
    """n cells: rows (n, COLUMNS), outline tables (n, TABLE), arms (n, ARMS, 4: direction, length, half width, bend)."""

    rows: Values
    tables: Values
    arms: Values

    def some(self, chosen: NDArray[Any]) -> Outlines:
        """The cells selected by an index or a mask."""
        return Outlines(self.rows[chosen], self.tables[chosen], self.arms[chosen])

    def followed_by(self, others: Outlines) -> Outlines:
        """These cells followed by the others."""
        return Outlines(
            np.concatenate((self.rows, others.rows)),
            np.concatenate((self.tables, others.tables)),
            np.concatenate((self.arms, others.arms)),
        )


def draw_outlines(shape: str, centres: Values, angles: Values, radii: Values, rng: np.random.Generator) -> Outlines:
    """Cells of one of the SHAPES at `centres` (n, 2), turned by `angles`, with the areas of circles of `radii`."""
    n = len(radii)
    rows = np.zeros((n, COLUMNS))
    rows[:, (Y, X)] = centres
    rows[:, COS], rows[:, SIN] = np.cos(angles), np.sin(angles)
    outlines = Outlines(rows, np.ones((n, TABLE)), np.zeros((n, ARMS, 4)))
    if shape in {"rod", "filament"}:
        _draw_rods(outlines, radii, shape == "filament", rng)
    elif shape in SPINDLES:
        _draw_spindles(outlines, shape, radii, rng)
    else:
        _draw_radial(outlines, shape, radii, rng)
    return outlines


def _draw_radial(outlines: Outlines, shape: str, radii: Values, rng: np.random.Generator) -> None:
    rows, n = outlines.rows, len(radii)
    flattest = {"round": 0.75, "budding": 0.8, "epithelial": 0.6, "lobed": 0.5, "spread": 0.5}.get(shape, 0.7)
    ratio = rng.uniform(flattest, 1.0, n)
    rows[:, LENGTH], rows[:, WIDTH] = radii / np.sqrt(ratio), radii * np.sqrt(ratio)
    rows[:, KIND] = ARMED if shape in ARMED_SHAPES else RADIAL
    lobes = {"round": 0.03, "budding": 0.015, "epithelial": 0.08, "lobed": 0.12}.get(shape, 0.08)
    outlines.tables[:] = _lobed(n, lobes, rng)
    if shape == "spread":
        outlines.tables[:] = _spiky(outlines.tables, rng)
    if shape in ARMED_SHAPES:
        _draw_arms(outlines.arms, shape, radii, rng)
    reach = outlines.tables.max(axis=1) * rows[:, LENGTH]
    rows[:, EXTENT] = np.maximum(reach, outlines.arms[:, :, 1].max(axis=1) * 1.1)


def _lobed(n: int, amplitude: float, rng: np.random.Generator) -> Values:
    """Outlines (n, TABLE) with soft lobes, of the area of the unit circle."""
    waves = np.arange(2, 8)
    height = amplitude / np.sqrt(2 * (waves - 1))
    cosines, sines = np.cos(np.outer(waves, ANGLES)), np.sin(np.outer(waves, ANGLES))
    lobes = (rng.normal(0, 1, (n, 6)) * height) @ cosines + (rng.normal(0, 1, (n, 6)) * height) @ sines
    table = np.maximum(1 + 1.4 * lobes, 0.4)
    return np.asarray(table / np.sqrt((table**2).mean(axis=1, keepdims=True)))


def _spiky(tables: Values, rng: np.random.Generator) -> Values:
    """Outlines with 2 to 5 pointed processes, as fibroblasts have."""
    for _ in range(5):
        at = rng.uniform(-np.pi, np.pi, (len(tables), 1))
        away = np.abs((ANGLES - at + np.pi) % (2 * np.pi) - np.pi)
        height = rng.uniform(0.4, 2.5, (len(tables), 1)) * (rng.random((len(tables), 1)) < 0.5)
        tables = tables + height * np.exp(-away / rng.uniform(0.12, 0.4, (len(tables), 1)))
    return np.asarray(tables / np.sqrt((tables**2).mean(axis=1, keepdims=True)))


def _draw_arms(arms: Values, shape: str, radii: Values, rng: np.random.Generator) -> None:
    n = len(radii)
    length, width = ARMED_SHAPES[shape]
    present = rng.random((n, ARMS)) < 0.7
    arms[:, :, 0] = rng.uniform(-np.pi, np.pi, (n, ARMS))
    arms[:, :, 1] = present * rng.uniform(*length, (n, ARMS)) * radii[:, None]
    arms[:, :, 2] = np.maximum(rng.uniform(*width, (n, ARMS)) * radii[:, None], 1.2)
    arms[:, :, 3] = rng.normal(0, 0.2, (n, ARMS))


def _draw_rods(outlines: Outlines, radii: Values, long: bool, rng: np.random.Generator) -> None:
    rows, n = outlines.rows, len(radii)
    aspect = np.exp(rng.uniform(np.log(6.0 if long else 1.4), np.log(24.0 if long else 6.0), n))
    # Area of a capsule of half width b and half length aspect * b.
    half = radii * np.sqrt(np.pi / (4 * (aspect - 1) + np.pi))
    rows[:, WIDTH], rows[:, LENGTH] = half, half * aspect
    rows[:, BEND] = rng.normal(0, 0.15 if long else 0.08, n)
    rows[:, WAVE] = np.abs(rng.normal(0, 0.06, n)) if long else 0
    rows[:, PHASE] = rng.uniform(0, 2 * np.pi, n)
    rows[:, KIND] = ROD
    rows[:, EXTENT] = rows[:, LENGTH] * 1.15 + half


def _draw_spindles(outlines: Outlines, shape: str, radii: Values, rng: np.random.Generator) -> None:
    rows, n = outlines.rows, len(radii)
    (shortest, longest), (thin, thick) = SPINDLES[shape]
    aspect = np.exp(rng.uniform(np.log(shortest), np.log(longest), n))
    rows[:, POINTED] = rng.uniform(thin, thick, n)
    half = radii * np.sqrt(np.pi / 4 * (rows[:, POINTED] + 1) / rows[:, POINTED] / aspect)
    rows[:, WIDTH], rows[:, LENGTH] = half, half * aspect
    rows[:, BEND] = rng.normal(0, 0.15, n)
    rows[:, WAVE] = np.abs(rng.normal(0, 0.03, n))
    rows[:, PHASE] = rng.uniform(0, 2 * np.pi, n)
    rows[:, KIND] = SPINDLE
    rows[:, EXTENT] = rows[:, LENGTH] * 1.15 + half


@njit(cache=True, fastmath=True)
def distance(dy: float, dx: float, row: Any, table: Any, arms: Any) -> float:
    """Distance function of a point at (dy, dx) from the centre: 0 at the centre, 1 on the outline."""
    result: float
    u = row[COS] * dx + row[SIN] * dy
    v = row[COS] * dy - row[SIN] * dx
    kind = int(row[KIND])
    if kind in (RADIAL, ARMED):
        result = _radial(u, v, row, table, arms)
        return result
    length, width = row[LENGTH], row[WIDTH]
    along = u / length
    turn = 3 * math.pi
    v -= length * (row[BEND] * along * along + row[WAVE] * (math.sin(turn * along + row[PHASE]) - math.sin(row[PHASE])))
    # Across the curve, not across its axis.
    slope = 2 * row[BEND] * along + turn * row[WAVE] * math.cos(turn * along + row[PHASE])
    v = abs(v) / math.sqrt(1 + slope * slope)
    if kind == ROD:
        beyond = max(abs(u) - (length - width), 0.0)
        result = math.sqrt(beyond * beyond + v * v) / width
        return result
    if abs(along) >= 1:
        result = abs(along) + v / width
        return result
    result = max(abs(along), v / (width * (1 - abs(along) ** row[POINTED]) + 0.3))
    return result


@njit(cache=True, fastmath=True)
def _radial(u: float, v: float, row: Any, table: Any, arms: Any) -> float:
    sy, sx = v / row[WIDTH], u / row[LENGTH]
    around = abs(sy) / (abs(sx) + abs(sy) + 1e-9)
    if sx < 0:
        around = 2 - around
    if sy < 0:
        around = 4 - around
    place = around * (TABLE / 4)
    low = int(place)
    part = place - low
    outline = (1 - part) * table[low % TABLE] + part * table[(low + 1) % TABLE]
    result: float = math.sqrt(sy * sy + sx * sx) / outline
    if int(row[KIND]) == ARMED:
        for k in range(ARMS):
            reach = arms[k, 1]
            if reach <= 0:
                continue
            c, s = math.cos(arms[k, 0]), math.sin(arms[k, 0])
            along, across = (c * u + s * v) / reach, c * v - s * u
            if 0 < along < 1:
                across = abs(across - reach * arms[k, 3] * along * along)
                result = min(result, across / (arms[k, 2] * (1.3 - 0.8 * along)))
    return result
