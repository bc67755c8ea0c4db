"""What the engine found, as napari's labels layers keep it: labels, and a table of their properties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellspan.core.service.client import EngineResult


@dataclass(frozen=True)
class Found:
    """The objects of one plane or volume of a layer."""

    where: tuple[int, ...]  # its place in the layer's first axes
    labels: NDArray[np.int32]  # (Y, X) or (Z, Y, X)
    probability: NDArray[np.float32]  # mean logit of each object
    flow_error: NDArray[np.float32]
    diameter: float  # pixels
    model: str
    notes: tuple[str, ...]

    @classmethod
    def of(cls, result: EngineResult, where: tuple[int, ...]) -> Found:
        """Fetches the properties, for which the engine may have to be asked."""
        probability, flow_error = result.extra["objects"]
        return cls(where, result.labels, probability, flow_error, result.diameter, result.model, tuple(result.notes))

    @property
    def count(self) -> int:
        """Number of objects."""
        return len(self.probability)


def features_of(parts: Sequence[Found]) -> pd.DataFrame:
    """The properties of a layer's objects; in planes of their own, a label's row is that of its largest object."""
    tables = [
        pd.DataFrame(
            {
                "index": np.arange(1, part.count + 1),
                "probability": part.probability,
                "flow error": part.flow_error,
                "area": np.bincount(part.labels.ravel(), minlength=part.count + 1)[1:],
            }
        )
        for part in parts
    ]
    background = pd.DataFrame({"index": [0], "probability": [np.nan], "flow error": [np.nan], "area": [0]})
    joined = pd.concat([background, *tables])
    return joined.sort_values("area").drop_duplicates("index", keep="last").sort_values("index").reset_index(drop=True)
