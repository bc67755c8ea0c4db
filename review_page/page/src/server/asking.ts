/** Asks the engine, and turns its refusals into errors that carry its sentence. */

/** An answer that is not what was asked for; `message` is a sentence for people. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    sentence: string,
    readonly fields: Record<string, unknown> = {},
  ) {
    super(sentence);
  }

  /** Whether the image was changed elsewhere since the revision that was sent. */
  get isOld(): boolean {
    return this.status === 409;
  }

  /** Whether only a new segmentation can answer this: nothing was kept, or the settings reach the network. */
  get needsNetwork(): boolean {
    return this.status === 410 || this.status === 422 || this.code === "volume";
  }
}

export const UNREACHABLE =
  "The engine does not answer. Your work is saved; run `cellspan review` again to go on.";

type Method = "GET" | "POST" | "DELETE";

async function refusal(response: Response): Promise<Refused> {
  try {
    const body = (await response.json()) as {
      code?: string;
      sentence?: string;
      fields?: Record<string, unknown>;
    };
    if (body.sentence) return new Refused(response.status, body.code ?? "", body.sentence, body.fields ?? {});
  } catch {
    // Not of the engine's shape: the status has to do.
  }
  return new Refused(response.status, "", `The engine answered with status ${response.status}.`);
}

/** The response, if the engine did what was asked. `path` is below the page's own address. */
export async function ask(
  method: Method,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<Response> {
  const request: RequestInit = { method, headers: { "X-Cellspan": "review" }, credentials: "same-origin" };
  if (signal) request.signal = signal;
  if (body !== undefined) {
    request.body = JSON.stringify(body);
    request.headers = { "X-Cellspan": "review", "Content-Type": "application/json" };
  }
  let response: Response;
  try {
    response = await fetch(new URL(`api/${path}`, document.baseURI), request);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refused(0, "unreachable", UNREACHABLE);
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

/** As `ask`, for answers in JSON. */
export async function askJson<Answer>(method: Method, path: string, body?: unknown): Promise<Answer> {
  return (await (await ask(method, path, body)).json()) as Answer;
}
