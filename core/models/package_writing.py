"""Writes packages of bioimage.io: a zip with the network, its weights, a test, and `rdf.yaml`, which describes them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import write_atomically
from cellspan.core.models.architecture import CHANNELS, OUTPUTS, Convolutional
from cellspan.core.models.card import card
from cellspan.core.models.description import Model
from cellspan.core.models.package_reading import DESCRIPTIONS, OWN, STATE_DICT

FORMAT = "0.5.3"  # of the description
NETWORK = "network.py"
OWN_IMPORT = "from cellspan.core.models.architecture import OUTPUTS"  # what a network on its own cannot have
PERCENTILES = (1.0, 99.0)  # of each channel of the raw image that become 0 and 1
SMALLEST, SIDE = 64, 96  # pixels along the sides of images: at least, and of the test
PAPER = {
    "text": "Stringer et al. 2021, Cellpose: a generalist algorithm for cellular segmentation, Nature Methods 18",
    "doi": "10.1038/s41592-020-01018-x",
}


def export_package(model: Model, path: Path) -> None:
    """Write a model as a package that any program of bioimage.io can run; raises CellspanError. This needs torch.

    Its input is a raw image (N, C, Y, X), whose channels are scaled by percentiles first; its outputs are those of the
    network: flows and probability (N, 3, Y, X), and the style (N, S).
    """
    layout = model.description.layout
    if not isinstance(layout, Convolutional) or model.description.kind != "flow-cnn":
        raise CellspanError(
            f"{model.name}: only networks of Cellpose 1 to 3 are exported as packages; leave out --bioimageio for a "
            "checkpoint."
        )
    try:
        contents = _contents(model, layout)
    except ModuleNotFoundError:
        raise CellspanError('Writing a package needs torch; run: pip install "cellspan[gpu]"') from None
    write_atomically(path, lambda part: _write(part, contents))


def _write(path: Path, contents: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


def _contents(model: Model, layout: Convolutional) -> dict[str, bytes]:
    import torch

    from cellspan.core.models import network

    state = {name: torch.from_numpy(array.copy()) for name, array in model.weights().items()}
    flows = network.FlowNetwork(layout.widths).eval()
    flows.load_state_dict(state)
    weights = io.BytesIO()
    torch.save(state, weights)
    raw = _test_image(layout.channels)
    with torch.inference_mode():
        outputs, style = (part.numpy() for part in flows(torch.from_numpy(_scaled(raw))))
    files = {
        NETWORK: _by_itself(Path(network.__file__).read_text(encoding="utf-8")),
        "weights.pt": weights.getvalue(),
        "README.md": card(model).encode("utf-8"),
        "test_raw.npy": _as_npy(raw),
        "test_outputs.npy": _as_npy(outputs),
        "test_style.npy": _as_npy(style),
    }
    rdf = _described(model, layout, files, torch.__version__.partition("+")[0])
    text = yaml.safe_dump(rdf, sort_keys=False, allow_unicode=True, width=120)
    return {DESCRIPTIONS[0]: text.encode("utf-8"), **files}


def _by_itself(source: str) -> bytes:
    """The network's code without what it imports from this package."""
    return source.replace(OWN_IMPORT, f"OUTPUTS = {OUTPUTS}").encode("utf-8")


def _test_image(channels: int) -> NDArray[np.float32]:
    """Bright discs on a noisy background, (1, C, Y, X), in the range of a camera."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    discs = sum((np.hypot(y - a, x - b) < 11) for a in (16, 48, 80) for b in (16, 48, 80))
    planes = 200 + 1500 * discs + rng.normal(0, 40, (1, channels, SIDE, SIDE))
    return np.asarray(planes, np.float32)


def _scaled(raw: NDArray[np.float32]) -> NDArray[np.float32]:
    """As programs of bioimage.io scale it before the network sees it."""
    low, high = np.percentile(raw, PERCENTILES, axis=(2, 3), keepdims=True)
    return np.asarray((raw - low) / (high - low + 1e-6), np.float32)


def _as_npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _described(model: Model, layout: Convolutional, files: dict[str, bytes], torch_version: str) -> dict[str, Any]:
    about = model.description
    step = 2 ** (len(layout.widths) - 2)  # the network halves images between its levels

    def file(name: str) -> dict[str, str]:
        return {"source": name, "sha256": hashlib.sha256(files[name]).hexdigest()}

    def channels(*names: str) -> dict[str, Any]:
        return {"type": "channel", "id": "channel", "channel_names": list(names)}

    def space(size: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"type": "space", "id": axis, "size": {**size, **_axis(size, axis)}} for axis in "yx"]

    seen = ("to_segment", "nuclei") if layout.channels == CHANNELS else [f"channel{k}" for k in range(layout.channels)]
    scale = {"axes": ["y", "x"], "min_percentile": PERCENTILES[0], "max_percentile": PERCENTILES[1]}
    return {
        "format_version": FORMAT,
        "type": "model",
        "name": _plain(model.name),
        "description": f"Finds {about.objects} by flows, for objects of {about.mean_diameter:g} pixels (resize first).",
        "documentation": "README.md",
        "authors": [{"name": "unknown, please enter"}],
        "cite": [PAPER],
        "tags": ["cellpose", "cellspan", "2d", "instance-segmentation", "cells"],
        "timestamp": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "inputs": [
            {
                "id": "raw",
                "axes": [{"type": "batch"}, channels(*seen), *space({"min": SMALLEST, "step": step})],
                "test_tensor": file("test_raw.npy"),
                "data": {"type": "float32"},
                "preprocessing": [{"id": "scale_range", "kwargs": scale}],
            }
        ],
        "outputs": [
            {
                "id": "flows",
                "axes": [{"type": "batch"}, channels("flow_y", "flow_x", "probability"), *space({"tensor_id": "raw"})],
                "test_tensor": file("test_outputs.npy"),
                "data": {"type": "float32"},
            },
            {
                "id": "style",
                "axes": [{"type": "batch"}, channels(*(f"style{k}" for k in range(layout.style_length)))],
                "test_tensor": file("test_style.npy"),
                "data": {"type": "float32"},
            },
        ],
        "weights": {
            STATE_DICT: {
                **file("weights.pt"),
                "pytorch_version": torch_version,
                "architecture": {**file(NETWORK), "callable": "FlowNetwork", "kwargs": {"widths": list(layout.widths)}},
            }
        },
        "config": {OWN: about.model_dump(mode="json")},
    }


def _axis(size: dict[str, Any], axis: str) -> dict[str, str]:
    """Which axis of the input a size is that of."""
    return {"axis_id": axis} if "tensor_id" in size else {}


def _plain(name: str) -> str:
    """A name as packages may have it: 5 to 128 letters, digits and a few marks."""
    allowed = "".join(letter if letter.isalnum() or letter in "_+- ()" else " " for letter in name)
    plain = " ".join(allowed.split())[:128]
    return plain if len(plain) >= 5 else f"model {plain}".strip()
