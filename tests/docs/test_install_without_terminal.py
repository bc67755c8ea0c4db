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
# What both programs say of uv's errors.
WORDS = [
    (PLUGIN / "cellspan_plugin" / "uv_words.py").read_text(encoding="utf-8"),
    (ROOT / "macros" / "uv_words.groovy").read_text(encoding="utf-8"),
]


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


def told(source: str) -> str:
    """The texts of a program in a row, with gaps for what they fill in."""
    texts = "".join(re.findall(r'f?"([^"\n]*)"', source))
    return re.sub(r"\$?\{[^}]*\}", "...", texts)


@pytest.mark.parametrize(
    "sentence",
    [
        "because the disk is full: it needs about ... MB in .... Make room, and use cellspan again. ",
        "could not be installed: ... Use cellspan again, which tries once more; if that fails, report it with the ",
        "because the connection to ... is not trusted: its certificate is unknown here. Mostly the network of an "
        "institute looks into connections; ask its administrator, with the page 'Install without a terminal' of",
        "because nothing could be downloaded from .... Check the connection to the internet, and use cellspan again. "
        "Behind a proxy or a firewall, ask its administrator, with the page 'Install without a terminal' of",
    ],
)
def test_both_programs_say_the_same_of_errors(sentence: str) -> None:
    for source in WORDS:
        assert sentence in told(source)
    assert PAGE.startswith("# Install without a terminal\n")  # which the sentences name
