"""A folder that a web server can offer to Fiji's updater: the files, each with its time, and their list `db.xml.gz`.

The updater recognises a file by a checksum over its path and content, and takes over an installed file only if that is
the newest or an earlier version of the site; so the list of a release goes on with the one before it.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

LIST = "db.xml.gz"
DESCRIPTION = "Finds cells and nuclei in microscope images (Plugins > cellspan)."
AUTHOR = "the cellspan contributors"


def write_update_site(files: Mapping[str, bytes], folder: Path, when: datetime, earlier: Path | None = None) -> None:
    """Write the site into a new folder; `earlier` is the `db.xml.gz` of the release before."""
    timestamp = f"{when:%Y%m%d%H%M%S}"
    before = {} if earlier is None else _entries(earlier)
    records = Element("pluginRecords")
    for name in sorted({*files, *before}):
        entry = SubElement(records, "plugin", filename=name)
        checksum = ""
        if name in files:
            content = files[name]
            checksum = checksum_of(name, content)
            size = str(len(content))
            shown = SubElement(entry, "version", checksum=checksum, timestamp=timestamp, filesize=size)
            SubElement(shown, "description").text = DESCRIPTION
            SubElement(shown, "author").text = AUTHOR
            path = folder / f"{name}-{timestamp}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if name in before:
            entry.extend(_earlier_versions(before[name], checksum, timestamp))
    ElementTree.indent(records)
    with gzip.open(folder / LIST, "wb") as file:
        ElementTree.ElementTree(records).write(file, encoding="UTF-8", xml_declaration=True)


def checksum_of(name: str, content: bytes) -> str:
    """As the updater computes it, for all files but jars."""
    return hashlib.sha1(name.encode("ascii") + content, usedforsecurity=False).hexdigest()


def _entries(database: Path) -> dict[str, Element]:
    with gzip.open(database) as file:
        return {entry.attrib["filename"]: entry for entry in ElementTree.parse(file).getroot().iter("plugin")}


def _earlier_versions(entry: Element, checksum: str, timestamp: str) -> list[Element]:
    """The versions of an entry other than `checksum`, as previous ones."""
    previous = {version.attrib["checksum"]: version for version in entry.iter("previous-version")}
    current = entry.find("version")
    if current is not None:
        kept = {name: current.attrib[name] for name in ("checksum", "timestamp")}
        previous[kept["checksum"]] = Element("previous-version", {**kept, "timestamp-obsolete": timestamp})
    previous.pop(checksum, None)
    return list(previous.values())
