"""What people look at of a segmented volume: two pictures and a table. All may come from disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imageio.v3 as imageio

from cellspan.core.parameters import Parameters
from cellspan.core.pictures.volume import Spacing, Volume
from cellspan.core.results.outputs import write_table
from cellspan.core.results.volume_pictures import maximum_projection, orthogonal_views
from cellspan.core.results.volume_table import volume_table
from cellspan.core.volumes.pipeline import Found


def write_projection(path: Path, labels: Any, volume: Volume, parameters: Parameters) -> None:
    """The maximum projection as a picture."""
    imageio.imwrite(path, maximum_projection(volume.shown(parameters.channel), labels))


def write_views(path: Path, labels: Any, volume: Volume, parameters: Parameters, anisotropy: float) -> None:
    """The orthogonal views as a picture."""
    imageio.imwrite(path, orthogonal_views(volume.shown(parameters.channel), labels, anisotropy))


def write_objects(
    path: Path, found: Found, volume: Volume, parameters: Parameters, spacing: Spacing, unit: str
) -> None:
    """The table of objects as CSV."""
    image = volume.shown(parameters.channel)
    write_table(path, volume_table(found.labels, spacing, unit, image, found.probability))
