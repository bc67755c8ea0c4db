"""Pipeline files (.cppipe): their modules, and the copy that CellProfiler's batch mechanism needs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cellspan.core.errors import CellspanError

FIRST_LINE = "CellProfiler Pipeline:"
OUR_MODULE = "IdentifyObjectsByFlow"
LAST_MODULE = "CreateBatchFiles"
TABLE_MODULES = ("ExportToSpreadsheet", "ExportToDatabase")
# Their results in one image set depend on the others, so such runs may only be divided between groups.
ACROSS_SETS = ("TrackObjects", "MakeProjection")
AFTER_ALL = ("CalculateStatistics", "DisplayPlatemap", "DisplayHistogram", "DisplayScatterPlot", "DisplayDensityPlot")
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
class Block:
    """One module of a pipeline file."""

    text: str

    @property
    def name(self) -> str:
        """The module's class."""
        return self.text.split(":", 1)[0].strip()

    @property
    def enabled(self) -> bool:
        """Whether CellProfiler runs it."""
        return "|enabled:False" not in self.text.split("\n", 1)[0]

    def values(self, start: str) -> list[str]:
        """The values of the settings whose text starts so."""
        pattern = rf"(?m)^[ \t]+{re.escape(start)}[^:\n]*:(.*)$"
        return [value.strip() for value in re.findall(pattern, self.text)]

    def value(self, start: str) -> str:
        """The first of these values, or ''."""
        return next(iter(self.values(start)), "")

    def with_value(self, start: str, value: str) -> Block:
        """The block with another value in the first setting whose text starts so."""
        pattern = rf"(?m)^([ \t]+{re.escape(start)}[^:\n]*:).*$"
        return Block(re.sub(pattern, lambda match: match[1] + value, self.text, count=1))


@dataclass(frozen=True)
class PipelineFile:
    """The header and the modules of a .cppipe file."""

    header: str
    blocks: tuple[Block, ...]

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
    def across_sets(self) -> list[str]:
        """The modules whose results in one image set depend on other sets."""
        over_all = [
            block.name
            for block in self.named("CorrectIlluminationCalculate")
            if any(value.startswith("All") for value in block.values("Calculate function for each image"))
        ]
        return [block.name for block in self.named(*ACROSS_SETS)] + over_all

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
        for block in self.named(*TABLE_MODULES):
            if not block.value("Output file location").startswith(DEFAULT_OUTPUT):
                notes.append(
                    f"{block.name}: its tables are written to the output folder, not to the folder in its settings."
                )
            if block.name == "ExportToDatabase" and block.value("Database type") == "MySQL":
                notes.append("ExportToDatabase writes directly to MySQL; cellspan does not merge or count its rows.")
            if block.value("Create a GenePattern GCT file?") == "Yes":
                notes.append("ExportToSpreadsheet: the GCT files of the parts are kept separately, not merged.")
        notes += [f"{block.name} only sees the image sets of one part." for block in self.named(*AFTER_ALL)]
        if self.across_sets and not self.is_grouped:
            names = " and ".join(dict.fromkeys(self.across_sets))
            notes.append(
                f"{names} needs all image sets at once and there are no groups, so one process does everything."
            )
        return list(dict.fromkeys(notes))


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


def _kept_below_output(block: Block) -> Block:
    """Redirect tables to each part's output folder, because parts must not write the same table."""
    if block.name not in TABLE_MODULES:
        return block
    if block.name == "ExportToDatabase":
        block = block.with_value("Overwrite without warning?", "Data and schema")
    location = block.value("Output file location")
    return (
        block if location.startswith(DEFAULT_OUTPUT) else block.with_value("Output file location", DEFAULT_OUTPUT + "|")
    )
