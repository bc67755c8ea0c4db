"""What people look at of a segmented volume: two pictures and a table. All may come from disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imageio.v3 as imageio

from cellspan.core.files import write_atomically
from cellspan.core.outputs import write_table
from cellspan.core.parameters import Parameters
from cellspan.core.volumes.objects import volume_table
from cellspan.core.volumes.pictures import maximum_projection, orthogonal_views
from cellspan.core.volumes.segmenting import Found
from cellspan.core.volumes.volume import Spacing, Volume

OVERLAY, VIEWS = "_overlay.png", "_orthogonal.png"


def write_pictures(path: Path, labels: Any, volume: Volume, parameters: Parameters, anisotropy: float) -> None:
    """The maximum projection at `path`, the orthogonal views beside it."""
    image = volume.shown(parameters.channel)
    projection = maximum_projection(image, labels)
    views = orthogonal_views(image, labels, anisotropy)
    write_atomically(path, lambda part: imageio.imwrite(part, projection))
    beside = path.with_name(path.name.removesuffix(OVERLAY) + VIEWS)
    write_atomically(beside, lambda part: imageio.imwrite(part, views))


def write_objects(
    path: Path, found: Found, volume: Volume, parameters: Parameters, spacing: Spacing, unit: str
) -> None:
    """The table of objects as CSV."""
    image = volume.shown(parameters.channel)
    write_table(path, volume_table(found.labels, spacing, unit, image, found.probability))
