"""The list of the update site has the newest versions and all earlier ones, as Fiji's updater reads them."""

from __future__ import annotations

import gzip
import hashlib
from datetime import datetime, timezone
from pathlib import Path
from xml.etree import ElementTree

import pytest

from release.update_site import checksum_of, write_update_site

pytestmark = pytest.mark.quick

FIRST, SECOND = (datetime(2026, month, 2, 3, 4, 5, tzinfo=timezone.utc) for month in (1, 2))
STAYS, CHANGES, GOES, COMES = (f"plugins/cellspan/{name}" for name in ("stays.txt", "changes.txt", "1.whl", "2.whl"))


def listed(folder: Path) -> dict[str, ElementTree.Element]:
    with gzip.open(folder / "db.xml.gz") as file:
        return {entry.attrib["filename"]: entry for entry in ElementTree.parse(file).getroot()}


@pytest.fixture
def first(tmp_path: Path) -> Path:
    write_update_site({STAYS: b"a", CHANGES: b"b", GOES: b"c"}, tmp_path / "first", FIRST)
    return tmp_path / "first"


@pytest.fixture
def second(first: Path, tmp_path: Path) -> Path:
    files = {STAYS: b"a", CHANGES: b"B", COMES: b"C"}
    write_update_site(files, tmp_path / "second", SECOND, first / "db.xml.gz")
    return tmp_path / "second"


def test_a_file_lies_there_with_its_time(first: Path) -> None:
    shown = listed(first)[CHANGES].find("version")
    assert shown is not None
    checksum = hashlib.sha1(b"plugins/cellspan/changes.txtb").hexdigest()
    assert shown.attrib == {"checksum": checksum, "timestamp": "20260102030405", "filesize": "1"}
    assert (first / f"{CHANGES}-20260102030405").read_bytes() == b"b"


def test_an_installed_file_of_the_release_before_is_recognised(second: Path) -> None:
    entry = listed(second)[CHANGES]
    assert [version.attrib["checksum"] for version in entry.iter("version")] == [checksum_of(CHANGES, b"B")]
    [before] = entry.iter("previous-version")
    assert before.attrib == {
        "checksum": checksum_of(CHANGES, b"b"),
        "timestamp": "20260102030405",
        "timestamp-obsolete": "20260202030405",
    }


def test_a_file_that_stays_has_no_earlier_version(second: Path) -> None:
    assert not list(listed(second)[STAYS].iter("previous-version"))


def test_a_file_that_goes_is_listed_without_a_version(second: Path) -> None:
    assert [part.tag for part in listed(second)[GOES]] == ["previous-version"]
    assert [part.tag for part in listed(second)[COMES]] == ["version"]


def test_the_list_remembers_all_earlier_versions(second: Path, tmp_path: Path) -> None:
    later = datetime(2026, 3, 2, tzinfo=timezone.utc)
    write_update_site({CHANGES: b"b"}, tmp_path / "third", later, second / "db.xml.gz")
    earlier = [version.attrib["checksum"] for version in listed(tmp_path / "third")[CHANGES].iter("previous-version")]
    assert earlier == [checksum_of(CHANGES, b"B")]
    assert [part.tag for part in listed(tmp_path / "third")[GOES]] == ["previous-version"]
