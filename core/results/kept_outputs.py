"""The output of the network for an image, in a file beside its results, so that other thresholds do not need it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from cellspan.core.errors import CellspanError
from cellspan.core.models.registry import Model
from cellspan.core.parameters import DYNAMICS, Parameters
from cellspan.core.pictures.images import Image
from cellspan.core.planes.result import Result
from cellspan.core.planes.seen import Seen
from cellspan.core.planes.stages import stages_of
from cellspan.core.segmenter import Segmenter

FORMAT = 1


def save_outputs_of_network(path: Path, result: Result, image: Image) -> None:
    """Write them as an .npz file, with all that tells whether they fit another run."""
    seen = result.seen
    assert seen is not None
    about = {
        "format": FORMAT,
        "image": _digest(image),
        "model_sha256": result.model_sha256,
        "model": result.model,
        "device": result.device,
        "parameters": _network_parameters(result.parameters),
        "diameter": seen.diameter,
        "sized": seen.sized,
        "factor": seen.factor,
        "shape": seen.shape,
        "notes": result.notes,
    }
    with path.open("wb") as file:
        np.savez(file, about=np.array(json.dumps(about)), outputs=seen.outputs, style=seen.style)


def result_from(path: Path, image: Image, parameters: Parameters, segmenter: Segmenter) -> tuple[Result | None, str]:
    """The result of a run without the network; or None, and why the network is needed ("" if there is no file)."""
    try:
        # Opened here, because numpy does not close a file that is damaged.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            about: dict[str, Any] = json.loads(str(kept["about"]))
            outputs, style = kept["outputs"], kept["style"]
    except FileNotFoundError:
        return None, ""
    except Exception as error:  # noqa: BLE001 - a damaged archive raises anything; the network can do it again
        return None, f"{path.name} cannot be read ({type(error).__name__})"
    why = _misfit(about, image, parameters, segmenter.model)
    if why:
        return None, why
    seen = Seen(
        np.ascontiguousarray(outputs, np.float32),
        (int(about["shape"][0]), int(about["shape"][1])),
        float(about["diameter"]),
        float(about["factor"]),
        style,
        stages_of(segmenter.predictor),
        image.mask,
        bool(about.get("sized", True)),
    )
    nothing = np.zeros(seen.shape, np.int32)
    before = Result(
        nothing,
        seen.outputs[:2],
        seen.outputs[2],
        seen.diameter,
        style,
        about["model"],
        about["model_sha256"],
        about["device"],
        0.0,
        list(about["notes"]),
        parameters=parameters,
        seen=seen,
    )
    try:
        return before.again(parameters), ""
    except (CellspanError, ValueError, IndexError) as error:
        return None, f"{path.name} is damaged ({error})"


def _misfit(about: dict[str, Any], image: Image, parameters: Parameters, model: Model) -> str:
    """Why these outputs are not those of this image, model and parameters; empty if they are."""
    if about.get("format") != FORMAT:
        return "it was written by another version"
    if about.get("model_sha256") != model.sha256:
        return "the model is another one"
    if about.get("image") != _digest(image):
        return "the image has changed"
    # A file of a version that lacked an option was written with its default.
    before = {**_network_parameters(Parameters()), **(about.get("parameters") or {})}
    now = _network_parameters(parameters)
    changed = [name for name in now if before[name] != now[name]]
    return f"{changed[0]} has changed" if changed else ""


def _network_parameters(parameters: Parameters) -> dict[str, Any]:
    """Those that change what the network sees; the model is known by its hash."""
    values: dict[str, Any] = json.loads(parameters.model_dump_json())
    return {name: value for name, value in values.items() if name not in (*DYNAMICS, "model")}


def _digest(image: Image) -> str:
    kind = f"{image.channels.dtype} {image.channels.shape} {image.is_rgb}" + (f" {image.main}" if image.main else "")
    digest = hashlib.blake2b(kind.encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image.channels).data)
    if image.mask is not None:
        digest.update(np.packbits(image.mask).data)
    return digest.hexdigest()
