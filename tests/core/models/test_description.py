"""model.json and the weights beside it: what cannot be right is refused in a sentence."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from cellspan.core.errors import CellspanError
from cellspan.core.models.cellpose import read_size_model
from cellspan.core.models.description import DESCRIPTION, WEIGHTS, load_model, sha256_of
from cellspan.core.models.importing import import_model
from cellspan.core.models.registry import find_model, known_models, list_models

pytestmark = pytest.mark.quick
Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a bundled model."""
    return shutil.copytree(find_model("nuclei").folder, tmp_path / "mine")


def describe(folder: Path, change: Change) -> None:
    about = json.loads((folder / DESCRIPTION).read_text())
    change(about)
    (folder / DESCRIPTION).write_text(json.dumps(about))


def set_weights(folder: Path, change: Callable[[dict[str, np.ndarray]], object]) -> None:
    """Other weights, with the description's checksum made to match."""
    state = {name: array.copy() for name, array in load_file(folder / WEIGHTS).items()}
    change(state)
    save_file(state, folder / WEIGHTS)
    describe(folder, lambda about: about.update(weights_sha256=sha256_of(folder / WEIGHTS)))


IMPOSSIBLE: dict[str, Change] = {
    "mean_diameter nan": lambda about: about.update(mean_diameter=float("nan")),
    "mean_diameter inf": lambda about: about.update(mean_diameter=float("inf")),
    "mean_diameter 1e300": lambda about: about.update(mean_diameter=1e300),
    "mean_diameter 0": lambda about: about.update(mean_diameter=0),
    "mean_diameter 1e-9": lambda about: about.update(mean_diameter=1e-9),
    "widths none": lambda about: about.update(widths=[]),
    "widths one": lambda about: about.update(widths=[2]),
    "widths negative": lambda about: about.update(widths=[2, -16, 32, 64, 128]),
    "widths zero": lambda about: about.update(widths=[2, 0, 32, 64, 128]),
    "widths huge": lambda about: about.update(widths=[2, 16, 32, 64, 10**9]),
    "widths many": lambda about: about.update(widths=[2] * 1000),
    "channels": lambda about: about.update(widths=[9, 16, 32, 64, 128]),
    "short": lambda about: about["size_model"].update(coefficients=[0.1] * 5),
    "coefficient nan": lambda about: about["size_model"]["coefficients"].__setitem__(3, float("nan")),
    "coefficient 1e300": lambda about: about["size_model"]["coefficients"].__setitem__(3, 1e300),
    "intercept inf": lambda about: about["size_model"].update(intercept=float("-inf")),
    "order": lambda about: about["size_model"].update(smallest=20, largest=10),
    "smallest negative": lambda about: about["size_model"].update(smallest=-5),
    "largest 1e300": lambda about: about["size_model"].update(largest=1e300),
}


@pytest.mark.parametrize("change", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_impossible_descriptions(folder: Path, change: Change) -> None:
    describe(folder, change)
    for use in (lambda: find_model(str(folder)), lambda: import_model(folder)):
        with pytest.raises(CellspanError, match=r"mine.model\.json: ") as refusal:
            use()
        assert "\n" not in str(refusal.value)
        assert len(str(refusal.value)) < 500


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": ' * 100_000, b"null", b"1" * 9999])
def test_texts_that_describe_no_model(folder: Path, content: bytes) -> None:
    (folder / DESCRIPTION).write_bytes(content)
    with pytest.raises(CellspanError, match="mine"):
        load_model(folder)


def test_scores_without_a_number_are_left_open(folder: Path) -> None:
    describe(folder, lambda about: about.update(scores={"a": {"ap50": float("nan"), "images": [float("inf"), 1]}}))
    dumped = load_model(folder).description.model_dump(mode="json")
    assert dumped["scores"] == {"a": {"ap50": None, "images": [None, 1]}}
    json.dumps(dumped, allow_nan=False)


def set_one(name: str, value: float) -> Callable[[dict[str, np.ndarray]], object]:
    return lambda state: state[name].__setitem__((0,) * state[name].ndim, value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (set_one("output.2.weight", np.nan), r"1 of \d+ weights in 'output\.2\.weight' are NaN"),
        (set_one("downsample.down.res_down_0.conv.conv_0.2.weight", np.inf), "are NaN, infinite"),
        (set_one("output.0.running_var", -1), "variances below 0"),
        (lambda state: state.update({"output.2.bias": np.full(3, 1e300)}), "too large"),
        (lambda state: state.update({"output.2.bias": np.zeros(4, np.float32)}), r"'output\.2\.bias' does not match"),
        (lambda state: state.pop("output.2.bias"), r"'output\.2\.bias' does not match"),
        (lambda state: state.update(more=np.zeros(4, np.float32)), "'more' does not match"),
    ],
    ids=["nan", "inf", "variance", "1e300", "shape", "missing", "more"],
)
def test_weights_that_cannot_compute(folder: Path, change: Callable[..., object], sentence: str) -> None:
    set_weights(folder, change)
    with pytest.raises(CellspanError, match=sentence):
        find_model(str(folder)).weights()
    with pytest.raises(CellspanError, match=sentence):
        import_model(folder)


def test_weights_of_another_size(folder: Path) -> None:
    with (folder / WEIGHTS).open("r+b") as file:
        file.truncate(1 << 40)  # of which the disk holds a few megabytes
    with pytest.raises(CellspanError, match=r"1\.1 TB, far more than the network"):
        load_model(folder).weights()


def test_networks_larger_than_the_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellspan.core.machine.memory.available_memory", lambda: 1_000_000)
    with pytest.raises(CellspanError, match=r"a network of the widths 2, 16, 32, 64, 128 needs .* 1 MB are free"):
        load_model(folder).weights()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes have names on Unix only")
def test_pipes_block_nobody(folder: Path, own_models: Path, cellpose_models: Path) -> None:
    own = shutil.copytree(folder, own_models / "piped")
    for place in (folder / DESCRIPTION, own / DESCRIPTION, own / WEIGHTS):
        place.unlink()
        os.mkfifo(place)
    cellpose_models.mkdir(parents=True)
    os.mkfifo(cellpose_models / "pipe")
    with pytest.raises(CellspanError, match="a pipe, a device"):
        find_model(str(folder))
    for name in (str(cellpose_models / "pipe"), "/dev/zero"):
        with pytest.raises(CellspanError, match="a pipe, a device or a socket, not a model"):
            find_model(name)
        with pytest.raises(CellspanError, match="a pipe, a device or a socket"):
            import_model(Path(name), "new")
    with pytest.raises(CellspanError, match="no model 'pipe'"):
        find_model("pipe")
    assert "nuclei" in [model.name for model in known_models()]
    shutil.copyfile(find_model("nuclei").folder / DESCRIPTION, own / "copy.json")
    (own / DESCRIPTION).unlink()
    (own / "copy.json").rename(own / DESCRIPTION)
    with pytest.raises(CellspanError, match="weights"):
        find_model("piped").weights()


@pytest.mark.parametrize(
    "change",
    [
        {"A": np.full(8, np.nan)},
        {"smean": np.full(8, np.inf)},
        {"A": np.full(8, 1e300)},
        {"A": np.zeros(3)},
        {"ymean": 1e300},
        {"ymean": np.nan},
        {"diam_mean": 0.0},
        {"diam_mean": "text"},
        {"diam_mean": np.zeros(0)},
    ],
    ids=str,
)
def test_size_models_of_cellpose_that_cannot_be_right(
    tmp_path: Path, own_models: Path, cellpose_models: Path, save_checkpoint: Callable, change: dict[str, Any]
) -> None:
    checkpoint = save_checkpoint(cellpose_models / "other")
    content = {"A": np.zeros(8), "smean": np.zeros(8), "ymean": 0.1, "diam_mean": 30.0, **change}
    np.save(cellpose_models / "size_other.npy", content, allow_pickle=True)
    for use in (
        lambda: read_size_model(cellpose_models / "size_other.npy", 8, 30.0),
        lambda: find_model("other"),
        lambda: import_model(checkpoint),
    ):
        with pytest.raises(CellspanError, match=r"size_other\.npy: "):
            use()
    assert "nuclei" in [model.name for model in list_models()]


def test_damaged_descriptions_give_a_model_or_a_sentence(folder: Path) -> None:
    content = (folder / DESCRIPTION).read_bytes()
    rng = np.random.default_rng(0)
    for seed in range(150):
        damaged = bytearray(content)
        for place in rng.integers(0, len(damaged), 3):
            damaged[place] = rng.choice(bytearray(b'0"e-,:[]{}N\xff\0'))
        (folder / DESCRIPTION).write_bytes(damaged[: rng.integers(0, len(damaged))] if seed % 4 == 0 else damaged)
        try:
            load_model(folder)
        except CellspanError as error:
            sentence = str(error)
        else:
            sentence = ""
        assert "\n" not in sentence


def test_damaged_weights_give_a_sentence(folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(40):
        damaged = bytearray(content)
        for place in rng.integers(0, 3000, 3):
            damaged[place] = rng.integers(0, 256)
        (folder / WEIGHTS).write_bytes(damaged)
        describe(folder, lambda about: about.update(weights_sha256=sha256_of(folder / WEIGHTS)))
        try:
            load_model(folder).weights()
        except CellspanError as error:
            assert "\n" not in str(error)  # noqa: PT017 - damage to the numbers alone may be harmless
