"""Figures of a training: curves of loss and validation, and examples of found objects."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cellspan.core.files.writing import write_atomically
from cellspan.core.objects.labels import Labels
from cellspan.core.objects.outlines import outlined
from cellspan.core.pictures.images import Floats

HEIGHT, WIDTH = 520, 960  # pixels of the curves
MARGIN, LEGEND = 60, 260
# Colour-blind safe colours (Okabe and Ito), as BGR.
COLOURS = ((0, 0, 0), (178, 114, 0), (0, 159, 230), (115, 158, 0), (0, 94, 213), (167, 121, 204), (233, 180, 86))
BLACK, GREY, WHITE = (0, 0, 0), (200, 200, 200), (255, 255, 255)

Pixels = NDArray[np.uint8]
Curve = NDArray[np.float64]  # (n, 2): step, value


@dataclass(frozen=True)
class Example:
    """A held-out image (2, Y, X), its true and its predicted labels (Y, X), and the AP@0.5 between them."""

    source: str
    image: Floats
    true: Labels
    predicted: Labels
    score: float


def draw_curves(log: Path, picture: Path) -> None:
    """A PNG from log.jsonl: the loss at the top, the validation AP@0.5 of each source below."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    losses = {"training loss": np.array([(line["step"], line["loss"]) for line in lines], float)}
    scores = {"validation AP@0.5": np.array([(line["step"], line["val_ap50"]) for line in lines], float)}
    for source in sorted({name for line in lines for name in line.get("val_ap50_of", {})}):
        points = [(line["step"], line["val_ap50_of"][source]) for line in lines if source in line["val_ap50_of"]]
        scores[source] = np.array(points, float)
    top = max(float(curve[:, 1].max()) for curve in losses.values())
    _write(picture, np.vstack((_panel(losses, top * 1.05), _panel(scores, 1.0))))


def draw_examples(examples: list[Example], picture: Path, side: int = 320) -> None:
    """A PNG with one row per example: true outlines on the left, predicted ones on the right."""
    rows = []
    for example in examples:
        pair = [_outlined(example.image, labels, side) for labels in (example.true, example.predicted)]
        row = np.hstack(pair)
        _text(row, f"{example.source}: drawn", (6, 16), WHITE)
        _text(row, f"found, AP@0.5 {example.score:.2f}", (side + 6, 16), WHITE)
        rows.append(row)
    _write(picture, np.vstack(rows))


def _outlined(image: Floats, labels: Labels, side: int) -> Pixels:
    """The first channel in grey with outlines, cropped or padded to a square of `side` pixels."""
    pixels = outlined(image[0], labels)
    square = np.zeros((side, side, 3), np.uint8)
    part = pixels[:side, :side, ::-1]
    square[: part.shape[0], : part.shape[1]] = part
    return square


def _panel(curves: dict[str, Curve], top: float) -> Pixels:
    """Curves over the steps, from 0 to `top`, with a legend."""
    panel = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    last = max(1.0, *(float(curve[:, 0].max()) for curve in curves.values()))
    right, bottom = WIDTH - LEGEND, HEIGHT - MARGIN
    for k in range(6):
        y = bottom - round(k / 5 * (bottom - MARGIN // 2))
        cv2.line(panel, (MARGIN, y), (right, y), GREY, 1)
        _text(panel, f"{k / 5 * top:.2f}", (8, y + 5))
        x = MARGIN + round(k / 5 * (right - MARGIN))
        _text(panel, f"{k / 5 * last:.0f}", (x - 12, bottom + 22))
    _text(panel, "steps", ((MARGIN + right) // 2, HEIGHT - 12))
    for k, (name, curve) in enumerate(curves.items()):
        colour, thickness = COLOURS[k % len(COLOURS)], 2 if k == 0 else 1
        across = MARGIN + curve[:, 0] / last * (right - MARGIN)
        height = np.clip(curve[:, 1] / top, 0, 1) * (bottom - MARGIN // 2)
        points = np.stack((across, bottom - height), axis=1).round().astype(np.int32)
        cv2.polylines(panel, [points], False, colour, thickness, cv2.LINE_AA)
        for point in points[-1:]:
            cv2.circle(panel, (int(point[0]), int(point[1])), 3, colour, -1, cv2.LINE_AA)
        _text(panel, f"{name}  {curve[-1, 1]:.3f}", (right + 14, MARGIN // 2 + 12 + 22 * k), colour)
    return panel


def _text(picture: Pixels, words: str, place: tuple[int, int], colour: tuple[int, int, int] = BLACK) -> None:
    cv2.putText(picture, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)


def _write(path: Path, picture: Pixels) -> None:
    _, data = cv2.imencode(".png", picture)
    write_atomically(path, lambda part: part.write_bytes(data.tobytes()))
