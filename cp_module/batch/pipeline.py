"""Pipeline files (.cppipe): their modules, and the copy that CellProfiler's batch mechanism needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cellspan.core.errors import CellspanError
from cellspan.cp_module.batch.block import Block
from cellspan.cp_module.batch.dependence import ONLY_IN_A_WINDOW, Need, Needs, Told, needs_in

FIRST_LINE = "CellProfiler Pipeline:"
OUR_MODULE = "IdentifyObjectsByFlow"
LAST_MODULE = "CreateBatchFiles"
TABLE_MODULES = ("ExportToSpreadsheet", "ExportToDatabase")
# The files to which every image set adds its rows, and the setting of their folder.
ROW_FILES = dict.fromkeys(TABLE_MODULES, "Output file location") | {"MeasureObjectSkeleton": "File output directory"}
DEFAULT_OUTPUT = "Default Output Folder"

CREATE_BATCH_FILES = """\
CreateBatchFiles:[module_num:{number}|svn_version:'Unknown'|variable_revision_number:8|show_window:False|notes:[]|\
batch_state:array([], dtype=uint8)|enabled:True|wants_pause:False]
    Store batch files in default output folder?:Yes
    Output folder path:.
    Are the cluster computers running Windows?:No
    Hidden- in batch mode:No
    Hidden- in distributed mode:No
    Hidden- default input folder at time of save:.
    Hidden- revision number:0
    Hidden- from old matlab:No"""


@dataclass(frozen=True)
class PipelineFile:
    """The header and the modules of a .cppipe file."""

    header: str
    blocks: tuple[Block, ...]
    told: Mapping[int, Told] = field(default_factory=dict)  # what CellProfiler says, by the module's number

    @property
    def modules(self) -> list[Block]:
        """The modules that run."""
        return [block for block in self.blocks if block.enabled]

    def named(self, *names: str) -> list[Block]:
        """The modules of these classes that run."""
        return [block for block in self.modules if block.name in names]

    @property
    def is_grouped(self) -> bool:
        """Whether the image sets are grouped, by the module Groups or by LoadData."""
        groups = any(block.value("Do you want to group your images?") == "Yes" for block in self.named("Groups"))
        loads = any(block.value("Group images by metadata?") == "Yes" for block in self.named("LoadData"))
        return groups or loads

    @property
    def needs(self) -> list[Need]:
        """The modules that need other image sets than their own."""
        numbered = {number: block for number, block in enumerate(self.blocks, start=1) if block.enabled}
        return needs_in(numbered, self.told)

    @property
    def across_sets(self) -> list[str]:
        """The names of these modules."""
        return [need.name for need in self.needs]

    @property
    def parts(self) -> Needs:
        """How finely the run may be divided: into single image sets, only into groups, or not at all."""
        return max((need.needs for need in self.needs), default=Needs.OWN_SET)

    @property
    def image_tables(self) -> list[str]:
        """Names of ExportToSpreadsheet's tables with one row per image set, as far as its settings tell."""
        return [
            (block.value("Filename prefix") if block.value("Add a prefix to file names?") == "Yes" else "")
            + "Image.csv"
            for block in self.named("ExportToSpreadsheet")
            if block.value("Export all measurement types?") == "Yes"
            and not block.value("Select the column delimiter").startswith("Tab")
            and "\\g<" not in block.value("Output file location") + block.value("Filename prefix")
        ]

    def for_batch(self) -> str:
        """The pipeline for storing image sets: tables go to the output folder, and CreateBatchFiles is added."""
        blocks = [_kept_below_output(block) for block in self.blocks if block.name != LAST_MODULE]
        end = Block(CREATE_BATCH_FILES.format(number=len(blocks) + 1))
        header = re.sub(r"(?m)^ModuleCount:.*$", f"ModuleCount:{len(blocks) + 1}", self.header)
        header = re.sub(r"(?m)^HasImagePlaneDetails:.*$", "HasImagePlaneDetails:False", header)
        return "\n\n".join([header, *(block.text for block in [*blocks, end])]) + "\n"

    def notes(self) -> list[str]:
        """Notes for the user before the pipeline runs in parts."""
        notes = []
        for block in self.named(*ROW_FILES):
            if not _is_below_output(block):
                notes.append(
                    f"{block.name}: its tables are written to the output folder, not to the folder in its settings."
                )
            if block.name == "ExportToDatabase" and block.value("Database type") == "MySQL":
                notes.append("ExportToDatabase writes directly to MySQL; cellspan does not merge or count its rows.")
            if block.value("Create a GenePattern GCT file?") == "Yes":
                notes.append("ExportToSpreadsheet: the GCT files of the parts are kept separately, not merged.")
        for block in self.named(*ONLY_IN_A_WINDOW):
            notes.append(f"{block.name} only draws in a window, so it does nothing here.")
        return list(dict.fromkeys([*notes, *self._why_not_divided()]))

    def _why_not_divided(self) -> Iterator[str]:
        for need in self.needs:
            if need.needs is Needs.RUN:
                change = f" (to divide the run, change its setting '{need.setting}')" if need.setting else ""
                yield f"{need.name} {need.reason}, so one process does everything{change}."
        if self.parts is Needs.GROUP and not self.is_grouped:
            *others, last = dict.fromkeys(self.across_sets)
            subject = f"{', '.join(others)} and {last} need" if others else f"{last} needs"
            yield f"{subject} all image sets at once and there are no groups, so one process does everything."


def read_pipeline(path: Path) -> PipelineFile:
    """Read a .cppipe file; raises CellspanError."""
    if not path.is_file():
        raise CellspanError(f"{path}: there is no such pipeline file.")
    export = "open it in CellProfiler and choose File > Export > Pipeline to get a .cppipe file"
    try:
        text = path.read_text(encoding="utf-8").replace("\r\n", "\n")
    except OSError as error:
        raise CellspanError(f"{path}: the pipeline cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise CellspanError(f"{path}: this is not a .cppipe file; {export}.") from None
    if not text.startswith(FIRST_LINE):
        raise CellspanError(f"{path}: this is not a .cppipe file; {export}.")
    header, *parts = re.split(r"\n[ \t]*\n", text)
    found = re.search(r"(?m)^ModuleCount:(\d+)", header)
    blocks = [Block(part.strip("\n")) for part in parts if re.match(r"\w+:\[", part.strip("\n"))]
    count = int(found[1]) if found else len(blocks)
    if len(blocks) < count or not blocks:
        reason = f"its header lists {count} modules, but it contains {len(blocks)}"
        raise CellspanError(f"{path}: the pipeline is incomplete ({reason}); {export} again.")
    return PipelineFile(header, tuple(blocks[:count]))


def _is_below_output(block: Block) -> bool:
    """Whether the module writes to the output folder; an old pipeline may not have the setting."""
    folders = block.values(ROW_FILES[block.name])
    return all(folder.startswith(DEFAULT_OUTPUT) for folder in folders)


def _kept_below_output(block: Block) -> Block:
    """Redirect tables to each part's output folder, because parts must not write the same table."""
    if block.name not in ROW_FILES:
        return block
    if block.name == "ExportToDatabase":
        block = block.with_value("Overwrite without warning?", "Data and schema")
    return block if _is_below_output(block) else block.with_value(ROW_FILES[block.name], DEFAULT_OUTPUT + "|")
