/** Tells which outlines of an object are pieces of it and which are holes in a piece. */

import type { Outline } from "../server/answers";
import { isInside } from "./places";

export interface Piece {
  outer: Outline;
  holes: Outline[];
}

function holds(outer: Outline, inner: Outline): boolean {
  const [x = 0, y = 0, x2 = 0, y2 = 0] = inner.polygon;
  return outer !== inner && isInside(outer.polygon, (x + x2) / 2, (y + y2) / 2);
}

/** Outlines that lie in an odd number of others of their label are holes of the innermost of these. */
export function piecesOf(outlines: Outline[]): Piece[] {
  const byLabel = new Map<number, Outline[]>();
  for (const outline of outlines) {
    const others = byLabel.get(outline.label);
    if (others) others.push(outline);
    else byLabel.set(outline.label, [outline]);
  }
  return [...byLabel.values()].flatMap(piecesOfOne);
}

function piecesOfOne(rings: Outline[]): Piece[] {
  if (rings.length === 1) return [{ outer: rings[0] as Outline, holes: [] }];
  const around = new Map(rings.map((ring) => [ring, rings.filter((other) => holds(other, ring))]));
  const depth = (ring: Outline) => around.get(ring)?.length ?? 0;
  return rings
    .filter((ring) => depth(ring) % 2 === 0)
    .map((outer) => ({
      outer,
      holes: rings.filter((ring) => depth(ring) === depth(outer) + 1 && around.get(ring)?.includes(outer)),
    }));
}
