"""`cellspan --for-programs`: errors as lines of JSON with a code and fields, notes as lines `NOTE ...`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from cellspan.core.cli import main
from cellspan.core.cli.programs import are_listening, note_line, problem_line
from cellspan.core.errors import CellspanError, missing_channel, result_exists

quick = pytest.mark.quick


def problems(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@quick
def test_an_error_is_one_line_of_ascii() -> None:
    error = missing_channel("channel", 3, 2).within(Path("Bilder ñ/a\nb.tif"))
    line = problem_line(error)
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line) == {
        "code": "missing_channel",
        "sentence": str(error),
        "fields": {"option": "channel", "index": 3, "count": 2, "file": "Bilder ñ/a\nb.tif"},
    }


@quick
def test_a_note_is_one_line() -> None:
    assert note_line("a note\n of two lines") == "NOTE a note of two lines"


@quick
def test_nobody_listens_outside_a_command() -> None:
    assert not are_listening()


@quick
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["models", "info", "none such"], "", "There is no model 'none such'"),
        (["segment"], "usage", "Missing argument"),
        (["segment", "i.tif", "-o", "r", "--save", ","], "usage", "--save names nothing to write"),
        (["no-such-verb"], "usage", "No such command"),
    ],
)
def test_whatever_ends_a_command_has_a_code(arguments: list[str], code: str, words: str) -> None:
    done = CliRunner().invoke(main, ["--for-programs", *arguments])
    assert done.exit_code == 2
    (problem,) = problems(done.output)
    assert problem["code"] == code
    assert words in problem["sentence"]
    plain = CliRunner().invoke(main, arguments)
    assert plain.exit_code == 2
    assert problems(plain.output) == []
    assert words in plain.output


def test_images_that_failed_have_codes(cellspan, tmp_path: Path) -> None:
    image, folder = tmp_path / "cells.tif", tmp_path / "results"
    tifffile.imwrite(image, np.zeros((40, 40), np.uint8))
    options = ["segment", image, "-o", folder, "--model", "nuclei", "--diameter", 20, "--save", "labels"]
    done = cellspan("--for-programs", *options)
    assert problems(done.stderr) == []
    assert "NOTE The image is constant" in done.stderr
    assert "Note: " not in done.stderr
    again = cellspan("--for-programs", *options, check=False)
    assert again.returncode == 1
    labels = folder / "cells_labels.tif"
    assert problems(again.stderr) == [json.loads(problem_line(result_exists(labels)))]
    missing = cellspan("--for-programs", *options, "--overwrite", "--nuclei-channel", 4, check=False)
    assert problems(missing.stderr) == [json.loads(problem_line(missing_channel("nuclei_channel", 4, 1).within(image)))]
    records = json.loads((folder / "run.json").read_text())["inputs"]
    assert [record["code"] for record in records if "error" in record] == ["missing_channel"]
    plain = cellspan(*options, check=False)
    assert "add --overwrite" in plain.stderr
    assert problems(plain.stderr) == []


@quick
def test_an_error_keeps_code_and_fields_with_the_name_of_a_file() -> None:
    error = CellspanError("there is dust.", "dust", grains=3).within(Path("a.tif"))
    assert (str(error), error.code, error.fields) == ("a.tif: there is dust.", "dust", {"grains": 3, "file": "a.tif"})
    assert CellspanError("plain").as_json() == {"code": "", "sentence": "plain", "fields": {}}
