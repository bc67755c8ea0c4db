"""ImageJ inside this Python: starts Java once, with plain ImageJ or with the Fiji of a local folder."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellspan.core.errors import CellspanError

IMAGEJ = "net.imagej:ij:1.54p"
PATCHER = "net.imagej:ij1-patcher:2.0.0"  # lets macros and dialogs of ImageJ run without a display
JAVA_VERSION = "17"  # at least; fetched if the machine has none


@dataclass(frozen=True)
class ImageJ:
    """A running ImageJ; `connect` makes it."""

    version: str
    headless: bool
    where: Path | None = None  # the folder of the Fiji; None = plain ImageJ
    pyimagej: Any = None  # pyimagej's gateway, only with a Fiji

    def java_class(self, name: str) -> Any:
        """A class of Java or ImageJ, such as "ij.IJ"."""
        return java_class(name)

    def run_macro(self, macro: str, argument: str = "") -> str:
        """Run the text of a macro; what it returns. Raises CellspanError if it was aborted."""
        result = str(java_class("ij.IJ").runMacro(macro, argument) or "")
        if result == "[aborted]":
            raise CellspanError("The ImageJ macro was aborted; its message is above.")
        return result


_running: ImageJ | None = None  # a Python can hold one Java, and Java one ImageJ


def connect(where: str | Path | None = None, headless: bool = True) -> ImageJ:
    """Start ImageJ, or return the one that runs already.

    Without `where`, plain ImageJ comes from Maven Central (and from the disk the next time); with the folder of a
    Fiji, that Fiji is started through pyimagej. `headless=False` needs a display and makes the ROI Manager available.
    Raises CellspanError.
    """
    global _running
    folder = None if where is None else _fiji_folder(Path(where))
    if _running is None:
        if not headless:
            _require_display()
        _find_java(_scyjava())
        _running = _start_imagej(headless) if folder is None else _start_fiji(folder, headless)
    elif (_running.where, _running.headless) != (folder, headless):
        raise CellspanError(
            f"This Python already runs {_running.where or 'plain ImageJ'} with headless={_running.headless}, "
            "and can run only one; start a new Python for the other."
        )
    return _running


def java_class(name: str) -> Any:
    """A class of the running Java; raises CellspanError if `connect` was not called."""
    scyjava = _scyjava()
    if not scyjava.jvm_started():
        raise CellspanError("ImageJ is not running yet: call cellspan.fiji_bridge.connect() first.")
    return scyjava.jimport(name)


def is_headless() -> bool:
    """Whether the running Java has no display, and so no windows and no ROI Manager."""
    return bool(java_class("java.awt.GraphicsEnvironment").isHeadless())


def _scyjava() -> Any:
    try:
        import scyjava
    except ImportError:
        raise CellspanError('ImageJ inside Python needs a few more packages: pip install "cellspan[fiji]".') from None
    return scyjava


def _find_java(scyjava: Any) -> None:
    """Name the Java to take: the machine's, or else one that scyjava fetches.

    On most Linux machines the `java` on the path is a link in /usr/bin; scyjava takes /usr for Java's home, and a
    search of all of /usr follows. So the link is resolved here. And "never fetch" makes pyimagej fail, so "auto".
    """
    java = shutil.which("java")
    if not os.environ.get("JAVA_HOME") and java is not None:
        os.environ["JAVA_HOME"] = str(Path(java).resolve().parents[1])
    scyjava.config.set_java_constraints(fetch="auto", version=JAVA_VERSION)


def _start_imagej(headless: bool) -> ImageJ:
    scyjava = _scyjava()
    scyjava.config.endpoints = [IMAGEJ, PATCHER]
    scyjava.config.add_option("--add-opens=java.base/java.lang=ALL-UNNAMED")  # the patcher rewrites classes
    if headless:
        scyjava.config.enable_headless_mode()
    try:
        scyjava.start_jvm()
    except Exception as error:
        raise CellspanError(
            f"Java did not start ({_first_line(error)}); install Java {JAVA_VERSION} or newer, or set JAVA_HOME to it."
        ) from error
    if headless:
        scyjava.jimport("net.imagej.patcher.LegacyInjector").preinit()  # before any class of ImageJ is loaded
    else:
        imagej = scyjava.jimport("ij.ImageJ")
        imagej(imagej.NO_SHOW)
    return ImageJ(str(scyjava.jimport("ij.IJ").getVersion()), headless)


def _start_fiji(folder: Path, headless: bool) -> ImageJ:
    try:
        import imagej
    except ImportError:
        raise CellspanError('A Fiji inside Python needs pyimagej: pip install "cellspan[fiji]".') from None
    try:
        gateway = imagej.init(str(folder), mode="headless" if headless else "interactive")
    except Exception as error:
        raise CellspanError(f"{folder}: this Fiji did not start ({_first_line(error)}).") from error
    return ImageJ(str(gateway.getVersion()), headless, folder, gateway)


def _fiji_folder(where: Path) -> Path:
    folder = where.expanduser().resolve()
    if not (folder / "jars").is_dir():
        raise CellspanError(f"{folder}: this is not the folder of a Fiji, because it has no folder 'jars'.")
    return folder


def _require_display() -> None:
    if os.name == "posix" and os.uname().sysname == "Linux" and not os.environ.get("DISPLAY"):
        raise CellspanError("There is no display for ImageJ's windows: use headless=True, or run under xvfb-run.")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
