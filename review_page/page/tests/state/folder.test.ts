import { describe, expect, it } from "vitest";
import type { ImageEntry } from "../../src/server/answers";
import { withNewer } from "../../src/state/folder";
import { addressOf, idIn } from "../../src/state/route";

const entry = (id: string, revision: number, count = 0) => ({ id, revision, count }) as ImageEntry;

describe("entries", () => {
  it("are replaced by newer ones and keep their place", () => {
    const known = withNewer(new Map(), [entry("a", 1), entry("b", 1)]);
    const next = withNewer(known, [{ id: "a", revision: 2, count: 5 }]);
    expect([...next.keys()]).toEqual(["a", "b"]);
    expect(next.get("a")?.count).toBe(5);
    expect(known.get("a")?.count).toBe(0);
  });

  it("are not replaced by older ones", () => {
    const known = withNewer(new Map(), [entry("a", 3, 7)]);
    expect(withNewer(known, [entry("a", 2, 1)]).get("a")?.count).toBe(7);
  });
});

describe("the address", () => {
  it("names an image, whatever its name holds", () => {
    for (const id of ["12", "a b/ä#?"]) expect(idIn(addressOf(id))).toBe(id);
    expect(idIn("#/")).toBeNull();
    expect(idIn("")).toBeNull();
  });
});
