"""The page of the Python API has every public name, and only names that exist."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import griffe
import pytest

from cellspan import core, fiji_bridge

from .field_comments import FieldComments

pytestmark = pytest.mark.quick
PAGE = Path(__file__).parents[2] / "docs" / "api.md"
NAMES = re.findall(r"^::: (\S+)$", PAGE.read_text(encoding="utf-8"), re.M)


def test_every_public_name_is_there() -> None:
    public = {f"{package.__name__}.{home}.{name}" for package in (core, fiji_bridge) for name, home in homes(package)}
    assert public == {name for name in NAMES if ".service.client." not in name}


def homes(package: object) -> list[tuple[str, str]]:
    return sorted(package._HOMES.items())  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", NAMES)
def test_the_name_exists(name: str) -> None:
    module, _, own = name.rpartition(".")
    assert getattr(import_module(module), own).__doc__


@pytest.mark.parametrize("name", ["planes.result.Result", "service.client.EngineResult", "service.client.Standing"])
def test_every_field_is_described(name: str) -> None:
    """By the comment behind it."""
    source = griffe.load("core", search_paths=[PAGE.parents[1]], extensions=griffe.load_extensions(FieldComments))
    fields = [one for one in source[name].attributes.values() if "instance-attribute" in one.labels]
    assert len(fields) > 2
    assert [field.name for field in fields if field.docstring is None] == []
