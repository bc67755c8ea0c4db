"""The pages for people who come from other programs name every option that migration knows, and options that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cellspan.core.parameters import Parameters
from cellspan.fiji_bridge.migrate import ADVICE, NAMES, NEEDLESS, VOLUME, our_settings

pytestmark = pytest.mark.quick
DOCS = Path(__file__).parents[2] / "docs"
SAVED = {"seg", "labels", "outlines", "rois"}


def rows(name: str) -> list[list[str]]:
    """The cells of the table's lines."""
    text = (DOCS / name).read_text(encoding="utf-8")
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")][1:]


def test_every_option_of_the_biop_wrapper_is_named() -> None:
    theirs = {word for row in rows("from_biop.md") for word in re.findall(r"`(\w+)(?:=\w+)?`", row[0])}
    assert {*NAMES, *NEEDLESS, *VOLUME, *ADVICE} <= theirs


def test_what_they_become_exists() -> None:
    ours = {word for row in rows("from_biop.md") for word in re.findall(r"`(\w+)(?:=[^`]*)?`", row[1])}
    assert ours <= {*our_settings()}


def test_options_beside_cellposes_window_exist() -> None:
    text = (DOCS / "from_cellpose_gui.md").read_text(encoding="utf-8")
    options = set(re.findall(r"`--([a-z-]+)", text)) - {"save"}
    assert options <= {name.replace("_", "-") for name in Parameters.model_fields}
    assert set(re.findall(r"`(?:--save )?(\w+)`", text)) >= SAVED
