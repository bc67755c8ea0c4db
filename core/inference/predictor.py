"""What runs the network: one protocol, a predictor per kind of device, and the choice among them."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cellspan.core.errors import CellspanError
from cellspan.core.inference.tile_rules import TileRules
from cellspan.core.models.registry import Model
from cellspan.core.pictures.images import Floats


class Predictor(Protocol):
    """The network of one model on one device."""

    device: str
    batch: int  # tiles that are worth giving at once
    tensors: bool  # whether images and outputs should stay on the device, as torch tensors
    rules: TileRules

    def encode(self, tiles: Floats, beside: int = 0) -> tuple[Any, Floats]:
        """Tiles (N, C, Y, X), sides multiples of 8 -> features that only `decode` understands, the deepest as arrays.

        The mean over the deepest features (N, S, Y / 8, X / 8) is the style; without one, S is 0. `beside` is how many
        others use the predictor at the same time; it changes the speed, not the result.
        """
        ...

    def decode(self, features: Any, style: Floats, beside: int = 0) -> Floats:
        """The features of N tiles and the style (S,) of the whole image -> outputs (N, 3, Y, X)."""
        ...


@dataclass
class _FewerTiles:
    predictor: Predictor
    batch: int

    def __getattr__(self, name: str) -> Any:
        return getattr(self.predictor, name)


def fewer_tiles(predictor: Predictor, batch: int) -> Predictor:
    """The same predictor, which wants at most `batch` tiles at once."""
    fewer: Any = _FewerTiles(predictor, min(batch, predictor.batch))
    result: Predictor = fewer
    return result


def make_predictor(model: Model, device: str = "auto") -> Predictor:
    """A predictor on `device`: auto, cpu, gpu, cuda, cuda:N or mps; raises CellspanError if that is not there."""
    wanted = resolve_device(device)
    if wanted == "cpu":
        if model.description.transformer is not None:
            from cellspan.core.inference.transformer_predictor import TransformerPredictor

            return TransformerPredictor(model)
        from cellspan.core.inference.openvino_predictor import OpenVinoPredictor

        return OpenVinoPredictor(model.weights(), TileRules.of(model.description))
    if model.description.transformer is not None:
        from cellspan.core.inference.torch_transformer import TorchTransformer

        return TorchTransformer(model, wanted)
    from cellspan.core.inference.torch_predictor import TorchPredictor

    return TorchPredictor(model, wanted)


def resolve_device(device: str) -> str:
    """`auto` becomes the graphics card if torch can use one, else the CPU; others are checked."""
    if not re.fullmatch(r"auto|cpu|gpu|mps|cuda(:\d+)?", device):
        raise CellspanError(f"There is no device '{device}'; choose auto, cpu, gpu, cuda, cuda:N or mps.")
    if device == "gpu":
        found = resolve_device("auto")
        if found == "cpu":
            raise CellspanError(
                'The engine finds no graphics card that it can use; choose the CPU, or run: pip install "cellspan[gpu]"'
            )
        return found
    if device == "cpu" or (device == "auto" and not _may_have_gpu()):
        return "cpu"
    if importlib.util.find_spec("torch") is None:
        if device == "auto":
            return "cpu"
        raise CellspanError(f'The device {device} needs torch; run: pip install "cellspan[gpu]"')
    return _torch_device(device)


def _may_have_gpu() -> bool:
    """Whether it is worth seconds to import torch and ask it."""
    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    return apple or os.name == "nt" or Path("/dev/nvidia0").exists() or Path("/dev/dxg").exists()


def _torch_device(device: str) -> str:
    try:
        import torch
    except (ImportError, OSError) as error:
        if device == "auto":
            return "cpu"
        raise CellspanError(f"torch is installed but does not load ({error}); reinstall it.") from None

    if device == "auto":
        if torch.cuda.is_available():
            return "cuda:0"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    if device == "mps" and not torch.backends.mps.is_available():
        raise CellspanError("The device mps (Apple graphics) is not available here; choose cpu.")
    if device.startswith("cuda"):
        index = int(device.partition(":")[2] or 0)
        if index >= torch.cuda.device_count():
            count = torch.cuda.device_count()
            raise CellspanError(f"The device {device} is not available: torch sees {count} CUDA graphics card(s).")
        return f"cuda:{index}"
    return device
