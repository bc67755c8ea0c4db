"""Trains StarDist in its default 2D configuration for some seconds of CPU time and segments images.

python stardist_worker.py JOB.json      (written by against_stardist.py)
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import imageio.v3 as imageio
import keras
import numpy as np
import tifffile
from csbdeep.utils import normalize
from stardist import fill_label_holes
from stardist.models import Config2D, StarDist2D

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


def read(path: str) -> np.ndarray:
    """Pixels (Y, X), colours as luminance."""
    pixels = tifffile.imread(path) if path.endswith((".tif", ".tiff")) else imageio.imread(path)
    return pixels[..., :3] @ LUMINANCE if pixels.ndim == 3 else pixels


def image_of(path: str) -> np.ndarray:
    """As StarDist's examples do it: percentiles 1 and 99.8 become 0 and 1."""
    return normalize(read(path).astype(np.float32), 1, 99.8)


class Budget(keras.callbacks.Callback):
    """Ends the training when so many seconds of CPU time are spent."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        if time.process_time() > self.seconds:
            self.model.stop_training = True


def padded(image: np.ndarray, labels: np.ndarray, side: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """At least as large as StarDist's patches."""
    room = [(0, max(0, side - length)) for length in image.shape]
    return np.pad(image, room), np.pad(labels, room)


def main() -> None:
    """Train, choose thresholds on training images, segment the validation images."""
    job = json.loads(Path(sys.argv[1]).read_text())
    folder = Path(job["folder"])
    train = [padded(image_of(i), fill_label_holes(read(m).astype(np.int32))) for i, m in job["train"]]
    images, labels = ([pair[k] for pair in train] for k in (0, 1))
    # Some of the training images choose the checkpoint, as its validation set.
    chosen = np.linspace(0, len(train) - 1, min(12, len(train))).round().astype(int)
    held = [images[k] for k in chosen], [labels[k] for k in chosen]
    model = StarDist2D(Config2D(train_tensorboard=False), name="model", basedir=str(folder))
    model.prepare_for_training()
    model.callbacks.append(Budget(job["seconds"]))

    def augment(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turns, mirrors, brightness and noise, as in StarDist's example notebook."""
        turns, mirror = np.random.randint(4), np.random.rand() < 0.5
        x, y = np.rot90(x, turns), np.rot90(y, turns)
        if mirror:
            x, y = x[:, ::-1], y[:, ::-1]
        x = x * np.random.uniform(0.6, 2) + np.random.uniform(-0.2, 0.2)
        return x + 0.02 * np.random.uniform(0, 1) * np.random.normal(0, 1, x.shape), y

    model.train(images, labels, validation_data=held, augmenter=augment)
    print(f"StarDist trained for {time.process_time():.0f} s of CPU time", flush=True)
    model.optimize_thresholds(*held)
    for source, pairs in job["val"].items():
        (folder / source).mkdir(exist_ok=True)
        for path, _ in pairs:
            found, _ = model.predict_instances(image_of(path))
            np.save(folder / source / f"{Path(path).stem}.npy", found.astype(np.int32))


if __name__ == "__main__":
    main()
