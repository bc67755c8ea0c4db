"""Reads packages of bioimage.io (a zip or a folder with `rdf.yaml`) that hold the checkpoint of a Cellpose network."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from cellspan.core.errors import CellspanError, first_line
from cellspan.core.files.archives import read_member
from cellspan.core.files.hashing import sha256_of
from cellspan.core.files.regular import is_folder, is_regular, open_regular
from cellspan.core.models.description import LONGEST

DESCRIPTIONS = ("rdf.yaml", "bioimageio.yaml")  # what a package is known by
STATE_DICT = "pytorch_state_dict"  # the format of weights that can be read; others hold programs
OWN = "cellspan"  # where a package that was written here keeps the content of model.json
ABOUT = ("name", "id", "version", "description", "license")  # texts of a package worth keeping


@dataclass(frozen=True)
class Package:
    """What a package says and holds."""

    checkpoint: Path  # its weights, as long as the package is open
    about: dict[str, Any]  # who made it, under which licence, and how it is cited
    own: dict[str, Any] | None  # of a package that was written here: its model.json


def is_package(path: Path) -> bool:
    """Whether a file or folder is a package of bioimage.io."""
    if is_folder(path):
        return any(is_regular(path / name) for name in DESCRIPTIONS)
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            return any(name in DESCRIPTIONS for name in archive.namelist())
    except Exception:  # noqa: BLE001 - zipfile raises anything on damaged files; those who read a checkpoint tell
        return False


@contextmanager
def open_package(path: Path) -> Iterator[Package]:
    """Unpack the weights to a temporary file; raises CellspanError that names the package, and why not."""
    with tempfile.TemporaryDirectory(prefix="cellspan-package-") as folder:
        try:
            package = _from_folder(path) if is_folder(path) else _from_zip(path, Path(folder))
        except CellspanError as error:
            raise error.within(path) from None
        except (OSError, zipfile.BadZipFile, KeyError, yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            raise CellspanError(f"{path}: this package cannot be read ({first_line(error)[:300]}).") from None
        yield package


def _from_zip(path: Path, folder: Path) -> Package:
    with open_regular(path) as file, zipfile.ZipFile(file) as archive:
        name = next(name for name in archive.namelist() if name in DESCRIPTIONS)
        rdf = _parsed(read_member(archive, archive.getinfo(name), LONGEST))
        inside, sha256 = _weights_of(rdf)
        checkpoint = folder / inside.name
        checkpoint.write_bytes(read_member(archive, archive.getinfo(str(inside))))
    return _checked(checkpoint, rdf, sha256)


def _from_folder(path: Path) -> Package:
    with open_regular(next(path / name for name in DESCRIPTIONS if is_regular(path / name))) as file:
        rdf = _parsed(file.read(LONGEST))
    inside, sha256 = _weights_of(rdf)
    return _checked(path / inside, rdf, sha256)


def _parsed(description: bytes) -> dict[str, Any]:
    rdf = yaml.safe_load(description.decode("utf-8"))
    if not isinstance(rdf, dict) or not isinstance(rdf.get("weights"), dict):
        raise CellspanError("this package describes no weights, so it holds no model.")
    return rdf


def _weights_of(rdf: dict[str, Any]) -> tuple[PurePosixPath, str | None]:
    """The checkpoint in the package, and its SHA-256 if it is given; raises CellspanError."""
    entry = rdf["weights"].get(STATE_DICT)
    if not isinstance(entry, dict) or not isinstance(entry.get("source"), str):
        held = ", ".join(map(str, rdf["weights"])) or "none"
        raise CellspanError(
            f"this package holds no {STATE_DICT}, which is read without running anything (its weights: {held}); "
            "download the model in that format."
        )
    if "://" in entry["source"]:
        raise CellspanError(f"this package only names its weights ({entry['source']}); download the whole package.")
    inside = PurePosixPath(entry["source"].replace("\\", "/"))
    if inside.is_absolute() or ".." in inside.parts or not inside.name:
        raise CellspanError(f"this package names weights outside of itself ({entry['source']}); download it again.")
    return inside, entry["sha256"].lower() if isinstance(entry.get("sha256"), str) else None


def _checked(checkpoint: Path, rdf: dict[str, Any], sha256: str | None) -> Package:
    if sha256 is not None and sha256_of(checkpoint) != sha256:
        raise CellspanError(f"the weights {checkpoint.name} do not match the package's checksum; download it again.")
    return _described(checkpoint, rdf)


def _described(checkpoint: Path, rdf: dict[str, Any]) -> Package:
    about: dict[str, Any] = {key: str(rdf[key]) for key in ABOUT if isinstance(rdf.get(key), str | int | float)}
    about["authors"] = [str(author["name"]) for author in _dictionaries(rdf.get("authors")) if "name" in author]
    about["cite"] = [
        " ".join(str(entry[key]) for key in ("text", "doi", "url") if entry.get(key))
        for entry in _dictionaries(rdf.get("cite"))
    ]
    config = rdf.get("config")
    own = config.get(OWN) if isinstance(config, dict) else None
    return Package(checkpoint, about, own if isinstance(own, dict) else None)


def _dictionaries(value: Any) -> list[dict[Any, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
