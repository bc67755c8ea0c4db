"""The torch network: shapes, names of the official checkpoints."""

import pytest

from cellspan.core.models.network import CELLPOSE_WIDTHS, COMPACT_WIDTHS, FlowNetwork

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.quick


@pytest.mark.parametrize("widths", [COMPACT_WIDTHS, CELLPOSE_WIDTHS, (1, 4, 8)])
def test_outputs_and_style(widths: tuple[int, ...]) -> None:
    network = FlowNetwork(widths).eval()
    with torch.no_grad():
        outputs, style = network(torch.randn(2, widths[0], 32, 48))
    assert outputs.shape == (2, 3, 32, 48)
    assert style.shape == (2, widths[-1])
    assert torch.allclose(style.norm(dim=1), torch.ones(2))


def test_names_and_shapes_of_the_official_checkpoints() -> None:
    """A sample of the entries of cyto3; the whole state_dict was loaded both ways from cellpose 3.1.1.2."""
    shapes = {name: tuple(value.shape) for name, value in FlowNetwork(CELLPOSE_WIDTHS).state_dict().items()}
    assert sum(value.numel() for name, value in FlowNetwork(CELLPOSE_WIDTHS).named_parameters()) == 6_600_845
    expected = {
        "diam_mean": (1,),
        "diam_labels": (1,),
        "downsample.down.res_down_0.conv.conv_0.0.running_mean": (2,),
        "downsample.down.res_down_3.conv.conv_0.2.weight": (256, 128, 3, 3),
        "downsample.down.res_down_2.proj.1.weight": (128, 64, 1, 1),
        "upsample.up.res_up_0.conv.conv_1.full.weight": (32, 256),
        "upsample.up.res_up_2.conv.conv_3.conv.2.weight": (128, 128, 3, 3),
        "upsample.up.res_up_3.proj.1.weight": (256, 256, 1, 1),
        "output.0.weight": (32,),
        "output.2.weight": (3, 32, 1, 1),
    }
    assert expected.items() <= shapes.items()
