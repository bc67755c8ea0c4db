"""The final numbers of a volume's objects: 1..n in reading order, without what the parameters refuse.

The volume is read slab by slab, so that one in memory and one on disk get the same numbers from the same code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.machine.cancelling import checkpoint
from cellspan.core.machine.compiled import njit
from cellspan.core.objects.boundaries import border_pixels
from cellspan.core.objects.labels import Labels, renumbered_by
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Mask

SLAB = 16  # slices that are in memory at once; results on disk are stored in chunks as thick


@dataclass(frozen=True)
class Tally:
    """What decides on each of the objects 0..n, where 0 is the background; arrays (n + 1,)."""

    sizes: NDArray[np.int64]  # voxels
    touching: NDArray[np.bool_]  # whether it reaches a face of the volume
    order: NDArray[np.int32]  # 1 for the object that comes first in reading order, 2 for the next; 0 = no voxel

    def numbers(self, parameters: Parameters) -> NDArray[np.int32]:
        """For each object its final number, 0 if the parameters refuse it."""
        most = parameters.max_size_fraction * self.sizes.sum()
        wanted = (self.sizes >= max(parameters.min_size, 1)) & (self.sizes <= most)
        if parameters.exclude_on_edges:
            wanted &= ~self.touching
        wanted[0] = False
        kept = np.flatnonzero(wanted)
        numbers = np.zeros(len(self.sizes), np.int32)
        numbers[kept[np.argsort(self.order[kept])]] = np.arange(1, len(kept) + 1)
        return numbers


def number_objects(labels: Any, roots: NDArray[np.int32], parameters: Parameters, mask: Mask | None = None) -> int:
    """Number the objects of labels (Z, Y, X), an array or one on disk, in place; how many there are.

    `roots` gives for each label the object that it belongs to: 0 = background, 1..n. Objects at the border of the mask
    count as those at a face of the volume. Raises Cancelled between slabs.
    """
    numbers = tally(labels, roots, mask).numbers(parameters)[roots]
    for z, slab in _slabs(labels):
        labels[z : z + len(slab)] = renumbered_by(slab, numbers)
    return int(numbers.max(initial=0))


def tally(labels: Any, roots: NDArray[np.int32], mask: Mask | None = None) -> Tally:
    """Sizes, contact with the faces and order of the objects of labels (Z, Y, X); see `number_objects`."""
    count = int(roots.max(initial=0)) + 1
    found = Tally(np.zeros(count, np.int64), np.zeros(count, bool), np.zeros(count, np.int32))
    last = 0  # place in the order so far
    for z, slab in _slabs(labels):
        last = _add(slab.ravel(), roots, last, found.sizes, found.order)
        faces = [slab[:, (0, -1)], slab[:, :, (0, -1)], *([slab[0]] if z == 0 else [])]
        faces += [slab[-1]] if z + len(slab) == labels.shape[0] else []
        if mask is not None:
            faces.append(slab[_border(mask, z, z + len(slab))])
        for face in faces:
            found.touching[roots[face]] = True
    return found


def _border(mask: Mask, start: int, stop: int) -> Mask:
    """The border of the mask in these slices; the slices beside them tell where it ends along z."""
    before = min(start, 1)
    return border_pixels(mask[start - before : stop + 1])[before : before + stop - start]


def _slabs(labels: Any) -> Iterator[tuple[int, Labels]]:
    """The first slice of each slab, and its voxels."""
    for z in range(0, labels.shape[0], SLAB):
        checkpoint()
        yield z, np.ascontiguousarray(labels[z : z + SLAB], np.int32)


@njit
def _add(labels: Any, roots: Any, last: int, sizes: Any, order: Any) -> int:
    """Add the voxels of a slab to those of their objects; new ones come after `last`. The last place then."""
    for label in labels:
        root = roots[label]
        sizes[root] += 1
        if root and order[root] == 0:
            last += 1
            order[root] = last
    return last
