import { beforeEach, describe, expect, it } from "vitest";
import { addPoint, clearLine, cross, lengthOf, line, moveCross, removePoint } from "../../src/viewer/line";

beforeEach(clearLine);

describe("the line in the making", () => {
  it("grows and shrinks by points", () => {
    addPoint(1, 2);
    addPoint(4, 6);
    expect(line.value).toEqual([1, 2, 4, 6]);
    expect(lengthOf(line.value)).toBe(5);
    removePoint();
    expect(line.value).toEqual([1, 2]);
  });

  it("has a cross that stays within the image", () => {
    moveCross(0, 0, 100, 60);
    expect(cross.value).toEqual([50, 30]);
    moveCross(-80, 500, 100, 60);
    expect(cross.value).toEqual([0, 60]);
  });
});
