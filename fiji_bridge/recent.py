"""What the network saw in the plane of a preview stays in the engine: other thresholds, and then OK, take no time."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellspan.core.service.client import Engine, EngineResult
    from cellspan.fiji_bridge.answers import Report


MOST = 2  # cells and their nuclei
Key = tuple[str, str]  # the plane, the options of the network


class Recent:
    """The results of the last preview, whose network outputs the engine keeps."""

    def __init__(self) -> None:
        """None at first."""
        self._kept: OrderedDict[Key, EngineResult] = OrderedDict()

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
        if not self._kept and not keep:
            return engine.run(content, kind, parameters, report, also, labels)
        from cellspan.core.parameters import DYNAMICS, Parameters  # slow to import
        from cellspan.core.service.client import EngineForgot

        network = {name: value for name, value in parameters.items() if name not in DYNAMICS}
        key = (hashlib.blake2b(content).hexdigest(), repr(sorted(network.items())))
        if key in self._kept:
            changes = {name: parameters.get(name, Parameters.model_fields[name].default) for name in DYNAMICS}
            try:
                return engine.run_again(self._kept[key], changes, report, also, labels)
            except EngineForgot:
                del self._kept[key]
        result, files = engine.run(content, kind, parameters, report, also, labels, keep=keep)
        if keep:
            self._kept[key] = result
            while len(self._kept) > MOST:
                engine.forget(self._kept.popitem(last=False)[1])
        return result, files


RECENT = Recent()  # of this Python
