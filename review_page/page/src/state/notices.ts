/** The sentences that the page tells, and reads out to screen readers. */

import { signal } from "@preact/signals";
import { Refused } from "../server/asking";

export interface Notice {
  key: number;
  kind: "told" | "refused";
  sentence: string;
}

export const notices = signal<Notice[]>([]);
const SECONDS = { told: 6, refused: 15 };
let counter = 0;

export function dismiss(key: number): void {
  notices.value = notices.value.filter((notice) => notice.key !== key);
}

/** Show a sentence for some seconds; the same sentence is not shown twice. */
export function tell(sentence: string, kind: Notice["kind"] = "told"): void {
  counter += 1;
  const key = counter;
  const others = notices.value.filter((notice) => notice.sentence !== sentence);
  notices.value = [...others, { key, kind, sentence }].slice(-4);
  window.setTimeout(() => dismiss(key), SECONDS[kind] * 1000);
}

/** Show what went wrong. */
export function tellError(error: unknown): void {
  if (error instanceof DOMException && error.name === "AbortError") return;
  const sentence = error instanceof Refused ? error.message : `This page failed: ${String(error)}`;
  tell(sentence, "refused");
}
