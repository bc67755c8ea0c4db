"""The shared engine, and its parameters as a command line gives them; nothing slow is imported before it is used."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from cellspan.core.errors import CellspanError

if TYPE_CHECKING:
    from cellspan.core.service.client import Engine


@cache
def shared_engine() -> Engine:
    """The client of the shared engine, which starts it if it does not run; it keeps its connection."""
    from cellspan.core.service.client import Engine

    return Engine([sys.executable, "-m", "cellspan.core.cli", "serve"], interactive=True)


@contextmanager
def engine_errors() -> Iterator[None]:
    """What the engine refuses becomes a CellspanError with the engine's code."""
    from cellspan.core.service.client import EngineError

    try:
        yield
    except EngineError as error:
        raise CellspanError(str(error), error.code) from None


def parameters_from(words: Sequence[str]) -> dict[str, Any]:
    """`--flow-threshold 0.9 --invert --no-resample` as {flow_threshold: "0.9", invert: True, resample: False}.

    The engine checks names and values. Raises CellspanError for words that belong to no option.
    """
    given: dict[str, Any] = {}
    words_left = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    while words_left:
        word = words_left.pop(0)
        if not word.startswith("--"):
            raise CellspanError(f"'{word}' does not belong to an option; options begin with two hyphens.", "usage")
        name = word[2:].replace("-", "_")
        if words_left and not words_left[0].startswith("--"):
            given[name] = words_left.pop(0)
        else:
            given[name.removeprefix("no_")] = not name.startswith("no_")
    for name in ("model", "restore"):
        if isinstance(given.get(name), str):
            from cellspan.core.service.client import model_for_engine

            given[name] = model_for_engine(given[name])
    return given


def asks_for_volumes(parameters: dict[str, Any]) -> bool:
    """Whether slices are to be segmented together, in 3D or joined."""
    return _is_true(parameters.get("do_3d", "")) or _is_positive(parameters.get("stitch_threshold", 0))


def _is_true(value: Any) -> bool:
    return str(value).lower() in {"true", "1", "yes", "on"}


def _is_positive(value: Any) -> bool:
    try:
        return float(value) > 0
    except (TypeError, ValueError):
        return False  # the engine says what is wrong with it
