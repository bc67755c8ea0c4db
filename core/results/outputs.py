"""The kinds of results, and where each of them goes on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from cellspan.core.errors import CellspanError
from cellspan.core.files.result_names import ENDINGS, VIEWS
from cellspan.core.files.together import Write
from cellspan.core.parameters import Parameters

__all__ = ["ENDINGS", "VIEWS", "OnFiles", "output_paths", "result_files", "views_path"]

OnFiles = Callable[[Mapping[Path, Write]], None]  # writes files that belong together


def output_paths(folder: Path, stem: Path, kinds: Iterable[str]) -> dict[str, Path]:
    """Where each kind of result of one image goes; raises CellspanError for an unknown kind."""
    unknown = [kind for kind in kinds if kind not in ENDINGS]
    if unknown:
        raise CellspanError(f"There is no output '{unknown[0]}'; choose from {', '.join(ENDINGS)}.")
    return {kind: folder / stem.parent / (stem.name + ENDINGS[kind]) for kind in kinds}


def result_files(paths: dict[str, Path], parameters: Parameters) -> list[Path]:
    """All files that are written for these kinds of results of one image."""
    beside = [views_path(paths["overlay"])] if parameters.is_volume and "overlay" in paths else []
    return [*paths.values(), *beside]


def views_path(overlay: Path) -> Path:
    """Where the orthogonal views of a volume go."""
    return overlay.with_name(overlay.name.removesuffix(ENDINGS["overlay"]) + VIEWS)
