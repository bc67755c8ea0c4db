"""Models that restore images, with random weights, as Cellpose saves them."""

from __future__ import annotations

from pathlib import Path

import pytest

NAMES = ("denoise_cyto3", "denoise_nuclei", "upsample_cyto3")


@pytest.fixture(scope="session")
def _restoring_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch = pytest.importorskip("torch")
    from cellspan.core.models.network import FlowNetwork

    folder = tmp_path_factory.mktemp("restoring")
    for seed, name in enumerate(NAMES):
        torch.manual_seed(seed)
        network = FlowNetwork((1, 4, 8, 8), 17.0 if "nuclei" in name else 30.0, outputs=1)
        with torch.no_grad():
            network.train()(torch.rand(2, 1, 64, 64))
        torch.save(network.state_dict(), folder / name)
    return folder


@pytest.fixture
def restoring_models(_restoring_files: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cellpose's folder with these models in it: denoise_cyto3, denoise_nuclei and upsample_cyto3."""
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(_restoring_files))
    return _restoring_files
