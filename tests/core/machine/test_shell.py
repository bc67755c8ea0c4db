"""A command that people are told to type can be pasted."""

from __future__ import annotations

import os
import shlex

import pytest

from cellspan.core.machine.shell import quoted

pytestmark = pytest.mark.quick


@pytest.mark.skipif(os.name == "nt", reason="the shells of Windows have other rules")
@pytest.mark.parametrize("word", ["plain", "my best (50%)", "it's", 'a "b"', "$HOME"])
def test_the_shell_reads_the_word_back(word: str) -> None:
    assert shlex.split(f"cellspan models info {quoted(word)}")[-1] == word


def test_plain_words_stay_as_they_are() -> None:
    assert quoted("cyto3") == "cyto3"
