"""Which names look like results, and the sentences on what was left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellspan.core.pictures.left_out import Results, is_other_picture, marked, notes_on

pytestmark = pytest.mark.quick
SUFFIXES = (".tif", ".png")


@pytest.mark.parametrize(
    ("stem", "parts"),
    [
        ("a_labels", ("a", "_labels")),
        ("A_LABELS", ("A", "_labels")),
        ("a_cp_masks", ("a", "_cp_masks")),
        ("a_masks2", ("a", "_masks2")),  # of a second expert
        ("a_labels_overlay", ("a_labels", "_overlay")),
        ("a_labels488", None),
        ("_labels", None),
        ("labels", None),
    ],
)
def test_only_the_end_of_a_name_counts(stem: str, parts: tuple[str, str] | None) -> None:
    assert marked(stem) == parts


@pytest.mark.parametrize(
    ("beside", "is_result"),
    [
        ([], False),
        (["a.tif"], True),
        (["A_IMG.PNG"], True),
        (["a.txt"], False),
        (["b.tif"], False),
        (["a_rois.zip"], True),
        (["run.json"], True),
        (["../run-2026.jsonl"], True),
        (["../run.json"], False),  # of another run, which left nothing in this folder
        (["run.json", "a_labels_objects.csv"], False),  # it has results of its own
        (["a.tif", "a_labels_objects.csv"], True),
    ],
)
def test_what_lies_beside_a_file_tells_whether_it_is_a_result(
    tmp_path: Path, beside: list[str], is_result: bool
) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "a_labels.tif"
    for name in ("a_labels.tif", *beside):
        (tmp_path / "in" / name).touch()
    if "../run-2026.jsonl" in beside:
        (tmp_path / "run-2026.jsonl").write_text('{"outputs": {"labels": "in/a_labels.tif"}}\n')
    assert Results([path], [], SUFFIXES).holds(path) is is_result


def test_a_restored_image_is_a_result_only_beside_its_image(tmp_path: Path) -> None:
    restored = tmp_path / "a_restored.tif"
    for name in ("a_restored.tif", "a_rois.zip", "run.json"):
        (tmp_path / name).touch()
    assert not Results([restored], [], SUFFIXES).holds(restored), "a folder of restored images can be segmented"
    (tmp_path / "a.png").touch()
    assert Results([restored], [], SUFFIXES).holds(restored)


def test_a_named_file_is_a_result_only_if_its_image_is_named_too(tmp_path: Path) -> None:
    result = tmp_path / "a_labels.tif"
    assert Results([], [result, tmp_path / "a.png"], SUFFIXES).holds_named(result)
    assert not Results([], [result, tmp_path / "other" / "a.tif"], SUFFIXES).holds_named(result)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a.vsi", True),
        ("a.GIF", True),
        ("a.tif ", True),
        ("a.png.", True),
        ("a.txt", False),
        ("a.csv", False),
        ("a", False),
    ],
)
def test_pictures_of_other_types(name: str, told: bool) -> None:
    assert is_other_picture(Path(name), SUFFIXES) is told


def test_sentences_count_and_show_the_first_names() -> None:
    many = [Path(f"{k}_labels.tif") for k in range(5)]
    results, lonely, others = notes_on(many, many[:1], [Path("a.vsi"), Path("b.VSI")])
    assert results.startswith("5 files were left out")
    assert "(0_labels.tif, 1_labels.tif, 2_labels.tif, ...)" in results
    assert '"*_labels.tif"' in results
    assert lonely.startswith("1 file was segmented although it is called like a result (0_labels.tif)")
    assert others.startswith("2 files were left out, because cellspan does not read files of this type (.vsi)")
    assert notes_on([], [], []) == []
