"""Which file holds the mask of which image: one file for one image, or a folder with a mask of each image's name."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.inputs import Input, is_image_file


@dataclass(frozen=True)
class MaskFiles:
    """The file or folder that was given as --mask."""

    path: Path

    def without_masks(self, inputs: Iterable[Input]) -> list[Input]:
        """The images without the masks, which may lie in the same folder. Raises CellspanError if none are left."""
        masks = os.path.realpath(self.path)
        inputs = list(inputs)
        kept = [item for item in inputs if masks not in _with_parents(os.path.realpath(item.path))]
        if not kept:
            raise CellspanError(f"{self.path}: the images to segment are the masks themselves; give other images.")
        return kept

    def require_one(self, inputs: Iterable[Input]) -> None:
        """Refuse a single mask for several images, and one that does not exist; raises CellspanError."""
        count = len(list(inputs))
        if not self.path.exists():
            raise CellspanError(f"{self.path}: there is no such mask, nor a folder of masks.")
        if not self.path.is_dir() and count > 1:
            raise CellspanError(
                f"{self.path}: this is one mask, but there are {count} images; give a folder that holds a mask of "
                "each image's name."
            )

    def of(self, item: Input) -> Path:
        """The mask of an image; raises CellspanError if there is none, or more than one."""
        if not self.path.is_dir():
            return self.path
        # First a mask for this image of the file, then one for the whole file; first in its subfolder, then at the top.
        names = dict.fromkeys((item.stem, item.stem.with_name(item.path.stem)))
        places = [(self.path / folder, name.name) for name in names for folder in dict.fromkeys((name.parent, Path()))]
        for folder, stem in places:
            found = _of_stem(folder, stem)
            if len(found) == 1:
                return found[0]
            if found:
                raise CellspanError(
                    f"{item.path}: {self.path} holds several masks of its name ({found[0].name}, {found[1].name}); "
                    "keep one of them."
                )
        raise CellspanError(
            f"{item.path}: {self.path} holds no mask for it; a mask has the image's name, such as {item.stem.name}.tif "
            f"or {item.stem.name}.png."
        )


def _of_stem(folder: Path, stem: str) -> list[Path]:
    """The images of a name; only files of that name are looked at, because a folder may hold thousands."""
    try:
        return sorted(path for path in folder.iterdir() if path.stem == stem and is_image_file(path))
    except OSError:
        return []


def _with_parents(path: str) -> set[str]:
    return {path, *map(str, Path(path).parents)}
