"""The look of cells under the microscope: the light of a scene in each contrast, before the camera."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from cellspan.core.pictures.images import Floats
from cellspan.core.training.simulate.layout import Scene
from cellspan.core.training.simulate.optics import debris, fluorescence_camera, focus, transmission_camera
from cellspan.core.training.simulate.shapes import Values
from cellspan.core.training.simulate.textures import DIRECTIONS, blurred, fibres, noise, rough_noise, spots


def fluorescence(scene: Scene, rng: np.random.Generator) -> Floats:
    """A stain of the whole cell: grey values (Y, X)."""
    light = _cytoplasm(scene, rng)
    if rng.random() < 0.3:
        light = light + rng.uniform(0.2, 1.5) * _membrane(scene, rng) * _brightness(scene, 0.3, rng)
    return _photographed(light, scene, rng)


def membrane(scene: Scene, rng: np.random.Generator) -> Floats:
    """A stain of the outlines, over a faint cell: grey values (Y, X)."""
    faint = rng.uniform(0, 0.4)
    light = _membrane(scene, rng) * _brightness(scene, rng.uniform(0.1, 0.5), rng) + faint * _cytoplasm(scene, rng)
    return _photographed(light, scene, rng)


def tissue(scene: Scene, rng: np.random.Generator) -> Floats:
    """A stain of only some cells of a tissue, with fibres and blurred patches: grey values (Y, X)."""
    values = np.exp(rng.normal(0, 0.5, _count(scene))) * (rng.random(_count(scene)) < rng.uniform(0.1, 0.9))
    stain = _membrane(scene, rng) + rng.uniform(0, 1) * _cytoplasm(scene, rng, nuclei_too=False)
    light = stain * (scene.of_cell(_per_cell(scene, values)) + rng.uniform(0, 0.3))
    if rng.random() < 0.7:  # structures outside cells: vessels, fibres, other layers
        patches = np.maximum(noise(light.shape, scene.diameter * rng.uniform(1, 5), rng) - rng.uniform(0, 1.5), 0)
        light = light + rng.uniform(0.2, 1.5) * patches * np.maximum(1 + 0.5 * rough_noise(light.shape, 4, rng), 0)
    return _photographed(np.asarray(light, np.float32), scene, rng)


def nuclei(scene: Scene, rng: np.random.Generator) -> Floats:
    """A stain of DNA: grey values (Y, X)."""
    return _photographed(_chromatin(scene, rng), scene, rng)


def nuclear_channel(scene: Scene, cells: Floats, rng: np.random.Generator) -> Floats:
    """The second channel: a stain of DNA, sometimes blurred, weak or with bleed-through from the cells."""
    light = _chromatin(scene, rng)
    light[scene.of_cell(_per_cell(scene, rng.random(_count(scene)) < 0.03)) > 0] *= 0.1  # a few unstained
    if rng.random() < 0.25:
        light = light + rng.uniform(0.05, 0.5) * cells / max(float(np.percentile(cells[::4, ::4], 99)), 1e-6)
    if rng.random() < 0.15:
        light = blurred(light, scene.diameter * float(rng.uniform(0.05, 0.15)))
    return _photographed(light, scene, rng)


def phase(scene: Scene, rng: np.random.Generator) -> Floats:
    """Phase contrast: dark cells with a bright halo, thick ones the reverse: grey values (Y, X)."""
    thickness = _thickness(scene, rng)
    # Structures wider than the halo show only at their rim: spread cells are as grey as the medium.
    flat = rng.random() < 0.65
    reach = scene.diameter * float(np.exp(rng.uniform(*np.log((0.04, 0.25) if flat else (0.15, 0.6)))))
    halo = blurred(thickness, reach) * (rng.uniform(0.85, 1.05) if flat else rng.uniform(0.5, 0.95))
    shift = (thickness - halo) * np.exp(rng.uniform(*np.log((0.4, 2.5))))
    image = np.sin(np.clip(shift, -2.5, 2.5)) * (-1 if rng.random() < 0.8 else 1)
    image = image + rng.normal(0, 0.08) * np.minimum(thickness, 1.5)
    return _transmitted(np.asarray(image, np.float32), scene, rng)


def brightfield(scene: Scene, rng: np.random.Generator) -> Floats:
    """Bright field a little out of focus: outlines with dark and bright fringes: grey values (Y, X)."""
    thickness = blurred(_thickness(scene, rng), float(rng.uniform(0.8, 0.05 * scene.diameter + 1)))
    fringes = np.asarray(cv2.Laplacian(thickness, cv2.CV_32F, ksize=3), np.float32)
    fringes /= max(float(fringes.std()), 1e-6)
    wide = blurred(thickness, 0.1 * scene.diameter)
    image = (
        rng.choice([-1, 1]) * fringes * 0.3
        + rng.normal(0, 0.3) * (thickness - wide)
        - abs(rng.normal(0, 0.15)) * np.minimum(thickness, 2)
    )
    return _transmitted(image, scene, rng)


def relief(scene: Scene, rng: np.random.Generator) -> Floats:
    """Differential interference contrast: cells lit from one side: grey values (Y, X)."""
    thickness = blurred(_thickness(scene, rng), float(rng.uniform(0.6, 0.04 * scene.diameter + 0.8)))
    turn = rng.uniform(0, 2 * np.pi)
    dy, dx = (cv2.Sobel(thickness, cv2.CV_32F, *order, ksize=3) for order in ((0, 1), (1, 0)))
    image = np.asarray(np.cos(turn) * dx + np.sin(turn) * dy, np.float32)
    image = image / max(float(image.std()), 1e-6) * 0.3 + rng.normal(0, 0.1) * thickness
    return _transmitted(image, scene, rng)


def stained(scene: Scene, rng: np.random.Generator) -> Floats:
    """Stained single cells in transmitted light: dark nuclei in paler cells on a bright ground: grey values (Y, X)."""
    # No tissue around them: in tissue, annotators outline nuclei and not cells (see stained_nuclei).
    cell = _cytoplasm(scene, rng, nuclei_too=False) * np.exp(rng.uniform(*np.log((0.25, 0.9))))
    dye = cell + rng.uniform(0.3, 2.0) * _chromatin(scene, rng)
    image = np.exp(-blurred(np.asarray(dye, np.float32), float(rng.uniform(0.4, 0.05 * scene.diameter + 0.4))))
    return transmission_camera(np.asarray(image, np.float32), rng)


def stained_nuclei(scene: Scene, rng: np.random.Generator) -> Floats:
    """Nuclei of stained tissue: dark on an uneven bright ground: grey values (Y, X)."""
    shape = scene.labels.shape
    tissue = rng.uniform(0, 0.5) * np.maximum(0, 1 + rough_noise(shape, scene.diameter * rng.uniform(0.5, 4), rng))
    dye = rng.uniform(0.6, 2.0) * _chromatin(scene, rng) + tissue
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
}


def _count(scene: Scene) -> int:
    return len(scene.radius) - 1


def _per_cell(scene: Scene, values: object) -> Values:
    """A table with an entry for the background, which is 0."""
    return np.concatenate(([0.0], np.broadcast_to(np.asarray(values, np.float64), _count(scene))))


def _brightness(scene: Scene, spread: float, rng: np.random.Generator) -> Floats:
    """Each cell its own brightness, around 1 and log-normal; some cells very dim."""
    values = np.exp(rng.normal(0, spread, _count(scene)))
    if rng.random() < 0.3:
        values[rng.random(len(values)) < 0.1] *= rng.uniform(0.1, 0.5)
    return scene.of_cell(_per_cell(scene, values))


def _dome(scene: Scene, flatness: float) -> Floats:
    """Height of each cell (Y, X): 1 in the middle, 0 at its outline; flat cells rise fast."""
    rise = np.minimum(scene.edge / (scene.of_cell(scene.radius) * flatness), 1)
    return np.asarray(np.sqrt(np.maximum(1 - (1 - rise) ** 2, 0)), np.float32)


def _near_nucleus(scene: Scene, reach: float) -> Floats:
    """1 at nuclei, falling with the distance, `reach` in diameters."""
    away = cv2.distanceTransform((scene.nuclei == 0).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(np.exp(-np.minimum(away, 50 * scene.diameter) / (reach * scene.diameter)), np.float32)


def _grain(scene: Scene, rng: np.random.Generator) -> Floats:
    """The texture of cytoplasm, as a factor around 1."""
    shape, diameter = scene.labels.shape, scene.diameter
    strength = rng.uniform(0.05, 0.6)
    kind = rng.choice(["smooth", "granular", "fibrous", "vesicles", "holes", "granular and vesicles"])
    factor = 1 + 0.3 * strength * noise(shape, 0.5 * diameter, rng)
    if "granular" in kind:
        factor = factor + 0.6 * strength * rough_noise(shape, diameter * rng.uniform(0.08, 0.3), rng)
    if kind == "fibrous":
        angle = scene.angle + _per_cell(scene, rng.normal(0, 0.2, _count(scene)))
        index = np.round(angle / np.pi * DIRECTIONS).astype(int) % DIRECTIONS
        strands = fibres(shape, diameter * rng.uniform(0.3, 1.0), rng)
        of_pixel = index[scene.labels]
        chosen = np.take_along_axis(strands, of_pixel[None], axis=0)[0]
        factor = factor + strength * np.maximum(chosen, -0.5)
    if "vesicles" in kind:
        light = spots(shape, rng.uniform(5, 60) / diameter**2, rng.uniform(1.2, 0.1 * diameter + 1.2), rng)
        factor = factor + 3 * strength * light * (0.3 + _near_nucleus(scene, 0.2))
    if kind == "holes":
        holes = spots(shape, rng.uniform(3, 20) / diameter**2, diameter * rng.uniform(0.06, 0.2), rng)
        factor = factor * (1 - strength * np.minimum(1.2 * holes, 1))
    return np.asarray(np.maximum(factor, 0.05), np.float32)


def _cytoplasm(scene: Scene, rng: np.random.Generator, nuclei_too: bool = True) -> Floats:
    """Light of stained cell bodies (Y, X), cells about 1."""
    dome, spread = rng.uniform(0, 1), rng.uniform(0, 0.9)
    if np.count_nonzero(scene.labels) > 0.6 * scene.labels.size:  # otherwise neighbours could not be distinguished
        dome, spread = max(dome, 0.4), max(spread, 0.2)
    body = _brightness(scene, spread, rng)
    body = body * (1 - dome + dome * _dome(scene, rng.uniform(0.4, 1.3)))
    if rng.random() < 0.5:
        body = body * (1 + rng.uniform(0.3, 3) * _near_nucleus(scene, rng.uniform(0.05, 0.35)))
    if rng.random() < 0.4:  # brighter on one side
        body = body * np.maximum(1 + rng.uniform(0.1, 0.6) * noise(scene.labels.shape, scene.diameter, rng), 0.1)
    body = body * _grain(scene, rng)
    if nuclei_too:
        factor = np.exp(rng.normal(-0.5 if rng.random() < 0.7 else 0.7, 0.4))
        body = np.where(scene.nuclei > 0, body * factor, body)
    if rng.random() < 0.7:  # the lower of two overlapping cells shines through
        below = _per_cell(scene, np.exp(rng.normal(0, 0.4, _count(scene))))[scene.under]
        body = np.asarray(body + rng.uniform(0.2, 0.9) * below, np.float32)
    return np.asarray(body, np.float32)


def _membrane(scene: Scene, rng: np.random.Generator) -> Floats:
    """Light of outlines (Y, X), uneven along them."""
    width = max(0.7, scene.diameter * rng.uniform(0.02, 0.07))
    line = np.where(scene.labels > 0, np.exp(-(((scene.edge - 0.5) / width) ** 2)), 0)
    uneven = 1 + rng.uniform(0, 0.7) * noise(scene.labels.shape, scene.diameter * rng.uniform(0.2, 0.8), rng)
    return np.asarray(line * np.maximum(uneven, 0.02), np.float32)


def _chromatin(scene: Scene, rng: np.random.Generator) -> Floats:
    """Light of nuclei (Y, X), about 1: mottled, some with dark nucleoli, dividing ones small and bright."""
    shape, diameter = scene.labels.shape, scene.diameter
    values = np.exp(rng.normal(0, rng.uniform(0.05, 0.6), _count(scene)))
    values[rng.random(len(values)) < 0.03] *= rng.uniform(1.5, 3)
    light = np.where(scene.nuclei > 0, _per_cell(scene, values)[scene.nuclei], 0)
    mottled = 1 + rng.uniform(0, 0.3) * rough_noise(shape, max(2.0, 0.12 * diameter), rng)
    if rng.random() < 0.4:
        nucleoli = spots(shape, rng.uniform(5, 25) / diameter**2, diameter * rng.uniform(0.05, 0.12), rng)
        mottled = mottled * (1 - rng.uniform(0.2, 0.7) * np.minimum(1.3 * nucleoli, 1))
    return np.asarray(light * np.maximum(mottled, 0.05), np.float32)


def _thickness(scene: Scene, rng: np.random.Generator) -> Floats:
    """Optical delay of each pixel (Y, X), roughly in radians: bodies, nuclei, granules, ruffled rims."""
    shape, diameter = scene.labels.shape, scene.diameter
    height = _dome(scene, rng.uniform(0.2, 1.2)) * _brightness(scene, rng.uniform(0.05, 0.35), rng)
    if rng.random() < 0.3:  # rounded cells among flat ones
        round_ones = rng.random(_count(scene)) < 0.12
        height = height * (1 + scene.of_cell(_per_cell(scene, round_ones * rng.uniform(1, 4))))
    # Thin rims that are hardly visible in places, and bodies that rise only around the nucleus.
    height = height * np.maximum(1 + rng.uniform(0, 0.6) * noise(shape, 0.6 * diameter, rng), 0.15)
    if rng.random() < 0.4:
        height = height * (rng.uniform(0.15, 0.5) + _near_nucleus(scene, rng.uniform(0.1, 0.3)))
    granules = rough_noise(shape, max(1.5, diameter * rng.uniform(0.04, 0.15)), rng)
    near = 0.2 + _near_nucleus(scene, rng.uniform(0.05, 0.3))
    height = height + rng.uniform(0, 0.25) * granules * near * (scene.labels > 0)
    if rng.random() < 0.5:
        dots = spots(shape, rng.uniform(5, 40) / diameter**2, rng.uniform(1.2, 0.08 * diameter + 1.2), rng)
        height = height + rng.choice([-1, 1]) * rng.uniform(0.3, 1.0) * dots * near * (scene.labels > 0)
    height = height + rng.normal(0.1, 0.25) * blurred((scene.nuclei > 0).astype(np.float32), 0.03 * diameter)
    if rng.random() < 0.6:
        height = height + rng.uniform(0.1, 1.0) * _membrane(scene, rng)
    if rng.random() < 0.5:
        height = height + rng.uniform(0.3, 1.0) * debris(shape, diameter, rng)
    return np.asarray(height, np.float32)


def _photographed(light: Floats, scene: Scene, rng: np.random.Generator) -> Floats:
    if rng.random() < 0.5:
        light = light + 10 ** rng.uniform(-1, 0.4) * debris(light.shape, scene.diameter, rng)
    return fluorescence_camera(focus(light, scene.diameter, rng), rng)


def _transmitted(image: Floats, scene: Scene, rng: np.random.Generator) -> Floats:
    """Contrast around grey, with the grain of medium and glass, which is much weaker than that of the cells."""
    spread = float(np.std(image[scene.labels > 0])) if scene.labels.any() else float(image.std())
    grain = rough_noise(image.shape, rng.uniform(1.5, 0.3 * scene.diameter + 1.5), rng)
    ground = spread * 10 ** rng.uniform(-2, -0.6) * grain
    image = blurred(np.asarray(image + ground, np.float32), float(rng.uniform(0.3, 0.03 * scene.diameter + 0.5)))
    return transmission_camera(0.5 + 0.3 * image, rng)
