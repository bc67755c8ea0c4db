"""For the page docs/api.md: what stands behind a field as a comment is what the page says about it."""

from __future__ import annotations

import tokenize
from functools import cache
from pathlib import Path
from typing import Any

import griffe


class FieldComments(griffe.Extension):
    """Comments behind fields become their docstrings, as in `labels: Labels  # int32 (Y, X)`."""

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """Read the comment on the last line of a field that has no docstring."""
        if attr.docstring is None and attr.endlineno and isinstance(attr.filepath, Path):
            comment = comments(attr.filepath).get(attr.endlineno)
            attr.docstring = griffe.Docstring(comment, parent=attr) if comment else None


@cache
def comments(path: Path) -> dict[int, str]:
    """Line -> comment."""
    with path.open("rb") as file:
        found = [token for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
    return {token.start[0]: token.string.lstrip("# ") for token in found}
