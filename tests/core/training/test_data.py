"""Training data: pairs are found, brought to the mean diameter, balanced."""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.objects.labels import median_diameter
from cellspan.core.objects.outlines import labels_to_rois, write_roi_zip
from cellspan.core.training.data import (
    Field,
    chosen_series,
    divided,
    find_pairs,
    licence,
    load_field,
    load_fields,
    notes_on_channels,
    read_pair,
    require_objects,
    source_weights,
)
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


@pytest.mark.parametrize(
    ("place", "split", "source"),
    [
        ("val", "val", "data"),
        ("Val", "val", "data"),
        ("val/plate1", "val", "plate1"),
        ("plate1/TEST", "test", "plate1"),
        ("Test/plate1/well2", "test", "well2"),
        ("train/plate1", "train", "plate1"),
        ("validated", "train", "validated"),
        ("test/train", "train", "data"),  # the innermost decides
        (".", "train", "data"),
    ],
)
def test_images_below_val_and_test_are_held_out(tmp_path: Path, place: str, split: str, source: str) -> None:
    data = tmp_path / "test" / "val" / "data"  # what lies above is the user's affair
    write_pair(data / place, "a")
    write_pair(data / "plate9", "b")
    found = {pair.image.stem: pair for pair in find_pairs(data)}
    assert (found["a_img"].split, found["a_img"].source) == (split, source)
    assert (found["b_img"].split, found["b_img"].source) == ("train", "plate9")
    used, held_out = divided(found.values())
    assert (found["a_img"] in used, found["a_img"] in held_out) == (split == "train", split == "val")


def test_a_split_folder_that_is_named_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `cellspan train yeast/train yeast/val`, or from within such a folder."""
    for split in ("train", "val", "test"):
        write_pair(tmp_path / "yeast" / split, split)
    pairs = [pair for split in ("train", "val", "test") for pair in find_pairs(tmp_path / "yeast" / split)]
    assert [(pair.split, pair.source) for pair in pairs] == [(split, "yeast") for split in ("train", "val", "test")]
    monkeypatch.chdir(tmp_path / "yeast" / "val")
    assert [(pair.split, pair.source) for pair in find_pairs(".")] == [("val", "yeast")]
    with pytest.raises(CellspanError, match=r"yeast/test: there are no training images.*named val or test"):
        divided(pairs[2:])


def test_a_folder_without_pairs_is_named(tmp_path: Path) -> None:
    with pytest.raises(CellspanError, match="no pairs"):
        find_pairs(tmp_path)
    with pytest.raises(CellspanError, match="no such folder"):
        find_pairs(tmp_path / "missing")


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


@pytest.mark.parametrize(
    ("name", "rois"),
    [
        ("cells.tif", "cells_rois.zip"),
        ("cells.tif", "cells_RoiSet.zip"),
        ("cells_img.png", "cells_rois.zip"),
        ("cells_img.png", "cells_img_ROIs.zip"),
        ("Zellen é.tif", "RoiSet.zip"),
    ],
)
def test_images_with_outlines_from_imagej(tmp_path: Path, name: str, rois: str) -> None:
    labels = write_outlined(tmp_path / "some", name, rois)
    pair = find_pairs(tmp_path)[0]
    assert (pair.image.name, pair.masks.name) == (name, rois)
    np.testing.assert_array_equal(read_pair(pair)[1], labels)


def test_masks_win_over_outlines_and_results_are_no_images(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    write_outlined(tmp_path, "a_img.png", "a_img_rois.zip")
    write_outlined(tmp_path, "b.png", "b_rois.zip")
    imageio.imwrite(tmp_path / "b_overlay.png", np.zeros((5, 5), np.uint8))
    imageio.imwrite(tmp_path / "c.png", np.zeros((5, 5), np.uint8))  # not annotated
    assert [pair.masks.name for pair in find_pairs(tmp_path)] == ["a_masks.png", "b_rois.zip"]


def test_a_mark_inside_a_name_makes_no_result(tmp_path: Path) -> None:
    write_outlined(tmp_path, "exp_labels488.png", "exp_labels488_rois.zip")
    assert [pair.image.name for pair in find_pairs(tmp_path)] == ["exp_labels488.png"]


def test_one_roi_set_for_several_images_is_refused(tmp_path: Path) -> None:
    write_outlined(tmp_path, "a.png", "RoiSet.zip")
    write_outlined(tmp_path, "b.png", "RoiSet.zip")
    with pytest.raises(CellspanError, match=r"RoiSet\.zip: it is unclear which of the 2 images.*a_rois\.zip"):
        find_pairs(tmp_path)


def test_one_outline_in_two_parts_is_one_object(tmp_path: Path) -> None:
    labels = np.zeros((64, 64), np.int32)
    labels[5:9, 5:9] = labels[20:30, 20:30] = 1
    imageio.imwrite(tmp_path / "a.png", labels.astype(np.uint8))
    write_roi_zip(tmp_path / "a_rois.zip", labels_to_rois(labels))
    np.testing.assert_array_equal(read_pair(find_pairs(tmp_path)[0])[1], labels)


def test_images_in_files_of_several_have_annotations_of_their_own(tmp_path: Path) -> None:
    fields = [simulate_nuclei((96, 96), seed=seed) for seed in range(3)]
    for name in ("a_img.ome.tif", "b.ome.tif"):
        with tifffile.TiffWriter(tmp_path / name) as file:
            for field in fields:
                file.write(field.image, metadata={"axes": "YX"})
    for number in (0, 2):
        imageio.imwrite(tmp_path / f"a_img.ome_s{number}_masks.png", fields[number].labels.astype(np.uint16))
    rois = labels_to_rois(fields[1].labels)
    write_roi_zip(tmp_path / "b.ome_s1_rois.zip", rois)
    write_pair(tmp_path, "c_s1")
    pairs = find_pairs(tmp_path)
    assert [(pair.image.name, pair.series) for pair in pairs] == [
        ("a_img.ome.tif", 0),
        ("a_img.ome.tif", 2),
        ("b.ome.tif", 1),
        ("c_s1_img.png", None),
    ]
    for pair, number in zip(pairs[:3], (0, 2, 1), strict=True):
        _, labels = read_pair(pair)
        assert labels.max() == fields[number].labels.max()
    assert [pair.series for pair in chosen_series(pairs[:3], (2, 1))] == [2, 1]
    with pytest.raises(CellspanError, match="--series 7: none of these images is annotated"):
        chosen_series(pairs[:3], (7,))


def test_masks_of_an_image_that_is_one_of_several_must_say_which(tmp_path: Path) -> None:
    fields = [simulate_nuclei((96, 96), seed=seed) for seed in range(2)]
    with tifffile.TiffWriter(tmp_path / "a_img.tif", ome=True) as file:
        for field in fields:
            file.write(field.image, metadata={"axes": "YX"})
    imageio.imwrite(tmp_path / "a_masks.png", fields[1].labels.astype(np.uint16))
    pairs = find_pairs(tmp_path)
    with pytest.raises(CellspanError, match=r"a_img\.tif: the file holds 2 images"):
        read_pair(pairs[0])
    [chosen] = chosen_series(pairs, (1,))
    assert read_pair(chosen)[1].max() == fields[1].labels.max()
