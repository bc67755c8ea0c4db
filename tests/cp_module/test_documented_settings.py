"""The page "From RunCellpose" names every setting of every layout, and settings and choices that the module has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cellspan_plugin.layout import LABELS

from cellspan.cp_module import runcellpose

pytestmark = pytest.mark.quick

PAGE = (Path(__file__).parents[2] / "docs" / "from_runcellpose.md").read_text(encoding="utf-8")
PIPELINES = sorted((Path(__file__).parent / "pipelines" / "runcellpose").glob("*.cppipe"))
TABLE = PAGE.split("## Every setting")[1].split("\n## ")[0]
THEIRS = [row.split(" | ")[0].removeprefix("| ") for row in TABLE.splitlines() if row.startswith("| ")]


@pytest.mark.parametrize("old", PIPELINES, ids=lambda path: path.stem)
def test_every_setting_of_every_layout_is_named(old: Path) -> None:
    step = old.read_text(encoding="utf-8").partition("RunCellpose:[")[2].splitlines()[1:]
    settings = [line.strip().split(":", 1)[0] for line in step if line.strip()]
    assert len(settings) == int(old.stem.split("_")[2])
    named = " ".join(THEIRS)
    assert [setting for setting in settings if setting not in named] == []


def test_no_other_settings_are_named() -> None:
    texts = {*runcellpose.LABELS.values(), *runcellpose.RENAMED}
    for row in THEIRS[1:]:
        assert any(text in row for text in texts), row


def test_restoring_is_named_as_in_the_module() -> None:
    for name in ("restore", "restoring_model", "save_restored", "restored_name"):
        assert re.search(rf"\| [^|]*{re.escape(LABELS[name])}", TABLE), name
