import { describe, expect, it } from "vitest";
import { detailFor, regionsOf, sideOf, toleranceOf } from "../../src/viewer/outline_layer";
import { square } from "./squares";

describe("detail of outlines", () => {
  it("never leaves out what is half a screen pixel large", () => {
    for (let zoom = 8; zoom > 0.02; zoom *= 0.83)
      expect(toleranceOf(detailFor(zoom)) * zoom).toBeLessThanOrEqual(0.5);
  });

  it("is full where pixels are seen", () => {
    expect([detailFor(2), detailFor(30)]).toEqual([0, 0]);
  });
});

describe("regions", () => {
  it("are not much smaller on the screen than a hundred pixels where many are seen, nor as large as the screen", () => {
    for (let zoom = 1.9; zoom > 0.02; zoom *= 0.83) {
      const side = sideOf(detailFor(zoom)) * zoom;
      expect(side).toBeGreaterThan(60);
      expect(side).toBeLessThan(260);
    }
  });

  it("hold every outline once, with a box around all of it", () => {
    const outlines = [square(1, 500, 10, 100), square(2, 10, 10, 10), square(3, 3000, 3000, 5)];
    const regions = regionsOf(outlines, 512);
    expect(regions.flatMap((region) => region.outlines)).toHaveLength(3);
    expect(regions[0]?.box).toEqual({ left: 10, top: 10, right: 600, bottom: 110 });
    expect(regions).toHaveLength(2);
  });
});
