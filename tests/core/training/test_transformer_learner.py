"""Fine-tuning networks of Cellpose 4: what their recipe is, what a step sees, and refusals; nothing needs a card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.models.registry import Model, find_model
from cellspan.core.parameters import Parameters
from cellspan.core.segmenter import Segmenter
from cellspan.core.training.augment import Contrast, random_crop
from cellspan.core.training.data import load_fields
from cellspan.core.training.pairs import find_pairs
from cellspan.core.training.rules import require_card
from cellspan.core.training.simulate import simulate_nuclei

from ...blob_finder import SMALL, save_blob_finder
from .test_data import write_pair

torch = pytest.importorskip("torch")
from cellspan.core.training import loop  # noqa: E402 - these need torch
from cellspan.core.training.batches import Batches  # noqa: E402
from cellspan.core.training.learner import Learner  # noqa: E402
from cellspan.core.training.learners import make_learner  # noqa: E402
from cellspan.core.training.recipe import Recipe, resumed_recipe  # noqa: E402
from cellspan.core.training.transformer_learner import TransformerLearner  # noqa: E402

pytestmark = pytest.mark.quick


@pytest.fixture
def start(tmp_path: Path) -> Model:
    return find_model(str(save_blob_finder(tmp_path / "cpsam_v2")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed in range(3):
        write_pair(tmp_path / "data" / "train", f"t{seed}", seed)
    write_pair(tmp_path / "data" / "val", "v", 9)
    return tmp_path / "data"


def silent(line: str) -> None:
    """Training reports to nobody."""


def test_the_kind_chooses_optimiser_and_batch(start: Model) -> None:
    recipe = Recipe.fine_tuning(start, name="mine")
    assert (recipe.batch, recipe.crop, recipe.learning_rate, recipe.weight_decay) == (1, SMALL.tile, 1e-5, 0.1)
    assert (recipe.kind, recipe.sizes, recipe.apart) == ("flow-sam", SMALL, 3)
    learner = make_learner(recipe, "cpu")
    assert isinstance(learner, TransformerLearner)
    assert type(learner.optimiser) is torch.optim.AdamW
    assert [learner.optimiser.defaults[name] for name in ("lr", "weight_decay")] == [1e-5, 0.1]
    assert Recipe.fine_tuning(start, name="mine", batch=4, learning_rate=1e-4).batch == 4
    other = Recipe.fine_tuning(find_model("nuclei"), name="mine")
    assert (other.batch, other.learning_rate, other.transformer, other.apart) == (8, 2e-3, None, None)
    assert isinstance(make_learner(other, "cpu"), Learner)


def test_a_processor_is_refused_before_anything_is_read(start: Model, tmp_path: Path) -> None:
    recipe = Recipe.fine_tuning(start, name="mine")
    with pytest.raises(CellspanError, match=r"on a graphics card only.* start from cyto or nuclei"):
        loop.train(recipe, [], tmp_path / "out", start, report=silent)
    assert not (tmp_path / "out").exists()
    require_card("flow-sam", "cuda:0")
    require_card("flow-cnn", "cpu")


def test_the_command_line_refuses_at_once(start: Model, folder: Path, cellspan: Any) -> None:
    again = ("train", folder, "--out", folder / "out", "--device", "cpu", "--from", start.weights_file)
    done = cellspan(*again, check=False)
    assert "on a graphics card only" in done.stderr
    assert "Scoring" not in done.stderr
    for option in (("--mean-diameter", 20), ("--simulated", 0.5)):
        assert f"leave out {option[0]}" in cellspan(*again, *option, check=False).stderr


def test_images_keep_their_size_and_all_channels(start: Model, tmp_path: Path) -> None:
    """Also the third channel, and without the changes of light that other networks are trained with."""
    planes = np.stack([simulate_nuclei((128, 128), diameter=12, seed=seed).image for seed in range(3)])
    tifffile.imwrite(tmp_path / "a.tif", planes, imagej=True, metadata={"axes": "CYX"})
    tifffile.imwrite(tmp_path / "a_masks.tif", simulate_nuclei((128, 128), diameter=12).labels.astype(np.uint16))
    recipe = Recipe.fine_tuning(start, name="mine")
    (field,) = load_fields(find_pairs(tmp_path), None, apart=recipe.apart)
    assert field.image.shape == (3, 128, 128)
    assert field.image[2].any()
    batch = Batches(recipe, [field], np.ones(1), None)[0]
    assert batch.images.shape == (1, 3, SMALL.tile, SMALL.tile)
    assert batch.images[0, 2].any()
    crops = [random_crop(field, 64, np.random.default_rng(k), Contrast(drop_nuclei=0, gentle=True)) for k in range(20)]
    assert all(0.75 <= crop.magnification <= 1.25 for crop in crops)
    assert max(crop.image.max() for crop in crops) <= field.image.max() + 1e-6


def test_it_learns_resumes_and_writes_a_model(
    start: Model, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "require_card", lambda kind, device: None)
    recipe = Recipe.fine_tuning(start, name="mine", epochs=4, learning_rate=1e-3)
    pairs = find_pairs(folder)
    whole = loop.train(recipe, pairs, tmp_path / "whole", start, report=silent)
    log = [json.loads(line) for line in (tmp_path / "whole" / "training" / "log.jsonl").read_text().splitlines()]
    assert log[-1]["step"] == 12
    about = whole.description
    assert (about.kind, about.transformer, about.widths, about.size_model) == ("flow-sam", SMALL, (), None)
    assert about.training["before"] == [f"the model {start.name}"]
    changed = [name for name, array in whole.weights().items() if not np.array_equal(array, start.weights()[name])]
    assert "encoder.blocks.1.mlp.lin1.weight" in changed
    assert not {"W2", "diam_mean", "encoder.patch_embed.proj.weight"} & {*changed}
    image = simulate_nuclei((100, 150)).image
    assert Segmenter(whole, "cpu").segment(image, Parameters()).model_sha256 == whole.sha256

    # Interrupted after two epochs, it goes on at the step that it left, to the same weights
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    half = Recipe(**{**vars(recipe), "epochs": 4})

    def stop(line: str) -> None:
        if line.startswith("step 6"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop.train(half, pairs, tmp_path / "out", start, report=stop)
    torch.manual_seed(0)
    resumed = loop.train(resumed_recipe(tmp_path / "out", {}), pairs, tmp_path / "out", resume=True, report=silent)
    log = [json.loads(line) for line in (tmp_path / "out" / "training" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == list(range(1, 13))
    assert resumed.description.transformer == SMALL


def test_the_loss_goes_down(start: Model, folder: Path) -> None:
    recipe = Recipe.fine_tuning(start, name="mine", learning_rate=1e-3)
    fields = load_fields(find_pairs(folder)[:1], None, apart=3)
    torch.manual_seed(0)
    learner = make_learner(recipe, "cpu")  # with random weights; those made by hand bear no such steps
    batch = Batches(recipe, fields, np.ones(1), None)[0]
    learner.network.eval()  # no block is left out, which would hide what is learnt
    losses = [float(learner.step(batch, 0.3)) for _ in range(12)]
    assert losses[-1] < 0.7 * losses[0], losses
    outputs = learner.look(fields[0].image[:, :40, :30])
    assert outputs.shape == (3, 40, 30)
    assert np.isfinite(outputs).all()


def test_another_network_is_refused(start: Model) -> None:
    recipe = Recipe.fine_tuning(start, name="mine")
    sizes = {**(recipe.transformer or {}), "hidden": 32}
    learner = make_learner(Recipe(**{**vars(recipe), "transformer": sizes}), "cpu")
    with pytest.raises(CellspanError, match="is not a network of Cellpose 4 with 2 blocks"):
        learner.start_from(start)
