"""The page's addresses: pictures, tiles, files, and how errors are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellspan.review_page import routes

from .conftest import Tab, ids_of

pytestmark = pytest.mark.quick


def test_a_tile(tab: Tab, plate: Path) -> None:
    [name] = ids_of(tab, ["A01.tif"])
    answer = tab.get(f"images/{name}/tile", x=32, y=0, size=512)
    assert answer.headers["X-Shape"] == "64,40"
    tile = np.frombuffer(answer.content, "<u2").reshape(64, 40)
    given = tifffile.imread(plate / "A01.tif")[:, 32:]
    np.testing.assert_array_equal(tile == 65535, given == 200)
    assert tab.get(f"images/{name}/tile", level=3).status_code == 404
    assert tab.get(f"images/{name}/tile", x=-1).status_code == 400


def test_a_thumbnail(tab: Tab) -> None:
    [name] = ids_of(tab, ["A01.tif"])
    answer = tab.get(f"images/{name}/thumbnail", revision=0)
    assert (answer.headers["content-type"], answer.content[8:12]) == ("image/webp", b"WEBP")
    assert "immutable" in answer.headers["cache-control"]


def test_the_page_and_its_files(tab: Tab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    static = tmp_path / "static"
    monkeypatch.setattr(routes, "STATIC", static)
    answer = tab.client.get(tab.base)
    assert (answer.status_code, answer.json()["code"]) == (503, "not_built")
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<title>page</title>")
    (static / "assets" / "x-1.js").write_text("1")
    (tmp_path / "secret.txt").write_text("password")
    assert "page" in tab.client.get(tab.base).text
    script = tab.client.get(tab.base + "assets/x-1.js")
    assert "javascript" in script.headers["content-type"]
    assert "immutable" in script.headers["cache-control"]
    for path in ("../secret.txt", "%2e%2e/secret.txt", "assets/../../secret.txt", "assets", "none.js"):
        answer = tab.client.get(tab.base + path)
        assert answer.status_code in (403, 404), path
        assert "password" not in answer.text


def test_errors_have_the_form_of_the_engine(tab: Tab) -> None:
    for answer in (
        tab.get("images/none"),
        tab.post("segment", ids="some"),
        tab.send("PUT", "segment", {}),
        tab.post("save", kinds=[], ids="all"),
        tab.post("teach", name="x", minutes=1),
    ):
        assert answer.status_code >= 400
        assert set(answer.json()) == {"code", "sentence", "fields"}
