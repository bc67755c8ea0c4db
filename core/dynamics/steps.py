"""The numbers of the dynamics, for planes, volumes and tensors: how far points go, and what founds an object.

Stringer et al. 2021, Methods, "Gradient tracking".
"""

from __future__ import annotations

SEED = 10  # a point of arrival needs more pixels (voxels) than this to found an object
TAIL = 2  # neighbouring points of arrival with more pixels than this join the object
REACH = 5  # steps from its seed within which an object gathers points of arrival
STEPS = 200  # for objects of the reference diameter
REFERENCE_DIAMETER = 30.0  # pixels
STILL = 0.01  # pixels: a point that is this close to where it was two steps ago has arrived
NOWHERE = -1000.0  # a probability (logit) below every threshold


def iterations_for(diameter: float | None) -> int:
    """Steps that bring the far end of an object of this diameter (pixels) to its centre: 200 at 30 pixels."""
    return max(STEPS, round(STEPS * (diameter or 0) / REFERENCE_DIAMETER))
