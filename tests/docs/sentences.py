"""Every sentence that tells a user what went wrong, read from the source of all programs.

What a sentence fills in (a name, a number) is a gap here. Constants are put in, and what a helper function or a local
name adds is followed, so that a sentence in two forms is found as two.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("core", "cp_module", "fiji_bridge", "macros", "napari_plugin", "review_page")
GAP = "…"
MOST_FORMS = 8  # of one sentence; what has more is a gap
DEEPEST = 4  # helper functions that call each other

# Exceptions whose text a user reads -> which argument the text is. Their subclasses are found in the source.
SHOWN = {
    "CellspanError": 0,
    "EngineError": 0,
    "Refusal": 2,
    "NotInstalled": 0,
    "NotDownloaded": 0,
    "NotMade": 0,
    "Stopped": 0,
    "UsageError": 0,
    "BadParameter": 0,
    "ValidationError": 0,
    "ValueError": 0,
}
INSIDE = {"_Lost", "_TryLater"}  # the client catches them itself
VALUES = {"in_words", "shown", "_few", "_names"}  # helpers that write a value, not a part of a sentence
SENTENCE = re.compile(r"[^<].*\s.*\s.*\.\)?$")  # among the strings that a script returns
CONSTANT = re.compile(r"(?:cellspan\.)?([A-Z][A-Z_]{3,})\b")
# What the review page shows as a notice: arguments of these calls, and constants that are whole sentences.
PAGE_CALLS = re.compile(r"\b(?:tell|new Refused)\((.*?)\);$|const [A-Z_]{4,} =(.*?);$", re.S | re.M)
PAGE_STRINGS = re.compile(r'"([^"]*)"|`((?:\\.|[^`])*)`')
GOOD_NEWS = re.compile(r"Done\.|Segments ")
SCRIPT_CALLS = re.compile(r"\b(?:fail|IllegalArgumentException|IllegalStateException)\(")


@dataclass(frozen=True, order=True)
class Sentence:
    """A sentence and the file, relative to the project, that says it."""

    text: str
    file: str


@cache
def sentences() -> tuple[Sentence, ...]:
    """All, sorted."""
    found: set[Sentence] = set()
    for path in _sources("*.py"):
        found |= {Sentence(text, _relative(path)) for text in in_python(path)}
    for pattern in ("*.groovy", "*.ijm"):
        for path in _sources(pattern):
            found |= {Sentence(text, _relative(path)) for text in in_script(path.read_text(encoding="utf-8"))}
    for pattern in ("*.ts", "*.tsx"):
        for path in sorted((ROOT / "review_page" / "page" / "src").rglob(pattern)):
            found |= {Sentence(text, _relative(path)) for text in in_page(path.read_text(encoding="utf-8"))}
    return tuple(sorted(found))


def _sources(pattern: str) -> Iterator[Path]:
    for folder in FOLDERS:
        yield from sorted((ROOT / folder).rglob(pattern))


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _tidy(text: str) -> str | None:
    """Without the name of the file in front; None if it says nothing by itself."""
    text = " ".join(re.sub(rf"{GAP}(?:\W?{GAP})+", GAP, text).split())
    text = re.sub(rf"^(?:'?{GAP}'?: )+", "", text)
    text = re.sub(rf"(?<=\.) {GAP}$", "", text)
    return text if len(re.findall(r"[^\W\d_]{2,}", text)) >= 2 else None


# Python


@dataclass
class _Source:
    """A file of Python, with what its sentences may refer to."""

    tree: ast.Module
    constants: dict[str, ast.expr] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)  # name -> module, name there
    classes: list[ast.ClassDef] = field(default_factory=list)


@cache
def _source(path: Path) -> _Source:
    source = _Source(ast.parse(path.read_text(encoding="utf-8")))
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef):
            source.functions[node.name] = node
        elif isinstance(node, ast.ClassDef):
            source.classes.append(node)
        elif isinstance(node, ast.ImportFrom) and node.module:
            source.imports |= {one.asname or one.name: (node.module, one.name) for one in node.names}
    for node in source.tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            source.constants[node.targets[0].id] = node.value
    return source


@cache
def _shown() -> dict[str, int]:
    """`SHOWN` with all subclasses."""
    shown = dict(SHOWN)
    classes = [node for path in _sources("*.py") for node in _source(path).classes]
    for _ in range(DEEPEST):
        for node in classes:
            if node.name not in shown:
                base = next((shown[name] for name in map(ast.unparse, node.bases) if name in shown), None)
                shown |= {} if base is None else {node.name: base}
    return {name: place for name, place in shown.items() if name not in INSIDE}


def in_python(path: Path) -> Iterator[str]:
    """The sentences of a file of Python."""
    source = _source(path)
    for scope, call in _calls(source.tree, None):
        place = _place_of_text(call)
        if place is not None and len(call.args) > place:
            for text in _Forms(path, scope).of(call.args[place]):
                tidy = _tidy(text)
                if tidy:
                    yield tidy


def _calls(node: ast.AST, scope: ast.AST | None) -> Iterator[tuple[ast.AST | None, ast.Call]]:
    """Every call with the function or class around it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield scope, child
        inner = isinstance(child, ast.FunctionDef | ast.ClassDef)
        yield from _calls(child, child if inner else scope)


def _place_of_text(call: ast.Call) -> int | None:
    """Which argument of a call is a sentence for the user."""
    if isinstance(call.func, ast.Name):
        return _shown().get(call.func.id)
    if isinstance(call.func, ast.Attribute):
        words = ast.unparse(call.func)
        return 0 if words == "super().__init__" else _shown().get(call.func.attr)
    return None


@dataclass(frozen=True)
class _Forms:
    """The forms that an expression can take, seen from a function of a file."""

    path: Path
    scope: ast.AST | None
    depth: int = 0

    def of(self, node: ast.expr) -> list[str]:
        forms = list(dict.fromkeys(self._of(node)))
        return forms if len(forms) <= MOST_FORMS else [GAP]

    def _of(self, node: ast.expr) -> list[str]:
        if self.depth > DEEPEST:
            return [GAP]
        match node:
            case ast.Constant(str(value)):
                return [value]
            case ast.JoinedStr(values):
                return self._joined(values)
            case ast.FormattedValue():
                return self._formatted(node)
            case ast.BinOp(left, ast.Add(), right):
                return self._joined([left, right])
            case ast.IfExp(_, body, orelse):
                return [*self.of(body), *self.of(orelse)]
            case ast.Name(name):
                return self._named(name)
            case ast.Call(ast.Name(name)) | ast.Call(ast.Attribute(ast.Name("self"), name)) if name not in VALUES:
                return self._returned(name)
            case ast.Call(ast.Attribute(ast.Constant(" "), "join"), [ast.List(values)]):
                return [" ".join(parts) for parts in product(*(self.of(value) for value in values))]
        return [GAP]

    def _joined(self, values: list[ast.expr]) -> list[str]:
        return ["".join(parts) for parts in product(*(self.of(value) for value in values))]

    def _formatted(self, node: ast.FormattedValue) -> list[str]:
        value = node.value
        if isinstance(value, ast.Name):
            constant = _source(self.path).constants.get(value.id)
            if isinstance(constant, ast.Constant):
                spec = node.format_spec.values if isinstance(node.format_spec, ast.JoinedStr) else []
                return [format(constant.value, "".join(map(ast.literal_eval, spec)))]
        if node.format_spec or node.conversion != -1:
            return [GAP]
        return self.of(value)

    def _named(self, name: str) -> list[str]:
        """A local name, else a constant of this file or of the one that it comes from."""
        if isinstance(self.scope, ast.FunctionDef):
            local = [node for node in ast.walk(self.scope) if isinstance(node, ast.Name) and node.id == name]
            arguments = [*self.scope.args.args, *self.scope.args.kwonlyargs]
            if any(isinstance(node.ctx, ast.Store) for node in local) or name in {one.arg for one in arguments}:
                values = [
                    node.value
                    for node in ast.walk(self.scope)
                    if isinstance(node, ast.Assign)
                    and isinstance(node.targets[0], ast.Name)
                    and node.targets[0].id == name
                ]
                deeper = _Forms(self.path, self.scope, self.depth + 1)
                return [form for value in values for form in deeper.of(value)] or [GAP]
        source = _source(self.path)
        if name in source.constants:
            value = source.constants[name]
            if isinstance(value, ast.Constant):
                return [str(value.value)]
            text = isinstance(value, ast.JoinedStr | ast.BinOp)
            return _Forms(self.path, None, self.depth + 1).of(value) if text else [GAP]
        if name in source.imports:
            home = _file_of(source.imports[name][0], self.path)
            return _Forms(home, None, self.depth + 1)._named(source.imports[name][1]) if home else [GAP]
        return [GAP]

    def _returned(self, name: str) -> list[str]:
        """What a function returns that makes text."""
        source = _source(self.path)
        function = source.functions.get(name)
        if function is None:
            module, theirs = source.imports.get(name, ("", ""))
            home = _file_of(module, self.path)
            return _Forms(home, None, self.depth + 1)._returned(theirs) if home else [GAP]
        if function.returns is None or ast.unparse(function.returns) not in ("str", "str | None"):
            return [GAP]
        deeper = _Forms(self.path, function, self.depth + 1)
        returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
        return [form for value in returned if value for form in deeper.of(value)] or [GAP]


def _file_of(module: str, beside: Path) -> Path | None:
    """The file of one of our modules."""
    stem = Path(*module.split("."))
    places = (ROOT / module.removeprefix("cellspan.").replace(".", "/"), beside.parent / stem, beside.parents[1] / stem)
    for place in places:
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if module and path.exists():
                return path
    return None


# The review page


def in_page(source: str) -> Iterator[str]:
    """The sentences of a source of the review page, in TypeScript, that tell why something was not done."""
    for call in PAGE_CALLS.finditer(source):
        for words in PAGE_STRINGS.finditer(call[1] or call[2]):
            text = re.sub(r"\$\{.*?\}", GAP, words[1] or words[2] or "").replace("\\`", "`")
            if SENTENCE.match(text) and not GOOD_NEWS.match(text):
                yield text


# Groovy and ImageJ's macro language


def in_script(source: str) -> Iterator[str]:
    """The sentences of a script in Groovy or in ImageJ's macro language."""
    source = re.sub(r"^\s*//.*$", "", source, flags=re.M)
    for call in SCRIPT_CALLS.finditer(source):
        yield from filter(None, map(_tidy, _script_forms(source, call.end())))
    for returned in re.finditer(r"\breturn (?=\")", source):
        yield from filter(SENTENCE.match, filter(None, map(_tidy, _script_forms(source, returned.end()))))


def _script_forms(source: str, start: int) -> list[str]:
    """The strings of the argument that begins at `start`, with gaps between; `a ? b : c` has two forms."""
    forms, depth, place = [""], 0, start
    while depth >= 0 and not (depth == 0 and (source[place] in ",;" or _ends_line(source, place))):
        letter = source[place]
        end = place + 1
        if letter in "\"'":
            end = _end_of_string(source, place)
            forms[-1] += _literal(source[place + 1 : end - 1]) if depth == 0 else ""
        elif depth == 0 and letter == "?" and source[end] not in ".:":
            forms[-1] = ""  # it was the condition
        elif depth == 0 and letter == ":":
            forms.append("")
        elif depth == 0 and (constant := CONSTANT.match(source, place)):
            end = constant.end()
            forms[-1] += _script_constant(constant[1])
        elif depth == 0 and (letter.isalnum() or letter in "(["):
            forms[-1] += GAP
        depth += (letter in "([{") - (letter in ")]}")
        place = end
    return forms


def _ends_line(source: str, place: int) -> bool:
    """Whether an expression ends with this line: neither it nor the next one says that it goes on."""
    return (
        source[place] == "\n" and source[:place].rstrip()[-1] not in "+(" and source[place:].lstrip()[:1] not in "+?:)"
    )


@cache
def _script_constant(name: str) -> str:
    """A text that all commands share."""
    shared = (ROOT / "macros" / "engine.groovy").read_text(encoding="utf-8")
    defined = re.search(rf'\b{name} = ((?:\s*\+?\s*"[^"]*")+)', shared)
    return "".join(re.findall(r'"([^"]*)"', defined[1])) if defined else GAP


def _end_of_string(source: str, start: int) -> int:
    """The place behind a string; strings inside of ${...} belong to it."""
    quote, place, depth = source[start], start + 1, 0
    while depth or source[place] != quote:
        if source[place] == "\\":
            place += 1
        elif source.startswith("${", place):
            depth += 1
            place += 1
        elif source[place] == "}" and depth:
            depth -= 1
        place += 1
    return place + 1


def _literal(text: str) -> str:
    text = re.sub(r"\$\{(?:[^{}]|\{[^{}]*\})*\}", GAP, text)
    return re.sub(r"\\(.)", lambda found: {"n": " ", "t": " "}.get(found[1], found[1]), text)
