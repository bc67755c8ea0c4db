"""The description of parameters in a query: text, in which words mean that something is not set."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from cellspan.core.errors import CellspanError
from cellspan.core.parameters import Parameters, parse_parameters
from cellspan.core.service.description import DEVICE, NOT_SET, PERCENTILES, described

pytestmark = pytest.mark.quick


def schemas() -> dict[str, Any]:
    return {entry["name"]: entry["schema"] for entry in described(Parameters.model_fields)}


def test_every_parameter_is_described_in_words() -> None:
    for entry in described(Parameters.model_fields):
        assert entry["in"] == "query"
        assert len(entry["description"]) > 10, entry["name"]


def test_what_may_be_unset_has_words_for_it_and_the_parser_knows_them() -> None:
    unset = {name for name, schema in schemas().items() if NOT_SET in schema.get("anyOf", [])}
    assert {"diameter", "nuclei_channel", "normalize"} <= unset
    assert not any("null" in str(schema) for schema in schemas().values()), "there is no null in a query"
    for name in unset - {"normalize"}:
        for word in NOT_SET["enum"]:
            assert getattr(parse_parameters({name: word}), name) is None


def test_bounds_are_those_of_the_parser() -> None:
    schema = schemas()["min_size"]
    parse_parameters({"min_size": str(schema["minimum"])})
    with pytest.raises(CellspanError):
        parse_parameters({"min_size": str(schema["minimum"] - 1)})
    [number, _] = schemas()["diameter"]["anyOf"]
    assert "exclusiveMinimum" not in number, "0 means that it is not set"
    assert parse_parameters({"diameter": "0"}).diameter is None


@pytest.mark.parametrize(("text", "fits"), [("1,99", True), (" 0.5 , 99.9 ", True), ("1", False), ("1;99", False)])
def test_percentiles(text: str, fits: bool) -> None:
    assert bool(re.search(PERCENTILES["pattern"], text)) == fits
    if fits:
        assert parse_parameters({"normalize": text}).normalize is not None


@pytest.mark.parametrize(
    ("name", "text", "fits"),
    [
        ("limits", "200,4000", True),
        ("limits", " -3.5 , 7 ", True),
        ("limits", "5", False),
        ("limits", "1,2,3", False),
        ("channel", "2", True),
        ("channel", "0, 2", True),
        ("channel", "-1", False),
        ("channel", "0,", False),
    ],
)
def test_several_numbers(name: str, text: str, fits: bool) -> None:
    [schema, _] = schemas()[name]["anyOf"]
    assert bool(re.search(schema["pattern"], text)) == fits
    if fits:
        assert getattr(parse_parameters({name: text}), name) is not None
    else:
        with pytest.raises(CellspanError, match=name):
            parse_parameters({name: text})


def test_tiles_are_off_or_large_enough() -> None:
    [schema, off] = schemas()["tile_norm"]["anyOf"]
    for side in (schema["minimum"], schema["maximum"], *off["enum"]):
        assert parse_parameters({"tile_norm": str(side)}).tile_norm == side
    for side in (schema["minimum"] - 1, schema["maximum"] + 1):
        with pytest.raises(CellspanError, match="tile_norm"):
            parse_parameters({"tile_norm": side})


@pytest.mark.parametrize(("device", "fits"), [("auto", True), ("cuda:3", True), ("cuda:", False), ("my gpu", False)])
def test_devices(device: str, fits: bool) -> None:
    assert bool(re.search(DEVICE, device)) == fits


def test_the_frameworks_own_errors_are_not_described(http: TestClient) -> None:
    described = http.get("/openapi.json").json()
    assert "HTTPValidationError" not in str(described)
    assert "ValidationError" not in described["components"]["schemas"]
