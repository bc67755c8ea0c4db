"""Converts RunCellpose steps of a CellProfiler pipeline to IdentifyObjectsByFlow; the rest stays, byte for byte."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cellspan.core.errors import CellspanError
from cellspan.core.files.installed import run_apart
from cellspan.core.models.cellposes_own import fetch_command, is_here, name_here
from cellspan.core.models.official import OFFICIAL
from cellspan.core.models.partners import partner_for_nuclei
from cellspan.cp_module import read_project, runcellpose
from cellspan.cp_module.loading import find_python
from cellspan.cp_module.plugin.cellspan_plugin.layout import (
    DEVICE_AUTOMATIC,
    DEVICE_CPU,
    LABELS,
    MODEL_CELLS,
    MODEL_CUSTOM,
    MODEL_NUCLEI,
    MODULE,
    ONE_VOLUME,
    REVISION,
    SLICES,
    setting_values,
)

FIRST_LINE = "CellProfiler Pipeline:"
NEWEST_VERSION = 5  # of the .cppipe format; later ones are JSON
EXPORT = "open it in CellProfiler and save it with File > Export > Pipeline as a .cppipe file"
PROJECT = b"\x89HDF\r\n\x1a\n"  # its first bytes
READ_SECONDS = 120.0  # CellProfiler's Python, from a slow disk
FROM_PROJECT = (
    "The project's list of images is not part of the new file: open the project, then use "
    "File > Import > Pipeline from File."
)
# the first bytes of other files that contain pipelines
OTHER_KINDS = {
    PROJECT: "a project (HDF5)",
    b"MATLAB": "an old .cp pipeline (MATLAB)",
    b"{": "a pipeline in JSON",
}
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")  # str.splitlines splits at more line ends than CellProfiler
MODULE_START = re.compile(r"\w+:\[.*\bmodule_num:")
MODULE_NUMBER = re.compile(r"module_num:(\d+)")
MODULE_REVISION = re.compile(r"variable_revision_number:(\d+)")
ELSEWHERE = "Elsewhere..."


def migrate_pipeline(path: Path) -> tuple[bytes, list[str]]:
    """The pipeline with IdentifyObjectsByFlow instead of RunCellpose, and notes for the user, line by line.

    Raises CellspanError if the file is not a pipeline, has no RunCellpose step, or has one with an unknown layout.
    """
    return _migrated(path, _read(path))


def migrate_project(path: Path) -> tuple[bytes, list[str]]:
    """As migrate_pipeline, of the pipeline in a project (.cpproj); the result is a pipeline (.cppipe).

    Raises CellspanError.
    """
    content, report = _migrated(path, _read_project(path))
    return content, [*report, FROM_PROJECT]


migrate_project.suffix = ".cppipe"  # type: ignore[attr-defined]  # of what comes out


def _migrated(path: Path, text: str) -> tuple[bytes, list[str]]:
    lines = LINE.findall(text)
    _check_header(path, lines)
    report: list[str] = []
    new: list[str] = []
    for step in _steps(lines):
        if step.name != runcellpose.MODULE:
            new += step.lines
            continue
        try:
            settings = runcellpose.read_settings(step.revision, step.settings)
            new += step.rewritten(_our_values(settings))
            notes = list(_notes(settings))
        except CellspanError as error:
            raise CellspanError(f"{path}: module {step.number}: {error}") from None
        start = f"module {step.number} ({settings.text('objects')}): "
        report += [f"{start}{note}" for note in (f"{runcellpose.MODULE} becomes {MODULE}.", *notes)]
    if not report:
        raise CellspanError(f"{path}: this pipeline has no {runcellpose.MODULE} step, so there is nothing to migrate.")
    report += _note_on_count(lines)
    return "".join(new).encode("utf-8", "surrogateescape"), [*map(_printable, report)]


@dataclass(frozen=True)
class _Step:
    """Consecutive lines of the file: a module, or the lines before and between modules."""

    lines: list[str]

    @property
    def name(self) -> str:
        """The module's class."""
        return self.lines[0].split(":", 1)[0].strip()

    @property
    def number(self) -> str:
        found = MODULE_NUMBER.search(self.lines[0])
        return found[1] if found else "?"

    @property
    def revision(self) -> int:
        found = MODULE_REVISION.search(self.lines[0])
        if not found:
            raise CellspanError(f"the first line of {self.name} has no revision; {runcellpose.AGAIN}.")
        return int(found[1])

    @property
    def settings(self) -> list[tuple[str, str]]:
        """Text and value of each setting."""
        parts = [line.strip().partition(":") for line in self.lines[1:]]
        return [(text, value) for text, _, value in parts]

    def rewritten(self, values: list[str]) -> list[str]:
        """The lines of our module; number, notes, enabled state, indent and line ends stay the same."""
        first = MODULE_REVISION.sub(f"variable_revision_number:{REVISION}", self.lines[0], count=1)
        first = first.replace(runcellpose.MODULE, MODULE, 1)
        indent = re.match(r"\s*", self.lines[1])[0]  # type: ignore[index]
        end = first[len(first.rstrip("\r\n")) :]
        settings = [f"{indent}{text}:{value}{end}" for text, value in zip(LABELS.values(), values, strict=True)]
        if self.lines[-1].rstrip("\r\n") == self.lines[-1]:
            settings[-1] = settings[-1].removesuffix(end)  # the file ends without a line end
        return [first, *settings]


def _steps(lines: list[str]) -> Iterator[_Step]:
    """The file in pieces: CellProfiler separates header and modules by blank lines."""
    piece: list[str] = []
    for line in lines:
        is_blank = not line.strip()
        if piece and is_blank != (not piece[0].strip()):
            yield _Step(piece)
            piece = []
        piece.append(line)
    if piece:
        yield _Step(piece)


def _read(path: Path) -> str:
    """The file's text; bytes that are not UTF-8 survive as surrogates."""
    content = _content(path)
    for start, kind in OTHER_KINDS.items():
        if content.startswith(start):
            raise CellspanError(f"{path}: this is {kind}; {EXPORT}.")
    return _checked(path, content.decode("utf-8", "surrogateescape"))


def _read_project(path: Path) -> str:
    """The text of the pipeline in a project."""
    if not _content(path).startswith(PROJECT):
        raise CellspanError(f"{path}: this is not a CellProfiler project, because it is not an HDF5 file.")
    try:
        text = _pipeline_in(path)
    except (OSError, ValueError, KeyError) as error:
        raise CellspanError(f"{path}: the project is damaged ({error}); {EXPORT}.") from None
    if not text:
        raise CellspanError(f"{path}: this project has no pipeline.")
    return _checked(path, text)


def _pipeline_in(path: Path) -> str:
    """The pipeline in a project, read here if h5py is installed, otherwise in CellProfiler's Python."""
    try:
        return read_project.pipeline_in(str(path))
    except ImportError:
        python = find_python(None)
    if python is None:
        raise CellspanError(f"{path}: to read a project, run `pip install h5py`; or {EXPORT}.")
    script = Path(read_project.__file__).read_text(encoding="utf-8")
    try:
        done = run_apart([str(python), "-c", script, str(path.absolute())], READ_SECONDS)
    except subprocess.TimeoutExpired:
        raise CellspanError(f"{path}: {python} did not answer; run `pip install h5py`; or {EXPORT}.") from None
    if done.returncode != 0:
        raise ValueError((done.stderr.strip().splitlines() or ["there was no message"])[-1])
    return done.stdout


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CellspanError(f"{path}: the file cannot be read ({error.strerror}).") from None


def _checked(path: Path, text: str) -> str:
    if not text.startswith(FIRST_LINE):
        raise CellspanError(
            f"{path}: this is not a CellProfiler pipeline, because it does not begin with '{FIRST_LINE}'."
        )
    return text


def _header(lines: list[str]) -> dict[str, str]:
    return dict(line.strip().split(":", 1) for line in next(_steps(lines)).lines if ":" in line)


def _check_header(path: Path, lines: list[str]) -> None:
    entries = _header(lines)
    if not entries.get("ModuleCount", "").isdigit():
        raise CellspanError(f"{path}: the pipeline is damaged, because its header has no ModuleCount; {EXPORT} again.")
    version = entries.get("Version", "")
    if not version.isdigit() or int(version) > NEWEST_VERSION:
        raise CellspanError(f"{path}: pipelines with format version '{version}' are not supported; {EXPORT}.")


def _note_on_count(lines: list[str]) -> list[str]:
    """A note if the file is cut short between two modules, which CellProfiler does not report."""
    said, found = int(_header(lines)["ModuleCount"]), sum(MODULE_START.match(line) is not None for line in lines)
    return (
        [f"The header lists {said} modules, but the file has {found}; check that the file is complete."]
        if said > found
        else []
    )


def _our_values(old: runcellpose.Settings) -> list[str]:
    """The equivalent values of IdentifyObjectsByFlow, in the order of the file."""
    diameter, overlap = _diameter(old), min(1.0, max(0.0, old.number("stitch_threshold")))
    changes = {
        "x_name": old.text("image"),
        "y_name": old.text("objects"),
        "model": _model(old),
        "custom_model": _custom_model(old) if _model(old) == MODEL_CUSTOM else "",
        "use_nuclei_image": _yes_no(old.model != "nuclei" and old.yes("nuclei")),
        "nuclei_image": old.text("nuclei_image"),
        "automatic_diameter": _yes_no(not diameter),
        "flow_threshold": str(old.number("flow_threshold")),
        "cellprob_threshold": str(old.number("cellprob_threshold")),
        "min_size": str(max(0, int(old.number("min_size")))),
        "discard_border": _yes_no(old.yes("discard_border")),
        "invert": _yes_no(old.yes("invert")),
        "save_probability": _yes_no(old.yes("probability")),
        "probability_name": old.text("probability_name"),
        "device": DEVICE_AUTOMATIC if old.yes("gpu") else DEVICE_CPU,
        "method_3d": SLICES if overlap and not old.yes("do_3d") else ONE_VOLUME,
        "anisotropy": str(_anisotropy(old)),
        **_restoring(old),
    }
    if diameter:
        changes["diameter"] = str(diameter)
    if overlap:
        changes["stitch_threshold"] = str(overlap)
    return setting_values(**changes)


def _yes_no(value: bool) -> str:
    return "Yes" if value else "No"


def _diameter(old: runcellpose.Settings) -> float:
    """Diameter in pixels, 0 = estimate; Cellpose 4 uses it only if the user says so."""
    is_used = old.text("version") != "v4" or old.yes("diameter_known")
    return max(0.0, old.number("diameter")) if is_used else 0.0


def _anisotropy(old: runcellpose.Settings) -> float:
    """Slice spacing in pixels; 0 = that of the image, unless RunCellpose was set to ignore it."""
    return max(0.0, old.number("anisotropy")) if old.yes("rescale_z") else 1.0


def _restoring(old: runcellpose.Settings) -> dict[str, str]:
    """Restoring an image first, which only Cellpose 3 did; nothing if it was not done."""
    if not old.restores:
        return {}
    changes = {"restore": "Yes", "restoring_model": old.text("denoise_model")}
    if old.yes("save_denoised"):
        changes |= {"save_restored": "Yes", "restored_name": old.text("denoised_name")}
    return changes


def _model(old: runcellpose.Settings) -> str:
    """Cellpose's own model, if it is here; else the bundled one for such objects, so that the step runs."""
    if old.model == "custom" or is_here(old.model):
        return MODEL_CUSTOM
    return MODEL_NUCLEI if old.model == "nuclei" else MODEL_CELLS


def _custom_model(old: runcellpose.Settings) -> str:
    """The name of Cellpose's model; of one's own, the path of its file, or its name if the folder is not known."""
    if old.model != "custom":
        return name_here(old.model)
    folder, file = _model_folder(old), old.text("model_file")
    return f"{folder}/{file}" if folder else file


def _model_folder(old: runcellpose.Settings) -> str:
    """The folder, if the pipeline gives it; with / also on Windows.

    CellProfiler writes a Windows path with doubled backslashes, and reads a `\\x` in it as the start of a code.
    """
    choice, _, folder = old.text("model_folder").replace("\\x7C", "|", 1).partition("|")
    if choice != ELSEWHERE or folder in ("", "."):
        return ""
    is_windows = bool(re.match(r"[A-Za-z]:|\\\\", folder))
    if is_windows:
        folder = ("//" if folder.startswith("\\\\") else "") + re.sub(r"[\\/]+", "/", folder.lstrip("\\"))
    return folder.rstrip("/") if folder.strip("/") else ""


def _notes(old: runcellpose.Settings) -> Iterator[str]:
    """Notes for the user: what works differently, and what to do about settings without an equivalent."""
    yield _note_on_model(old)
    if "omnipose" in (old.text("version"), old.model) or "omni" in old.model or _used_omnipose(old):
        yield (
            "Omnipose has no equivalent; objects are found with Cellpose's flows. Compare some images, and train "
            "your own model for long or bent bacteria (cellspan train)."
        )
    if old.restores:
        yield from _notes_on_restoring(old)
    if old.container:
        yield (
            f"the container {old.container} is no longer needed; run `cellspan install cellprofiler --to "
            "PLUGINS_FOLDER` once on each computer."
        )
    if old.yes("averaging"):
        yield (
            "averaging is switched off: here it means flipped copies of the image, which takes four times as long; "
            f"if outlines are worse than before, switch on '{LABELS['augment']}'."
        )
    if old.yes("probability"):
        yield (
            f"the image {old.text('probability_name')} now ranges from 0 to 1, with 0.5 where the network is "
            "undecided; adapt the thresholds of later modules that use it."
        )


def _used_omnipose(old: runcellpose.Settings) -> bool:
    """Whether Omnipose was used; the hidden setting may be Yes for Cellpose versions without Omnipose."""
    return old.text("version") in ("", "omnipose") and old.yes("omnipose")


def _note_on_model(old: runcellpose.Settings) -> str:
    if old.model == "custom":
        return _note_on_custom_model(old)
    if _model(old) == MODEL_CUSTOM:
        return f"the model {old.model} is Cellpose's, as before; other computers need it too: {_fetch([old.model])}."
    note = f"the model {old.model} becomes {_model(old)}, trained on other images; check some outlines first."
    if old.model not in OFFICIAL:
        return note
    own = f"run `{fetch_command(old.model)}`, and migrate again"
    return f"{note} To keep Cellpose's model, {own} (or select {MODEL_CUSTOM} and enter {name_here(old.model)})."


def _fetch(names: list[str]) -> str:
    return " and ".join(f"`{fetch_command(name)}`" for name in names)


def _note_on_custom_model(old: runcellpose.Settings) -> str:
    model = _custom_model(old)
    if _model_folder(old):
        return f"the model {model} stays in its folder; copy it too if you move the pipeline to another computer."
    return (
        f"the pipeline does not give the folder of the model {model} ({old.text('model_folder').rstrip('|')}); enter "
        f"its full path, or run `cellspan models import FOLDER/{model}` and enter its name."
    )


def _notes_on_restoring(old: runcellpose.Settings) -> Iterator[str]:
    """What must be here before the step runs: the model, and its partner for the image of the nuclei."""
    name = old.text("denoise_model")
    needed = [name, partner_for_nuclei(name)] if old.yes("nuclei") else [name]
    missing = [model for model in dict.fromkeys(needed) if not is_here(model)]
    if missing:
        yield f"the image is restored with {name}, as before; this needs {_fetch(missing)} once on each computer."


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
