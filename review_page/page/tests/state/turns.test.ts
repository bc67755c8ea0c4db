import { describe, expect, it } from "vitest";
import { NewestOnly, OneAfterAnother } from "../../src/state/turns";

/** A promise that is kept when told to. */
function gate() {
  let open = () => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, passed };
}

describe("one after another", () => {
  it("begins the next only when the last has ended, even if it failed", async () => {
    const turns = new OneAfterAnother();
    const seen: string[] = [];
    const first = gate();
    const failing = turns.run(async () => {
      await first.passed;
      seen.push("first");
      throw new Error("refused");
    });
    const second = turns.run(async () => seen.push("second"));
    expect(seen).toEqual([]);
    first.open();
    await expect(failing).rejects.toThrow("refused");
    await second;
    expect(seen).toEqual(["first", "second"]);
  });
});

describe("newest only", () => {
  it("skips what was overtaken while it waited", async () => {
    const seen: number[] = [];
    const first = gate();
    const newest = new NewestOnly<number>(async (value) => {
      seen.push(value);
      if (value === 1) await first.passed;
    });
    const all = newest.push(1);
    void newest.push(2);
    void newest.push(3);
    void newest.push(4);
    first.open();
    await all;
    expect(seen).toEqual([1, 4]);
    expect(newest.busy).toBe(false);
  });

  it("goes on after a failure", async () => {
    const newest = new NewestOnly<number>(async (value) => {
      if (value === 1) throw new Error("refused");
    });
    await expect(newest.push(1)).rejects.toThrow("refused");
    await newest.push(2);
    expect(newest.busy).toBe(false);
  });
});
