"""The page of all errors is that of the code: none is missing, none no longer exists, and each has a way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from .error_causes import CAUSES
from .errors_page import PAGE, cause_of, names_way_out, page
from .sentences import in_page, in_python, in_script, sentences

SOURCE = """
LIMIT = 5
WAY_OUT = "save it again"

def check(name: str, value: int) -> None:
    if value > LIMIT:
        raise CellspanError(f"{name}: there are {value} objects, more than {LIMIT}.")
    words = "is damaged" if value else f"is empty ({_why(value)})"
    raise NotInstalled(f"The file {words}; {WAY_OUT}.")

def _why(value: int) -> str:
    return "nothing was written"

def passed_on(error: Exception) -> None:
    raise CellspanError(str(error)) from None
"""


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.docs.errors_page"


def test_every_sentence_has_a_way_out() -> None:
    lost = [one for one in sentences() if not names_way_out(one.text) and not cause_of(one.text)]
    assert not lost, "say in the sentence what to do, or give cause and cure in tests/docs/error_causes.py"


def test_every_cause_belongs_to_a_sentence() -> None:
    used = {cause_of(one.text) for one in sentences()}
    first = {next(part for part in CAUSES if part in one.text) for one in sentences() if cause_of(one.text)}
    assert set(CAUSES) == first, "these parts stand in no sentence, or in one that an earlier part explains"
    assert set(CAUSES.values()) <= used


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("core/pictures/decoding.py", "the file is empty."),
        ("core/errors.py", "… = …, but the image has … channel(s), counted from 0."),  # put into a name first
        ("core/service/uploads.py", "The image cannot be stored in … (…)."),  # the third argument
        ("cp_module/plugin/cellspan_plugin/waiting.py", "You stopped this image."),  # in the class itself
        ("cp_module/plugin/identifyobjectsbyflow.py", "Enter the name of the model, or the path to it."),
        ("macros/engine.groovy", "The setting '…' needs a value: write …=true."),
        (
            "macros/engine.groovy",
            "ImageJ is out of memory: close images, or raise the limit in Edit > Options > Memory & Threads.",
        ),
        (
            "review_page/page/src/server/asking.ts",
            "The engine does not answer. Your work is saved; run `cellspan review` again to go on.",
        ),
        ("macros/cellspan_Segment.ijm", "… = …, but the image has … channel(s), counted from 1."),
    ],
)
def test_all_programs_are_read(file: str, text: str) -> None:
    assert (file, text) in {(one.file, one.text) for one in sentences()}


@pytest.mark.quick
def test_sentences_are_followed_through_names_and_helpers(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(SOURCE, encoding="utf-8")
    assert set(in_python(path)) == {
        "there are … objects, more than 5.",
        "The file is damaged; save it again.",
        "The file is empty (nothing was written); save it again.",
    }


@pytest.mark.quick
def test_strings_of_scripts_are_put_together() -> None:
    source = """cellspan.fail("The image '${imp.title("x")}' is " +
        "empty: " + advice + ".")
    fail(folder == null ? "Give a folder." : "${folder}: there is no such folder.")
    return "${file}: this is a stack; " +
        "open it first."
    return "several words without an end"
    done()"""
    assert list(in_script(source)) == [
        "The image '…' is empty: ….",
        "Give a folder.",
        "there is no such folder.",
        "this is a stack; open it first.",
    ]


@pytest.mark.quick
def test_notices_of_the_page_are_read_except_good_news() -> None:
    source = """const GONE =
      "The engine is gone; start it again.";
    tell(done ? "Done. Open an image." : `Only ${count} of them; wait.`, "refused");
    throw new Refused(response.status, "", `It answered with ${response.status} today.`);
    """
    assert list(in_page(source)) == [
        "The engine is gone; start it again.",
        "Only … of them; wait.",
        "It answered with … today.",
    ]
