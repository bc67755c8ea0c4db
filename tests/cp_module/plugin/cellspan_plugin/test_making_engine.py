"""The engine is made as a whole or not at all; every fault is a sentence that says what to do."""

from __future__ import annotations

import hashlib
import http.server
import os
import stat
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from cellspan_plugin import making_engine
from cellspan_plugin.making_engine import NotMade, connect_engine, is_outdated, question, wanted_engine

from cellspan.core.service import client
from release.contents import TEMPLATE

pytestmark = [
    pytest.mark.quick,
    pytest.mark.skipif(os.name == "nt", reason="the program that stands for uv is a script of a Unix shell"),
]

# Does what uv does: makes a folder with a Python, which then writes what the installer would.
UV = """#!/bin/sh
case "$1" in
venv) python="$4/bin/python"; mkdir -p "$4/bin"
    printf '#!/bin/sh\\necho "$@" > "%s/connected"\\n' "$4" > "$python"; chmod +x "$python";;
pip) echo "$@" > "$CELLSPAN_ENGINES/installed"; env > "$CELLSPAN_ENGINES/environment";;
esac
"""


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client stands beside the plugin's files, where the installer puts it."""
    monkeypatch.setitem(sys.modules, "cellspan_plugin.client", client)


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "engines"
    for name in ("CELLSPAN_PYTHON", "CELLSPAN_WHEELHOUSE", "CELLSPAN_UV_MIRROR", "UV_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CELLSPAN_ENGINES", str(folder))
    return folder


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """The folder with what is to be installed; its uv is the script above, for this computer."""
    folder = tmp_path / "plugins" / "cellspan_plugin"
    folder.mkdir(parents=True)
    lines = TEMPLATE.read_text(encoding="utf-8") + "version=1.2\nwheel=cellspan-1.2-py3-none-any.whl\n"
    packed = tmp_path / "uv.whl"
    version = next(line for line in lines.splitlines() if line.startswith("uv=")).split("=")[1]
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"uv-{version}.data/scripts/uv", UV)
    key = f"uv_{'macos' if sys.platform == 'darwin' else 'linux'}_"
    kept = [line for line in lines.splitlines() if not line.startswith(key)]
    sum_ = hashlib.sha256(packed.read_bytes()).hexdigest()
    ours = [
        f"{key}{machine}{what}"
        for machine in ("x86_64", "arm64")
        for what in ("=https://x.y/uv.whl", f"_sha256={sum_}")
    ]
    (folder / "engine_wanted.txt").write_text("\n".join([*kept, *ours]), encoding="utf-8")
    return folder


@pytest.fixture
def uv_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def put(script: str = UV) -> None:
        program = tmp_path / "programs" / "uv"
        program.parent.mkdir()
        program.write_text(script)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")

    return put


@pytest.fixture
def no_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making_engine.shutil, "which", lambda name: None if name == "uv" else name)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A web server with the folder of this test."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments) -> None:
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *arguments) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("CELLSPAN_UV_MIRROR", f"http://127.0.0.1:{server.server_port}/")
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def connect(plugin: Path, tell=lambda said: None) -> None:
    wanted = wanted_engine(plugin)
    assert wanted is not None
    connect_engine(plugin, wanted, tell)


def complete(engines: Path) -> list[Path]:
    return list(engines.glob("1.2-*/ready"))


def test_an_installer_leaves_nothing_to_make(tmp_path: Path) -> None:
    assert wanted_engine(tmp_path) is None


def test_uv_installs_the_wheel_that_came_along(engines: Path, plugin: Path, uv_on_path) -> None:
    uv_on_path()
    heard: list[str] = []
    connect(plugin, heard.append)
    [ready] = complete(engines)
    assert (engines / "installed").read_text().endswith(f" {plugin}/cellspan-1.2-py3-none-any.whl\n")
    assert (
        ready.parent / "connected"
    ).read_text() == f"-m cellspan.core.cli install cellprofiler --to {plugin.parent}\n"
    environment = (engines / "environment").read_text().splitlines()
    assert f"UV_CACHE_DIR={engines}/downloads" in environment
    assert "UV_SYSTEM_CERTS=1" in environment
    assert heard[0] == "step 2 of 4: getting Python 3.12"
    assert heard[-1] == "step 4 of 4: connecting to CellProfiler"


def test_the_next_program_uses_what_is_there(engines: Path, plugin: Path, uv_on_path) -> None:
    uv_on_path()
    connect(plugin)
    (engines / "installed").unlink()
    connect(plugin)
    assert len(complete(engines)) == 1
    assert not (engines / "installed").exists()


def test_one_whose_python_is_gone_is_not_there(engines: Path, plugin: Path, uv_on_path) -> None:
    uv_on_path()
    connect(plugin)
    (complete(engines)[0].parent / "bin" / "python").unlink()
    connect(plugin)
    assert len(complete(engines)) == 2


@pytest.mark.usefixtures("no_uv")
def test_uv_is_downloaded_once_and_checked(engines: Path, plugin: Path, mirror: str) -> None:
    heard: list[str] = []
    connect(plugin, heard.append)
    assert heard[0] == "step 1 of 4: getting the installer, uv, 0 of 0 MB"
    assert len(complete(engines)) == 1
    [uv] = engines.glob("uv-*/*")
    assert os.access(uv, os.X_OK)
    assert uv.read_text() == UV


@pytest.mark.usefixtures("no_uv")
def test_another_file_is_not_run(engines: Path, plugin: Path, tmp_path: Path, mirror: str) -> None:
    (tmp_path / "uv.whl").write_bytes(b"something else")
    with pytest.raises(NotMade, match=r"uv.whl is not the file that was expected"):
        connect(plugin)
    assert not list(engines.glob("*/*"))


@pytest.mark.usefixtures("no_uv")
def test_without_a_connection_it_says_what_to_do(engines: Path, plugin: Path, mirror: str, tmp_path: Path) -> None:
    (tmp_path / "uv.whl").unlink()
    with pytest.raises(NotMade, match=r"nothing could be downloaded from 127\.0\.0\.1:\d+\. Check .*\.log\.\)$"):
        connect(plugin)
    assert not list(engines.glob("*/*"))
    assert f"{mirror}/uv.whl: " in (engines / "last_installation.log").read_text()


@pytest.mark.usefixtures("no_uv")
def test_a_folder_of_files_is_enough(engines: Path, plugin: Path, tmp_path: Path) -> None:
    (plugin / "wheelhouse").mkdir()
    with pytest.raises(NotMade, match=f"{plugin}/wheelhouse: the file uv.whl is missing"):
        connect(plugin)
    (tmp_path / "uv.whl").rename(plugin / "wheelhouse" / "uv.whl")
    connect(plugin)
    assert f" --no-index --find-links {plugin}/wheelhouse " in (engines / "installed").read_text()
    assert "UV_PYTHON_DOWNLOADS=never" in (engines / "environment").read_text().splitlines()


def test_a_failure_leaves_nothing_but_the_log(engines: Path, plugin: Path, uv_on_path) -> None:
    uv_on_path("#!/bin/sh\nmkdir -p $4/bin\necho 'error: Nothing works'\nexit 2\n")
    log = engines / "last_installation.log"
    with pytest.raises(NotMade) as caught:
        connect(plugin)
    assert str(caught.value).endswith(f"report it with the file {log}.")
    assert list(engines.iterdir()) == [log]
    assert "error: Nothing works" in log.read_text()


def test_it_ends_at_once_when_it_is_stopped(engines: Path, plugin: Path, uv_on_path) -> None:
    uv_on_path("#!/bin/sh\nmkdir -p $4/bin\nexec sleep 600\n")

    def stop(said: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        connect(plugin, stop)
    assert [path.name for path in engines.iterdir()] == ["last_installation.log"]


def test_a_folder_that_cannot_be_written_is_named(engines: Path, plugin: Path) -> None:
    engines.write_text("")
    with pytest.raises(NotMade, match=f"{engines}.*: the engine cannot be made there"):
        connect(plugin)


def test_the_question_says_how_much_and_where(engines: Path, plugin: Path) -> None:
    wanted = wanted_engine(plugin)
    assert wanted is not None
    lines = question(plugin, wanted).splitlines()
    assert (
        f"To download: about {wanted['download_mb']} MB, from pypi.org and github.com (Python and its packages); "
        "this takes some minutes" in lines
    )
    assert str(engines) in lines
    (plugin / "wheelhouse").mkdir()
    assert str(plugin / "wheelhouse") in question(plugin, wanted).splitlines()


@pytest.mark.parametrize(
    ("system", "machine", "said_by_the_mac", "computer"),
    [
        ("linux", "x86_64", b"", "linux_x86_64"),
        ("linux", "aarch64", b"", "linux_arm64"),
        ("darwin", "x86_64", b"", "macos_x86_64"),
        ("darwin", "x86_64", b"1\n", "macos_arm64"),
        ("win32", "ARM64", b"", "windows_x86_64"),
    ],
)
def test_the_computer_is_known(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, said_by_the_mac: bytes, computer: str
) -> None:
    answer = SimpleNamespace(stdout=said_by_the_mac)
    monkeypatch.setattr(making_engine.sys, "platform", system)
    monkeypatch.setattr(making_engine.platform, "machine", lambda: machine)
    monkeypatch.setattr(making_engine.subprocess, "run", lambda *words, **more: answer)
    assert making_engine._computer() == computer


def test_only_engines_that_were_made_here_get_old(engines: Path, tmp_path: Path) -> None:
    wanted = {"version": "1.2"}
    assert is_outdated(str(engines / "1.1-abcdef01" / "bin" / "python"), wanted)
    assert is_outdated(str(engines / "1.20-abcdef01" / "bin" / "python"), wanted)
    assert not is_outdated(str(engines / "1.2-abcdef01" / "bin" / "python"), wanted)
    assert not is_outdated(sys.executable, wanted)
