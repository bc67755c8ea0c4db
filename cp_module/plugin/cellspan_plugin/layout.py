"""The module's settings in the order of the pipeline file, with their labels, for module, upgrade and migration.

Labels may be reworded, because CellProfiler loads settings by position. New settings are appended to LABELS, with a new
REVISION and a step in `upgraded`; the panel has an order of its own.
"""

from __future__ import annotations

MODULE = "IdentifyObjectsByFlow"
REVISION = 5

MODEL_NUCLEI, MODEL_CELLS, MODEL_CUSTOM = "Nuclei", "Cells", "Custom"
NUCLEI_BY_MODEL, NUCLEI_EXIST = "Find them with the nuclei model", "Take existing objects"
KEEP, DISCARD, SPLIT = "Keep", "Discard", "Split along the flows"
ENGINE_AUTOMATIC, ENGINE_PATH = "Automatic", "Enter its path"
DEVICE_AUTOMATIC, DEVICE_CPU, DEVICE_GPU = "Automatic", "CPU", "GPU"
MEAN, MAXIMUM = "Mean", "Maximum"
PERCENTILES, LIMITS, UNSCALED = "By percentiles of each image", "By fixed limits", "Not at all"
EVERYWHERE, MASK_IMAGE, MASK_OBJECTS = "Everywhere", "Inside a mask image", "Inside objects"
BLANK = "None"  # no image is selected
ONE_VOLUME, SLICES = "As one volume", "Slice by slice, joined by overlap"

# attribute of the module -> label of the setting
LABELS: dict[str, str] = {
    "x_name": "Select the input image",
    "y_name": "Name the objects to be identified",
    "model": "Select the model",
    "custom_model": "Name or path of the custom model",
    "use_nuclei_image": "Use an image of the nuclei as well?",
    "nuclei_image": "Select the image of the nuclei",
    "together": "Identify cells and nuclei together?",
    "nuclei_from": "How should the nuclei be found?",
    "nuclei_objects": "Select the nuclei objects",
    "nuclei_name": "Name the nuclei to be identified",
    "nuclei_diameter": "Typical diameter of nuclei, in pixels (0 = estimate it)",
    "cytoplasm_name": "Name the cytoplasm to be identified",
    "without_nucleus": "Cells without a nucleus",
    "several_nuclei": "Cells with several nuclei",
    "without_cell": "Nuclei without a cell",
    "automatic_diameter": "Estimate the diameter of the objects automatically?",
    "diameter": "Typical diameter of objects, in pixels",
    "discard_by_diameter": "Discard objects outside the diameter range?",
    "diameter_range": "Diameter range of objects, in pixels (Min,Max)",
    "discard_border": "Discard objects touching the border of the image?",
    "min_size": "Minimum size of objects, in pixels",
    "fill_holes": "Fill holes in identified objects?",
    "flow_threshold": "Flow error threshold",
    "cellprob_threshold": "Cell probability threshold",
    "invert": "Are the objects darker than the background?",
    "augment": "Average over flipped copies of the image?",
    "save_probability": "Save the probability image?",
    "probability_name": "Name the probability image",
    "save_flows": "Save the flow image?",
    "flows_name": "Name the flow image",
    "engine_choice": "Where is the cellspan engine?",
    "engine_path": "Path of the cellspan program",
    "device": "Run the network on",
    "method_3d": "How should 3D images be segmented?",
    "anisotropy": "Slice spacing of 3D images, in pixels (0 = from NamesAndTypes)",
    "stitch_threshold": "Minimum overlap to join objects in adjacent slices",
    "advanced": "Use advanced settings?",
    "tile_overlap": "Overlap of the network's tiles, as a fraction",
    "iterations": "Steps along the flows (0 = from the diameter)",
    "smooth_flows": "Smooth the flows of 3D images, over this many voxels",
    "second_image": "Select a second input image",
    "third_image": "Select a third input image",
    "combine": "How should the input images be combined?",
    "where": "Where should the module look for objects?",
    "mask_image": "Select the mask image",
    "mask_objects": "Select the objects to look in",
    "scaling": "How should intensities be scaled?",
    "percentiles": "Percentiles that become black and white (Min,Max)",
    "limits": "Intensities that become black and white (Min,Max)",
    "tile_norm": "Tile size for uneven light, in pixels (0 = off)",
    "sharpen": "Radius for sharpening, in pixels (0 = off)",
    "smooth": "Radius for smoothing, in pixels (0 = off)",
    "restore": "Restore the image first?",
    "restoring_model": "Model that restores images",
    "save_restored": "Save the restored image?",
    "restored_name": "Name the restored image",
}

# default values, as written in the pipeline file
DEFAULTS: dict[str, str] = {
    "x_name": "None",
    "y_name": "None",
    "model": MODEL_NUCLEI,
    "custom_model": "",
    "use_nuclei_image": "No",
    "nuclei_image": "None",
    "together": "No",
    "nuclei_from": NUCLEI_BY_MODEL,
    "nuclei_objects": "None",
    "nuclei_name": "Nuclei",
    "nuclei_diameter": "0.0",
    "cytoplasm_name": "Cytoplasm",
    "without_nucleus": DISCARD,
    "several_nuclei": SPLIT,
    "without_cell": DISCARD,
    "automatic_diameter": "Yes",
    "diameter": "30.0",
    "discard_by_diameter": "No",
    "diameter_range": "10.0,100.0",
    "discard_border": "Yes",
    "min_size": "15",
    "fill_holes": "Yes",
    "flow_threshold": "0.4",
    "cellprob_threshold": "0.0",
    "invert": "No",
    "augment": "No",
    "save_probability": "No",
    "probability_name": "Probability",
    "save_flows": "No",
    "flows_name": "Flows",
    "engine_choice": ENGINE_AUTOMATIC,
    "engine_path": "",
    "device": DEVICE_AUTOMATIC,
    "method_3d": ONE_VOLUME,
    "anisotropy": "0.0",
    "stitch_threshold": "0.25",
    "advanced": "No",
    "tile_overlap": "0.1",
    "iterations": "0",
    "smooth_flows": "0.0",
    "second_image": BLANK,
    "third_image": BLANK,
    "combine": MEAN,
    "where": EVERYWHERE,
    "mask_image": "None",
    "mask_objects": "None",
    "scaling": PERCENTILES,
    "percentiles": "1.0,99.0",
    "limits": "0.0,1.0",
    "tile_norm": "0",
    "sharpen": "0.0",
    "smooth": "0.0",
    "restore": "No",
    "restoring_model": "denoise_cyto3",
    "save_restored": "No",
    "restored_name": "Restored",
}

# The panel from top to bottom. While "Use advanced settings?" is No, the advanced ones have their default values.
BASIC = (
    "advanced",
    "x_name",
    "y_name",
    "model",
    "custom_model",
    "use_nuclei_image",
    "nuclei_image",
    "together",
    "nuclei_from",
    "nuclei_objects",
    "nuclei_name",
    "nuclei_diameter",
    "cytoplasm_name",
    "without_nucleus",
    "several_nuclei",
    "without_cell",
    "automatic_diameter",
    "diameter",
    "discard_border",
    "method_3d",
    "stitch_threshold",
)
ADVANCED = (
    "discard_by_diameter",
    "diameter_range",
    "min_size",
    "fill_holes",
    "flow_threshold",
    "cellprob_threshold",
    "invert",
    "restore",
    "restoring_model",
    "save_restored",
    "restored_name",
    "scaling",
    "percentiles",
    "limits",
    "tile_norm",
    "sharpen",
    "smooth",
    "second_image",
    "third_image",
    "combine",
    "where",
    "mask_image",
    "mask_objects",
    "augment",
    "tile_overlap",
    "iterations",
    "save_probability",
    "probability_name",
    "save_flows",
    "flows_name",
    "engine_choice",
    "engine_path",
    "device",
    "anisotropy",
    "smooth_flows",
)
OF_3D_IMAGES = ("method_3d", "stitch_threshold", "anisotropy", "smooth_flows")

REVISION_1 = (
    "x_name",
    "y_name",
    "model",
    "custom_model",
    "automatic_diameter",
    "diameter",
    "flow_threshold",
    "cellprob_threshold",
    "min_size",
    "discard_border",
)
SINCE_3 = ("method_3d", "anisotropy", "stitch_threshold")
SINCE_5 = ("restore", "restoring_model", "save_restored", "restored_name")
SINCE_4 = tuple(LABELS)[list(LABELS).index("advanced") : list(LABELS).index(SINCE_5[0])]


def setting_values(**changes: str) -> list[str]:
    """The values of a module in the order of the file: the defaults with these changes.

    The advanced settings are switched on if one of them is changed.
    """
    unknown = set(changes) - set(LABELS)
    if unknown:
        raise KeyError(sorted(unknown)[0])
    changed = {**DEFAULTS, **changes}
    is_advanced = any(changed[name] != DEFAULTS[name] for name in ADVANCED)
    return list({**changed, "advanced": changes.get("advanced", "Yes" if is_advanced else "No")}.values())


def upgraded(values: list[str], revision: int) -> tuple[list[str], int]:
    """The values of an older revision, in the order and number of this revision."""
    if revision == REVISION:
        return values, revision
    later = {2: (*SINCE_3, *SINCE_4, *SINCE_5), 3: (*SINCE_4, *SINCE_5)}.get(revision, SINCE_5)
    names = REVISION_1 if revision == 1 else tuple(name for name in LABELS if name not in later)
    return setting_values(**dict(zip(names, values))), REVISION
