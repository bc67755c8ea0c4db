"""Turns the RunCellpose steps of a CellProfiler pipeline into IdentifyObjectsByFlow; all else stays, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cellspan.core.errors import CellspanError
from cellspan.core.models.official import OFFICIAL
from cellspan.cp_module import runcellpose
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
NEWEST_VERSION = 5  # of the format; what came later is JSON
EXPORT = "open it in CellProfiler and save it with File > Export > Pipeline as a .cppipe file"
# what other kinds of files that hold pipelines begin with
OTHER_KINDS = {
    b"\x89HDF\r\n\x1a\n": "a project (HDF5)",
    b"MATLAB": "an old .cp pipeline (MATLAB)",
    b"{": "a pipeline in JSON",
}
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")  # str.splitlines knows more line ends than CellProfiler
MODULE_START = re.compile(r"\w+:\[.*\bmodule_num:")
MODULE_NUMBER = re.compile(r"module_num:(\d+)")
MODULE_REVISION = re.compile(r"variable_revision_number:(\d+)")
CELLPOSE = "cellpose/"  # before the names of Cellpose's models that are also names of ours
ELSEWHERE = "Elsewhere..."


def migrate_pipeline(path: Path) -> tuple[bytes, list[str]]:
    """The pipeline with IdentifyObjectsByFlow in place of RunCellpose, and what the user should know, line by line.

    Raises CellspanError if the file is no pipeline, has no RunCellpose, or one of a layout that was never released.
    """
    text = _read(path)
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
        raise CellspanError(f"{path}: this pipeline has no step {runcellpose.MODULE}, so there is nothing to migrate.")
    report += _note_on_count(lines)
    return "".join(new).encode("utf-8", "surrogateescape"), [*map(_printable, report)]


@dataclass(frozen=True)
class _Step:
    """Consecutive lines of the file: a module, or what stands between and before modules."""

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
        """Our module in its place: number, notes, enabled state and so on stay, and so do indent and line ends."""
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
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CellspanError(f"{path}: the file cannot be read ({error.strerror}).") from None
    for start, kind in OTHER_KINDS.items():
        if content.startswith(start):
            raise CellspanError(f"{path}: this is {kind}; {EXPORT}.")
    text = content.decode("utf-8", "surrogateescape")
    if not text.startswith(FIRST_LINE):
        raise CellspanError(f"{path}: this is no CellProfiler pipeline; it does not begin with '{FIRST_LINE}'.")
    return text


def _header(lines: list[str]) -> dict[str, str]:
    return dict(line.strip().split(":", 1) for line in next(_steps(lines)).lines if ":" in line)


def _check_header(path: Path, lines: list[str]) -> None:
    entries = _header(lines)
    if not entries.get("ModuleCount", "").isdigit():
        raise CellspanError(f"{path}: the pipeline is damaged, because its header has no ModuleCount; {EXPORT} again.")
    version = entries.get("Version", "")
    if not version.isdigit() or int(version) > NEWEST_VERSION:
        raise CellspanError(f"{path}: pipelines of format version '{version}' are not known; {EXPORT}.")


def _note_on_count(lines: list[str]) -> list[str]:
    """CellProfiler opens a pipeline that was cut short between two modules without a word."""
    said, found = int(_header(lines)["ModuleCount"]), sum(MODULE_START.match(line) is not None for line in lines)
    return [f"The header counts {said} modules, but the file has {found}: is it complete?"] if said > found else []


def _our_values(old: runcellpose.Settings) -> list[str]:
    """The values of IdentifyObjectsByFlow that do what these did, in the order of the file."""
    diameter, overlap = _diameter(old), min(1.0, max(0.0, old.number("stitch_threshold")))
    changes = {
        "x_name": old.text("image"),
        "y_name": old.text("objects"),
        "model": _model(old),
        "custom_model": _custom_model(old) if _model(old) == MODEL_CUSTOM else "",
        "use_nuclei_image": _yes_no(_model(old) != MODEL_NUCLEI and old.yes("nuclei")),
        "nuclei_image": old.text("nuclei_image"),
        "automatic_diameter": _yes_no(not diameter),
        "flow_threshold": str(old.number("flow_threshold")),
        "cellprob_threshold": str(old.number("cellprob_threshold")),
        "min_size": str(max(0, int(old.number("min_size")))),
        "discard_border": _yes_no(old.yes("discard_border")),
        "invert": _yes_no(old.yes("invert")),
        "augment": _yes_no(old.yes("averaging")),
        "save_probability": _yes_no(old.yes("probability")),
        "probability_name": old.text("probability_name"),
        "device": DEVICE_AUTOMATIC if old.yes("gpu") else DEVICE_CPU,
        "method_3d": SLICES if overlap and not old.yes("do_3d") else ONE_VOLUME,
        "anisotropy": str(_anisotropy(old)),
    }
    if diameter:
        changes["diameter"] = str(diameter)
    if overlap:
        changes["stitch_threshold"] = str(overlap)
    return setting_values(**changes)


def _yes_no(value: bool) -> str:
    return "Yes" if value else "No"


def _diameter(old: runcellpose.Settings) -> float:
    """In pixels; 0 if it is to be estimated. Cellpose 4 takes it only when that is asked for."""
    is_used = old.text("version") != "v4" or old.yes("diameter_known")
    return max(0.0, old.number("diameter")) if is_used else 0.0


def _anisotropy(old: runcellpose.Settings) -> float:
    """Distance of the slices in pixels; 0 = the spacing of the image, unless it was told to take no notice of that."""
    return max(0.0, old.number("anisotropy")) if old.yes("rescale_z") else 1.0


def _model(old: runcellpose.Settings) -> str:
    return {"nuclei": MODEL_NUCLEI, "custom": MODEL_CUSTOM}.get(old.model, MODEL_CELLS)


def _custom_model(old: runcellpose.Settings) -> str:
    """The path of the model's file, or its mere name where only CellProfiler knows the folder."""
    folder, file = _model_folder(old), old.text("model_file")
    return f"{folder}/{file}" if folder else file


def _model_folder(old: runcellpose.Settings) -> str:
    """The folder if the pipeline says it, with / also for Windows.

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
    """What the user should know: what is done in another way, and what has no counterpart and what to do then."""
    yield _note_on_model(old)
    if "omnipose" in (old.text("version"), old.model) or "omni" in old.model or _used_omnipose(old):
        yield (
            "Omnipose has no counterpart, objects are found along Cellpose's flows; compare some images, and train a "
            "model of your own for long or bent bacteria (cellspan train)."
        )
    if old.text("version") == "v3" and old.yes("denoise"):
        yield from _notes_on_denoising(old)
    if old.container:
        yield (
            f"the container {old.container} is not needed any more; run `cellspan install cellprofiler --to "
            "PLUGINS_FOLDER` once on each computer."
        )
    if old.yes("gpu") and old.text("gpu_share"):
        yield "GPU memory share has no counterpart and needs none: all workers use one engine, which fits its work in."
    if old.yes("averaging"):
        yield (
            "averaging is over flipped copies of the image now, not over four networks; select No if it takes too long."
        )
    if old.yes("probability"):
        yield (
            f"the image {old.text('probability_name')} goes from 0 to 1 now, 0.5 where the network is undecided; "
            "adapt the thresholds of later modules that use it."
        )


def _used_omnipose(old: runcellpose.Settings) -> bool:
    """The choice is hidden, and may be left at Yes, where a version of Cellpose without Omnipose is chosen."""
    return old.text("version") in ("", "omnipose") and old.yes("omnipose")


def _note_on_model(old: runcellpose.Settings) -> str:
    if _model(old) == MODEL_CUSTOM:
        return _note_on_custom_model(old)
    note = f"the model {old.model} becomes {_model(old)}, trained on other images; look at some outlines first."
    if old.model not in OFFICIAL:
        return note
    name = f"{CELLPOSE}{old.model}" if old.model in ("cyto", "nuclei") else old.model
    own = f"run `cellspan models fetch {old.model}`, select {MODEL_CUSTOM} and enter {name}"
    return f"{note} To keep Cellpose's own, {own}."


def _note_on_custom_model(old: runcellpose.Settings) -> str:
    model = _custom_model(old)
    if old.text("version") == "v4":
        return f"the model {model} is of Cellpose 4, another kind of network; enter a model of Cellpose 1 to 3."
    if _model_folder(old):
        return f"the model {model} is used from where it is; copy it along if the pipeline moves to another computer."
    return (
        f"the pipeline does not say where the model {model} lies ({old.text('model_folder').rstrip('|')}); enter its "
        f"whole path, or run `cellspan models import FOLDER/{model}`, after which its name suffices."
    )


def _notes_on_denoising(old: runcellpose.Settings) -> Iterator[str]:
    yield (
        f"preprocessing with {old.text('denoise_model')} has no counterpart; if the outlines suffer, put ReduceNoise "
        "or GaussianFilter before this module."
    )
    if old.yes("save_denoised"):
        yield (
            f"the image {old.text('denoised_name')} is not made any more; select another one in "
            "later modules that use it."
        )


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
