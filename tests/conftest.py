"""Fixtures that several folders of tests share: the data, the other programs, a service of one's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from hypothesis import settings
from uv import find_uv_bin

from cellspan.core.objects.labels import Labels, as_labels, renumber
from cellspan.core.pictures.reading import read_labels

ROOT = Path(__file__).parents[1]
# For release/, which is not installed. At the end, lest what a build has left there is taken for the installation.
sys.path.append(str(ROOT))
RESTORING = ("denoise_cyto3", "denoise_nuclei", "upsample_cyto3")
# The first call of a compiled function takes seconds, so a time limit per example would be wrong.
settings.register_profile("cellspan", deadline=None)
settings.load_profile("cellspan")


def unavailable(what: str) -> NoReturn:
    """A missing program or data set fails in CI, where it must be there, and skips with its reason elsewhere."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The annotated images beside the checkout."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        unavailable("the annotated images (../shared/data) are not here")
    return folder


@pytest.fixture(scope="session")
def nuclei_images(shared_data: Path) -> list[Path]:
    """Ten real images of nuclei that no model was trained on, small ones first."""
    images = sorted((shared_data / "dsb2018_fluo" / "val").glob("*_img.png"), key=lambda path: path.stat().st_size)
    return images[::6][:10]


@pytest.fixture(scope="session")
def nuclei_labels(nuclei_images: list[Path]) -> list[Labels]:
    """What people drew on `nuclei_images`."""
    masks = [image.with_name(image.name.replace("_img", "_masks")) for image in nuclei_images]
    return [renumber(as_labels(read_labels(path))) for path in masks]


@pytest.fixture(scope="session")
def cellprofiler_python() -> Path:
    """The Python that has CellProfiler; `nox` builds it and names it."""
    path = os.environ.get("CELLSPAN_CELLPROFILER_PYTHON")
    if not path or not Path(path).exists():
        unavailable("CELLSPAN_CELLPROFILER_PYTHON does not name a Python with CellProfiler; run the tests through nox")
    return Path(path)


@pytest.fixture(scope="session")
def imagej_in_python() -> None:
    """What ImageJ inside of Python needs."""
    if find_spec("scyjava") is None or not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        unavailable('ImageJ inside of Python needs a JDK, and: pip install "cellspan[fiji]"')


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a release of the installed version, as `nox -s release` writes them."""
    from release.__main__ import write_all

    folder = tmp_path_factory.mktemp("dist")
    # In a copy, because several tests may build at once.
    copy = tmp_path_factory.mktemp("sources") / "cellspan"
    others = (".*", "build", "dist", "docs", "page", "site", "tests", "*.egg-info")
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*others))
    # The version of an editable installation is that of the commit when it was made.
    environment = {**os.environ, "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_CELLSPAN": version("cellspan")}
    build = [find_uv_bin(), "build", "-q", "--wheel", "--out-dir", str(folder), str(copy)]
    done = subprocess.run(build, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        unavailable(f"the wheel cannot be built here: {done.stderr}")
    write_all(folder, datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc))
    return folder


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a first use makes its engine: a folder of one's own, with this Python and the downloads of this user.

    What is made there runs apart from the engines of other tests, and is stopped at the end.
    """
    folder = tmp_path / "engines é 1"
    monkeypatch.setenv("CELLSPAN_RUNTIME_DIR", str(tmp_path / "runtime of engines"))
    monkeypatch.setenv("CELLSPAN_ENGINES", str(folder))
    monkeypatch.setenv("CELLSPAN_PYTHON", sys.executable)
    cache = subprocess.run([find_uv_bin(), "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
    monkeypatch.setenv("UV_CACHE_DIR", cache)
    monkeypatch.setenv("PATH", without_uv())
    yield folder
    for ready in folder.glob("*/ready"):
        stop = [str(ready.with_name("bin") / "python"), "-m", "cellspan.core.cli", "service", "stop"]
        subprocess.run(stop, check=True, capture_output=True)


def without_uv() -> str:
    """The search path without the folders that have uv."""
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if shutil.which("uv", path=folder) is None)


@pytest.fixture
def engine_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder of one's own, so that the test has its own service; stopped at the end."""
    folder = tmp_path / "runtime"
    monkeypatch.setenv("CELLSPAN_RUNTIME_DIR", str(folder))
    yield folder
    subprocess.run([sys.executable, "-m", "cellspan.core.cli", "service", "stop"], check=True, capture_output=True)


CommandLine = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def cellspan() -> CommandLine:
    """The real command in a process of its own: cellspan("segment", path, "-o", out)."""

    def run(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cellspan.core.cli", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert "Traceback" not in done.stderr, done.stderr
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def disks() -> np.ndarray:
    """A label image with three objects: a disk, a disk that touches it, a small ellipse; anew for each test."""
    y, x = np.mgrid[:80, :100]
    labels = np.zeros((80, 100), np.int32)
    labels[(y - 30) ** 2 + (x - 30) ** 2 < 15**2] = 1
    labels[((y - 30) ** 2 + (x - 58) ** 2 < 14**2) & (labels == 0)] = 2
    labels[((y - 65) / 5) ** 2 + ((x - 80) / 9) ** 2 < 1] = 3
    return labels


@pytest.fixture(scope="session")
def _restoring_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models that restore images, with random weights, as Cellpose saves them."""
    torch = pytest.importorskip("torch")
    from cellspan.core.models.network import FlowNetwork

    folder = tmp_path_factory.mktemp("restoring")
    for seed, name in enumerate(RESTORING):
        torch.manual_seed(seed)
        network = FlowNetwork((1, 4, 8, 8), 17.0 if "nuclei" in name else 30.0, outputs=1)
        with torch.no_grad():
            network.train()(torch.rand(2, 1, 64, 64))
        torch.save(network.state_dict(), folder / name)
    return folder


@pytest.fixture
def restoring_models(_restoring_files: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cellpose's folder with these models in it: denoise_cyto3, denoise_nuclei and upsample_cyto3."""
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(_restoring_files))
    return _restoring_files


class _Quiet(SimpleHTTPRequestHandler):
    """A file server that says nothing."""

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def models_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that has a small cyto3, as Cellpose's has the large one."""
    torch = pytest.importorskip("torch")
    from cellspan.core.models.network import FlowNetwork

    folder = tmp_path / "server"
    folder.mkdir()
    torch.save(FlowNetwork((2, 4, 8), diameter=30.0).state_dict(), folder / "cyto3")
    sizes = {"A": np.zeros(8), "smean": np.zeros(8), "ymean": 0.0, "diam_mean": 30.0}
    np.save(folder / "size_cyto3.npy", sizes, allow_pickle=True)  # type: ignore[arg-type]
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
