"""Training: it learns, resumes at the step it left, and writes a model that segments."""

import errno
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.models.registry import find_model
from cellspan.core.parameters import Parameters
from cellspan.core.segmenter import Segmenter
from cellspan.core.training.pairs import find_pairs
from cellspan.core.training.simulate import simulate_nuclei

from .test_data import write_pair

torch = pytest.importorskip("torch")
from cellspan.core.models.network import FlowNetwork  # noqa: E402 - these need torch
from cellspan.core.training import learner  # noqa: E402
from cellspan.core.training.data import load_fields  # noqa: E402
from cellspan.core.training.learner import PROBABILITY_WEIGHT, SIDE, Learner, flow_loss, look  # noqa: E402
from cellspan.core.training.loop import train  # noqa: E402
from cellspan.core.training.recipe import Recipe  # noqa: E402
from cellspan.core.training.validation import validate  # noqa: E402


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed in range(4):
        write_pair(tmp_path / "data" / "train", f"t{seed}", seed)
    write_pair(tmp_path / "data" / "val", "v", 9)
    return tmp_path


@pytest.fixture(autouse=True)
def few_views(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many there are is the affair of the size model's own tests."""
    monkeypatch.setattr("cellspan.core.training.size.CHECKED", 6)


def silent(line: str) -> None:
    """Training reports to nobody."""


def interrupted_at(start: str) -> Callable[[str], None]:
    """A report that ends the training, as a closed laptop does, when a line with this start comes."""

    def report(line: str) -> None:
        if line.startswith(start):
            raise KeyboardInterrupt

    return report


def changed(recipe: Recipe, **changes: Any) -> Recipe:
    return Recipe(**{**vars(recipe), **changes})


RECIPE = Recipe(name="tiny", widths=(2, 8, 16), epochs=12, batch=2, crop=96)


def test_it_learns_and_writes_a_model(folder: Path) -> None:
    model = train(RECIPE, find_pairs(folder / "data"), folder / "out", report=silent)
    log = [json.loads(line) for line in (folder / "out" / "training" / "log.jsonl").read_text().splitlines()]
    assert log[-1]["step"] == 24
    assert model.description.training["images"] == 4
    assert model.description.size_model is not None
    assert model.weights_file.stat().st_size < 0.7 * (folder / "out" / "training" / "best.safetensors").stat().st_size
    assert {array.dtype for array in model.weights().values() if array.ndim} == {np.dtype(np.float32)}
    result = Segmenter(str(folder / "out"), "cpu").segment(simulate_nuclei((96, 96)).image, Parameters(diameter=26))
    assert result.model_sha256 == model.sha256
    torch.manual_seed(RECIPE.seed)
    before = train(
        Recipe(**{**vars(RECIPE), "epochs": 1}), find_pairs(folder / "data"), folder / "short", report=silent
    )
    short = json.loads((folder / "short" / "training" / "log.jsonl").read_text().splitlines()[-1])
    assert log[-1]["loss"] < short["loss"]
    assert before.sha256 != model.sha256


def test_a_resumed_training_takes_the_same_steps(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellspan.core.training.loop.CHECKPOINT_SECONDS", 0.0)
    recipe, pairs = Recipe(**{**vars(RECIPE), "epochs": 4}), find_pairs(folder / "data")
    whole = train(recipe, pairs, folder / "whole", report=silent)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, pairs, folder / "parts", report=interrupted_at("step 4 "))
    resumed = train(recipe, pairs, folder / "parts", resume=True, report=silent)
    assert resumed.description.training["steps"] == whole.description.training["steps"] == 8
    ends = [torch.load(folder / run / "training" / "checkpoint.pt", weights_only=True) for run in ("whole", "parts")]
    for name, value in ends[0]["network"].items():
        assert torch.allclose(value.float(), ends[1]["network"][name].float(), atol=1e-5), name


def test_simulated_fields_are_the_same_after_resuming(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellspan.core.training.loop.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("cellspan.core.training.validation.SIMULATED_FIELDS", 1)
    monkeypatch.setattr("cellspan.core.training.loop.SIZE_FIELDS", (4, 4))
    monkeypatch.setattr("cellspan.core.training.simulated.POOL", 3)
    monkeypatch.setattr("cellspan.core.training.simulated.SIDE", 96)
    recipe = Recipe(**{**vars(RECIPE), "epochs": 2, "simulated": 0.7, "invert": 0.2})
    pairs = find_pairs(folder / "data")
    whole = train(recipe, pairs, folder / "whole", report=silent)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, pairs, folder / "parts", report=interrupted_at("step 2 "))
    train(recipe, pairs, folder / "parts", resume=True, report=silent)
    ends = [torch.load(folder / run / "training" / "checkpoint.pt", weights_only=True) for run in ("whole", "parts")]
    for kind in ("network", "average"):
        for name, value in ends[0][kind].items():
            assert torch.allclose(value.float(), ends[1][kind][name].float(), atol=1e-5), name
    assert whole.description.training["sources"] == ["data", "simulated"]
    logged = [json.loads(line) for line in (folder / "whole" / "training" / "log.jsonl").read_text().splitlines()]
    assert set(logged[-1]["val_ap50_of"]) == {"data", "simulated"}
    for picture in ("curves.png", "examples.png"):
        assert (folder / "whole" / "training" / picture).stat().st_size > 1000


def test_resuming_a_finished_training_logs_nothing_new(folder: Path) -> None:
    recipe, pairs = Recipe(**{**vars(RECIPE), "epochs": 1}), find_pairs(folder / "data")
    train(recipe, pairs, folder / "out", report=silent)
    log = folder / "out" / "training" / "log.jsonl"
    before = log.read_text()
    train(recipe, pairs, folder / "out", resume=True, report=silent)
    assert log.read_text() == before


def test_images_without_objects_are_learnt_from(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have no size, so sizes are learnt from the others, however few."""
    monkeypatch.setattr("cellspan.core.training.loop.SIZE_FIELDS", (3, 3))
    data = folder / "data"
    for name in ("train/t1", "train/t2", "train/t3", "val/v"):
        imageio.imwrite(data / f"{name}_masks.png", np.zeros((128, 128), np.uint8))
    model = train(changed(RECIPE, epochs=1), find_pairs(data), folder / "out", report=silent).description
    assert model.training["images"] == 4
    assert model.size_model is not None
    assert np.isfinite(model.size_model.coefficients).all()
    assert model.size_model.median_error is None
    assert "validation_ap50_true_diameter" in model.scores


def test_the_score_is_that_of_the_weights(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where later weights won although they are worse."""
    monkeypatch.setattr("cellspan.core.training.loop.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("cellspan.core.training.loop.TOLERANCE", 1.0)
    nuclei, pairs = find_model("nuclei"), find_pairs(folder / "data")
    recipe = Recipe.fine_tuning(nuclei, name="mine", epochs=2, batch=2, crop=96, learning_rate=0.03)
    model = train(recipe, pairs, folder / "out", nuclei, report=silent)
    network = FlowNetwork(model.description.widths)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in model.weights().items()})
    held_out = load_fields([pair for pair in pairs if pair.split == "val"], recipe.mean_diameter)
    scores = validate(partial(look, network), SIDE, held_out, recipe.mean_diameter, folder / "picture.png")
    assert model.description.scores == {"validation_ap50_true_diameter": pytest.approx(scores["data"], abs=1e-4)}
    log = (folder / "out" / "training" / "log.jsonl").read_text().splitlines()
    assert max(json.loads(line)["val_ap50"] for line in log) > scores["data"] + 0.01  # else this proves nothing


def test_a_model_is_usable_until_the_next_one_is_complete(folder: Path) -> None:
    recipe, pairs = changed(RECIPE, epochs=1), find_pairs(folder / "data")
    first = train(recipe, pairs, folder / "out", report=silent)
    longer = changed(recipe, epochs=2)
    with pytest.raises(KeyboardInterrupt):
        train(longer, pairs, folder / "out", resume=True, report=interrupted_at("Fitting the size"))
    assert find_model(str(folder / "out")).weights()  # raises for weights that model.json does not describe
    second = train(longer, pairs, folder / "out", resume=True, report=silent)
    assert second.sha256 != first.sha256
    assert find_model(str(folder / "out")).weights()


def test_a_training_from_scratch_does_not_claim_what_was_stopped_before(folder: Path) -> None:
    nuclei, pairs = find_model("nuclei"), find_pairs(folder / "data")
    recipe = Recipe.fine_tuning(nuclei, name="mine", epochs=1, batch=4, crop=96)

    def stop(part: float) -> None:
        """Before the first checkpoint."""
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe, pairs, folder / "out", nuclei, report=silent, on_progress=stop)
    model = train(changed(RECIPE, epochs=1), pairs, folder / "out", report=silent).description
    assert "before" not in model.training
    assert model.training["sources"] == ["data"]


def test_a_full_disk_is_told_in_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if path.suffix == ".pt":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CellspanError, match=r"checkpoint\.pt: the file cannot be written \(No space left on device"):
        train(changed(RECIPE, epochs=1), find_pairs(folder / "data"), folder / "out", report=silent)


def test_the_command_resumes_as_the_training_was_begun(folder: Path, cellspan: Callable) -> None:
    options = ("--objects", "yeast", "--mean-diameter", "15", "--epochs", "1", "--batch", "2", "--widths", "4,8")
    cellspan("train", folder / "data", "--out", folder / "out", *options, "--learning-rate", "0.001")
    cellspan("train", folder / "data", "--out", folder / "out", "--resume", "--epochs", "2")
    about = find_model(str(folder / "out")).description
    assert (about.objects, about.mean_diameter, about.training["steps"]) == ("yeast", 15, 4)
    assert about.training["recipe"]["learning_rate"] == 0.001
    done = cellspan("train", folder / "data", "--out", folder / "nothing", "--resume", check=False)
    assert done.returncode == 2
    assert "no training to resume" in done.stderr


def test_the_command_checks_widths_and_looks(folder: Path, cellspan: Callable) -> None:
    options = ("--out", folder / "out", "--epochs", "1", "--batch", "1")
    cellspan("train", folder / "data", *options, "--widths", "4,8")
    assert find_model(str(folder / "out")).description.widths == (2, 4, 8)
    for extra, words in (
        (("--widths", "4"), "2 to 6 whole numbers"),
        (("--widths", "4,x"), "2 to 6 whole numbers"),
        (("--widths", "4,8", "--from", "nuclei"), "leave out --widths"),
        (("--simulated", "0.5", "--looks", "nuclei, colourful"), "no look 'colourful'"),
        (("--looks", "nuclei"), "add --simulated"),
        (("--seed", "-1"), "-1 is not in the range"),
        (("--learning-rate", "0"), "0.0 is not in the range"),
        (("--learning-rate", "nan"), "nan is not a finite number"),
        (("--minutes", "inf"), "inf is not a finite number"),
    ):
        refused = cellspan("train", folder / "data", "--out", folder / "other", *extra, check=False)
        assert refused.returncode == 2
        assert words in refused.stderr
        assert not (folder / "other").exists()


def test_a_refused_training_leaves_no_folder(folder: Path, cellspan: Callable) -> None:
    data = folder / "black and white"
    for seed, name in enumerate("ab"):
        write_pair(data, name, seed)
        masks = data / f"{name}_masks.png"
        imageio.imwrite(masks, np.where(imageio.imread(masks) > 0, 255, 0).astype(np.uint8))
    refused = cellspan("train", data, "--out", folder / "out", "--epochs", "1", check=False)
    assert refused.returncode == 2
    assert "a_masks.png" in refused.stderr
    assert "--split" in refused.stderr
    assert not (folder / "out").exists()
    cellspan("train", data, "--out", folder / "out", "--epochs", "1", "--widths", "4,8", "--split")


def test_fine_tuning_starts_from_a_model_and_checks_its_widths(folder: Path) -> None:
    nuclei = find_model("nuclei")
    recipe = Recipe.fine_tuning(nuclei, name="mine", epochs=1, batch=1, crop=96, mean_diameter=21)
    tuned = train(recipe, find_pairs(folder / "data"), folder / "tuned", nuclei, report=silent)
    old, new = nuclei.weights()["output.2.weight"], tuned.weights()["output.2.weight"]
    assert 0 < np.abs(old - new).max() < 0.1
    assert tuned.weights()["diam_mean"] == tuned.weights()["diam_labels"] == tuned.description.mean_diameter == 21
    assert tuned.description.training["before"][0].startswith("the model nuclei: ")
    assert {"data", "bbbc039"} <= set(tuned.description.training["sources"])
    assert tuned.description.training["licences"]["bbbc039"].startswith("CC0")
    with pytest.raises(CellspanError, match="does not have the widths"):
        train(RECIPE, find_pairs(folder / "data"), folder / "wrong", nuclei, report=silent)


def test_an_existing_training_is_not_overwritten(folder: Path) -> None:
    recipe = Recipe(**{**vars(RECIPE), "epochs": 1})
    train(recipe, find_pairs(folder / "data"), folder / "out", report=silent)
    with pytest.raises(CellspanError, match="--resume"):
        train(recipe, find_pairs(folder / "data"), folder / "out", report=silent)
    with pytest.raises(CellspanError, match="no checkpoint"):
        train(recipe, find_pairs(folder / "data"), folder / "other", resume=True, report=silent)


def test_what_is_not_looked_at_is_said(folder: Path) -> None:
    for seed in (20, 21):
        write_pair(folder / "data" / "Test" / "plate1", f"s{seed}", seed)
    image = folder / "data" / "train" / "t0_img.png"
    tifffile.imwrite(image.with_suffix(".tif"), np.stack([imageio.imread(image)] * 2), photometric="minisblack")
    image.unlink()
    lines: list[str] = []
    train(changed(RECIPE, epochs=1), find_pairs(folder / "data"), folder / "out", report=lines.append)
    assert lines[0] == "Reading 4 training and 1 validation images; 2 in folders named test are not used."
    assert lines[1].startswith("1 image has two channels: the first is used as the cells")


@pytest.mark.quick
def test_sizes_are_not_learnt_from_crops_without_objects() -> None:
    torch.manual_seed(0)
    trained, styles = Learner(RECIPE), torch.rand(3, 16)
    one = trained._size_loss(styles[:1], torch.tensor([2.0])).detach()
    assert float(one) > 0
    assert torch.allclose(trained._size_loss(styles, torch.tensor([2.0, 0, 0])), one)
    assert float(trained._size_loss(styles[:1], torch.tensor([0.0])).detach()) == 0


@pytest.mark.quick
def test_a_torch_that_does_not_tell_of_16_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported", raising=False)
    assert not learner._has_bfloat16("cpu")


@pytest.mark.quick
def test_the_loss_is_that_of_the_paper_but_for_the_weight_of_the_probability() -> None:
    flows, foreground = torch.ones(1, 2, 4, 4), torch.ones(1, 4, 4)
    assert float(flow_loss(torch.zeros(1, 3, 4, 4), flows, foreground)) == pytest.approx(
        25 / 2 + PROBABILITY_WEIGHT * np.log(2)
    )
    perfect = torch.cat([5 * flows, 100 * foreground[None]], dim=1)
    assert float(flow_loss(perfect, flows, foreground)) == pytest.approx(0, abs=1e-6)


@pytest.mark.quick
def test_pixels_of_which_nobody_is_sure_do_not_count() -> None:
    flows, outputs = torch.rand(2, 2, 8, 8), torch.rand(2, 3, 8, 8, requires_grad=True)
    foreground = torch.cat([torch.full((2, 8, 4), -1.0), torch.ones(2, 8, 4)], dim=2)
    loss = flow_loss(outputs, flows, foreground)
    known = (outputs[..., 4:], flows[..., 4:], foreground[..., 4:])
    assert float(loss.detach()) == pytest.approx(float(flow_loss(*known).detach()), rel=1e-5)
    (gradient,) = torch.autograd.grad(loss, outputs)
    assert not gradient[..., :4].any()
    assert gradient[..., 4:].all()
    assert float(flow_loss(outputs, flows, -torch.ones(2, 8, 8)).detach()) == 0
