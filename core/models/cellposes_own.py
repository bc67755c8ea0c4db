"""Cellpose's own models, for pipelines and macros that used them: whether they are here, and their names here."""

from __future__ import annotations

from cellspan.core.models.official import FILE_OF, OFFICIAL
from cellspan.core.models.registry import cellpose_folder

PREFIX = "cellpose/"  # tells Cellpose's models from the bundled ones of the same name
BUNDLED = ("cyto", "nuclei")  # such names


def is_here(name: str) -> bool:
    """Whether this model of Cellpose is on this computer."""
    return name in OFFICIAL and (cellpose_folder() / FILE_OF.get(name, name)).is_file()


def name_here(name: str) -> str:
    """The name by which a model of Cellpose is found here."""
    return f"{PREFIX}{name}" if name in BUNDLED else name


def fetch_command(name: str) -> str:
    """What a user types to have it."""
    return f"cellspan models fetch {name}"
