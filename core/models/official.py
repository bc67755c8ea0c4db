"""The official models of Cellpose: names, kinds, channels, and the files that versions 3.1.1.2 and 4.2.1.1 download."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cellspan.core.models.architecture import CHANNELS, RESTORED
from cellspan.core.models.kinds import KindName

# The same sentence stands in CellProfiler's module and in Fiji's help. docs/models.md has a table with scores.
WHICH_MODEL = (
    "For nuclei, take nuclei; for cells in phase contrast, yeast and bacteria, cyto; for whole cells in fluorescence "
    "and for tissue, cyto3 of Cellpose, which `cellspan models fetch cyto3` downloads."
)
ADDRESS = "https://www.cellpose.org/models"
ADDRESS_OF_4 = "https://huggingface.co/mouseland/cellpose-sam/resolve/main"


@dataclass(frozen=True)
class OfficialFile:
    """A file on the server; `sha256` is None unless it is known, because Cellpose publishes no checksums."""

    name: str
    sha256: str | None = None


@dataclass(frozen=True)
class OfficialModel:
    """The network's weights, and the size model if there is one; diameters are estimated with it."""

    weights: OfficialFile
    sizes: OfficialFile | None = None
    images: str = ""  # what it was trained on
    channels: int = CHANNELS  # of the network; two are the one to segment and the nuclei
    address: str = ADDRESS
    kind: KindName = "flow-cnn"


def _models() -> Iterator[tuple[str, OfficialModel]]:
    """Every model that finds objects and that the programs of Cellpose 1 to 4, or RunCellpose, offered."""
    for name, images in (
        ("cyto", "cells, Cellpose 1"),
        ("cyto2", "cells, with images that users sent"),
        ("cyto3", "cells, nine data sets"),
        ("nuclei", "nuclei"),
    ):
        file = "cyto3" if name == "cyto3" else f"{name}torch_0"
        yield name, OfficialModel(OfficialFile(file), OfficialFile(f"size_{file}.npy"), images)
    for name, images in (
        ("cyto2_cp3", "the data set of cyto2"),
        ("tissuenet_cp3", "TissueNet, tissue"),
        ("livecell_cp3", "LIVECell, phase contrast"),
        ("yeast_PhC_cp3", "YeaZ, yeast in phase contrast"),
        ("yeast_BF_cp3", "YeaZ, yeast in bright field"),
        ("bact_phase_cp3", "Omnipose's data set, bacteria in phase contrast"),
        ("bact_fluor_cp3", "Omnipose's data set, bacteria in fluorescence"),
        ("deepbacs_cp3", "DeepBacs, bacteria"),
        ("general", "Cellpose, TissueNet and LIVECell"),
        ("tissuenet", "TissueNet, tissue"),
        ("livecell", "LIVECell, phase contrast"),
        *((name, "Cellpose 2: cells of one style") for name in ("CP", "CPx")),
        *((f"TN{number}", "Cellpose 2: tissue of one style") for number in (1, 2, 3)),
        *((f"LC{number}", "Cellpose 2: phase contrast of one style") for number in (1, 2, 3, 4)),
        ("neurips_grayscale_cyto2", "the NeurIPS challenge in grey"),
    ):
        yield name, OfficialModel(OfficialFile(name), images=images)
    name = "neurips_cellpose_default"
    yield name, OfficialModel(OfficialFile(name), images="the NeurIPS challenge in colour", channels=3)
    for name in ("cpsam", "cpsam_v2"):
        images = "cells of all kinds, Cellpose 4"
        yield name, OfficialModel(OfficialFile(name), images=images, channels=3, address=ADDRESS_OF_4, kind="flow-sam")
    for name in _restoring():
        yield name, OfficialModel(OfficialFile(name), images=_restored(name), channels=RESTORED, kind="restoration")


FAULTS = {
    "denoise": "noise",
    "deblur": "blur",
    "upsample": "coarse pixels",
    "oneclick": "noise, blur and coarse pixels",
    "aniso": "the coarse steps of stacks seen from the side",
}


def _restoring() -> Iterator[str]:
    """Names of models that restore images; those in between learnt by other measures of success."""
    for images in ("cyto3", "cyto2", "nuclei"):
        for fault in ("denoise", "deblur", "upsample", "oneclick"):
            yield f"{fault}_{images}"
            if images != "cyto3":
                yield from (f"{fault}_{measure}_{images}" for measure in ("per", "seg", "rec"))
        if images != "cyto3":
            yield f"aniso_{images}"


def _restored(name: str) -> str:
    """What a model was trained to take away, and from which images."""
    fault, *_, images = name.split("_")
    return f"restores images of {'nuclei' if images == 'nuclei' else f'cells ({images})'}: {FAULTS[fault]}"


OFFICIAL = dict(_models())
OFFICIAL_FILES = frozenset(model.weights.name for model in OFFICIAL.values())
# Cellpose stores some models under other file names.
FILE_OF = {name: model.weights.name for name, model in OFFICIAL.items() if name != model.weights.name}
NAME_OF = {file: name for name, file in FILE_OF.items()}

_TRANSFORMER = "it is the transformer of Cellpose 3, another network, and no better than cyto3: use cyto3"
_OMNIPOSE = "it is a model of Omnipose, whose outputs are others: use bact_phase_cp3, bact_fluor_cp3 or cyto3"
_MXNET = "it is in the format of MXNet, which Cellpose gave up: use cyto or nuclei"
_DINO = "it has another network: use cpsam_v2"
# Names that Cellpose offered, too, and why there is no such model here.
ELSEWHERE = {
    **dict.fromkeys(("transformer_cp3", "neurips_cellpose_transformer"), _TRANSFORMER),
    **dict.fromkeys(("bact", "bact_omni", "cyto2_omni"), _OMNIPOSE),
    **dict.fromkeys(("cyto_0", "nuclei_0"), _MXNET),
    **dict.fromkeys(("cpdino", "cpdino-vitb"), _DINO),
}
