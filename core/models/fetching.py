"""Downloads official Cellpose models from their server, or a mirror, to Cellpose's folder.

A file appears there only when it is complete, has the expected checksum and can be read as a checkpoint. Until then it
is in the user's cache. Its SHA-256 is saved beside it, and later downloads must match it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from cellspan.core.errors import CellspanError
from cellspan.core.files.hashing import sha256_of
from cellspan.core.files.writing import make_folder, write_atomically
from cellspan.core.models.cellpose import examine, read_checkpoint, read_size_model
from cellspan.core.models.description import Model
from cellspan.core.models.download import OnBytes, OnNote, download
from cellspan.core.models.kinds import KINDS
from cellspan.core.models.official import ELSEWHERE, OFFICIAL, OfficialFile, OfficialModel
from cellspan.core.models.registry import CELLPOSE, cellpose_folder, find_model

PATIENCE = 600.0  # seconds to wait for another process that downloads the same model


@dataclass(frozen=True)
class Source:
    """The source of the files, and callbacks for progress."""

    address: str | None = None  # of a mirror; None = Cellpose's own
    offline: bool = False
    overwrite: bool = False
    on_bytes: OnBytes = lambda done, total: None
    on_note: OnNote = lambda line: None


@dataclass(frozen=True)
class FetchedFile:
    """A file of an official model: its path before checking, and its final path."""

    target: Path
    path: Path  # the target itself if it already existed
    origin: str  # the target or the address, for messages
    sha256: str
    confirmed_by: str  # the source of the expected checksum; empty if there is none

    @property
    def is_new(self) -> bool:
        """Whether it was downloaded."""
        return self.path != self.target


def fetch_model(name: str, source: Source, sha256: str | None = None) -> tuple[Model, list[FetchedFile]]:
    """An official model with its files, downloaded unless they are already in Cellpose's folder.

    `sha256`: required checksum of the checkpoint. Raises CellspanError with one sentence; then no file is new or
    changed.
    """
    official = OFFICIAL.get(name)
    if name in ELSEWHERE:
        raise CellspanError(f"{name} cannot be used: {ELSEWHERE[name]}.")
    if official is None:
        raise CellspanError(f"There is no official model '{name}'; choose from {', '.join(OFFICIAL)}.")
    source = replace(source, address=source.address or official.address)
    pinned = _digits(sha256, "--sha256") if sha256 else None
    # The size model first, so that the network never appears without it.
    wanted = [file for file in (official.sizes, official.weights) if file]
    complete = all((cellpose_folder() / file.name).exists() for file in wanted) and not source.overwrite
    with nullcontext() if complete or source.offline else _only_one(name):
        files = [_get(file, source, pinned if file is official.weights else None) for file in wanted]
        try:
            _check(files, official)
            for file in filter(lambda file: file.is_new, files):
                _publish(file)
        finally:
            for file in filter(lambda file: file.is_new, files):
                file.path.unlink(missing_ok=True)  # complete, so there is nothing to continue
    return find_model(CELLPOSE + name), files


def _only_one(name: str) -> AbstractContextManager[object]:
    """Let one process at a time download a model; the others wait for it."""
    make_folder(cellpose_folder())
    make_folder(_downloads())
    try:
        return FileLock(_downloads() / f"{name}.lock").acquire(timeout=PATIENCE)
    except Timeout:
        raise CellspanError(f"Another process is still downloading {name}; stop it first.") from None


def _downloads() -> Path:
    return user_cache_path("cellspan", appauthor=False) / "downloads"


def _get(file: OfficialFile, source: Source, pinned: str | None) -> FetchedFile:
    """The existing file, or a new one in the cache, after checking its checksum."""
    target = path = cellpose_folder() / file.name
    origin = str(target)
    if source.overwrite or not target.exists():
        if source.offline:
            raise CellspanError(
                f"{target} is missing, and nothing is downloaded in offline mode; copy it there by hand."
            )
        path, origin = _downloads() / file.name, f"{str(source.address).rstrip('/')}/{file.name}"
        source.on_note(f"downloading {origin}")
        download(origin, path, source.on_bytes, source.on_note)
    expected, confirmed_by = _expected(file, target, pinned)
    found = sha256_of(path)
    if expected not in (None, found):
        if path != target:
            path.unlink()
        raise CellspanError(
            f"{origin}: the file was refused, because its SHA-256 is {found}, but {confirmed_by} says {expected}."
        )
    return FetchedFile(target, path, origin, found, confirmed_by)


def _check(files: list[FetchedFile], official: OfficialModel) -> None:
    """Read the checkpoint and its size model; raises CellspanError that names the invalid one."""
    *sizes, weights = files
    with _named_by_origin(weights):
        checkpoint = examine(weights.path)
        found, wanted = checkpoint.layout.channels, official.channels
        if found != wanted:
            raise CellspanError(f"its network has {found} input channel(s) instead of {wanted}.")
        if checkpoint.kind.name != official.kind:
            raise CellspanError(f"it is a {checkpoint.kind.network} instead of a {KINDS[official.kind].network}.")
        read_checkpoint(weights.path)
    for file in sizes:
        with _named_by_origin(file):
            read_size_model(file.path, checkpoint.layout.style_length, checkpoint.mean_diameter)


@contextmanager
def _named_by_origin(file: FetchedFile) -> Iterator[None]:
    try:
        yield
    except CellspanError as error:
        reason = str(error).removeprefix(f"{file.path}: ")
        advice = "" if file.is_new else " Use --overwrite to download it again."
        raise CellspanError(f"{file.origin}: the file was refused: {reason}{advice}") from None


def _publish(file: FetchedFile) -> None:
    write_atomically(
        _record(file.target), lambda part: part.write_text(f"{file.sha256}  {file.target.name}\n", encoding="utf-8")
    )
    write_atomically(file.target, lambda part: shutil.copyfile(file.path, part))


def _expected(file: OfficialFile, target: Path, pinned: str | None) -> tuple[str | None, str]:
    """The expected SHA-256 of a file and its source; raises CellspanError if sources contradict each other."""
    record = _record(target)
    said = {"--sha256": pinned, "cellspan": file.sha256, str(record): _recorded(record)}
    known = {origin: sha256 for origin, sha256 in said.items() if sha256}
    if len(set(known.values())) > 1:
        claims = "; ".join(f"{origin} says {sha256}" for origin, sha256 in known.items())
        raise CellspanError(f"{file.name}: the expected checksums contradict each other: {claims}.")
    return next(iter(known.values()), None), " and ".join(known)


def _record(target: Path) -> Path:
    """The file with the checksum, in the format of `sha256sum --check`."""
    return target.with_name(f"{target.name}.sha256")


def _recorded(record: Path) -> str | None:
    try:
        words = record.read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        words = []
    return _digits(words[0] if words else "", str(record))


def _digits(text: str, origin: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text.strip()):
        raise CellspanError(f"{origin}: '{text}' is not a SHA-256, which has 64 characters 0-9 and a-f.")
    return text.strip().lower()
