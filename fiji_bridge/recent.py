"""What the network saw in the plane of a preview stays in the engine: other thresholds, and then OK, take no time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from cellspan.core.service.client import Engine, EngineResult
    from cellspan.fiji_bridge.answers import Report


class _Kept(NamedTuple):
    """The plane and the options of the network, and its result, whose network outputs the engine keeps."""

    key: tuple[str, str]
    result: EngineResult


class Recent:
    """The plane of the last preview."""

    def __init__(self) -> None:
        """None at first."""
        self._kept: _Kept | None = None

    def run(
        self,
        engine: Engine,
        content: bytes,
        kind: str,
        parameters: Mapping[str, Any],
        report: Report | None,
        also: Mapping[str, str],
        labels: bool = True,
        keep: bool = False,
    ) -> tuple[EngineResult, dict[str, bytes]]:
        """As Engine.run, without the network if the last preview had this plane; `keep`: this is a preview itself."""
        if self._kept is None and not keep:
            return engine.run(content, kind, parameters, report, also, labels)
        from cellspan.core.parameters import DYNAMICS, Parameters  # slow to import
        from cellspan.core.service.client import EngineForgot

        network = {name: value for name, value in parameters.items() if name not in DYNAMICS}
        key = (hashlib.blake2b(content).hexdigest(), repr(sorted(network.items())))
        if self._kept is not None and self._kept.key == key:
            changes = {name: parameters.get(name, Parameters.model_fields[name].default) for name in DYNAMICS}
            try:
                return engine.run_again(self._kept.result, changes, report, also, labels)
            except EngineForgot:
                self._kept = None
        result, files = engine.run(content, kind, parameters, report, also, labels, keep=keep)
        if keep:
            if self._kept is not None:
                engine.forget(self._kept.result)
            self._kept = _Kept(key, result)
        return result, files


RECENT = Recent()  # of this Python
