"""Which modules need other image sets than their own: a table with a reason for each of CellProfiler's modules.

Read in the source of CellProfiler 4.2.8.1. A test compares the table with every module of the installed CellProfiler
and with what the modules say themselves (`is_aggregation_module`, `prepare_group`, `post_group`, `post_run`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from cellspan.cp_module.batch.block import Block


class Needs(IntEnum):
    """The image sets on which a module's result in one image set depends."""

    OWN_SET = 0
    GROUP = 1
    RUN = 2


@dataclass(frozen=True)
class Rule:
    """What a module needs, and why; with `setting`, only if one of its settings of this text has one of the values."""

    needs: Needs
    reason: str
    setting: str = ""
    values: tuple[str, ...] = ()

    def holds(self, block: Block) -> bool:
        """Whether the rule is about this module as it is set."""
        return not self.setting or any(value.startswith(self.values) for value in block.values(self.setting))


def of_group(reason: str, setting: str = "", *values: str) -> Rule:
    """The module needs all image sets of its group."""
    return Rule(Needs.GROUP, reason, setting, values)


def of_run(reason: str, setting: str = "", *values: str) -> Rule:
    """The module needs all image sets of the run."""
    return Rule(Needs.RUN, reason, setting, values)


ACROSS: dict[str, tuple[Rule, ...]] = {
    "CalculateStatistics": (of_run("compares the measurements of all image sets at the end"),),
    "CorrectIlluminationCalculate": (
        of_group("averages the images of all image sets", "Calculate function for each image", "All"),
    ),
    "DefineGrid": (
        of_run("uses the grid of the first image set", "Define a grid for which cycle?", "Once"),
        of_run("falls back on the grid of an earlier image set", "Use a previous grid if gridding fails?", "Use"),
    ),
    "FlagImage": (of_group("treats the last image set differently", "Ignore flag skips on last cycle?", "Yes"),),
    "MakeProjection": (of_group("combines the images of all image sets"),),
    "RescaleIntensity": (
        of_group("looks for the lowest intensity", "Method to calculate the minimum intensity", "Minimum of all"),
        of_group("looks for the highest intensity", "Method to calculate the maximum intensity", "Maximum of all"),
    ),
    "SaveImages": (
        of_group("saves at the first or last image set only", "When to save", "First cycle", "Last cycle"),
        of_group("writes one movie", "Select the type of image to save", "Movie"),
    ),
    "Tile": (of_group("tiles the images of all image sets", "Tile assembly method", "Across cycles"),),
    "TrackObjects": (of_group("follows objects from one image set to the next"),),
    "UntangleWorms": (of_run("trains on the worms of all image sets", "Train or untangle worms?", "Train"),),
}

ONLY_IN_A_WINDOW = ("DisplayDensityPlot", "DisplayHistogram", "DisplayPlatemap", "DisplayScatterPlot")

# Modules whose result never depends on another image set, by the reason.
OWN_SET: dict[str, tuple[str, ...]] = {
    "It lists the image sets, which the plan has done already.": (
        "Groups",
        "Images",
        "LoadData",
        "Metadata",
        "NamesAndTypes",
    ),
    "Its rows are about one image set or its objects, so the tables of the parts are joined.": (
        "ExportToDatabase",
        "ExportToSpreadsheet",
    ),
    "The plan replaces it by its own.": ("CreateBatchFiles",),
    "It only draws in a window, and no window is open.": ONLY_IN_A_WINDOW,
    "Its statistics over the thresholds of all image sets are calculated again from the joined tables.": (
        "MeasureImageQuality",
    ),
    "It may keep the pattern of the first image set, but coordinates give each image of that size the same pattern.": (
        "Crop",
    ),
    "It counts from the number of the image set, which is the same in a part.": ("LabelImages",),
    "It keeps only files in memory that are the same for every image set.": ("ClassifyObjects", "FilterObjects"),
    "It works image by image, and its files are named after the image set or given by the user.": (
        "RunImageJMacro",
        "SaveCroppedObjects",
    ),
    "It appends to graph files whose rows have the number of the image set, so the files of the parts are joined.": (
        "MeasureObjectSkeleton",
    ),
    "It turns one image into another.": (
        "Align",
        "Closing",
        "ColorToGray",
        "CorrectIlluminationApply",
        "DilateImage",
        "DisplayDataOnImage",
        "EnhanceEdges",
        "EnhanceOrSuppressFeatures",
        "ErodeImage",
        "FindMaxima",
        "FlipAndRotate",
        "GaussianFilter",
        "GrayToColor",
        "ImageMath",
        "InvertForPrinting",
        "MaskImage",
        "MatchTemplate",
        "MedialAxis",
        "MedianFilter",
        "Morph",
        "MorphologicalSkeleton",
        "Opening",
        "OverlayObjects",
        "OverlayOutlines",
        "ReduceNoise",
        "RemoveHoles",
        "Resize",
        "Smooth",
        "Threshold",
        "UnmixColors",
    ),
    "It finds or changes the objects of one image.": (
        "CombineObjects",
        "ConvertImageToObjects",
        "ConvertObjectsToImage",
        "DilateObjects",
        "EditObjectsManually",
        "ErodeObjects",
        "ExpandOrShrinkObjects",
        "FillObjects",
        "IdentifyDeadWorms",
        "IdentifyObjectsInGrid",
        "IdentifyObjectsManually",
        "IdentifyPrimaryObjects",
        "IdentifySecondaryObjects",
        "IdentifyTertiaryObjects",
        "MaskObjects",
        "RelateObjects",
        "ResizeObjects",
        "ShrinkToObjectCenters",
        "SplitOrMergeObjects",
        "StraightenWorms",
        "Watershed",
    ),
    "It measures one image and its objects.": (
        "CalculateMath",
        "MeasureColocalization",
        "MeasureGranularity",
        "MeasureImageAreaOccupied",
        "MeasureImageIntensity",
        "MeasureImageOverlap",
        "MeasureImageSkeleton",
        "MeasureObjectIntensity",
        "MeasureObjectIntensityDistribution",
        "MeasureObjectNeighbors",
        "MeasureObjectOverlap",
        "MeasureObjectSizeShape",
        "MeasureTexture",
    ),
    "It is the module of cellspan, or the one that it replaces.": ("IdentifyObjectsByFlow", "RunCellpose"),
}
KNOWN = frozenset(ACROSS) | {name for names in OWN_SET.values() for name in names}

# Modules that wait for a person, if all of these settings have one of these values.
INTERACTIVE: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "Crop": (("Select the cropping shape", ("Ellipse", "Rectangle")), ("Select the cropping method", ("Mouse",))),
    "DefineGrid": (
        ("Select the method to define the grid", ("Manual",)),
        ("Select the method to define the grid manually", ("Mouse",)),
    ),
    "EditObjectsManually": (),
    "FlipAndRotate": (("Select method to rotate image", ("Use mouse",)),),
    "IdentifyObjectsManually": (),
    "StraightenWorms": (("Align worms?", ("Flip manually",)),),
}
# They ask in a window too, but where there is none, they do the same for every image set.
ASKS_ONLY_IN_WINDOWS = frozenset({"ExportToDatabase", "MeasureObjectSkeleton", "SaveImages"})


@dataclass(frozen=True)
class Need:
    """What one module of a pipeline needs, why, and the setting that decides it ('' if none does)."""

    name: str
    needs: Needs
    reason: str = ""
    setting: str = ""


@dataclass(frozen=True)
class Told:
    """What CellProfiler's own Python tells about a module of a pipeline, after it has read the file."""

    name: str
    builtin: bool
    hooks: tuple[str, ...]
    aggregates: bool
    settings: tuple[tuple[str, str], ...]  # text and value, in the newest revision
    fault: str = ""

    @property
    def block(self) -> Block:
        """The module as a pipeline of this CellProfiler would have it."""
        return Block("\n".join([f"{self.name}:[]", *(f"    {text}:{value}" for text, value in self.settings)]))


def needs_of(block: Block) -> Need:
    """What a module that the table knows needs; the widest of its rules."""
    rules = [rule for rule in ACROSS.get(block.name, ()) if rule.holds(block)]
    widest = max(rules, key=lambda rule: rule.needs, default=Rule(Needs.OWN_SET, ""))
    return Need(block.name, widest.needs, widest.reason, widest.setting)


def needs_of_stranger(told: Told) -> Need:
    """What a module that the table does not know needs, by what it says itself; careful where it says nothing."""
    if "post_run" in told.hooks:
        return Need(told.name, Needs.RUN, "works at the end of the run")
    if told.aggregates or {"prepare_group", "post_group"} & set(told.hooks):
        return Need(told.name, Needs.GROUP, "works at the begin or end of a group")
    return Need(told.name, Needs.OWN_SET)


def needs_in(blocks: Mapping[int, Block], told: Mapping[int, Told]) -> list[Need]:
    """The modules that need more than their own image set, by the modules' numbers.

    What CellProfiler tells comes before the text of the file, which an older CellProfiler may have written with other
    words; it is not told if CellProfiler is an application without its own Python.
    """
    return [need for number, block in blocks.items() if (need := _need(block, told.get(number))).needs > Needs.OWN_SET]


def _need(block: Block, told: Told | None) -> Need:
    if told is None or told.name != block.name:
        return needs_of(block)
    need = needs_of(told.block) if block.name in KNOWN else needs_of_stranger(told)
    if told.aggregates and need.needs < Needs.GROUP:  # a CellProfiler that is newer than the table
        return Need(block.name, Needs.GROUP, "says that it combines image sets")
    return need


def is_interactive(block: Block) -> bool:
    """Whether the module, as it is set, waits for a person."""
    conditions = INTERACTIVE.get(block.name)
    return conditions is not None and all(block.value(text).startswith(values) for text, values in conditions)
