"""Chooses the Java that runs ImageJ: an installed one that is complete and new enough, else one that is downloaded."""

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

JAVA_VERSION = "17"  # at least; downloaded if the computer has none
LIBRARY = {"win32": "bin/server/jvm.dll", "darwin": "lib/server/libjvm.dylib"}.get(sys.platform, "lib/server/libjvm.so")


def find_java(scyjava: Any, fiji: Path | None = None) -> None:
    """Set JAVA_HOME to the Java to use, and let scyjava download one if there is none; the choice is logged.

    Where the `java` on the path is a link in /usr/bin, as on most Linux computers, scyjava would take /usr as Java's
    home and search all of it; so the link is resolved here. A JAVA_HOME without a Java would keep scyjava from looking
    elsewhere. With fetch="never", pyimagej fails; hence "auto".
    """
    scyjava.config.set_java_constraints(fetch="auto", version=JAVA_VERSION)
    for home, origin in _candidates(fiji):
        reason = _unfit(home)
        if not reason:
            logger.info("Using the Java in %s (%s).", home, origin)
            os.environ["JAVA_HOME"] = str(home)
            return
        logger.info("The Java in %s (%s) is not used: %s.", home, origin, reason)
    os.environ.pop("JAVA_HOME", None)
    logger.info("No Java %s or newer was found; scyjava looks for one and downloads it if necessary.", JAVA_VERSION)


def _candidates(fiji: Path | None) -> Iterator[tuple[Path, str]]:
    """Folders of Java and where they were found, the preferred ones first."""
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
    """Why a Java cannot be used; empty if it can."""
    if not (home / LIBRARY).exists():
        return "there is no Java 9 or newer for this computer in it"
    version = _version(home)
    if version is not None and version < int(JAVA_VERSION):
        return f"it is Java {version}, and {JAVA_VERSION} is needed"
    return ""


def _version(home: Path) -> int | None:
    """The major version, such as 17, from the file `release` of a JDK; None if it does not say."""
    try:
        text = (home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r'^JAVA_VERSION="?(\d+)', text, re.MULTILINE)
    return int(found.group(1)) if found else None
