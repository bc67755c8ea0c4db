"""Blocks: parts of a volume's grid whose flows are followed one after the other, and the objects on their borders.

Each block sees a halo around its core. Two neighbours have both segmented what lies around the border between them, so
an object there is known to both: where the two agree they are one object (union-find).
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cellspan.core.objects.labels import Labels
from cellspan.core.objects.metrics import intersection_over_union
from cellspan.core.volumes.resampling import Box

CORE = 224  # grid voxels along each side of a block, without its halo: 1.5 GB of memory
HALO = 48  # grid voxels, more than one and a half typical objects
SINGLE = 40_000_000  # grid voxels; smaller volumes are one block (2 GB of memory)
AGREEMENT = 0.5  # IoU in the region that two blocks share from which two objects are one


@dataclass(frozen=True)
class Block:
    """One part of the grid: the core that it is responsible for, and the whole that it sees."""

    number: tuple[int, int, int]  # its place among the blocks along z, y, x
    core: Box
    whole: Box

    def within(self, box: Box) -> Box:
        """A box of the grid in coordinates of this block's whole."""
        z, y, x = (slice(b.start - w.start, b.stop - w.start) for b, w in zip(box, self.whole, strict=True))
        return z, y, x


def plan_blocks(shape: tuple[int, int, int], core: int | None = None) -> list[Block]:
    """Blocks in reading order; one for all if the grid is small and no side of cores is given."""
    if core is None and np.prod(shape, dtype=np.int64) <= SINGLE:
        core = max(shape)
    edges = [_edges(size, core or CORE) for size in shape]
    blocks = []
    for number in itertools.product(*(range(len(edge) - 1) for edge in edges)):
        cores = [slice(edge[n], edge[n + 1]) for edge, n in zip(edges, number, strict=True)]
        wholes = [slice(max(0, c.start - HALO), min(s, c.stop + HALO)) for c, s in zip(cores, shape, strict=True)]
        blocks.append(Block((number[0], number[1], number[2]), _box(cores), _box(wholes)))
    return blocks


def _edges(size: int, core: int) -> list[int]:
    count = max(1, round(size / core))
    return [size * i // count for i in range(count + 1)]


def _box(slices: list[slice]) -> Box:
    z, y, x = slices
    return z, y, x


class Borders:
    """Which objects of neighbouring blocks are one; keeps on disk what later neighbours will be compared with."""

    def __init__(self, blocks: list[Block]) -> None:
        """For all blocks of one volume, which are then added in their order."""
        self._blocks = {block.number: block for block in blocks}
        self._folder = tempfile.TemporaryDirectory(prefix="cellspan-borders-")
        self._pairs: list[NDArray[np.int64]] = []

    def __enter__(self) -> Borders:
        """Use it in a `with` block."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Delete what was kept."""
        self._folder.cleanup()

    def add(self, block: Block, labels: Labels) -> None:
        """The labels of a block's whole, with numbers that no other block has."""
        for axis, earlier, shared in self._neighbours(block, -1):
            file = self._file(earlier, axis)
            with np.load(file) as kept:
                self._compare(kept["labels"], labels[block.within(shared)])
            file.unlink()
        for axis, _, shared in self._neighbours(block, +1):
            np.savez_compressed(self._file(block, axis), labels=labels[block.within(shared)])

    def roots(self, count: int) -> NDArray[np.int32]:
        """For each of the numbers 0..count, that of the object to which it belongs: 0, 1..n."""
        pairs = np.concatenate([np.zeros((0, 2), np.int64), *self._pairs])
        links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(count + 1, count + 1))
        _, roots = connected_components(links, directed=False)
        # Component numbers ascend with their first members, and nothing is linked to the background.
        return roots.astype(np.int32)

    def _neighbours(self, block: Block, step: int) -> Iterator[tuple[int, Block, Box]]:
        """The next block along each axis, backwards or forwards, and the part of the grid that both have seen."""
        for axis in range(3):
            number = list(block.number)
            number[axis] += step
            other = self._blocks.get((number[0], number[1], number[2]))
            if other is not None:
                shared = [
                    slice(max(a.start, b.start), min(a.stop, b.stop))
                    for a, b in zip(block.whole, other.whole, strict=True)
                ]
                yield axis, other, _box(shared)

    def _file(self, block: Block, axis: int) -> Path:
        return Path(self._folder.name) / f"{'_'.join(map(str, block.number))}_{axis}.npz"

    def _compare(self, one: Labels, other: Labels) -> None:
        names_one, names_other = (np.unique(labels[labels > 0]) for labels in (one, other))
        iou = intersection_over_union(one, other)
        rows, columns = iou.nonzero()
        same = iou.data >= AGREEMENT
        self._pairs.append(np.stack([names_one[rows[same]], names_other[columns[same]]], 1).astype(np.int64))
