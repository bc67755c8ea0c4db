"""What cannot go well is refused before CellProfiler is started, in one sentence that names the way out."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from cellspan.core.errors import CellspanError
from cellspan.cp_module.batch.block import Block
from cellspan.cp_module.batch.dependence import Told
from cellspan.cp_module.batch.pipeline import PipelineFile, read_pipeline
from cellspan.cp_module.batch.refusing import refuse_faults, refuse_hopeless, refuse_missing_models

pytestmark = pytest.mark.quick

HERE = Path(__file__).parent
MEASURE = read_pipeline(HERE / "pipelines" / "measure.cppipe")
OURS = read_pipeline(HERE.parent / "pipelines" / "nuclei.cppipe")
FILE = Path("my.cppipe")


def with_module(name: str, *lines: str, enabled: bool = True) -> PipelineFile:
    text = "\n".join([f"{name}:[module_num:11|enabled:{enabled}]", *(f"    {line}" for line in lines)])
    return PipelineFile(MEASURE.header, (*MEASURE.blocks, Block(text)))


@pytest.mark.parametrize("name", ["EditObjectsManually", "IdentifyObjectsManually"])
def test_modules_that_wait_for_a_person(name: str) -> None:
    with pytest.raises(CellspanError, match=rf"^my\.cppipe: {name} waits for a person in a window"):
        refuse_hopeless(with_module(name), FILE, None)
    refuse_hopeless(with_module(name, enabled=False), FILE, None)


def test_modules_that_wait_for_a_person_only_as_they_are_set() -> None:
    with pytest.raises(CellspanError, match="FlipAndRotate waits for a person"):
        refuse_hopeless(with_module("FlipAndRotate", "Select method to rotate image:Use mouse"), FILE, None)
    refuse_hopeless(with_module("FlipAndRotate", "Select method to rotate image:Enter angle"), FILE, None)


def test_a_plug_in_of_others_that_we_can_replace(tmp_path: Path) -> None:
    words = re.escape("the plug-in RunCellpose is not here; give its folder with --plugins DIR")
    with pytest.raises(CellspanError, match=words + r".* with: cellspan migrate my\.cppipe"):
        refuse_hopeless(with_module("RunCellpose"), FILE, None)
    with pytest.raises(CellspanError, match=words):
        refuse_hopeless(with_module("RunCellpose"), FILE, tmp_path)
    (tmp_path / "runcellpose.py").touch()
    refuse_hopeless(with_module("RunCellpose"), FILE, tmp_path)


def custom(name: str, engine: str = "Automatic") -> PipelineFile:
    lines = ("Select the model:Custom", f"Name or path of the custom model:{name}")
    return with_module("IdentifyObjectsByFlow", *lines, f"Where is the cellspan engine?:{engine}")


def test_a_model_that_does_not_exist() -> None:
    with pytest.raises(
        CellspanError, match=r"^my\.cppipe: There is no model 'my_modell'; the available models are: .*nuclei"
    ):
        refuse_missing_models(custom("my_modell"), FILE)
    refuse_missing_models(custom("nuclei"), FILE)
    refuse_missing_models(OURS, FILE)


def test_another_engine_may_have_other_models() -> None:
    refuse_missing_models(custom("my_modell", "Enter its path"), FILE)


def test_what_cellprofiler_finds_wrong_is_said_with_the_module_and_the_setting() -> None:
    fault = "Select metadata tags for grouping: Well is not one of Plate,Row"
    told = {1: Told("LoadData", True, (), False, (), fault), 2: Told("Resize", True, (), False, (), "")}
    words = rf"^my\.cppipe: CellProfiler finds a fault in module 1, LoadData: {re.escape(fault)}; .*--keep-going"
    with pytest.raises(CellspanError, match=words):
        refuse_faults(replace(MEASURE, told=told), FILE)
    second = {2: replace(told[2], fault="Select the input image: DNA not in Other.")}
    with pytest.raises(CellspanError, match=r"Plate,Row \(and 1 more\);"):
        refuse_faults(replace(MEASURE, told=told | second), FILE)
    refuse_faults(MEASURE, FILE)
