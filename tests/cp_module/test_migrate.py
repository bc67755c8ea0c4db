"""RunCellpose steps of every released layout become ours with the same values; nothing else of a pipeline changes."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from cellspan_plugin.layout import DEFAULTS, LABELS, ONE_VOLUME, REVISION, SLICES
from hypothesis import given
from hypothesis import strategies as st

from cellspan.core.errors import CellspanError
from cellspan.cp_module.migrate import migrate_pipeline, migrate_project
from cellspan.cp_module.read_project import as_text
from cellspan.cp_module.runcellpose import LAYOUTS

PIPELINES = Path(__file__).parent / "pipelines"
OLD = sorted((PIPELINES / "runcellpose").glob("*.cppipe"))
SCRIPT = Path(__file__).parent / "in_cellprofiler" / "load_migrated.py"
LAST = PIPELINES / "runcellpose" / "revision_8_39_values.cppipe"
FIRST = PIPELINES / "runcellpose" / "revision_1_12_values.cppipe"

quick = pytest.mark.quick
each_layout = pytest.mark.parametrize("old", OLD, ids=lambda path: path.stem)

# What RunCellpose offered: before it asked for the version, and for each version since; and for restoring, with v3.
BEFORE = "cyto nuclei tissuenet livecell cyto2 general CP CPx TN1 TN2 TN3 LC1 LC2 LC3 LC4 cyto2_omni custom"
OFFERED = {
    "omnipose": "cyto nuclei cyto2 custom",
    "v2": "cyto nuclei tissuenet livecell cyto2 general CP CPx TN1 TN2 TN3 LC1 LC2 LC3 LC4 custom",
    "v3": "cyto3 nuclei cyto2_cp3 tissuenet_cp3 livecell_cp3 yeast_PhC_cp3 yeast_BF_cp3 bact_phase_cp3 bact_fluor_cp3 "
    "deepbacs_cp3 cyto2 cyto custom",
    "v4": "cpsam custom",
}
RESTORING = "denoise_cyto3 deblur_cyto3 upsample_cyto3 denoise_nuclei deblur_nuclei upsample_nuclei"

# what the pipelines in pipelines/runcellpose ask for, since the revision and number of values that have the setting
ALWAYS = {
    "x_name": "Actin",
    "y_name": "MyCells",
    "model": "Cells",
    "use_nuclei_image": "Yes",
    "nuclei_image": "Dapi",
    "automatic_diameter": "No",
    "diameter": "42.0",
    "augment": "No",  # RunCellpose's averaging is another one, and this one takes four times as long
    "discard_border": "No",
    "advanced": "Yes",
    "save_probability": "Yes",
    "probability_name": "Prob",
}
SINCE = {
    "Flow threshold": {"flow_threshold": "0.7"},
    "Cell probability threshold": {"cellprob_threshold": "-1.5"},
    "Minimum size": {"min_size": "77"},
    "Invert images": {"invert": "Yes"},
    "Remove objects that are touching the edge?": {"discard_border": "Yes"},
    "Stitch Threshold": {"method_3d": SLICES, "stitch_threshold": "0.25"},
    "Z rescaling factor (anisotropy)": {"anisotropy": "2.0"},
    "Preprocess image before segmentation?": {
        "restore": "Yes",
        "restoring_model": "deblur_cyto3",
        "save_restored": "Yes",
        "restored_name": "Deblurred",
    },
}


@pytest.fixture(autouse=True)
def cellpose_models(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cellpose's folder of models, which is empty."""
    folder = tmp_path_factory.mktemp("cellpose")
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(folder))
    return folder


def migrated(path: Path) -> tuple[dict[str, str], str]:
    """The settings of our only step, by name, and the report."""
    content, report = migrate_pipeline(path)
    lines = content.decode().partition("IdentifyObjectsByFlow:")[2].split("\n\n")[0].splitlines()[1:]
    found = [line.strip().split(":", 1) for line in lines]
    assert [label for label, _ in found] == list(LABELS.values())
    return dict(zip(LABELS, (value for _, value in found), strict=True)), "\n".join(report)


def changed(folder: Path, old: Path, **changes: str) -> Path:
    """A copy of a pipeline with other values, by the text of the setting with _ for spaces, each time it occurs."""
    text = old.read_text()
    for name, value in changes.items():
        text, count = re.subn(
            rf"(?m)^( *{name.replace('_', ' ')}[^:\n]*:).*$", lambda match, v=value: match[1] + v, text
        )
        assert count, name
    path = folder / "changed.cppipe"
    path.write_text(text)
    return path


@quick
def test_there_is_a_pipeline_for_each_layout() -> None:
    assert len({path.read_text() for path in OLD}) == 12
    revisions = sorted(int(path.stem.split("_")[1]) for path in OLD)
    assert revisions == sorted([*(revision for revision, _ in LAYOUTS), 7])  # of revision 7, one text changed


@quick
@each_layout
def test_every_setting_that_the_layout_has_is_taken_over(old: Path) -> None:
    text = old.read_text()
    expected = {**DEFAULTS, **ALWAYS}
    for label, values in SINCE.items():
        if f"    {label}:" in text:
            expected.update(values)
    assert migrated(old)[0] == expected


@quick
@each_layout
def test_only_the_step_changes(old: Path) -> None:
    before, first, _ = re.split(r"(RunCellpose:.*\n)", old.read_text())
    content, _ = migrate_pipeline(old)
    first = re.sub(r"revision_number:\d+", f"revision_number:{REVISION}", first).replace(
        "RunCellpose", "IdentifyObjectsByFlow"
    )
    assert content.decode().startswith(before + first)


@quick
@pytest.mark.parametrize(
    ("mode", "model"),
    [("cyto", "Cells"), ("cyto2", "Cells"), ("livecell", "Cells"), ("cyto2_omni", "Cells"), ("nuclei", "Nuclei")],
)
def test_models_by_what_they_find(tmp_path: Path, mode: str, model: str) -> None:
    settings, report = migrated(changed(tmp_path, FIRST, Detection_mode=mode))
    assert settings["model"] == model
    assert settings["custom_model"] == ""
    assert f"the model {mode} becomes {model}" in report
    assert ("Omnipose has no equivalent" in report) == ("omni" in mode)


@quick
def test_the_nuclei_model_of_runcellpose_takes_one_channel(tmp_path: Path) -> None:
    settings, _ = migrated(changed(tmp_path, FIRST, Detection_mode="nuclei"))
    assert settings["use_nuclei_image"] == "No"


@quick
@pytest.mark.parametrize(
    ("version", "model"), [("omnipose", "cyto"), ("v2", "nuclei"), ("v3", "cyto3"), ("v4", "cpsam")]
)
def test_the_model_is_the_one_of_the_version(tmp_path: Path, version: str, model: str) -> None:
    settings, report = migrated(changed(tmp_path, LAST, Select_Cellpose_version=version))
    assert f"the model {model} becomes" in report
    assert settings["model"] == ("Nuclei" if model == "nuclei" else "Cells")
    assert f"`cellspan models fetch {model}`" in report
    assert ("Omnipose" in report) == (version == "omnipose")
    assert ("deblur_cyto3" in report) == (version == "v3")  # the others did not look at it
    assert settings["restore"] == ("Yes" if version == "v3" else "No")


@quick
@pytest.mark.parametrize(
    ("version", "name", "file", "entered"),
    [
        ("v2", "nuclei", "nucleitorch_0", "cellpose/nuclei"),
        ("v2", "TN1", "TN1", "TN1"),
        ("v3", "cyto3", "cyto3", "cyto3"),
        ("v4", "cpsam", "cpsam", "cpsam"),
    ],
)
def test_cellposes_own_model_stays_if_it_is_here(
    tmp_path: Path, cellpose_models: Path, version: str, name: str, file: str, entered: str
) -> None:
    (cellpose_models / file).touch()
    settings, report = migrated(changed(tmp_path, LAST, Select_Cellpose_version=version, Detection_mode=name))
    assert (settings["model"], settings["custom_model"]) == ("Custom", entered)
    assert settings["use_nuclei_image"] == ("No" if name == "nuclei" else "Yes")
    assert f"the model {name} is Cellpose's, as before; other computers need it too" in report


@quick
def test_restoring_says_what_is_still_to_be_fetched(tmp_path: Path, cellpose_models: Path) -> None:
    needs = "this needs `cellspan models fetch deblur_cyto3` and `cellspan models fetch deblur_nuclei` once"
    assert needs in migrated(LAST)[1]
    (cellpose_models / "deblur_cyto3").touch()
    assert "this needs `cellspan models fetch deblur_nuclei` once" in migrated(LAST)[1]
    alone = changed(tmp_path, LAST, Supply_nuclei_image="No")
    assert "deblur" not in migrated(alone)[1]
    settings, report = migrated(changed(tmp_path, LAST, Save_preprocessed="No"))
    assert (settings["restore"], settings["save_restored"]) == ("Yes", "No")
    assert settings["restored_name"] == DEFAULTS["restored_name"]
    off, report = migrated(changed(tmp_path, LAST, Preprocess_image="No"))
    assert off["restore"] == "No"
    assert "deblur" not in report


@quick
@pytest.mark.parametrize(
    ("folder", "path"),
    [
        ("Elsewhere...|/models/my lab", "/models/my lab/my_model"),
        ("Elsewhere...|/", "my_model"),
        (r"Elsewhere...|C:\\Users\\xenia\\models", "C:/Users/xenia/models/my_model"),
        (r"Elsewhere...|C:\models", "C:/models/my_model"),
        (r"Elsewhere...|\\server\share", "//server/share/my_model"),
        (r"Elsewhere...\x7C/models", "/models/my_model"),
        ("Elsewhere...|", "my_model"),
        ("Default Input Folder|", "my_model"),
        ("Default Output Folder sub-folder|models", "my_model"),
    ],
)
def test_a_model_of_ones_own_keeps_its_path(tmp_path: Path, folder: str, path: str) -> None:
    old = changed(tmp_path, FIRST, Detection_mode="custom", Location_of="PLACE")
    old.write_text(old.read_text().replace("PLACE", folder))
    settings, report = migrated(old)
    assert settings["model"] == "Custom"
    assert settings["custom_model"] == path
    assert ("enter its full path" in report) == ("/" not in path)


@quick
def test_own_models_of_cellpose_4_are_used_as_they_are(tmp_path: Path) -> None:
    old = changed(tmp_path, LAST, Detection_mode="custom", Select_Cellpose_version="v4")
    settings, report = migrated(old)
    assert settings["custom_model"] == "/models/ours/my_model"
    assert "/models/ours/my_model stays in its folder" in report


@quick
@pytest.mark.parametrize(
    ("changes", "diameter"),
    [
        ({"Expected_object_diameter": "0"}, None),
        ({"Select_Cellpose_version": "v4"}, None),
        ({"Select_Cellpose_version": "v4", "Specify_expected_object_diameter": "Yes"}, "42.0"),
        ({"Select_Cellpose_version": "v2"}, "42.0"),
    ],
)
def test_the_diameter_is_estimated_where_it_was(tmp_path: Path, changes: dict[str, str], diameter: str | None) -> None:
    settings, _ = migrated(changed(tmp_path, LAST, **changes))
    assert settings["automatic_diameter"] == ("No" if diameter else "Yes")
    assert settings["diameter"] == (diameter or DEFAULTS["diameter"])


@quick
def test_no_minimum_size_is_zero_here(tmp_path: Path) -> None:
    assert migrated(changed(tmp_path, LAST, Minimum_size="-1"))[0]["min_size"] == "0"


@quick
@pytest.mark.parametrize(
    ("changes", "method", "overlap"),
    [
        ({"Use_3D": "Yes"}, ONE_VOLUME, "0.25"),
        ({"Stitch_Threshold": "0.6"}, SLICES, "0.6"),
        ({"Stitch_Threshold": "0.0"}, ONE_VOLUME, DEFAULTS["stitch_threshold"]),
        ({"Use_3D": "Yes", "Stitch_Threshold": "0.0"}, ONE_VOLUME, DEFAULTS["stitch_threshold"]),
    ],
)
def test_stacks_are_segmented_in_the_same_way(
    tmp_path: Path, changes: dict[str, str], method: str, overlap: str
) -> None:
    settings, report = migrated(changed(tmp_path, LAST, **changes))
    assert (settings["method_3d"], settings["stitch_threshold"]) == (method, overlap)
    assert "3D" not in report
    assert "Stitch" not in report


@quick
@pytest.mark.parametrize(("answer", "anisotropy"), [("Yes", "0.0"), ("No", "1.0")])
def test_the_distance_of_slices_is_the_spacing_unless_it_was_not(tmp_path: Path, answer: str, anisotropy: str) -> None:
    assert migrated(changed(tmp_path, LAST, Rescale_for_anisotropy=answer))[0]["anisotropy"] == anisotropy


@quick
@pytest.mark.parametrize(("gpu", "device"), [("Yes", "Automatic"), ("No", "CPU")])
def test_the_graphics_card_is_used_where_it_was(tmp_path: Path, gpu: str, device: str) -> None:
    settings, report = migrated(changed(tmp_path, LAST, Use_GPU=gpu))
    assert settings["device"] == device
    assert "GPU" not in report


@quick
@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({}, "the container cellprofiler/cellpose:3.1.1.2 is no longer needed"),
        ({}, "the image is restored with deblur_cyto3, as before; this needs `cellspan models fetch deblur_cyto3`"),
        ({}, "averaging is switched off"),
        ({}, "the image Prob now ranges from 0 to 1"),
        ({"Select_Cellpose_version": "omnipose"}, "Omnipose has no equivalent"),
    ],
)
def test_what_has_no_counterpart_is_named(tmp_path: Path, changes: dict[str, str], note: str) -> None:
    assert f"module 1 (MyCells): {note}" in migrated(changed(tmp_path, LAST, **changes))[1]


@quick
def test_nothing_is_said_of_what_is_not_used(tmp_path: Path) -> None:
    off = ("Use_3D", "Preprocess", "Save_probability", "Use_averaging", "Use_GPU")
    old = changed(tmp_path, LAST, Run_CellPose="Python", Stitch_Threshold="0.0", **dict.fromkeys(off, "No"))
    _, report = migrated(old)
    assert [line.split(": ")[1].split(" becomes")[0] for line in report.splitlines()] == [
        "RunCellpose",
        "the model cyto3",
    ]


def block(path: Path) -> str:
    """The RunCellpose step of a pipeline."""
    return path.read_text().partition("\n\n")[2]


HEADER = "CellProfiler Pipeline: http://www.cellprofiler.org\nVersion:5\nModuleCount:3\n"
# of bytes, because what is no UTF-8 must survive too; blank lines would separate modules
values = st.binary(max_size=12).filter(lambda value: not set(value) & set(b"\r\n"))
settings = st.lists(st.tuples(st.sampled_from([b"Filter images?", b"Select the input image", b""]), values), max_size=3)
other_modules = st.lists(
    st.tuples(st.sampled_from([b"Images", b"Crop", b"RunCellposeLater"]), values, settings), max_size=3
)


def as_file(modules: list[Any], end: bytes) -> bytes:
    blocks = []
    for name, note, lines in modules:
        first = name + b":[module_num:1|variable_revision_number:2|notes:['" + note + b"']]" + end
        blocks.append(first + b"".join(b"    " + text + b":" + value + end for text, value in lines))
    return b"".join(block + end for block in blocks)


@quick
@given(
    before=other_modules, after=other_modules, end=st.sampled_from([b"\n", b"\r\n", b"\r"]), old=st.sampled_from(OLD)
)
def test_other_modules_pass_through_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, before: list[Any], after: list[Any], end: bytes, old: Path
) -> None:
    start = HEADER.encode().replace(b"\n", end) + end + as_file(before, end)
    rest = end + as_file(after, end)
    path = tmp_path_factory.getbasetemp() / "any.cppipe"
    path.write_bytes(start + block(old).encode().replace(b"\n", end) + rest)
    content, _ = migrate_pipeline(path)
    assert content.startswith(start + b"IdentifyObjectsByFlow:[module_num:1|")
    assert content.endswith(rest)
    ours = content[len(start) : len(content) - len(rest)]
    assert ours.count(end) == len(LABELS) + 1
    assert b"\n" not in ours.replace(end, b"")
    assert b"\r" not in ours.replace(end, b"")


@quick
def test_a_file_without_a_last_line_end_gets_none(tmp_path: Path) -> None:
    path = tmp_path / "old.cppipe"
    path.write_bytes(FIRST.read_bytes().rstrip(b"\n"))
    content, _ = migrate_pipeline(path)
    assert content + b"\n" == migrate_pipeline(FIRST)[0]


@quick
def test_several_steps_are_all_replaced(tmp_path: Path) -> None:
    path = tmp_path / "old.cppipe"
    second = block(FIRST).replace("module_num:1|", "module_num:2|").replace("MyCells", "Others")
    path.write_text(HEADER + "\n" + block(LAST) + "\n" + second)
    content, report = migrate_pipeline(path)
    assert content.count(b"IdentifyObjectsByFlow:[") == 2
    assert b"RunCellpose" not in content
    assert any(line.startswith("module 2 (Others): ") for line in report)
    assert report[-1] == "The header lists 3 modules, but the file has 2; check that the file is complete."


def bad(folder: Path, content: bytes) -> str:
    """The sentence that such a file gets, without its name."""
    path = folder / "bad.cppipe"
    path.write_bytes(content)
    with pytest.raises(CellspanError) as caught:
        migrate_pipeline(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


@quick
def test_a_pipeline_without_runcellpose(tmp_path: Path) -> None:
    assert "has no RunCellpose step" in bad(tmp_path, (PIPELINES / "nuclei.cppipe").read_bytes())


@quick
def test_an_unknown_layout_is_named_by_revision_and_number(tmp_path: Path) -> None:
    text = LAST.read_text()
    assert "(revision 8, 38 values)" in bad(tmp_path, text.replace("    Use 3D:No\n", "").encode())
    assert "(revision 8, 40 values)" in bad(tmp_path, (text + "    Something new:1\n").encode())
    assert "(revision 9, 39 values)" in bad(tmp_path, text.replace("revision_number:8", "revision_number:9").encode())
    assert "(revision 8, 0 values)" in bad(tmp_path, re.sub(r"(?m)^    .*\n", "", text).encode())
    swapped = text.replace("    Use 3D:No\n", "").replace("    Minimum size", "    Use 3D:No\n    Minimum sizes")
    assert "(revision 8, 39 values)" in bad(tmp_path, swapped.encode())


@quick
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "it does not begin with 'CellProfiler Pipeline:'"),
        (b"{\n \"modules\": []}", "a pipeline in JSON; open it in CellProfiler"),
        (b"\x89HDF\r\n\x1a\n\0\0", "a project \\(HDF5\\); open it in CellProfiler"),
        (b"MATLAB 5.0 MAT-file", "an old .cp pipeline \\(MATLAB\\); open it in CellProfiler"),
        (HEADER.replace("ModuleCount:3\n", "").encode(), "its header has no ModuleCount"),
        (HEADER.replace("Version:5", "Version:7").encode(), "format version '7' are not supported"),
    ],
)  # fmt: skip
def test_what_is_no_pipeline(tmp_path: Path, content: bytes, sentence: str) -> None:
    assert re.search(sentence, bad(tmp_path, content))


@quick
@pytest.mark.parametrize(
    ("label", "value", "sentence"),
    [
        (
            "Expected_object_diameter",
            "large",
            "'Expected object diameter' of RunCellpose is 'large', which is not a number",
        ),
        ("Flow_threshold", "nan", "'Flow threshold' of RunCellpose is 'nan', which is not a number"),
        ("Use_3D", "perhaps", "'Use 3D' of RunCellpose is 'perhaps' instead of Yes or No"),
        ("Select_Cellpose_version", "v9", "'Select Cellpose version' of RunCellpose is 'v9'"),
    ],
)
def test_values_that_no_runcellpose_writes(tmp_path: Path, label: str, value: str, sentence: str) -> None:
    content = changed(tmp_path, LAST, **{label: value}).read_bytes()
    assert bad(tmp_path, content).startswith(f"module 1: {sentence}")


@quick
def test_a_step_without_a_revision(tmp_path: Path) -> None:
    assert "has no revision" in bad(tmp_path, LAST.read_bytes().replace(b"variable_revision_number:8|", b""))


@quick
def test_the_command_line(tmp_path: Path, cellspan: Any) -> None:
    old, new = tmp_path / "old.cppipe", tmp_path / "new.cppipe"
    old.write_bytes(LAST.read_bytes())
    done = cellspan("migrate", old, new)
    content, report = migrate_pipeline(LAST)
    assert new.read_bytes() == content
    assert done.stdout.splitlines() == [*report, str(new)]
    assert old.read_bytes() == LAST.read_bytes()
    assert "exists" in cellspan("migrate", old, new, check=False).stderr
    cellspan("migrate", old, new, "--overwrite")
    assert cellspan("migrate", old).stdout.splitlines()[-1] == str(tmp_path / "old_cellspan.cppipe")


@quick
def test_the_command_line_names_what_it_cannot_do(tmp_path: Path, cellspan: Any) -> None:
    files = {"nothing.cppipe": b"", "project.cpproj": b"\x89HDF", "missing.cppipe": None}
    for name, content in files.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        done = cellspan("migrate", tmp_path / name, tmp_path / "new.cppipe", check=False)
        assert done.returncode == 2
        assert name in done.stderr
    assert not (tmp_path / "new.cppipe").exists()


def in_project(old: Path, folder: Path, plugin_folder: Path, in_cellprofiler: Any) -> Path:
    """A project with this pipeline, saved by CellProfiler."""
    project = folder / "a project.cpproj"
    done = in_cellprofiler(SCRIPT.with_name("save_project.py"), plugin_folder, old, project)
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.mark.end_to_end
def test_the_pipeline_in_a_project(tmp_path: Path, in_cellprofiler: Any, plugin_folder: Path, cellspan: Any) -> None:
    """Without h5py here, CellProfiler's Python reads it."""
    text = (PIPELINES / "nuclei.cppipe").read_text()
    pipeline = tmp_path / "old.cppipe"
    pipeline.write_text(text)
    project = in_project(pipeline, tmp_path, plugin_folder, in_cellprofiler)
    assert "has no RunCellpose step" in cellspan("migrate", project, check=False).stderr
    # CellProfiler does not load RunCellpose without the plug-in, so the step is put into the project's text.
    with_cellpose = tmp_path / "cellpose.cpproj"
    step = in_cellprofiler(SCRIPT.with_name("save_project.py"), plugin_folder, LAST, with_cellpose, "as it is")
    assert step.returncode == 0, step.stdout + step.stderr
    done = cellspan("migrate", with_cellpose)
    new = tmp_path / "cellpose_cellspan.cppipe"
    assert done.stdout.splitlines()[-1] == str(new)
    assert new.read_bytes() == migrate_pipeline(LAST)[0]
    assert "list of images is not part" in done.stdout
    refused = cellspan("migrate", with_cellpose, tmp_path / "new.cpproj", check=False)
    assert "a .cppipe file" in refused.stderr
    with_cellpose.write_bytes(with_cellpose.read_bytes()[:3000])
    damaged = cellspan("migrate", with_cellpose, tmp_path / "other.cppipe", check=False)
    assert damaged.returncode == 2
    assert "the project is damaged" in damaged.stderr


@quick
def test_a_project_that_cannot_be_read_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CELLSPAN_CELLPROFILER_PYTHON", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "h5py", None)
    project = tmp_path / "old.cpproj"
    project.write_bytes(b"\x89HDF\r\n\x1a\n\0\0")
    with pytest.raises(CellspanError, match=r"`pip install h5py`; or open it in CellProfiler") as caught:
        migrate_project(project)
    assert str(project) in str(caught.value)


@quick
@pytest.mark.parametrize(
    "stored", [b"CellProfiler Pipeline:\n\xc3\xa4", "CellProfiler Pipeline:\n\xe4", b"CellProfiler Pipeline:\\n\\xe4"]
)
def test_texts_as_versions_of_cellprofiler_store_them(stored: bytes | str) -> None:
    assert as_text(stored) == "CellProfiler Pipeline:\n\xe4"


@pytest.mark.data
@pytest.mark.end_to_end
def test_cellprofiler_loads_what_comes_out(
    tmp_path: Path, in_cellprofiler: Any, plugin_folder: Path, shared_data: Path
) -> None:
    """A pipeline of each layout, and a real one whose primary objects are RunCellpose's."""
    real = shared_data / "cellprofiler_examples" / "human" / "ExampleHuman.cppipe"
    old = real.read_bytes()
    step = re.search(rb"IdentifyPrimaryObjects:\[(?s:.*?)\n(?=\n)", old)
    assert step
    names = {b"Actin": b"DNA", b"Dapi": b"PH3", b"MyCells": b"Nuclei", b"module_num:1|": b"module_num:5|"}
    cellpose = block(LAST).encode()
    for name, other in names.items():
        cellpose = cellpose.replace(name, other)
    (tmp_path / "ExampleHuman.cppipe").write_bytes(old.replace(step[0], cellpose))

    new = {}
    for path in (*OLD, tmp_path / "ExampleHuman.cppipe"):
        new[path.stem] = tmp_path / f"{path.stem}_new.cppipe"
        new[path.stem].write_bytes(migrate_pipeline(path)[0])
    done = in_cellprofiler(SCRIPT, plugin_folder, *new.values(), real)
    assert done.returncode == 0, done.stdout + done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])

    for path in OLD:
        found = loaded[str(new[path.stem])]
        (module,) = found["modules"]
        assert module == {
            "module_name": "IdentifyObjectsByFlow",
            "module_num": 1,
            "enabled": True,
            "show_window": True,
            "wants_pause": True,
            "notes": ["Whole cells | by Cellpose"],
        }
        assert found["ours"] == [migrated(path)[0]], path.stem
    human, before = loaded[str(new["ExampleHuman"])], loaded[str(real)]
    assert human["faults"] == [""]
    assert len(human["modules"]) == len(before["modules"])
    ours = [module["module_name"] == "IdentifyObjectsByFlow" for module in human["modules"]]
    assert sum(ours) == 1
    for module, was, is_ours in zip(human["modules"], before["modules"], ours, strict=True):
        assert is_ours or module == was


def with_every_model(folder: Path) -> list[Path]:
    """Each layout with each model that it offered, and each model that restores."""
    paths = []

    def write(old: Path, **changes: str) -> None:
        path = changed(folder, old, **changes)
        paths.append(path.rename(folder / f"{len(paths)}.cppipe"))

    for old in OLD:
        if "Select Cellpose version" not in old.read_text():
            for model in BEFORE.split():
                write(old, Detection_mode=model)
            continue
        for version, models in OFFERED.items():
            for model in models.split():
                write(old, Select_Cellpose_version=version, Detection_mode=model)
        for model in RESTORING.split():
            write(old, Select_Cellpose_version="v3", Preprocessing_model=model)
    return paths


@pytest.mark.end_to_end
def test_cellprofiler_loads_every_layout_with_every_model(
    tmp_path: Path, in_cellprofiler: Any, plugin_folder: Path, cellpose_models: Path
) -> None:
    for name in ("cyto3", "cpsam", "TN1", "nucleitorch_0"):
        (cellpose_models / name).touch()
    expected = {}
    for old in with_every_model(tmp_path):
        expected[str(old.with_suffix(".new.cppipe"))] = migrated(old)[0]
        old.with_suffix(".new.cppipe").write_bytes(migrate_pipeline(old)[0])
    done = in_cellprofiler(SCRIPT, plugin_folder, *expected)
    assert done.returncode == 0, done.stdout + done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert {path: found["ours"] for path, found in loaded.items()} == {path: [one] for path, one in expected.items()}
    # No module of these pipelines loads an image, which is all that the editor may say of them.
    faults = {fault for found in loaded.values() for fault in found["faults"]}
    assert all("No prior instances of imagegroup" in fault for fault in faults), faults
    entered = {one["custom_model"] for one in expected.values()}
    assert entered == {"", "cyto3", "cpsam", "TN1", "cellpose/nuclei", "/models/ours/my_model"}
    assert {one["restoring_model"] for one in expected.values() if one["restore"] == "Yes"} == {*RESTORING.split()}
