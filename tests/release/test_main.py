"""One command writes all files beside the wheel, with their checksums."""

from __future__ import annotations

import hashlib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from release.contents import fiji_files

pytestmark = pytest.mark.end_to_end


def test_the_files_of_a_release(dist: Path) -> None:
    name = f"cellspan-{version('cellspan')}"
    there = {path.name for path in dist.iterdir() if not path.name.startswith(".")}
    wheel = f"{name}-py3-none-any.whl"
    assert there == {wheel, f"{name}-fiji.zip", f"{name}-cellprofiler.zip", f"{name}-update-site", "SHA256SUMS"}
    sums = dict(line.split("  ")[::-1] for line in (dist / "SHA256SUMS").read_text().splitlines())
    assert {wheel, f"{name}-update-site/db.xml.gz", f"{name}-fiji.zip"} < sums.keys()
    for path, checksum in sums.items():
        assert hashlib.sha256((dist / path).read_bytes()).hexdigest() == checksum
    site = dist / f"{name}-update-site"
    assert {path for path in sums if "update-site" in path} == {
        f"{site.name}/db.xml.gz",
        *(f"{site.name}/{path}-20260102030405" for path in fiji_files(dist / wheel)),
    }


def test_the_zip_has_the_wheel_itself(dist: Path) -> None:
    [wheel], [archive] = dist.glob("*.whl"), dist.glob("*-cellprofiler.zip")
    with zipfile.ZipFile(archive) as files:
        assert files.read(f"cellspan_plugin/{wheel.name}") == wheel.read_bytes()
        assert "identifyobjectsbyflow.py" in files.namelist()
        assert files.testzip() is None
