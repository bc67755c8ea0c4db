"""Checkpoints of Cellpose 1 to 3: taken over exactly, refused with a reason, never executed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.models.importing import export_checkpoint, import_model
from cellspan.core.models.network import CELLPOSE_WIDTHS, FlowNetwork
from cellspan.core.models.registry import find_model, list_models, sha256_of
from cellspan.core.models.sizing import diameter_from_style

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.quick


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A file as Cellpose writes it, with random weights."""
    torch.manual_seed(0)
    torch.save(FlowNetwork(CELLPOSE_WIDTHS, diameter=28).state_dict(), tmp_path / "my_cells")
    return tmp_path / "my_cells"


def saved_without(checkpoint: Path, marks: tuple[str, ...]) -> Path:
    state = torch.load(checkpoint, weights_only=True)
    torch.save({name: value for name, value in state.items() if not any(m in name for m in marks)}, checkpoint)
    return checkpoint


def test_weights_and_diameter_are_taken_over(checkpoint: Path) -> None:
    model = import_model(checkpoint)
    assert model.name == "my_cells"
    assert model.description.mean_diameter == 28
    assert model.description.widths == CELLPOSE_WIDTHS
    assert model.description.source_sha256 == sha256_of(checkpoint)
    assert model.identity == {
        "name": "my_cells",
        "weights_sha256": sha256_of(model.weights_file),
        "source_sha256": sha256_of(checkpoint),
    }
    weights = find_model("my_cells").weights()
    for name, value in torch.load(checkpoint, weights_only=True).items():
        assert np.array_equal(weights[name], value.numpy()), name
    assert "my_cells" in [model.name for model in list_models()]


def test_old_checkpoints_lack_diameters_and_counters(checkpoint: Path) -> None:
    old = saved_without(checkpoint, ("diam_", "num_batches_tracked"))
    assert import_model(old, "old").description.mean_diameter == 30
    nuclei = old.rename(old.with_name("nucleitorch_0"))
    assert import_model(nuclei).description.mean_diameter == 17
    mine = import_model(nuclei, "mine", mean_diameter=12)
    assert mine.description.mean_diameter == mine.weights()["diam_mean"][0] == 12


def test_a_size_model_beside_it_comes_along(checkpoint: Path) -> None:
    rng = np.random.default_rng(0)
    content = {"A": rng.normal(size=256), "smean": rng.random(256), "diam_mean": 28.0, "ymean": 0.1}
    np.save(checkpoint.with_name("size_my_cells.npy"), content, allow_pickle=True)
    model = import_model(checkpoint).description.size_model
    assert model is not None
    style = rng.random(256).astype(np.float32) / 16
    expected = np.exp(content["A"] @ (style - content["smean"]) + np.log(28) + 0.1)
    assert diameter_from_style(style, model) == pytest.approx(np.clip(expected, 5, 2000), rel=1e-5)


class Harmful:
    """Would make a file if it were unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.trace),)


def test_nothing_in_the_files_is_executed(checkpoint: Path, tmp_path: Path, own_models: Path) -> None:
    trace = tmp_path / "executed"
    np.save(checkpoint.with_name("size_my_cells.npy"), {"A": Harmful(trace)}, allow_pickle=True)
    with pytest.raises(CellspanError, match="size_my_cells"):
        import_model(checkpoint)
    torch.save({"weight": Harmful(trace)}, checkpoint)
    with pytest.raises(CellspanError, match="not a torch checkpoint"):
        import_model(checkpoint)
    assert not trace.exists()
    assert not list(own_models.glob("*/*"))


def test_other_networks_are_refused_with_a_reason(checkpoint: Path, tmp_path: Path) -> None:
    dino = tmp_path / "cpdino"
    torch.save({"encoder.cls_token": torch.zeros(3)}, dino)
    with pytest.raises(CellspanError, match=r"cpdino, another network of Cellpose 4.*use cpsam_v2 in its place"):
        import_model(dino)
    other = tmp_path / "other.pth"
    torch.save({"layer.weight": torch.zeros(3)}, other)
    with pytest.raises(CellspanError, match="not the weights"):
        import_model(other)
    other.write_text("these are no weights")
    with pytest.raises(CellspanError, match=r"other\.pth"):
        import_model(other)
    with pytest.raises(CellspanError, match="no such file"):
        import_model(tmp_path / "missing")
    with pytest.raises(CellspanError, match=r"output\.2\.bias"):
        import_model(saved_without(checkpoint, ("output.2.bias",)))


def test_names_are_never_replaced(checkpoint: Path) -> None:
    import_model(checkpoint, "one")
    with pytest.raises(CellspanError, match="already"):
        import_model(checkpoint, "one")
    with pytest.raises(CellspanError, match="already"):
        import_model(checkpoint, "nuclei")
    with pytest.raises(CellspanError, match="not a valid model name"):
        import_model(checkpoint, "../one")


def test_where_no_checkpoint_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(CellspanError, match=r"missing/out\.pth: the file cannot be written \(No such file"):
        export_checkpoint(find_model("nuclei"), tmp_path / "missing" / "out.pth")
    (tmp_path / "out.pth").mkdir()
    with pytest.raises(CellspanError, match=r"out\.pth: the file cannot be written"):
        export_checkpoint(find_model("nuclei"), tmp_path / "out.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["out.pth"]


def test_a_folder_is_copied_and_weights_go_out_again(tmp_path: Path) -> None:
    with pytest.raises(CellspanError, match="leave out --mean-diameter"):
        import_model(find_model("nuclei").folder, "copy", mean_diameter=30)
    copy = import_model(find_model("nuclei").folder, "copy")
    assert copy.sha256 == find_model("nuclei").sha256
    export_checkpoint(copy, tmp_path / "out.pth")
    network = FlowNetwork(copy.description.widths)
    network.load_state_dict(torch.load(tmp_path / "out.pth", weights_only=True))
