"""Images on their way in."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile
from starlette.testclient import TestClient

from cellspan.core.errors import CellspanError
from cellspan.core.service import uploads as module
from cellspan.core.service.client import NPY, as_npy
from cellspan.core.service.engine import Engine
from cellspan.core.service.errors import Refusal
from cellspan.core.service.uploads import PNG, TIFF, Uploads

from .fakes import spots, until

pytestmark = pytest.mark.quick
IMAGE = spots((3, 3))
BODY = as_npy(IMAGE)


def test_small_images_stay_in_memory_and_are_freed() -> None:
    uploads = Uploads()
    upload = uploads.begin(NPY, len(BODY))
    upload.write(BODY)
    assert not upload.on_disk
    assert uploads.used("memory") == len(BODY)
    assert np.array_equal(upload.decode(False).channels[0], IMAGE)
    upload.close()
    upload.close()
    assert (uploads.used("memory"), uploads.used("disk")) == (0, 0)


def test_large_images_go_to_a_file_without_a_name(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IN_MEMORY", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    uploads = Uploads()
    upload = uploads.begin(NPY, None)
    for start in range(0, len(BODY), 700):
        upload.write(BODY[start : start + 700])
    upload.finish()
    assert upload.on_disk
    assert list(tmp_path.iterdir()) == []
    assert (uploads.used("memory"), uploads.used("disk")) == (0, len(BODY))
    assert np.array_equal(upload.decode(False).channels[0], IMAGE)
    upload.close()
    assert (uploads.used("memory"), uploads.used("disk")) == (0, 0)


@pytest.mark.parametrize("in_memory", [1000, 1 << 20])
@pytest.mark.parametrize("kind", [NPY, TIFF, PNG])
def test_a_mask_after_the_image_is_read_apart(kind: str, in_memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IN_MEMORY", in_memory)
    pixels, file = (IMAGE > 0).astype(np.uint8), io.BytesIO()
    if kind == NPY:
        file.write(as_npy(pixels))
    elif kind == TIFF:
        tifffile.imwrite(file, pixels)
    else:
        PIL.Image.fromarray(pixels).save(file, "png")
    mask = np.zeros(pixels.shape, bool)
    mask[4:20, 2:30] = True
    upload = Uploads().begin(kind, None, len(as_npy(mask)))
    upload.write(file.getvalue())
    upload.write(as_npy(mask))
    upload.finish()
    image = upload.decode(False)
    np.testing.assert_array_equal(image.channels[0], pixels)
    np.testing.assert_array_equal(image.mask, mask)
    upload.close()


def test_many_images_share_a_bounded_memory() -> None:
    uploads = Uploads(in_memory=1500)
    first, second = uploads.begin(NPY, None), uploads.begin(NPY, None)
    first.write(b"x" * 1000)
    second.write(b"y" * 1000)
    assert (first.on_disk, second.on_disk) == (False, True)
    first.close()
    second.close()


def test_when_the_images_that_wait_take_all_the_disk_others_come_later() -> None:
    uploads = Uploads(most=1000, in_memory=0, on_disk=1500)
    first, second = uploads.begin(NPY, None), uploads.begin(NPY, None)
    first.write(b"x" * 1000)
    with pytest.raises(Refusal) as refused:
        second.write(b"y" * 1000)
    assert (refused.value.status, refused.value.code) == (503, "uploads_full")
    assert "Retry-After" in refused.value.headers
    second.close()
    first.close()
    assert uploads.used("disk") == 0


def test_a_digest_does_not_depend_on_the_parts() -> None:
    uploads = Uploads()
    whole, parts = uploads.begin(NPY, None), uploads.begin(NPY, None)
    whole.write(BODY)
    parts.write(BODY[:99])
    parts.write(BODY[99:])
    assert whole.digest() == parts.digest()
    parts.write(b"x")
    assert whole.digest() != parts.digest()


def test_a_disk_that_is_full_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    upload = Uploads(in_memory=0).begin(NPY, None)
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(Refusal, match="No space left") as refused:
        upload.write(b"x")
    assert refused.value.status == 507
    upload.close()


@pytest.mark.skipif("not __import__('os').path.exists('/dev/full')", reason="Linux has a disk that is always full")
def test_a_disk_that_is_full_at_the_last_byte_is_a_sentence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    full = partial(Path("/dev/full").open, "r+b")
    monkeypatch.setattr("tempfile.TemporaryFile", lambda prefix: full())
    upload = Uploads(in_memory=0).begin(NPY, None)
    upload.write(b"x")  # the file's own buffer takes it
    with pytest.raises(Refusal, match="No space left"):
        upload.finish()
    upload.close()


def test_an_empty_body_is_a_sentence() -> None:
    with pytest.raises(CellspanError, match="no bytes were received"):
        Uploads().begin(NPY, 0).decode(False)


def test_a_length_that_is_declared_is_refused_before_anything_comes(http: TestClient, engine: Engine) -> None:
    answer = http.post("/v1/jobs", content=b"x", headers={"Content-Type": NPY, "Content-Length": str(1 << 40)})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert answer.json()["fields"] == {"most": 1 << 20}


def test_too_many_bytes_are_refused_while_they_come(http: TestClient, engine: Engine) -> None:
    sent = []

    def parts() -> Any:
        for _ in range(64):
            sent.append(1)
            yield bytes(1 << 16)

    answer = http.post("/v1/jobs", content=parts(), headers={"Content-Type": NPY})
    assert answer.status_code == 413
    assert (engine.uploads.used("memory"), engine.uploads.used("disk")) == (0, 0)


@pytest.mark.parametrize("length", ["²", "-1", "1e3", "many"])
def test_a_length_that_is_no_number_is_not_believed(http: TestClient, length: str) -> None:
    headers = [(b"content-type", NPY.encode()), (b"content-length", length.encode("latin-1"))]
    answer = http.post("/v1/jobs", content=iter([BODY]), headers=headers)
    assert answer.status_code in (202, 400)


@pytest.mark.parametrize("media", ["text/plain", "", "application/json", "image/gif", "*/*"])
def test_other_media_types_are_refused(http: TestClient, media: str) -> None:
    answer = http.post("/v1/jobs", content=BODY, headers={"Content-Type": media})
    assert (answer.status_code, answer.json()["code"]) == (415, "unknown_type")


def test_media_types_have_any_case_and_may_have_parameters(http: TestClient) -> None:
    answer = http.post("/v1/jobs", content=BODY, headers={"Content-Type": "Application/X-NPY; q=1"})
    assert answer.status_code == 202


@pytest.mark.parametrize(("encoding", "status"), [("gzip", 415), ("br, gzip", 415), ("Identity", 202)])
def test_compressed_bodies_are_refused(http: TestClient, encoding: str, status: int) -> None:
    answer = http.post("/v1/jobs", content=BODY, headers={"Content-Type": NPY, "Content-Encoding": encoding})
    assert answer.status_code == status


def test_an_empty_body_is_a_job_that_fails_in_a_sentence(http: TestClient, engine: Engine) -> None:
    job = http.post("/v1/jobs", headers={"Content-Type": NPY}).json()
    assert (
        http.get(f"/v1/jobs/{job['id']}?wait=20").json()["error"]["sentence"]
        == "The image is empty: no bytes were received."
    )
    until(lambda: engine.uploads.used("memory") == 0)


def test_a_refused_image_is_freed(http: TestClient, engine: Engine) -> None:
    answer = http.post("/v1/jobs?model=nobody", content=BODY, headers={"Content-Type": NPY})
    assert answer.status_code == 400
    assert engine.uploads.used("memory") == 0
