"""Every restoring model of Cellpose, and no other, has a partner for nuclei."""

from __future__ import annotations

import pytest

from cellspan.core.models.official import OFFICIAL
from cellspan.core.models.partners import OFFERED, RESTORING, partner_for_nuclei

pytestmark = pytest.mark.quick
RESTORE = {name: model.weights.name for name, model in OFFICIAL.items() if model.kind == "restoration"}


def test_names_tell_which_models_restore() -> None:
    assert {name for name in OFFICIAL if RESTORING.fullmatch(name)} == set(RESTORE)


def test_offered_models_are_among_them() -> None:
    assert set(OFFERED) <= set(RESTORE)


def test_models_of_cellpose_have_partners() -> None:
    for name, file in RESTORE.items():
        partner = f"{file.partition('_')[0]}_nuclei"
        assert partner in RESTORE
        assert partner_for_nuclei(name) == partner_for_nuclei(f"cellpose/{name}") == partner


def test_other_models_serve_for_both() -> None:
    others = [name for name in OFFICIAL if name not in RESTORE]
    for name in (*others, "mine", "/models/denoise_cyto3"):
        assert partner_for_nuclei(name) == name
