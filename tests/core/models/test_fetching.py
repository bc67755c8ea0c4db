"""Fetching the official models over HTTP: whole or not at all, continued, checked, and honest about why not."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tenacity

from cellspan.core.errors import CellspanError
from cellspan.core.models import download as download_module
from cellspan.core.models.download import download
from cellspan.core.models.fetching import Source, fetch_model
from cellspan.core.models.official import ADDRESS, ADDRESS_OF_4, OFFICIAL, OfficialFile
from cellspan.core.models.registry import find_model

from ...blob_finder import save_blob_finder

pytestmark = pytest.mark.quick
Save = Callable[..., Path]
Server = Any


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "WAIT", tenacity.wait_none())


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of one's own, for downloads that are not complete."""
    folder = tmp_path / "cache"
    monkeypatch.setattr("cellspan.core.models.fetching.user_cache_path", lambda *_, **__: folder)
    return folder / "downloads"


@pytest.fixture
def official(server: Server, tmp_path: Path, save_checkpoint: Save, save_sizes: Save) -> Server:
    """A server that has cyto3, cyto and nuclei."""
    for name in ("cyto3", "cyto", "nuclei"):
        files = OFFICIAL[name]
        assert files.sizes is not None
        for file, save in ((files.weights, save_checkpoint), (files.sizes, save_sizes)):
            server.files[file.name] = save(tmp_path / "server" / file.name).read_bytes()
    return server


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_model_comes_with_its_size_model_and_checksums(official: Server, cellpose_models: Path, cache: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    model, files = fetch_model("cyto3", Source(official.url, on_bytes=lambda *counts: seen.append(counts)))
    assert (model.name, model.description.size_model is not None) == ("cyto3", True)
    content = official.files["cyto3"]
    assert (cellpose_models / "cyto3").read_bytes() == content
    assert model.description.source_sha256 == sha256(content)
    assert (cellpose_models / "cyto3.sha256").read_text() == f"{sha256(content)}  cyto3\n"
    assert seen[-1] == (len(content), len(content))
    assert [(file.target.name, file.is_new, file.confirmed_by) for file in files] == [
        ("size_cyto3.npy", True, ""),
        ("cyto3", True, ""),
    ]
    assert names_in(cellpose_models) == ["cyto3", "cyto3.sha256", "size_cyto3.npy", "size_cyto3.npy.sha256"]
    assert names_in(cache) == ["cyto3.lock"]


@pytest.mark.parametrize(
    ("name", "file", "typed"),
    [("cyto", "cytotorch_0", "cellpose/cyto"), ("nuclei", "nucleitorch_0", "cellpose/nuclei")],
)
def test_files_have_the_names_that_cellpose_gives_them(
    official: Server, cellpose_models: Path, name: str, file: str, typed: str
) -> None:
    model, _ = fetch_model(name, Source(official.url))
    assert find_model(typed).weights_file == model.weights_file == cellpose_models / file


def test_every_official_model_comes_with_its_channels(
    server: Server, cellpose_models: Path, tmp_path: Path, save_checkpoint: Save, save_sizes: Save
) -> None:
    for name, about in OFFICIAL.items():
        if about.kind == "flow-sam":
            file = save_blob_finder(tmp_path / "server" / name)
        else:
            outputs = 1 if about.kind == "restoration" else 3
            file = save_checkpoint(tmp_path / "server" / name, (about.channels, 4, 8), outputs=outputs)
        server.files[about.weights.name] = file.read_bytes()
        if about.sizes:
            server.files[about.sizes.name] = save_sizes(tmp_path / "server" / "sizes.npy").read_bytes()
        model, _ = fetch_model(name, Source(server.url))
        assert model.description.layout.channels == about.channels
        assert model.description.mean_diameter == (17 if "nuclei" in name else 30)
        assert model.description.kind == about.kind
        assert (model.description.size_model is not None) == (about.sizes is not None)
    server.files["neurips_cellpose_default"] = server.files["CP"]
    (cellpose_models / "neurips_cellpose_default.sha256").unlink()
    with pytest.raises(CellspanError, match=r"was refused: its network has 2 input channel\(s\) instead of 3"):
        fetch_model("neurips_cellpose_default", Source(server.url, overwrite=True))
    server.files["denoise_cyto3"] = save_checkpoint(tmp_path / "flows", (1, 4, 8)).read_bytes()
    (cellpose_models / "denoise_cyto3.sha256").unlink()
    with pytest.raises(CellspanError, match=r"it is a convolutional network .* instead of a network that restores"):
        fetch_model("denoise_cyto3", Source(server.url, overwrite=True))


def test_models_of_other_kinds_are_refused_by_name(server: Server) -> None:
    for name, reason in (("transformer_cp3", "use cyto3"), ("bact_omni", "Omnipose"), ("cyto_0", "MXNet")):
        with pytest.raises(CellspanError, match=f"{name} cannot be used: .*{reason}"):
            fetch_model(name, Source(server.url))
        with pytest.raises(CellspanError, match=f"There is no model '{name}'.* {name} cannot be used"):
            find_model(name)
    assert not server.asked


def test_what_is_there_is_not_downloaded_again(official: Server, cellpose_models: Path) -> None:
    fetch_model("cyto3", Source(official.url))
    official.asked.clear()
    for source in (Source(official.url), Source(official.url, offline=True)):
        _, files = fetch_model("cyto3", source)
        assert not any(file.is_new for file in files)
        assert all("cyto3" in file.confirmed_by for file in files)
    assert not official.asked
    _, files = fetch_model("cyto3", Source(official.url, overwrite=True))
    assert all(file.is_new for file in files)


def test_a_broken_connection_is_continued(official: Server) -> None:
    size = len(official.files["cyto3"])
    official.cuts = [10**9, size // 3, size // 3]  # the size model first
    notes: list[str] = []
    model, _ = fetch_model("cyto3", Source(official.url, on_note=notes.append))
    assert model.sha256 == sha256(official.files["cyto3"])
    asked = [wanted for name, wanted in official.asked if name == "cyto3"]
    assert asked == [None, f"bytes={size // 3}-", f"bytes={size // 3 * 2}-"]
    assert [note.partition(" (")[0] for note in notes[2:]] == ["the connection broke off"] * 2


def test_a_later_call_continues(official: Server, cellpose_models: Path, cache: Path) -> None:
    size = len(official.files["cyto3"])
    official.cuts = [10**9, size // 2, 0, 0, 0]
    with pytest.raises(CellspanError, match="broke off"):
        fetch_model("cyto3", Source(official.url))
    assert names_in(cellpose_models) == []
    assert (cache / "cyto3").stat().st_size == size // 2
    official.asked.clear()
    fetch_model("cyto3", Source(official.url))
    assert ("cyto3", f"bytes={size // 2}-") in official.asked


@pytest.mark.parametrize("change", ["content", "ranges", "tags", "address"])
def test_a_part_is_continued_only_if_it_is_of_the_same_file(
    official: Server, change: str, tmp_path: Path, save_checkpoint: Save
) -> None:
    part, content = tmp_path / "part", official.files["cyto3"]
    official.tags = change != "tags"
    official.cuts = [len(content) // 2, 0, 0, 0]
    url = f"{official.url}/cyto3"

    def get(address: str) -> None:
        download(address, part, lambda done, total: None, lambda line: None)

    with pytest.raises(CellspanError):
        get(url)
    if change == "content":
        content = official.files["cyto3"] = save_checkpoint(tmp_path / "renewed", seed=9).read_bytes()
    if change == "address":
        content = official.files["other"] = content[::-1]
        url = url.replace("cyto3", "other")
    official.ranges = change != "ranges"
    get(url)
    assert part.read_bytes() == content
    assert not part.with_name("part.from").exists()


def test_a_part_that_is_complete_or_too_long_does_no_harm(official: Server, tmp_path: Path) -> None:
    part, content, url = tmp_path / "part", official.files["cyto3"], f"{official.url}/cyto3"
    for there in (content, content + b"more"):
        part.write_bytes(there)
        part.with_name("part.from").write_text(f'{url}\n"{sha256(content)}"\n')
        download(url, part, lambda done, total: None, lambda line: None)
        assert part.read_bytes() == content


def test_a_server_may_have_a_bad_moment(official: Server) -> None:
    official.failures = [503, 500]
    notes: list[str] = []
    fetch_model("cyto3", Source(official.url, on_note=notes.append))
    assert notes == [
        f"downloading {official.url}/size_cyto3.npy",
        "the server answered 503 (Service Unavailable); trying again",
        "the server answered 500 (Internal Server Error); trying again",
        f"downloading {official.url}/cyto3",
    ]


def test_servers_that_do_not_have_it(official: Server, cellpose_models: Path) -> None:
    official.failures = [500] * 9
    with pytest.raises(CellspanError, match=r"size_cyto3\.npy could not be downloaded: the server answered 500"):
        fetch_model("cyto3", Source(official.url))
    assert len(official.asked) == 4
    official.asked.clear()
    official.failures.clear()
    with pytest.raises(CellspanError, match=r"no such file \(404\)"):
        fetch_model("cyto2", Source(official.url))
    assert len(official.asked) == 1
    assert names_in(cellpose_models) == []


def test_no_network(cellpose_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(CellspanError, match=r"cannot connect to 127\.0\.0\.1 .*check the network\.$"):
            fetch_model("cyto3", Source(address))
    for address in ("ftp://example.org", "example.org", "http://", "http://[", ""):
        with pytest.raises(CellspanError, match="could not be downloaded"):
            fetch_model("cyto3", Source(address))
    assert names_in(cellpose_models) == []


def test_a_silent_server(official: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(CellspanError, match="not answer in time"):
        fetch_model("cyto3", Source(f"http://127.0.0.1:{silent.getsockname()[1]}"))


def test_offline_nothing_is_downloaded(official: Server, cellpose_models: Path) -> None:
    with pytest.raises(CellspanError, match=r"size_cyto3\.npy is missing, and nothing is downloaded in offline mode"):
        fetch_model("cyto3", Source(official.url, offline=True))
    assert not official.asked
    assert not cellpose_models.exists()


def test_wrong_bytes_never_become_a_model(official: Server, cellpose_models: Path, cache: Path) -> None:
    good = official.files["cyto3"]
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 1
    for wrong in (b"<html>maintenance</html>", bytes(flipped), good[:-1], b""):
        official.files["cyto3"] = wrong
        with pytest.raises(CellspanError, match=f"{official.url}/cyto3: the file was refused"):
            fetch_model("cyto3", Source(official.url))
        assert names_in(cellpose_models) == []
        assert names_in(cache) == ["cyto3.lock"]
    official.files |= {"cyto3": good, "size_cyto3.npy": b"\x93NUMPY nonsense"}
    with pytest.raises(CellspanError, match=r"size_cyto3\.npy: the file was refused"):
        fetch_model("cyto3", Source(official.url))
    assert names_in(cellpose_models) == []


def test_other_networks_are_refused(official: Server, cellpose_models: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"encoder.patch_embed.proj.weight": torch.zeros(3)}, tmp_path / "sam")
    official.files["cyto3"] = (tmp_path / "sam").read_bytes()
    with pytest.raises(CellspanError, match="refused: these are not the weights of a network that cellspan runs"):
        fetch_model("cyto3", Source(official.url))
    with pytest.raises(CellspanError, match="no official model 'cyto4'; choose from cyto, cyto2, cyto3"):
        fetch_model("cyto4", Source(official.url))
    with pytest.raises(CellspanError, match="cpdino cannot be used: it has another network: use cpsam_v2"):
        fetch_model("cpdino", Source(official.url))


def test_the_models_of_cellpose_4(server: Server, cellpose_models: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    server.files["cpsam_v2"] = save_blob_finder(tmp_path / "server").read_bytes()
    model, files = fetch_model("cpsam_v2", Source(server.url))
    assert names_in(cellpose_models) == ["cpsam_v2", "cpsam_v2.sha256"]
    assert (model.description.kind, model.sha256) == ("flow-sam", sha256(server.files["cpsam_v2"]))
    assert files[0].origin == f"{server.url}/cpsam_v2"


def test_every_model_has_an_address_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def refuse(url: str, *_: object) -> None:
        asked.append(url)
        raise CellspanError("no network in tests")

    monkeypatch.setattr("cellspan.core.models.fetching.download", refuse)
    for name in ("livecell_cp3", "cpsam"):
        with pytest.raises(CellspanError, match="no network in tests"):
            fetch_model(name, Source())
    assert asked == [f"{ADDRESS}/livecell_cp3", f"{ADDRESS_OF_4}/cpsam"]


def test_a_pinned_checksum_is_held(official: Server, cellpose_models: Path) -> None:
    right = sha256(official.files["cyto3"])
    with pytest.raises(CellspanError, match=f"SHA-256 is {right}, but --sha256 says {'0' * 64}"):
        fetch_model("cyto3", Source(official.url), "0" * 64)
    assert names_in(cellpose_models) == []
    with pytest.raises(CellspanError, match="not a SHA-256"):
        fetch_model("cyto3", Source(official.url), "abc")
    _, files = fetch_model("cyto3", Source(official.url), right.upper())
    assert [file.confirmed_by for file in files] == ["", "--sha256"]
    with pytest.raises(CellspanError, match=r"contradict each other: --sha256 says 000.*cyto3\.sha256 says"):
        fetch_model("cyto3", Source(official.url), "0" * 64)


def test_later_downloads_must_be_the_recorded_one(
    official: Server, cellpose_models: Path, tmp_path: Path, save_checkpoint: Save
) -> None:
    fetch_model("cyto3", Source(official.url))
    before = (cellpose_models / "cyto3").read_bytes()
    official.files["cyto3"] = save_checkpoint(tmp_path / "renewed", seed=9).read_bytes()
    with pytest.raises(CellspanError, match=r"SHA-256 is .*, but .*cyto3\.sha256 says"):
        fetch_model("cyto3", Source(official.url, overwrite=True))
    assert (cellpose_models / "cyto3").read_bytes() == before
    (cellpose_models / "cyto3").write_bytes(official.files["cyto3"])
    with pytest.raises(CellspanError, match=r"SHA-256 is .*, but .*cyto3\.sha256 says"):
        fetch_model("cyto3", Source(official.url, offline=True))
    (cellpose_models / "cyto3.sha256").write_text("nonsense")
    with pytest.raises(CellspanError, match=r"cyto3\.sha256: 'nonsense' is not a SHA-256"):
        fetch_model("cyto3", Source(official.url))


def test_a_known_checksum_is_held(official: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    known = OfficialFile("cyto3", "1" * 64)
    monkeypatch.setitem(OFFICIAL, "cyto3", replace(OFFICIAL["cyto3"], weights=known))
    with pytest.raises(CellspanError, match="but cellspan says 111"):
        fetch_model("cyto3", Source(official.url))


def test_a_damaged_file_that_is_there_is_named(official: Server, cellpose_models: Path) -> None:
    cellpose_models.mkdir(parents=True)
    (cellpose_models / "cyto3").write_bytes(official.files["cyto3"][:500])
    with pytest.raises(CellspanError, match=r"cyto3: the file was refused: .*cut short.* Use --overwrite"):
        fetch_model("cyto3", Source(official.url))
    fetch_model("cyto3", Source(official.url, overwrite=True))
    assert find_model("cyto3").weights()


def test_folders_that_cannot_be_written_to(official: Server, cellpose_models: Path) -> None:
    cellpose_models.parent.mkdir(parents=True)
    cellpose_models.write_text("a file in the way")
    with pytest.raises(CellspanError, match="the folder cannot be made"):
        fetch_model("cyto3", Source(official.url))
    assert not official.asked


def test_models_without_a_size_model(official: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert OFFICIAL["livecell_cp3"].sizes is None
    official.files["livecell_cp3"] = official.files["cyto3"]
    model, files = fetch_model("livecell_cp3", Source(official.url))
    assert model.description.size_model is None
    assert len(files) == 1


def test_two_processes_do_not_disturb_each_other(
    official: Server, cellpose_models: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    call = [sys.executable, "-m", "cellspan.core.cli", "models", "fetch", "cyto3", "--url", official.url]
    processes = [subprocess.Popen(call) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert sorted(official.asked) == [("cyto3", None), ("size_cyto3.npy", None)]
    assert np.isfinite(find_model("cyto3").weights()["output.2.bias"]).all()
