import { describe, expect, it } from "vitest";
import { centred, fitting, seen, toImage, toScreen } from "../../src/viewer/camera";

const screen = { width: 800, height: 600 };

describe("the view of an image", () => {
  it("shows the whole image with room around it", () => {
    const box = seen(fitting({ width: 2000, height: 500 }, screen), screen);
    expect(box.left).toBeLessThan(0);
    expect(box.right).toBeGreaterThan(2000);
    expect((box.left + box.right) / 2).toBeCloseTo(1000);
    expect((box.top + box.bottom) / 2).toBeCloseTo(250);
  });

  it("leads from the screen to the image and back", () => {
    const view = centred(120, 80, 2.5, screen);
    expect(toScreen(view, 120, 80)).toEqual([400, 300]);
    const [x, y] = toImage(view, 13, 577);
    const [back, down] = toScreen(view, x, y);
    expect(back).toBeCloseTo(13);
    expect(down).toBeCloseTo(577);
  });
});
