"""Annotated images are found in folders, whoever made the annotations."""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.objects.labels import renumber
from cellspan.core.objects.outlines import labels_to_rois, write_roi_zip
from cellspan.core.training.data import read_pair
from cellspan.core.training.pairs import chosen_series, divided, find_pairs, licence, notes_on
from cellspan.core.training.simulate import simulate_nuclei

from .test_data import write_outlined, write_pair

pytestmark = pytest.mark.quick


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
    with pytest.raises(CellspanError, match="no annotated images were found"):
        find_pairs(tmp_path)
    with pytest.raises(CellspanError, match="no such folder"):
        find_pairs(tmp_path / "missing")


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


def write_seg(path: Path, masks: np.ndarray, **more: object) -> None:
    """As Cellpose's window does it."""
    content = {"masks": masks, "outlines": masks * 0, "chan_choose": [0, 0], "flows": [[]], "ismanual": masks > 0}
    np.save(path, {**content, "filename": f"C:/images/{path.name}", **more}, allow_pickle=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("image", ["im0.tif", "im0_img.tif"])
@pytest.mark.parametrize("masks", ["im0_masks.tif", "im0_Masks.PNG", "im0_cp_masks.png", "im0_seg.npy", "im0_SEG.npy"])
def test_folders_of_cellpose_are_read_as_they_are(tmp_path: Path, image: str, masks: str) -> None:
    field = simulate_nuclei((96, 96), seed=1)
    tifffile.imwrite(tmp_path / image, field.image)
    if masks.endswith("npy"):
        write_seg(tmp_path / masks, field.labels.astype(np.uint16))
    else:
        imageio.imwrite(tmp_path / masks.lower(), field.labels.astype(np.uint16))
        (tmp_path / masks.lower()).rename(tmp_path / masks)
    for other in ("im0_flows.tif", "im0_cp_output.png", "im0_cp_outlines.txt", "alone_seg.npy"):
        (tmp_path / other).write_bytes(b"")
    [pair] = find_pairs(tmp_path)
    assert (pair.image.name, pair.masks.name, pair.unused) == (image, masks, ())
    np.testing.assert_array_equal(read_pair(pair)[1], renumber(field.labels))


def test_of_several_annotations_the_first_kind_counts_and_a_note_says_so(tmp_path: Path) -> None:
    field = simulate_nuclei((96, 96), seed=1)
    for name in ("a", "b"):
        imageio.imwrite(tmp_path / f"{name}.png", field.image)
        write_seg(tmp_path / f"{name}_seg.npy", field.labels)
    imageio.imwrite(tmp_path / "a_cp_masks.png", field.labels.astype(np.uint16))
    assert [pair.masks.name for pair in find_pairs(tmp_path)] == ["a_seg.npy", "b_seg.npy"]
    write_roi_zip(tmp_path / "a_rois.zip", labels_to_rois(field.labels))
    imageio.imwrite(tmp_path / "a_masks.png", field.labels.astype(np.uint16))
    pairs = find_pairs(tmp_path)
    assert notes_on(pairs) == [
        f"1 image has several annotations: of {tmp_path / 'a.png'}, a_masks.png is used, a_rois.zip and a_seg.npy and "
        "a_cp_masks.png not."
    ]


def test_annotations_belong_to_the_image_with_the_mark_if_both_are_there(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    imageio.imwrite(tmp_path / "a.png", np.zeros((128, 128), np.uint8))
    assert [pair.image.name for pair in find_pairs(tmp_path)] == ["a_img.png"]


def test_ids_that_differ_in_their_letters_case_only(tmp_path: Path) -> None:
    write_pair(tmp_path, "a", seed=1)
    write_pair(tmp_path, "A", seed=2)
    pairs = find_pairs(tmp_path)
    if len(pairs) == 2:  # a file system that tells them apart
        assert all(pair.masks.name[0] == pair.image.name[0] for pair in pairs)


def test_a_seg_file_for_one_image_of_several(tmp_path: Path) -> None:
    fields = [simulate_nuclei((96, 96), seed=seed) for seed in range(2)]
    with tifffile.TiffWriter(tmp_path / "a.tif", ome=True) as file:
        for field in fields:
            file.write(field.image, metadata={"axes": "YX"})
    write_seg(tmp_path / "a_s1_seg.npy", fields[1].labels)
    [pair] = find_pairs(tmp_path)
    assert pair.series == 1
    assert read_pair(pair)[1].max() == fields[1].labels.max()
