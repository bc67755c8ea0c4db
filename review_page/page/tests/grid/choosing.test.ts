import { describe, expect, it } from "vitest";
import { chosen, EVERYTHING, tally, toggled } from "../../src/grid/choosing";
import type { ImageEntry } from "../../src/server/answers";

function image(part: Partial<ImageEntry>): ImageEntry {
  return {
    ...{
      id: part.name ?? "",
      name: "",
      folder: "",
      well: null,
      shape: [1, 1],
      slices: 1,
      frames: 1,
      channels: 1,
    },
    ...{ state: "done", progress: 0, sentence: "", count: 1, diameter: 10, flags: [], verdict: "none" },
    ...{ edited: false, revision: 1 },
    ...part,
  } as ImageEntry;
}

const images = [
  image({ name: "img10", count: 4, flags: ["empty"], verdict: "accepted" }),
  image({ name: "img2", count: null, state: "none", diameter: null }),
  image({ name: "img1", count: 9, flags: ["edges", "crowded"], well: "B07", diameter: 30 }),
];
const names = (part: object) => chosen(images, { ...EVERYTHING, ...part }).map((entry) => entry.name);

describe("choosing images", () => {
  it("lets all pass without filters, in the order of the folder", () => {
    expect(names({})).toEqual(["img10", "img2", "img1"]);
  });

  it("filters by any of the flags, and by all kinds of filters together", () => {
    expect(names({ flags: ["empty", "crowded"] })).toEqual(["img10", "img1"]);
    expect(names({ flags: ["empty", "crowded"], verdicts: ["none"] })).toEqual(["img1"]);
    expect(names({ states: ["none"] })).toEqual(["img2"]);
  });

  it("searches names, folders and wells, whatever the case", () => {
    expect(names({ text: " b07" })).toEqual(["img1"]);
    expect(names({ text: "IMG1" })).toEqual(["img10", "img1"]);
  });

  it("sorts names as people count", () => {
    expect(names({ order: "name" })).toEqual(["img1", "img2", "img10"]);
  });

  it("puts images without the number last, both ways", () => {
    expect(names({ order: "most objects" })).toEqual(["img1", "img10", "img2"]);
    expect(names({ order: "fewest objects" })).toEqual(["img10", "img1", "img2"]);
    expect(names({ order: "largest diameter" })).toEqual(["img1", "img10", "img2"]);
  });

  it("counts values", () => {
    expect(tally(images, (entry) => entry.flags)).toEqual({ empty: 1, edges: 1, crowded: 1 });
  });

  it("puts a value in and takes it out", () => {
    expect(toggled(toggled([], "a"), "b")).toEqual(["a", "b"]);
    expect(toggled(["a", "b"], "a")).toEqual(["b"]);
  });
});
