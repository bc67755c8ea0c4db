"""The models on this computer, for the lists in the panel: the engine's program names them, and loads none."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any, NamedTuple, Sequence

from cellspan_plugin.engine import program_of, unseen

SECONDS = 20.0  # that the program may take, from a slow disk
FRESH = 60.0  # seconds for which a list is used again


class Listed(NamedTuple):
    """A model that can be used."""

    name: str
    words: str  # its network, size, and whether a graphics card is advised
    restores: bool  # images, instead of finding objects

    @property
    def line(self) -> str:
        """As it stands in the list."""
        return f"{self.name} - {self.words}" if self.words else self.name


_known: dict[tuple[str, ...], Any] = {}  # by the engine's command: when it was asked, and its models


def list_models(engine_command: Sequence[str]) -> list[Listed]:
    """The models of this engine; none if its program does not say."""
    command = tuple(engine_command)
    asked, models = _known.get(command, (None, []))
    if asked is None or time.monotonic() - asked > FRESH:
        models = _asked(command)
        _known[command] = (time.monotonic(), models)
    return list(models)


def forget_models() -> None:
    """Ask again next time, because there is a new one."""
    _known.clear()


def _asked(command: Sequence[str]) -> list[Listed]:
    from cellspan_plugin.client import engine_environment  # added by the installer, so a plain copy lacks it

    try:
        done = subprocess.run(
            [*program_of(command), "models", "list", "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            env=engine_environment(),
            check=True,
            **unseen(),
        )
        usable = [item for item in json.loads(done.stdout.decode("utf-8")) if not item["problem"]]
        return [Listed(str(item["name"]), str(item["about"]), bool(item["restores"])) for item in usable]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return []  # names can be entered all the same


def name_in(line: str, models: Sequence[Listed]) -> str:
    """The name of the model whose line was selected; anything else as it is."""
    return next((model.name for model in models if model.line == line), line)
