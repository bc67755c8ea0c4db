"""The module's settings with their help; labels, order and defaults come from layout.py."""

from __future__ import annotations

from typing import Any, Mapping

from cellprofiler_core.setting import Binary, Setting
from cellprofiler_core.setting.choice import Choice, CustomChoice
from cellprofiler_core.setting.range import FloatRange
from cellprofiler_core.setting.subscriber import ImageSubscriber, LabelSubscriber
from cellprofiler_core.setting.text import Float, ImageName, Integer, LabelName, Text

from cellspan_plugin.layout import (
    ADVANCED,
    BLANK,
    DEFAULTS,
    DEVICE_AUTOMATIC,
    DEVICE_CPU,
    DEVICE_GPU,
    DISCARD,
    ENGINE_AUTOMATIC,
    ENGINE_PATH,
    EVERYWHERE,
    KEEP,
    LABELS,
    LIMITS,
    MASK_IMAGE,
    MASK_OBJECTS,
    MAXIMUM,
    MEAN,
    MODEL_CELLS,
    MODEL_CUSTOM,
    MODEL_NUCLEI,
    NUCLEI_BY_MODEL,
    NUCLEI_EXIST,
    OF_3D_IMAGES,
    ONE_VOLUME,
    PERCENTILES,
    SLICES,
    SPLIT,
    UNSCALED,
)
from cellspan_plugin.partners import OFFERED

HELP = {
    "advanced": """\
Select *Yes* to see all settings, for example to discard small objects, to change thresholds or to save the flows as an
image. If you select *No*, the default values are used for all advanced settings.
""",
    "x_name": "Select the image to segment: a single channel or a colour image.",
    "y_name": "Enter the name of the objects for later modules. If you identify cells and nuclei together, this is the "
    "name of the cells.",
    "model": f"""\
Select what to find:

-  *{MODEL_NUCLEI}:* nuclei.
-  *{MODEL_CELLS}:* whole cells.
-  *{MODEL_CUSTOM}:* the objects of a model that you trained, imported or downloaded with cellspan.

For nuclei, take nuclei; for cells in phase contrast, yeast and bacteria, cyto; for whole cells in fluorescence and for
tissue, cyto3 of Cellpose, which ``cellspan models fetch cyto3`` downloads. *{MODEL_NUCLEI}* is nuclei, *{MODEL_CELLS}*
is cyto, and all others are chosen as *{MODEL_CUSTOM}*.
""",
    "custom_model": """\
Select one of the models on this computer, or enter the path to a model's folder or file. The list shows the kind of
each network and its size. Transformers (Cellpose 4) take minutes for an image without a graphics card. The
button downloads models of Cellpose, as the command ``cellspan models fetch NAME`` does.
""",
    "use_nuclei_image": """\
Select *Yes* if another channel shows the nuclei. The network then uses both channels, which helps to separate
touching cells. Select *No* to segment nuclei alone.
""",
    "nuclei_image": "Select the image of the nuclei. It must have the same size as the input image.",
    "together": """\
Select *Yes* to get cells, nuclei and cytoplasm in one step. Each cell is paired with its nucleus and both get the same
number, as after **IdentifyPrimaryObjects**, **IdentifySecondaryObjects** and **IdentifyTertiaryObjects**.
""",
    "nuclei_from": f"""\
-  *{NUCLEI_BY_MODEL}:* find them in the image of the nuclei, with the same thresholds as the cells.
-  *{NUCLEI_EXIST}:* use objects from an earlier module. They keep their numbers, and none is discarded.
""",
    "nuclei_objects": "Select the nuclei from an earlier module to pair with the cells.",
    "nuclei_name": "Enter the name of the nuclei for later modules.",
    "nuclei_diameter": """\
Enter the typical diameter of the nuclei, or 0 to estimate it for each image.
""",
    "cytoplasm_name": "Enter the name of the cytoplasm: the cells without their nuclei.",
    "without_nucleus": f"""\
What to do with a cell that contains no nucleus (a cell contains a nucleus if at least half of the nucleus is in it):

-  *{DISCARD}:* every remaining cell has a nucleus, as in **IdentifySecondaryObjects**.
-  *{KEEP}:* the cell is numbered after the paired cells and has no parent.
""",
    "several_nuclei": f"""\
What to do with a cell that contains several nuclei:

-  *{SPLIT}:* divide the cell. Each nucleus gets the pixels whose flow leads to it; pixels that lead to no nucleus go
   to the nearest one.
-  *{KEEP}:* keep the cell whole, for tissues with binucleate cells. It is paired with its largest nucleus, and the
   measurement *Flow_NucleiCount* gives the number of nuclei.
-  *{DISCARD}:* discard the cell and its nuclei.
""",
    "without_cell": f"""\
What to do with a nucleus that is in no cell:

-  *{DISCARD}:* every remaining nucleus has a cell.
-  *{KEEP}:* the nucleus is numbered after the paired nuclei and has no child.
""",
    "automatic_diameter": """\
Select *Yes* to estimate the typical diameter for each image. Select *No* to enter it: this is faster, and more
reliable if the images contain few objects or are all alike.
""",
    "diameter": """\
The image is rescaled so that objects of this diameter have the size that the network was trained on. Increase it if
objects are split; decrease it if neighbours are merged. To measure a diameter, use the *Measure Length* tool in the
toolbar of an image window.
""",
    "discard_by_diameter": """\
Select *Yes* to discard objects that are smaller or larger than expected, such as debris and clumps.
""",
    "diameter_range": """\
Enter the smallest and the largest diameter to keep, in pixels along X and Y. The diameter is that of a circle with the
same area or, in 3D images, of a sphere with the same volume.
""",
    "discard_border": """\
Select *Yes* to discard objects that are cut off by the image border and cannot be measured completely. If the image is
masked or cropped, objects that touch the edge of the mask are discarded too. The first and last slices of a 3D image
count as borders.
""",
    "min_size": "Discard objects with fewer pixels (area, not diameter; voxels in 3D). Increase it to remove debris.",
    "fill_holes": "Select *Yes* to fill holes inside objects. Select *No* for rings and for cells inside other cells.",
    "flow_threshold": """\
The largest flow error that an object may have. The flow error compares the shape of an object with the flows that the
network predicted. Increase the threshold if good objects are missing; decrease it if objects have odd shapes. 0 keeps
all objects.
""",
    "cellprob_threshold": """\
Pixels above this value belong to objects. Decrease it to find fainter objects and to get larger outlines; increase
it to get fewer and smaller objects. Useful values are between -6 and 6.
""",
    "invert": "Select *Yes* for dark objects on a bright background, such as stained tissue in bright field.",
    "augment": """\
Select *Yes* to run the network on mirrored copies of the image and to average the results. This is about four times
slower and slightly better for elongated and crowded objects.
""",
    "save_probability": """\
Select *Yes* to use an image of the probability (0 to 1) that each pixel belongs to an object in later modules, such
as **SaveImages**.
""",
    "probability_name": "Enter the name of the probability image for later modules.",
    "save_flows": """\
Select *Yes* to use a colour image of the flows in later modules. The hue shows the direction towards the centre of the
object, which helps to see why objects were split or merged. For 3D images it shows the direction within the slice.
""",
    "flows_name": "Enter the name of the flow image for later modules.",
    "engine_choice": f"""\
-  *{ENGINE_AUTOMATIC}:* use the engine that installed this module.
-  *{ENGINE_PATH}:* use another engine, for example on a computer where the installer was not run.
""",
    "engine_path": "Enter the path to the program ``cellspan``, or to the Python in which it is installed.",
    "device": f"""\
-  *{DEVICE_AUTOMATIC}:* use the graphics card if the engine can use one, otherwise the CPU.
-  *{DEVICE_CPU}:* always use the CPU.
-  *{DEVICE_GPU}:* always use the graphics card; the run stops if there is none.
""",
    "method_3d": f"""\
Only used if *Process as 3D?* is *Yes* in **NamesAndTypes**:

-  *{ONE_VOLUME}:* the network sees slices along all three axes, and objects are found in the whole stack at once. Best
   for most stacks, including those with widely spaced slices.
-  *{SLICES}:* each slice is segmented, and objects that overlap in adjacent slices become one. Faster, because the
   network sees each voxel once instead of three times. Choose it for stacks with few slices and for flat cells.
""",
    "anisotropy": """\
Enter the distance between slices divided by the pixel size: 4 for a z-step of 2 micrometers and pixels of 0.5
micrometers. With 0, it is *Relative pixel spacing in Z* from **NamesAndTypes** divided by the spacing in X and Y. Check
this value: if it is wrong, objects look squashed or stretched to the network and are split or merged.
""",
    "stitch_threshold": f"""\
Only used with *{SLICES}*: the overlap (shared area divided by combined area) at which objects in adjacent slices become
one. Decrease it if objects fall apart between slices; increase it if different objects are joined.
""",
    "tile_overlap": """\
The network sees large images in square tiles that overlap. Increase the overlap if objects are cut along straight
lines; a larger overlap takes longer.
""",
    "iterations": """\
The number of steps in which pixels follow the flows to the centre of their object. With 0, it depends on the diameter.
Enter a larger number, such as 1000, if long objects (bacteria, filaments) fall into pieces.
""",
    "restore": """\
Select *Yes* for noisy, blurred or coarse images: a network of Cellpose 3 restores the image before objects are looked
for. Enter the diameter of the objects as well, because the network knows objects of about that size. If outlines are
good without it, select *No*; restored images are for finding objects, not for measuring intensities.
""",
    "restoring_model": """\
Select the model: *denoise* takes noise away, *deblur* blur, *upsample* coarse pixels, and *oneclick* all of these;
models with *cyto3* are for cells, those with *nuclei* for nuclei. You can also enter the name or path of another one.
Download it first, with the button or by ``cellspan models fetch denoise_cyto3``. An image of the nuclei is restored by
the model's partner for nuclei (``denoise_nuclei``), which must be downloaded, too.
""",
    "save_restored": """\
Select *Yes* to use the restored input image in later modules, for example to look at it or to save it. Of several
input images that are combined, it is the first. Its intensities are about 0 to 1. The *upsample* models enlarge images
of small objects, so that this image is larger than the original.
""",
    "restored_name": "Enter the name of the restored image for later modules.",
    "second_image": f"""\
Only needed if the objects are stained by several dyes, for example membranes of two colours: both images become one.
Select *{BLANK}* for a single image.
""",
    "third_image": f"Select one more image to combine with the others, or *{BLANK}*.",
    "combine": f"""\
-  *{MEAN}:* the mean of the images, after each is scaled.
-  *{MAXIMUM}:* at each pixel, the brightest of the images, after each is scaled. Choose it if each object is visible in
   one of the images only.
""",
    "where": f"""\
-  *{EVERYWHERE}:* in the whole image.
-  *{MASK_IMAGE}:* only where another image is not 0.
-  *{MASK_OBJECTS}:* only inside objects of an earlier module, such as tissue or wells.

What lies outside has no influence on the scaling of intensities, and objects are cut off at the edge. *{MASK_IMAGE}*
and *{MASK_OBJECTS}* work without cropping or masking the image first.
""",
    "mask_image": "Select the image that is 0 where the module should not look. It must have the same size.",
    "mask_objects": "Select the objects in which to look. If an image has none of them, nothing is found in it.",
    "scaling": f"""\
-  *{PERCENTILES}:* for most images; bright and dim images are treated alike.
-  *{LIMITS}:* the same intensities are black and white in all images, so that plates stay comparable and empty images
   stay empty.
-  *{UNSCALED}:* for images that an earlier module has scaled from 0 to 1.
""",
    "percentiles": """\
The darker 1 % of the pixels become black and the brightest 1 % white. Enter for example 1,99.9 if objects are bright
and cover less than 1 % of the image.
""",
    "limits": """\
Enter the intensities that become black and white, as an image window shows them for the pixel under the mouse: usually
from 0 to 1.
""",
    "tile_norm": """\
Enter the side of square tiles that are scaled apart from each other if the light is uneven, about four times the
diameter of objects; at least 16. 0 scales the whole image at once.
""",
    "sharpen": "For blurred images: subtract the surroundings over this radius. Try a quarter of the diameter.",
    "smooth": "For noisy images: smooth over this radius. Try a tenth of the diameter.",
    "smooth_flows": """\
Only used for 3D images that are segmented as one volume: flows are smoothed with a Gaussian filter of this width. Enter
1 or 2 if objects fall into pieces; 0 does not smooth.
""",
}


# names of the objects until the user enters one
DEFAULT_NAMES = {MODEL_NUCLEI: "Nuclei", MODEL_CELLS: "Cells"}


def make_settings(models: Mapping[str, list[str]] | None = None) -> dict[str, Setting]:
    """A new setting for each name of the layout, in its order; limits are the engine's (tested).

    `models`: lists for the settings that name a model, kept as they are so that they can be filled later.
    """
    listed = models or {"custom_model": [""], "restoring_model": list(OFFERED)}
    special: dict[str, Any] = {
        "x_name": lambda text, **more: ImageSubscriber(text, **more),
        "y_name": lambda text, **more: LabelName(text, DEFAULT_NAMES[MODEL_NUCLEI], **more),
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
        "diameter_range": _range("diameter_range", 0.0),
        "second_image": _optional_image,
        "third_image": _optional_image,
        "combine": _choice("combine", [MEAN, MAXIMUM]),
        "where": _choice("where", [EVERYWHERE, MASK_IMAGE, MASK_OBJECTS]),
        "mask_image": lambda text, **more: ImageSubscriber(text, **more),
        "mask_objects": lambda text, **more: LabelSubscriber(text, "None", **more),
        "scaling": _choice("scaling", [PERCENTILES, LIMITS, UNSCALED]),
        "percentiles": _range("percentiles", 0.0, 100.0),
        "limits": _range("limits"),
        "tile_norm": lambda text, **more: Integer(text, int(DEFAULTS["tile_norm"]), minval=0, maxval=10_000, **more),
        "sharpen": _float("sharpen", 0.0, 200.0),
        "smooth": _float("smooth", 0.0, 200.0),
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
        "tile_overlap": _float("tile_overlap", 0.05, 0.5),
        "iterations": lambda text, **more: Integer(text, int(DEFAULTS["iterations"]), minval=0, maxval=100_000, **more),
        "smooth_flows": _float("smooth_flows", 0.0, 20.0),
        "custom_model": lambda text, **more: CustomChoice(text, listed["custom_model"], "", **more),
        "restoring_model": lambda text, **more: CustomChoice(
            text, listed["restoring_model"], DEFAULTS["restoring_model"], **more
        ),
        "restored_name": lambda text, **more: ImageName(text, DEFAULTS["restored_name"], **more),
    }
    return {name: special.get(name, _plain(name))(text, doc=HELP[name]) for name, text in LABELS.items()}


def irrelevant(module: Any) -> set[str]:
    """Names of the settings that have no effect with the current choices."""
    together, nuclei_exist = module.together.value, module.nuclei_from.value == NUCLEI_EXIST
    alone = module.model.value == MODEL_NUCLEI  # a Yes of an older pipeline stays visible, because it has an effect
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
        "restoring_model": not module.restore.value,
        "save_restored": not module.restore.value,
        "restored_name": not (module.restore.value and module.save_restored.value),
        "engine_path": module.engine_choice.value != ENGINE_PATH,
        "use_nuclei_image": (together and not nuclei_exist) or (alone and not module.use_nuclei_image.value),
        "together": alone and not together,
        "stitch_threshold": module.method_3d.value != SLICES,
        "third_image": module.second_image.is_blank,
        "combine": module.second_image.is_blank,
        "mask_image": module.where.value != MASK_IMAGE,
        "mask_objects": module.where.value != MASK_OBJECTS,
        "limits": module.scaling.value != LIMITS,
        **dict.fromkeys(("percentiles", "tile_norm", "sharpen", "smooth"), module.scaling.value != PERCENTILES),
    }
    flat = () if module.may_be_3d else OF_3D_IMAGES
    simple = () if module.advanced.value else ADVANCED
    return {*flat, *simple, *(name for name, is_hidden in hidden.items() if is_hidden)}


def _plain(name: str) -> Any:
    """A Yes/No setting or a text, depending on the default."""
    default = DEFAULTS[name]
    if default in ("Yes", "No"):
        return lambda text, **more: Binary(text, default == "Yes", **more)
    return lambda text, **more: Text(text, default, **more)


def _choice(name: str, choices: list[str]) -> Any:
    return lambda text, **more: Choice(text, choices, DEFAULTS[name], **more)


def _float(name: str, low: float, high: Any = None) -> Any:
    return lambda text, **more: Float(text, float(DEFAULTS[name]), minval=low, maxval=high, **more)


def _range(name: str, low: Any = None, high: Any = None) -> Any:
    first, last = (float(part) for part in DEFAULTS[name].split(","))
    return lambda text, **more: FloatRange(text, (first, last), minval=low, maxval=high, **more)


def _optional_image(text: str, **more: Any) -> Any:
    return ImageSubscriber(text, BLANK, can_be_blank=True, blank_text=BLANK, **more)
