"""cellspan: finds every cell in a microscope image, and hands the outlines to CellProfiler and ImageJ.

The version and the public names of `cellspan.core` are looked up when they are first used, so that importing the
package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellspan.core import CellspanError as CellspanError
    from cellspan.core import Parameters as Parameters
    from cellspan.core import Result as Result
    from cellspan.core import Segmenter as Segmenter
    from cellspan.core import average_precision as average_precision
    from cellspan.core import flows_to_labels as flows_to_labels
    from cellspan.core import labels_to_flows as labels_to_flows
    from cellspan.core import labels_to_rois as labels_to_rois
    from cellspan.core import show as show

    __version__: str

_PUBLIC = (
    "CellspanError",
    "Parameters",
    "Result",
    "Segmenter",
    "average_precision",
    "flows_to_labels",
    "labels_to_flows",
    "labels_to_rois",
    "show",
)
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    """The version of the installed distribution, or a public name from `cellspan.core`."""
    if name == "__version__":
        from importlib.metadata import version

        return version("cellspan")
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.core"), name)


def __dir__() -> list[str]:
    """The public names too, before they are loaded."""
    return sorted({*globals(), *__all__})
