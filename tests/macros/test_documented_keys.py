"""The tables of docs/fiji.md list the keys and defaults that the commands have, in their order."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from cellspan.core.models.partners import OFFERED

pytestmark = pytest.mark.quick

COMMANDS = [
    "Segment Cells",
    "Segment Cells with Nuclei",
    "Segment Folder",
    "Track Objects",
    "Train from ROIs",
    "Use Cellpose Model",
]
DOCUMENT = Path(__file__).parents[2] / "docs" / "fiji.md"


def documented(section: str) -> dict[str, str]:
    """Key and default of each row of a section's table."""
    text = DOCUMENT.read_text(encoding="utf-8").split(f"### {section}\n")[1].split("\n#")[0]
    return dict(re.findall(r"^\| `(\w+)` \|.*\| ?(.*?) ?\|$", text, re.M))


def offered(name: str) -> dict[str, str]:
    """Key and default of each `#@` parameter; '' without one."""
    script = files("cellspan.macros").joinpath(name).read_text(encoding="utf-8")
    fields = re.findall(r"^#@ \w+ +\((.*)\) (\w+)$", script, re.M)
    defaults = {key: re.search(r'\bvalue=(?:"([^"]*)"|([^,]*))', options) for options, key in fields}
    return {key: found[1] or found[2] if found else "" for key, found in defaults.items()}


@pytest.mark.parametrize("command", COMMANDS)
def test_keys_of_the_commands(command: str) -> None:
    keys = offered(command.replace(" ", "_") + ".groovy")
    table = documented(command)
    assert list(table) == list(keys)
    assert {key: table[key] for key in keys if keys[key]} == {key: value for key, value in keys.items() if value}


def test_keys_of_the_macro() -> None:
    macro = files("cellspan.macros").joinpath("cellspan_Segment.ijm").read_text(encoding="utf-8")
    names, values = (
        re.findall(r'"(.*?)"', re.search(rf"^var {variable} = newArray\((.*?)\);$", macro, re.M | re.S)[1])
        for variable in ("names", "values")
    )
    assert documented("cellspan Segment (plain ImageJ)") == dict(zip(names, values, strict=True))


def test_restoring_models_are_those_of_the_other_programs() -> None:
    lists = [
        re.search(r'kind="restoring", of="none\|(.*?)"', script.read_text(encoding="utf-8"))
        for script in Path(str(files("cellspan.macros"))).glob("*.groovy")
    ]
    assert {found[1] for found in lists if found} == {"|".join(OFFERED)}
