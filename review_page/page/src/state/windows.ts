/** Which dialog is open. */

import { signal } from "@preact/signals";

export type Window = "help" | "save" | "segment" | "teach";

export const openWindow = signal<Window | null>(null);
