"""What the tests of the macros share: a real ImageJ with the commands installed, with and without a display."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellspan.fiji_bridge.install import install

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "fiji_bridge"))

import jars  # noqa: E402 - in tests/fiji_bridge
import programs  # noqa: E402 - in tests/fiji_bridge


@dataclass(frozen=True)
class Report:
    """What a person would have seen: texts of message boxes, titles of windows, lines of the Log window."""

    dialogs: list[str]
    windows: list[str]
    log: list[str]
    result: str


@dataclass(frozen=True)
class ImageJ:
    """An ImageJ folder with the commands installed, and the programs that run it."""

    folder: Path  # as a Fiji's: plugins, scripts
    temporary: Path  # where it keeps temporary files
    jars: list[Path]
    display: str

    @property
    def engine(self) -> Path:
        """The file that tells the commands how to start the engine."""
        return self.folder / "plugins" / "cellspan" / "engine.txt"

    @property
    def macro(self) -> Path:
        return self.folder / "plugins" / "cellspan_Segment.ijm"

    @property
    def script(self) -> Path:
        return self.folder / "scripts" / "Plugins" / "cellspan" / "Segment_Cells.groovy"

    def in_window(self, macro: Path | str, *arguments: object, typed: str = "") -> Report:
        """Run a macro (path or text) in ImageJ with its windows; `typed` goes into the first field of a dialog."""
        if isinstance(macro, str):
            macro = self._file(macro)
        report = self.temporary.parent / "report.txt"
        harness = HERE / "programs" / "imagej_window.groovy"
        commands = HERE / "programs" / "fiji.groovy" if (self.folder / "scripts").is_dir() else ""
        options = (f"-Dtyped={typed}", f"-Dcommands={commands}")
        command = [*self._java(*options), "groovy.ui.GroovyMain", harness, macro, joined(arguments), report]
        done = programs.run(command, DISPLAY=self.display)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Exception" not in done.stderr, done.stderr
        lines = [line.split(" ", 1) for line in report.read_text(encoding="utf-8").splitlines()]
        kinds = {kind: [line[1] for line in lines if line[0] == kind] for kind in ("DIALOG", "WINDOW", "LOG", "RESULT")}
        return Report(kinds["DIALOG"], kinds["WINDOW"], kinds["LOG"], kinds["RESULT"][0])

    def headless(self, macro: Path | str, *arguments: object, code: int = 0) -> str:
        """Run a macro (path or text) without a display, as on a cluster, to this exit code; what it printed."""
        if isinstance(macro, str):
            macro = self._file(macro)
        done = programs.run([*self._headless_java(), "ij.ImageJ", "-batch", macro, joined(arguments)])
        assert done.returncode == code, done.stdout + done.stderr
        assert "Exception" not in done.stdout + done.stderr, done.stdout + done.stderr
        return done.stdout + done.stderr

    def groovy(self, program: Path, *arguments: object, display: bool) -> str:
        """Run a Groovy program with or without a display; what it printed."""
        java = self._java() if display else self._headless_java()
        environment = {"DISPLAY": self.display} if display else {}
        done = programs.run([*java, "groovy.ui.GroovyMain", program, *arguments], **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Exception" not in done.stderr, done.stderr
        return done.stdout

    def _java(self, *options: object) -> list[object]:
        return [
            programs.java(),
            "-Xmx1g",
            "-XX:TieredStopAtLevel=1",  # starts faster
            f"-Djava.io.tmpdir={self.temporary}",
            f"-Dplugins.dir={self.folder}",
            *options,
            "-cp",
            ":".join(map(str, self.jars)),
        ]

    def _headless_java(self) -> list[object]:
        patcher = jars.one_jar(self.jars, "ij1-patcher-")
        opens = "--add-opens=java.base/java.lang=ALL-UNNAMED"
        return self._java("-Djava.awt.headless=true", opens, f"-javaagent:{patcher}=init")

    def _file(self, text: str) -> Path:
        path = self.temporary.parent / "caller.ijm"
        path.write_text(text, encoding="ascii")
        return path


def joined(arguments: tuple[object, ...]) -> str:
    """A macro has one argument: the parts go line by line."""
    return "\n".join(map(str, arguments))


@pytest.fixture(scope="session")
def imagej_jars(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The jars of ImageJ 1.54p, its headless patcher, and Groovy."""
    programs.package("jgo")
    try:
        return jars.find_jars(tmp_path_factory.mktemp("jars"))
    except OSError as error:
        programs.unavailable(str(error))


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """A display that nobody sees."""
    with programs.virtual_display() as name:
        yield name


@pytest.fixture(scope="session")
def engine_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One engine for all tests of this folder; stopped at the end."""
    with pytest.MonkeyPatch.context() as patch:
        yield from _engine(tmp_path_factory.mktemp("runtime"), patch)


@pytest.fixture
def cold_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An engine that does not run yet, for one test."""
    yield from _engine(tmp_path / "runtime", monkeypatch)


def _engine(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Path]:
    patch.setenv("CELLSPAN_RUNTIME_DIR", str(folder))
    yield folder
    subprocess.run([sys.executable, "-m", "cellspan.core.cli", "service", "stop"], check=True, capture_output=True)


@pytest.fixture
def only_bundled_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have models of their own; what a test adds stays in its folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "cellpose"))


@pytest.fixture
def imagej(imagej_jars: list[Path], display: str, tmp_path: Path, only_bundled_models: None) -> ImageJ:
    """ImageJ with the commands for Fiji, which its macros can run as in Fiji."""
    return _installed(tmp_path, "Fiji.app", ["scripts"], imagej_jars, display)


@pytest.fixture
def plain_imagej(imagej_jars: list[Path], display: str, tmp_path: Path, only_bundled_models: None) -> ImageJ:
    """ImageJ with the command for plain ImageJ."""
    return _installed(tmp_path, "ImageJ", [], imagej_jars, display)


def _installed(tmp_path: Path, name: str, more: list[str], jars: list[Path], display: str) -> ImageJ:
    """It and its temporary folder have names with spaces and letters beyond ASCII."""
    folder = tmp_path / "Programme für Zellen" / name
    temporary = tmp_path / "Dateien auf Zeit é"
    temporary.mkdir(exist_ok=True)
    for part in ("plugins", "luts", *more):
        (folder / part).mkdir(parents=True)
    # The jar of ImageJ lacks the colours of groups, which every ImageJ and Fiji has: 256 reds, greens and blues.
    (folder / "luts" / "glasbey.lut").write_bytes(bytes(range(256)) * 3)
    install(folder)
    return ImageJ(folder, temporary, jars, display)


@pytest.fixture
def nuclei(nuclei_images: list[Path], tmp_path: Path) -> Path:
    """A real image of nuclei, under a name with a space and a letter beyond ASCII."""
    image = tmp_path / "Bilder ñ" / "nuclei 1.png"
    image.parent.mkdir()
    image.write_bytes(nuclei_images[2].read_bytes())
    return image


@pytest.fixture
def expected_labels(engine_home: Path, cellspan, nuclei: Path, tmp_path: Path) -> np.ndarray:
    """What `cellspan segment` finds in the image of nuclei; the macros must find the same."""
    cellspan("segment", nuclei, "-o", tmp_path / "labels", "--model", "nuclei", "--save", "labels")
    labels = tifffile.imread(next((tmp_path / "labels").rglob("*_labels.tif")))
    assert labels.max() > 1
    return labels
