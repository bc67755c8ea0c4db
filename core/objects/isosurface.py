"""The surface on which a volume of numbers has a given value: its area, and how much it encloses.

By marching cubes (Lorensen and Cline 1987, doi 10.1145/37402.37422): in each cube of eight voxels the surface runs
through the edges with one end above the value and one below.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.machine.compiled import njit

CORNERS = np.array([(z, y, x) for z in (0, 1) for y in (0, 1) for x in (0, 1)])
EDGES = np.array([(p, q) for p in range(8) for q in range(p) if bin(p ^ q).count("1") == 1])


def isosurface(values: NDArray[np.float32], level: float, steps: NDArray[np.float64]) -> tuple[float, float]:
    """Area of the surface between what is above `level` in (Z, Y, X) and what is not, and the volume that is above.

    Voxels lie `steps` apart. The faces of the array must be below the level, so that the surface is closed.
    """
    area, volume = _measured(values, level, steps, POLYGONS)
    return float(area), abs(float(volume))


def _faces() -> list[list[int]]:
    """The corners of each face of the cube, all turning the same way seen from outside."""
    faces = []
    for axis in range(3):
        bits = [4 >> (axis + 1) % 3, 4 >> (axis + 2) % 3]
        around = [0, bits[0], bits[0] + bits[1], bits[1]]
        faces += [around[::-1], [corner + (4 >> axis) for corner in around]]
    return faces


def _polygons() -> NDArray[np.int8]:
    """For each of the 256 ways in which corners can be above: the edges that polygons cross, in turn.

    Each polygon ends with -1, and the list with another. Two opposite corners of a face that are above hang together.
    """
    numbers = {frozenset(edge): k for k, edge in enumerate(EDGES.tolist())}
    table = np.full((256, 18), -1, np.int8)
    for case in range(256):
        after: dict[int, int] = {}
        for face in _faces():
            above = [bool(case >> corner & 1) for corner in face]
            edges = [numbers[frozenset((face[i], face[i - 3]))] for i in range(4)]
            for i in range(4):
                if above[i] and not above[i - 3]:  # out here, and in again at the next chance
                    back = next(j % 4 for j in range(i + 1, i + 4) if above[(j + 1) % 4])
                    after[edges[i]] = edges[back]
        row: list[int] = []
        while after:
            start, end = after.popitem()
            row += [start, end]
            while (end := after.pop(end)) != start:
                row.append(end)
            row.append(-1)
        table[case, : len(row)] = row
    return table


POLYGONS = _polygons()


@njit
def _measured(values: Any, level: float, steps: Any, polygons: Any) -> Any:
    area = volume = 0.0
    heights, points = np.empty(8), np.empty((12, 3))
    for z in range(values.shape[0] - 1):
        for y in range(values.shape[1] - 1):
            for x in range(values.shape[2] - 1):
                case = 0
                for k in range(8):
                    heights[k] = values[z + CORNERS[k, 0], y + CORNERS[k, 1], x + CORNERS[k, 2]] - level
                    case += (heights[k] > 0) << k
                i = 0
                while polygons[case, i] >= 0:
                    count = 0
                    while polygons[case, i] >= 0:
                        first, second = EDGES[polygons[case, i]]
                        part = heights[first] / (heights[first] - heights[second])
                        for k in range(3):
                            near, far = CORNERS[first, k], CORNERS[second, k]
                            points[count, k] = ((z, y, x)[k] + near + part * (far - near)) * steps[k]
                        count, i = count + 1, i + 1
                    i += 1
                    for last in range(2, count):
                        side, cone = _triangle(points[0], points[last - 1], points[last])
                        area += side
                        volume += cone
    return area, volume


@njit
def _triangle(a: Any, b: Any, c: Any) -> Any:
    """A triangle's area, and the signed volume between it and the origin."""
    normal = np.cross(b - a, c - a)
    return np.sqrt((normal * normal).sum()) / 2, (normal * a).sum() / 6
