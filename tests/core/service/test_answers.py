"""Results in the media types that clients accept."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tifffile
from roifile import ImagejRoi

from cellspan.core.service import answers
from cellspan.core.service.answers import ZIP, encode
from cellspan.core.service.client import NPY
from cellspan.core.service.errors import Refusal
from cellspan.core.service.uploads import TIFF

from .fakes import result_of, spots

pytestmark = pytest.mark.quick
RESULT = result_of(spots((3, 3), (20, 20)))


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", NPY),
        ("  ", NPY),
        ("*/*", NPY),
        ("*", NPY),
        ("image/*", TIFF),
        ("image/tiff", TIFF),
        ("Image/TIFF", TIFF),
        ("application/x-npy, image/tiff", NPY),
        ("image/tiff, application/x-npy", NPY),
        ("application/x-npy;q=0.5, image/tiff", TIFF),
        ("application/x-npy;q=0, */*", TIFF),
        ("text/html, */*;q=0.1", NPY),
        ("text/html;q=1, image/*;q=0.3, application/*;q=0.2", TIFF),
        ("nonsense, image/tiff", TIFF),
        (";;,,/,image/tiff ; q=often", TIFF),
    ],
)
def test_the_client_gets_what_it_likes_best(accept: str, media: str) -> None:
    assert encode("labels", RESULT, accept)[1] == media


@pytest.mark.parametrize(
    "accept", ["text/html", "*/*;q=0", "nonsense", "/", ";", ",", "image/png", "application/x-npy;q=0", "\xff"]
)
def test_what_is_not_there_is_406(accept: str) -> None:
    with pytest.raises(Refusal, match=r"labels are available as application/x-npy or image/tiff") as refused:
        encode("labels", RESULT, accept)
    assert refused.value.status == 406


def test_an_unknown_kind_is_404_and_names_the_kinds() -> None:
    with pytest.raises(Refusal, match="labels, rois, probability, objects, restored, flows") as refused:
        encode("colours", RESULT, "*/*")
    assert refused.value.status == 404


@pytest.mark.parametrize("kind", ["labels", "flows", "probability"])
def test_both_formats_hold_the_same_numbers(kind: str) -> None:
    expected = getattr(RESULT, kind)
    assert np.array_equal(np.load(io.BytesIO(encode(kind, RESULT, NPY)[0])), expected)
    assert np.array_equal(tifffile.imread(io.BytesIO(encode(kind, RESULT, TIFF)[0])), expected)


def test_a_restored_image_comes_with_all_its_channels_and_else_is_404() -> None:
    pixels = np.random.default_rng(0).random((2, 32, 32)).astype(np.float32)
    restored = replace(RESULT, restored=pixels)
    assert np.array_equal(np.load(io.BytesIO(encode("restored", restored, NPY)[0])), pixels)
    assert np.array_equal(tifffile.imread(io.BytesIO(encode("restored", restored, TIFF)[0])), pixels)
    with pytest.raises(Refusal, match="send the image again with restore") as refused:
        encode("restored", RESULT, NPY)
    assert (refused.value.status, refused.value.code) == (404, "not_restored")


def test_outlines_come_as_a_zip_with_one_entry_for_each_object(monkeypatch: pytest.MonkeyPatch) -> None:
    rois = [ImagejRoi.frompoints([(0, 0), (0, k), (k, k)], name=str(k)) for k in (5, 9)]
    monkeypatch.setattr(answers, "outlines_of", lambda labels: rois)  # compiling takes seconds
    content, media = encode("rois", RESULT, "*/*")
    assert media == ZIP
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.namelist() == ["5.roi", "9.roi"]
    assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}  # someone waits for it


def test_a_disk_that_is_full_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(answers.tempfile, "TemporaryDirectory", full)
    with pytest.raises(Refusal, match="No space left") as refused:
        encode("labels", RESULT, TIFF)
    assert refused.value.status == 507
