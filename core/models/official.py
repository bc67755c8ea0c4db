"""The official models of Cellpose: their names, and the files that Cellpose 3.1.1.2 and 4.2.1.1 download for them."""

from __future__ import annotations

from dataclasses import dataclass

ADDRESS = "https://www.cellpose.org/models"
ADDRESS_OF_4 = "https://huggingface.co/mouseland/cellpose-sam/resolve/main"


@dataclass(frozen=True)
class OfficialFile:
    """A file on the server; `sha256` is None unless it is known, because Cellpose publishes no checksums."""

    name: str
    sha256: str | None = None


@dataclass(frozen=True)
class OfficialModel:
    """The network's weights, and the size model if there is one."""

    weights: OfficialFile
    sizes: OfficialFile | None = None
    address: str = ADDRESS


# The first four estimate diameters. Transformers and image restoration are other networks and not included.
OFFICIAL = {
    "cyto": OfficialModel(OfficialFile("cytotorch_0"), OfficialFile("size_cytotorch_0.npy")),
    "cyto2": OfficialModel(OfficialFile("cyto2torch_0"), OfficialFile("size_cyto2torch_0.npy")),
    "cyto3": OfficialModel(OfficialFile("cyto3"), OfficialFile("size_cyto3.npy")),
    "nuclei": OfficialModel(OfficialFile("nucleitorch_0"), OfficialFile("size_nucleitorch_0.npy")),
    "cyto2_cp3": OfficialModel(OfficialFile("cyto2_cp3")),
    "tissuenet_cp3": OfficialModel(OfficialFile("tissuenet_cp3")),
    "livecell_cp3": OfficialModel(OfficialFile("livecell_cp3")),
    "yeast_PhC_cp3": OfficialModel(OfficialFile("yeast_PhC_cp3")),
    "yeast_BF_cp3": OfficialModel(OfficialFile("yeast_BF_cp3")),
    "bact_phase_cp3": OfficialModel(OfficialFile("bact_phase_cp3")),
    "bact_fluor_cp3": OfficialModel(OfficialFile("bact_fluor_cp3")),
    "deepbacs_cp3": OfficialModel(OfficialFile("deepbacs_cp3")),
    "cpsam": OfficialModel(OfficialFile("cpsam"), address=ADDRESS_OF_4),
    "cpsam_v2": OfficialModel(OfficialFile("cpsam_v2"), address=ADDRESS_OF_4),
}
# Official models with a network of no kind that cellspan runs, and what to use in their place.
OTHER_NETWORKS = {"cpdino": "cpsam_v2", "cpdino-vitb": "cpsam_v2"}
OFFICIAL_FILES = frozenset(model.weights.name for model in OFFICIAL.values())
# Cellpose stores some models under other file names.
FILE_OF = {name: model.weights.name for name, model in OFFICIAL.items() if name != model.weights.name}
NAME_OF = {file: name for name, file in FILE_OF.items()}
