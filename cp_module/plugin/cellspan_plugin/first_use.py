"""Offers to make the engine when a plugin that came as a zip is used first; nothing is downloaded without a click."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

from cellspan_plugin.engine import HERE, NotInstalled, engine_command
from cellspan_plugin.making_engine import NotMade, connect_engine, made_before, question, wanted_engine
from cellspan_plugin.waiting import Stopped, attend, desktop

LOGGER = logging.getLogger(__name__)
TITLE = "cellspan"
GO_ON, NOT_NOW = "Install", "Not now"


def can_offer(folder: Path = HERE) -> bool:
    """Whether somebody can be asked, as soon as the module runs; any thread may want to know."""
    wx = sys.modules.get("wx")
    return wx is not None and wx.GetApp() is not None and wanted_engine(folder) is not None


def ensure_engine(workspace: Any, folder: Path = HERE) -> bool:
    """Whether the engine is there, perhaps because it was just made; True if nobody can be asked.

    Asks in one dialog, shows the progress in a window with a Cancel button, and tells in a sentence what went wrong.
    """
    wx, wanted = desktop(), wanted_engine(folder)
    if wx is None or wanted is None or _is_connected(folder):
        return True
    if made_before(wanted) is None and not _agrees(wx, question(folder, wanted), workspace):
        return False
    try:
        attend(lambda tell: connect_engine(folder, wanted, lambda said: tell(0.0, said)), LOGGER.info, TITLE, workspace)
        engine_command(folder)
    except Stopped:
        return False
    except (NotMade, NotInstalled) as error:
        wx.MessageBox(str(error), TITLE, wx.OK | wx.ICON_ERROR, workspace.frame)
        return False
    return True


def _is_connected(folder: Path) -> bool:
    try:
        engine_command(folder)
    except NotInstalled:
        return False
    return True


def _agrees(wx: Any, text: str, workspace: Any) -> bool:
    dialog = wx.MessageDialog(workspace.frame, text, TITLE, wx.OK | wx.CANCEL | wx.ICON_QUESTION)
    dialog.SetOKCancelLabels(GO_ON, NOT_NOW)
    try:
        return bool(dialog.ShowModal() == wx.ID_OK)
    finally:
        dialog.Destroy()
