"""The batches of a training: what each step learns from, cut ahead of it by a thread or by processes of their own."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cellspan.core.training.augment import Contrast, Crop, random_crop
from cellspan.core.training.data import Field
from cellspan.core.training.recipe import Recipe
from cellspan.core.training.rules import RULES
from cellspan.core.training.simulated import SimulatedPool

WIDE_CROPS = 1  # of any magnification, added to each batch where sizes are learnt; only the size is learnt from them
AHEAD = 4  # batches that each process has ready


@dataclass(frozen=True)
class Batch:
    """The crops of a step, and behind them those of any magnification, as tensors."""

    images: Tensor  # (N, C, side, side)
    flows: Tensor  # (N, 2, side, side)
    foreground: Tensor  # (N, side, side), 0 or 1; negative where nobody is sure
    magnifications: Tensor  # (N,); 0 = there are no objects, so nobody knows

    def to(self, device: str) -> Batch:
        """The same on a device."""
        return Batch(*(getattr(self, name).to(device, non_blocking=True) for name in self.__dataclass_fields__))

    def pin_memory(self) -> Batch:
        """The same in memory that a graphics card reads by itself; called by torch."""
        return Batch(*(getattr(self, name).pin_memory() for name in self.__dataclass_fields__))


def batch_of(crops: list[Crop]) -> Batch:
    """Crops, stacked."""

    def stack(part: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(crop, part) for crop in crops]))

    magnifications = torch.tensor([crop.magnification for crop in crops], dtype=torch.float32)
    return Batch(stack("image"), stack("flows"), stack("foreground"), magnifications)


@dataclass
class Batches(Dataset[Batch]):
    """The batch of every step: it depends on the recipe, the fields and the step, never on timing.

    So a resumed training sees what an unbroken one would have seen. Simulated fields are shared out: with `shares`
    processes, each makes its part of the pool only, and a step draws from the part of the process that cuts it.
    """

    recipe: Recipe
    fields: list[Field]
    weights: NDArray[np.float64]  # how often each field is drawn
    pool: SimulatedPool | None
    shares: int = 1
    contrast: Contrast = field(init=False)
    wide: int = field(init=False)

    def __post_init__(self) -> None:
        """What the recipe says of contrast."""
        rules = RULES[self.recipe.kind]
        self.contrast = Contrast(self.recipe.invert, self.recipe.drop_nuclei, rules.gentle)
        self.wide = WIDE_CROPS if rules.knows_sizes else 0

    def __getitem__(self, step: int) -> Batch:
        """The batch of a step."""
        rng = np.random.default_rng((self.recipe.seed, step))
        regular = self.recipe.batch
        fields = self._draw(step, regular + self.wide, rng)
        return batch_of(
            [random_crop(one, self.recipe.crop, rng, self.contrast, wide=k >= regular) for k, one in enumerate(fields)]
        )

    def _draw(self, step: int, wanted: int, rng: np.random.Generator) -> list[Field]:
        """Fields for the crops of a step: simulated ones, and real ones of balanced sources."""
        simulated = int(rng.binomial(wanted, self.recipe.simulated)) if self.pool else 0
        chosen = rng.choice(len(self.fields), wanted - simulated, p=self.weights)
        fields = [self.fields[i] for i in chosen]
        if self.pool:
            pool = self.pool.at(step, self.shares)
            fields += [pool[i] for i in rng.integers(0, len(pool), simulated)]
        return [fields[i] for i in rng.permutation(wanted)]


def batches_from(batches: Batches, first: int, pinned: bool) -> Generator[Batch]:
    """The batches of the steps from `first` on, without end; cut by `batches.shares` processes if there are several.

    `pinned` puts them into memory that a graphics card reads by itself.
    """
    if batches.shares == 1:
        # A thread, because a process would need its own copy of the pool.
        yield from _by_a_thread(batches, first)
        return
    loader: Any = DataLoader(
        batches,
        batch_size=None,
        sampler=count(first),
        num_workers=batches.shares,
        prefetch_factor=AHEAD,
        pin_memory=pinned,
        worker_init_fn=_one_thread,
        multiprocessing_context="spawn",  # compiled loops end a process that was forked from one that used them
    )
    yield from loader


def _by_a_thread(batches: Batches, first: int) -> Iterator[Batch]:
    """The next batch is cut while the network learns from this one."""
    with ThreadPoolExecutor(1) as cutting:
        coming = cutting.submit(batches.__getitem__, first)
        for step in count(first + 1):
            batch, coming = coming.result(), cutting.submit(batches.__getitem__, step)
            yield batch


def _one_thread(worker: int) -> None:
    """There are as many processes as processors."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
