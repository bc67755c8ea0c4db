"""Starts the engine while CellProfiler lists the image sets, so that the first images need not wait for it."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

from cellspan.core.service.client import Engine, EngineError
from cellspan.cp_module.batch.block import Block
from cellspan.cp_module.batch.pipeline import OUR_MODULE, PipelineFile
from cellspan.cp_module.install import engine_command

ANOTHER = "Enter its path"  # value of the setting "Where is the cellspan engine?"


def wants_engine(pipeline: PipelineFile) -> bool:
    """Whether a module of the pipeline uses the engine that the plugin finds by itself."""
    return any(not _names_its_own(block) for block in pipeline.named(OUR_MODULE))


def _names_its_own(block: Block) -> bool:
    """Whether the module uses an engine at a path; a hidden advanced setting has no effect."""
    is_hidden = block.value("Use advanced settings?") == "No"
    return not is_hidden and block.value("Where is the cellspan engine?") == ANOTHER


def start_engine(pipeline: PipelineFile, plugins: Path) -> None:
    """Start the engine of this plugins folder if the pipeline will need it, without waiting for it."""
    command = engine_command(plugins)
    if command is not None and wants_engine(pipeline):
        threading.Thread(target=_start, args=([*command, "serve"],), daemon=True).start()


def _start(command: list[str]) -> None:
    with contextlib.suppress(EngineError):  # the module reports the same error
        Engine(command).connect()
