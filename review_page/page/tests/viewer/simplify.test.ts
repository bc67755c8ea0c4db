import { describe, expect, it } from "vitest";
import { simplified } from "../../src/viewer/simplify";

/** A circle of many points, which is what an outline is like. */
function circle(radius: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => (2 * Math.PI * i) / count).flatMap((angle) => [
    radius * Math.cos(angle),
    radius * Math.sin(angle),
  ]);
}

describe("simplified outlines", () => {
  it("keep every point without tolerance", () => {
    const outline = circle(20, 60);
    expect(simplified(outline, 0)).toBe(outline);
  });

  it("leave points out, and stay within the tolerance", () => {
    const outline = circle(20, 200);
    const fewer = simplified(outline, 0.5);
    expect(fewer.length).toBeLessThan(outline.length / 4);
    for (let i = 0; i < fewer.length; i += 2) {
      const [x = 0, y = 0] = fewer.slice(i, i + 2);
      const [nextX = 0, nextY = 0] = i + 2 < fewer.length ? fewer.slice(i + 2, i + 4) : fewer.slice(0, 2);
      expect(20 - Math.hypot((x + nextX) / 2, (y + nextY) / 2)).toBeLessThan(0.6);
    }
  });

  it("stay an area even when it is smaller than the tolerance", () => {
    expect(simplified(circle(1, 30), 50).length).toBeGreaterThanOrEqual(6);
  });

  it("keep corners", () => {
    const square = [0, 0, 5, 0, 10, 0, 10, 5, 10, 10, 5, 10, 0, 10, 0, 5];
    const corners = simplified(square, 0.1);
    for (const corner of ["0,0", "10,0", "10,10", "0,10"]) {
      const points = corners.flatMap((_, i) => (i % 2 ? [] : [`${corners[i]},${corners[i + 1]}`]));
      expect(points).toContain(corner);
    }
  });
});
