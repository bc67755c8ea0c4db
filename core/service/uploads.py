"""Uploaded images: small ones in memory, large ones in an unnamed file, with their hashes and total size."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
import threading
from typing import IO, Any, Literal

from cellspan.core.errors import CellspanError
from cellspan.core.files.npy import load_npy
from cellspan.core.machine.cancelling import abandonable
from cellspan.core.pictures.images import Image, image_from_array
from cellspan.core.pictures.masks import decode_mask, with_mask
from cellspan.core.pictures.reading import decode_image, decode_volume
from cellspan.core.pictures.volume import Volume, volume_from_array
from cellspan.core.service.client import MASK_BYTES, NPY
from cellspan.core.service.errors import Refusal

TIFF, PNG = "image/tiff", "image/png"
KINDS = (NPY, TIFF, PNG)
MAX_UPLOAD = 2 << 30  # bytes of one image
IN_MEMORY = 64 << 20  # bytes of one image before it is written to disk
ALL_IN_MEMORY = 512 << 20  # bytes of all waiting images
ALL_ON_DISK = 32 << 30  # bytes of all waiting images

Medium = Literal["memory", "disk"]


class Uploads:
    """Space for waiting images; thread-safe."""

    def __init__(self, most: int = MAX_UPLOAD, in_memory: int = ALL_IN_MEMORY, on_disk: int = ALL_ON_DISK) -> None:
        """`most`: bytes of one image, and limits of all images in memory and on disk."""
        self.most = most
        self._bounds = {"memory": in_memory, "disk": max(on_disk, most)}
        self._lock = threading.Lock()
        self._used: dict[Medium, int] = {"memory": 0, "disk": 0}

    def begin(self, kind: str, declared: int | None, mask: int = 0) -> Upload:
        """An upload of this media type and, if the client gives it, this size in bytes; raises Refusal.

        `mask`: how many bytes at its end are those of a mask.
        """
        if kind not in KINDS:
            raise Refusal(415, "unknown_type", f"Send images as {NPY}, {TIFF} or {PNG}, not as '{kind}'.", type=kind)
        if declared is not None:
            self.check(declared)
        return Upload(self, kind, mask)

    def check(self, size: int) -> None:
        """Refuse an image that is too large."""
        if size > self.most:
            raise Refusal(
                413,
                "too_large",
                f"The image has more than {self.most} bytes, the limit of this engine; send it in parts, or "
                "start the engine with a larger --max-upload.",
                most=self.most,
            )

    def used(self, medium: Medium) -> int:
        """Total bytes of all images."""
        with self._lock:
            return self._used[medium]

    def claim(self, medium: Medium, size: int) -> bool:
        """Reserve this many bytes; returns whether there is space."""
        with self._lock:
            if self._used[medium] + size > self._bounds[medium]:
                return False
            self._used[medium] += size
            return True

    def release(self, medium: Medium, size: int) -> None:
        """Release these bytes."""
        with self._lock:
            self._used[medium] -= size


class Upload:
    """The bytes of one image, and of its mask if there is one."""

    def __init__(self, uploads: Uploads, kind: str, mask: int = 0) -> None:
        """An empty upload; `kind`: its media type; the last `mask` bytes are those of the mask."""
        self.kind, self.mask = kind, mask
        self.size = 0
        self._uploads = uploads
        self._hash = hashlib.blake2b(digest_size=16)
        self._parts: list[bytes] = []
        self._claimed: dict[Medium, int] = {"memory": 0, "disk": 0}
        self._file: IO[bytes] | None = None

    @property
    def on_disk(self) -> bool:
        """Whether writing may take long."""
        return self._file is not None

    def write(self, part: bytes) -> None:
        """Add bytes; raises Refusal if the image is too large or the disk is full."""
        self.size += len(part)
        self._uploads.check(self.size)
        self._hash.update(part)
        if self._file is None and self.size <= IN_MEMORY and self._claim("memory", len(part)):
            self._parts.append(part)
            return
        self._claim_disk(len(part) if self._file is not None else self.size)
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="cellspan-upload-")  # noqa: SIM115 - closed with the upload
                self._file.writelines(self._parts)
                self._free("memory")
            self._file.write(part)
        except OSError as error:
            raise _disk_full(error) from None

    def finish(self) -> None:
        """Complete the upload; raises Refusal if the disk is full, or if there is more of a mask than of all."""
        if self.mask > self.size:
            raise Refusal(
                400,
                "bad_mask",
                f"{MASK_BYTES} = {self.mask}, but image and mask together have only {self.size} bytes.",
            )
        try:
            if self._file is not None:
                self._file.flush()
        except OSError as error:
            raise _disk_full(error) from None

    def _claim(self, medium: Medium, size: int) -> bool:
        there = self._uploads.claim(medium, size)
        self._claimed[medium] += size if there else 0
        return there

    def _claim_disk(self, size: int) -> None:
        if not self._claim("disk", size):
            raise Refusal(
                503,
                "uploads_full",
                "The images waiting for the engine take up all its space; try again later.",
                {"Retry-After": "5"},
            )

    def digest(self) -> str:
        """Of all bytes, and of where the mask begins."""
        return self._hash.hexdigest() + (f" mask {self.mask}" if self.mask else "")

    def decode(self, is_volume: bool) -> Image | Volume:
        """The pixels; raises CellspanError, and Cancelled while a large file is read."""
        image = self.size - self.mask
        if not image:
            raise CellspanError("The image is empty: no bytes were received.")
        source: Any
        if self._file is None:
            content = b"".join(self._parts)
            source, mask = content[:image] if self.mask else content, content[image:]
        else:
            self._file.seek(image)
            source, mask = self._file, self._file.read()
            self._file.seek(0)  # what follows the image does not disturb its readers
        return abandonable(lambda: _decoded(source, self.kind, is_volume, mask))

    def close(self) -> None:
        """Free memory and disk space."""
        self._parts = []
        if self._file is not None:
            with contextlib.suppress(OSError):  # data not written yet is no longer needed
                self._file.close()
        for medium in self._claimed:
            self._free(medium)

    def _free(self, medium: Medium) -> None:
        if medium == "memory":
            self._parts = []
        size, self._claimed[medium] = self._claimed[medium], 0
        self._uploads.release(medium, size)


def _disk_full(error: OSError) -> Refusal:
    return Refusal(507, "disk_full", f"The image cannot be stored in {tempfile.gettempdir()} ({error.strerror}).")


def _decoded(source: Any, kind: str, is_volume: bool, mask: bytes) -> Image | Volume:
    inside = decode_mask(mask) if mask else None
    if is_volume and kind in (NPY, TIFF):
        return with_mask(volume_from_array(load_npy(source)) if kind == NPY else decode_volume(source), inside)
    if kind == NPY:
        return with_mask(image_from_array(load_npy(source)), inside)
    return with_mask(decode_image(source, ".tif" if kind == TIFF else ".png"), inside)
