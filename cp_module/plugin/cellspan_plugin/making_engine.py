"""Makes the engine's own Python environment, if the plugin came as a zip: uv does it, in the user's data folder.

`engine_wanted.txt` beside this file says what belongs into it; the installer leaves no such file. Fiji's commands do
the same by the same file (macros/making_engine.groovy), and both use an environment that the other one has made.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import platform
import shutil
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
import zipfile
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Callable, Mapping
from urllib.parse import urlsplit

from cellspan_plugin.uv_words import downloaded, failure, not_reached

WANTED = "engine_wanted.txt"
WHEELHOUSE = "wheelhouse"  # a folder beside it, for computers without internet
READY = "ready"  # the file that an environment gets when it is complete
LOG = "last_installation.log"
LOOK_SECONDS = 0.1  # between two looks at the user
DOWNLOAD_SECONDS = 60.0  # without a byte
CHUNK = 1 << 18
STEPS = 4  # that a person is told of
Tell = Callable[[str], None]  # raises whatever ends the work, such as `waiting.Stopped`


class NotMade(Exception):
    """The environment could not be made; the message is one sentence."""


def wanted_engine(folder: Path) -> Mapping[str, str] | None:
    """What `engine_wanted.txt` says; None if there is no such file, because an installer connects the engine."""
    try:
        lines = (folder / WANTED).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def engines_folder() -> Path:
    """The folder with the environments, uv, its downloads and its Python; set CELLSPAN_ENGINES to move it."""
    if os.environ.get("CELLSPAN_ENGINES"):
        return Path(os.environ["CELLSPAN_ENGINES"]).expanduser()
    home = Path.home()
    if sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        data = home / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return data / "cellspan" / "engines"


def is_outdated(program: str, wanted: Mapping[str, str]) -> bool:
    """Whether this Python belongs to an environment that was made here for another version."""
    try:
        inside = Path(program).relative_to(engines_folder())
    except ValueError:  # the user's own
        return False
    return not inside.parts[0].startswith(f"{wanted['version']}-")


def question(folder: Path, wanted: Mapping[str, str]) -> str:
    """What a person is asked first: what is downloaded, how much, and where it goes."""
    wheelhouse = _wheelhouse(folder)
    text = wanted["question_offline" if wheelhouse else "question"].replace("|", "\n")
    values = {"DOWNLOAD_MB": wanted["download_mb"], "DISK_MB": wanted["disk_mb"], "WHEELHOUSE": wheelhouse}
    for name, value in {**values, "FOLDER": engines_folder()}.items():
        text = text.replace(name, str(value))
    return text


def made_before(wanted: Mapping[str, str]) -> Path | None:
    """The Python of a complete environment of this version, perhaps made from another program."""
    ready = sorted(engines_folder().glob(f"{wanted['version']}-*/{READY}"))
    pythons = (_python_in(path.parent) for path in ready)
    return next((python for python in pythons if shutil.which(str(python))), None)


def connect_engine(folder: Path, wanted: Mapping[str, str], tell: Tell) -> None:
    """Make the environment, unless there is one of this version, and install the plugin from it into its folder.

    `folder` is the one of this file; `tell` gets what is going on, several times a second. Raises NotMade.
    """
    python = made_before(wanted) or make(folder, wanted, tell)
    # It also tries to load the plugin, and ends with 1 if there is no CellProfiler to do that.
    command = [str(python), "-m", "cellspan.core.cli", "install", "cellprofiler", "--to", str(folder.parent)]
    _run(command, _step(4, "connecting to CellProfiler"), tell)


def make(folder: Path, wanted: Mapping[str, str], tell: Tell) -> Path:
    """A new environment, complete or not there at all; returns its Python. Raises NotMade."""
    place = engines_folder() / f"{wanted['version']}-{uuid.uuid4().hex[:8]}"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        (place.parent / LOG).write_text("", encoding="utf-8")
        wheelhouse = _wheelhouse(folder)
        offline = ["--no-index", "--find-links", str(wheelhouse)] if wheelhouse else []
        uv = str(_uv(wanted, wheelhouse, tell))
        version = os.environ.get("CELLSPAN_PYTHON") or wanted["python"]
        python = _python_in(place)
        install = [uv, "pip", "install", "--python", str(python), *offline, str(folder / wanted["wheel"])]
        for command, doing in (
            ([uv, "venv", "--python", version, str(place)], _step(2, f"getting Python {version}")),
            (install, _step(3, "getting the packages")),
        ):
            code, lines = _run(command, doing, tell, bool(offline))
            if code != 0:
                raise NotMade(failure(lines, engines_folder() / LOG, wanted["disk_mb"]))
        (place / READY).touch()
    except BaseException as error:
        shutil.rmtree(str(place), ignore_errors=True)
        if isinstance(error, OSError):
            raise NotMade(f"{place}: the engine cannot be made there ({error.strerror or error}).") from None
        raise
    return python


def _wheelhouse(folder: Path) -> Path | None:
    """The folder with everything that is installed, for computers without internet; None to download it."""
    wheelhouse = Path(os.environ.get("CELLSPAN_WHEELHOUSE") or folder / WHEELHOUSE)
    return wheelhouse if wheelhouse.is_dir() else None


def _uv(wanted: Mapping[str, str], wheelhouse: Path | None, tell: Tell) -> Path:
    """uv, which makes the environment: from the PATH, from an earlier time, from the wheelhouse, or downloaded."""
    found = shutil.which("uv")
    if found:
        return Path(found)
    name = "uv.exe" if sys.platform == "win32" else "uv"
    place = engines_folder() / f"uv-{wanted['uv']}" / name
    if place.is_file():
        return place
    computer = _computer()
    address = wanted[f"uv_{computer}"]
    wheel = address.rsplit("/", 1)[1]
    if wheelhouse:
        if not (wheelhouse / wheel).is_file():
            raise NotMade(f"{wheelhouse}: the file {wheel} is missing in this folder; it makes the engine.")
        content = (wheelhouse / wheel).read_bytes()
    else:
        mirror = os.environ.get("CELLSPAN_UV_MIRROR")  # a folder on a web server
        content = _download(f"{mirror.rstrip('/')}/{wheel}" if mirror else address, tell)
    if hashlib.sha256(content).hexdigest() != wanted[f"uv_{computer}_sha256"]:
        raise NotMade(f"{wheel} is not the file that was expected (its checksum differs), so it was not used.")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        program = archive.read(f"uv-{wanted['uv']}.data/scripts/{name}")
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_name(uuid.uuid4().hex)
    partial.write_bytes(program)
    partial.chmod(0o755)
    partial.replace(place)
    return place


def _computer() -> str:
    """System and processor, as in the names of `engine_wanted.txt`.

    A Mac is asked itself, because it tells programs for Intel's processors that it has one. Windows runs programs for
    Intel on every processor, and not all packages have others.
    """
    if sys.platform == "win32":
        return "windows_x86_64"
    if sys.platform == "darwin":
        answer = subprocess.run(["/usr/sbin/sysctl", "-n", "hw.optional.arm64"], stdout=subprocess.PIPE, check=False)
        return "macos_arm64" if answer.stdout.strip() == b"1" else "macos_x86_64"
    return "linux_arm64" if platform.machine() in ("arm64", "aarch64") else "linux_x86_64"


def _download(address: str, tell: Tell) -> bytes:
    content = bytearray()
    try:
        with urllib.request.urlopen(address, timeout=DOWNLOAD_SECONDS, context=_certificates()) as answer:
            size = int(answer.headers.get("Content-Length") or 0)
            while True:
                tell(_step(1, f"getting the installer, uv, {len(content) / 1e6:.0f} of {size / 1e6:.0f} MB"))
                chunk = answer.read(CHUNK)
                if not chunk:
                    return bytes(content)
                content += chunk
    except (OSError, ValueError) as error:
        reason, log = str(getattr(error, "reason", error)), engines_folder() / LOG
        log.write_text(f"{address}: {reason}\n", encoding="utf-8")  # too long to be told
        raise NotMade(not_reached(urlsplit(address).netloc, reason, log)) from None


def _certificates() -> ssl.SSLContext:
    """Those of the computer and, because a frozen program may not find them, those that CellProfiler brings."""
    context = ssl.create_default_context()
    with contextlib.suppress(ImportError):
        context.load_verify_locations(import_module("certifi").where())
    return context


def _step(number: int, doing: str) -> str:
    """What is going on, and how much is still to come."""
    return f"step {number} of {STEPS}: {doing}"


def _run(command: list[str], doing: str, tell: Tell, is_offline: bool = False) -> tuple[int, list[str]]:
    """Run a program to its end: its exit code, and the lines that it printed; they go into the log, too.

    `tell` gets what is going on again and again, with how much is downloaded, and ends the program by raising.
    """
    tell(doing)
    lines: list[str] = []
    apart: dict[str, Any] = {}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NO_WINDOW}
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_environment(is_offline),
        encoding="utf-8",
        errors="replace",
        **apart,
    )
    output = process.stdout
    assert output is not None
    reader = threading.Thread(target=_read, args=(output, lines), daemon=True)
    reader.start()
    try:
        while process.poll() is None:
            tell(doing + downloaded(list(lines)))
            time.sleep(LOOK_SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        reader.join(1.0)
        with open(str(engines_folder() / LOG), "a", encoding="utf-8") as log:
            log.write("\n".join([" ".join(command), *lines, ""]))
    return process.returncode, lines


def _read(output: IO[str], lines: list[str]) -> None:
    with output:
        lines.extend(line.rstrip() for line in output if line.strip())


def _environment(is_offline: bool) -> dict[str, str]:
    """Without the settings of CellProfiler's own Python; all that uv keeps stays in one folder.

    uv trusts the certificates of the computer, as browsers do: in many institutes, one of them is the network's own.
    """
    from cellspan_plugin.client import engine_environment  # added by the installer, so a plain copy lacks it

    inherited = engine_environment().items()
    ours = {name: value for name, value in inherited if name != "VIRTUAL_ENV" and not name.startswith("PYTHON")}
    folder = engines_folder()
    kept = {"UV_CACHE_DIR": str(folder / "downloads"), "UV_PYTHON_INSTALL_DIR": str(folder / "python")}
    trust = {"UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"}  # its name now, and the one before; both, it does not warn
    never = {"UV_PYTHON_DOWNLOADS": "never"} if is_offline else {}
    return {**kept, **trust, "PYTHONUTF8": "1", **ours, **never}


def _python_in(environment: Path) -> Path:
    windows = sys.platform == "win32"
    return environment / ("Scripts" if windows else "bin") / ("python.exe" if windows else "python")
