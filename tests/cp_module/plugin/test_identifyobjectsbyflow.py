"""The installed module inside CellProfiler: settings, objects, errors and display."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cellspan.core.inference.predictor import resolve_device
from cellspan.core.parameters import Parameters

SCRIPTS = Path(__file__).parents[1] / "in_cellprofiler"

pytestmark = pytest.mark.end_to_end


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("check_*.py")), ids=lambda path: path.stem)
def test_in_cellprofiler(
    script: Path, in_cellprofiler: Any, plugin_folder: Path, engine_home: Path, restoring_models: Path
) -> None:
    done = in_cellprofiler(script, plugin_folder, restoring_models)
    assert done.returncode == 0, done.stdout + done.stderr


def test_settings_are_those_of_the_engine(in_cellprofiler: Any, plugin_folder: Path) -> None:
    done = in_cellprofiler(SCRIPTS / "report_settings.py", plugin_folder)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    numbers, defaults = report["numbers"], Parameters()
    for name in ("flow_threshold", "cellprob_threshold", "min_size", "tile_overlap", "smooth_flows"):
        assert numbers[name]["value"] == getattr(defaults, name), name
    assert report["discard_border"], "as in IdentifyPrimaryObjects"
    resolve_device(report["sent"].pop("device"))
    Parameters(**report["sent"])
    for name, limits in numbers.items():
        for limit, beyond in ((limits["min"], -1.0), (limits["max"], 1.0)):
            if limit is None:
                continue
            Parameters(**{name: limit})
            with pytest.raises(ValidationError):
                Parameters(**{name: limit + beyond})
