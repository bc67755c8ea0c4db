"""The numbers in the text are those of the code, of the models' records and of the measurements' tables.

Every number in README's sentences must be known here, so that a new one says where it comes from. Measurements that
stand in a table with their command have no other source.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cellspan.core.models.registry import find_model
from cellspan.core.service import connections, jobs, logs, results, server, uploads, waiting
from cellspan.core.service.client import KEPT_LEASE_SECONDS, LEASE_SECONDS
from cellspan.fiji_bridge.gateway import IMAGEJ

from .which_model import ap50

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.quick

Claim = tuple[str, tuple[object, ...]]  # words of a page, with {} for each of the numbers


def lines_of(page: str) -> list[str]:
    return (ROOT / page).read_text(encoding="utf-8").splitlines()


def sentences_of(page: str) -> str:
    """A page in one line, without blocks of code."""
    return " ".join(re.sub(r"^```.*?^```", "", "\n".join(lines_of(page)), flags=re.M | re.S).split())


def cell(page: str, first: str, column: int) -> str:
    """Of the first row of its tables that begins like this."""
    row = next(line for line in lines_of(page) if line.startswith(f"| {first}"))
    return row.strip("| ").split("|")[column].strip()


def number(text: str) -> float:
    """The first one in a text."""
    found = re.search(r"\d+(\.\d+)?", text)
    assert found, text
    return float(found[0])


def setting(name: str, file: str = "noxfile.py") -> str:
    """A constant of the project's own scripts."""
    found = re.search(rf'^{name} *= *"(?:>=)?([^"]+)"', (ROOT / file).read_text(encoding="utf-8"), re.M)
    assert found, name
    return found[1]


def aps(model: str, *sources: str) -> tuple[str, ...]:
    return tuple(f"{ap50(model, source):.2f}" for source in sources)


def minutes(name: str) -> str:
    """Of training, in all the versions of a model that came before; not of the model with another name at the start."""
    record = find_model(name).description.training
    earlier = [re.search(rf"the model {name}: .* in ([\d.]+) minutes", line) for line in record["before"]]
    return f"{record['minutes'] + sum(float(found[1]) for found in earlier if found):.0f}"


def times_as_fast(first: str, column: int = 3) -> float:
    return number(cell("docs/performance.md", first, column))


def found_of(example: str) -> str:
    """Per cent of the cells that CellProfiler's pipeline finds."""
    return f"{100 * float(cell('docs/scores.md', example, 3)):.0f}"


def about(value: float, step: int) -> int:
    return step * round(value / step)


MEMORY = number(cell("docs/performance.md", "`cellspan segment` of 8192x8192", 1))
LABELS = about(times_as_fast("labels from flows, 2048 "), 5)
FINE_TUNED = re.search(r"its AP@0\.5 was ([\d.]+)\. .*? it was ([\d.]+),", sentences_of("docs/training.md"))

README: list[Claim] = [
    ("You need Python {} or newer", (setting("requires-python", "pyproject.toml"),)),
    ("nuclei in fluorescence (BBBC038; BBBC039) | {}; {} |", aps("nuclei", "dsb2018_fluo", "bbbc039")),
    ("stained tissue | {} |", aps("nuclei", "dsb2018_brightfield")),
    ("adherent cells in phase contrast | {} |", aps("cyto", "usiigaci_phase")),
    ("bacteria in fluorescence | {}; {} |", aps("cyto", "yeastvision_phase", "ecoli_fluo_tractatus")),
    (
        "dense tissue (two experts agree to {}) | {} |",
        (f"{float(cell('docs/scores.md', 'first and second expert', 1)):.2f}", *aps("cyto", "codex_expert")),
    ),
    ("it finds {} % (human HT29) and {} % (fly Kc167)", (found_of("ExampleHuman"), found_of("ExampleFly"))),
    ("trained on two CPU cores for {} minutes in total", (minutes("cyto"),)),
    ("an earlier version of it for {} minutes", (minutes("nuclei"),)),
    ("raised AP@0.5 from {} to {}.", FINE_TUNED.groups() if FINE_TUNED else ()),
    ("compared with cellpose {} with", (setting("CELLPOSE"),)),
    ("about {} times as fast from the network's output to labels", (LABELS,)),
    ("{} times for ImageJ's ROIs", (about(times_as_fast("ROIs against outlines, 2048", 4), 50),)),
    (
        "{} times for a whole 1024x1024 image",
        (about(times_as_fast("whole segmentation, compact against full-size network, 1024"), 5),),
    ),
    ("An image of 8192x8192 pixels takes {} GB of memory", (f"{MEMORY:.1f}",)),
    ("about {} times as fast, the same objects", (LABELS,)),
    (
        "with the real CellProfiler {}, ImageJ {} and cellpose {}.",
        (setting("CELLPROFILER"), IMAGEJ.rpartition(":")[2], setting("CELLPOSE")),
    ),
]

ENGINE: list[Claim] = [
    (
        "has not asked for {} minutes (cellspan's own clients: {} s, or {} minutes for results kept",
        tuple(round(part) for part in (jobs.LEASE_SECONDS / 60, LEASE_SECONDS, KEPT_LEASE_SECONDS / 60)),
    ),
    ("Results beyond {} GiB", (results.IN_MEMORY >> 30,)),
    ("The limit is {} GiB", (results.ON_DISK >> 30,)),
    ("running jobs get {} seconds to finish", (round(server.FINISH_SECONDS),)),
    ("a client that dies are dropped after {} seconds", (round(jobs.DISCONNECTED_SECONDS),)),
    ("at most `--max-upload` MB ({})", (uploads.MAX_UPLOAD >> 20,)),
    ("At most {:,} jobs wait", (waiting.MOST_WAITING,)),
    (
        "closed after {} seconds, or when there are more than {}.",
        (round(connections.HEADER_SECONDS), connections.MOST),
    ),
    ("at most {} MB each", (logs.LARGEST // 1_000_000,)),
]

# What else has digits in README: names, units, and the times and the size that tests/docs/installing.py measures.
OTHERWISE = (
    "Stringer et al. 2021",
    "jpype1",
    "ND2",
    "from Python 3.12, OIR",  # its reader needs it
    "label image: 0 = background, 1..n",
    "the exit code is 1",
    "in 3D",
    "Process as 3D?",
    "IoU 0.5",
    "AP@0.5",
    "Cellpose 1 to 3",
    "Cellpose's own models, 1 to 4",
    "in 32 bits",
    "faster 16-bit computing",
    "passed with Fiji 2.14",
    "BSD-3-Clause",
    "the installation takes 48 s and 0.82 GB",
    "(about 20 s, once)",
    "takes 4 s in total",
)


@pytest.mark.parametrize(("words", "numbers"), README, ids=[words for words, _ in README])
def test_readme(words: str, numbers: tuple[object, ...]) -> None:
    assert words.format(*numbers) in sentences_of("README.md")


@pytest.mark.parametrize(("words", "numbers"), ENGINE, ids=[words for words, _ in ENGINE])
def test_guarantees_of_the_engine(words: str, numbers: tuple[object, ...]) -> None:
    assert words.format(*numbers) in sentences_of("docs/engine.md")


def without_code(text: str) -> str:
    """A text without code and addresses."""
    return re.sub(r"`[^`]*`|\[doi [^]]*\]|\]\([^)]*\)|\(https?:[^)]*\)", "", text)


def test_no_number_in_readme_is_without_a_source() -> None:
    text = without_code(sentences_of("README.md"))
    for words in [words.format(*numbers) for words, numbers in README] + list(OTHERWISE):
        assert without_code(words) in text, words
        text = text.replace(without_code(words), "")
    assert [text[max(found.start() - 40, 0) : found.end() + 20] for found in re.finditer(r"\d+", text)] == []
