"""What is in TIFF files: several images, thumbnails, channels side by side, images in several files."""

from __future__ import annotations

import io
import os
import uuid
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.inputs import Input
from cellspan.core.pictures.normalise import network_input
from cellspan.core.pictures.opening import open_picture
from cellspan.core.pictures.reading import decode_image, decode_volume, read_image, read_labels, read_volume
from cellspan.core.pictures.several import every_series

pytestmark = pytest.mark.quick
RNG = np.random.default_rng(0)
A, B, C, D = RNG.integers(0, 60_000, (4, 24, 32), dtype=np.uint16)


# ---- samples of a pixel


@pytest.mark.parametrize("count", [2, 3, 4, 5])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_samples_side_by_side_are_channels(tmp_path: Path, count: int, planar: str) -> None:
    channels = np.stack([A, B, C, D, A // 2][:count])
    pixels = np.moveaxis(channels, 0, -1) if planar == "contig" else channels
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", planarconfig=planar, metadata=None)
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.channels, channels)
    assert not image.is_rgb
    assert network_input(image, Parameters())[1] == [
        f"The image has {count} channels; channel 0 is segmented (choose with channel)."
    ]


@pytest.mark.parametrize(
    ("photometric", "extra", "kept", "is_rgb"),
    [
        ("rgb", "unassalpha", 3, True),
        ("rgb", "assocalpha", 3, True),
        ("rgb", "unspecified", 4, False),
        ("minisblack", "unassalpha", 1, False),
    ],
)
def test_samples_are_dropped_only_if_they_are_transparency(
    tmp_path: Path, photometric: str, extra: str, kept: int, is_rgb: bool
) -> None:
    pixels = np.stack([A, B, C, D] if photometric == "rgb" else [A, B], axis=-1)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric=photometric, extrasamples=[extra], planarconfig="contig")
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.channels, np.moveaxis(pixels, -1, 0)[:kept])
    assert image.is_rgb is is_rgb


# ---- several images in one file


def several(path: Path, names: list[str], planes: list[np.ndarray], **options: object) -> Path:
    with tifffile.TiffWriter(path, ome=True) as file:
        for name, plane in zip(names, planes, strict=True):
            axes = "ZYX" if plane.ndim == 3 else "YX"
            file.write(plane, metadata={"axes": axes, "Name": name}, **options)  # type: ignore[arg-type]
    return path


def test_none_of_several_images_is_taken_silently(tmp_path: Path) -> None:
    path = several(tmp_path / "a.ome.tif", ["left", "right", ""], [A, B, C[:10]])
    with pytest.raises(CellspanError, match=r"a\.ome\.tif: the file holds 3 images \(left, right.*--series 0 to 2"):
        read_image(path)
    with pytest.raises(CellspanError, match="the file holds 3 images"):
        decode_image(path.read_bytes(), ".tif")
    for number, plane in enumerate([A, B, C[:10]]):
        np.testing.assert_array_equal(read_image(path, number).channels[0], plane)
    with pytest.raises(CellspanError, match="there is no series 3: the file holds 3 images, which are series 0 to 2"):
        read_image(path, 3)
    inputs = every_series([Input(path, Path("sub"))])
    assert [str(item.stem) for item in inputs] == ["sub/a.ome_s0", "sub/a.ome_s1", "sub/a.ome_s2"]
    assert [item.series for item in every_series([Input(path, Path())], (2, 0))] == [0, 2]
    with pytest.raises(CellspanError, match="--series 7: none of the files"):
        every_series([Input(path, Path())], (7,))


def test_files_of_one_image_keep_their_names(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "one.tif", A, metadata=None)
    tifffile.imwrite(tmp_path / "stack.tif", np.stack([A, B]), imagej=True)
    (tmp_path / "bad.tif").write_bytes(b"II*\0 no image")
    items = [Input(tmp_path / name, Path()) for name in ("one.tif", "stack.tif", "bad.tif", "none.tif")]
    assert every_series(items) == items
    assert every_series(items, (0,)) == items
    assert every_series(items, (1,)) == items[2:]  # those that cannot be read are reported in their turn
    assert np.array_equal(read_image(items[0].path, 0).channels[0], A)
    with pytest.raises(CellspanError, match="there is no series 1: the file holds 1 image, which is series 0"):
        read_image(items[0].path, 1)


def test_pages_of_different_sizes_are_images_of_their_own(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(A, metadata=None)
        file.write(B[:12], metadata=None)
    with open_picture(tmp_path / "a.tif") as picture:
        assert [one.shape for one in picture.series] == [A.shape, B[:12].shape]
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", 1).channels[0], B[:12])


@pytest.mark.parametrize("name", ["thumbnail", "Label image", "macro image", "Overview", "slide preview"])
def test_thumbnails_and_labels_of_slides_are_no_images(tmp_path: Path, name: str) -> None:
    path = several(tmp_path / "a.ome.tif", [name, "main"], [A[::4, ::4].copy(), B])
    np.testing.assert_array_equal(read_image(path).channels[0], B)
    alone = several(tmp_path / "b.ome.tif", [name], [A])
    np.testing.assert_array_equal(read_image(alone).channels[0], A)


def test_smaller_copies_are_no_images(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "flag.tif") as file:
        file.write(A[::2, ::2].copy(), subfiletype=1, metadata=None)
        file.write(A, metadata=None)
    with tifffile.TiffWriter(tmp_path / "pyramid.ome.tif") as file:
        file.write(A, subifds=1, metadata={"axes": "YX"})
        file.write(A[::2, ::2].copy(), subfiletype=1)
    for name in ("flag.tif", "pyramid.ome.tif"):
        np.testing.assert_array_equal(read_image(tmp_path / name).channels[0], A)


def test_volumes_of_several_images(tmp_path: Path) -> None:
    first, second = np.stack([A, B]), np.stack([C, D, A])
    path = several(tmp_path / "a.ome.tif", ["x", "y"], [first, second])
    with pytest.raises(CellspanError, match=r"a\.ome\.tif: the file holds 2 images"):
        read_volume(path)
    with read_volume(path, 1) as volume:
        np.testing.assert_array_equal(volume.block(0, slice(None), slice(None), slice(None)), second)


# ---- one image in several files


def parts(folder: Path, axis: str, planes: list[np.ndarray], prefix: str = "") -> list[Path]:
    """An OME-TIFF whose planes, along one axis, are each in a file that names the others."""
    keys = [f"urn:uuid:{uuid.uuid4()}" for _ in planes]
    names = [f"p_{axis}{k}.ome.tif" for k in range(len(planes))]
    counts = {letter: len(planes) if letter == axis else 1 for letter in "CZT"}
    sizes = " ".join(f'Size{letter}="{count}"' for letter, count in counts.items())
    channels = "".join(f'<Channel ID="Channel:0:{c}" SamplesPerPixel="1"/>' for c in range(counts["C"]))
    data = "".join(
        f'<TiffData First{axis}="{k}" IFD="0" PlaneCount="1"><UUID FileName="{prefix}{name}">{key}</UUID></TiffData>'
        for k, (name, key) in enumerate(zip(names, keys, strict=True))
    )
    height, width = planes[0].shape
    pixels = (
        f'<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="{width}" SizeY="{height}" {sizes} '
        f'PhysicalSizeX="0.2" PhysicalSizeY="0.2" PhysicalSizeZ="1">{channels}{data}</Pixels>'
    )
    for name, key, plane in zip(names, keys, planes, strict=True):
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{key}"><Image ID="Image:0" Name="a">{pixels}</Image></OME>'
        )
        tifffile.imwrite(folder / name, plane, description=xml, metadata=None)
    return [folder / name for name in names]


def test_channels_in_several_files_are_one_image(tmp_path: Path) -> None:
    paths = parts(tmp_path, "C", [A, B, C])
    for number, path in enumerate(paths):
        image = read_image(path)
        np.testing.assert_array_equal(image.channels, np.stack([A, B, C]))
        assert image.spacing == pytest.approx((0.2, 0.2))
        planes, notes = network_input(image, Parameters(normalize=None))
        np.testing.assert_array_equal(planes[0], [A, B, C][number])  # without --channel, what this file shows
        assert notes == [f"The image has 3 channels; channel {number} is segmented (choose with channel)."]


@pytest.mark.parametrize("axis", ["T", "Z"])
def test_a_file_of_one_time_point_or_slice_is_that_plane(tmp_path: Path, axis: str) -> None:
    for path, plane in zip(parts(tmp_path, axis, [A, B, C]), [A, B, C], strict=True):
        np.testing.assert_array_equal(read_image(path).channels[0], plane)


def test_slices_in_several_files_are_one_volume(tmp_path: Path) -> None:
    paths = parts(tmp_path, "Z", [A, B, C])
    with read_volume(paths[1]) as volume:
        assert volume.spacing == pytest.approx((1, 0.2, 0.2))
        np.testing.assert_array_equal(
            volume.block(0, slice(None), slice(2, 9), slice(None)), np.stack([A, B, C])[:, 2:9]
        )


@pytest.mark.parametrize("prefix", ["/etc/", "../", "C:\\data\\", "/dev/fd/"])
def test_parts_are_looked_for_in_the_same_folder_alone(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "in").mkdir()
    paths = parts(tmp_path / "in", "C", [A, B], prefix)
    np.testing.assert_array_equal(read_image(paths[0]).channels[1], B)
    paths[1].rename(tmp_path / paths[1].name)
    with pytest.raises(CellspanError, match=r"p_C0\.ome\.tif: a part of the image, p_C1\.ome\.tif, is missing"):
        read_image(paths[0])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX's")
def test_parts_that_would_block_are_refused(tmp_path: Path) -> None:
    paths = parts(tmp_path, "C", [A, B])
    paths[1].unlink()
    os.mkfifo(paths[1])
    with pytest.raises(CellspanError, match=r"p_C1\.ome\.tif: this is a pipe"):
        read_image(paths[0])


@pytest.mark.parametrize("damage", ["cut", "empty", "other size"])
def test_a_damaged_part_is_named_itself(tmp_path: Path, damage: str) -> None:
    paths = parts(tmp_path, "Z", [A, B])
    if damage == "other size":
        tifffile.imwrite(paths[1], A[:9])
    else:
        content = paths[1].read_bytes()
        paths[1].write_bytes(content[: len(content) // 2 if damage == "cut" else 0])
    with pytest.raises(CellspanError, match=r"p_Z1\.ome\.tif: "), read_volume(paths[0]) as volume:
        volume.block(0, slice(None), slice(None), slice(None))


def test_a_part_alone_is_refused_by_its_name(tmp_path: Path) -> None:
    paths = parts(tmp_path, "C", [A, B])
    for decode in (decode_image, decode_volume):
        with pytest.raises(CellspanError, match=r"a part of an image in 2 files \(others are p_C1"):
            decode(paths[0].read_bytes(), ".tif")


def test_renamed_files_of_one_image_are_whole(tmp_path: Path) -> None:
    path = parts(tmp_path, "C", [A])[0].rename(tmp_path / "renamed.ome.tif")
    np.testing.assert_array_equal(read_image(path).channels[0], A)
    np.testing.assert_array_equal(decode_image(path.read_bytes(), ".tif").channels[0], A)


def test_planes_that_are_missing_are_not_black(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as file:
        file.write(np.stack([A, B]), metadata={"axes": "CYX"})
    content = (tmp_path / "a.ome.tif").read_bytes()
    (tmp_path / "a.ome.tif").write_bytes(content.replace(b'SizeC="2"', b'SizeC="3"'))
    with pytest.raises(CellspanError, match=r"a\.ome\.tif: 1 of the 3 planes"):
        read_image(tmp_path / "a.ome.tif")


# ---- handles, and labels


@pytest.mark.filterwarnings("error")
def test_files_are_closed(tmp_path: Path) -> None:
    path = several(tmp_path / "a.ome.tif", ["x"], [np.stack([A, B])])
    with read_volume(path) as volume:
        part = volume.block(0, slice(0, 1), slice(None), slice(None))
    np.testing.assert_array_equal(part[0], A)
    with pytest.raises(CellspanError, match=r"a\.ome\.tif"):
        volume.block(0, slice(1, 2), slice(None), slice(None))


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.uint16, np.int32, bool])
def test_labels_are_whole_numbers_of_any_type(tmp_path: Path, kind: type) -> None:
    labels = (A % 2 if kind is bool else A).astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", labels.astype(np.uint8) if kind is bool else labels)
    found = read_labels(tmp_path / "a.tif")
    assert found.dtype.kind in "iu"
    np.testing.assert_array_equal(found, labels)


@pytest.mark.parametrize(
    ("value", "kind", "sentence"),
    [
        (0.5, np.float32, "fractions"),
        (np.nan, np.float32, "NaN or infinities"),
        (-1, np.int32, "this one has -1: replace negative numbers with 0"),
        (-1, np.float32, "this one has -1"),
        (2**32 - 1, np.uint32, "up to 2147483647"),
    ],
)
def test_what_are_no_labels_is_refused_by_its_name(tmp_path: Path, value: float, kind: type, sentence: str) -> None:
    labels = np.zeros((5, 6), kind)
    labels[2, 3] = value
    tifffile.imwrite(tmp_path / "m.tif", labels)
    with pytest.raises(CellspanError, match=rf"m\.tif: .*{sentence}"):
        read_labels(tmp_path / "m.tif")


def test_bytes_of_a_stack_without_a_meaning(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        for plane in (A, B, C):
            file.write(plane, metadata=None, contiguous=False)
    np.testing.assert_array_equal(decode_image(buffer.getvalue(), ".tif").channels, np.stack([A, B, C]))
    np.testing.assert_array_equal(decode_volume(buffer.getvalue()).channels[0], np.stack([A, B, C]))
