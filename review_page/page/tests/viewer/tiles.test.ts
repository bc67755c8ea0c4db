import { describe, expect, it } from "vitest";
import { boxOf, coarser, levelFor, tilesIn } from "../../src/viewer/tiles";

const levels = [
  { scale: 1, shape: [1500, 2000] as [number, number] },
  { scale: 2, shape: [750, 1000] as [number, number] },
  { scale: 4, shape: [375, 500] as [number, number] },
];

describe("tiles", () => {
  it("come from the coarsest level that is as sharp as the screen", () => {
    expect([4, 1, 0.6, 0.5, 0.3, 0.25, 0.01].map((zoom) => levelFor(levels, zoom))).toEqual([
      0, 0, 0, 1, 1, 2, 2,
    ]);
  });

  it("cover the view and no more, the middle first", () => {
    const places = tilesIn(levels, 0, { left: 600, top: 100, right: 1500, bottom: 700 });
    expect(places.map(({ x, y }) => `${x},${y}`).sort()).toEqual(["1,0", "1,1", "2,0", "2,1"]);
    const row = tilesIn(levels, 0, { left: 0, top: 0, right: 1535, bottom: 10 });
    expect(row[0]).toEqual({ level: 0, x: 1, y: 0 });
  });

  it("do not go beyond the image", () => {
    const places = tilesIn(levels, 0, { left: -9999, top: -9999, right: 9999, bottom: 9999 });
    expect(places).toHaveLength(4 * 3);
    expect(boxOf(levels, { level: 0, x: 3, y: 2 })).toEqual({
      left: 1536,
      top: 1024,
      right: 2000,
      bottom: 1500,
    });
    expect(boxOf(levels, { level: 2, x: 0, y: 0 })).toEqual({ left: 0, top: 0, right: 2000, bottom: 1500 });
  });

  it("have coarser ones that hold the same place", () => {
    expect(coarser(levels, { level: 0, x: 3, y: 2 })).toEqual([
      { level: 1, x: 1, y: 1 },
      { level: 2, x: 0, y: 0 },
    ]);
  });
});
