"""The text for a bug report: what doctor found, packages and settings, without names of people, folders or secrets."""

from __future__ import annotations

import getpass
import os
import platform
import re
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

from cellspan.core.service.client import EngineError, log_file

SECRET = re.compile(r"(?i)(token|secret|password|key)")  # in the name of a variable
LONG_CODE = re.compile(r"\b[0-9a-fA-F]{24,}\b|\b[A-Za-z0-9_-]{40,}\b")  # tokens, checksums
HOME = re.compile(r"(?i)((?:/home|/users|[a-z]:[\\/]+users)[\\/]+)[^\\/\s\"']+")
# Up to the last one of a line, because names may hold blanks; not the engine's own addresses.
PATH = re.compile(r"(?:\b[A-Za-z]:)?(?<![\w.])[\\/](?!v1/).*[\\/]\S*")
LAST_LINES = 100  # of the log


def report_of(lines: Sequence[str]) -> str:
    """The report, as text."""
    installed = sorted({f"{one.metadata['Name']} {one.version}" for one in distributions() if one.metadata["Name"]})
    parts = {
        "cellspan doctor": lines,
        "settings": _settings(),
        "packages": installed,
        "the last lines of the engine's log": [PATH.sub("<path>", line) for line in _log()],
    }
    text = "\n\n".join("\n".join([f"== {title}", *part]) for title, part in parts.items())
    return without_names(text) + "\n"


def without_names(text: str) -> str:
    """Home folders, the user's and the computer's name, and codes that could be secrets are taken out."""
    home = str(Path.home())
    if len(home) > 1:
        text = text.replace(home, "~")
    text = LONG_CODE.sub("<code>", HOME.sub(r"\1<user>", text))
    for name, word in ((_user(), "<user>"), (platform.node(), "<computer>")):
        if len(name) > 1:
            text = re.sub(rf"\b{re.escape(name)}\b", word, text)
    return text


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return ""


def _settings() -> list[str]:
    """Variables of ours that are set; of those that may be secret, only that they are."""
    ours = sorted(name for name in os.environ if name.startswith(("CELLSPAN_", "CELLPOSE_", "OMP_", "NUMBA_")))
    return [f"{name}={'<set>' if SECRET.search(name) else os.environ[name]}" for name in ours]


def _log() -> list[str]:
    try:
        return log_file().read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
    except (OSError, EngineError):
        return []
