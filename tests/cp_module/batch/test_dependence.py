"""Which modules may run without the other image sets: the table, and every module of the installed CellProfiler."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cellspan.cp_module.batch.block import Block
from cellspan.cp_module.batch.dependence import (
    ACROSS,
    ASKS_ONLY_IN_WINDOWS,
    INTERACTIVE,
    KNOWN,
    OWN_SET,
    Need,
    Needs,
    Rule,
    Told,
    is_interactive,
    needs_in,
    needs_of,
)

# Prints, of each module: its settings with their possible values, its hooks, words of its source, and for each value
# of each setting whether the module then says that it combines image sets.
EVERY_MODULE = """
import inspect, json, sys
import cellprofiler_core.preferences as preferences
preferences.set_headless()
from cellprofiler_core.constants.modules import all_modules
from cellprofiler_core.module import Module
from cellprofiler_core.utilities.core import modules
modules.fill_modules()
HOOKS = ("prepare_group", "post_group", "post_run")
told = {}
for name, kind in all_modules.items():
    module, source = kind(), inspect.getsource(inspect.getmodule(kind))
    combines, texts = [], {}
    for setting in module.settings():
        choices = getattr(setting, "choices", None)
        values = list(choices) if choices else ["Yes", "No"] if type(setting).__name__ == "Binary" else []
        texts.setdefault(str(setting.text), []).extend(str(value) for value in values)
        before = setting.value_text
        for value in values:
            setting.set_value_text(str(value))
            combines.append([str(setting.text), str(value), bool(module.is_aggregation_module())])
        setting.set_value_text(before)
    told[name] = {
        "hooks": [hook for hook in HOOKS if getattr(kind, hook) is not getattr(Module, hook)],
        "always": bool(module.is_aggregation_module()),
        "combines": combines,
        "texts": texts,
        "asks": "interaction_request" in source,
        "of_run": "add_experiment_measurement" in source,
        "remembers": "self.get_dictionary(" in source,
    }
print("\\nTOLD" + json.dumps(told))
"""
# These have such a hook or memory, and yet need their own image set only; OWN_SET has the reasons.
HARMLESS = {"ClassifyObjects", "Crop", "FilterObjects"}
HARMLESS |= {"ExportToDatabase", "ExportToSpreadsheet", "MeasureImageQuality"}
# Only after a person has turned the image with the mouse, which is refused.
MOUSE_ONLY = {"FlipAndRotate"}


def block(name: str, **settings: str) -> Block:
    lines = [f"    {text}:{value}" for text, value in settings.items()]
    return Block("\n".join([f"{name}:[module_num:1|enabled:True]", *lines]))


def set_to(name: str, text: str, value: str) -> Block:
    return block(name, **{text: value})


@pytest.mark.quick
def test_every_module_is_in_one_place_only() -> None:
    names = [name for names in OWN_SET.values() for name in names]
    assert len(names) == len(set(names))
    assert set(names).isdisjoint(ACROSS)
    assert all(rule.reason for rules in ACROSS.values() for rule in rules)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("module", "needs"),
    [
        (set_to("RescaleIntensity", "Method to calculate the minimum intensity", "Minimum of all images"), Needs.GROUP),
        (set_to("RescaleIntensity", "Method to calculate the maximum intensity", "Maximum of all images"), Needs.GROUP),
        (set_to("RescaleIntensity", "Method to calculate the maximum intensity", "Custom"), Needs.OWN_SET),
        (set_to("Tile", "Tile assembly method", "Across cycles"), Needs.GROUP),
        (set_to("Tile", "Tile assembly method", "Within cycles"), Needs.OWN_SET),
        (set_to("DefineGrid", "Define a grid for which cycle?", "Once"), Needs.RUN),
        (set_to("DefineGrid", "Define a grid for which cycle?", "Each cycle"), Needs.OWN_SET),
        (set_to("UntangleWorms", "Train or untangle worms?", "Train"), Needs.RUN),
        (set_to("SaveImages", "When to save", "First cycle"), Needs.GROUP),
        (set_to("SaveImages", "When to save", "Last cycle"), Needs.GROUP),
        (set_to("SaveImages", "When to save", "Every cycle"), Needs.OWN_SET),
        (set_to("SaveImages", "Select the type of image to save", "Movie"), Needs.GROUP),
        (set_to("FlagImage", "Ignore flag skips on last cycle?", "Yes"), Needs.GROUP),
        (set_to("CorrectIlluminationCalculate", "Calculate function for each image", "All: First cycle"), Needs.GROUP),
        (block("CalculateStatistics"), Needs.RUN),
        (block("MakeProjection"), Needs.GROUP),
        (block("TrackObjects"), Needs.GROUP),
        (block("IdentifyPrimaryObjects"), Needs.OWN_SET),
    ],
    ids=lambda value: value.text.replace("\n", " ") if isinstance(value, Block) else value.name,
)
def test_what_a_module_needs_depends_on_its_settings(module: Block, needs: Needs) -> None:
    assert needs_of(module).needs is needs


@pytest.mark.quick
def test_what_cellprofiler_reads_comes_before_the_words_of_an_old_file() -> None:
    old = block("Tile", **{"Tiling:": "Across cycles"})
    assert needs_in({7: old}, {}) == []
    told = Told("Tile", True, ("prepare_group",), True, (("Tile assembly method", "Across cycles"),))
    (need,) = needs_in({7: old}, {7: told})
    assert need == Need("Tile", Needs.GROUP, "tiles the images of all image sets", "Tile assembly method")


@pytest.mark.quick
@pytest.mark.parametrize(
    ("hooks", "aggregates", "needs"),
    [
        ((), False, Needs.OWN_SET),
        (("prepare_group",), False, Needs.GROUP),
        (("post_group",), False, Needs.GROUP),
        ((), True, Needs.GROUP),
        (("post_run", "prepare_group"), True, Needs.RUN),
    ],
)
def test_a_plug_in_of_others_is_divided_as_it_says_itself(
    hooks: tuple[str, ...], aggregates: bool, needs: Needs
) -> None:
    told = {1: Told("TheirModule", False, hooks, aggregates, ())}
    found = needs_in({1: block("TheirModule")}, told)
    assert [need.needs for need in found] == ([needs] if needs > Needs.OWN_SET else [])


@pytest.mark.quick
def test_a_known_module_that_newly_says_that_it_combines_image_sets_is_believed() -> None:
    told = {1: Told("Resize", True, (), True, ())}
    assert [need.needs for need in needs_in({1: block("Resize")}, told)] == [Needs.GROUP]


@pytest.mark.quick
def test_modules_that_wait_for_a_person_are_known() -> None:
    assert is_interactive(block("EditObjectsManually"))
    assert is_interactive(set_to("FlipAndRotate", "Select method to rotate image", "Use mouse"))
    assert not is_interactive(set_to("FlipAndRotate", "Select method to rotate image", "Enter angle"))
    shape, method = "Select the cropping shape", "Select the cropping method"
    assert is_interactive(block("Crop", **{shape: "Rectangle", method: "Mouse"}))
    assert not is_interactive(block("Crop", **{shape: "Objects", method: "Mouse"}))
    assert not is_interactive(block("Resize"))


@pytest.fixture(scope="module")
def every_module(cellprofiler_python: Path) -> dict[str, dict[str, Any]]:
    """What each module of the installed CellProfiler says about itself."""
    command = [cellprofiler_python, "-c", EVERY_MODULE]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
    line = next((line for line in done.stdout.splitlines() if line.startswith("TOLD")), "")
    assert line, done.stderr
    told: dict[str, dict[str, Any]] = json.loads(line.removeprefix("TOLD"))
    assert len(told) > 70
    return told


Every = dict[str, dict[str, Any]]


@pytest.mark.end_to_end
def test_no_module_of_cellprofiler_is_forgotten(every_module: Every) -> None:
    assert sorted(set(every_module) - KNOWN) == []
    assert sorted(KNOWN - set(every_module)) == ["IdentifyObjectsByFlow", "RunCellpose"], "plug-ins"


@pytest.mark.end_to_end
def test_the_settings_and_values_of_the_table_exist(every_module: Every) -> None:
    rules = [(name, rule.setting, rule.values) for name, of in ACROSS.items() for rule in of if rule.setting]
    rules += [(name, text, values) for name, of in INTERACTIVE.items() for text, values in of]
    assert len(rules) > 15
    for name, text, values in rules:
        known = [value for one, of in every_module[name]["texts"].items() if one.startswith(text) for value in of]
        for value in values:
            assert any(one.startswith(value) for one in known), (name, text, value, known)


@pytest.mark.end_to_end
def test_a_module_that_says_that_it_combines_image_sets_is_not_divided(every_module: Every) -> None:
    """By `is_aggregation_module`, for every value of every setting."""
    seen = 0
    for name, told in every_module.items():
        assert not told["always"] or any(not rule.setting for rule in ACROSS[name]), name
        for text, value, combines in told["combines"]:
            seen += combines
            if combines:
                assert needs_of(set_to(name, text, value)).needs >= Needs.GROUP, (name, text, value)
    assert seen > 10


@pytest.mark.end_to_end
def test_a_module_that_works_before_or_after_the_image_sets_is_not_divided(every_module: Every) -> None:
    """By its hooks `prepare_group`, `post_group` and `post_run`, and by what it remembers between image sets."""
    for name, told in every_module.items():
        if name in HARMLESS | MOUSE_ONLY:
            assert name not in ACROSS
        elif "post_run" in told["hooks"]:
            assert any(rule.needs is Needs.RUN for rule in ACROSS[name]), name
        elif told["hooks"] or told["remembers"]:
            assert name in ACROSS, name


@pytest.mark.end_to_end
def test_measurements_of_the_run_are_those_that_merging_knows(every_module: Every) -> None:
    """MeasureImageQuality's are calculated again, and of TrackObjects' the last ones are right, as in one run."""
    alone = {name for name, rules in ACROSS.items() if any(rule.needs is Needs.RUN for rule in rules)}
    known = {"MeasureImageQuality", "TrackObjects", "ExportToDatabase"}  # the last one stores a list for itself
    assert {name for name, told in every_module.items() if told["of_run"]} - alone == known


@pytest.mark.end_to_end
def test_a_module_that_asks_a_person_is_refused(every_module: Every) -> None:
    assert {name for name, told in every_module.items() if told["asks"]} == set(INTERACTIVE) | ASKS_ONLY_IN_WINDOWS


@pytest.mark.quick
def test_a_rule_without_a_setting_always_holds() -> None:
    assert Rule(Needs.RUN, "why").holds(block("Any"))
    assert not Rule(Needs.RUN, "why", "Text", ("Yes",)).holds(set_to("Any", "Text", "No"))
