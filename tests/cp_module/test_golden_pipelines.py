"""Pipelines of every revision of our settings load for ever, each setting with the value that it was saved with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cellspan_plugin.layout import DEFAULTS, REVISION

GOLDEN = Path(__file__).parent / "pipelines" / "golden"
SCRIPT = Path(__file__).parent / "in_cellprofiler" / "load_golden.py"


@pytest.mark.quick
def test_there_is_one_for_each_revision() -> None:
    assert {path.stem for path in GOLDEN.glob("*.cppipe")} == {f"revision_{n}" for n in range(1, REVISION + 1)}


@pytest.mark.end_to_end
def test_every_setting_keeps_its_value(in_cellprofiler: Any, plugin_folder: Path) -> None:
    pipelines = sorted(GOLDEN.glob("*.cppipe"))
    done = in_cellprofiler(SCRIPT, plugin_folder, *pipelines)
    assert done.returncode == 0, done.stdout + done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    for pipeline in pipelines:
        saved = json.loads(pipeline.with_suffix(".json").read_text())
        assert loaded[str(pipeline)] == {**DEFAULTS, **saved}, pipeline.name
