"""The one exception that a user's mistake raises: a single sentence that names the culprit and the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class CellspanError(Exception):
    """A mistake in the input (file, value, model name); its text is shown to the user as it is, without a traceback.

    `code` is one word for programs that have to tell this mistake from others, "" where none has to; `fields` are what
    the sentence speaks of, by name.
    """

    def __init__(self, sentence: str = "", code: str = "", **fields: Any) -> None:
        """The sentence for the user and, if a program needs them, code and fields."""
        super().__init__(sentence)
        self.code, self.fields = code, fields

    def within(self, path: Path) -> CellspanError:
        """The same mistake in a sentence that begins with the name of the file."""
        return CellspanError(f"{path}: {self}", self.code, **{**self.fields, "file": str(path)})

    def as_json(self) -> dict[str, Any]:
        """For programs, in the form that the service's answers have."""
        return {"code": self.code, "sentence": str(self), "fields": self.fields}


def result_exists(result: Path) -> CellspanError:
    """A result would replace an earlier one."""
    sentence = f"{result}: this result exists already; add --overwrite to replace it or --skip-existing to keep it."
    return CellspanError(sentence, "result_exists", result=str(result))


def missing_channel(option: str, index: int, count: int) -> CellspanError:
    """The image has fewer channels than the value of `option`, counted from 0, asks for."""
    sentence = f"{option} = {index}, but the image has {count} channel(s), counted from 0."
    return CellspanError(sentence, "missing_channel", option=option, index=index, count=count)


class Cancelled(Exception):
    """The user stopped the work; nothing went wrong."""


class DeviceMemoryError(CellspanError):
    """The memory of a graphics card does not suffice."""


def first_line(error: Exception) -> str:
    """What a library's error says, as a part of a sentence for the user: its first line, or its name if it is mute."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
