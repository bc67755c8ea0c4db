"""The module's settings with their help; texts, order and defaults are those of layout.py."""

from __future__ import annotations

from typing import Any

from cellprofiler_core.setting import Binary, Setting
from cellprofiler_core.setting.choice import Choice
from cellprofiler_core.setting.range import FloatRange
from cellprofiler_core.setting.subscriber import ImageSubscriber, LabelSubscriber
from cellprofiler_core.setting.text import Float, ImageName, Integer, LabelName, Text

from cellspan_plugin.layout import (
    DEFAULTS,
    DEVICE_AUTOMATIC,
    DEVICE_CPU,
    DEVICE_GPU,
    DISCARD,
    ENGINE_AUTOMATIC,
    ENGINE_PATH,
    KEEP,
    LABELS,
    MODEL_CELLS,
    MODEL_CUSTOM,
    MODEL_NUCLEI,
    NUCLEI_BY_MODEL,
    NUCLEI_EXIST,
    ONE_VOLUME,
    SINCE_3,
    SLICES,
    SPLIT,
)

HELP = {
    "x_name": "Select the image that shows the objects: one channel, or a colour image.",
    "y_name": "Enter the name that the objects shall have in later modules. If you identify cells and nuclei together, "
    "these are the cells.",
    "model": f"""\
What the network was trained to find:

-  *{MODEL_NUCLEI}:* nuclei.
-  *{MODEL_CELLS}:* whole cells.
-  *{MODEL_CUSTOM}:* a model of your own, trained or imported with cellspan.
""",
    "custom_model": """\
Enter the name of a model that you imported, or the path of a model's folder or file. The command
``cellspan models list`` shows the names.
""",
    "use_nuclei_image": """\
Select *Yes* if a second channel shows the nuclei: the network looks at both, which helps where cells touch. For
nuclei alone, leave it at *No*.
""",
    "nuclei_image": "Select the image that shows the nuclei. It must be as large as the input image.",
    "together": """\
Select *Yes* to get cells, nuclei and cytoplasm in one step. Each cell is paired with the nucleus that lies in it, and
both have the same number, as after **IdentifyPrimaryObjects**, **IdentifySecondaryObjects** and
**IdentifyTertiaryObjects**.
""",
    "nuclei_from": f"""\
-  *{NUCLEI_BY_MODEL}:* in the image of the nuclei, with the same thresholds as the cells.
-  *{NUCLEI_EXIST}:* objects of an earlier module. They keep their numbers, and none of them is discarded.
""",
    "nuclei_objects": "Select the objects of an earlier module that shall be paired with the cells as their nuclei.",
    "nuclei_name": "Enter the name that the nuclei shall have in later modules.",
    "nuclei_diameter": """\
Enter the typical diameter of the nuclei, or 0 to let the network estimate it for each image anew.
""",
    "cytoplasm_name": "Enter a name for what remains of the cells without their nuclei.",
    "without_nucleus": f"""\
What to do with a cell in which no nucleus lies (a nucleus lies in a cell if at least half of it does):

-  *{DISCARD}:* every cell then has a nucleus, as in **IdentifySecondaryObjects**.
-  *{KEEP}:* it comes after the paired cells and has no parent.
""",
    "several_nuclei": f"""\
What to do with a cell in which several nuclei lie:

-  *{SPLIT}:* each nucleus gets the pixels that lead to it, so that the nuclei's cells are separate. Pixels that lead
   to none go to the nearest.
-  *{KEEP}:* the cell stays whole, for tissues with binucleate cells. It is paired with its largest nucleus; the
   measurement *Flow_NucleiCount* tells how many there are.
-  *{DISCARD}:* the cell and its nuclei are discarded.
""",
    "without_cell": f"""\
What to do with a nucleus that lies in no cell:

-  *{DISCARD}:* every nucleus then has a cell.
-  *{KEEP}:* it comes after the paired nuclei and has no child.
""",
    "automatic_diameter": """\
Select *Yes* to let the network estimate the typical diameter, for each image anew. Select *No* to enter it: that
is faster, and better if the images show few objects or are all alike.
""",
    "diameter": """\
The image is scaled so that objects of this diameter have the size that the network knows. If objects are split,
enter a larger number; if neighbours are merged, a smaller one. To measure a diameter, use the *Measure Length* tool
in the toolbar of an image window.
""",
    "discard_by_diameter": """\
Select *Yes* to discard objects that are smaller or larger than you expect, such as debris and clumps.
""",
    "diameter_range": """\
Enter the smallest and the largest diameter that an object may have: the diameter of a circle of the same area, or in
3D images of a ball of the same volume, in pixels along X and Y.
""",
    "discard_border": """\
Select *Yes* to discard objects that are cut by the border and thus cannot be measured fully. If the image is masked
or cropped, this includes objects that touch the border of the mask. The first and the last slice of a 3D image are
borders too.
""",
    "min_size": "Objects that cover fewer pixels (area, not diameter; in 3D images voxels) are discarded.",
    "fill_holes": "Select *Yes* to fill holes inside objects. Select *No* for rings and for cells that lie in cells.",
    "flow_threshold": """\
An object is kept if its shape fits the directions that the network saw; this is the largest error that it may
have. Increase it if good objects are missing; decrease it if there are objects of odd shapes. 0 keeps all.
""",
    "cellprob_threshold": """\
Pixels above this value belong to objects. Decrease it to find fainter objects and to get larger outlines; increase
it to get fewer and smaller ones. Useful values lie between -6 and 6.
""",
    "invert": "Select *Yes* if the objects are dark on a bright background, as stained tissue in a bright field.",
    "augment": """\
Select *Yes* to run the network on mirror images too and to average what it sees: about four times slower, a little
better for elongated and for crowded objects.
""",
    "save_probability": """\
Select *Yes* to use the probability of each pixel to belong to an object (0 to 1) in later modules, such as
**SaveImages**.
""",
    "probability_name": "Enter the name that the probability image shall have in later modules.",
    "save_flows": """\
Select *Yes* to use a colour image of the flows in later modules: the hue is the direction in which the centre of the
object lies. It shows why objects were split or merged. Of 3D images it shows the direction within the slice.
""",
    "flows_name": "Enter the name that the flow image shall have in later modules.",
    "engine_choice": f"""\
-  *{ENGINE_AUTOMATIC}:* the engine that installed this module.
-  *{ENGINE_PATH}:* another one, for example on a computer where the pipeline runs without the installer.
""",
    "engine_path": "Enter the path of the program ``cellspan``, or of the Python that has it.",
    "device": f"""\
-  *{DEVICE_AUTOMATIC}:* the graphics card if there is one that the engine can use, else the CPU.
-  *{DEVICE_CPU}:* never the graphics card.
-  *{DEVICE_GPU}:* the graphics card; the run stops if there is none.
""",
    "method_3d": f"""\
Matters only if *Process as 3D?* is *Yes* in **NamesAndTypes**:

-  *{ONE_VOLUME}:* the network looks at slices along all three axes, and objects are found in the whole stack at once.
   Right for most stacks, also where slices are far apart.
-  *{SLICES}:* each slice is segmented, and objects that overlap from one slice to the next become one. Faster, because
   the network looks at each voxel once instead of three times. Choose it for stacks of a few slices and for flat cells.
""",
    "anisotropy": """\
Enter how far the slices are apart, divided by the size of a pixel: 4 for slices at 2 micrometers and pixels of 0.5.
With 0 it is *Relative pixel spacing in Z* of **NamesAndTypes**, divided by that in X and Y. It is worth the look: if it
is wrong, the network sees objects squashed or drawn out, and splits or merges them.
""",
    "stitch_threshold": f"""\
Matters only for *{SLICES}*: the overlap of two objects (the area that both share, divided by the area that they cover
together) from which they are one. Decrease it if objects fall apart from slice to slice; increase it if different
objects are joined.
""",
}


def make_settings() -> dict[str, Setting]:
    """A new setting for each name of the layout, in its order; limits are the engine's (a test compares them)."""
    low, high = (float(part) for part in DEFAULTS["diameter_range"].split(","))
    special: dict[str, Any] = {
        "x_name": lambda text, **more: ImageSubscriber(text, **more),
        "y_name": lambda text, **more: LabelName(text, "Cells", **more),
        "model": _choice("model", [MODEL_NUCLEI, MODEL_CELLS, MODEL_CUSTOM]),
        "nuclei_image": lambda text, **more: ImageSubscriber(text, **more),
        "nuclei_from": _choice("nuclei_from", [NUCLEI_BY_MODEL, NUCLEI_EXIST]),
        "nuclei_objects": lambda text, **more: LabelSubscriber(text, "None", **more),
        "nuclei_name": lambda text, **more: LabelName(text, DEFAULTS["nuclei_name"], **more),
        "nuclei_diameter": _float("nuclei_diameter", 0.0, 4000.0),
        "cytoplasm_name": lambda text, **more: LabelName(text, DEFAULTS["cytoplasm_name"], **more),
        "without_nucleus": _choice("without_nucleus", [DISCARD, KEEP]),
        "several_nuclei": _choice("several_nuclei", [SPLIT, KEEP, DISCARD]),
        "without_cell": _choice("without_cell", [DISCARD, KEEP]),
        "diameter": _float("diameter", 0.1, 4000.0),
        "diameter_range": lambda text, **more: FloatRange(text, (low, high), minval=0.0, **more),
        "min_size": lambda text, **more: Integer(text, int(DEFAULTS["min_size"]), minval=0, **more),
        "flow_threshold": _float("flow_threshold", 0.0),
        "cellprob_threshold": _float("cellprob_threshold", -20.0, 20.0),
        "probability_name": lambda text, **more: ImageName(text, DEFAULTS["probability_name"], **more),
        "flows_name": lambda text, **more: ImageName(text, DEFAULTS["flows_name"], **more),
        "engine_choice": _choice("engine_choice", [ENGINE_AUTOMATIC, ENGINE_PATH]),
        "device": _choice("device", [DEVICE_AUTOMATIC, DEVICE_CPU, DEVICE_GPU]),
        "method_3d": _choice("method_3d", [ONE_VOLUME, SLICES]),
        "anisotropy": _float("anisotropy", 0.0, 100.0),
        "stitch_threshold": _float("stitch_threshold", 0.01, 1.0),
    }
    return {name: special.get(name, _plain(name))(text, doc=HELP[name]) for name, text in LABELS.items()}


def irrelevant(module: Any) -> list[str]:
    """The names of the settings that do nothing with the present choices."""
    together, nuclei_exist = module.together.value, module.nuclei_from.value == NUCLEI_EXIST
    hidden = {
        "custom_model": module.model.value != MODEL_CUSTOM,
        "nuclei_image": not module.needs_nuclei_image(),
        "nuclei_from": not together,
        "nuclei_objects": not (together and nuclei_exist),
        "nuclei_name": not together or nuclei_exist,
        "nuclei_diameter": not together or nuclei_exist,
        "cytoplasm_name": not together,
        "without_nucleus": not together,
        "several_nuclei": not together,
        "without_cell": not together or nuclei_exist,
        "diameter": module.automatic_diameter.value,
        "diameter_range": not module.discard_by_diameter.value,
        "probability_name": not module.save_probability.value,
        "flows_name": not module.save_flows.value,
        "engine_path": module.engine_choice.value != ENGINE_PATH,
        "use_nuclei_image": together and not nuclei_exist,
        "stitch_threshold": module.method_3d.value != SLICES,
    }
    # Where only images in 2D are possible; behind all others, because CellProfiler knows settings by their place.
    flat = () if module.may_be_3d else SINCE_3
    return [*flat, *(name for name, is_hidden in hidden.items() if is_hidden)]


def _plain(name: str) -> Any:
    """Yes or No, or text, as the default says."""
    default = DEFAULTS[name]
    if default in ("Yes", "No"):
        return lambda text, **more: Binary(text, default == "Yes", **more)
    return lambda text, **more: Text(text, default, **more)


def _choice(name: str, choices: list[str]) -> Any:
    return lambda text, **more: Choice(text, choices, DEFAULTS[name], **more)


def _float(name: str, low: float, high: Any = None) -> Any:
    return lambda text, **more: Float(text, float(DEFAULTS[name]), minval=low, maxval=high, **more)
