"""The page docs/errors.md: every sentence that tells what went wrong, by the place where a user meets it.

    python -m tests.docs.errors_page             writes the page anew

The sentences come from the source; cause and cure of those that do not name the way out stand in error_causes.py.
"""

from __future__ import annotations

import re
from pathlib import Path

from .error_causes import CAUSES
from .sentences import GAP, Sentence, sentences

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"

# Heading -> part -> beginnings of the files that say it. The longest beginning counts.
PLACES: dict[str, dict[str, tuple[str, ...]]] = {
    "Images": {
        "Finding and opening files": ("core/pictures/", "core/files/regular.py"),
        "Formats of microscopes and OME-TIFF": (
            "core/pictures/czi.py",
            "core/pictures/nd2.py",
            "core/pictures/ome_zarr.py",
            "core/pictures/series.py",
            "core/pictures/several.py",
            "core/pictures/tiff.py",
        ),
        "Size, axes and stacks": (
            "core/pictures/axes.py",
            "core/pictures/images.py",
            "core/pictures/volume.py",
            "core/segmenter.py",
            "core/dynamics/",
            "core/planes/looking.py",
        ),
        "Grey values and channels": (
            "core/pictures/normalise.py",
            "core/pictures/channels.py",
            "core/volumes/intensities.py",
        ),
        "Masks that say where to look": ("core/pictures/masks.py", "core/pictures/mask_files.py"),
        "Label images and annotations": (
            "core/objects/",
            "core/pictures/reading.py",
            "core/pictures/seg_npy.py",
            "core/files/pickled.py",
        ),
    },
    "Options and results": {
        "Values of options": ("core/parameters.py", "core/errors.py", "core/planes/result.py"),
        "Writing results": ("core/results/", "core/files/"),
        "Comparing with true labels": ("core/results/evaluation.py", "core/results/showing.py"),
    },
    "Models": {
        "Choosing and importing": ("core/models/", "core/planes/restoring.py", "core/volumes/restoring.py"),
        "Downloading": ("core/models/download.py", "core/models/fetching.py"),
        "Damaged or unsuitable files": (
            "core/models/cellpose.py",
            "core/models/description.py",
            "core/models/numpy_file.py",
            "core/models/torch_file.py",
            "core/models/transformer.py",
            "core/inference/openvino_graph.py",
        ),
        "Processor, graphics card and memory": ("core/inference/", "core/machine/"),
    },
    "Training": {
        "Annotations": ("core/training/",),
        "Running": (
            "core/training/learner.py",
            "core/training/loop.py",
            "core/training/recipe.py",
            "core/training/rules.py",
            "core/training/transformer_learner.py",
        ),
        "Simulated images": ("core/training/simulate/",),
    },
    "The engine": {
        "Starting and reaching it": (
            "core/service/claim.py",
            "core/service/client.py",
            "core/service/logs.py",
            "core/service/server.py",
        ),
        "Answers over HTTP": ("core/service/", "core/files/npy.py"),
    },
    "CellProfiler": {
        "The module": ("cp_module/plugin/",),
        "Installing": ("cp_module/install.py", "cp_module/loading.py"),
        "Batch runs": ("cp_module/batch/",),
        "Migrating pipelines": ("cp_module/migrate.py", "cp_module/runcellpose.py"),
    },
    "Fiji and ImageJ": {
        "Commands and macros": ("macros/",),
        "Installing": ("fiji_bridge/install.py",),
        "ImageJ from Python": ("fiji_bridge/",),
        "Migrating macros": ("fiji_bridge/migrate.py",),
    },
    "Command line": {"Commands": ("core/cli/",)},
    "napari": {"Widgets": ("napari_plugin/",)},
    "The review page": {"Page": ("review_page/",)},
}
# A sentence that asks for something in one of these words names its way out.
ASKING = (
    "accept|add|annotate|ask|build|call|check|choose|close|copy|correct|crop|cut|delete|divide|download|draw|enter|"
    "fetch|find|fine-tune|follow|get|give|go to|install|keep|leave|move|name|number|open|pip install|please|put|"
    "reinstall|remove|rename|replace|require|resize|restore|run|save|segment|select|send|set|start|stop|switch|take|"
    "to download|try|unset|use|wait|write|you can also give"
)
ASKED = rf"(?:^|[;:,.(] |\bor |\band )(?:{ASKING})\b(?! of\b)"
# ... or says how it is right.
RIGHT = r"\bsuch as\b|\bmust be\b|; it can be\b|\bare: |\bneeds? both\b|\bneed --|; options begin\b"
WAY_OUT = re.compile(f"{ASKED}|{RIGHT}", re.I)
HEAD = """\
# Every error, with its way out

All programs say in one sentence what went wrong. This page has all these sentences, by the place where they appear:
search it for a few words of yours. "…" stands for what differs: a name, a number, the reason that the system gives. The
name of the file, with which many begin, is left out. Where a sentence names the way out, nothing is added.

`cellspan doctor` checks the installation, and `cellspan doctor --report FILE` writes what a bug report needs.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for heading, places in PLACES.items():
        parts.append(f"\n## {heading}\n")
        for part in places:
            said = sorted({one.text for one in sentences() if place_of(one) == (heading, part)}, key=_order)
            parts += [f"\n### {part}\n\n"] * (len(places) > 1) + ["\n"] * (len(places) == 1)
            parts += [_entry(text) for text in said]
    return "".join(parts)


def place_of(sentence: Sentence) -> tuple[str, str]:
    """Heading and part of the page; raises KeyError for a file that stands in none."""
    fitting = [
        (len(beginning), heading, part)
        for heading, places in PLACES.items()
        for part, beginnings in places.items()
        for beginning in beginnings
        if sentence.file.startswith(beginning)
    ]
    if not fitting:
        raise KeyError(f"{sentence.file}: PLACES does not say where its sentences belong")
    return max(fitting)[1:]


def names_way_out(text: str) -> bool:
    """Whether the sentence itself says what to do."""
    return bool(WAY_OUT.search(text))


def cause_of(text: str) -> str | None:
    """What is written by hand about a sentence that does not name its way out."""
    if names_way_out(text):
        return None
    return next((words for fragment, words in CAUSES.items() if fragment in text), None)


def _entry(text: str) -> str:
    words = cause_of(text)
    return f"- {_escaped(text)}\n" + (f"    - {words}\n" if words else "")


def _order(text: str) -> str:
    return text.lstrip(f"{GAP} '").lower()


def _escaped(text: str) -> str:
    """As Markdown shows it letter by letter; what stands between backticks is code there, too."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([\\*_\[\]<])", r"\\\1", part) for part in parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
