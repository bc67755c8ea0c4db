/** Which tiles of which resolution a view needs, and what stands in for one that is not there yet. */

import type { Level } from "../server/answers";
import { TILE } from "../server/review";
import type { Box } from "./camera";

/** A tile by its level and place; x and y count tiles. */
export interface TilePlace {
  level: number;
  x: number;
  y: number;
}

/** The coarsest level that is still as sharp as the screen. `zoom` is in device pixels per image pixel. */
export function levelFor(levels: Level[], zoom: number): number {
  let best = 0;
  levels.forEach((level, index) => {
    if (level.scale * zoom <= 1.0001) best = index;
  });
  return best;
}

/** The image rectangle of a tile. */
export function boxOf(levels: Level[], place: TilePlace): Box {
  const level = levels[place.level] as Level;
  const [height, width] = level.shape;
  const side = TILE * level.scale;
  return {
    left: place.x * side,
    top: place.y * side,
    right: Math.min((place.x + 1) * TILE, width) * level.scale,
    bottom: Math.min((place.y + 1) * TILE, height) * level.scale,
  };
}

/** The tiles of a level that touch the box, nearest to its centre first. */
export function tilesIn(levels: Level[], index: number, box: Box): TilePlace[] {
  const level = levels[index];
  if (!level) return [];
  const side = TILE * level.scale;
  const [height, width] = level.shape;
  const clamp = (value: number, length: number) =>
    Math.min(Math.max(0, Math.floor(value / side)), Math.ceil(length / TILE) - 1);
  const places: TilePlace[] = [];
  for (let y = clamp(box.top, height); y <= clamp(box.bottom, height); y++)
    for (let x = clamp(box.left, width); x <= clamp(box.right, width); x++)
      places.push({ level: index, x, y });
  const [cx, cy] = [(box.left + box.right) / 2 / side - 0.5, (box.top + box.bottom) / 2 / side - 0.5];
  const distance = (place: TilePlace) => (place.x - cx) ** 2 + (place.y - cy) ** 2;
  return places.sort((one, other) => distance(one) - distance(other));
}

/** Coarser tiles that hold the same part of the image, the sharpest first. */
export function coarser(levels: Level[], place: TilePlace): TilePlace[] {
  const own = levels[place.level] as Level;
  return levels.slice(place.level + 1).map((level, index) => {
    const ratio = level.scale / own.scale;
    return { level: place.level + 1 + index, x: Math.floor(place.x / ratio), y: Math.floor(place.y / ratio) };
  });
}
