"""Replaces the Cellpose commands of an ImageJ macro by Segment Cells; everything else stays, byte for byte.

It knows the commands of the BIOP update site: `Cellpose ...`, `Cellpose Advanced` and its variant for custom models.
Macros build the options of these commands from literals and variables; the variables stay where they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from cellspan.core.errors import CellspanError
from cellspan.core.models.cellposes_own import fetch_command, is_here, name_here
from cellspan.core.models.official import OFFICIAL

COMMAND = "Segment Cells"
SCRIPT = "Segment_Cells.groovy"
CUSTOM_COMMAND = "Cellpose Advanced (custom model)"
OLD_COMMANDS = ("Cellpose ...", "Cellpose Advanced", CUSTOM_COMMAND)
TOKEN = re.compile(
    r"""//[^\r\n]*|/\*.*?\*/|"(?:\\.|[^"\\\r\n])*"|'(?:\\.|[^'\\\r\n])*'|\w+|\s+|.""",
    re.DOTALL,
)
OPTION = re.compile(r"(\w+)=(\[[^\]]*\]|\S*)|\S+")
FIRST_VARIABLE = 0xF0000  # variables among the options become characters that no macro has
VARIABLE = re.compile("[\U000f0000-\U000ffffd]")
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)")
USES_LABEL_IMAGE = ("-cellpose", "Label image to ROIs")

# their option or flag -> ours; both count channels from 1
NAMES = {
    "ch1": "channel",
    "cyto_channel": "channel",
    "ch2": "nuclei",
    "nuclei_channel": "nuclei",
    "diameter": "diameter",
    "flow_threshold": "flow_threshold",
    "cellprob_threshold": "cellprob_threshold",
    "cellproba_threshold": "cellprob_threshold",
    "min_size": "min_size",
    "exclude_on_edges": "exclude_on_edges",
    "invert": "invert",
    "augment": "augment",
    "anisotropy": "anisotropy",
    "stitch_threshold": "stitch_threshold",
}
# options that are not needed here, and values with which an option did nothing
NEEDLESS = {"env_path", "env_type", "use_gpu", "verbose", "cluster", "diam_threshold"}
IDLE = {
    "anisotropy": {"1", "1.0"},
    "stitch_threshold": {"", "-1", "-1.0", "0", "0.0"},
    "dimensionmode": {"2D"},
    "omni": {"false"},
    "ch1": {"0"},
    "ch2": {"-1", "0"},
    "cyto_channel": {"0"},
    "nuclei_channel": {"-1", "0"},
}
NO_MODEL_PATH = re.compile(r"(path[\\/]+to[\\/]+.*)?")  # the default of the dialog
# options that ask for a volume, and the values with which they do
VOLUME = {
    "do_3D": re.compile("true"),
    "dimensionmode": re.compile("3D"),
    "stitch_threshold": re.compile(r"0*\.\d*[1-9]\d*|1(\.0*)?"),
}
PLANES = ("planes", "whole volume (3D)")
ADVICE = {
    "omni": "train a model of your own for long or bent bacteria",
}


def migrate_macro(path: Path) -> tuple[bytes, list[str]]:
    """The macro with Segment Cells in place of Cellpose, and notes for the user, line by line.

    Raises CellspanError if the file cannot be read or none of its Cellpose commands can be replaced.
    """
    try:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise CellspanError(f"{path}: the file cannot be read ({error.strerror}).") from None
    calls = list(_calls(TOKEN.findall(text)))
    if not calls:
        raise CellspanError(f"{path}: this macro does not run Cellpose, so there is nothing to migrate.")
    settings = our_settings()
    new, report, done = "", [], 0
    for call in calls:
        start = f"line {text.count(chr(10), 0, call.start) + 1}: "
        if call.is_readable:
            ours, notes = _translated(call, settings)
            new += text[done : call.start] + ours
            done = call.end
        else:
            known = ", ".join(settings)
            notes = [f"not changed, because its options are built elsewhere in the macro; use these there: {known}."]
        report += [f"{start}{note}" for note in notes]
    if not done:
        raise CellspanError(f"{path}: {report[0]}")
    report += _uses_of_the_label_image(text)
    content = (new + text[done:]).encode("utf-8", "surrogateescape")
    return content, [line.encode("utf-8", "replace").decode() for line in report]


def our_settings() -> dict[str, str]:
    """The settings of Segment Cells and their defaults, in the order of its dialog."""
    script = files("cellspan.macros").joinpath(SCRIPT).read_text(encoding="utf-8")
    fields = re.findall(r'(?m)^#@.*\bvalue=(?:"([^"]*)"|([^,)]*)).*\)\s*(\w+)\s*$', script)
    return {name: quoted or plain for quoted, plain, name in fields}


@dataclass(frozen=True)
class _Call:
    """A command of Cellpose in the macro: where it stands, and its options with a character for each variable."""

    start: int
    end: int
    name: str
    template: str
    variables: list[str] = field(default_factory=list)

    @property
    def is_readable(self) -> bool:
        """Whether every variable is the value of an option, or a part of one, and not itself options."""
        matches = list(OPTION.finditer(self.template))
        words = (match[1] or match[0] for match in matches)
        return any(match[1] for match in matches) and not any(VARIABLE.search(word) for word in words)

    @property
    def options(self) -> dict[str, str]:
        """Names and values, flags like options; of a flag without a value, `true`."""
        found = {match[1]: match[2].strip("[]") for match in OPTION.finditer(self.template) if match[1]}
        flags = found.pop("additional_flags", "")
        words = [word for word in re.split(r"[,\s]+", flags) if word]
        for word, following in zip(words, [*words[1:], "--"], strict=False):
            if word.startswith("--"):
                found[word[2:]] = "true" if following.startswith("--") else following
        return {name: value for name, value in found.items() if not name.startswith("message")}

    def readable(self, value: str) -> str:
        """A value with the variables in it, for messages."""
        return VARIABLE.sub(lambda match: self.variables[ord(match[0]) - FIRST_VARIABLE], value)

    def as_code(self, text: str) -> str:
        """Text with variables as the macro language writes it: literals and variables with + between."""
        parts = re.split(f"({VARIABLE.pattern})", text)
        return " + ".join(self.readable(part) if VARIABLE.match(part) else f'"{part}"' for part in parts if part)


def _calls(tokens: list[str]) -> Iterator[_Call]:
    """Every `run("Cellpose ...", options)` outside comments and strings."""
    place = 0
    for i, token in enumerate(tokens):
        end = _closing(tokens, i) if token == "run" else None
        if end is not None:
            inside = [part for part in tokens[i:end] if not part.isspace() and not part.startswith(("//", "/*"))]
            name = inside[2][1:-1] if len(inside) > 4 and inside[3] == "," else ""
            if name in OLD_COMMANDS:
                template, variables = _template(inside[4:])
                yield _Call(place, place + sum(map(len, tokens[i : end + 1])), name, template, variables)
        place += len(token)


def _closing(tokens: list[str], start: int) -> int | None:
    """Where the parenthesis closes that follows `run`; None if none opens or closes."""
    depth = 0
    for i in range(start + 1, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[i], 0)
        if depth == 0 and not tokens[i].isspace():
            return i if tokens[i] == ")" else None
    return None


def _template(tokens: list[str]) -> tuple[str, list[str]]:
    """The literals of a sum of texts in one piece, with a character in place of each variable."""
    terms: list[list[str]] = [[]]
    depth = 0
    for token in tokens:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token, 0)
        if token == "+" and depth == 0:
            terms.append([])
        else:
            terms[-1].append(token)
    template, variables = "", list[str]()
    for term in terms:
        if len(term) == 1 and term[0][:1] in ("'", '"'):
            template += term[0][1:-1]
        else:
            template += chr(FIRST_VARIABLE + len(variables))
            variables.append("".join(term))
    return template, variables


def _translated(call: _Call, settings: dict[str, str]) -> tuple[str, list[str]]:
    """Our command with all its settings, because Fiji asks for missing ones; and notes for the user."""
    options = call.options
    model, notes = _model(call, options)
    ours = {"model": model}
    for name, value in options.items():
        if name in NEEDLESS or value in IDLE.get(name, ()):
            continue
        if name in VOLUME and VOLUME[name].fullmatch(value):
            ours[PLANES[0]] = PLANES[1]
            if name not in NAMES:
                continue
        our_name = NAMES.get(name)
        if our_name in settings and (value == "true" or NUMBER.fullmatch(value) or VARIABLE.search(value)):
            ours[our_name] = value
        elif value or our_name in settings:
            what = f"{name}={call.readable(value)}" if value != "true" else name
            notes.append(f"{what} has no counterpart{f'; {ADVICE[name]}' if name in ADVICE else ''}.")
    complete = ours | {name: default for name, default in settings.items() if name not in ours}
    text = " ".join(f"{name}={_bracketed(value)}" for name, value in complete.items())
    return f'run("{COMMAND}", {call.as_code(text)})', [f"{call.name} becomes {COMMAND}.", *notes]


def _bracketed(value: str) -> str:
    """ImageJ needs brackets around values with spaces, which a variable may hold."""
    return value if NUMBER.fullmatch(value) or re.fullmatch(r"[\w-]+", value) else f"[{value}]"


def _model(call: _Call, options: dict[str, str]) -> tuple[str, list[str]]:
    """Our model for theirs, which is taken out of the options."""
    name, path = options.pop("model", ""), options.pop("model_path", "")
    if (not name or call.name == CUSTOM_COMMAND) and not NO_MODEL_PATH.fullmatch(path):
        return path, [f"the model {call.readable(path)} is used from where it is; it must be a model of Cellpose."]
    if VARIABLE.search(name):
        return name, [f"the model is given by {call.readable(name)}; ours are called cyto and nuclei."]
    name = name or "cyto"
    if is_here(name):
        return name_here(name), [
            f"the model {name} is Cellpose's, as before; other computers need it too: `{fetch_command(name)}`."
        ]
    ours = "nuclei" if name == "nuclei" else "cyto"
    note = f"the model {name} becomes {ours}, which was trained on other images; check some outlines first."
    keep = f" To keep Cellpose's model, run `{fetch_command(name)}` and write model=[{name_here(name)}]."
    return ours, [note + (keep if name in OFFICIAL else "")]


def _uses_of_the_label_image(text: str) -> list[str]:
    """The lines that use the image that Cellpose made; outlines go to the ROI Manager instead."""
    lines = enumerate(text.split("\n"), start=1)
    found = [number for number, line in lines if any(use in line for use in USES_LABEL_IMAGE)]
    advice = "the outlines are in the ROI Manager right away, and there is no image NAME-cellpose"
    return [f"line {number}: {advice}; adapt or delete this line." for number in found] or [f"Now {advice}."]
