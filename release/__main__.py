"""Writes what is published besides the wheel: `python -m release DIST`, with the wheel in that folder."""

from __future__ import annotations

import argparse
import hashlib
import zipfile
from collections.abc import Mapping
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from release.contents import cellprofiler_files, fiji_files
from release.update_site import write_update_site

SUMS = "SHA256SUMS"


def main() -> None:
    """The zips, the update site, and the checksums of all files in the folder."""
    parser = argparse.ArgumentParser(prog="python -m release", description=__doc__)
    parser.add_argument("dist", type=Path, help="the folder with the wheel")
    parser.add_argument("--earlier-site", type=Path, help="db.xml.gz of the update site as it is published now")
    asked = parser.parse_args()
    write_all(asked.dist, datetime.now(timezone.utc), asked.earlier_site)


def write_all(dist: Path, when: datetime, earlier: Path | None = None) -> None:
    """See `main`."""
    [wheel] = dist.glob("*.whl")
    name = f"cellspan-{version('cellspan')}"
    write_zip(fiji_files(wheel), dist / f"{name}-fiji.zip", when)
    write_zip(cellprofiler_files(wheel), dist / f"{name}-cellprofiler.zip", when)
    write_update_site(fiji_files(wheel), dist / f"{name}-update-site", when, earlier)
    files = sorted(path for path in dist.rglob("*") if path.is_file() and path.name != SUMS)
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(dist).as_posix()}\n" for path in files]
    (dist / SUMS).write_text("".join(sums), encoding="utf-8")


def write_zip(files: Mapping[str, bytes], path: Path, when: datetime) -> None:
    """A zip of these files, by their paths in it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, when.timetuple()[:6])
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


if __name__ == "__main__":
    main()
