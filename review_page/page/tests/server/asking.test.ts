import { afterEach, describe, expect, it, vi } from "vitest";
import { ask, askJson, Refused, UNREACHABLE } from "../../src/server/asking";
import { edit, readTile } from "../../src/server/review";

function answerWith(body: BodyInit, init: ResponseInit = {}) {
  const fetching = vi.fn(async (_address: URL, _request: RequestInit) => new Response(body, init));
  vi.stubGlobal("fetch", fetching);
  return fetching;
}

afterEach(() => vi.unstubAllGlobals());

describe("asking the engine", () => {
  it("sends changes as JSON with the header that other sites cannot send", async () => {
    const fetching = answerWith(JSON.stringify({ revision: 4, objects: [] }));
    await edit("a b", 3, { z: 1, t: 0 }, { kind: "delete", labels: [7] });
    const [address, request] = fetching.mock.calls[0] ?? [];
    expect(String(address)).toMatch(/api\/images\/a%20b\/edit$/);
    expect(request).toMatchObject({ method: "POST", headers: { "X-Cellspan": "review" } });
    expect(JSON.parse(String(request?.body))).toEqual({
      ...{ revision: 3, z: 1, t: 0, edit: { kind: "delete", labels: [7] } },
    });
  });

  it("hands on the engine's sentence", async () => {
    const body = { code: "conflict", sentence: "It was changed in another window.", fields: { image: 1 } };
    answerWith(JSON.stringify(body), { status: 409 });
    const error = await askJson("GET", "session").catch((refused: unknown) => refused);
    expect(error).toBeInstanceOf(Refused);
    expect(error).toMatchObject({
      message: body.sentence,
      isOld: true,
      needsNetwork: false,
      fields: { image: 1 },
    });
  });

  it("has a sentence where the engine has none", async () => {
    answerWith("<html>", { status: 502 });
    await expect(ask("GET", "session")).rejects.toThrow("The engine answered with status 502.");
    vi.stubGlobal("fetch", async () => Promise.reject(new TypeError("failed")));
    await expect(ask("GET", "session")).rejects.toThrow(UNREACHABLE);
  });

  it("knows when only a new segmentation helps", () => {
    expect(new Refused(400, "volume", "").needsNetwork).toBe(true);
    expect(new Refused(400, "refused", "").needsNetwork).toBe(false);
  });

  it("reads tiles by pixels of their level", async () => {
    const pixels = new Uint16Array([1, 2, 3, 65535, 5, 6]);
    const fetching = answerWith(pixels.buffer, { headers: { "X-Shape": "2,3" } });
    const place = { channel: 1, z: 2, t: 0, level: 3, x: 1, y: 2 };
    const tile = await readTile("a", place, new AbortController().signal);
    expect(tile).toEqual({ height: 2, width: 3, pixels });
    expect(String(fetching.mock.calls[0]?.[0])).toContain("channel=1&z=2&t=0&level=3&x=512&y=1024&size=512");
  });
});
