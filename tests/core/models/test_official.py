"""The names that Cellpose has ever offered: each is known, with its file and channels, or with why it is not here."""

from __future__ import annotations

import pytest

from cellspan.core.models.official import ELSEWHERE, FILE_OF, NAME_OF, OFFICIAL, OFFICIAL_FILES

pytestmark = pytest.mark.quick
# MODEL_NAMES of cellpose 1.0.2, 2.0.5, 2.2.3, 3.0.11 and 3.1.1.2, and what RunCellpose offers for them.
NAMES = """
cyto nuclei cyto2 bact bact_omni cyto2_omni tissuenet livecell general CP CPx TN1 TN2 TN3 LC1 LC2 LC3 LC4 cyto3
cyto2_cp3 tissuenet_cp3 livecell_cp3 yeast_PhC_cp3 yeast_BF_cp3 bact_phase_cp3 bact_fluor_cp3 deepbacs_cp3
transformer_cp3 neurips_cellpose_default neurips_cellpose_transformer neurips_grayscale_cyto2
"""


@pytest.mark.parametrize("name", NAMES.split())
def test_every_name_that_cellpose_offered_is_known(name: str) -> None:
    assert (name in OFFICIAL) != (name in ELSEWHERE)


def test_files_are_those_of_cellpose() -> None:
    assert FILE_OF == {"cyto": "cytotorch_0", "cyto2": "cyto2torch_0", "nuclei": "nucleitorch_0"}
    assert {file: name for name, file in FILE_OF.items()} == NAME_OF
    sizes = {name: model.sizes.name for name, model in OFFICIAL.items() if model.sizes}
    assert sizes == {
        "cyto": "size_cytotorch_0.npy",
        "cyto2": "size_cyto2torch_0.npy",
        "cyto3": "size_cyto3.npy",
        "nuclei": "size_nucleitorch_0.npy",
    }
    assert len(OFFICIAL_FILES) == len(OFFICIAL)
    assert all(model.images for model in OFFICIAL.values())


def test_channels_and_kinds() -> None:
    of_flows = {name: model.channels for name, model in OFFICIAL.items() if model.kind == "flow-cnn"}
    assert [name for name, channels in of_flows.items() if channels != 2] == ["neurips_cellpose_default"]
    of_transformers = [(name, model.channels) for name, model in OFFICIAL.items() if model.kind == "flow-sam"]
    assert of_transformers == [("cpsam", 3), ("cpsam_v2", 3)]
    restoring = {name: model.channels for name, model in OFFICIAL.items() if model.kind == "restoration"}
    assert set(restoring.values()) == {1}
    assert len(restoring) == 38  # as in cellpose.denoise.MODEL_NAMES of 3.1.1.2, which the peer's test compares
    assert {"denoise_cyto3", "oneclick_per_cyto2", "upsample_nuclei", "aniso_nuclei"} <= restoring.keys()
