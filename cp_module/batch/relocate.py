"""Corrects paths in results: from the folder of a range to the folder after merging."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.request import pathname2url

from cellspan.cp_module.batch.task import OUTPUT, attempts_folder, template_folder

COLUMN = re.compile(r"(^|_)(PathName|URL)_")  # measurements with paths, in tables and databases


class Relocation:
    """Replaces the folder of an attempt by the output folder, in paths and in file: addresses."""

    def __init__(self, folder: Path, output: Path) -> None:
        """`folder` is the run's own, `output` the user's."""
        attempt = rf"[\\/]\d+-\d+\.[0-9a-f]{{8}}[\\/]{OUTPUT}"
        self._of_images = _spellings(attempts_folder(folder), attempt, output)
        self._of_plan = _spellings(template_folder(folder), r"(?=[\\/]|$)", output)

    def of(self, text: str) -> str:
        """The text about an image set with corrected paths."""
        return _replaced(text, self._of_images)

    def of_run(self, text: str) -> str:
        """The text about the whole run with corrected paths; some of it was written when the run was planned."""
        return _replaced(text, [*self._of_images, *self._of_plan])


def _spellings(folder: Path, below: str, output: Path) -> list[tuple[re.Pattern[str], str]]:
    """Patterns for paths and for file: addresses, and what they become."""
    places = [(str(folder), str(output)), (pathname2url(str(folder)), pathname2url(str(output)))]
    return [(re.compile(re.escape(old) + below), new) for old, new in places]


def _replaced(text: str, spellings: list[tuple[re.Pattern[str], str]]) -> str:
    for pattern, replacement in spellings:
        text = pattern.sub(lambda _, new=replacement: new, text)  # type: ignore[misc]
    return text
