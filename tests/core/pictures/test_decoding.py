"""Image files: what they declare is compared with the memory, and whatever is in them, there is one sentence."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import PIL.Image
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.normalise import network_input
from cellspan.core.pictures.opening import decode
from cellspan.core.pictures.reading import decode_image, decode_volume, read_image, read_volume

pytestmark = [pytest.mark.quick, pytest.mark.filterwarnings("ignore")]
RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 255, (24, 32), dtype=np.uint8)
TINY = 4_000_000  # bytes of memory that some tests pretend to have


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellspan.core.machine.memory.available_memory", lambda: TINY)


def png(width: int, height: int, rows: int = 1) -> bytes:
    """A file that declares more than it holds."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes((width + 1) * rows))) + chunk(b"IEND", b"")
    )


def tiff(width: int, height: int, strip: bytes, rows: int | None = None, compression: int = 8) -> bytes:
    """A file of strips that all lie in the same place."""
    rows = rows or height
    count = -(-height // rows)
    place = 8 + 2 + 9 * 12 + 4
    values = {256: width, 257: height, 258: 8, 259: compression, 262: 1, 277: 1, 278: rows}
    tags = [struct.pack("<HHII", code, 4, 1, value) for code, value in values.items()]
    data = place + 8 * count
    offsets = data if count == 1 else place
    lengths = len(strip) if count == 1 else place + 4 * count
    tags += [struct.pack("<HHII", 273, 4, count, offsets), struct.pack("<HHII", 279, 4, count, lengths)]
    lists = struct.pack(f"<{2 * count}I", *[data] * count, *[len(strip)] * count)
    ordered = b"".join(sorted(tags, key=lambda tag: struct.unpack("<H", tag[:2])))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + ordered + struct.pack("<I", 0) + lists + strip


def pages(count: int, last: int) -> bytes:
    """So many pages without a picture; after the last one comes number `last` again."""
    size = 2 + 12 + 4
    links = [8 + size * (number + 1) for number in range(count - 1)] + [8 + size * last]
    page = struct.pack("<HHHII", 1, 256, 4, 1, 5)
    return b"II*\0" + struct.pack("<I", 8) + b"".join(page + struct.pack("<I", link) for link in links)


def as_png(array: np.ndarray, mode: str) -> bytes:
    buffer = io.BytesIO()
    picture = PIL.Image.fromarray(array)
    (picture if mode == picture.mode else picture.convert(mode)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("transparent", [False, True])
def test_pictures_are_what_imageio_reads(mode: str, transparent: bool) -> None:
    content = as_png(GREY.astype(np.uint16) * 257 if mode == "I;16" else np.dstack([GREY] * 3), mode)
    if transparent and mode == "P":
        buffer = io.BytesIO()
        PIL.Image.open(io.BytesIO(content)).save(buffer, "PNG", transparency=3)
        content = buffer.getvalue()
    found, _ = decode(content, ".png")
    expected = imageio.imread(content, plugin="pillow", extension=".png")
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".png"])
def test_every_source_gives_the_same(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    imageio.imwrite(path, np.dstack([GREY] * 3))
    expected = imageio.imread(path, plugin="pillow")
    with tempfile.SpooledTemporaryFile() as spooled, path.open("rb") as opened:
        spooled.write(path.read_bytes())
        for source in (path.read_bytes(), path, spooled, opened):
            np.testing.assert_array_equal(decode(source, suffix)[0], expected)
        assert not opened.closed


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "jpeg"])
def test_tiffs_from_every_source(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "a.tif"
    stack = np.stack([GREY, GREY[::-1], GREY + 1])
    tifffile.imwrite(path, stack, compression=compression, metadata={"axes": "ZYX"}, photometric="minisblack")
    expected = tifffile.imread(path)
    with tempfile.SpooledTemporaryFile() as spooled, tempfile.TemporaryFile() as temporary:
        for file in (spooled, temporary):
            file.write(path.read_bytes())
        for source in (path.read_bytes(), path, spooled, temporary):
            np.testing.assert_array_equal(decode(source, ".tif")[0], expected)
            np.testing.assert_array_equal(decode_volume(source).channels[0], expected)


@pytest.mark.parametrize(
    ("content", "suffix", "sentence"),
    [
        (png(60_000, 60_000), ".png", "declares 60000 x 60000 pixels of 8 bits, which takes 3.6 GB"),
        (tiff(60_000, 60_000, zlib.compress(bytes(60_000)), 1000), ".tif", "declares 60000 x 60000 pixels of 8 bits"),
        (tiff(1 << 31, 1 << 31, b"none"), ".tif", "2147483648 x 2147483648"),
        (tiff(10, 10, zlib.compress(bytes(10**7))), ".tif", "damaged"),
        (pages(1000, 300), ".tif", "in a circle of 1000"),
    ],
    ids=["png", "tiff", "huge strip", "strip that expands", "circle of pages"],
)
@pytest.mark.usefixtures("little_memory")
def test_bombs_are_refused_before_they_go_off(content: bytes, suffix: str, sentence: str) -> None:
    with pytest.raises(CellspanError, match=sentence):
        decode_image(content, suffix)
    if suffix == ".tif":
        with pytest.raises(CellspanError):
            decode_volume(content)


def test_strips_that_are_larger_pictures_are_refused() -> None:
    buffer = io.BytesIO()
    PIL.Image.new("L", (3000, 3000)).save(buffer, "JPEG")
    with pytest.raises(CellspanError, match="declares 3000 x 3000 pixels, more than the image around it"):
        decode_image(tiff(16, 16, buffer.getvalue(), compression=7), ".tif")


def test_metadata_that_declare_more_than_there_is(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY, description='{"shape": [1000000, 1000000, 24, 32]}', metadata=None)
    for read in (read_image, read_volume):
        with pytest.raises(CellspanError, match=r"a\.tif: the file declares .*1000000"):
            read(path)
    sizes = 'SizeX="32" SizeY="24" SizeZ="100000000" SizeC="1000" SizeT="1"'
    pixels = f'<Pixels ID="P" DimensionOrder="XYZCT" Type="uint8" {sizes}><TiffData IFD="0" PlaneCount="1"/></Pixels>'
    ome = f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="I">{pixels}'
    tifffile.imwrite(path, GREY, description=f"{ome}</Image></OME>", metadata=None)
    for read in (read_image, read_volume):
        with pytest.raises(CellspanError, match=r"OME metadata declare 100,000,000,000 planes"):
            read(path)


@pytest.mark.usefixtures("little_memory")
def test_planes_for_the_network_must_fit_too() -> None:
    image = decode_image(as_png(np.tile(GREY, (10, 10)), "L"), ".png")
    assert image.shape == (240, 320)
    network_input(image, Parameters())
    with pytest.raises(CellspanError, match="an image of 960 x 960 pixels needs 12 MB"):
        network_input(type(image)(np.zeros((1, 960, 960), np.uint8)), Parameters())


def test_pils_own_limit_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import PIL.Image; a = PIL.Image.MAX_IMAGE_PIXELS; import cellspan.core; print(a == PIL.Image.MAX_IMAGE_PIXELS)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10)
    np.testing.assert_array_equal(decode(as_png(GREY, "L"), ".png")[0], GREY)


def test_animations_are_refused() -> None:
    buffer = io.BytesIO()
    frames = [PIL.Image.fromarray(GREY + k) for k in range(3)]
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:])
    with pytest.raises(CellspanError, match="an animation of 3 pictures"):
        decode_image(buffer.getvalue(), ".png")


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v is Linux's")
def test_under_ulimit(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(40_000, 40_000))
    (tmp_path / "a.tif").write_bytes(tiff(40_000, 40_000, zlib.compress(bytes(4_000_000)), 100))
    code = (
        "import sys; from cellspan.core.pictures.reading import read_image\n"
        "from cellspan.core.errors import CellspanError\n"
        "import cellspan.core.machine.memory\n"
        "for honest in (True, False):\n"
        "    if not honest: cellspan.core.machine.memory.available_memory = lambda: 1 << 60\n"
        "    for path in sys.argv[1:]:\n"
        "        try: read_image(path)\n"
        "        except CellspanError as error: print(error)\n"
    )
    limited = f'ulimit -v 1500000; OPENBLAS_NUM_THREADS=1 exec "{sys.executable}" -c "$0" "$@"'
    paths = [str(tmp_path / name) for name in ("a.png", "a.tif")]
    done = subprocess.run(["bash", "-c", limited, code, *paths], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert all("40000 x 40000" in line for line in lines[:2])
    assert all("does not fit into the memory" in line for line in lines[2:])


def valid_files() -> dict[str, bytes]:
    files = {"a.png": as_png(GREY, "L"), "palette.png": as_png(np.dstack([GREY] * 3), "P")}
    for suffix in (".jpg", ".bmp"):
        files[f"a{suffix}"] = imageio.imwrite("<bytes>", GREY, extension=suffix)
    options: dict[str, dict[str, object]] = {
        "plain": {},
        "zlib": {"compression": "zlib", "rowsperstrip": 8},
        "lzw": {"compression": "lzw", "predictor": True},
        "jpeg": {"compression": "jpeg"},
        "tiled": {"tile": (16, 16), "compression": "zlib"},
        "ome": {"ome": True, "metadata": {"axes": "YX", "PhysicalSizeX": 0.3, "PhysicalSizeY": 0.3}},
        "imagej": {"imagej": True},
        "big": {"bigtiff": True},
    }
    for name, option in options.items():
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, GREY, **option)  # type: ignore[arg-type]
        files[f"{name}.tif"] = buffer.getvalue()
    return files


VALID = valid_files()


def damages(content: bytes, seed: int) -> bytes:
    """Cut, or with a few bits or bytes turned, mostly near the beginning where headers are."""
    rng = np.random.default_rng(seed)
    damaged = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        place = int(len(damaged) * rng.random() ** (3 if seed % 2 else 1))
        damaged[min(place, len(damaged) - 1)] = rng.choice([0, 1, 127, 255, rng.integers(0, 256)])
    return bytes(damaged[: rng.integers(0, len(damaged))] if seed % 4 == 0 else damaged)


def only_sentences(read: Callable[[], object], what: str) -> None:
    sentence = ""
    try:
        read()
    except CellspanError as error:
        sentence = str(error)
    except BaseException as error:
        raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
    assert "\n" not in sentence
    assert len(sentence) < 900


@pytest.mark.parametrize("name", VALID)
def test_damaged_files_give_an_image_or_a_sentence(tmp_path: Path, name: str) -> None:
    suffix = Path(name).suffix
    for seed in range(60):
        content = damages(VALID[name], seed)
        only_sentences(lambda content=content: decode_image(content, suffix), f"{name}, seed {seed}")
        if suffix == ".tif" and seed % 3 == 0:
            path = tmp_path / name
            path.write_bytes(content)
            only_sentences(lambda content=content: decode_volume(content), f"{name} as a volume, seed {seed}")
            only_sentences(lambda path=path: read_volume(path), f"{name} as a lazy volume, seed {seed}")
