"""The engine for napari: one for every program on this computer, started by the first that needs it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from cellspan.core.models.kinds import KINDS
from cellspan.core.service.client import Engine

COMMAND = [sys.executable, "-m", "cellspan.core.cli"]


@lru_cache(maxsize=1)
def engine() -> Engine:
    """The engine of the Python that runs napari; images of a person come before those of batch runs."""
    return Engine([*COMMAND, "serve"], interactive=True)


def model_names() -> list[str]:
    """The models that find objects; starts the engine. Raises EngineError."""
    return finders(engine().connect().json("GET", "/v1/models")["models"])


def finders(models: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names of those that find objects, in the engine's list; the others restore images."""
    return [str(model["name"]) for model in models if not KINDS[model["kind"]].restores]
