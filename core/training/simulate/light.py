"""The light of parts of cells, of which looks are made: bodies, outlines, nuclei, thickness; then the camera."""

from __future__ import annotations

import cv2
import numpy as np

from cellspan.core.pictures.images import Floats
from cellspan.core.training.simulate.layout import Scene
from cellspan.core.training.simulate.optics import PHOTONS, debris, fluorescence_camera, focus, transmission_camera
from cellspan.core.training.simulate.shapes import Values
from cellspan.core.training.simulate.textures import DIRECTIONS, blurred, fibres, noise, rough_noise, spots


def count(scene: Scene) -> int:
    """How many cells there are."""
    return len(scene.radius) - 1


def per_cell(scene: Scene, values: object) -> Values:
    """A table with an entry for the background, which is 0."""
    return np.concatenate(([0.0], np.broadcast_to(np.asarray(values, np.float64), count(scene))))


def brightness(scene: Scene, spread: float, rng: np.random.Generator) -> Floats:
    """Each cell its own brightness, around 1 and log-normal; some cells very dim."""
    values = np.exp(rng.normal(0, spread, count(scene)))
    if rng.random() < 0.3:
        values[rng.random(len(values)) < 0.1] *= rng.uniform(0.1, 0.5)
    return scene.of_cell(per_cell(scene, values))


def dome(scene: Scene, flatness: float) -> Floats:
    """Height of each cell (Y, X): 1 in the middle, 0 at its outline; flat cells rise fast."""
    rise = np.minimum(scene.edge / (scene.of_cell(scene.radius) * flatness), 1)
    return np.asarray(np.sqrt(np.maximum(1 - (1 - rise) ** 2, 0)), np.float32)


def near_nucleus(scene: Scene, reach: float) -> Floats:
    """1 at nuclei, falling with the distance, `reach` in diameters."""
    return np.asarray(np.exp(-away_from_nuclei(scene) / (reach * scene.diameter)), np.float32)


def away_from_nuclei(scene: Scene) -> Floats:
    """Pixels to the nearest nucleus (Y, X); 50 diameters at most, also where there is none."""
    away = cv2.distanceTransform((scene.nuclei == 0).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(np.minimum(away, 50 * scene.diameter), np.float32)


def grain(scene: Scene, rng: np.random.Generator) -> Floats:
    """The texture of cytoplasm, as a factor around 1."""
    shape, diameter = scene.labels.shape, scene.diameter
    strength = rng.uniform(0.05, 0.6)
    kind = rng.choice(["smooth", "granular", "fibrous", "vesicles", "holes", "granular and vesicles"])
    factor = 1 + 0.3 * strength * noise(shape, 0.5 * diameter, rng)
    if "granular" in kind:
        factor = factor + 0.6 * strength * rough_noise(shape, diameter * rng.uniform(0.08, 0.3), rng)
    if kind == "fibrous":
        angle = scene.angle + per_cell(scene, rng.normal(0, 0.2, count(scene)))
        index = np.round(angle / np.pi * DIRECTIONS).astype(int) % DIRECTIONS
        strands = fibres(shape, diameter * rng.uniform(0.3, 1.0), rng)
        of_pixel = index[scene.labels]
        chosen = np.take_along_axis(strands, of_pixel[None], axis=0)[0]
        factor = factor + strength * np.maximum(chosen, -0.5)
    if "vesicles" in kind:
        light = spots(shape, rng.uniform(5, 60) / diameter**2, rng.uniform(1.2, 0.1 * diameter + 1.2), rng)
        factor = factor + 3 * strength * light * (0.3 + near_nucleus(scene, 0.2))
    if kind == "holes":
        holes = spots(shape, rng.uniform(3, 20) / diameter**2, diameter * rng.uniform(0.06, 0.2), rng)
        factor = factor * (1 - strength * np.minimum(1.2 * holes, 1))
    return np.asarray(np.maximum(factor, 0.05), np.float32)


def cytoplasm(scene: Scene, rng: np.random.Generator, nuclei_too: bool = True, widest: float = 0.9) -> Floats:
    """Light of stained cell bodies (Y, X), cells about 1; the logarithm of it spreads by `widest` at most."""
    rounded, spread = rng.uniform(0, 1), rng.uniform(0, widest)
    if np.count_nonzero(scene.labels) > 0.6 * scene.labels.size:  # otherwise neighbours could not be distinguished
        rounded, spread = max(rounded, 0.4), max(spread, 0.2)
    body = brightness(scene, spread, rng)
    body = body * (1 - rounded + rounded * dome(scene, rng.uniform(0.4, 1.3)))
    if rng.random() < 0.6:  # up to a bright body in a thin rim that belongs to the cell as well
        higher = np.exp(rng.uniform(*np.log((0.3, 15.0))))
        body = body * (1 + higher * near_nucleus(scene, rng.uniform(0.05, 0.45)))
    if rng.random() < 0.4:  # brighter on one side
        body = body * np.maximum(1 + rng.uniform(0.1, 0.6) * noise(scene.labels.shape, scene.diameter, rng), 0.1)
    body = body * grain(scene, rng)
    if nuclei_too:
        factor = np.exp(rng.normal(-0.5 if rng.random() < 0.7 else 0.7, 0.4))
        body = np.where(scene.nuclei > 0, body * factor, body)
    if rng.random() < 0.7:  # the lower of two overlapping cells shines through
        below = per_cell(scene, np.exp(rng.normal(0, 0.4, count(scene))))[scene.under]
        body = np.asarray(body + rng.uniform(0.2, 0.9) * below, np.float32)
    return np.asarray(body, np.float32)


def membranes(scene: Scene, rng: np.random.Generator) -> Floats:
    """Light of outlines (Y, X), uneven along them."""
    width = max(0.7, scene.diameter * rng.uniform(0.02, 0.07))
    line = np.where(scene.labels > 0, np.exp(-(((scene.edge - 0.5) / width) ** 2)), 0)
    uneven = 1 + rng.uniform(0, 0.7) * noise(scene.labels.shape, scene.diameter * rng.uniform(0.2, 0.8), rng)
    return np.asarray(line * np.maximum(uneven, 0.02), np.float32)


def chromatin(scene: Scene, rng: np.random.Generator) -> Floats:
    """Light of nuclei (Y, X), about 1: mottled, some with dark nucleoli, dividing ones small and bright."""
    shape, diameter = scene.labels.shape, scene.diameter
    values = np.exp(rng.normal(0, rng.uniform(0.05, 0.6), count(scene)))
    values[rng.random(len(values)) < 0.03] *= rng.uniform(1.5, 3)
    light = np.where(scene.nuclei > 0, per_cell(scene, values)[scene.nuclei], 0)
    mottled = 1 + rng.uniform(0, 0.3) * rough_noise(shape, max(2.0, 0.12 * diameter), rng)
    if rng.random() < 0.4:
        nucleoli = spots(shape, rng.uniform(5, 25) / diameter**2, diameter * rng.uniform(0.05, 0.12), rng)
        mottled = mottled * (1 - rng.uniform(0.2, 0.7) * np.minimum(1.3 * nucleoli, 1))
    return np.asarray(light * np.maximum(mottled, 0.05), np.float32)


def nuclei_with_nucleoli(scene: Scene, rng: np.random.Generator) -> Floats:
    """Nuclei in transmitted light (Y, X): a thin rim, a clear inside, one or a few dark grains."""
    solid = (scene.nuclei > 0).astype(np.float32)
    soft = blurred(solid, 0.03 * scene.diameter + 0.3)
    rim = 4 * soft * (1 - soft)
    grains = spots(solid.shape, rng.uniform(15, 60) / scene.diameter**2, max(1.5, 0.08 * scene.diameter), rng)
    return np.asarray(
        rng.uniform(0, 0.8) * rim - rng.uniform(0, 0.5) * soft + np.minimum(grains, 1.5) * soft, np.float32
    )


def thickness(scene: Scene, rng: np.random.Generator) -> Floats:
    """Optical delay of each pixel (Y, X), roughly in radians: bodies, nuclei, granules, ruffled rims."""
    shape, diameter = scene.labels.shape, scene.diameter
    height = dome(scene, rng.uniform(0.2, 1.2)) * brightness(scene, rng.uniform(0.05, 0.35), rng)
    if rng.random() < 0.3:  # rounded cells among flat ones
        round_ones = rng.random(count(scene)) < 0.12
        height = height * (1 + scene.of_cell(per_cell(scene, round_ones * rng.uniform(1, 4))))
    # Thin rims that are hardly visible in places, and bodies that rise only around the nucleus.
    height = height * np.maximum(1 + rng.uniform(0, 0.6) * noise(shape, 0.6 * diameter, rng), 0.15)
    if rng.random() < 0.4:
        height = height * (rng.uniform(0.15, 0.5) + near_nucleus(scene, rng.uniform(0.1, 0.3)))
    granules = rough_noise(shape, max(1.5, diameter * rng.uniform(0.04, 0.15)), rng)
    near = 0.2 + near_nucleus(scene, rng.uniform(0.05, 0.3))
    height = height + rng.uniform(0, 0.25) * granules * near * (scene.labels > 0)
    if rng.random() < 0.5:
        dots = spots(shape, rng.uniform(5, 40) / diameter**2, rng.uniform(1.2, 0.08 * diameter + 1.2), rng)
        height = height + rng.choice([-1, 1]) * rng.uniform(0.3, 1.0) * dots * near * (scene.labels > 0)
    height = height + rng.normal(0.1, 0.25) * blurred((scene.nuclei > 0).astype(np.float32), 0.03 * diameter)
    if rng.random() < 0.6:
        height = height + rng.uniform(0.1, 1.0) * membranes(scene, rng)
    if rng.random() < 0.5:
        height = height + rng.uniform(0.3, 1.0) * debris(shape, diameter, rng)
    return np.asarray(height, np.float32)


def photographed(
    light: Floats, scene: Scene, rng: np.random.Generator, photons: tuple[float, float] = PHOTONS
) -> Floats:
    """Grey values (Y, X) of fluorescent light, with specks, blur, haze and the camera's noise."""
    if rng.random() < 0.5:
        light = light + 10 ** rng.uniform(-1, 0.4) * debris(light.shape, scene.diameter, rng)
    return fluorescence_camera(focus(light, scene.diameter, rng), rng, photons=photons)


def glaring(contrast: Floats, rng: np.random.Generator, most: float = 2.0) -> Floats:
    """Contrast (Y, X) around 0 whose extremes stand out: most of a picture in phase contrast is nearly as grey."""
    return np.asarray(np.sign(contrast) * np.abs(contrast) ** rng.uniform(1.0, most), np.float32)


def transmitted(image: Floats, scene: Scene, rng: np.random.Generator) -> Floats:
    """Contrast around grey, with the grain of medium and glass, which is much weaker than that of the cells."""
    spread = float(np.std(image[scene.labels > 0])) if scene.labels.any() else float(image.std())
    glass = rough_noise(image.shape, rng.uniform(1.5, 0.3 * scene.diameter + 1.5), rng)
    ground = spread * 10 ** rng.uniform(-2, -0.6) * glass
    image = blurred(np.asarray(image + ground, np.float32), float(rng.uniform(0.3, 0.03 * scene.diameter + 0.5)))
    return transmission_camera(0.5 + 0.3 * image, rng)
