"""`cellspan models` as a user types it: lists, descriptions, downloads, and one sentence for what goes wrong."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import tifffile
from click.testing import CliRunner, Result

from cellspan.core.cli import main
from cellspan.core.machine.memory import in_words
from cellspan.core.models.architecture import network_shapes
from cellspan.core.models.official import OFFICIAL
from cellspan.core.training.simulate import simulate_nuclei

from ...blob_finder import save_blob_finder

torch = pytest.importorskip("torch")
quick = pytest.mark.quick


@pytest.fixture(autouse=True)
def cellpose_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cellpose's folder; the user's own models and the cache are elsewhere in the test's folder too."""
    for module in ("registry", "importing"):
        monkeypatch.setattr(f"cellspan.core.models.{module}.user_models", lambda: tmp_path / "own")
    monkeypatch.setattr("cellspan.core.models.fetching.user_cache_path", lambda *_, **__: tmp_path / "cache")
    monkeypatch.delenv("CELLSPAN_OFFLINE", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path / "dot cellpose"
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(folder))
    return folder


def save_checkpoint(path: Path) -> Path:
    from cellspan.core.models.network import FlowNetwork

    torch.manual_seed(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(FlowNetwork((2, 4, 8)).state_dict(), path)
    return path


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a folder with the file of livecell_cp3."""
    save_checkpoint(tmp_path / "mirror" / "livecell_cp3")

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "mirror")))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def run(*arguments: object, **environment: str) -> Result:
    """`cellspan models ...`, which must not end in a traceback."""
    result = CliRunner().invoke(main, ["models", *map(str, arguments)], env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


def refused(*arguments: object, **environment: str) -> str:
    """The one sentence that a user's mistake gets."""
    result = run(*arguments, **environment)
    assert result.exit_code == 2
    *before, sentence = result.stderr.splitlines()
    assert sentence.startswith("cellspan: ")
    assert all(line.startswith("downloading ") for line in before)
    return sentence


@quick
def test_list_says_where_models_come_from(cellpose_models: Path) -> None:
    save_checkpoint(cellpose_models / "cyto3")
    save_checkpoint(cellpose_models / "nucleitorch_0")
    torch.save({"encoder.cls_token": torch.zeros(3)}, cellpose_models / "cpdino")
    lines = {line.split()[0]: line for line in run("list").stdout.splitlines()}
    assert "(bundled)" in lines["nuclei"]
    assert f"(Cellpose, {cellpose_models / 'nucleitorch_0'})" in lines["cellpose/nuclei"]
    assert "cells         mean diameter 30 pixels" in lines["cyto3"]
    assert "cannot be used: " in lines["cpdino"]
    assert "another network of Cellpose 4" in lines["cpdino"]


@quick
def test_kinds_and_sizes_are_listed(cellpose_models: Path) -> None:
    save_blob_finder(cellpose_models / "cpsam_v2")
    lines = {line.split()[0]: line for line in run("list").stdout.splitlines()}
    size = in_words((cellpose_models / "cpsam_v2").stat().st_size)
    assert f"any diameter             flow-sam, {size}, a graphics card is advised  (Cellpose, " in lines["cpsam_v2"]
    assert "mean diameter 24 pixels  flow-cnn, 3.4 MB  (bundled)" in lines["nuclei"]
    about = json.loads(run("info", "cpsam_v2", "--json").stdout)
    assert (about["kind"], about["transformer"]["width"], about["size_model"]) == ("flow-sam", 256, None)


@quick
def test_hints_can_be_pasted_into_a_shell(tmp_path: Path) -> None:
    name = "my (model) $1's"
    save_blob_finder(tmp_path / name)
    hint = run("import", str(tmp_path / name)).stdout
    assert "knows objects of any size; use it with --model " in hint
    words = shlex.split(hint.partition("use it with ")[2])
    assert words == ["--model", name]
    assert run("info", words[1]).exit_code == 0


@quick
def test_list_loads_no_heavy_library(cellpose_models: Path) -> None:
    save_checkpoint(cellpose_models / "cyto3")
    code = (
        "import sys; from cellspan.core.cli import main; main(['models', 'list'], standalone_mode=False)\n"
        "print(*sorted({'torch', 'openvino', 'numba', 'cv2', 'httpx', 'safetensors'} & set(sys.modules)), 'heavy')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "cyto3" in done.stdout
    assert done.stdout.splitlines()[-1] == "heavy"


@quick
def test_info_shows_the_checksums(cellpose_models: Path, tmp_path: Path) -> None:
    file = save_checkpoint(cellpose_models / "cyto3")
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    about = json.loads(run("info", "cyto3", "--json").stdout)
    assert (about["origin"], about["file"], about["source_sha256"]) == ("Cellpose", str(file), sha256)
    assert run("import", file, "--name", "mine").exit_code == 0
    about = json.loads(run("info", "mine", "--json").stdout)
    assert (about["origin"], about["source_sha256"]) == ("your own", sha256)
    assert about["weights_sha256"] != sha256
    assert "coefficients" not in json.loads(run("info", "nuclei", "--json").stdout)["size_model"]


@quick
def test_info_is_a_card_for_people(cellpose_models: Path) -> None:
    text = run("info", "nuclei").stdout
    for words in ("# Model nuclei", "## Trained on", "- bbbc039: CC0", "AP@0.5", "## Where it fails", "(bundled)"):
        assert words in text
    save_checkpoint(cellpose_models / "cyto3")
    assert "cannot estimate diameters" in run("info", "cyto3").stdout


@quick
def test_fetch_from_a_mirror(cellpose_models: Path, mirror: str) -> None:
    result = run("fetch", "livecell_cp3", "--url", mirror)
    assert result.exit_code == 0, result.stderr
    sha256 = hashlib.sha256((cellpose_models / "livecell_cp3").read_bytes()).hexdigest()
    assert f"SHA-256 {sha256} (not verified" in result.stdout
    assert "Use it with --model livecell_cp3" in result.stdout
    again = run("fetch", "livecell_cp3", "--sha256", sha256, CELLSPAN_MODELS_URL="http://127.0.0.1:1")
    assert "is already here" in again.stdout
    assert "vouches" not in again.stdout


@quick
def test_fetch_without_a_name_lists_all() -> None:
    lines = {line.split()[0]: line for line in run("fetch", "--url", "https://mirror.example.org/").stdout.splitlines()}
    assert lines.keys() == OFFICIAL.keys()
    assert "2 channels  estimates diameters" in lines["cyto"]
    assert "(https://mirror.example.org/cytotorch_0)" in lines["cyto"]
    assert "3 channels" in lines["neurips_cellpose_default"]


@quick
def test_fetch_through_the_environment(cellpose_models: Path, mirror: str) -> None:
    assert "offline" in refused("fetch", "livecell_cp3", CELLSPAN_OFFLINE="1", CELLSPAN_MODELS_URL=mirror)
    assert "offline" in refused("fetch", "livecell_cp3", "--offline", "--url", mirror)
    assert run("fetch", "livecell_cp3", CELLSPAN_MODELS_URL=mirror).exit_code == 0


@quick
def test_mistakes_get_one_sentence(cellpose_models: Path, mirror: str, tmp_path: Path) -> None:
    assert "no official model 'cyto9'" in refused("fetch", "cyto9")
    assert "(404)" in refused("fetch", "cyto3", "--url", mirror)
    assert "--sha256 says" in refused("fetch", "livecell_cp3", "--url", mirror, "--sha256", "0" * 64)
    assert "not a SHA-256" in refused("fetch", "livecell_cp3", "--url", mirror, "--sha256", "0")
    assert "could not be downloaded" in refused("fetch", "cyto3", "--url", "nonsense")
    assert "cellspan models fetch cyto3" in refused("info", "cyto3")
    assert "There is no model 'none'" in refused("export", "none", tmp_path / "out.pth")
    assert "cannot be written" in refused("export", "nuclei", tmp_path / "missing" / "out.pth")
    assert "no such file" in refused("import", tmp_path / "missing")
    (tmp_path / "notes.txt").write_text("no weights")
    assert "not a torch checkpoint" in refused("import", tmp_path / "notes.txt")
    for diameter in ("0", "nan", "big"):
        assert run("import", tmp_path / "notes.txt", "--mean-diameter", diameter).exit_code == 2
    assert not cellpose_models.exists() or not list(cellpose_models.iterdir())


@quick
@pytest.mark.parametrize("verb", ["list", "info", "import", "fetch", "export"])
def test_help_has_an_example(verb: str) -> None:
    text = run(verb, "--help").stdout
    assert f"cellspan models {verb}" in text.partition("Example")[2]


@pytest.mark.end_to_end
def test_images_are_segmented_with_a_model_in_cellposes_folder(
    cellpose_models: Path, tmp_path: Path, cellspan: Callable
) -> None:
    file = save_checkpoint(cellpose_models / "cyto3")
    tifffile.imwrite(tmp_path / "cells.tif", simulate_nuclei((96, 96)).image)
    cellspan("segment", tmp_path / "cells.tif", "-o", tmp_path / "out", "--model", "cyto3", "--diameter", 30)
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["model"]["name"] == "cyto3"
    assert run["model"]["weights_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    (cellpose_models / "cyto3").unlink()
    torch.save({"encoder.cls_token": torch.zeros(3)}, file)
    done = cellspan("segment", tmp_path / "cells.tif", "-o", tmp_path / "out", "--model", "cyto3", check=False)
    assert done.returncode == 2
    assert "another network of Cellpose 4" in done.stderr


@quick
@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v is Linux's")
def test_hostile_files_get_one_sentence_in_little_memory(cellpose_models: Path, tmp_path: Path) -> None:
    nan = save_checkpoint(tmp_path / "nan")
    state = torch.load(nan, weights_only=True)
    state["output.2.bias"][0] = float("nan")
    torch.save(state, nan)
    huge = network_shapes((2, 4000, 4000))  # a few kilobytes that say 5 GB
    repeated = {name: torch.full((), 30.0).expand(shape) for name, shape in huge.items()}
    torch.save(repeated, tmp_path / "repeated.pth")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "cut").write_bytes(nan.read_bytes()[:3000])
    verbs = [
        ["list"],
        ["info", "x" * 3000],
        ["info", "pipe"],
        *(["import", path, "--name", "new"] for path in ("nan", "repeated.pth", "pipe", "cut", "/dev/zero")),
    ]
    # One process for all, as the imports take seconds.
    code = (
        "import sys; from cellspan.core.cli import main\n"
        "for line in sys.stdin.read().splitlines():\n"
        "    try: main(['models', *line.split()])\n"
        "    except SystemExit as end: print('exit', end.code, file=sys.stderr)\n"
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2", "XDG_DATA_HOME": str(tmp_path / "data")}
    done = subprocess.run(
        ["bash", "-c", f'ulimit -v 3000000; exec "{sys.executable}" -c "$0"', code],
        input="\n".join(" ".join(verb) for verb in verbs),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    lines = done.stderr.splitlines()
    assert lines[0] == "exit 0"
    assert lines[2::2] == ["exit 2"] * (len(verbs) - 1), done.stderr
    assert all(line.startswith("cellspan: ") for line in lines[1::2])
    assert "are NaN" in done.stderr
    assert "the checkpoint needs" in done.stderr
