"""Every command, option and file of the project that README and docs name is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from cellspan.core.cli import main

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
ENDS = {"|", "&&", "||", ";", ">", "#"}  # what follows is another command, a file or a remark


def code_in(text: str) -> list[str]:
    """Each line of its blocks of code, and each piece of code within a sentence."""
    text = text.replace("\\\n", " ")
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.M | re.S)
    inline = re.findall(r"`([^`]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S))
    return [line.strip() for block in blocks for line in block.splitlines()] + [" ".join(one.split()) for one in inline]


def words_after(program: str, code: str) -> list[list[str]]:
    """The words of each call of a program in a line."""
    calls = []
    for part in re.split(rf"(?:^|(?<=[;&|] )|(?<=\$ )){program} ", code)[1:]:
        words = shlex.split(part.replace("'", "\\'"))
        calls.append(words[: next((k for k, word in enumerate(words) if word in ENDS), len(words))])
    return calls


def unknown_in(words: list[str]) -> list[str]:
    """Which of the words after `cellspan` are no commands or options."""
    command: click.Command = main
    context = click.Context(main)
    known = set(options_of(main))
    lost = []
    for word in words:
        name = word.split("=")[0]
        if name.startswith("-") and not re.fullmatch(r"-[\d.]+", name):
            if name not in known:
                lost.append(name)
        elif isinstance(command, click.Group):
            if word == "..." or word.isupper():  # stands for any command
                return lost
            found = command.get_command(context, word)
            if found is None:
                return [*lost, word]
            command = found
            known |= set(options_of(command))
    return lost


def options_of(command: click.Command) -> list[str]:
    """All spellings of its options."""
    own = [name for option in command.params for name in (*option.opts, *option.secondary_opts)]
    return [*own, "-h", "--help"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_their_options(page: Path) -> None:
    for code in code_in(page.read_text(encoding="utf-8")):
        for words in words_after("cellspan", code):
            assert not unknown_in(words), code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_of_the_project(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"(?<![\w/.-])((?:tests|core|cp_module|fiji_bridge|macros|release)/[\w/.-]+\.\w+)", text)
    assert not [name for name in named if not (ROOT / name).exists()]


def test_there_is_something_to_read() -> None:
    readme = code_in((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len([words for code in readme for words in words_after("cellspan", code)]) > 15
    assert unknown_in(["segment", "a.tif", "--diametre", "3"]) == ["--diametre"]
    assert unknown_in(["segmen", "a.tif"]) == ["segmen"]
