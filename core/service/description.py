"""The description at /openapi.json: details of parameters and responses that the framework cannot know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI

from cellspan.core.parameters import LARGEST_TILE, LEAST_TILE, Parameters

DEVICE = r"^(auto|cpu|gpu|mps|cuda(:\d+)?)$"
NOT_SET = {"enum": ["", "none", "off", "auto", "automatic"]}  # words for 'not set'
PERCENTILE = r"\s*(100|\d{1,2}(\.\d+)?)\s*"
PERCENTILES = {"type": "string", "pattern": f"^{PERCENTILE},{PERCENTILE}$", "default": "1,99"}
NUMBER = r"\s*-?\d{1,15}(\.\d{1,9})?\s*"
LIMITS = {"type": "string", "pattern": f"^{NUMBER},{NUMBER}(,{NUMBER},{NUMBER})*$"}
INDICES = {"type": "string", "pattern": r"^\s*\d{1,6}\s*(,\s*\d{1,6}\s*)*$"}
TILES = {"type": "integer", "minimum": LEAST_TILE, "maximum": LARGEST_TILE}
# What a schema of Parameters cannot say of texts.
IN_TEXT: dict[str, dict[str, Any]] = {
    "normalize": {"anyOf": [{key: PERCENTILES[key] for key in ("type", "pattern")}, NOT_SET], "default": "1,99"},
    "limits": {"anyOf": [LIMITS, NOT_SET]},
    "channel": {"anyOf": [INDICES, NOT_SET]},
    "tile_norm": {"anyOf": [TILES, {"enum": [0]}], "default": 0},
}


def described(names: Iterable[str]) -> list[dict[str, Any]]:
    """The parameters of a segmentation as query parameters."""
    properties = Parameters.model_json_schema()["properties"]
    return [
        {
            "name": name,
            "in": "query",
            "schema": _in_query(name, properties[name]),
            "description": properties[name]["description"],
        }
        for name in names
    ]


def _in_query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A schema for text, in which words stand for null."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    kept = {key: value for key, value in kinds[0].items() if key not in ("title", "description", "default")}
    default = {} if schema.get("default") is None else {"default": schema["default"]}
    if name in IN_TEXT:
        return IN_TEXT[name]
    if "anyOf" not in schema:
        return {**kept, **default}
    if "exclusiveMinimum" in kept:  # 0 means that it is not set, too
        kept["minimum"] = kept.pop("exclusiveMinimum")
    return {"anyOf": [kept, NOT_SET], **default}


def describe(app: FastAPI) -> None:
    """Let the application describe itself without the framework's own 422, which is a 400 of the engine."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            whole = make()
            for operation in (operation for methods in whole["paths"].values() for operation in methods.values()):
                answer = operation["responses"].get("422", {})
                if "HTTPValidationError" in str(answer):
                    del operation["responses"]["422"]
            for name in ("HTTPValidationError", "ValidationError"):
                whole["components"]["schemas"].pop(name, None)
            app.openapi_schema = whole
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
