"""Names and paths in commands that people are told to type."""

from __future__ import annotations

import os
import shlex
import subprocess


def quoted(word: object) -> str:
    """A name or path as one word of a command that can be pasted into this computer's shell."""
    return subprocess.list2cmdline([str(word)]) if os.name == "nt" else shlex.quote(str(word))
