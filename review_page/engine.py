"""The client of the engine that serves this page: it never starts another one."""

from __future__ import annotations

import os

from cellspan.core.service.client import LOCK, Engine, EngineError, OnProgress, Service, read_record, runtime_folder

GONE = "The engine is stopping; open the page again with: cellspan review FOLDER"


class OwnEngine(Engine):
    """The engine of this process. Once it stops, work for the page ends with it, and no other engine is started."""

    def __init__(self, interactive: bool) -> None:
        """Finds its address now, because an engine whose program was replaced gives its record away later."""
        super().__init__([], interactive)
        self._service = _own_service()

    def connect(self, on_progress: OnProgress | None = None) -> Service:
        """The service of this process; raises EngineError when it stops."""
        if self._service is None:
            self._service = _own_service()
        if self._service is None or not self._service.serves():
            raise EngineError(GONE, "stopping")
        return self._service


def _own_service() -> Service | None:
    top = runtime_folder()
    for folder in [top, *sorted(path.parent for path in top.glob(f"*/{LOCK}"))]:
        record = read_record(folder)
        if record is not None and record.get("pid") == os.getpid():
            return Service.of(record)
    return None
