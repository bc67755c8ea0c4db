import { describe, expect, it } from "vitest";
import { holds, overlap, type Part, without } from "../../src/viewer/kept_drawing";

const WHOLE = { x: 0, y: 0, width: 12, height: 9 };

/** How often each pixel of the whole is in one of the parts. */
function times(parts: Part[]): number[] {
  const counts = Array<number>(WHOLE.width * WHOLE.height).fill(0);
  for (const part of parts)
    for (let y = part.y; y < part.y + part.height; y++)
      for (let x = part.x; x < part.x + part.width; x++) {
        const at = y * WHOLE.width + x;
        counts[at] = (counts[at] ?? 0) + 1;
      }
  return counts;
}

describe("what a move uncovers", () => {
  const moves = [
    [0, 0],
    [3, 0],
    [-3, 0],
    [0, 2],
    [4, -1],
    [-2, 5],
    [12, 0],
    [1, -40],
  ] as const;
  it.each(moves)("is drawn once, and nothing else, for %i right and %i down", (right, down) => {
    const drawn = { x: 1, y: 2, width: 10, height: 6 };
    const stays = overlap(WHOLE, { ...drawn, x: drawn.x + right, y: drawn.y + down });
    const moved = times(stays.width && stays.height ? [stays] : []);
    expect(times(without(WHOLE, stays))).toEqual(moved.map((count) => 1 - count));
  });
});

describe("rectangles", () => {
  it("hold what does not reach beyond them", () => {
    expect(holds(WHOLE, WHOLE)).toBe(true);
    expect(holds(WHOLE, { x: 2, y: 2, width: 10, height: 2 })).toBe(true);
    expect(holds(WHOLE, { x: 2, y: 2, width: 11, height: 2 })).toBe(false);
    expect(holds(WHOLE, { x: 2, y: -1, width: 3, height: 2 })).toBe(false);
  });
});
