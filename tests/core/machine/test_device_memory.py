"""A device whose memory is full says so in one sentence; other errors stay what they are."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from cellspan.core.errors import CellspanError  # noqa: E402
from cellspan.core.machine.device_memory import explains_full_memory  # noqa: E402

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    "error", [torch.cuda.OutOfMemoryError(), RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)")]
)
def test_a_full_memory_is_explained(error: RuntimeError) -> None:
    @explains_full_memory
    def fill() -> None:
        raise error

    with pytest.raises(CellspanError, match=r"smaller tile.*--device cpu") as raised:
        fill()
    assert raised.value.__context__ is None  # else the tensors of the failed call stay on the device


def test_other_errors_are_left_alone() -> None:
    @explains_full_memory
    def fail() -> None:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        fail()
