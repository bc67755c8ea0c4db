"""What the pages about batch runs tell people to type exists: options, packages, folders of the container file."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import click
import pytest

from cellspan.core.cli import main

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[3]
DISTRIBUTED = ROOT / "docs" / "distributed"
PAGES = [ROOT / "docs" / "batch.md", *sorted(path for path in DISTRIBUTED.iterdir() if path.suffix != ".txt")]


def commands(page: Path) -> list[str]:
    """Every line of a page that calls cellspan."""
    text = page.read_text().replace("\\\n", " ")
    lines = [line.removeprefix("RUN ").strip() for line in text.splitlines()]
    found = [match[0] for line in lines if (match := re.search(r"(?:^|\s|/bin/)cellspan [a-z].*", line))]
    found += re.findall(r"`(cellspan [a-z]+ [^`]+)`", text)
    return [re.split(r"\s(?:&&|\|\|)\s", command.split("/bin/")[-1].strip())[0].rstrip("`.,") for command in found]


def options_of(command: str) -> tuple[click.Command, list[str]]:
    words = shlex.split(re.sub(r"\$\{[^}]*\}", "x", command), comments=True)
    group = main
    verb = group.get_command(click.Context(group), words[1])
    assert verb is not None, command
    return verb, [word.partition("=")[0] for word in words[2:] if word.startswith("-")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_has_the_options_that_it_is_given(page: Path) -> None:
    for command in commands(page):
        if not re.match(r"cellspan (batch|install|demo|doctor|service)\b", command):
            continue
        verb, given = options_of(command)
        known = {name for option in verb.params for name in (*option.opts, *option.secondary_opts)} | {"--to"}
        assert set(given) <= known, command


def test_commands_are_found_on_the_pages() -> None:
    assert sum(command.startswith("cellspan batch") for page in PAGES for command in commands(page)) >= 6


def test_every_option_of_the_command_is_explained() -> None:
    verb = main.get_command(click.Context(main), "batch")
    assert verb is not None
    names = {option.opts[-1] for option in verb.params if isinstance(option, click.Option)}
    text = (ROOT / "docs" / "batch.md").read_text()
    assert [name for name in sorted(names) if name not in text] == []


def test_the_container_gets_the_packages_that_are_tested() -> None:
    recipes = ast.parse((ROOT / "noxfile.py").read_text()).body
    values = {
        target.id: node.value
        for node in recipes
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    lines = (DISTRIBUTED / "cellprofiler.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == ast.literal_eval(values["RELAXED"])
    version = ast.literal_eval(values["CELLPROFILER"])
    assert f"cellprofiler=={version} cellprofiler-core=={version}" in (DISTRIBUTED / "Containerfile").read_text()


def test_the_container_gets_every_folder_of_the_project() -> None:
    folders = re.findall(r'(?m)^"cellspan(?:\.\w+)?" = "(\w+)"$', (ROOT / "pyproject.toml").read_text())
    copied = re.findall(r"(?m)^COPY (\S+) /opt/src/cellspan/\1$", (DISTRIBUTED / "Containerfile").read_text())
    assert len(folders) >= 4
    assert sorted(folders) == sorted(copied)
