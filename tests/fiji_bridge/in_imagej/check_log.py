"""A Maven endpoint of plain ImageJ, a JAVA_HOME without a Java, and the log of what was done about it."""

from __future__ import annotations

import logging
import os

from cellspan.fiji_bridge import connect

logging.basicConfig(level=logging.INFO)
os.environ["JAVA_HOME"] = "/usr"  # what scyjava takes for Java's home where java is a link in /usr/bin
imagej = connect("net.imagej:ij:1.54p")
assert imagej is connect()
assert imagej.version == "1.54p"
assert os.environ["JAVA_HOME"] != "/usr"
