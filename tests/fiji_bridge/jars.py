"""The jars of the real ImageJ, from Maven Central, kept on the disk for the next time."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

IMAGEJ = "net.imagej:ij:1.54p"
PATCHER = "net.imagej:ij1-patcher:2.0.0"  # ImageJ's macros without a display
GROOVY = os.environ.get("CELLSPAN_GROOVY", "4.0.28")  # Fiji 2.14 has 4.0.18, older ones have 3.0
SCIJAVA = ("org.scijava:scijava-common:2.99.2", "org.scijava:parsington:3.1.0")  # how Fiji reads and runs scripts


def find_jars(folder: Path) -> list[Path]:
    """ImageJ, the patcher, Groovy, SciJava and what they need, linked into `folder`; OSError if they cannot be had.

    A folder of one's own, because jgo links them anew at each call, and a Java that just starts would miss them.
    """
    import jgo

    group = "org.codehaus.groovy" if GROOVY.startswith("3.") else "org.apache.groovy"
    groovy = (f"{group}:groovy:{GROOVY}", f"{group}:groovy-jsr223:{GROOVY}")
    try:
        environment = jgo.build("+".join((IMAGEJ, PATCHER, *groovy, *SCIJAVA)), cache_dir=folder)
    except (RuntimeError, ValueError, subprocess.SubprocessError) as error:
        raise OSError(f"Maven Central does not give the jars of ImageJ: {error}") from error
    jars = sorted(environment.path.rglob("*.jar"))
    for name in ("ij-", "ij1-patcher-", "javassist-", f"groovy-{GROOVY}", "groovy-jsr223-"):
        one_jar(jars, name)
    return jars


def one_jar(jars: list[Path], name: str) -> Path:
    """The jar whose file name starts with `name`."""
    found = [jar for jar in jars if jar.name.startswith(name)]
    if len(found) != 1:
        raise OSError(f"There should be one jar {name}*, not {found}.")
    return found[0]
