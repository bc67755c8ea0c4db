"""What the bridge says before there is a Java."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.fiji_bridge import connect, image_to_imagej

pytestmark = pytest.mark.quick


def test_importing_starts_no_java() -> None:
    check = (
        "import sys, cellspan.fiji_bridge as bridge\n"
        "bridge.connect, bridge.rois_to_imagej, bridge.image_to_imagej\n"
        "print(sorted({'jpype', 'scyjava', 'imagej'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_every_public_name_exists() -> None:
    import cellspan.fiji_bridge as bridge

    for name in bridge.__all__:
        assert callable(getattr(bridge, name)), name
    with pytest.raises(AttributeError, match="nothing"):
        bridge.nothing  # noqa: B018


@pytest.mark.parametrize("missing", ["scyjava", "jpype"])
def test_missing_packages_are_named_with_the_way_to_get_them(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "scyjava"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(CellspanError, match=r'pip install "cellspan\[fiji\]"'):
        connect()


def test_a_folder_that_is_no_fiji(tmp_path: Path) -> None:
    with pytest.raises(CellspanError, match="neither the folder of a Fiji"):
        connect(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says in its environment whether there is a display")
def test_windows_need_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(CellspanError, match="headless=True"):
        connect(headless=False)


def test_converters_need_a_running_imagej() -> None:
    pytest.importorskip("scyjava")
    with pytest.raises(CellspanError, match="connect"):
        image_to_imagej(np.zeros((2, 2), np.uint8))
