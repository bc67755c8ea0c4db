"""What the network thought of each object: its mean probability and its flow error, as far as they are known."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

LABEL, PROBABILITY = "label", "mean_probability"  # columns of the tables of planes


def _nothing() -> NDArray[np.float32]:
    return np.zeros(0, np.float32)


@dataclass(frozen=True)
class Quality:
    """By the number of the object, so that entry 0 is the background's; NaN, or no entry, where it is not known."""

    probability: NDArray[np.float32] = field(default_factory=_nothing)  # logits
    flow_error: NDArray[np.float32] = field(default_factory=_nothing)

    @classmethod
    def of(cls, objects: ArrayLike) -> Quality:
        """From what the engine gives: (2, objects), in the order of their numbers."""
        both = np.asarray(objects, np.float32)
        first = np.full((2, 1), np.nan, np.float32)
        probability, flow_error = np.concatenate([first, both], axis=1)
        return cls(probability, flow_error)

    def without(self, numbers: Iterable[int]) -> Quality:
        """The same, but nothing is known of objects that were changed by hand."""
        changed = np.fromiter(numbers, np.int64)
        return Quality(_forgotten(self.probability, changed), _forgotten(self.flow_error, changed))

    @property
    def stacked(self) -> NDArray[np.float32]:
        """(2, n) for a file."""
        return np.stack([self.probability, self.flow_error])


def _forgotten(values: NDArray[np.float32], numbers: NDArray[np.int64]) -> NDArray[np.float32]:
    result = values.copy()
    result[numbers[numbers < len(values)]] = np.nan
    return result


def quality_in_table(path: Path) -> Quality:
    """The probabilities in a table of objects, as `cellspan segment` writes it; nothing if it is not there."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows: list[dict[str, Any]] = list(csv.DictReader(file))
        numbers = np.array([int(row[LABEL]) for row in rows], np.int64)
        values = np.array([float(row[PROBABILITY]) for row in rows], np.float32)
    except (OSError, ValueError, KeyError, TypeError):
        return Quality()
    if not len(numbers) or numbers.min() < 0 or numbers.max() > 10 * len(numbers) + 1_000_000:
        return Quality()
    probability = np.full(int(numbers.max()) + 1, np.nan, np.float32)
    probability[numbers] = values
    return Quality(probability, np.full(len(probability), np.nan, np.float32))
