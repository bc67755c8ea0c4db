"""Scenes to look at in tests."""

from dataclasses import replace
from typing import Any

import numpy as np

from cellspan.core.training.simulate.kinds import plan_for
from cellspan.core.training.simulate.layout import Scene, arrange

SHAPE = (140, 150)


def scene_of(cells: str, look: str, seed: int = 0, diameter: float = 20.0, **changes: Any) -> Scene:
    """Cells as a look has them, but for `changes` to the plan."""
    rng = np.random.default_rng(seed)
    return arrange(SHAPE, diameter, replace(plan_for(cells, look, rng), **changes), rng)
