"""Training data: pairs are found, brought to the mean diameter, balanced."""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.objects.labels import median_diameter
from cellspan.core.objects.outlines import labels_to_rois, write_roi_zip
from cellspan.core.pictures.channels import LUMINANCE
from cellspan.core.training.data import (
    Field,
    load_field,
    load_fields,
    notes_on_channels,
    read_pair,
    require_objects,
    source_weights,
)
from cellspan.core.training.pairs import find_pairs
from cellspan.core.training.simulate import simulate_nuclei

pytestmark = pytest.mark.quick


def write_pair(folder: Path, name: str, seed: int = 0, diameter: float = 26) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    field = simulate_nuclei((128, 128), diameter=diameter, seed=seed)
    imageio.imwrite(folder / f"{name}_img.png", field.image)
    imageio.imwrite(folder / f"{name}_masks.png", field.labels.astype(np.uint16))


def test_fields_come_at_the_mean_diameter(tmp_path: Path) -> None:
    write_pair(tmp_path, "a", diameter=32)
    field = load_field(find_pairs(tmp_path)[0], 16)
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


def test_black_and_white_masks_are_refused_or_split(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    masks = tmp_path / "a_masks.png"
    apart = np.zeros((128, 128), np.uint8)
    apart[10:30, 10:30] = apart[50:70, 50:70] = apart[90:110, 20:40] = 255
    imageio.imwrite(masks, apart)
    with pytest.raises(CellspanError, match=r"a_masks\.png.*3 separate pieces.*--split"):
        load_fields(find_pairs(tmp_path), 20)
    assert load_fields(find_pairs(tmp_path), 20, split=True)[0].labels.max() == 3
    apart[50:] = 0
    apart[:, 50:] = 0
    imageio.imwrite(masks, apart)  # one object is no reason to doubt
    assert load_fields(find_pairs(tmp_path), 20)[0].labels.max() == 1


def test_where_nobody_is_sure_nothing_is_known(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    known = read_pair(find_pairs(tmp_path)[0])[1]
    masks = known.astype(np.uint16)
    masks[:, :64] = 65535
    imageio.imwrite(tmp_path / "a_masks.png", masks)
    field = load_field(find_pairs(tmp_path)[0], None)
    assert field.unsure is not None
    assert field.unsure[:, :64].all()
    assert not field.unsure[:, 64:].any()
    np.testing.assert_array_equal(field.labels > 0, (known > 0) & ~field.unsure)
    assert field.labels.max() == np.count_nonzero(np.unique(known[:, 64:]))
    assert not field.flows[:, field.unsure].any()
    larger = load_field(find_pairs(tmp_path)[0], 2 * field.diameter)
    assert larger.unsure is not None
    assert larger.unsure.shape == larger.labels.shape
    assert larger.unsure.mean() == pytest.approx(0.5, abs=0.01)


def test_a_black_and_white_mask_of_16_bits_is_no_doubt(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    masks = imageio.imread(tmp_path / "a_masks.png")
    imageio.imwrite(tmp_path / "a_masks.png", np.where(masks > 0, 65535, 0).astype(np.uint16))
    assert load_field(find_pairs(tmp_path)[0], None, split=True).labels.max() > 1


def test_too_few_objects_are_refused(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    one = np.zeros((128, 128), np.uint8)
    one[10:30, 10:30] = 1
    imageio.imwrite(tmp_path / "a_masks.png", one)
    with pytest.raises(CellspanError, match=r"contain 1 annotated object; annotate at least 5"):
        require_objects(load_fields(find_pairs(tmp_path), 20))
    imageio.imwrite(tmp_path / "a_masks.png", 0 * one)
    with pytest.raises(CellspanError, match="contain 0 annotated objects"):
        require_objects(load_fields(find_pairs(tmp_path), 20))


def test_an_image_without_objects_is_kept_as_it_is(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    write_pair(tmp_path, "b")
    imageio.imwrite(tmp_path / "b_masks.png", np.zeros((128, 128), np.uint8))
    fields = load_fields(find_pairs(tmp_path), 13)
    assert [field.diameter > 0 for field in fields] == [True, False]
    assert fields[1].image.shape == (2, 128, 128)
    assert not fields[1].flows.any()


def test_specks_are_refused(tmp_path: Path) -> None:
    """They would make an image of a hundred megapixels out of a small one."""
    write_pair(tmp_path, "a")
    specks = np.zeros((128, 128), np.uint8)
    specks[::20, ::20] = np.arange(1, 50).reshape(7, 7)
    imageio.imwrite(tmp_path / "a_masks.png", specks)
    with pytest.raises(CellspanError, match=r"a_masks\.png: .* median diameter of only 1\.1 pixels; remove the specks"):
        load_fields(find_pairs(tmp_path), 24)
    assert load_fields(find_pairs(tmp_path), 16)[0].image.shape[1] > 128 * 14


def test_notes_on_channels_say_what_is_learnt_from(tmp_path: Path) -> None:
    field_image = simulate_nuclei((128, 128)).image.astype(np.uint8)
    for name, channels in (("a", 1), ("b", 2), ("c", 2), ("d", 3)):
        write_pair(tmp_path, name)
        planes = np.stack([field_image] * channels)
        (tmp_path / f"{name}_img.png").unlink()
        tifffile.imwrite(tmp_path / f"{name}_img.tif", planes, photometric="minisblack", metadata={"axes": "CYX"})
    write_pair(tmp_path, "e")
    imageio.imwrite(tmp_path / "e_img.png", np.stack([field_image] * 3, axis=-1))
    fields = load_fields(find_pairs(tmp_path), 20)
    assert [field.image[1].any() for field in fields] == [False, True, True, False, False]
    two, more = notes_on_channels(fields)
    assert two.startswith("2 images have two channels: the first is used as the cells, the second as the nuclei")
    assert "--nuclei-channel 1" in two
    assert more == "1 image has three or more channels: only the first, channel 0, is used."
    assert notes_on_channels([fields[0], fields[4]]) == []


def write_outlined(folder: Path, name: str, rois: str, seed: int = 0) -> np.ndarray:
    """An image with a RoiSet.zip called `rois` beside it; its labels."""
    folder.mkdir(parents=True, exist_ok=True)
    field = simulate_nuclei((128, 128), diameter=26, seed=seed)
    imageio.imwrite(folder / name, field.image)
    write_roi_zip(folder / rois, labels_to_rois(field.labels))
    return field.labels


def test_one_outline_in_two_parts_is_one_object(tmp_path: Path) -> None:
    labels = np.zeros((64, 64), np.int32)
    labels[5:9, 5:9] = labels[20:30, 20:30] = 1
    imageio.imwrite(tmp_path / "a.png", labels.astype(np.uint8))
    write_roi_zip(tmp_path / "a_rois.zip", labels_to_rois(labels))
    np.testing.assert_array_equal(read_pair(find_pairs(tmp_path)[0])[1], labels)


def write_colours(folder: Path, channels: object) -> np.ndarray:
    """A picture whose green shows cells and whose blue shows nuclei, annotated in Cellpose's window; its labels."""
    field = simulate_nuclei((96, 96), seed=1)
    noise = np.random.default_rng(0).integers(0, 255, (96, 96), np.uint8)
    picture = np.stack([noise, field.image.astype(np.uint8), field.image.astype(np.uint8)[::-1]], axis=-1)
    imageio.imwrite(folder / "a.png", picture)
    content = {"masks": field.labels, "chan_choose": channels}
    np.save(folder / "a_seg.npy", content, allow_pickle=True)  # type: ignore[arg-type]
    return picture


@pytest.mark.parametrize(
    ("chosen", "channel", "nuclei", "options"),
    [([2, 3], 1, 2, "--channel 1 --nuclei-channel 2"), (np.array([2, 0]), 1, None, "--channel 1")],
)
def test_channels_that_were_chosen_in_cellpose_are_learnt_from(
    tmp_path: Path, chosen: object, channel: int, nuclei: int | None, options: str
) -> None:
    picture = write_colours(tmp_path, chosen)
    field = load_field(find_pairs(tmp_path)[0], None)
    assert np.corrcoef(field.image[0].ravel(), picture[..., channel].ravel())[0, 1] > 0.95
    assert field.image[1].any() == (nuclei is not None)
    assert notes_on_channels([field]) == [
        f"In 1 image, the channels are those that were chosen in Cellpose's window; segment with {options}."
    ]


@pytest.mark.parametrize("chosen", [[0, 0], [0, 3], None, []])
def test_grey_in_cellpose_is_brightness_here(tmp_path: Path, chosen: object) -> None:
    picture = write_colours(tmp_path, chosen)
    field = load_field(find_pairs(tmp_path)[0], None)
    assert np.corrcoef(field.image[0].ravel(), (picture @ LUMINANCE).ravel())[0, 1] > 0.99
    assert notes_on_channels([field]) == []
