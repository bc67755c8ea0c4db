"""The first use of the commands in a Fiji into which the zip was unpacked, as a person sees it.

Arguments: the Fiji, where it keeps its settings, the folder of check_first_use.groovy, an image.
"""

from __future__ import annotations

import sys
from pathlib import Path

import scyjava

from cellspan.fiji_bridge import connect

fiji, home, programs, image = sys.argv[1:]
scyjava.config.add_option(f"-Duser.home={home}")
imagej = connect(fiji, headless=False)
shell = imagej.java_class("groovy.lang.GroovyShell")(imagej.java_class("ij.IJ").getClassLoader())
file = imagej.java_class("java.io.File")(str(Path(programs) / "check_first_use.groovy"))
shell.run(file, [programs, image, "install"])  # and ends this process
