"""torch's switch for TF32: off while the network runs, in whichever threads, and as it was afterwards."""

from __future__ import annotations

import threading

import pytest

torch = pytest.importorskip("torch")
from cellspan.core.inference.full_precision import full_precision  # noqa: E402

pytestmark = pytest.mark.quick


@pytest.fixture(params=[True, False])
def before(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", request.param)
    return bool(request.param)


def test_off_inside_and_as_before_afterwards(before: bool) -> None:
    with full_precision():
        assert not torch.backends.cudnn.allow_tf32
        with full_precision():
            pass
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before
    with pytest.raises(KeyError), full_precision():
        raise KeyError
    assert torch.backends.cudnn.allow_tf32 == before


def test_the_first_of_two_threads_to_end_leaves_it_to_the_other(before: bool) -> None:
    begun, ended = threading.Event(), threading.Event()

    def other() -> None:
        with full_precision():
            begun.set()
            ended.wait(10)

    thread = threading.Thread(target=other)
    with full_precision():
        thread.start()
        assert begun.wait(10)
    assert not torch.backends.cudnn.allow_tf32, "the other one is still at it"
    ended.set()
    thread.join()
    assert torch.backends.cudnn.allow_tf32 == before


def test_programs_that_use_the_newer_switch() -> None:
    conv = getattr(torch.backends.cudnn, "conv", None)
    if conv is None:
        pytest.skip("this torch has the older switch only")
    before = conv.fp32_precision
    try:
        for precision in ("ieee", "tf32"):
            conv.fp32_precision = precision
            with full_precision():
                assert conv.fp32_precision in ("ieee", "none")  # none: nobody allows less
            assert conv.fp32_precision == precision
    finally:
        conv.fp32_precision = before
