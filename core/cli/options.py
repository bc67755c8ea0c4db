"""Command-line options made from `core.parameters`, so that every option is defined once."""

from __future__ import annotations

import functools
import re
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar

import click

from cellspan.core.parameters import Parameters, parse_parameters

Function = TypeVar("Function", bound=Callable[..., Any])

device_option = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, gpu (any), cuda, cuda:N or mps (Apple graphics)."
)


def _numbers(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    """'0,2' as numbers."""
    if value is None:
        return ()
    if not re.fullmatch(r"\d{1,6}(,\d{1,6})*", value.replace(" ", "")):
        raise click.BadParameter(f"'{value}' is not a number, or several with commas between, such as 0,2.")
    return tuple(int(number) for number in value.split(","))


series_option = click.option(
    "--series",
    callback=_numbers,
    metavar="NUMBER,...",
    help="Of files that hold several images (series, scenes, positions, wells): only these, from 0.  [default: all]",
)


def parameter_options(function: Function) -> Function:
    """Add an option for every field of Parameters; the function gets one `parameters` argument."""
    return options_for(*Parameters.model_fields)(function)


def options_for(*names: str) -> Callable[[Function], Function]:
    """The same for some fields of Parameters; the others have their defaults."""

    def add(function: Function) -> Function:
        @functools.wraps(function)
        def wrapper(**values: Any) -> Any:
            given = {name: values.pop(name) for name in names}
            chosen = {name: value for name, value in given.items() if value is not None}
            return function(parameters=parse_parameters(chosen), **values)

        for name in reversed(names):
            wrapper = _option(name)(wrapper)
        return typing.cast(Function, wrapper)

    return add


def _option(name: str) -> Callable[[Any], Any]:
    field = Parameters.model_fields[name]
    flag = "--" + name.replace("_", "-")
    text = field.description or ""
    if field.annotation is bool:
        text += f"  [default: {'yes' if field.default else 'no'}]"
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=text)
    default = field.default
    shown = ",".join(f"{value:g}" for value in default) if isinstance(default, tuple) else default
    # Values stay text: Parameters reads and checks them, in one place and with one wording.
    if default is not None:
        text += f"  [default: {shown}]"
    return click.option(flag, name, metavar=_metavar(field.annotation), help=text)


def _metavar(annotation: Any) -> str:
    """INTEGER, NUMBER, TEXT, several of them, or the words to choose from."""
    kinds = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    if any(typing.get_origin(kind) is typing.Literal for kind in kinds):
        return "|".join(typing.get_args(annotation))
    if any(typing.get_origin(kind) is tuple for kind in kinds):
        return "INTEGER,..." if int in kinds else "LOW,HIGH"
    if int in kinds:
        return "INTEGER"
    return "NUMBER" if float in kinds else "TEXT"
