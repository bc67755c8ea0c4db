import { describe, expect, it } from "vitest";
import { contrastSpan } from "../../src/panels/ChannelPanel";
import type { ImageDetails } from "../../src/server/answers";
import { adopt } from "../../src/state/appearance";
import { asFraction, firstViews, MOST_SHOWN, rgb } from "../../src/viewer/contrast";

const range = { low: 200, high: 1200, lowest: 100, highest: 4100, color: "#00ff00" };
const image = (count: number) =>
  ({
    channelNames: ["DAPI"],
    channelRanges: Array.from({ length: count }, () => range),
  }) as unknown as ImageDetails;

describe("contrast", () => {
  it("is a fraction of what tiles span", () => {
    expect(asFraction(100, range)).toBe(0);
    expect(asFraction(2100, range)).toBe(0.5);
    expect(asFraction(5, { ...range, highest: 100 })).toBe(0);
  });

  it("reads colours, and takes white for what is none", () => {
    expect(rgb("#ff8000")).toEqual([1, 128 / 255, 0]);
    expect(rgb("red")).toEqual([1, 1, 1]);
  });

  it("names all channels and shows the first ones", () => {
    const views = firstViews(image(6));
    expect(views.map((view) => view.name).slice(0, 2)).toEqual(["DAPI", "Channel 1"]);
    expect(views.filter((view) => view.shown)).toHaveLength(MOST_SHOWN);
  });

  it("keeps colours from image to image, grey values only if asked to", () => {
    const before = firstViews(image(2)).map((view) => ({
      ...view,
      color: "#123456",
      low: 1,
      high: 2,
      shown: false,
    }));
    expect(adopt(before, image(2), false)[0]).toMatchObject({
      color: "#123456",
      shown: false,
      low: 200,
      high: 1200,
    });
    expect(adopt(before, image(2), true)[0]).toMatchObject({ color: "#123456", low: 1, high: 2 });
    expect(adopt(before, image(3), true)[0]).toMatchObject({ color: "#00ff00", low: 200 });
  });

  it("has sliders around the useful grey values, which reach what is set", () => {
    const [view] = firstViews(image(1));
    if (!view) throw new Error("no channel");
    expect(contrastSpan(range, view)).toEqual({ least: 100, most: 3200, step: 1 });
    expect(contrastSpan(range, { ...view, high: 4000 }).most).toBe(4000);
    const flat = { low: 5, high: 5, lowest: 5, highest: 5, color: "#ffffff" };
    expect(contrastSpan(flat, { ...view, low: 5, high: 5 }).most).toBeGreaterThan(5);
  });
});
