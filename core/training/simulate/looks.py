"""The look of cells under the microscope: the light of a scene in each contrast, before the camera."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from cellspan.core.pictures.images import Floats
from cellspan.core.training.simulate.cultures import clumps, confluent, faint, macrophages, rings, unequal
from cellspan.core.training.simulate.fringes import yeast
from cellspan.core.training.simulate.layout import Scene
from cellspan.core.training.simulate.light import (
    brightness,
    chromatin,
    count,
    cytoplasm,
    glaring,
    membranes,
    nuclei_with_nucleoli,
    per_cell,
    photographed,
    thickness,
    transmitted,
)
from cellspan.core.training.simulate.neurons import neurons
from cellspan.core.training.simulate.optics import transmission_camera
from cellspan.core.training.simulate.rims import thin_rims
from cellspan.core.training.simulate.textures import blurred, noise, rough_noise
from cellspan.core.training.simulate.tissue import packed, thick_nuclei, two_photon


def fluorescence(scene: Scene, rng: np.random.Generator) -> Floats:
    """A stain of the whole cell: grey values (Y, X)."""
    light = cytoplasm(scene, rng)
    if rng.random() < 0.3:
        light = light + rng.uniform(0.2, 1.5) * membranes(scene, rng) * brightness(scene, 0.3, rng)
    return photographed(light, scene, rng)


def membrane(scene: Scene, rng: np.random.Generator) -> Floats:
    """A stain of the outlines, over a faint cell: grey values (Y, X)."""
    faint = rng.uniform(0, 0.4)
    light = membranes(scene, rng) * brightness(scene, rng.uniform(0.1, 0.5), rng) + faint * cytoplasm(scene, rng)
    return photographed(light, scene, rng)


def tissue(scene: Scene, rng: np.random.Generator) -> Floats:
    """A stain of only some cells of a tissue, with fibres and blurred patches: grey values (Y, X)."""
    values = np.exp(rng.normal(0, 0.5, count(scene))) * (rng.random(count(scene)) < rng.uniform(0.1, 0.9))
    stain = membranes(scene, rng) + rng.uniform(0, 1) * cytoplasm(scene, rng, nuclei_too=False)
    light = stain * (scene.of_cell(per_cell(scene, values)) + rng.uniform(0, 0.3))
    if rng.random() < 0.7:  # structures outside cells: vessels, fibres, other layers
        patches = np.maximum(noise(light.shape, scene.diameter * rng.uniform(1, 5), rng) - rng.uniform(0, 1.5), 0)
        light = light + rng.uniform(0.2, 1.5) * patches * np.maximum(1 + 0.5 * rough_noise(light.shape, 4, rng), 0)
    return photographed(np.asarray(light, np.float32), scene, rng)


def nuclei(scene: Scene, rng: np.random.Generator) -> Floats:
    """A stain of DNA: grey values (Y, X)."""
    return photographed(chromatin(scene, rng), scene, rng)


def nuclear_channel(scene: Scene, cells: Floats, rng: np.random.Generator) -> Floats:
    """The second channel: a stain of DNA, sometimes blurred, weak or with bleed-through from the cells."""
    light = chromatin(scene, rng)
    light[scene.of_cell(per_cell(scene, rng.random(count(scene)) < 0.03)) > 0] *= 0.1  # a few unstained
    if rng.random() < 0.25:
        light = light + rng.uniform(0.05, 0.5) * cells / max(float(np.percentile(cells[::4, ::4], 99)), 1e-6)
    if rng.random() < 0.15:
        light = blurred(light, scene.diameter * float(rng.uniform(0.05, 0.15)))
    return photographed(light, scene, rng)


def phase(scene: Scene, rng: np.random.Generator) -> Floats:
    """Phase contrast: dark cells with a bright halo, thick ones the reverse: grey values (Y, X)."""
    height = thickness(scene, rng)
    # Structures wider than the halo show only at their rim: spread cells are as grey as the medium.
    flat = rng.random() < 0.65
    reach = scene.diameter * float(np.exp(rng.uniform(*np.log((0.04, 0.25) if flat else (0.15, 0.6)))))
    halo = blurred(height, reach) * (rng.uniform(0.85, 1.05) if flat else rng.uniform(0.5, 0.95))
    shift = (height - halo) * np.exp(rng.uniform(*np.log((0.4, 2.5))))
    if rng.random() < 0.5:
        shift = shift + rng.uniform(-0.5, 0.5) * nuclei_with_nucleoli(scene, rng)
    glare = glaring(np.sin(np.clip(shift, -2.5, 2.5)), rng) * (-1 if rng.random() < 0.8 else 1)
    image = glare + rng.normal(0, 0.08) * np.minimum(height, 1.5)
    return transmitted(np.asarray(image, np.float32), scene, rng)


def brightfield(scene: Scene, rng: np.random.Generator) -> Floats:
    """Bright field a little out of focus: outlines with dark and bright fringes: grey values (Y, X)."""
    height = blurred(thickness(scene, rng), float(rng.uniform(0.8, 0.05 * scene.diameter + 1)))
    fringes = np.asarray(cv2.Laplacian(height, cv2.CV_32F, ksize=3), np.float32)
    fringes /= max(float(fringes.std()), 1e-6)
    wide = blurred(height, 0.1 * scene.diameter)
    image = (
        rng.choice([-1, 1]) * fringes * 0.3
        + rng.normal(0, 0.3) * (height - wide)
        - abs(rng.normal(0, 0.15)) * np.minimum(height, 2)
    )
    return transmitted(image, scene, rng)


def relief(scene: Scene, rng: np.random.Generator) -> Floats:
    """Differential interference contrast: cells lit from one side: grey values (Y, X)."""
    height = blurred(thickness(scene, rng), float(rng.uniform(0.6, 0.04 * scene.diameter + 0.8)))
    turn = rng.uniform(0, 2 * np.pi)
    dy, dx = (cv2.Sobel(height, cv2.CV_32F, *order, ksize=3) for order in ((0, 1), (1, 0)))
    image = np.asarray(np.cos(turn) * dx + np.sin(turn) * dy, np.float32)
    image = image / max(float(image.std()), 1e-6) * 0.3 + rng.normal(0, 0.1) * height
    return transmitted(image, scene, rng)


def stained(scene: Scene, rng: np.random.Generator) -> Floats:
    """Stained single cells in transmitted light: dark nuclei in paler cells on a bright ground: grey values (Y, X)."""
    # No tissue around them: in tissue, annotators outline nuclei and not cells (see stained_nuclei).
    cell = cytoplasm(scene, rng, nuclei_too=False) * np.exp(rng.uniform(*np.log((0.25, 0.9))))
    dye = cell + rng.uniform(0.3, 2.0) * chromatin(scene, rng)
    image = np.exp(-blurred(np.asarray(dye, np.float32), float(rng.uniform(0.4, 0.05 * scene.diameter + 0.4))))
    return transmission_camera(np.asarray(image, np.float32), rng)


def stained_nuclei(scene: Scene, rng: np.random.Generator) -> Floats:
    """Nuclei of stained tissue: dark on an uneven bright ground: grey values (Y, X)."""
    shape = scene.labels.shape
    tissue = rng.uniform(0, 0.5) * np.maximum(0, 1 + rough_noise(shape, scene.diameter * rng.uniform(0.5, 4), rng))
    dye = rng.uniform(0.6, 2.0) * chromatin(scene, rng) + tissue
    image = np.exp(-blurred(np.asarray(dye, np.float32), float(rng.uniform(0.4, 0.06 * scene.diameter + 0.4))))
    return transmission_camera(np.asarray(image, np.float32), rng)


LOOKS: dict[str, Callable[[Scene, np.random.Generator], Floats]] = {
    "fluorescence": fluorescence,
    "membrane": membrane,
    "tissue": tissue,
    "phase": phase,
    "brightfield": brightfield,
    "relief": relief,
    "stained": stained,
    "nuclei": nuclei,
    "stained nuclei": stained_nuclei,
    "two-photon": two_photon,
    "packed": packed,
    "thick nuclei": thick_nuclei,
    "neurons": neurons,
    "confluent": confluent,
    "faint": faint,
    "clumps": clumps,
    "unequal": unequal,
    "macrophages": macrophages,
    "yeast": yeast,
    "thin rims": thin_rims,
    "rings": rings,
}
