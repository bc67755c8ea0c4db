"""A volume from voxels to labels: the network on slices along three axes, dynamics in 3D, block by block."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter

from cellspan.core.dynamics.labelling import flows_to_labels
from cellspan.core.dynamics.steps import NOWHERE
from cellspan.core.inference.expectation import in_words, seconds_for
from cellspan.core.machine.cancelling import abandonable
from cellspan.core.models.sizing import magnification
from cellspan.core.objects.labels import Labels, diameters
from cellspan.core.objects.stitching import stitch
from cellspan.core.objects.within import cut_to
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Floats, Image, Mask
from cellspan.core.pictures.normalise import CONSTANT
from cellspan.core.pictures.volume import Volume
from cellspan.core.volumes.blocks import Block, Borders, plan_blocks
from cellspan.core.volumes.intensities import Intensities
from cellspan.core.volumes.numbering import number_objects
from cellspan.core.volumes.resampling import Axis, Box, Grid
from cellspan.core.volumes.restoring import channels_to_restore, restore_volume, restored_store
from cellspan.core.volumes.slices import SPACING, predict_slices, sampled_styles
from cellspan.core.volumes.store import output_store, slab_thickness

if TYPE_CHECKING:
    from cellspan.core.planes.pipeline import PlanePipeline

OnProgress = Callable[[float, str], None]
SIZING_SLICES = 5  # in which the diameter is measured
NETWORK = 0.9  # of the progress
RESTORING = 0.3  # of the progress, where the volume is restored first
NO_SPACING = "The file does not say how far its slices are apart; cubic voxels are assumed (set anisotropy)."


@dataclass
class Found:
    """Where the results go, part by part; arrays of the image's shape in memory or on disk."""

    labels: Any  # (Z, Y, X), integers
    flows: Any = None  # (3, Z, Y, X) in 3D, (2, Z, Y, X) slice by slice, or None if not asked for
    probability: Any = None  # (Z, Y, X), or None
    diameter: float = 0.0
    styles: list[Floats] = field(default_factory=list)
    count: int = 0
    anisotropy: float = 1.0
    restored: Any = None  # (C, Z, Y, X), the channels that are looked at, or None if not asked for
    notes: list[str] = field(default_factory=list)


class VolumeTask:
    """One volume, one model, one set of parameters."""

    def __init__(self, pipeline: PlanePipeline, volume: Volume, parameters: Parameters, report: OnProgress) -> None:
        """Reads a sample of the volume; raises CellspanError for what cannot be segmented."""
        self._pipeline, self._volume, self._parameters, self._report = pipeline, volume, parameters, report
        self._model = pipeline.model.description
        self._intensities = Intensities(volume, parameters, self._model.apart, self._model.sees_nuclei)
        self.notes = list(self._intensities.notes)
        if self._intensities.is_flat:
            self.notes.append(CONSTANT)
        self.anisotropy = parameters.anisotropy or volume.anisotropy or 1.0
        if parameters.do_3d and parameters.anisotropy is None and volume.anisotropy is None:
            self.notes.append(NO_SPACING)

    def run(self, found: Found, core: int | None = None) -> None:
        """Fill `found`; `core` is the side of blocks in grid voxels, None = as the memory allows."""
        if self._parameters.restore is not None:
            self._run_restored(found, core)
            return
        found.diameter = self._parameters.diameter or self.measured_diameter()
        if self._parameters.do_3d:
            self._run_3d(found, core)
        else:
            self._run_stitched(found)
        found.notes, found.anisotropy = self.notes + list(self._pipeline.notes), self.anisotropy

    def _run_restored(self, found: Found, core: int | None) -> None:
        """Restore the volume for the diameter of its objects as it is, then find them."""
        about, parameters = self._model, self._parameters
        diameter = parameters.diameter or (None if about.rules.any_size else self.measured_diameter())
        restorer, seen_as = self._pipeline.restorer(parameters), (about.apart, about.sees_nuclei)
        count = channels_to_restore(self._volume, parameters, *seen_as)
        kept = found.restored
        with restored_store(count, self._volume.shape) if kept is None else nullcontext(kept) as store:

            def first(part: float, words: str) -> None:
                self._report(RESTORING * part, words)

            volume, seen, notes = restore_volume(self._volume, parameters, restorer, diameter, store, first, *seen_as)

            def then(part: float, words: str) -> None:
                self._report(RESTORING + (1 - RESTORING) * part, words)

            VolumeTask(self._pipeline, volume, seen.model_copy(update={"restore": None}), then).run(found, core)
        found.notes = list(dict.fromkeys([*self.notes, *notes, *found.notes]))

    # ---- the diameter

    def measured_diameter(self) -> float:
        """The median diameter of what is found in a few slices, on the volume's scale of intensities.

        The model's own where nothing is resized to it, or where there is nothing to see.
        """
        if self._model.rules.any_size or self._intensities.is_flat:
            return self._model.mean_diameter
        _, height, width = self._volume.shape
        mask = self._volume.mask
        apart = self._model.apart is not None  # then the planes are all that the network sees, in its order
        nuclei = None if self._parameters.nuclei_channel is None or apart else 1
        done = {"channel": None if apart else 0, "nuclei_channel": nuclei}
        # As in 2D, what the user wants to see of the objects does not change the diameter that is measured on them.
        plain = {
            "restore": None,
            "do_3d": False,
            "stitch_threshold": 0.0,
            "exclude_on_edges": False,
            "min_size": Parameters().min_size,
        }
        single = self._parameters.unscaled(**done, **plain)
        sizes, estimates = [], []
        slices = np.arange(self._volume.shape[0]) if mask is None else np.flatnonzero(mask.any(axis=(1, 2)))
        places = np.linspace(0, len(slices) - 1, min(len(slices), SIZING_SLICES) + 2).round().astype(int)[1:-1]
        for z in slices[np.unique(places)]:
            self._report(0.0, f"measuring the diameter in slice {z + 1}")
            planes = self._intensities.planes((slice(int(z), int(z) + 1), slice(0, height), slice(0, width)))
            plane = Image(planes[:, 0], mask=None if mask is None else mask[z])
            result = self._pipeline.segment(plane, single, lambda part, words: None)
            sizes.append(diameters(result.labels))
            estimates.append(result.diameter)
        pooled = np.concatenate(sizes)
        return float(np.median(pooled if pooled.size else estimates))

    # ---- as one volume

    def _grid(self, diameter: float) -> Grid:
        """Cubic voxels at the magnification that the network knows."""
        factor = magnification(self._model.mean_diameter, diameter)
        factors = (factor * self.anisotropy, factor, factor)
        z, y, x = (Axis(n, max(1, round(n * f))) for n, f in zip(self._volume.shape, factors, strict=True))
        return Grid(z, y, x)

    def _run_3d(self, found: Found, core: int | None) -> None:
        grid = self._grid(found.diameter)
        blocks = plan_blocks(grid.shape, core)
        with output_store(grid.shape, on_disk=len(blocks) > 1) as outputs:
            self._run_network(found, grid, blocks, outputs)
            last = 0  # number of the objects so far
            with Borders(blocks) as borders:
                for k, block in enumerate(blocks):
                    self._report(NETWORK + (0.99 - NETWORK) * k / len(blocks), "following the flows")
                    part = np.asarray(outputs[(slice(None), *block.whole)], np.float32)
                    labels = self._labels_of(part, self._inside(grid, block.whole))
                    labels[labels > 0] += last
                    last = max(last, int(labels.max(initial=0)))
                    borders.add(block, labels)
                    self._put(found, grid, block, labels, part)
                roots = borders.roots(last)
        self._report(0.99, "numbering the objects")
        found.count = number_objects(found.labels, roots, self._parameters, self._volume.mask)

    def _run_network(self, found: Found, grid: Grid, blocks: list[Block], outputs: Any) -> None:
        """Fill the outputs on the grid."""
        self._report(0.0, f"looking at the whole volume{self._expectation(grid.shape)}")
        whole = self._intensities.on_grid(grid, blocks[0].whole) if len(blocks) == 1 else None

        def slab(box: Box) -> Floats:
            return self._intensities.on_grid(grid, box) if whole is None else whole[(slice(None), *box)]

        styles = sampled_styles(self._pipeline.predictor, slab, grid.shape)
        found.styles = list(styles)
        slices = sum(grid.shape)
        predict_slices(
            self._pipeline.predictor,
            slab,
            outputs,
            styles,
            self._parameters,
            lambda part: self._report(
                NETWORK * part, f"running the network on slice {round(part * slices)} of {slices}"
            ),
            None if whole is not None else slab_thickness(grid.shape),
        )

    def _expectation(self, shape: tuple[int, int, int]) -> str:
        """How long the network will take, where that is worth a word."""
        about, device, parameters = self._model, self._pipeline.predictor.device, self._parameters
        seconds = 0.0
        for axis, count in enumerate(shape):
            height, width = (side for other, side in enumerate(shape) if other != axis)
            looks = count if parameters.augment else -(-count // SPACING)
            seconds += looks * seconds_for(about, device, (height, width), parameters.tile_overlap, parameters.augment)
        return f" (the network will take {in_words(seconds)} on this processor)" if seconds >= 1 else ""

    def _inside(self, grid: Grid, box: Box) -> Mask | None:
        """The mask on a part of the grid."""
        if self._volume.mask is None:
            return None
        return np.asarray(grid.resampled(self._volume.mask[grid.region(box)].astype(np.float32), box) >= 0.5)

    def _labels_of(self, outputs: Floats, inside: Mask | None) -> Labels:
        """Objects on a block's grid; sizes are judged when all blocks are joined."""
        if self._parameters.smooth_flows > 0:
            for component in outputs[:3]:
                abandonable(partial(gaussian_filter, component, self._parameters.smooth_flows, output=component))
        everything = self._parameters.model_copy(
            update={"min_size": 0, "max_size_fraction": 1.0, "exclude_on_edges": False}
        )
        probability = outputs[3] if inside is None else np.where(inside, outputs[3], np.float32(NOWHERE))
        return flows_to_labels(outputs[:3], probability, everything, self._model.mean_diameter)

    def _put(self, found: Found, grid: Grid, block: Block, labels: Labels, outputs: Floats) -> None:
        """Write the core of a block at the voxels of the image, a few slices at a time."""
        for z in grid.slabs(block.core):
            image = grid.part((z, *block.core[1:]))
            here = grid.labels_at(labels, block.whole, image)
            found.labels[image] = here if self._volume.mask is None else cut_to(here, self._volume.mask[image])
            if found.probability is not None:
                found.probability[image] = grid.values_at(outputs[3], block.whole, image)
            if found.flows is not None:
                found.flows[(slice(None), *image)] = grid.values_at(outputs[:3], block.whole, image)

    # ---- slice by slice

    def _run_stitched(self, found: Found) -> None:
        joined = stitch(self._planes(found), self._parameters.stitch_threshold)
        last = 0
        for z, labels in enumerate(joined):
            found.labels[z] = labels
            last = max(last, int(labels.max(initial=0)))
        roots = np.arange(last + 1, dtype=np.int32)
        found.count = number_objects(found.labels, roots, self._parameters, self._volume.mask)

    def _planes(self, found: Found) -> Iterator[Labels]:
        """The labels of one slice after the other."""
        depth, height, width = self._volume.shape
        found.styles = styles = []  # empty again: after a full device the work starts from the beginning
        for z in range(depth):

            def report(part: float, words: str, z: int = z) -> None:
                self._report(0.95 * (z + part) / depth, f"slice {z + 1} of {depth}: {words}")

            planes = self._intensities.planes((slice(z, z + 1), slice(0, height), slice(0, width)))[:, 0]
            mask = None if self._volume.mask is None else self._volume.mask[z]
            labels, outputs, style = self._pipeline.segment_planes(
                planes, self._parameters, found.diameter, report, mask
            )
            styles.append(style)
            if found.probability is not None:
                found.probability[z] = outputs[2]
            if found.flows is not None:
                found.flows[:, z] = outputs[:2]
            yield labels


def segment_volume(
    pipeline: PlanePipeline, volume: Volume, parameters: Parameters, report: OnProgress, core: int | None = None
) -> tuple[Found, float]:
    """All results in memory, and the seconds that they took."""
    started = time.perf_counter()
    shape, along = volume.shape, 3 if parameters.do_3d else 2
    task = VolumeTask(pipeline, volume, parameters, report)
    found = Found(np.zeros(shape, np.int32), np.zeros((along, *shape), np.float32), np.zeros(shape, np.float32))
    if parameters.restore is not None:
        about = pipeline.model.description
        count = channels_to_restore(volume, parameters, about.apart, about.sees_nuclei)
        found.restored = np.zeros((count, *shape), np.float32)
    task.run(found, core)
    report(1.0, "done")
    return found, time.perf_counter() - started
