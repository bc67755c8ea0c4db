import { describe, expect, it } from "vitest";
import type { SettingSpec } from "../../src/server/answers";
import { asNumber, asText, firstSpecs, following, otherSpecs, sliderSpan } from "../../src/state/settings";

function spec(part: Partial<SettingSpec>): SettingSpec {
  return {
    ...{
      name: "min_size",
      label: "",
      help: "",
      kind: "number" as const,
      default: 15,
      choices: [],
      quick: true,
    },
    ...{ minimum: 0, maximum: 100, step: 1 },
    ...part,
  };
}

describe("settings", () => {
  it("begin with those that are changed most; every other one follows, the model apart", () => {
    const specs = ["model", "invert", "min_size", "diameter"].map((name) => spec({ name }));
    expect(firstSpecs(specs).map(({ name }) => name)).toEqual(["diameter", "min_size"]);
    expect(otherSpecs(specs).map(({ name }) => name)).toEqual(["invert"]);
  });

  it("are followed at once unless the network has to run", () => {
    expect(following(spec({ quick: true }))).toBe("at once");
    expect(following(spec({ name: "diameter", quick: false }))).toBe("at rest");
    expect(following(spec({ name: "invert", quick: false }))).toBe("no");
  });

  it("read numbers as people type them", () => {
    expect(asNumber(" 2,5 ", spec({}))).toBe(2.5);
    expect(asNumber("2.6", spec({ kind: "integer" }))).toBe(3);
    expect(asNumber("-3", spec({}))).toBe(0);
    expect(asNumber("", spec({}))).toBeNull();
    expect(asNumber("many", spec({}))).toBeNull();
  });

  it("may lie beyond the slider, which then reaches so far", () => {
    expect(sliderSpan(spec({}), 500)).toEqual({ least: 0, most: 500, step: 1 });
    expect(sliderSpan(spec({ minimum: null, maximum: null, step: null, default: 2 }), 2).most).toBe(20);
  });

  it("are shown as text", () => {
    expect([asText(null), asText([1, 99]), asText(0.4), asText(true)]).toEqual(["", "1,99", "0.4", "true"]);
  });
});
