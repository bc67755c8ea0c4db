"""Formats of microscopes: scenes and positions with names, channels, sizes; what is missing or damaged is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.inputs import Input, find_inputs
from cellspan.core.pictures.opening import FORMATS, open_picture
from cellspan.core.pictures.reading import read_image, read_volume
from cellspan.core.pictures.several import every_series

from .microscope_files import write_czi, write_lif, write_nd2, write_oir

pytestmark = pytest.mark.quick
# Of each position (Z, C, Y, X).
LEFT, RIGHT = np.random.default_rng(0).integers(0, 60_000, (2, 3, 2, 20, 30), dtype=np.uint16)
HAS_OIR = sys.version_info >= (3, 12)


def write(folder: Path, suffix: str, positions: list[np.ndarray]) -> Path:
    path = folder / f"a{suffix}"
    if suffix == ".czi":
        write_czi(path, [position.transpose(1, 0, 2, 3) for position in positions], ["DAPI", "GFP"])
    elif suffix == ".nd2":
        write_nd2(path, positions, ["left", "right"][: len(positions)])
    elif suffix == ".lif":
        write_lif(path, dict(zip(["left", "right"], positions, strict=False)))
    else:
        write_oir(path, positions[0])
    return path


NAMES = {".nd2": ["left", "right"], ".lif": ["left", "right"], ".czi": ["", ""]}


@pytest.mark.parametrize("suffix", NAMES)
def test_positions_are_images_of_their_own(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path, suffix, [LEFT, RIGHT])
    with open_picture(path) as picture:
        assert [one.name for one in picture.series] == NAMES[suffix]
    for number, expected in enumerate([LEFT, RIGHT]):
        with read_volume(path, number) as volume:
            assert volume.spacing == pytest.approx((1, 0.25, 0.25))
            assert volume.unit == "µm"
            np.testing.assert_array_equal(volume.channels, expected.transpose(1, 0, 2, 3))
            part = volume.block(1, slice(1, 3), slice(4, 9), slice(None, None, 2))
        np.testing.assert_array_equal(part, expected[1:3, 1, 4:9, ::2])
    with pytest.raises(CellspanError, match=rf"a\{suffix}: the file holds 2 images"):
        read_volume(path)
    assert [str(item.stem) for item in every_series([Input(path, Path())])] == ["a_s0", "a_s1"]


@pytest.mark.parametrize("suffix", NAMES)
def test_planes_of_microscopes(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path, suffix, [LEFT[:1]])
    image = read_image(path)
    np.testing.assert_array_equal(image.channels, LEFT[0])
    assert (image.spacing, image.unit, image.is_rgb) == (pytest.approx((0.25, 0.25)), "µm", False)
    stack = write(tmp_path / "..", suffix, [LEFT]) if suffix != ".czi" else None
    if stack is not None:
        with pytest.raises(CellspanError, match="3 z-slices and 2 channels where one plane is needed") as refused:
            read_image(stack)
        assert refused.value.code == "several_planes"  # by which Segment Folder knows it


@pytest.mark.parametrize("suffix", NAMES)
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.9])
def test_files_cut_short_are_named_and_never_black(tmp_path: Path, suffix: str, kept: float) -> None:
    path = write(tmp_path, suffix, [LEFT[:1], RIGHT[:1]])
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])

    def read() -> None:
        for number in range(2):
            found = read_image(path, number).channels
            np.testing.assert_array_equal(found, [LEFT, RIGHT][number][0])

    with pytest.raises(CellspanError, match=rf"a\{suffix}: ") as caught:
        read()
    assert "\n" not in str(caught.value)


def test_colours_of_czi_are_colours(tmp_path: Path) -> None:
    from pylibCZIrw import czi

    with czi.create_czi(str(tmp_path / "a.czi")) as file:  # which takes blue, green, red
        file.write(np.dstack([np.full((9, 12), value, np.uint8) for value in (10, 50, 100)]))
    image = read_image(tmp_path / "a.czi")
    assert image.is_rgb
    assert [int(channel[0, 0]) for channel in image.channels] == [100, 50, 10]


def test_oir_is_read_where_its_package_is(tmp_path: Path) -> None:
    path = write(tmp_path, ".oir", [LEFT])
    if not HAS_OIR:
        with pytest.raises(CellspanError, match=r"a\.oir: .*needs the package oirfile, and Python 3\.12"):
            read_volume(path)
        return
    with read_volume(path) as volume:
        assert volume.spacing == pytest.approx((1.5, 0.25, 0.25))
        np.testing.assert_array_equal(volume.channels, LEFT.transpose(1, 0, 2, 3))


@pytest.mark.parametrize(("suffix", "package"), [(suffix, package) for suffix, (_, package) in FORMATS.items()])
def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, package: str) -> None:
    (tmp_path / f"a{suffix}").write_bytes(b"anything")
    monkeypatch.delitem(sys.modules, f"cellspan.core.pictures.{FORMATS[suffix][0]}", raising=False)
    for name in [name for name in sys.modules if name.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(CellspanError, match=rf'a\{suffix}: .*{package}.*pip install "cellspan\[formats\]"'):
        read_image(tmp_path / f"a{suffix}")


def test_files_of_microscopes_are_inputs(tmp_path: Path) -> None:
    write(tmp_path, ".nd2", [LEFT[:1]])
    assert [item.path.name for item in find_inputs([str(tmp_path)])] == ["a.nd2"]


def test_plain_pictures_load_nothing_of_other_formats(tmp_path: Path) -> None:
    import imageio.v3 as imageio
    import tifffile

    imageio.imwrite(tmp_path / "a.png", np.zeros((9, 9), np.uint8))
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((9, 9), np.uint8))
    code = (
        "import sys; from cellspan.core.pictures.reading import read_image\n"
        "for path in sys.argv[1:]: read_image(path)\n"
        "print(*({'zarr', 'dask', 'nd2', 'pylibCZIrw', 'liffile', 'oirfile'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.png"), str(tmp_path / "a.tif")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ""
