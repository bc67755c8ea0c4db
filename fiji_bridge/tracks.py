"""`cellspan fiji-link`: finds out for ImageJ which objects of a time-lapse are the same; and the table of tracks.

The table has one row for each object in each frame and slice: frame, slice (both counted from 1), label, track, parent.
A parent is the track that divided into this one, 0 = none.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cellspan.core.errors import CellspanError
from cellspan.fiji_bridge.answers import AnsweringCommand

if TYPE_CHECKING:
    from cellspan.core.objects.linking import Tracks
    from cellspan.fiji_bridge.numbering import Labels

COLUMNS = ("frame", "slice", "label", "track", "parent")


@click.command(cls=AnsweringCommand)
@click.option("--labels", required=True, type=click.Path(path_type=Path), help="Label image of all frames: TIFF.")
@click.option("--tracks", required=True, type=click.Path(path_type=Path), help="Table (CSV) to write.")
@click.option("--volumes", is_flag=True, help="An object has one number in all slices of a frame.")
def fiji_link(labels: Path, tracks: Path, volumes: bool) -> None:
    """Find out which objects of a time-lapse are the same, by overlap, and which are daughters of a division.

    Prints `OK <number of rows> <path of the table>` or `ERROR <sentence>`; the exit code is always 0.

    \b
    Example:
      cellspan fiji-link --labels movie_labels.tif --tracks tracks.csv
    """
    from cellspan.fiji_bridge.hyperstack import read_hyperstack
    from cellspan.fiji_bridge.numbering import tracks_by_slice

    given = read_hyperstack(labels)
    if given.inner != "YX":
        raise CellspanError(f"{labels}: a label image has one channel.")
    if given.frames == 1:
        raise CellspanError(f"{labels}: there is only one frame, so there is nothing to link.")
    frames = list(given.pixels.astype("int32"))
    count = write_tracks(tracks, frames, tracks_by_slice(frames, volumes))
    click.echo(f"OK {count} {tracks}")


def write_tracks(path: Path, frames: Sequence[Labels], by_slice: Sequence[Tracks]) -> int:
    """Write the table of frames (Z, Y, X), as they were before they were linked; the number of its rows."""
    from cellspan.core.files.writing import write_atomically

    rows = list(_rows(frames, by_slice))

    def write(part: Path) -> None:
        with part.open("w", newline="", encoding="ascii") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(rows)

    write_atomically(path, write)
    return len(rows)


def _rows(frames: Sequence[Labels], by_slice: Sequence[Tracks]) -> Iterator[tuple[int, int, int, int, int]]:
    import numpy as np

    for t, frame in enumerate(frames):
        for z, plane in enumerate(frame):
            tracks = by_slice[z]
            for label in np.unique(plane[plane > 0]).tolist():
                track = int(tracks.tables[t][label])
                yield t + 1, z + 1, label, track, tracks.parents.get(track, 0)
