"""The lists of models in the panel: from the engine's program, each model with its network, size and advice."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from cellspan_plugin import models
from cellspan_plugin.models import list_models, name_in

from cellspan.core.service import client

pytestmark = pytest.mark.quick


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client stands beside the plugin's files, where the installer puts it."""
    monkeypatch.setitem(sys.modules, "cellspan_plugin.client", client)


def program(folder: Path, words: str) -> list[str]:
    """An engine's program that answers every question with these words."""
    script = folder / "program.py"
    script.write_text(f"import sys\nassert sys.argv[1:] == ['models', 'list', '--json']\nprint({words!r})\n")
    return [sys.executable, str(script), "serve"]


def item(name: str, **changes: object) -> dict[str, object]:
    return {"name": name, "about": "a network, 3 MB", "restores": False, "problem": "", **changes}


def test_every_kind_with_its_size_and_advice(tmp_path: Path) -> None:
    answer = [
        item("cyto3"),
        item("cpsam_v2", about="transformer (Cellpose 4), 1.2 GB, graphics card advised"),
        item("denoise_cyto3", restores=True),
        item("broken", problem="it is damaged"),
    ]
    found = list_models(program(tmp_path, json.dumps(answer)))
    assert [model.line for model in found] == [
        "cyto3 - a network, 3 MB",
        "cpsam_v2 - transformer (Cellpose 4), 1.2 GB, graphics card advised",
        "denoise_cyto3 - a network, 3 MB",
    ]
    assert [model.restores for model in found] == [False, False, True]
    assert name_in(found[1].line, found) == "cpsam_v2"
    assert name_in("my - own name", found) == "my - own name"


@pytest.mark.parametrize("words", ["", "Usage: cellspan", "[{}]", "{}", "[1]"])
def test_a_program_that_does_not_say_leaves_the_list_empty(tmp_path: Path, words: str) -> None:
    assert list_models(program(tmp_path, words)) == []


def test_cellprofilers_own_packages_do_not_reach_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "json.py").write_text("raise ImportError('of another Python')\n")
    script = tmp_path / "program.py"
    script.write_text(f"import json\nprint(json.dumps({[item('cyto3')]!r}))\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "foreign"))
    assert [model.name for model in list_models([sys.executable, str(script)])] == ["cyto3"]


def test_no_program() -> None:
    assert list_models(["/no/such/cellspan", "serve"]) == []


def test_it_is_asked_anew_only_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = program(tmp_path, json.dumps([item("first")]))
    assert [model.name for model in list_models(command)] == ["first"]
    program(tmp_path, json.dumps([item("second")]))
    assert [model.name for model in list_models(command)] == ["first"]
    monkeypatch.setattr(models, "FRESH", -1.0)
    assert [model.name for model in list_models(command)] == ["second"]
