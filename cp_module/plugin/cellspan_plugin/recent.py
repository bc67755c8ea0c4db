"""Test mode: what the network saw in the last images stays in the engine, so that other thresholds take no time."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Mapping, Sequence, Tuple

import numpy as np

if TYPE_CHECKING:
    from cellspan_plugin.client import Engine, EngineResult

# The engine's options that act on the network's output; with another value of any other one, the network runs again.
WITHOUT_NETWORK = (
    "flow_threshold",
    "cellprob_threshold",
    "min_size",
    "max_size_fraction",
    "exclude_on_edges",
    "fill_holes",
    "iterations",
    "resample",
)
MOST = 4  # images: cells and nuclei of two image sets
Key = Tuple[Tuple[str, ...], str, str]  # the engine, the image, the options of the network


@dataclass
class _Kept:
    """The result whose network outputs the engine keeps, and the last result with its options."""

    kept: EngineResult
    last: EngineResult
    parameters: dict[str, Any]


class Recent:
    """The last images of a person who tries settings."""

    def __init__(self) -> None:
        """None at first."""
        self._images: OrderedDict[Key, _Kept] = OrderedDict()

    def segment(
        self,
        service: Engine,
        pixels: np.ndarray,
        parameters: Mapping[str, Any],
        on_progress: Callable[[float, str], None],
        also: Sequence[str],
        mask: np.ndarray | None = None,
    ) -> EngineResult:
        """As Engine.segment; without the network if it has seen this image, without the engine if nothing changed."""
        key = _key(service, [pixels] if mask is None else [pixels, mask], parameters)
        known = self._images.get(key)
        if known is not None:
            self._images.move_to_end(key)
            if known.parameters == dict(parameters) and set(also) <= set(known.last.extra):
                return known.last
        result = None
        if known is not None and known.kept.job is not None:
            result = self._again(service, known, parameters, on_progress, also)
        if result is None:
            keep = not _is_volume(parameters)
            result = service.segment(pixels, parameters, on_progress, also, keep, mask)
            known = None
        self._images[key] = _Kept(known.kept if known else result, result, dict(parameters))
        while len(self._images) > MOST:
            _, oldest = self._images.popitem(last=False)
            service.forget(oldest.kept)
        return result

    def _again(
        self,
        service: Engine,
        known: _Kept,
        parameters: Mapping[str, Any],
        on_progress: Callable[[float, str], None],
        also: Sequence[str],
    ) -> EngineResult | None:
        """From the network's outputs that the engine keeps; None if it no longer does."""
        from cellspan_plugin.client import EngineForgot  # added by the installer, so a plain copy lacks it

        changes = {name: parameters[name] for name in WITHOUT_NETWORK if name in parameters}
        try:
            return service.again(known.kept, changes, on_progress, also)
        except EngineForgot:
            return None


def _key(service: Engine, arrays: Sequence[np.ndarray], parameters: Mapping[str, Any]) -> Key:
    network = {name: value for name, value in parameters.items() if name not in WITHOUT_NETWORK}
    content = hashlib.blake2b(digest_size=16)
    for array in arrays:
        content.update(f"{array.dtype} {array.shape} ".encode())
        content.update(np.ascontiguousarray(array).data)
    return tuple(service.command), content.hexdigest(), repr(sorted(network.items()))


def _is_volume(parameters: Mapping[str, Any]) -> bool:
    """Whether the engine keeps no outputs, because those of volumes are large."""
    return bool(parameters.get("do_3d") or parameters.get("stitch_threshold"))
