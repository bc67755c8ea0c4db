import { describe, expect, it } from "vitest";
import { freeName } from "../../src/dialogs/TeachDialog";

describe("the name of a new model", () => {
  it("is one that no model has", () => {
    expect(freeName(["cyto", "nuclei"])).toBe("my_model");
    expect(freeName(["my_model", "cyto"])).toBe("my_model_2");
    expect(freeName(["my_model", "my_model_2", "my_model_3"])).toBe("my_model_4");
    expect(freeName([])).toBe("my_model");
  });
});
