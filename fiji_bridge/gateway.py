"""ImageJ inside this Python: starts Java once, with plain ImageJ or with the Fiji of a local folder."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from platformdirs import user_cache_path

from cellspan.core.errors import CellspanError, first_line
from cellspan.fiji_bridge.java import JAVA_VERSION, find_java

logger = logging.getLogger("cellspan.fiji_bridge")

PLAIN = "net.imagej:ij:"
IMAGEJ = PLAIN + "1.54p"  # the original ImageJ
ENDPOINT = re.compile(r"[\w.-]+(:[\w.-]+){1,4}(\+[\w.-]+(:[\w.-]+){1,4})*")  # group:artifact:version, joined by +
PATCHER = "net.imagej:ij1-patcher:2.0.0"  # lets macros and dialogs of ImageJ run without a display
CONVERTER = "imglib2-imglyb"  # the jar that pyimagej shares arrays with
# Java bounds the stack of the thread that starts it, which is Python's own, and by default to 1 MB: too little for some
# functions of OpenBLAS and torch, which then end in a segmentation fault.
STACK = "-Xss8m"


@dataclass(frozen=True)
class ImageJ:
    """A running ImageJ; `connect` makes it."""

    version: str  # of ImageJ
    headless: bool  # without windows
    where: str | Path = ""  # the folder of the Fiji, or the Maven endpoint
    pyimagej: Any = None  # pyimagej's gateway; plain ImageJ has none

    def java_class(self, name: str) -> Any:
        """A class of Java or ImageJ, such as "ij.IJ"."""
        return java_class(name)

    def run_macro(self, macro: str, argument: str = "") -> str:
        """Run the text of a macro; what it returns. Raises CellspanError if it was aborted."""
        result = str(java_class("ij.IJ").runMacro(macro, argument) or "")
        if result == "[aborted]":
            raise CellspanError("The ImageJ macro was aborted; its message is above.")
        return result


_running: ImageJ | None = None  # a Python can run only one Java, and a Java only one ImageJ


def connect(where: str | Path | None = None, headless: bool = True) -> ImageJ:
    """Start ImageJ, or return the one that runs already.

    `where` is None or "net.imagej:ij:VERSION" for plain ImageJ from Maven Central (downloaded once), the folder of a
    Fiji, or any other Maven endpoint, such as "sc.fiji:fiji:2.14.0"; the last two start through pyimagej, which
    downloads a jar at the first start of a Fiji.
    `headless=False` needs a display and makes the ROI Manager available. Every step is logged under
    "cellspan.fiji_bridge". Raises CellspanError.
    """
    global _running
    place = _place(where)
    if _running is None:
        if not headless:
            _require_display()
        started = time.perf_counter()
        scyjava = _scyjava()
        find_java(scyjava, place if isinstance(place, Path) else None)
        scyjava.config.add_option(STACK)
        if not headless:
            scyjava.when_jvm_stops(_close_images)
        with FileLock(user_cache_path("cellspan", appauthor=False, ensure_exists=True) / "imagej.lock"):
            # One at a time: scyjava links the jars again at each start, and a Java that is starting would miss them.
            _running = _start_imagej(place, headless) if _is_plain(place) else _start_fiji(place, headless)
        seconds = time.perf_counter() - started
        windows = "without windows" if headless else "with windows"
        logger.info("ImageJ %s from %s started in %.1f s, %s.", _running.version, place, seconds, windows)
    elif (_running.where, _running.headless) != (place, headless):
        raise CellspanError(
            f"This Python already runs the ImageJ of {_running.where} with headless={_running.headless} "
            "and cannot run a second one; start a new Python for it."
        )
    return _running


def java_class(name: str) -> Any:
    """A class of the running Java; raises CellspanError if `connect` was not called."""
    scyjava = _scyjava()
    if not scyjava.jvm_started():
        raise CellspanError("ImageJ is not running yet: call cellspan.fiji_bridge.connect() first.")
    return scyjava.jimport(name)


def pyimagej_gateway() -> Any:
    """pyimagej's gateway of the running Fiji; None with plain ImageJ."""
    return None if _running is None else _running.pyimagej


def on_event_thread(work: Callable[[], None]) -> None:
    """Run `work` in Java's event thread; changed from another thread, a visible ROI Manager sometimes breaks."""
    import jpype

    queue = java_class("java.awt.EventQueue")
    if queue.isDispatchThread():
        work()
    else:
        queue.invokeAndWait(jpype.JProxy("java.lang.Runnable", dict={"run": work}))


def is_headless() -> bool:
    """Whether the running Java has no display, and so no windows and no ROI Manager."""
    return bool(java_class("java.awt.GraphicsEnvironment").isHeadless())


def _close_images() -> None:
    """Close all image windows; those of stacks have threads that would keep Java, and so Python, from ending."""
    manager = java_class("ij.WindowManager")
    for number in manager.getIDList() or ():
        image = manager.getImage(number)
        image.changes = False  # do not ask whether to save it
        image.close()


def _scyjava() -> Any:
    try:
        import scyjava
    except ImportError:
        raise CellspanError('ImageJ inside Python needs a few more packages: pip install "cellspan[fiji]".') from None
    return scyjava


def _start_imagej(endpoint: str | Path, headless: bool) -> ImageJ:
    """Plain ImageJ from Maven Central."""
    scyjava = _scyjava()
    scyjava.config.endpoints = [str(endpoint), PATCHER]
    scyjava.config.add_option("--add-opens=java.base/java.lang=ALL-UNNAMED")  # the patcher rewrites classes
    if headless:
        scyjava.config.enable_headless_mode()
    try:
        scyjava.start_jvm()
    except Exception as error:
        raise CellspanError(
            f"Java did not start with {endpoint} ({first_line(error)}): the first start needs an internet connection, "
            f"every start Java {JAVA_VERSION} or newer (set JAVA_HOME to its folder)."
        ) from error
    try:
        if headless:
            scyjava.jimport("net.imagej.patcher.LegacyInjector").preinit()  # before any class of ImageJ is loaded
        else:
            imagej = scyjava.jimport("ij.ImageJ")
            imagej(imagej.NO_SHOW)
        return ImageJ(str(scyjava.jimport("ij.IJ").getVersion()), headless, endpoint)
    except Exception as error:
        raise CellspanError(
            f"ImageJ did not start ({first_line(error)}); windows need a display and a Java that is not 'headless'."
        ) from error


def _start_fiji(place: str | Path, headless: bool) -> ImageJ:
    try:
        import imagej
    except ImportError:
        raise CellspanError('A Fiji inside Python needs pyimagej: pip install "cellspan[fiji]".') from None
    mode = "headless" if headless else "interactive"
    try:
        gateway = _init_folder(imagej, place, mode) if isinstance(place, Path) else imagej.init(place, mode=mode)
    except CellspanError:
        raise
    except Exception as error:
        kind = "this Fiji" if isinstance(place, Path) else "this ImageJ"
        raise CellspanError(f"{place}: {kind} did not start ({first_line(error)}).") from error
    return ImageJ(str(gateway.getVersion()), headless, place, gateway)


def _init_folder(imagej: Any, folder: Path, mode: str) -> Any:
    """pyimagej's gateway to the Fiji of a folder.

    It needs a jar that no Fiji has by itself, and downloads it at the first start, unless the folder has it.
    """
    scyjava = _scyjava()
    endpoints = scyjava.config.endpoints
    if any((folder / "jars").glob(f"{CONVERTER}-*.jar")):
        endpoints[:] = [endpoint for endpoint in endpoints if CONVERTER not in endpoint]
    try:
        return imagej.init(str(folder), mode=mode)
    except Exception as error:
        is_fiji = any((folder / "jars").glob("ij-*.jar"))
        if not is_fiji or scyjava.jvm_started() or not any(CONVERTER in endpoint for endpoint in endpoints):
            raise
        raise CellspanError(
            f"{folder}: the first start from Python needs an internet connection, for {CONVERTER}; or put that jar, "
            f"and imglib2-unsafe, in {folder / 'jars'}."
        ) from error


def _place(where: str | Path | None) -> str | Path:
    """The folder of a Fiji, or a Maven endpoint."""
    if where is None:
        return IMAGEJ
    folder = Path(where).expanduser()
    if isinstance(where, str) and ENDPOINT.fullmatch(where) and not folder.exists():
        return where
    folder = folder.resolve()
    if not (folder / "jars").is_dir():
        raise CellspanError(
            f"{folder}: this is neither the folder of a Fiji, because it has no folder 'jars', "
            "nor a Maven endpoint such as net.imagej:ij:1.54p."
        )
    return folder


def _is_plain(place: str | Path) -> bool:
    return isinstance(place, str) and place.startswith(PLAIN) and "+" not in place


def _require_display() -> None:
    if os.name == "posix" and os.uname().sysname == "Linux" and not os.environ.get("DISPLAY"):
        raise CellspanError("There is no display for ImageJ's windows: use headless=True, or run under xvfb-run.")
