"""Packs annotated images for a machine that takes little: large objects are shrunk, all is compressed.

python -m tests.bench.pack_training_data DATA FILE.tar
"""

from __future__ import annotations

import argparse
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from cellspan.core.objects.labels import as_labels, median_diameter, resize_labels
from cellspan.core.pictures.images import read_image, read_labels, resize
from cellspan.core.training.pairs import Pair, find_pairs

LARGEST = 36.0  # pixels: median diameter beyond which an image is shrunk; models work at 20 to 30
MOST = 60_000_000  # bytes


def pack(data: Path, archive: Path) -> None:
    """Write the annotated planes below `data`, each as <id>_img.tif and <id>_masks.tif, into one archive."""
    with tempfile.TemporaryDirectory() as folder, tarfile.open(archive, "w") as tar:
        for pair in find_pairs(data):
            below = pair.image.relative_to(data).with_suffix("")
            target = Path(folder) / below
            target.parent.mkdir(parents=True, exist_ok=True)
            _write(pair, target.with_name(target.name.removesuffix("_img")))
        tar.add(folder, arcname=".")
    size = archive.stat().st_size
    print(f"{archive}: {size / 1e6:.0f} MB" + ("" if size < MOST else f", which is more than {MOST / 1e6:.0f} MB"))


def _write(pair: Pair, stem: Path) -> None:
    try:
        image, labels = read_image(pair.image), as_labels(read_labels(pair.masks))
    except Exception as error:  # noqa: BLE001 - stacks are not learnt from
        print(f"{pair.image.name} is left out: {error}")
        return
    channels = image.channels
    factor = LARGEST / max(median_diameter(labels), LARGEST)
    if factor < 1:
        shape = (round(labels.shape[0] * factor), round(labels.shape[1] * factor))
        channels = resize(channels.astype(np.float32), shape).astype(channels.dtype)
        labels = resize_labels(labels, shape)
    channels = np.stack([_in_8_bits(plane) for plane in channels])
    colours = {"photometric": "rgb"} if image.is_rgb else {"photometric": "minisblack", "metadata": {"axes": "CYX"}}
    pixels = np.moveaxis(channels, 0, -1) if image.is_rgb else channels
    tifffile.imwrite(f"{stem}_img.tif", pixels, compression="zlib", predictor=True, **colours)
    tifffile.imwrite(f"{stem}_masks.tif", labels.astype(np.uint16), compression="zlib")


def _in_8_bits(plane: NDArray[Any]) -> NDArray[np.uint8]:
    """Training maps percentiles to 0 and 1 anyway, and 256 steps are finer than the noise of a camera."""
    if plane.dtype == np.uint8:
        return plane
    low, high = np.percentile(plane, (0.1, 99.9))
    return (np.clip((plane - low) / max(high - low, 1e-9), 0, 1) * 255).round().astype(np.uint8)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("archive", type=Path)
    pack(**vars(parser.parse_args()))
