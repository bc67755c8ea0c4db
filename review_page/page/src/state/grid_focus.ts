/** The card of the grid that has the keyboard; the image that was open last. */

import { effect, signal } from "@preact/signals";
import { openId } from "./route";

export const gridFocus = signal<string | null>(null);

effect(() => {
  if (openId.value !== null) gridFocus.value = openId.value;
});
