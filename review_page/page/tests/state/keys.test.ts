import { describe, expect, it } from "vitest";
import { ANYWHERE, IN_GRID, IN_IMAGE, isForControl, nameOf, WHILE_DRAWING } from "../../src/state/keys";

const pressed = (key: string, part: Partial<KeyboardEvent> = {}) =>
  nameOf({ key, ctrlKey: false, metaKey: false, shiftKey: false, ...part });

function control(html: string): HTMLElement {
  const around = document.createElement("div");
  around.innerHTML = html;
  return around.firstElementChild as HTMLElement;
}

describe("keys", () => {
  it("are named with what is held", () => {
    expect(pressed("Z", { ctrlKey: true, shiftKey: true })).toBe("ctrl+shift+z");
    expect(pressed("y", { metaKey: true })).toBe("ctrl+y");
    expect(pressed("ArrowLeft", { shiftKey: true })).toBe("shift+arrowleft");
    expect(pressed("?", { shiftKey: true })).toBe("?");
    expect(pressed(">", { shiftKey: true })).toBe(">");
  });

  it("mean one thing in one place", () => {
    for (const list of [[...ANYWHERE, ...IN_GRID], [...ANYWHERE, ...IN_IMAGE], WHILE_DRAWING]) {
      const keys = list.flatMap((action) => action.keys);
      expect(new Set(keys).size).toBe(keys.length);
    }
  });

  it("belong to the field that is typed in", () => {
    const field = control('<input type="text">');
    expect(isForControl(field, "a")).toBe(true);
    expect(isForControl(field, "delete")).toBe(true);
    const slider = control('<input type="range">');
    expect(isForControl(slider, "arrowleft")).toBe(true);
    expect(isForControl(slider, "a")).toBe(false);
    const button = control("<button>Draw</button>");
    expect(isForControl(button, "enter")).toBe(true);
    expect(isForControl(button, "n")).toBe(false);
    expect(isForControl(control("<section></section>"), "enter")).toBe(false);
  });
});
