"""Folders with all that lies below them: links are followed, but nothing is visited twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path


def folders_below(
    top: Path,
    is_whole: Callable[[Path], bool] = lambda folder: False,
    on_error: Callable[[OSError], None] = lambda error: None,
) -> Iterator[tuple[Path, list[Path]]]:
    """`top` and the folders below it, each with what it holds beside other folders; hidden things do not count.

    A folder that `is_whole`, such as an OME-Zarr, is not entered: it counts as a file. Links that lead back to where
    the search is already, or above `top`, are not followed. `on_error` gets what went wrong with a folder, which is
    then passed over.
    """
    above = os.path.realpath(top)
    visited: set[str] = set()
    for current, folders, files in os.walk(top, followlinks=True, onerror=on_error):
        folder, real = Path(current), os.path.realpath(current)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        whole = [name for name in folders if is_whole(folder / name)]
        # Real folders first, so that what a link leads to keeps its own place if that is below `top`, too.
        entered = [name for name in folders if not name.startswith(".") and name not in whole]
        folders[:] = sorted(
            (name for name in entered if not _leads_above(folder / name, above)),
            key=lambda name: ((folder / name).is_symlink(), name),
        )
        yield folder, [folder / name for name in sorted([*files, *whole]) if not name.startswith(".")]


def _leads_above(folder: Path, top: str) -> bool:
    """Whether a link leads to `top` or to a folder that holds it."""
    if not folder.is_symlink():
        return False
    real = os.path.realpath(folder)
    return top == real or top.startswith(real.rstrip(os.sep) + os.sep)
