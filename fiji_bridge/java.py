"""Which Java runs ImageJ: the machine's or the Fiji's own where it is a whole and new one, else one that is fetched."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

logger = logging.getLogger("cellspan.fiji_bridge")

JAVA_VERSION = "17"  # at least; fetched if the machine has none
LIBRARY = {"win32": "bin/server/jvm.dll", "darwin": "lib/server/libjvm.dylib"}.get(sys.platform, "lib/server/libjvm.so")


def find_java(scyjava: Any, fiji: Path | None = None) -> None:
    """Set JAVA_HOME to the Java to take, and tell scyjava to fetch one if there is none; log which.

    Left to itself, scyjava takes /usr for Java's home where the `java` on the path is a link in /usr/bin, as on most
    Linux machines, and a search of all of /usr follows; so the link is resolved here. And a JAVA_HOME without a Java
    keeps it from looking elsewhere. "Never fetch" makes pyimagej fail, so "auto".
    """
    scyjava.config.set_java_constraints(fetch="auto", version=JAVA_VERSION)
    for home, origin in _candidates(fiji):
        reason = _unfit(home)
        if not reason:
            logger.info("Java is taken from %s (%s).", home, origin)
            os.environ["JAVA_HOME"] = str(home)
            return
        logger.info("%s (%s) is not taken: %s.", home, origin, reason)
    os.environ.pop("JAVA_HOME", None)
    logger.info("No Java %s or newer was found; scyjava looks for one, and fetches it if need be.", JAVA_VERSION)


def _candidates(fiji: Path | None) -> Iterator[tuple[Path, str]]:
    """Homes of Java and where they are from, the wanted ones first."""
    named = os.environ.get("JAVA_HOME")
    if named:
        yield Path(named).expanduser(), "JAVA_HOME"
    if fiji is not None:
        for release in sorted(fiji.glob("java/*/**/release"), reverse=True):
            yield release.parent, "the Fiji's own"
    java = shutil.which("java")
    if java is not None:
        yield Path(java).resolve().parents[1], "the java on the path"


def _unfit(home: Path) -> str:
    """Why a Java cannot be taken; empty if it can."""
    if not (home / LIBRARY).exists():
        return "there is no Java of version 9 or newer for this computer in it"
    version = _version(home)
    if version is not None and version < int(JAVA_VERSION):
        return f"it is Java {version}, and {JAVA_VERSION} is needed"
    return ""


def _version(home: Path) -> int | None:
    """The major version, such as 17, that the file `release` of every JDK tells; None if it does not."""
    try:
        text = (home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r'^JAVA_VERSION="?(\d+)', text, re.MULTILINE)
    return int(found.group(1)) if found else None
