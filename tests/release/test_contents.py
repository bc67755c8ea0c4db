"""What is unpacked into the programs is what their installers write, and the way to an engine."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import pytest

from cellspan.cp_module import install as cellprofiler
from cellspan.fiji_bridge import install as fiji
from release.contents import TEMPLATE, cellprofiler_files, fiji_files

pytestmark = pytest.mark.quick


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / f"cellspan-{version('cellspan')}-py3-none-any.whl"
    path.write_bytes(b"the wheel")
    return path


def written(folder: Path, install) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in install(folder)}


def test_fiji_gets_what_its_installer_writes(wheel: Path, tmp_path: Path) -> None:
    for part in ("plugins", "scripts"):
        (tmp_path / "Fiji.app" / part).mkdir(parents=True)
    installed = written(tmp_path / "Fiji.app", fiji.install)
    files = fiji_files(wheel)
    local = {f"plugins/cellspan/{name}" for name in ("engine.txt", "models.txt", "installed.json")}
    way = {f"plugins/cellspan/{name}" for name in ("engine_wanted.txt", wheel.name)}
    assert files.keys() - way == installed.keys() - local
    assert all(installed[name] == files[name] for name in files.keys() - way)


def test_cellprofiler_gets_what_its_installer_writes(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    installed = written(tmp_path / "plugins", cellprofiler.install)
    files = cellprofiler_files(wheel)
    local = {f"cellspan_plugin/{name}" for name in ("engine.json", "installed.json")}
    way = {f"cellspan_plugin/{name}" for name in ("engine_wanted.txt", wheel.name)}
    assert files.keys() - way == installed.keys() - local
    assert all(installed[name] == files[name] for name in files.keys() - way)


def test_both_install_the_wheel_of_their_version(wheel: Path) -> None:
    wanted = fiji_files(wheel)["plugins/cellspan/engine_wanted.txt"]
    assert wanted == cellprofiler_files(wheel)["cellspan_plugin/engine_wanted.txt"]
    lines = wanted.decode().splitlines()
    assert lines[-2:] == [f"version={version('cellspan')}", f"wheel={wheel.name}"]


def test_a_wheel_of_another_version_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "cellspan-0.0.1-py3-none-any.whl"
    other.touch()
    with pytest.raises(ValueError, match="build the wheel again"):
        fiji_files(other)


def test_uv_is_named_with_its_checksum_for_every_computer() -> None:
    pairs = [line.split("=", 1) for line in TEMPLATE.read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    values = dict(pairs)
    assert len(values) == len(pairs)
    for computer in ("linux_x86_64", "linux_arm64", "macos_x86_64", "macos_arm64", "windows_x86_64"):
        address = values[f"uv_{computer}"]
        assert re.fullmatch(rf"https://files\.pythonhosted\.org/.*/uv-{re.escape(values['uv'])}-.*\.whl", address)
        assert re.fullmatch("[0-9a-f]{64}", values[f"uv_{computer}_sha256"])
