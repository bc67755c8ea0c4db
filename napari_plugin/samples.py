"""The sample image in napari's menu File > Open Sample: simulated nuclei with their true labels."""

from __future__ import annotations

from typing import Any

from cellspan.core.training.simulate import simulate_nuclei


def simulated_nuclei() -> list[tuple[Any, dict[str, Any], str]]:
    """An image to try the widgets on, and its objects."""
    field = simulate_nuclei()
    return [
        (field.image, {"name": "nuclei"}, "image"),
        (field.labels, {"name": "true nuclei", "visible": False}, "labels"),
    ]
