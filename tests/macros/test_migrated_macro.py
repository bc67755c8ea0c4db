"""A macro that ran Cellpose and was migrated gives ImageJ's own reader of options the values that it had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cellspan.fiji_bridge.migrate import migrate_macro

pytestmark = pytest.mark.end_to_end

OLD = r"""
folder = "C:\\my models\\";
f = 0.9;
function size(text) { return lengthOf(text) * 10; }
run("Cellpose ...", "env_path=[" + folder + "env] env_type=conda model= model_path=[" + folder + "mine] diameter=" +
    size("a+)") + " ch1=0 ch2=-1 additional_flags=[--use_gpu, --flow_threshold, " + f + ", --cellprob_threshold, 1]");
"""
EXPECTED = {"model": r"C:\my models\mine", "diameter": "30", "flow_threshold": "0.9", "cellprob_threshold": "1"}
READER = """
function show(options) {
    names = newArray(NAMES);
    for (i = 0; i < names.length; i++)
        print(names[i] + " is " + call("ij.Macro.getValue", options, names[i], "missing"));
}
"""


def test_imagej_reads_the_values_of_the_variables(imagej: Any, tmp_path: Path) -> None:
    old = tmp_path / "old.ijm"
    old.write_text(OLD)
    new = migrate_macro(old)[0].decode()
    assert new.count('run("Segment Cells", ') == 1
    reader = READER.replace("NAMES", ", ".join(f'"{name}"' for name in EXPECTED))
    printed = imagej.headless(new.replace('run("Segment Cells", ', "show(") + reader)
    assert printed.splitlines() == [f"{name} is {value}" for name, value in EXPECTED.items()]
