import { describe, expect, it } from "vitest";
import { piecesOf } from "../../src/viewer/pieces";
import { isInside, Places } from "../../src/viewer/places";
import { square } from "./squares";

describe("objects by place", () => {
  it("finds the object at a point, and none beside it", () => {
    const places = new Places([square(7, 0, 0, 10), square(9, 20, 0, 10)]);
    expect([places.at(5, 5), places.at(25, 5), places.at(15, 5)]).toEqual([7, 9, null]);
  });

  it("takes no object for hit through its hole", () => {
    const ring = [square(3, 0, 0, 30), square(3, 10, 10, 10)];
    const places = new Places([...ring, square(4, 12, 12, 4)]);
    expect([places.at(5, 5), places.at(11, 11), places.at(13, 13)]).toEqual([3, null, 4]);
  });

  it("visits objects in reading order, around the end, each once", () => {
    const places = new Places([
      square(1, 50, 0, 10),
      square(2, 0, 2, 10),
      square(3, 0, 40, 10),
      square(3, 30, 40, 10),
    ]);
    expect(places.after(null, 1)).toBe(2);
    expect(places.after(2, 1)).toBe(1);
    expect(places.after(1, 1)).toBe(3);
    expect(places.after(3, 1)).toBe(2);
    expect(places.after(2, -1)).toBe(3);
    expect(places.after(999, 1)).toBe(2);
  });

  it("has nothing to say of a plane without objects", () => {
    const places = new Places([]);
    expect([places.at(1, 1), places.after(null, 1)]).toEqual([null, null]);
  });

  it("knows the inside of a polygon that is not convex", () => {
    const hook = [0, 0, 10, 0, 10, 10, 8, 10, 8, 2, 0, 2];
    expect([isInside(hook, 9, 9), isInside(hook, 4, 1), isInside(hook, 4, 6)]).toEqual([true, true, false]);
  });
});

describe("pieces and holes", () => {
  it("tells pieces of one label from its holes", () => {
    const [outer, hole, island, apart] = [
      square(3, 0, 0, 30),
      square(3, 5, 5, 20),
      square(3, 10, 10, 5),
      square(3, 50, 0, 5),
    ];
    const pieces = piecesOf([hole, apart, outer, island]);
    expect(pieces.find((piece) => piece.outer === outer)?.holes).toEqual([hole]);
    expect(pieces.find((piece) => piece.outer === island)?.holes).toEqual([]);
    expect(pieces.map((piece) => piece.outer)).not.toContain(hole);
    expect(pieces).toHaveLength(3);
  });

  it("never takes another object for a hole", () => {
    expect(piecesOf([square(1, 0, 0, 30), square(2, 5, 5, 5)])).toHaveLength(2);
  });
});
