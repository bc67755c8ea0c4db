"""What the engine gets: CellProfiler's images as channels, the options that go with them, and where to look."""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence

import numpy as np

from cellspan_plugin.pixels import (
    as_channels,
    engine_pixels,
    engine_volume,
    factor_of,
    volumes_as_channels,
    with_values_outside,
)


class Sent(NamedTuple):
    """One picture for the engine."""

    pixels: np.ndarray
    options: dict[str, Any]  # that depend on the images: channels, limits in grey values
    mask: np.ndarray | None = None  # (Y, X) or (Z, Y, X), True where to look; None = everywhere


def sent(
    images: Sequence[Any],
    nuclei_image: Any,
    combine: str,
    limits: tuple[float, float] | None,
    mask: np.ndarray | None,
) -> Sent:
    """CellProfiler's images of the same size as one picture: those that are combined, then that of the nuclei or None.

    `limits` are intensities as CellProfiler shows them; `combine` is the engine's word. What is undefined outside the
    masks has no influence.
    """
    seen = [*images, *([] if nuclei_image is None else [nuclei_image])]
    inside = images[0].mask if mask is None else images[0].mask & mask
    defined = [with_values_outside(np.asarray(image.pixel_data), image.mask & inside) for image in seen]
    is_volume = images[0].volumetric
    to_engine = engine_volume if is_volume else engine_pixels
    arrays = [to_engine(pixels, image.scale) for pixels, image in zip(defined, seen)]
    options: dict[str, Any] = {}
    if limits is not None:
        factors = [factor_of(pixels, image.scale) for pixels, image in zip(defined, seen)]
        options["limits"] = tuple(limit * factor for factor in factors for limit in limits)
    if len(seen) == 1:
        return Sent(arrays[0], options, mask)
    options["channel"] = 0 if len(images) == 1 else tuple(range(len(images)))
    if len(images) > 1:
        options["combine"] = combine
    if nuclei_image is not None:
        options["nuclei_channel"] = len(images)
    return Sent((volumes_as_channels if is_volume else as_channels)(*arrays), options, mask)


def nothing_found(shape: tuple[int, ...], model: str, note: str) -> Any:
    """The result for an image (Y, X) or (Z, Y, X) in which there is nowhere to look, without asking the engine."""
    from cellspan_plugin.client import EngineResult, as_npy  # added by the installer, so a plain copy lacks it

    extra = {
        "objects": np.zeros((2, 0), np.float32),
        "probability": np.full(shape, -30, np.float32),
        "flows": np.zeros((len(shape), *shape), np.float32),
        "restored": np.zeros((1, *shape), np.float32),
    }
    labels = as_npy(np.zeros(shape, np.int32))
    return EngineResult(labels, 0, 0.0, model, "", "", 0.0, [note], extra)
