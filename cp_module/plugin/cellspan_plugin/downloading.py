"""Downloads a model of Cellpose that the user chooses in a list; the engine's program does the work."""

from __future__ import annotations

import json
import logging
import re
import subprocess
from types import SimpleNamespace
from typing import Any, Sequence

from cellspan_plugin.engine import program_of, unseen
from cellspan_plugin.waiting import OnProgress, Stopped, attend, desktop

LOGGER = logging.getLogger(__name__)
TITLE = "cellspan"
BEST = "cyto3"  # selected when the list opens
ASK_SECONDS = 20.0
PROGRESS = re.compile(r"PROGRESS (\d\.\d+) (.*)")
QUESTION = (
    "Cellpose's own models are downloaded from its server: about 27 MB each, cpsam 1.2 GB.\n"
    "They are then available in every program on this computer. Which one?"
)


DOWNLOAD_HELP = """\
Choose one of Cellpose's own models; it is downloaded and selected. For whole cells in fluorescence and for tissue, take
cyto3. Models that are here already are not downloaded again.
"""


class NotDownloaded(Exception):
    """Why a model could not be had, in a sentence."""


def download_model(engine_command: Sequence[str]) -> str:
    """The name of the model that the user chose and that is here now; empty if there is none, which the user knows."""
    wx = desktop()
    if wx is None:
        return ""
    program = program_of(engine_command)
    try:
        name = _chosen(wx, offered_models(program))
        return attend(lambda tell: fetch(program, name, tell), LOGGER.info, TITLE, window()) if name else ""
    except Stopped:
        return ""
    except NotDownloaded as error:
        tell_problem(str(error))
        return ""


def tell_problem(sentence: str) -> None:
    """In a box of its own."""
    wx = desktop()
    wx.MessageBox(sentence, TITLE, wx.OK | wx.ICON_ERROR, window().frame)


def window() -> Any:
    """CellProfiler's, for what belongs to no run of a pipeline: like a workspace, it has a `frame`."""
    wx = desktop()
    return SimpleNamespace(frame=next(iter(wx.GetTopLevelWindows()), None) if wx else None)


def _chosen(wx: Any, lines: list[str]) -> str:
    """The name in the line that the user selects; empty if the user cancels."""
    dialog = wx.SingleChoiceDialog(window().frame, QUESTION, TITLE, lines)
    names = [line.split()[0] for line in lines]
    dialog.SetSelection(names.index(BEST))
    try:
        return names[dialog.GetSelection()] if dialog.ShowModal() == wx.ID_OK else ""
    finally:
        dialog.Destroy()


def offered_models(program: Sequence[str]) -> list[str]:
    """A line for each model: its name, and what it was trained on."""
    process = _start(program, "--for-programs", "models", "fetch")
    try:
        printed, _ = process.communicate(timeout=ASK_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise NotDownloaded("The engine's program does not answer; try again.") from None
    if not printed or process.returncode != 0:
        raise NotDownloaded("The engine's program does not know any models; install cellspan again.")
    models = map(json.loads, printed.splitlines())
    return [f"{model['name']} - {model['images']}" for model in models]


def fetch(program: Sequence[str], name: str, tell: OnProgress) -> str:
    """Download a model; its name in lists. Raises NotDownloaded, and whatever `tell` raises to stop it.

    A download that was stopped goes on from there the next time.
    """
    problem = ""
    with _start(program, "--for-programs", "models", "fetch", name) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            tell(0.0, f"downloading {name}")
            for line in process.stderr:
                progress = PROGRESS.match(line)
                if progress:
                    tell(float(progress[1]), progress[2])
                problem = _sentence(line) or problem
            printed = process.stdout.read().splitlines()
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0 or not printed:
        raise NotDownloaded(problem or f"{name} could not be downloaded; try again.")
    return printed[-1]


def _start(program: Sequence[str], *words: str) -> subprocess.Popen[str]:
    from cellspan_plugin.client import engine_environment  # added by the installer, so a plain copy lacks it

    try:
        return subprocess.Popen(
            [*program, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=engine_environment(),
            encoding="utf-8",
            errors="replace",
            **unseen(),
        )
    except OSError as error:
        raise NotDownloaded(f"The engine's program did not start ({error}); install cellspan again.") from None


def _sentence(line: str) -> str:
    """What a line of JSON says; empty for any other line."""
    try:
        return str(json.loads(line)["sentence"])
    except (ValueError, KeyError, TypeError):
        return ""
