"""How long a network that wants a graphics card will take on this processor, so that people know before it starts."""

from __future__ import annotations

import time
from functools import lru_cache

import numpy as np

from cellspan.core.inference.tile_rules import TileRules
from cellspan.core.inference.tiles import FLIPS, OVERLAP, tile_grid
from cellspan.core.models.registry import ModelDescription

SIDE = 1024  # of the matrices whose product is timed
TRIES = 3
SLOWER = 1.3  # a tile takes this many times as long as its multiplications alone: measured 1.2 to 1.4


def seconds_for(
    about: ModelDescription, device: str, shape: tuple[int, int], overlap: float = OVERLAP, augment: bool = False
) -> float:
    """Seconds for the network's outputs of an image (Y, X) as it sees it; 0 where nobody needs to be warned."""
    if about.transformer is None or not device.startswith("cpu"):
        return 0.0
    tiles = len(tile_grid(shape, None, overlap, rules=TileRules.of(about)).corners) * (len(FLIPS) if augment else 1)
    return tiles * about.transformer.operations * SLOWER / operations_a_second()


def in_words(seconds: float) -> str:
    """About how long, for people: 40 seconds, 3 minutes, 2 hours."""
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 1.5 * length:
            return f"about {seconds / length:.0f} {unit}"
    return f"about {max(1, round(seconds))} second{'s' * (round(seconds) > 1)}"


def note_before(about: ModelDescription, device: str) -> list[str]:
    """What to tell people once before the work starts; nothing where it is quick."""
    seconds = seconds_for(about, device, (1000, 1000))
    if seconds < 1:
        return []
    how_long = f"on this processor, a megapixel takes {in_words(seconds)}"
    return [f"{about.name} is a large network: {how_long}. A graphics card is advised."]


@lru_cache(maxsize=1)
def operations_a_second() -> float:
    """Additions and multiplications of 32-bit numbers a second, of all processors together (takes 0.2 s, once)."""
    import openvino as ov
    from openvino import opset13 as ops

    from cellspan.core.inference.openvino_predictor import compiled

    rows = ops.parameter([SIDE, SIDE], np.float32)
    matrix = ops.constant(np.full((SIDE, SIDE), 0.5, np.float32))
    request = compiled(ov.Model([ops.result(ops.matmul(rows, matrix, False, True))], [rows])).create_infer_request()
    ones = np.ones((SIDE, SIDE), np.float32)
    seconds = []
    for _ in range(TRIES):
        started = time.perf_counter()
        request.infer({0: ones})
        seconds.append(time.perf_counter() - started)
    return 2.0 * SIDE**3 / min(seconds)
