"""From light to grey values: blur, haze, uneven illumination, debris, the camera's noise and limits."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.special import expit

from cellspan.core.pictures.images import Floats
from cellspan.core.training.simulate.textures import blurred, noise, spots

WHITE = 255.0  # grey values
# Decimal logarithms, least and most:
BACKGROUND = (-2.5, -0.3)  # light beside cells, cells having about 1
PHOTONS = (0.9, 3.2)  # that come from a pixel of a cell
FIELD_STOP = 0.04  # of the fields in transmitted light, that the edge of the field of view crosses


def focus(light: Floats, diameter: float, rng: np.random.Generator) -> Floats:
    """The effect of the objective on light (Y, X): blur, and haze from above and below."""
    sharpness = np.exp(rng.uniform(*np.log((0.5, max(0.8, 0.05 * diameter)))))
    image = blurred(light, float(sharpness))
    if rng.random() < 0.6:
        image = image + rng.uniform(0.05, 0.6) * blurred(light, diameter * rng.uniform(0.3, 1.5))
    if rng.random() < 0.2:  # cells of another layer, out of focus
        other = cv2.flip(light, int(rng.integers(-1, 2)))
        image = image + rng.uniform(0.1, 0.6) * blurred(
            np.asarray(other, np.float32), diameter * rng.uniform(0.1, 0.35)
        )
    return np.asarray(image, np.float32)


def illumination(shape: tuple[int, int], strength: float, rng: np.random.Generator) -> Floats:
    """Illumination (Y, X) around 1: brighter on one side or in the middle; a `strength` of 1 is clearly visible."""
    y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, shape[1], dtype=np.float32)[None]
    tilt, centre = rng.normal(0, 0.12 * strength, 2), rng.uniform(-0.6, 0.6, 2)
    bowl = abs(rng.normal(0, 0.15 * strength)) * ((y - centre[0]) ** 2 + (x - centre[1]) ** 2)
    return np.asarray(np.maximum(1 + tilt[0] * y + tilt[1] * x - bowl, 0.3), np.float32)


def debris(shape: tuple[int, int], diameter: float, rng: np.random.Generator) -> Floats:
    """Specks, blobs out of focus and lint (Y, X), with brightness 1 on average; 0 between."""
    light = np.zeros(shape, np.float32)
    per_cell = 1 / diameter**2
    if rng.random() < 0.5:
        light += spots(shape, per_cell * 10 ** rng.uniform(-2, 0), rng.uniform(1.5, 0.2 * diameter + 1.5), rng)
    if rng.random() < 0.3:
        light += 0.7 * spots(shape, per_cell * 0.03, diameter * rng.uniform(0.2, 0.8), rng)
    if rng.random() < 0.1:
        lint = np.zeros(shape, np.float32)
        points = np.cumsum(rng.normal(0, diameter, (12, 2)), axis=0) + rng.uniform(0, 1, 2) * shape
        thick = max(1, round(0.06 * diameter))
        cv2.polylines(lint, [points[:, ::-1].astype(np.int32)], False, 1.0, thick, cv2.LINE_AA)
        light += blurred(lint, float(rng.uniform(0.5, 0.1 * diameter + 0.5)))
    return light


def empty_field(shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Grey values (Y, X) of a field without cells, in fluorescence or transmitted light, with or without dust."""
    diameter = float(np.exp(rng.uniform(*np.log((8, 60)))))  # of imaginary cells
    dust = rng.uniform(0, 0.2) * debris(shape, diameter, rng) if rng.random() < 0.5 else np.zeros(shape, np.float32)
    if rng.random() < 0.7:
        return fluorescence_camera(np.asarray(dust, np.float32), rng)
    return transmission_camera(np.asarray(0.5 - dust, np.float32), rng)


def fluorescence_camera(
    light: Floats,
    rng: np.random.Generator,
    background: tuple[float, float] = BACKGROUND,
    photons: tuple[float, float] = PHOTONS,
) -> Floats:
    """Grey values of light (Y, X, cells about 1): offset, background, photons, read noise, saturation.

    `background` and `photons` are ranges like BACKGROUND and PHOTONS.
    """
    ground = 10 ** rng.uniform(*background)
    gain = 10 ** rng.uniform(*photons)
    light = np.maximum(light, 0) * illumination(light.shape, 10 ** rng.uniform(-0.7, 0.2), rng) + ground * (
        1 + 0.3 * noise(light.shape, 0.3 * min(light.shape), rng)
    )
    electrons = _poisson(np.asarray(np.maximum(light, 0) * gain, np.float32), rng)
    read_noise = rng.uniform(0.5, 4)
    electrons += rng.standard_normal(light.shape, np.float32) * read_noise
    if rng.random() < 0.5:  # otherwise the software subtracted the offset, and darker pixels are black
        electrons += 3 * read_noise
    full = float(np.percentile(electrons[::4, ::4], rng.uniform(97, 99.9))) if rng.random() < 0.25 else electrons.max()
    return _stored(electrons / max(float(full), 1e-6), rng)


def transmission_camera(light: Floats, rng: np.random.Generator) -> Floats:
    """Grey values of transmitted light (Y, X, empty field about 0.5): illumination, dust, noise."""
    image = light * illumination(light.shape, 10 ** rng.uniform(-1.5, -0.5), rng)
    low, high = np.percentile(image[::4, ::4], (0.1, 99.9))
    noisy = float(high - low) * 10 ** rng.uniform(-2.3, -0.8)
    image = image + noisy * rng.standard_normal(light.shape, np.float32)
    if rng.random() < FIELD_STOP:
        image = field_stop(image, low if rng.random() < 0.7 else high, rng)
    room = 0.3 * (high - low) * rng.random(2)
    return _stored((image - low + room[0]) / max(float(high - low + room.sum()), 1e-6), rng)


def field_stop(image: Floats, grey: float, rng: np.random.Generator) -> Floats:
    """The image with a corner or side of one grey value, where the round field of view or the well ends."""
    height, width = image.shape
    radius = rng.uniform(0.7, 3.0) * max(height, width)
    turn, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.35, 0.7) * min(height, width)
    y0, x0 = height / 2 + (reach - radius) * np.sin(turn), width / 2 + (reach - radius) * np.cos(turn)
    y, x = np.ogrid[:height, :width]
    seen = expit((radius - np.hypot(y - y0, x - x0)) / rng.uniform(0.5, 5))
    return np.asarray(grey + (image - grey) * seen, np.float32)


def _poisson(mean: Floats, rng: np.random.Generator) -> Floats:
    if mean.mean() < 30:
        return rng.poisson(mean).astype(np.float32)
    # The normal distribution for many photons is five times as fast.
    return np.asarray(mean + np.sqrt(mean) * rng.standard_normal(mean.shape, np.float32), np.float32)


def _stored(image: Floats, rng: np.random.Generator) -> Floats:
    """As stored in the file: clipped to black and white, sometimes 8 bit, sometimes JPEG."""
    grey = np.clip(image, 0, 1) * WHITE
    kind = rng.random()
    if kind < 0.12:
        _, data = cv2.imencode(".jpg", grey.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 92))])
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.float32)
    return np.asarray(np.round(grey) if kind < 0.5 else grey, np.float32)
