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


def model_names(restore: bool = False) -> list[str]:
    """The models that find objects, or those that restore images; starts the engine. Raises EngineError."""
    return named(engine().connect().json("GET", "/v1/models")["models"], restore)


def named(models: Iterable[Mapping[str, Any]], restore: bool = False) -> list[str]:
    """The names of those that find objects, in the engine's list, or of those that restore images."""
    return [str(model["name"]) for model in models if KINDS[model["kind"]].restores == restore]
