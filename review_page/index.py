"""What was read of the images of a folder, kept for the next time: 1,000 images then have their numbers at once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import make_folder, write_json
from cellspan.review_page.image import ReviewImage
from cellspan.review_page.stacks import Looks
from cellspan.review_page.summary import Summary

NAME = "index.json"
FORMAT = 1  # raised when summaries have other numbers


class Index:
    """Of images without corrections, whose numbers follow from the files alone."""

    def __init__(self, folder: Path) -> None:
        """Reads the index in the review's folder; a damaged one counts as none."""
        self._path = folder / NAME
        self._known: dict[str, Any] = {}
        try:
            found = json.loads(self._path.read_bytes())
            if found["format"] == FORMAT:
                self._known = dict(found["images"])
        except (OSError, ValueError, KeyError, TypeError):
            pass

    def apply(self, image: ReviewImage) -> bool:
        """Give an image what is known of it; False if that is nothing, or of other files."""
        try:
            known = self._known[image.id]
            if known["files"] != _files(image) or image.history.state.steps:
                return False
            looks = _looks(known["looks"])
            summary = None if known["summary"] is None else Summary.of_json(known["summary"])
        except (CellspanError, OSError, KeyError, TypeError, ValueError):
            return False
        image.know(looks, summary)
        return True

    def keep(self, images: Iterable[ReviewImage]) -> None:
        """Write what is known of these images; it is only for speed, so nothing is said if that fails."""
        found = {}
        try:
            for image in images:
                looks, summary = image.shown.looks, image.shown.summary
                if looks is not None and not image.state.steps and not image.shown.sentence:
                    kept = None if summary is None else summary.as_json()
                    found[image.id] = {"files": _files(image), "looks": asdict(looks), "summary": kept}
            if found and found != self._known:
                make_folder(self._path.parent)
                write_json(self._path, {"format": FORMAT, "images": found})
                self._known = found
        except (CellspanError, OSError):
            return


def _files(image: ReviewImage) -> list[list[int]]:
    """What tells the files that the numbers come from from other ones."""
    files = (image.item.path, image.paths["labels"], image.paths["table"])
    return [[0, 0] if found is None else [found.st_size, found.st_mtime_ns] for found in map(_status, files)]


def _status(path: Path) -> Any:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _looks(found: dict[str, Any]) -> Looks:
    height, width = found["shape"]
    lists = {name: tuple(found[name]) for name in ("names", "spacing")}
    return Looks(**{**found, **lists, "shape": (height, width)})
