"""Restoring a volume, slice by slice, before its objects are looked for; see core.planes.restoring."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from cellspan.core.errors import CellspanError
from cellspan.core.machine.cancelling import checkpoint
from cellspan.core.machine.memory import available_memory
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.channels import channels_apart, require_nuclei
from cellspan.core.pictures.normalise import Scaled
from cellspan.core.pictures.volume import Volume
from cellspan.core.planes.restoring import OnProgress, Restorer, as_restored
from cellspan.core.volumes.intensities import Intensities

SHARE = 0.25  # of the free memory that a restored volume may take; a larger one is kept on disk meanwhile
CHUNK = (1, 16, 256, 256)  # voxels of it on disk


def channels_to_restore(volume: Volume, parameters: Parameters, apart: int | None, sees_nuclei: bool = True) -> int:
    """How many channels a network looks at, see `network_input`; raises CellspanError for one that is missing."""
    return len(_sources(volume, parameters, apart, sees_nuclei)[0])


def _sources(
    volume: Volume, parameters: Parameters, apart: int | None, sees_nuclei: bool
) -> tuple[list[int | None], list[str]]:
    """The channels that a network looks at, the nuclei last; None is the brightness of colours, or the main one."""
    if apart is not None:
        chosen, notes = channels_apart(len(volume.channels), volume.main, parameters, apart)
        return list(chosen), notes
    require_nuclei(parameters, sees_nuclei)
    nuclei = [] if parameters.nuclei_channel is None else [parameters.nuclei_channel]
    return [*(parameters.channels or (None,)), *nuclei], []


@contextlib.contextmanager
def restored_store(count: int, shape: tuple[int, int, int]) -> Iterator[Any]:
    """Zeros (C, Z, Y, X) in float32: in memory, or in a temporary folder if they are large."""
    if 4.0 * count * np.prod(shape, dtype=float) < SHARE * available_memory():
        yield np.zeros((count, *shape), np.float32)
        return
    import zarr

    with tempfile.TemporaryDirectory(prefix="cellspan-restored-") as folder:
        chunks = tuple(min(chunk, length) for chunk, length in zip(CHUNK, (count, *shape), strict=True))
        yield zarr.open_array(folder, mode="w", shape=(count, *shape), chunks=chunks, dtype="float32", fill_value=0)


def restore_volume(
    volume: Volume,
    parameters: Parameters,
    restorer: Restorer,
    diameter: float | None,
    store: Any,
    report: OnProgress,
    apart: int | None,
    sees_nuclei: bool = True,
) -> tuple[Volume, Parameters, list[str]]:
    """The volume with the channels that a network looks at, restored into `store` (C, Z, Y, X).

    And how to look at it, and notes. `diameter`, `apart` and `sees_nuclei` as in `Restorer.restored`. Raises
    CellspanError as that does, and for models that would have to enlarge the volume.
    """
    if restorer.enlargement(diameter) > 1:
        raise CellspanError(
            f"{restorer.model.name} enlarges images of objects as small as these, which is done for single planes "
            "only; choose another model to restore volumes, such as denoise_cyto3."
        )
    sources, notes = _sources(volume, parameters, apart, sees_nuclei)
    has_nuclei = parameters.nuclei_channel is not None
    depth, height, width = volume.shape
    for number, channel in enumerate(sources):
        single = parameters.model_copy(
            update={"channel": channel, "nuclei_channel": None, "limits": parameters.limits_of(number)}
        )
        intensities = Intensities(volume, single, None, sees_nuclei=False)
        notes += [note for note in intensities.notes if note not in notes]
        is_nuclei = has_nuclei and number == len(sources) - 1
        for z in range(depth):
            checkpoint()
            report((number + z / depth) / len(sources), f"restoring slice {z + 1}")
            plane = intensities.planes((slice(z, z + 1), slice(0, height), slice(0, width)))[0, 0]
            scaled = Scaled([], plane, False, []) if is_nuclei else Scaled([plane], None, False, [])
            [store[number, z]] = restorer.planes(scaled, restorer.factor(diameter), lambda part, words: None)
    restored = store if isinstance(store, np.ndarray) else _as_dask(store)
    looked_at = as_restored(parameters, len(sources) - has_nuclei, has_nuclei)
    return replace(volume, channels=restored, is_rgb=False, main=0, closing=None), looked_at, notes


def _as_dask(store: Any) -> Any:
    """An array on disk as other volumes have it."""
    import dask.array

    return dask.array.from_array(store, chunks=store.chunks)
