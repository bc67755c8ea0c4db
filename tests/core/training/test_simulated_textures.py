"""Training on simulated fields with textures of real pictures: `cellspan train --simulated 0.5 --textures FOLDER`."""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
from click.testing import CliRunner

from cellspan.core.cli.train import train
from cellspan.core.errors import CellspanError
from cellspan.core.training.recipe import Recipe, resumed_recipe
from cellspan.core.training.simulate import simulate_nuclei
from cellspan.core.training.simulated import SimulatedPool

pytestmark = pytest.mark.quick


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in {"POOL": 3, "SIDE": 96, "EMPTY": 0.0, "BORROWED": 1.0}.items():
        monkeypatch.setattr(f"cellspan.core.training.simulated.{name}", value)
    folder = tmp_path / "pictures"
    folder.mkdir()
    grey = np.random.default_rng(0).normal(100, 30, (200, 200)).clip(0, 255).astype(np.uint8)
    imageio.imwrite(folder / "a.png", grey)
    return folder


def test_fields_of_the_training_have_them_and_held_out_ones_do_not(pictures: Path) -> None:
    plain, textured, again = SimulatedPool(1, 20), *(SimulatedPool(1, 20, (), str(pictures)) for _ in range(2))
    fields = [pool.at(0) for pool in (plain, textured, again)]
    for one, other, same in zip(*fields, strict=True):
        assert np.array_equal(other.image, same.image)
        assert np.array_equal(one.labels, other.labels)
        assert not np.array_equal(one.image, other.image)
    held_out = [pool.held_out(2) for pool in (plain, textured)]
    assert all(np.array_equal(one.image, other.image) for one, other in zip(*held_out, strict=True))


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CellspanError, match="no such folder"):
        SimulatedPool(1, 20, (), str(tmp_path / "nowhere"))


def test_textures_need_simulated_cells(pictures: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(train, [str(tmp_path), "--out", str(tmp_path / "model"), "--textures", str(pictures)])
    assert result.exit_code == 2
    assert "add --simulated" in result.output


def test_a_resumed_training_goes_on_with_its_textures(pictures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model" / "training"
    folder.mkdir(parents=True)
    Recipe("m", simulated=0.5, textures=str(pictures)).save(folder)
    assert resumed_recipe(tmp_path / "model", {}).textures == str(pictures)


def test_a_refused_folder_leaves_no_model_behind(tmp_path: Path) -> None:
    for k in range(2):
        field = simulate_nuclei((96, 96), 20, 0.3, k)
        imageio.imwrite(tmp_path / f"{k}_img.tif", field.image)
        imageio.imwrite(tmp_path / f"{k}_masks.png", field.labels.astype(np.uint16))
    out = tmp_path / "model"
    options = ["--epochs", "1", "--widths", "4,8", "--simulated", "0.5", "--textures", str(tmp_path / "nowhere")]
    result = CliRunner().invoke(train, [str(tmp_path), "--out", str(out), *options])
    assert isinstance(result.exception, CellspanError)
    assert "no such folder of pictures" in str(result.exception)
    assert not out.exists()
