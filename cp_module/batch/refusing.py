"""What is known before the start to fail for every image set, and is refused in one sentence."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cellspan.core.errors import CellspanError
from cellspan.core.models.registry import find_model
from cellspan.cp_module.batch.dependence import is_interactive
from cellspan.cp_module.batch.early import wants_engine
from cellspan.cp_module.batch.pipeline import OUR_MODULE, PipelineFile

MIGRATED = "RunCellpose"  # a plug-in of others, for which `cellspan migrate` puts our module
GO_ON = "correct the pipeline in CellProfiler, or add --keep-going to run it all the same"


def refuse_hopeless(pipeline: PipelineFile, path: Path, plugins: Path | None) -> None:
    """Raise CellspanError for modules that wait for a person, and for RunCellpose without its plug-in."""
    for block in pipeline.modules:
        if is_interactive(block):
            raise CellspanError(
                f"{path}: {block.name} waits for a person in a window, and a batch run has none; switch the module off "
                "or change its settings."
            )
    given = plugins is not None and (plugins / f"{MIGRATED.lower()}.py").is_file()
    if pipeline.named(MIGRATED) and not given:
        raise CellspanError(
            f"{path}: the plug-in {MIGRATED} is not here; give its folder with --plugins DIR, or put {OUR_MODULE} in "
            f"its place with: cellspan migrate {path}"
        )


def refuse_missing_models(pipeline: PipelineFile, path: Path) -> None:
    """Raise CellspanError if a module names a model that the engine here does not have."""
    if not wants_engine(pipeline):  # another engine may have other models
        return
    for block in pipeline.named(OUR_MODULE):
        name = block.value("Name or path of the custom model")
        if block.value("Select the model") == "Custom" and name:
            try:
                find_model(name)
            except CellspanError as error:
                raise CellspanError(f"{path}: {error}") from None


def refuse_faults(pipeline: PipelineFile, path: Path) -> None:
    """Raise CellspanError for the first setting that CellProfiler itself finds wrong, such as an image nobody loads."""
    faults = list(_faults(pipeline))
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise CellspanError(f"{path}: {faults[0]}{more}; {GO_ON}.")


def _faults(pipeline: PipelineFile) -> Iterable[str]:
    for number, told in sorted(pipeline.told.items()):
        if told.fault:
            yield f"CellProfiler finds a fault in module {number}, {told.name}: {told.fault.rstrip('.')}"
