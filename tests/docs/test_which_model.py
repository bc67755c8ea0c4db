"""The table "Which model when" has the scores of the models, and every program gives the same advice."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellspan.core.models.official import OFFICIAL, WHICH_MODEL

from .which_model import PAGE, ROWS, ap50, table, with_table

ROOT = Path(__file__).parents[2]


@pytest.mark.quick
def test_the_table_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert table() in text
    assert with_table(text) == text, "run: python -m tests.docs.which_model"


@pytest.mark.quick
def test_the_other_models_can_be_had() -> None:
    named = {name for row in ROWS for name in re.findall(r"`(\w+)`", row.otherwise)}
    assert named - {"cyto"} <= set(OFFICIAL)


@pytest.mark.quick
def test_of_two_models_the_better_one_is_advised() -> None:
    nuclei = ROWS[0]
    assert all(ap50("nuclei", source) >= ap50("cyto", source) for source in nuclei.sources)


@pytest.mark.quick
@pytest.mark.parametrize("file", ["cp_module/plugin/cellspan_plugin/settings.py", "macros/help.groovy"])
def test_the_same_advice_everywhere(file: str) -> None:
    said = re.sub(r'"\s*\+?\s*"|`', "", (ROOT / file).read_text(encoding="utf-8"))
    assert WHICH_MODEL.replace("`", "") in " ".join(said.split())


def blocks() -> list[str]:
    """The commands of the section on computers without internet."""
    section = PAGE.read_text(encoding="utf-8").split("## A computer without internet")[1].split("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```", section, re.M | re.S)


class Quiet(SimpleHTTPRequestHandler):
    """A file server that says nothing."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a server with a small cyto3."""
    torch = pytest.importorskip("torch")
    from cellspan.core.models.network import FlowNetwork

    folder = tmp_path / "server"
    folder.mkdir()
    torch.save(FlowNetwork((2, 4, 8), diameter=30.0).state_dict(), folder / "cyto3")
    sizes = {"A": np.zeros(8), "smean": np.zeros(8), "ymean": 0.0, "diam_mean": 30.0}
    np.save(folder / "size_cyto3.npy", sizes, allow_pickle=True)  # type: ignore[arg-type]
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.end_to_end
def test_a_model_is_carried_to_a_computer_without_internet(tmp_path: Path, server: str, engine_home: Path) -> None:
    """The commands as they stand on the page, on two computers: two home folders."""
    (tmp_path / "images").mkdir()
    tifffile.imwrite(tmp_path / "images" / "field.tif", np.random.default_rng(0).random((64, 64), np.float32))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if name != "CELLPOSE_LOCAL_MODELS_PATH"}
    for home, commands, address in zip(("with", "without"), blocks(), (server, "http://127.0.0.1:9"), strict=True):
        (tmp_path / home).mkdir()
        own = {"HOME": str(tmp_path / home), "XDG_CACHE_HOME": str(tmp_path / home / "cache"), "PATH": path}
        done = subprocess.run(
            ["bash", "-euc", commands],
            cwd=tmp_path,
            env={**environment, **own, "CELLSPAN_MODELS_URL": address},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "results" / "field_labels.tif").exists()
