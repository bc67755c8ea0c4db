"""Training data: pairs are found, brought to the mean diameter, balanced."""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.labels import median_diameter
from cellspan.core.training.data import Field, find_pairs, licence, load_field, load_fields, source_weights
from cellspan.core.training.simulate import simulate_nuclei

pytestmark = pytest.mark.quick


def write_pair(folder: Path, name: str, seed: int = 0, diameter: float = 26) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    field = simulate_nuclei((128, 128), diameter=diameter, seed=seed)
    imageio.imwrite(folder / f"{name}_img.png", field.image)
    imageio.imwrite(folder / f"{name}_masks.png", field.labels.astype(np.uint16))


def test_pairs_of_any_depth_with_their_source_and_licence(tmp_path: Path) -> None:
    write_pair(tmp_path / "yeast" / "train", "a")
    write_pair(tmp_path / "yeast" / "val", "b")
    write_pair(tmp_path / "plain", "c")
    (tmp_path / "yeast" / "LICENSE.txt").write_text("Source: x\nLicence: CC0 1.0\n")
    (tmp_path / "plain" / "lonely_img.png").write_bytes(b"")
    pairs = find_pairs(tmp_path)
    assert [(pair.image.stem, pair.source, licence(pair)) for pair in pairs] == [
        ("c_img", "plain", "unknown"),
        ("a_img", "yeast", "CC0 1.0"),
        ("b_img", "yeast", "CC0 1.0"),
    ]


def test_a_folder_without_pairs_is_named(tmp_path: Path) -> None:
    with pytest.raises(CellspanError, match="no pairs"):
        find_pairs(tmp_path)
    with pytest.raises(CellspanError, match="no such folder"):
        find_pairs(tmp_path / "missing")


def test_fields_come_at_the_mean_diameter(tmp_path: Path) -> None:
    write_pair(tmp_path, "a", diameter=32)
    field = load_field(find_pairs(tmp_path)[0], 16)
    assert field is not None
    assert field.diameter == pytest.approx(32, rel=0.25)
    assert median_diameter(field.labels) == pytest.approx(16, rel=0.1)
    assert field.flows.shape == (2, *field.labels.shape)


def test_masks_of_another_size_are_named(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    imageio.imwrite(tmp_path / "a_masks.png", np.ones((5, 5), np.uint8))
    with pytest.raises(CellspanError, match=r"a_masks\.png.*\(5, 5\)"):
        load_fields(find_pairs(tmp_path), 20)


def test_small_sources_are_not_drowned() -> None:
    empty = np.zeros((2, 1, 1), np.float32)
    fields = [Field("large", empty, empty[0], empty, 1)] * 100 + [Field("small", empty, empty[0], empty, 1)]
    weights = source_weights(fields)
    assert weights.sum() == pytest.approx(1)
    assert weights[-1] == pytest.approx(1 / 11)
    assert source_weights(fields, 0)[-1] == pytest.approx(1 / 2)
    assert source_weights(fields, 1)[-1] == pytest.approx(1 / 101)
