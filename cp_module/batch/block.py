"""One module of a pipeline file, as its text."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """One module of a pipeline file."""

    text: str

    @property
    def name(self) -> str:
        """The module's class."""
        return self.text.split(":", 1)[0].strip()

    @property
    def enabled(self) -> bool:
        """Whether CellProfiler runs it."""
        return "|enabled:False" not in self.text.split("\n", 1)[0]

    def values(self, start: str) -> list[str]:
        """The values of the settings whose text starts so."""
        pattern = rf"(?m)^[ \t]+{re.escape(start)}[^:\n]*:(.*)$"
        return [value.strip() for value in re.findall(pattern, self.text)]

    def value(self, start: str) -> str:
        """The first of these values, or ''."""
        return next(iter(self.values(start)), "")

    def with_value(self, start: str, value: str) -> Block:
        """The block with another value in the first setting whose text starts so."""
        pattern = rf"(?m)^([ \t]+{re.escape(start)}[^:\n]*:).*$"
        return Block(re.sub(pattern, lambda match: match[1] + value, self.text, count=1))
