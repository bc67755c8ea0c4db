"""Flow fields to label images: every pixel follows the flow; pixels that meet are one object, if its shape fits.

Stringer et al. 2021, Methods, "Gradient tracking", and the check of each object against the flows that its outline
implies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellspan.core.dynamics import volume_following, volume_grouping
from cellspan.core.dynamics.flows import flow_errors, labels_to_flows
from cellspan.core.dynamics.following import follow
from cellspan.core.dynamics.grouping import group
from cellspan.core.dynamics.judging import Judged, judged
from cellspan.core.dynamics.steps import iterations_for
from cellspan.core.errors import CellspanError
from cellspan.core.objects.labels import Labels
from cellspan.core.parameters import Parameters


@dataclass(frozen=True)
class Objects:
    """What was found: labels 1..n and, unless all flow errors were allowed, the flow error of each (n,)."""

    labels: Labels
    errors: NDArray[np.float64] | None


def flows_to_labels(
    flows: ArrayLike,
    probability: ArrayLike,
    parameters: Parameters | None = None,
    diameter: float | None = None,
) -> Labels:
    """Flows (2, Y, X) in pixels per step and probability (Y, X) as logits -> labels (Y, X), 1..n.

    Of a volume with cubic voxels: flows (3, Z, Y, X), probability and labels (Z, Y, X).

    `diameter` in pixels sets the number of steps when `parameters.iterations` is None.
    Every object is one piece (4-connected, so that one outline describes it; in volumes, by faces of voxels).
    """
    return _found(flows, probability, parameters or Parameters(), diameter)[1].labels


def flows_to_objects(
    flows: ArrayLike,
    probability: ArrayLike,
    parameters: Parameters | None = None,
    diameter: float | None = None,
) -> Objects:
    """As flows_to_labels, with the flow errors of these labels, most of which are known from judging the objects.

    With `parameters.flow_threshold` 0 none is computed.
    """
    flow, result = _found(flows, probability, parameters or Parameters(), diameter)
    if result.errors is None:
        return Objects(result.labels, None)
    errors = result.errors.copy()
    errors[result.changed] = flow_errors(result.labels, flow, np.flatnonzero(result.changed) + 1)
    return Objects(result.labels, errors)


def _found(
    flows: ArrayLike, probability: ArrayLike, parameters: Parameters, diameter: float | None
) -> tuple[NDArray[np.float32], Judged]:
    """The flows as 32-bit numbers, and what they lead to."""
    flow = np.ascontiguousarray(flows, np.float32)
    logits = np.ascontiguousarray(probability, np.float32)
    check_shapes(flow.shape, logits.shape)
    steps = parameters.iterations or iterations_for(diameter or parameters.diameter)
    if logits.ndim == 3:
        found = volume_grouping.group(volume_following.follow(flow, logits, parameters.cellprob_threshold, steps))
    else:
        found = group(follow(flow, logits, parameters.cellprob_threshold, steps))
    return flow, judged(found, parameters, lambda labels: flow_errors(labels, flow))


def check_shapes(flows: tuple[int, ...], logits: tuple[int, ...]) -> None:
    """Refuse outputs of the wrong shape, or too large for 32-bit numbers; raises CellspanError."""
    if len(logits) not in (2, 3) or flows != (len(logits), *logits):
        raise CellspanError(
            "Flows must be (2, Y, X) and the probability (Y, X), or (3, Z, Y, X) and (Z, Y, X), "
            f"not {flows} and {logits}."
        )
    if math.prod(logits) > np.iinfo(np.int32).max:
        raise CellspanError(f"An image of {' x '.join(map(str, logits))} pixels is too large; cut it into parts.")


def warm_up() -> None:
    """Load the compiled loops (0.7 s; once per installation 20 s to compile them), for a thread beside the network."""
    squares = np.zeros((16, 48), np.int32)
    squares[4:12, 4:12], squares[4:12, 20:28], squares[4:12, 36:44] = 1, 2, 3
    for labels in (
        squares,
        np.where(squares == 1, 1, 0).astype(np.int32),
    ):  # one object is judged in another way than many
        logits = np.where(labels > 0, 1.0, -1.0)
        logits[6, 6] = -1  # a hole
        flows_to_objects(labels_to_flows(labels), logits, Parameters(max_size_fraction=1, flow_threshold=4))
