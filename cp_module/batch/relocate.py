"""Corrects paths in results: from the folder of a range to the folder after merging."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.request import pathname2url

from cellspan.cp_module.batch.task import OUTPUT, attempts_folder

COLUMN = re.compile(r"(^|_)(PathName|URL)_")  # measurements with paths, in tables and databases


class Relocation:
    """Replaces the folder of an attempt by the output folder, in paths and in file: addresses."""

    def __init__(self, folder: Path, output: Path) -> None:
        """`folder` is the run's own, `output` the user's."""
        attempts = attempts_folder(folder)
        self._forms = [
            (self._pattern(str(attempts)), str(output)),
            (self._pattern(pathname2url(str(attempts))), pathname2url(str(output))),
        ]

    @staticmethod
    def _pattern(attempts: str) -> re.Pattern[str]:
        return re.compile(re.escape(attempts) + rf"[\\/]\d+-\d+\.[0-9a-f]{{8}}[\\/]{OUTPUT}")

    def of(self, text: str) -> str:
        """The text with corrected paths."""
        for pattern, replacement in self._forms:
            text = pattern.sub(lambda _, new=replacement: new, text)  # type: ignore[misc]
        return text
