"""The Groovy commands in the real ImageJ, run as Fiji runs them: with and without a display."""

from __future__ import annotations

import csv
import re
import shutil
import sys
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import tifffile

from cellspan.core import Parameters, Segmenter
from cellspan.core.cli.programs import problem_line
from cellspan.core.errors import CellspanError, missing_channel
from cellspan.core.models.registry import BUNDLED, user_models
from cellspan.core.training.simulate import simulate_nuclei
from cellspan.fiji_bridge.install import install

pytestmark = pytest.mark.end_to_end

DOCUMENT = Path(__file__).parents[2] / "docs" / "fiji.md"
PROGRAMS = Path(__file__).parent / "programs"
ROI_PLACES = Path(__file__).parents[1] / "roi_places.csv"
PROGRAM = PROGRAMS / "run_script.groovy"
ENGINE_WITH_A_PROBLEM = """
import sys
print("[1/1] FAILED words that nobody looks into", file=sys.stderr)
print(r'''{line}''', file=sys.stderr)
print("NOTE something to know", file=sys.stderr)
print("0 objects in 0 of 1 images")
sys.exit(1)
"""
IN_A_MACRO = """
arguments = split(getArgument(), "\\n");
serve = "new GroovyShell(ij.IJ.classLoader).evaluate(new File('" + arguments[0] + "')).serveMacros()";
newImage("field", "8-bit black", 64, 64, 1);
run("Select None"); // ImageJ learns what commands it has
call("groovy.util.Eval.me", serve);
run("Segment Cells", "model=nuclei " + arguments[1]);
print("the macro went on");
"""
RECORDED = [
    "Segment Cells",
    "Segment Cells with Nuclei",
    "Segment Folder",
    "Track Objects",
    "Train from ROIs",
    "Use Cellpose Model",
]
display_or_not = pytest.mark.parametrize("with_display", [True, False], ids=["window", "headless"])


@pytest.fixture
def hyperstack(tmp_path: Path) -> Path:
    """Two channels, three slices, two frames, in which nuclei move a little; pixels of half a micrometre."""
    path = tmp_path / "Bilder ñ" / "cells.tif"
    path.parent.mkdir()
    slices = np.stack([simulate_nuclei((120, 150), diameter=26, seed=seed).image for seed in range(3)])
    nuclei = np.stack([slices, np.roll(slices, 2, axis=2)])
    stack = np.stack([np.full_like(nuclei, 100), nuclei], axis=2)
    tifffile.imwrite(path, stack, imagej=True, resolution=(2, 2), metadata={"axes": "TZCYX", "unit": "um"})
    return path


@pytest.mark.data
@display_or_not
def test_every_roi_is_exactly_its_object(
    imagej, nuclei: Path, expected_labels: np.ndarray, tmp_path: Path, with_display: bool
) -> None:
    painted = tmp_path / "painted.tif"
    printed = imagej.groovy(PROGRAM, PROGRAMS, nuclei, painted, "model=nuclei", display=with_display)
    names = " ".join(f"{label:04}" for label in range(1, int(expected_labels.max()) + 1))
    assert printed.splitlines() == ["own true", f"names {names}"]
    np.testing.assert_array_equal(tifffile.imread(painted), expected_labels)
    assert list(imagej.temporary.glob("cellspan*")) == []


@pytest.mark.data
def test_settings_reach_the_engine(imagej, engine_home: Path, cellspan, nuclei: Path, tmp_path: Path) -> None:
    options = ["--diameter", 40, "--flow-threshold", 0, "--cellprob-threshold", -1.5, "--min-size", 400]
    cellspan("segment", nuclei, "-o", tmp_path, "--model", "nuclei", *options, "--exclude-on-edges", "--save", "labels")
    expected = tifffile.imread(next(tmp_path.glob("*_labels.tif")))
    settings = ["diameter=40", "flow_threshold=0", "cellprob_threshold=-1.5", "min_size=400", "exclude_on_edges=true"]
    painted = tmp_path / "painted.tif"
    imagej.groovy(PROGRAM, PROGRAMS, nuclei, painted, "model=nuclei", *settings, display=False)
    np.testing.assert_array_equal(tifffile.imread(painted), expected)


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        (
            ["channel=1,3", "combine=maximum", "limits=0,900"],
            {"channel": (0, 2), "combine": "maximum", "limits": (0, 900)},
        ),
        (["channel=3", "nuclei=1", "tile_norm=50"], {"channel": 2, "nuclei_channel": 0, "tile_norm": 50}),
        (
            ["channel=2", "normalize=2,97", "sharpen=6.5", "smooth=1"],
            {"normalize": (2, 97), "sharpen": 6.5, "smooth": 1},
        ),
    ],
)
@pytest.mark.parametrize("kind", ["imagej", "plain_imagej"])
def test_channels_and_scaling_reach_the_engine(
    request, kind: str, engine_home: Path, tmp_path: Path, settings: list[str], options: dict[str, object]
) -> None:
    imagej = request.getfixturevalue(kind)
    stack = np.stack([simulate_nuclei((120, 150), diameter=26, seed=seed).image for seed in range(3)])
    stack = (stack / stack.max() * 1000).astype(np.uint16)
    tifffile.imwrite(tmp_path / "cells.tif", stack, imagej=True, metadata={"axes": "CYX"})
    parameters = Parameters(model="nuclei", diameter=26, **{"channel": 1, **options})
    expected = Segmenter("nuclei").segment(stack, parameters).labels
    painted, settings = tmp_path / "painted.tif", ["model=nuclei", "diameter=26", *settings]
    if kind == "imagej":
        imagej.groovy(PROGRAM, PROGRAMS, tmp_path / "cells.tif", painted, *settings, display=False)
    else:
        imagej.headless(PROGRAMS / "segment.ijm", tmp_path / "cells.tif", painted, " ".join(settings), imagej.macro)
    assert expected.max() > 2
    np.testing.assert_array_equal(tifffile.imread(painted), expected)


@pytest.mark.data
@pytest.mark.parametrize(
    ("engine", "settings", "message"),
    [
        (None, ["model=none such"], "ERROR There is no model 'none such'"),
        ("", [], "ERROR The cellspan engine was not found"),
        ("/no such/python\n", [], "ERROR The engine did not start"),
        ("java\n-version\n", [], "ERROR The engine did not answer"),
    ],
)
def test_errors_are_one_line_and_no_roi(
    imagej, engine_home: Path, nuclei: Path, tmp_path: Path, engine: str | None, settings: list[str], message: str
) -> None:
    if engine is not None:
        imagej.engine.write_text(engine)
    if engine == "":
        imagej.engine.unlink()
    printed = imagej.groovy(PROGRAM, PROGRAMS, nuclei, tmp_path / "painted.tif", *settings, display=False)
    lines = printed.splitlines()
    assert lines[0].startswith(message)
    assert lines[1:] == ["own true", "names "]
    assert list(imagej.temporary.glob("cellspan*")) == []


def test_errors_end_macros(imagej, engine_home: Path) -> None:
    assert imagej.groovy(PROGRAMS / "check_macro_errors.groovy", PROGRAMS, display=True) == "done\n"


@pytest.mark.parametrize(("key", "code"), [("diameter", 0), ("diamter", 1)])
def test_without_a_display_the_exit_code_tells(imagej, engine_home: Path, key: str, code: int) -> None:
    """Of ImageJ as it is started from a command line."""
    printed = imagej.headless(IN_A_MACRO, PROGRAMS / "fiji.groovy", f"{key}=30", code=code)
    assert ("ERROR There is no setting 'diamter'" in printed) == (code == 1)
    assert ("the macro went on" in printed) == (code == 0)


def test_without_the_shared_file(imagej, tmp_path: Path) -> None:
    imagej.engine.with_name("engine.groovy.txt").unlink()
    tifffile.imwrite(tmp_path / "i.tif", np.zeros((9, 9), np.uint8))
    printed = imagej.groovy(PROGRAM, PROGRAMS, tmp_path / "i.tif", tmp_path / "painted.tif", display=False)
    assert "ERROR The cellspan engine was not found: in a terminal, run" in printed
    assert printed.splitlines()[-2:] == ["own true", "names "]


def test_stacks_selections_and_every_kind_of_result(imagej, engine_home: Path, hyperstack: Path) -> None:
    printed = imagej.groovy(PROGRAMS / "check_segment_cells.groovy", PROGRAMS, hyperstack, display=True)
    assert printed == "done\n"
    assert list(imagej.temporary.glob("cellspan*")) == []


def test_an_image_is_restored_first(
    imagej, cold_engine: Path, hyperstack: Path, restoring_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(restoring_models))
    install(imagej.folder)  # which lists the models
    printed = imagej.groovy(PROGRAMS / "check_restoring.groovy", PROGRAMS, hyperstack, display=True)
    assert printed == "done\n"


def test_a_person_uses_the_dialog(imagej, engine_home: Path, hyperstack: Path) -> None:
    printed = imagej.groovy(PROGRAMS / "check_dialog.groovy", PROGRAMS, hyperstack, display=True)
    assert printed == "done\n"


def test_outlines_become_tracks(imagej, engine_home: Path, tmp_path: Path) -> None:
    printed = imagej.groovy(PROGRAMS / "check_tracks.groovy", PROGRAMS, tmp_path / "tracks 1.csv", display=True)
    assert printed == "done\n"


def test_cells_and_nuclei_are_paired(imagej, engine_home: Path, cellspan, tmp_path: Path) -> None:
    """As `fiji-cells` pairs them, which pairs as CellProfiler's module does."""
    rows, columns = np.mgrid[:240, :360]
    both = np.full((2, *rows.shape), 15.0)
    for y, x, long, nuclei in (
        (60, 60, 1, [0]),
        (60, 170, 1, [0]),
        (60, 290, 1.4, [-16, 16]),
        (180, 60, 1, []),
        (180, 180, 1, [0]),
    ):
        both[0] += 120 / (1 + np.exp((np.hypot(rows - y, (columns - x) / long) - 30) / 1.2))
        for shift in nuclei:
            both[1] += 170 / (1 + np.exp((np.hypot(rows - y, columns - x - shift) - 11) / 1.2))
    image, rois, labels = tmp_path / "both.tif", tmp_path / "r.zip", tmp_path / "pairs.tif"
    tifffile.imwrite(
        image, both.astype(np.uint8), imagej=True, resolution=(2, 2), metadata={"axes": "CYX", "unit": "um"}
    )
    options = ["--diameter", 60, "--nuclei-diameter", 22, "--channel", 0, "--nuclei-channel", 1]
    cellspan("fiji-cells", "--input", image, "--rois", rois, "--labels", labels, *options)
    printed = imagej.groovy(PROGRAMS / "check_pairs.groovy", PROGRAMS, image, labels, display=True)
    assert printed == "done\n"


def test_stacks_without_a_display(imagej, engine_home: Path, hyperstack: Path) -> None:
    printed = imagej.groovy(PROGRAMS / "check_headless.groovy", PROGRAMS, hyperstack, display=False)
    assert int(re.fullmatch(r"(\d+) outlines\n", printed)[1]) > 12
    assert list(imagej.temporary.glob("cellspan*")) == []


def test_escape_cancels_and_leaves_nothing_behind(imagej, cold_engine: Path) -> None:
    printed = imagej.groovy(PROGRAMS / "check_cancel.groovy", PROGRAMS, display=True)
    assert "starting the cellspan engine" in printed  # what the status bar said before
    assert list(imagej.temporary.glob("cellspan*")) == []


def test_folders_and_the_engine(imagej, cold_engine: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Bilder ñ 2"
    folder.mkdir()
    for seed in range(2):
        tifffile.imwrite(folder / f"field {seed}.tif", simulate_nuclei((120, 150), diameter=26, seed=seed).image)
    (folder / "broken.tif").write_bytes(b"no image")
    assert imagej.groovy(PROGRAMS / "check_commands.groovy", PROGRAMS, folder, display=True) == "done\n"
    assert list(imagej.temporary.glob("cellspan*")) == []


def test_corrected_outlines_make_a_model(imagej, cold_engine: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    image = tmp_path / "my cells 1.tif"
    tifffile.imwrite(image, simulate_nuclei((160, 160), diameter=26, seed=4).image)
    program = PROGRAMS / "check_training.groovy"
    printed = imagej.groovy(program, PROGRAMS, image, tmp_path / "corrected", 0.1, display=True)
    assert re.search(r"AP@0.5 on 1 annotated image: [01]\.\d\d before, [01]\.\d\d after", printed)
    assert int(re.search(r"objects (\d+)", printed)[1]) > 5
    assert list(imagej.temporary.glob("cellspan*")) == []


def test_a_model_of_cellpose_is_downloaded(
    imagej, models_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELLSPAN_MODELS_URL", models_server)
    printed = imagej.groovy(PROGRAMS / "check_downloading.groovy", PROGRAMS, display=True)
    assert printed == "done\n"
    assert (tmp_path / "cellpose" / "cyto3").exists()


def test_fiji_understands_names_of_models(imagej) -> None:
    name = 'my "best" (50%), old \\ new'
    shutil.copytree(BUNDLED / "cyto", user_models() / name)
    install(imagej.folder)
    printed = imagej.groovy(PROGRAMS / "print_models.groovy", PROGRAMS, display=False)
    assert printed.splitlines() == ["cyto", "nuclei", name]


def test_fiji_understands_the_parameters(imagej) -> None:
    """As the text of the script says them; those that Fiji fills in have nothing but a type."""
    scripts = sorted(imagej.script.parent.glob("*.groovy"))
    printed = imagej.groovy(PROGRAMS / "script_parameters.groovy", *scripts, display=False)
    expected = []
    for script in scripts:
        text = script.read_text(encoding="utf-8")
        expected += [script.stem, *re.findall(r"^#@ (\w+) (\w+)$", text, re.M)]
        for options, name in re.findall(r"^#@ CharSequence \((.*)\) (\w+)$", text, re.M):
            kind, default = (re.search(rf'\b{key}="(.*?)"', options)[1] for key in ("kind", "value"))
            of = re.search(r'\bof="(.*?)"', options)
            expected.append((kind, name, default, of[1] if of else ""))
    lines = [tuple(line.split("\t")) if "\t" in line else line for line in printed.splitlines()]
    assert lines == expected
    assert len(lines) > 100


def test_fiji_records_every_setting_and_asks_for_none_of_them_again(imagej) -> None:
    printed = imagej.groovy(PROGRAMS / "check_recording.groovy", PROGRAMS, display=False)
    lines = printed.splitlines()
    assert [line.split('"')[1] for line in lines] == RECORDED
    assert "\n".join(lines) in DOCUMENT.read_text(encoding="utf-8")


def test_outlines_have_places_and_names_as_in_python(imagej) -> None:
    rows = list(csv.DictReader(ROI_PLACES.read_text(encoding="ascii").splitlines()))
    places = imagej.engine.with_name("places.groovy.txt")
    printed = imagej.groovy(PROGRAMS / "check_places.groovy", places, ROI_PLACES, display=False)
    written = sum(row["way"] == "both" for row in rows)
    named = sum(row["name"] != "" for row in rows)
    assert printed.startswith(f"[written:{written}, read:{len(rows)}, named:{named}, shown:")


def test_the_commands_read_errors_by_their_codes(imagej, tmp_path: Path) -> None:
    path = Path('/b "new"/\\n {é}: 細.tif')
    errors = [missing_channel("channel", 2, 1).within(path), CellspanError('a "code": "x"\tand\nmore')]
    file = tmp_path / "errors.txt"
    file.write_text("".join(problem_line(error) + "\n" for error in errors) + "ERROR {}\n", encoding="ascii")
    shared = imagej.engine.with_name("engine.groovy.txt")
    printed = imagej.groovy(PROGRAMS / "check_problems.groovy", shared, file, display=False).splitlines()
    assert printed == [
        "missing_channel",
        str(errors[0]),
        "option String channel",
        "index Integer 2",
        "count Integer 1",
        f"file String {path}",
        "",
        str(errors[1]).replace("\n", "\\n"),
        "no problem",
    ]


def test_a_stack_in_a_folder_is_told_in_words_of_the_dialog(imagej, tmp_path: Path) -> None:
    """Whatever the engine's sentence for the command line says: the code decides."""
    problem = CellspanError("use --do-3d", "several_planes").within(Path("stack.tif"))
    (tmp_path / "images").mkdir()
    engine = tmp_path / "engine.py"
    engine.write_text(ENGINE_WITH_A_PROBLEM.format(line=problem_line(problem)), encoding="ascii")
    imagej.engine.write_text(f"{sys.executable}\n{quote(str(engine))}\n")
    program = PROGRAMS / "check_folder.groovy"
    printed = imagej.groovy(program, PROGRAMS, tmp_path / "images", display=False)
    assert printed.splitlines() == [
        "NOTE something to know",
        "NOTE 0 objects in 0 of 1 images; results in",
        f"{tmp_path / 'images_cellspan'}",
        "ERROR 1 image(s) failed, the others are done. stack.tif: this is a stack; open it and use Segment Cells.",
    ]
