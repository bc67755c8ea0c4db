"""The engine is started early only where the pipeline will use that one."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellspan.cp_module.batch import early
from cellspan.cp_module.batch.pipeline import read_pipeline

pytestmark = pytest.mark.quick

PIPELINES = Path(__file__).parents[1] / "pipelines"
MEASURE = Path(__file__).parent / "pipelines" / "measure.cppipe"


@pytest.mark.parametrize(
    ("path", "wanted"),
    [(MEASURE, False), (PIPELINES / "nuclei.cppipe", True), (PIPELINES / "cells_and_nuclei.cppipe", True)],
)
def test_pipelines_with_our_module_need_it(path: Path, wanted: bool) -> None:
    assert early.wants_engine(read_pipeline(path)) is wanted


def test_a_pipeline_that_names_another_engine_does_not(tmp_path: Path) -> None:
    text = (PIPELINES / "cells_and_nuclei.cppipe").read_text()
    changed = text.replace("Where is the cellspan engine?:Automatic", "Where is the cellspan engine?:Enter its path")
    assert changed != text
    (tmp_path / "own.cppipe").write_text(changed)
    assert not early.wants_engine(read_pipeline(tmp_path / "own.cppipe"))


def test_a_hidden_setting_names_no_other_engine(tmp_path: Path) -> None:
    text = (PIPELINES / "cells_and_nuclei.cppipe").read_text()
    where, other = "Where is the cellspan engine?:Automatic", "Where is the cellspan engine?:Enter its path"
    assert where in text
    (tmp_path / "hidden.cppipe").write_text(text.replace(where, f"{other}\n    Use advanced settings?:No"))
    assert early.wants_engine(read_pipeline(tmp_path / "hidden.cppipe"))


def test_the_value_is_that_of_the_module() -> None:
    from cellspan_plugin.layout import ENGINE_PATH

    assert early.ANOTHER == ENGINE_PATH


def test_the_engine_is_that_of_the_plugins_folder(plugin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(early.threading, "Thread", lambda target, args, daemon: Started(started, args))
    early.start_engine(read_pipeline(PIPELINES / "nuclei.cppipe"), plugin_folder)
    assert [command[-1] for command in started] == ["serve"]
    early.start_engine(read_pipeline(PIPELINES / "nuclei.cppipe"), plugin_folder / "nothing here")
    early.start_engine(read_pipeline(MEASURE), plugin_folder)
    assert len(started) == 1


class Started:
    """Stands for a thread: notes the command that it would start."""

    def __init__(self, started: list[list[str]], args: tuple[list[str]]) -> None:
        self.start = lambda: started.append(args[0])
