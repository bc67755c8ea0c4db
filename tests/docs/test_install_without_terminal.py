"""The page names what is there: five steps, the sizes that the dialog says, variables, files and folders."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cellspan.cp_module.install import PLUGIN
from release.contents import TEMPLATE

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "install_without_terminal.md").read_text(encoding="utf-8")
SOURCES = [
    (PLUGIN / "cellspan_plugin" / "making_engine.py").read_text(encoding="utf-8"),
    (ROOT / "macros" / "making_engine.groovy").read_text(encoding="utf-8"),
]
WANTED = dict(re.findall(r"^(\w+)=(.*)$", TEMPLATE.read_text(encoding="utf-8"), re.M))


def test_five_steps() -> None:
    assert re.findall(r"^\*\*(\d)\. ", PAGE, re.M) == ["1", "2", "3", "4", "5"]


def test_sizes_and_python_are_those_that_are_installed() -> None:
    sizes = re.search(r"about (\d+) MB to download and (\d+) MB on the disk", PAGE)
    assert sizes is not None
    assert sizes.groups() == (WANTED["download_mb"], WANTED["disk_mb"])
    assert set(re.findall(r"a Python (3\.\d+)", PAGE)) == {WANTED["python"]}


def test_both_programs_know_its_variables_and_files() -> None:
    variables = set(re.findall(r"`(CELLSPAN_\w+)`", PAGE))
    for source in SOURCES:
        assert set(re.findall(r"CELLSPAN_[A-Z_]+", source)) == variables
        for name in ("engine_wanted.txt", "wheelhouse", "last_installation.log"):
            assert f"`{name}`" in PAGE
            assert f'"{name}"' in source
        for folder in ("LOCALAPPDATA", "XDG_DATA_HOME", "engines"):
            assert folder in PAGE
            assert folder in source
