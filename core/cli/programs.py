"""What other programs read of `cellspan`: with `cellspan --for-programs VERB`, errors and notes have a fixed form.

An error is a line of JSON, {"code", "sentence", "fields"}, as in the answers of the service. A note is a line
`NOTE <sentence>`, and what takes long tells `PROGRESS <fraction> <words>`. So no program has to look for English words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import click

from cellspan.core.errors import CellspanError
from cellspan.core.files.regular import readable


def are_listening() -> bool:
    """Whether a program runs this command, and not a person."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.find_root().params.get("for_programs"))


def problem_line(error: CellspanError) -> str:
    """An error as one line of ASCII."""
    return json.dumps(error.as_json())


def note_line(sentence: str) -> str:
    """Something to know that is no error."""
    return "NOTE " + " ".join(sentence.split())


def tell_progress(fraction: float, words: str) -> None:
    """How far it is, for a program that watches."""
    click.echo(f"PROGRESS {fraction:.2f} {words}", err=True)


def tell_notes(notes: Iterable[str]) -> None:
    """Notes for whoever runs this command."""
    for note in notes:
        click.echo(note_line(readable(note)) if are_listening() else f"Note: {readable(note)}", err=True)
