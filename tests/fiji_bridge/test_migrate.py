"""Cellpose commands of ImageJ macros become ours, variables in their options stay, and nothing else changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellspan.core.errors import CellspanError
from cellspan.core.models.official import FILE_OF
from cellspan.core.parameters import Parameters
from cellspan.fiji_bridge.migrate import migrate_macro, our_settings

pytestmark = pytest.mark.quick

OPTIONS = "env_path=/envs/cp env_type=conda model=cyto3 model_path=path/to/own_cellpose_model diameter=30 ch1=0 ch2=-1"


@pytest.fixture(autouse=True)
def cellposes_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Cellpose's models would be; there are none."""
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "models"))


def migrated(folder: Path, macro: str) -> tuple[str, list[str]]:
    path = folder / "macro.ijm"
    path.write_bytes(macro.encode())
    content, report = migrate_macro(path)
    return content.decode(), report


def ours(folder: Path, options: str, command: str = "Cellpose ...") -> str:
    """What follows `run("Segment Cells", ` for these options, which are code, without the defaults of all the rest."""
    text, _ = migrated(folder, f'run("{command}", {options});\n')
    assert text.startswith('run("Segment Cells", ')
    assert text.endswith(");\n")
    code = text.removeprefix('run("Segment Cells", ').removesuffix(");\n")
    return without_defaults(code)


def without_defaults(code: str) -> str:
    """Without the settings at the end that were not given: those with their defaults, in the order of the dialog."""
    rest = "".join(rf"(?: {name}=\[?{re.escape(default)}\]?)?" for name, default in our_settings().items())
    return re.sub(rf"{rest}(?=\")", "", code)


def notes(folder: Path, options: str, command: str = "Cellpose ...") -> str:
    return "\n".join(migrated(folder, f'run("{command}", "{options}");')[1])


def test_our_settings_are_those_of_the_engine() -> None:
    settings = our_settings()
    engine = Parameters()
    assert settings["diameter"] == "0"  # which is the engine's None
    for name in ("model", "flow_threshold", "cellprob_threshold", "min_size", "exclude_on_edges"):
        assert settings[name].lower() == str(getattr(engine, name)).lower().removesuffix(".0")


def test_every_setting_is_given_because_fiji_asks_for_the_others(tmp_path: Path) -> None:
    text, _ = migrated(tmp_path, f'run("Cellpose ...", "{OPTIONS}");')
    assert [text.count(f"{name}=") for name in our_settings()] == [1] * len(our_settings())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (f'"{OPTIONS}"', '"model=cyto diameter=30"'),
        (f'"{OPTIONS} additional_flags="', '"model=cyto diameter=30"'),
        (
            f'"{OPTIONS} additional_flags=[--use_gpu, --flow_threshold, 0.9, --cellprob_threshold, -1.5]"',
            '"model=cyto diameter=30 flow_threshold=0.9 cellprob_threshold=-1.5"',
        ),
        (f'"{OPTIONS} additional_flags=[--exclude_on_edges]"', '"model=cyto diameter=30 exclude_on_edges=true"'),
        (f'"{OPTIONS} additional_flags=--min_size,40"', '"model=cyto diameter=30 min_size=40"'),
        ('"model=cyto ch1=2 ch2=3 diameter=9"', '"model=cyto channel=2 nuclei=3 diameter=9"'),
        ('"model=cyto diameter=9 ch1=0 ch2=-1"', '"model=cyto diameter=9"'),
        (
            '"model=cyto diameter=9 additional_flags=[--do_3D, --anisotropy, 2.5]"',
            '"model=cyto diameter=9 planes=[whole volume (3D)] anisotropy=2.5"',
        ),
        (
            '"model=cyto diameter=9 additional_flags=[--stitch_threshold, 0.3]"',
            '"model=cyto diameter=9 planes=[whole volume (3D)] stitch_threshold=0.3"',
        ),
        ('"model=nuclei diameter=0.0"', '"model=nuclei diameter=0.0"'),
        ('"message= model=cpsam message0= model_path= diameter=5 message3="', '"model=cyto diameter=5"'),
        (r'"model= model_path=[C:\\my models\\m1] diameter=5"', r'"model=[C:\\my models\\m1] diameter=5"'),
        ("'model=cyto2 diameter=5'", '"model=cyto diameter=5"'),
    ],
)
def test_options_are_taken_over(tmp_path: Path, options: str, expected: str) -> None:
    assert ours(tmp_path, options) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ('"model=cyto diameter="+d+" ch1=0"', '"model=cyto diameter=[" + d + "]"'),
        ('"model=cyto diameter=9 ch2="+n', '"model=cyto diameter=9 nuclei=[" + n + "]"'),
        ('"env_path=["+e+"] model=nuclei diameter="+d(1, "a+)")', '"model=nuclei diameter=[" + d(1,"a+)") + "]"'),
        ('"model= model_path=["+folder+name+"] diameter=5"', '"model=[" + folder + name + "] diameter=5"'),
        (
            '"model=cyto diameter=5 additional_flags=[--use_gpu, --flow_threshold, "+list[i + 1]+"]"',
            '"model=cyto diameter=5 flow_threshold=[" + list[i+1] + "]"',
        ),
        ('"model="+model+" diameter="+(a + b)', '"model=[" + model + "] diameter=[" + (a+b) + "]"'),
        ('"diameter=5 " + // pixels\n  "model=nuclei"', '"model=nuclei diameter=5"'),
    ],
)  # fmt: skip
def test_variables_stay(tmp_path: Path, options: str, expected: str) -> None:
    assert ours(tmp_path, options) == expected


def test_the_older_command(tmp_path: Path) -> None:
    options = (
        "diameter=60 cellproba_threshold=0.5 flow_threshold=0.4 anisotropy=1.0 diam_threshold=12.0 model=cyto2 "
        "nuclei_channel=0 cyto_channel=0 dimensionmode=2D stitch_threshold=-1 omni=false cluster=false "
        "additional_flags="
    )
    expected = "diameter=60 cellprob_threshold=0.5 flow_threshold=0.4"
    assert ours(tmp_path, f'"{options}"', "Cellpose Advanced") == f'"model=cyto {expected}"'
    assert "no counterpart" not in notes(tmp_path, options, "Cellpose Advanced")
    own = ours(tmp_path, f'"model_path=/m/mine {options}"', "Cellpose Advanced (custom model)")
    assert own == f'"model=[/m/mine] {expected}"'


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ("model=cyto3", "the model cyto3 becomes cyto"),
        (
            "model=theirs",
            "the model theirs becomes cyto, which was trained on other images; check some outlines first.",
        ),
        ("model= model_path=/m/mine", "the model /m/mine is used from where it is"),
        ("model=cyto omni=true", "omni has no counterpart"),
        ("model=cyto additional_flags=[--save_rois, True]", "save_rois=True has no counterpart."),
        ("model=cyto diameter=large", "diameter=large has no counterpart."),
    ],
)
def test_what_has_no_counterpart_is_named(tmp_path: Path, options: str, note: str) -> None:
    assert f"line 1: {note}" in notes(tmp_path, options)


@pytest.mark.parametrize(("name", "here"), [("cyto3", "cyto3"), ("cyto", "[cellpose/cyto]"), ("cpsam", "cpsam")])
def test_models_of_cellpose_that_are_here_stay(tmp_path: Path, name: str, here: str) -> None:
    assert f"run `cellspan models fetch {name}` and write model=[{here.strip('[]')}]." in notes(
        tmp_path, f"model={name}"
    )
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / FILE_OF.get(name, name)).touch()
    assert ours(tmp_path, f'"model={name}"') == f'"model={here}"'
    assert f"the model {name} is Cellpose's, as before" in notes(tmp_path, f"model={name}")


def test_lines_that_use_the_label_image_are_named(tmp_path: Path) -> None:
    macro = 'run("Cellpose ...", "model=cyto");\nselectImage(t + "-cellpose");\nrun("Label image to ROIs", "rm=[x]");\n'
    _, report = migrated(tmp_path, macro)
    assert [line[:8] for line in report if "outlines are in the ROI Manager" in line] == ["line 2: ", "line 3: "]
    _, report = migrated(tmp_path, 'run("Cellpose ...", "model=cyto");')
    assert report[-1].startswith("Now the outlines are in the ROI Manager")


def test_commands_whose_options_come_from_elsewhere_stay(tmp_path: Path) -> None:
    """What is in a variable cannot be seen; guessing would lose options."""
    stays = 'run("Cellpose ...", command);\nrun("Cellpose ...", "model=cyto " + more);\n'
    text, report = migrated(tmp_path, stays + 'run("Cellpose ...", "model=cyto");')
    assert without_defaults(text) == stays + 'run("Segment Cells", "model=cyto");'
    assert [line[:20] for line in report[:2]] == ["line 1: not changed,", "line 2: not changed,"]
    assert report[2] == "line 3: Cellpose ... becomes Segment Cells."
    with pytest.raises(CellspanError, match=r"macro\.ijm: line 1: not changed"):
        migrated(tmp_path, stays)


@pytest.mark.parametrize(
    "macro",
    [
        "",
        'print("Hello");',
        '// run("Cellpose ...", "model=cyto");',
        '/* run("Cellpose ...",\n "model=cyto"); */',
        'print(\'run("Cellpose ...", "model=cyto")\');',
        'run("Cellpose setup...", "x=1");',
        'run("Cellpose ...");',
        'run("Cellpose ...", "model=cyto"',
    ],
)
def test_a_macro_without_cellpose(tmp_path: Path, macro: str) -> None:
    with pytest.raises(CellspanError, match="does not run Cellpose"):
        migrated(tmp_path, macro)


other_code = st.text(st.characters(exclude_characters="\"'/", exclude_categories=["Cs"]), max_size=20)


@given(other_code, other_code, st.sampled_from(["\n", "\r\n"]))
def test_all_else_stays_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, before: str, after: str, end: str
) -> None:
    before, after = f"{before}{end}// it's \xfc{end}", f";{end}{after}"
    text, _ = migrated(tmp_path_factory.getbasetemp(), f'{before}run( "Cellpose ...", "model=nuclei"){after}')
    assert without_defaults(text) == f'{before}run("Segment Cells", "model=nuclei"){after}'


def test_other_encodings_survive(tmp_path: Path) -> None:
    path = tmp_path / "macro.ijm"
    path.write_bytes(b'// \xe4\xff\r\nrun("Cellpose ...", "model=nuclei diameter="+\xb5m);')
    content = without_defaults(migrate_macro(path)[0].decode("latin-1")).encode("latin-1")
    assert content == b'// \xe4\xff\r\nrun("Segment Cells", "model=nuclei diameter=[" + \xb5m + "]");'


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CellspanError, match=r"none\.ijm: the file cannot be read"):
        migrate_macro(tmp_path / "none.ijm")
