"""Merges the results of all ranges: tables and databases are joined, other files move to the output folder."""

from __future__ import annotations

import filecmp
import json
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cellspan.core.files.writing import make_folder, write_atomically
from cellspan.cp_module.batch.merge_sqlite import merge_databases
from cellspan.cp_module.batch.merge_statistics import correct_database, correct_table
from cellspan.cp_module.batch.merge_tables import is_mergeable, merge_tables
from cellspan.cp_module.batch.relocate import Relocation
from cellspan.cp_module.batch.split import Range
from cellspan.cp_module.batch.state import State
from cellspan.cp_module.batch.task import DONE, OUTPUT, is_sqlite, is_table, ranges_folder

DELIMITERS = {".csv": ",", ".txt": "\t"}
SETTINGS_OF_ANALYST = (".properties", ".workspace")


@dataclass(frozen=True)
class Part:
    """A file of one range."""

    span: Range
    path: Path


def merge(state: State) -> list[str]:
    """Move the results of the finished ranges to the output folder; returns notes about what was not merged."""
    relocation = Relocation(state.folder, state.output)
    notes: list[str] = []
    results = set(moved_files(state))
    for name, parts in sorted(_by_name(state).items()):
        target = state.output / name
        make_folder(target.parent)
        paths = [part.path for part in parts]
        if not is_table(paths[0]):
            os.replace(paths[-1], target)
        elif is_sqlite(paths[0]):
            merge_databases(paths, target, relocation, state.plan.place)
        elif is_mergeable(paths):
            merge_tables(paths, target, relocation, state.plan.place)
        elif target.suffix in SETTINGS_OF_ANALYST:
            _relocate_text(paths[0], target, relocation)
        else:
            kept = _keep_beside(parts, name, state.output)
            results |= kept
            if len(kept) > 1:
                notes.append(f"{name}: the parts of the run wrote different files with this name; all are kept.")
            continue
        results.add(name)
    notes += _statistics_again(state.output, results, [span.name for span in state.done])
    state.results = sorted(results)
    return notes


def _statistics_again(output: Path, results: Iterable[str], parts: list[str]) -> list[str]:
    """Statistics over the run are those of the last part in the joined files; calculate them from all of it."""
    if len(parts) < 2:
        return []
    notes = []
    for name in sorted(results):
        path = output / name
        if path.stem.endswith("Experiment") and path.suffix in DELIMITERS:
            images = path.with_stem(path.stem.removesuffix("Experiment") + "Image")
            notes += correct_table(path, images, DELIMITERS[path.suffix])
        elif path.suffix.lower() not in DELIMITERS and path.is_file() and is_table(path) and is_sqlite(path):
            notes += correct_database(path)
    return notes


def _by_name(state: State) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = defaultdict(list)
    for span in sorted(state.done):
        output = ranges_folder(state.folder) / span.name / OUTPUT
        for path in sorted(output.rglob("*")):
            if path.is_file():
                found[path.relative_to(output).as_posix()].append(Part(span, path))
    return found


def moved_files(state: State) -> list[str]:
    """Files of the ranges other than tables, including those already moved by an earlier merge."""
    names: set[str] = set()
    for span in state.done:
        record = ranges_folder(state.folder) / span.name / DONE
        names.update(json.loads(record.read_text(encoding="utf-8"))["files"])
    return sorted(names)


def _relocate_text(source: Path, target: Path, relocation: Relocation) -> None:
    text = relocation.of_run(source.read_text(encoding="utf-8", errors="replace"))
    write_atomically(target, lambda part: part.write_text(text, encoding="utf-8"))


def _keep_beside(parts: list[Part], name: str, output: Path) -> set[str]:
    """Identical files with the same name become one; different files get the range in their names."""
    first = parts[0].path
    names = set()
    if all(filecmp.cmp(first, part.path, shallow=False) for part in parts[1:]):
        names_of = {name: first}
    else:
        path = Path(name)
        names_of = {str(path.with_stem(f"{path.stem}_{part.span.name}")): part.path for part in parts}
    for target, source in names_of.items():
        content = source.read_bytes()
        write_atomically(output / target, lambda part, content=content: part.write_bytes(content))  # type: ignore[misc]
        names.add(target)
    return names
