"""The table "Which model when" has the scores of the models, and every program gives the same advice."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellspan.core.models.official import OFFICIAL, WHICH_MODEL

from .which_model import PAGE, ROWS, ap50, table, with_table

ROOT = Path(__file__).parents[2]


@pytest.mark.quick
def test_the_table_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert table() in text
    assert with_table(text) == text, "run: python -m tests.docs.which_model"


@pytest.mark.quick
def test_the_other_models_can_be_had() -> None:
    named = {name for row in ROWS for name in re.findall(r"`(\w+)`", row.otherwise)}
    assert named - {"cyto"} <= set(OFFICIAL)


@pytest.mark.quick
def test_of_two_models_the_better_one_is_advised() -> None:
    nuclei = ROWS[0]
    assert all(ap50("nuclei", source) >= ap50("cyto", source) for source in nuclei.sources)


@pytest.mark.quick
@pytest.mark.parametrize("file", ["cp_module/plugin/cellspan_plugin/settings.py", "macros/help.groovy"])
def test_the_same_advice_everywhere(file: str) -> None:
    said = re.sub(r'"\s*\+?\s*"|`', "", (ROOT / file).read_text(encoding="utf-8"))
    assert WHICH_MODEL.replace("`", "") in " ".join(said.split())


def blocks() -> list[str]:
    """The commands of the section on computers without internet."""
    section = PAGE.read_text(encoding="utf-8").split("## A computer without internet")[1].split("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```", section, re.M | re.S)


@pytest.mark.end_to_end
def test_a_model_is_carried_to_a_computer_without_internet(
    tmp_path: Path, models_server: str, engine_home: Path
) -> None:
    """The commands as they stand on the page, on two computers: two home folders."""
    (tmp_path / "images").mkdir()
    tifffile.imwrite(tmp_path / "images" / "field.tif", np.random.default_rng(0).random((64, 64), np.float32))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if name != "CELLPOSE_LOCAL_MODELS_PATH"}
    for home, commands, address in zip(
        ("with", "without"), blocks(), (models_server, "http://127.0.0.1:9"), strict=True
    ):
        (tmp_path / home).mkdir()
        own = {"HOME": str(tmp_path / home), "XDG_CACHE_HOME": str(tmp_path / home / "cache"), "PATH": path}
        done = subprocess.run(
            ["bash", "-euc", commands],
            cwd=tmp_path,
            env={**environment, **own, "CELLSPAN_MODELS_URL": address},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "results" / "field_labels.tif").exists()
