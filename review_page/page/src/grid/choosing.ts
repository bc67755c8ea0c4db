/** Which images the grid shows and in which order: by name, state, verdict and flags. */

import type { ImageEntry } from "../server/answers";

export const FLAGS = ["empty", "crowded", "edges", "low probability", "diameter"] as const;

/** What each flag says, in words. */
export const FLAG_WORDS: Record<string, string> = {
  empty: "Empty",
  crowded: "Crowded",
  edges: "Many at edges",
  "low probability": "Low probability",
  diameter: "Unusual diameter",
};

export const FLAG_HELP: Record<string, string> = {
  empty: "No object was found.",
  crowded: "Objects cover most of the image.",
  edges: "Many objects touch the border of the image.",
  "low probability": "The network is unsure of many objects.",
  diameter: "The objects' diameter is far from that of the other images.",
};

export const STATES = ["none", "waiting", "segmenting", "done", "failed"] as const;
export const STATE_WORDS: Record<string, string> = {
  none: "Not segmented",
  waiting: "Waiting",
  segmenting: "Segmenting",
  done: "Segmented",
  failed: "Failed",
};

export const VERDICTS = ["none", "accepted", "rejected"] as const;
export const VERDICT_WORDS: Record<string, string> = {
  none: "Not judged",
  accepted: "Accepted",
  rejected: "Rejected",
};

export const ORDERS = {
  folder: "Order of the folder",
  name: "Name",
  "most objects": "Most objects first",
  "fewest objects": "Fewest objects first",
  "largest diameter": "Largest diameter first",
  "smallest diameter": "Smallest diameter first",
  "most flags": "Most flags first",
} as const;
export type Order = keyof typeof ORDERS;

/** What is looked for; empty lists let everything pass. */
export interface Choice {
  text: string;
  states: string[];
  verdicts: string[];
  flags: string[];
  order: Order;
}

export const EVERYTHING: Choice = { text: "", states: [], verdicts: [], flags: [], order: "folder" };

const has = (list: string[], value: string) => list.length === 0 || list.includes(value);

export function passes(entry: ImageEntry, choice: Choice): boolean {
  const text = choice.text.trim().toLowerCase();
  const words = `${entry.name} ${entry.folder} ${entry.well ?? ""}`.toLowerCase();
  const flagged = choice.flags.length === 0 || entry.flags.some((flag) => choice.flags.includes(flag));
  return (
    words.includes(text) && has(choice.states, entry.state) && has(choice.verdicts, entry.verdict) && flagged
  );
}

const byName = new Intl.Collator(undefined, { numeric: true });
/** Images without the number come last, whichever way the order goes. */
const by =
  (value: (entry: ImageEntry) => number | null, sign: 1 | -1) => (one: ImageEntry, other: ImageEntry) => {
    const [a, b] = [value(one), value(other)];
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    return sign * (a - b);
  };

const COMPARING: Record<Order, ((one: ImageEntry, other: ImageEntry) => number) | null> = {
  folder: null,
  name: (one, other) => byName.compare(one.name, other.name),
  "most objects": by((entry) => entry.count, -1),
  "fewest objects": by((entry) => entry.count, 1),
  "largest diameter": by((entry) => entry.diameter, -1),
  "smallest diameter": by((entry) => entry.diameter, 1),
  "most flags": by((entry) => entry.flags.length, -1),
};

/** The images that pass, in the chosen order. */
export function chosen(entries: ImageEntry[], choice: Choice): ImageEntry[] {
  const passing = entries.filter((entry) => passes(entry, choice));
  const compare = COMPARING[choice.order];
  return compare ? passing.sort(compare) : passing;
}

/** How many images have each value. */
export function tally(
  entries: ImageEntry[],
  values: (entry: ImageEntry) => string[],
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const entry of entries) for (const value of values(entry)) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

/** The list with the value put in or taken out. */
export function toggled(list: string[], value: string): string[] {
  return list.includes(value) ? list.filter((other) => other !== value) : [...list, value];
}
