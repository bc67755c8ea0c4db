"""The engine for napari: one for every program on this computer, started by the first that needs it."""

from __future__ import annotations

import sys
from functools import lru_cache

from cellspan.core.service.client import Engine

COMMAND = [sys.executable, "-m", "cellspan.core.cli"]


@lru_cache(maxsize=1)
def engine() -> Engine:
    """The engine of the Python that runs napari; images of a person come before those of batch runs."""
    return Engine([*COMMAND, "serve"], interactive=True)


def model_names() -> list[str]:
    """The models that can be used; starts the engine. Raises EngineError."""
    answer = engine().connect().json("GET", "/v1/models")
    return [str(model["name"]) for model in answer["models"]]
