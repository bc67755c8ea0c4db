"""Images and their ROIs become files to train on: planes of stacks, chosen channels, colours."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.reading import read_image
from cellspan.core.training.data import labels_of
from cellspan.core.training.pairs import find_pairs
from cellspan.fiji_bridge import connect, image_to_imagej, rois_to_imagej
from cellspan.fiji_bridge.training import write_examples

folder = Path(sys.argv[1])
imagej = connect()
labels = np.zeros((2, 3, 20, 30), np.int32)
labels[0, 1, 2:9, 2:9] = 1
labels[1, 2, 5:9, 20:29] = 1
labels[1, 2, 10:15, 10:18] = 2
pixels = np.random.default_rng(0).integers(0, 60_000, (2, 3, 3, 20, 30), dtype=np.uint16)  # TZCYX
image = image_to_imagej(pixels, "lapse é.tif", axes="TZCYX")
rois_to_imagej(labels, image, to="overlay")

write_examples(image, image.getOverlay(), folder / "planes", channel=2, nuclei_channel=0)
pairs = find_pairs(folder / "planes")
assert [pair.image.name for pair in pairs] == ["lapse_é_t0001_z0002.tif", "lapse_é_t0002_z0003.tif"]
for pair, (t, z) in zip(pairs, ((0, 1), (1, 2)), strict=True):
    np.testing.assert_array_equal(read_image(pair.image).channels, pixels[t, z][[2, 0]])
    np.testing.assert_array_equal(labels_of(pair, (20, 30)), labels[t, z])

everywhere = imagej.java_class("ij.gui.Overlay")(imagej.java_class("ij.gui.Roi")(1, 1, 5, 5))
with pytest.raises(CellspanError, match="belongs to no plane"):
    write_examples(image, everywhere, folder / "none")
everywhere.get(0).setPosition(0, 2, 0)  # slice 2 of every frame
with pytest.raises(CellspanError, match="belongs to no plane"):
    write_examples(image, everywhere, folder / "none")
with pytest.raises(CellspanError, match="no channel 7"):
    write_examples(image, image.getOverlay(), folder / "none", channel=7)

# Slices alone have plain positions; colours stay colours.
slices = image_to_imagej(pixels[0, :, 0], "stack", axes="ZYX")
rois_to_imagej(labels[0], slices, to="overlay")
colours = np.random.default_rng(1).integers(0, 255, (20, 30, 3), dtype=np.uint8)
picture = image_to_imagej(colours, "colours.png")
rois_to_imagej(labels[1, 2], picture, to="overlay")
write_examples([slices, picture], [slices.getOverlay(), picture.getOverlay()], folder / "two")
first, second = find_pairs(folder / "two")
assert (first.image.name, second.image.name) == ("colours.tif", "stack_z0002.tif")
read = read_image(first.image)
assert read.is_rgb
np.testing.assert_array_equal(read.channels, np.moveaxis(colours, 2, 0))
np.testing.assert_array_equal(read_image(second.image).channels[0], pixels[0, 1, 0])
np.testing.assert_array_equal(labels_of(second, (20, 30)), labels[0, 1])

# So have frames alone.
frames = image_to_imagej(pixels[:, 0, 0], "frames", axes="TYX")
rois_to_imagej(labels[:, 2], frames, to="overlay")
write_examples(frames, frames.getOverlay(), folder / "frames")
assert [pair.image.name for pair in find_pairs(folder / "frames")] == ["frames_t0002.tif"]
frames.getOverlay().get(0).setPosition(5)
with pytest.raises(CellspanError, match="is on slice 1 and frame 5, but the image has"):
    write_examples(frames, frames.getOverlay(), folder / "none")

# A later image joins those that are there.
write_examples(picture, picture.getOverlay(), folder / "planes")
assert len(find_pairs(folder / "planes")) == 3
