"""Which files a user means: folders, patterns, links, and names that are unusual or look like results."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.inputs import find_inputs

pytestmark = pytest.mark.quick


def make(folder: Path, *names: str | bytes) -> Path:
    """Files that are not read, so that one letter is enough."""
    for name in names:
        path = folder / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


@pytest.fixture
def plates(tmp_path: Path) -> Path:
    """Two plates with wells of the same names, one with results of an earlier run."""
    for name in ("p1/A01.tif", "p1/sub/A02.png", "p2/A01.tif", "p2/A01_labels.tif", "p2/A01_masks.png", "p2/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    return tmp_path


def stems(*names: object) -> list[str]:
    return [item.stem.as_posix() for item in find_inputs(map(str, names))]


def test_subfolders_are_kept(plates: Path) -> None:
    assert stems(plates) == ["p1/A01", "p1/sub/A02", "p2/A01"]
    assert stems(plates / "p1") == ["A01", "sub/A02"]
    assert stems(plates / "p1", plates / "p2") == ["p1/A01", "p1/sub/A02", "p2/A01"]
    assert stems(plates / "p*" / "*.tif") == ["p1/A01", "p2/A01"]
    assert stems(plates / "**" / "*.png") == ["p1/sub/A02"]


def test_each_image_comes_once_and_named_files_always(plates: Path) -> None:
    assert stems(plates / "p1" / "A01.tif", plates / "p1") == ["A01", "sub/A02"]
    assert stems(plates / "p1", plates / "missing.tif") == ["A01", "sub/A02", "missing"]
    assert stems(plates / "p2" / "A01_masks.png") == ["A01_masks"]


def test_an_empty_folder_does_not_stop_the_others(plates: Path) -> None:
    assert len(stems(plates / "p1", plates / "empty")) == 3
    with pytest.raises(CellspanError, match=r"empty.*no images were found"):
        find_inputs([str(plates / "empty")])


def test_files_of_one_name_in_folders_of_one_name_have_places_of_their_own(tmp_path: Path) -> None:
    make(tmp_path, "monday/raw/A01.tif", "tuesday/raw/A01.tif")
    assert stems(tmp_path / "monday" / "raw", tmp_path / "tuesday" / "raw") == ["monday/raw/A01", "tuesday/raw/A01"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("data[cond1]/*.tif", ["a[1]", "plate1_y", "plate[1]_x"]),
        ("data[cond1]/a[1].tif", ["a[1]"]),
        ("data[cond1]/plate[1]_*.tif", ["plate[1]_x"]),
        ("data[cond1]/plate[[]1]_*.tif", ["plate[1]_x"]),
        ("data[cond1]/plate[1-9]_*.tif", ["plate1_y"]),
        ("data[cond1]/s[2]/well[0-9].tif", ["well7"]),
        ("data[cond1]/**/well?.tif", ["s[2]/well7"]),
        ("data[cond1]/s[2]/lone[*.tif", ["lone[3"]),
        ("data?cond1?/s*/well7.tif", ["data[cond1]/s[2]/well7"]),
        ("data[cond1]/s*", ["s[2]/lone[3", "s[2]/well7"]),  # a pattern that stands for a folder
        ("data[cond1]/s[2]", ["lone[3", "well7"]),
        ("data[cond1]/s[2]/**", ["lone[3", "well7"]),
    ],
)
def test_brackets_may_be_a_part_of_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, found: list[str]
) -> None:
    make(tmp_path / "data[cond1]", "a[1].tif", "plate[1]_x.tif", "plate1_y.tif", "s[2]/well7.tif", "s[2]/lone[3.tif")
    monkeypatch.chdir(tmp_path)
    assert stems(pattern) == found
    assert stems(tmp_path / pattern) == found


def test_brackets_that_can_be_read_in_both_ways_are_told(tmp_path: Path) -> None:
    make(tmp_path, "plate[1]_x.tif", "plate1_y.tif", "plate1_z.tif")
    notes: list[str] = []
    find_inputs([str(tmp_path / "plate[1]_*.tif")], notes.append)
    [note] = notes
    assert "the brackets were read as a part of the names" in note
    assert "2 other files" in note


def test_names_that_only_contain_a_mark_are_images(tmp_path: Path) -> None:
    names = ["WT_overlays_day1", "_masks", "exp_labels488", "wt_flows_chamber1"]
    assert told(make(tmp_path, *(f"{name}.tif" for name in names))) == (names, [])


def told(*names: object) -> tuple[list[str], list[str]]:
    """Stems of what was found, and the notes."""
    notes: list[str] = []
    return [item.stem.as_posix() for item in find_inputs(map(str, names), notes.append)], notes


@pytest.mark.parametrize(
    "result",
    [
        "wt_labels.tif",
        "WT_LABELS.TIF",
        "wt_masks.png",
        "wt_cp_masks.png",
        "wt_flows.tif",
        "wt_orthogonal.png",
        "wt_s3_labels.tif",
    ],
)
@pytest.mark.parametrize("image", ["wt.tif", "WT.TIFF", "wt.png"])
def test_results_beside_their_image_are_left_out_and_told(tmp_path: Path, image: str, result: str) -> None:
    found, [note] = told(make(tmp_path, image, result))
    assert found == [Path(image).stem]
    assert note.startswith("1 file was left out")
    assert result in note
    pattern = note.rsplit('"', 2)[1]
    assert stems(tmp_path / pattern) == [Path(result).stem], "the way that the note shows"
    assert stems(tmp_path / result) == [Path(result).stem]


def test_masks_beside_an_image_that_is_called_img_are_left_out(tmp_path: Path) -> None:
    assert told(make(tmp_path, "wt_img.png", "wt_masks.png", "wt_img_labels.tif"))[0] == ["wt_img"]


def test_annotations_in_a_folder_of_their_own_are_left_out(tmp_path: Path) -> None:
    found, [note] = told(make(tmp_path, "images/1.tif", "images/2.tif", "masks/1_masks.tif", "masks/2_masks.tif"))
    assert found == ["images/1", "images/2"]
    assert "2 files were left out" in note


def test_images_that_are_only_called_like_results_are_segmented_and_told(tmp_path: Path) -> None:
    make(tmp_path, "x_masks.tif", "y_masks.tif")
    found, [note] = told(tmp_path)
    assert found == ["x_masks", "y_masks"]
    assert note.startswith("2 files were segmented although")
    assert told(tmp_path / "*_masks.tif") == (["x_masks", "y_masks"], []), "that is what the pattern says"
    make(tmp_path, "x_masks_labels.tif", "run.json")
    assert told(tmp_path)[0] == ["x_masks", "y_masks"], "also beside results of their own"


def test_a_folder_that_holds_its_own_output_folder(tmp_path: Path) -> None:
    results = [f"{name}{end}" for name in ("a", "sub/b") for end in ("_labels.tif", "_overlay.png", "_rois.zip")]
    make(tmp_path, "a.tif", "sub/b.tif", *(f"out/{name}" for name in results), "out/run.json")
    assert told(tmp_path)[0] == ["a", "sub/b"]
    (tmp_path / "a.tif").unlink()
    assert told(tmp_path)[0] == ["sub/b"], "by the record in the output folder"
    with pytest.raises(CellspanError, match=r"out.*no images were found.*4 files were left out"):
        find_inputs([str(tmp_path / "out")])


def test_a_pattern_that_the_shell_has_spelt_out(tmp_path: Path) -> None:
    make(tmp_path, "a.tif", "a_labels.tif", "b_labels.tif")
    found, [note] = told(*sorted(tmp_path.glob("*.tif")))
    assert found == ["a", "b_labels"]
    assert "a_labels.tif" in note


def test_types_that_are_not_read_are_told(tmp_path: Path) -> None:
    make(tmp_path, "a.tif", "z.vsi", "photo.webp", "notes.txt", "table.csv", "c.tif ", "a_rois.zip", "a_network.npz")
    found, [note] = told(tmp_path)
    assert found == ["a"]
    assert note.startswith("3 files were left out")
    assert all(name in note for name in ("z.vsi", "photo.webp", "c.tif "))


def test_hidden_things_do_not_count(tmp_path: Path) -> None:
    assert told(make(tmp_path, "a.tif", ".b.tif", "._a.tif", ".snapshot/a.tif")) == (["a"], [])


def test_links_are_followed_once(tmp_path: Path) -> None:
    make(tmp_path / "elsewhere", "c.tif")
    make(tmp_path / "in", "a.tif", "sub/b.tif")
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "sub" / "round").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "sub" / "round2").symlink_to(tmp_path / "in" / "sub")
    (tmp_path / "in" / "up").symlink_to(tmp_path)
    (tmp_path / "in" / "broken.tif").symlink_to(tmp_path / "nothing")
    (tmp_path / "in" / "same.tif").symlink_to(tmp_path / "in" / "a.tif")
    wanted = ["a", "broken", "linked/c", "same", "sub/b"]
    assert sorted(stems(tmp_path / "in")) == wanted
    assert sorted(stems(tmp_path / "in" / "**" / "*.tif")) == wanted


@pytest.mark.parametrize("name", [b"b_\xe4.tif", "c\nd.tif", "t .tif", "t..tif", "-o.tif", "*.tif", "é" * 100 + ".tif"])
def test_unusual_names_are_found(tmp_path: Path, name: str | bytes) -> None:
    try:
        make(tmp_path, name)
    except OSError:
        return  # this file system has no such names, so nobody can use them
    wanted = [Path(os.fsdecode(name)).stem]
    assert stems(tmp_path) == stems(tmp_path / os.fsdecode(name)) == stems(tmp_path / "*.t*") == wanted


def test_a_name_that_no_file_can_have_is_reported_as_missing(tmp_path: Path) -> None:
    make(tmp_path, "a.tif")
    assert stems(tmp_path / "a.tif", tmp_path / ("l" * 300 + ".tif")) == ["a", "l" * 300]


def test_nothing_but_missing_names(tmp_path: Path) -> None:
    with pytest.raises(CellspanError, match=r"a\.tif, .*: there is no such file or folder\."):
        find_inputs([str(tmp_path / "a.tif"), str(tmp_path / ("l" * 300 + ".tif"))])
    with pytest.raises(CellspanError, match=r"\*\.tif: no images were found there"):
        find_inputs([str(tmp_path / "*.tif")])


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.tif", "secret/b.tif")

    def scandir(path: str | Path, really: object = os.scandir) -> object:
        if Path(path).name == "secret":
            raise PermissionError(13, "Permission denied", str(path))
        return really(path)  # type: ignore[operator]

    monkeypatch.setattr(os, "scandir", scandir)
    found, [note] = told(tmp_path)
    assert found == ["a"]
    assert note == f"{tmp_path / 'secret'}: this folder cannot be read (Permission denied), so it was left out."
