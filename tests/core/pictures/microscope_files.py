"""Small files in formats of microscopes, written by a library where one can, else after what libraries read.

ND2: the chunks that the package nd2 reads, with metadata as XML. LIF: the blocks that liffile reads. OIR: the blocks
that oirfile reads. None of these was written by a microscope.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np


def write_czi(path: Path, scenes: list[np.ndarray], channel_names: list[str]) -> None:
    """Scenes of (C, Z, Y, X), side by side, with pixels of 0.25 µm and slices of 1 µm."""
    from pylibCZIrw import czi

    with czi.create_czi(str(path)) as file:
        for number, scene in enumerate(scenes):
            for c, z in np.ndindex(*scene.shape[:2]):
                place = (1000 * number, 0)
                file.write(scene[c, z, ..., None], plane={"C": c, "Z": z, "T": 0}, scene=number, location=place)
        names = dict(enumerate(channel_names))
        file.write_metadata("a", channel_names=names, scale_x=0.25e-6, scale_y=0.25e-6, scale_z=1e-6)


def write_nd2(path: Path, positions: list[np.ndarray], names: list[str]) -> None:
    """Positions of (Z, C, Y, X) in 16 bits, with pixels of 0.25 µm and slices of 1 µm."""
    depth, channels, height, width = positions[0].shape
    count = len(positions) * depth
    attributes = {
        "uiBpcInMemory": 16,
        "uiBpcSignificant": 16,
        "uiComp": channels,
        "uiHeight": height,
        "uiSequenceCount": count,
        "uiWidthBytes": 2 * channels * width,
        "uiWidth": width,
        "eCompression": 2,
    }
    points = {f"i{k:010}": {"dPosX": float(k), "dPosY": 0.0, "pPosName": name} for k, name in enumerate(names)}
    slices = {"eType": 4, "uLoopPars": {"uiCount": depth, "dZStep": 1.0}}
    stage = {
        "eType": 2,
        "uLoopPars": {"Points": points},
        "pItemValid": {f"i{k:010}": 1 for k in range(len(names))},
        "ppNextLevelEx": {"i0000000000": slices},
    }
    planes = {
        f"a{k}": {
            "uiCompCount": 1,
            "uiSampleIndex": k,
            "sDescription": f"channel {k}",
            "uiColor": 255,
            "pFluorescentProbe": {"m_sName": "dye"},
        }
        for k in range(channels)
    }
    picture = {
        "dCalibration": 0.25,
        "bCalibrated": True,
        "dAspect": 1.0,
        "sPicturePlanes": {"uiCount": channels, "uiCompCount": channels, "uiSampleCount": 1, "sPlaneNew": planes},
    }
    chunks = {
        "ImageAttributesLV!": _variant({"SLxImageAttributes": attributes}),
        "ImageMetadataLV!": _variant({"SLxExperiment": stage}),
        "ImageMetadataSeqLV|0!": _variant({"SLxPictureMetadata": picture}),
    }
    frames = [plane for position in positions for plane in position]
    for number, frame in enumerate(frames):
        interleaved = np.ascontiguousarray(np.moveaxis(frame, 0, -1))
        chunks[f"ImageDataSeq|{number}!"] = struct.pack("<d", float(number)) + interleaved.tobytes()
    _write_chunks(path, chunks)


def _write_chunks(path: Path, chunks: Mapping[str, bytes]) -> None:
    """Every chunk has a name of 4072 bytes at most, so that pixels begin 4096 bytes (and a time) behind its start."""
    header = struct.Struct("<IIQ")
    magic = 0x0ABECEDA
    with path.open("wb") as file:
        file.write(header.pack(magic, 32, 64) + b"ND2 FILE SIGNATURE CHUNK NAME01!" + b"Ver3.0".ljust(64, b"\0"))
        places = b""
        for name, content in chunks.items():
            places += name.encode() + struct.pack("<QQ", file.tell(), len(content))
            file.write(header.pack(magic, 4072, len(content)) + name.encode().ljust(4072, b"\0") + content)
        start = file.tell()
        places += b"ND2 CHUNK MAP SIGNATURE 0000001!" + struct.pack("<Q", start)
        name = b"ND2 FILEMAP SIGNATURE NAME 0001!"
        file.write(header.pack(magic, len(name), len(places)) + name + places)


def _variant(values: Mapping[str, object]) -> bytes:
    """NIS-Elements' XML of values with types."""
    kinds = {bool: "bool", int: "lx_uint32", float: "double", str: "CLxStringW"}

    def element(name: str, value: object) -> str:
        if isinstance(value, Mapping):
            return f"<{name}>{''.join(element(key, inner) for key, inner in value.items())}</{name}>"
        return f'<{name} runtype="{kinds[type(value)]}" value={quoteattr(str(value))}/>'

    return f"<variant>{''.join(element(name, value) for name, value in values.items())}</variant>".encode()


def write_lif(path: Path, images: Mapping[str, np.ndarray]) -> None:
    """Images of (Z, C, Y, X) in 16 bits, with pixels of 0.25 µm and slices of 1 µm."""
    elements = ""
    for number, (name, pixels) in enumerate(images.items()):
        depth, channels, height, width = pixels.shape
        plane = 2 * height * width
        dimensions = [
            (1, width, 0.25e-6, 2),
            (2, height, 0.25e-6, 2 * width),
            (3, depth, 1e-6, channels * plane),
        ]
        described = "".join(
            f'<DimensionDescription DimID="{kind}" NumberOfElements="{length}" Origin="0" '
            f'Length="{step * (length - 1)}" Unit="m" BitInc="0" BytesInc="{increment}"/>'
            for kind, length, step, increment in dimensions
        )
        layers = "".join(
            f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="16" NameOfMeasuredQuantity="" Min="0" '
            f'Max="65535" Unit="" LUTName="Gray" IsLUTInverted="0" BytesInc="{c * plane}" BitInc="0"/>'
            for c in range(channels)
        )
        elements += (
            f'<Element Name="{name}" UniqueID="u{number}"><Data><Image><ImageDescription><Channels>{layers}</Channels>'
            f"<Dimensions>{described}</Dimensions></ImageDescription></Image></Data>"
            f'<Memory Size="{pixels.nbytes}" MemoryBlockID="MemBlock_{number}"/><Children/></Element>'
        )
    xml = (
        '<LMSDataContainerHeader Version="2"><Element Name="project" UniqueID="p"><Children>'
        f"{elements}</Children></Element></LMSDataContainerHeader>"
    )
    with path.open("wb") as file:
        text = xml.encode("utf-16-le")
        file.write(struct.pack("<IIBI", 0x70, len(text) + 5, 0x2A, len(text) // 2) + text)
        for number, pixels in enumerate(images.values()):
            key = f"MemBlock_{number}".encode("utf-16-le")
            file.write(struct.pack("<IIBQBI", 0x70, len(key) + 14, 0x2A, pixels.nbytes, 0x2A, len(key) // 2) + key)
            file.write(pixels.astype("<u2").tobytes())


def write_oir(path: Path, pixels: np.ndarray) -> None:
    """An image of (Z, C, Y, X) in 16 bits, with pixels of 0.25 µm and slices of 1.5 µm."""
    depth, channels, height, width = pixels.shape
    names = [f"{c:08x}-0000" for c in range(channels)]
    frame = (
        f'<?xml version="1.0"?><f:frameProperties xmlns:f="f"><f:width>{width}</f:width><f:height>{height}</f:height>'
        "<f:depth>2</f:depth><f:bitCounts>16</f:bitCounts><f:colorType>GRAY</f:colorType></f:frameProperties>"
    )
    listed = "".join(
        f'<c:channel id="{name}" order="{c}"><c:name>CH{c}</c:name></c:channel>' for c, name in enumerate(names)
    )
    axis = (
        f'<c:axis enable="true"><c:axis>ZSTACK</c:axis><c:startPosition>0</c:startPosition><c:step>1.5</c:step>'
        f"<c:maxSize>{depth}</c:maxSize></c:axis>"
    )
    about = (
        f'<?xml version="1.0"?><lsmimage:image xmlns:lsmimage="l" xmlns:c="c">{listed}{axis}'
        "<c:length><c:x>0.25</c:x><c:y>0.25</c:y></c:length></lsmimage:image>"
    )
    metadata, properties, uid, plane = 0, 1, 3, 4  # kinds of blocks
    blocks = [(metadata, about.encode()), (properties, frame.encode())]
    for z, c in np.ndindex(depth, channels):
        name = f"z{z + 1:03}_0_1_{names[c]}_0".encode()
        blocks += [
            (uid, struct.pack("<III", 0, 0, len(name)) + name),
            (plane, pixels[z, c].astype("<u2").tobytes()),
        ]
    content, places = b"\0" * 96, []
    for kind, block in blocks:
        places.append(len(content))
        content += struct.pack("<II", len(block), kind) + block
    index = struct.pack(f"<I{len(places)}Q", 0xFFFFFFFF, *places)
    start = b"OLYMPUSRAWFORMAT" + struct.pack("<IIII", 12, 0, 1, 2)
    start += struct.pack("<QQ", len(content) + len(index), len(content))
    path.write_bytes(start + content[len(start) :] + index)
