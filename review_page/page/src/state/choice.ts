/** What the grid shows now, remembered in this tab; the image view steps through the same images. */

import { computed, effect, signal } from "@preact/signals";
import { type Choice, chosen, EVERYTHING } from "../grid/choosing";
import { imageList } from "./folder";
import { goToImage, openId } from "./route";

const KEY = "cellspan review: choice";

function remembered(): Choice {
  try {
    return { ...EVERYTHING, ...(JSON.parse(sessionStorage.getItem(KEY) ?? "{}") as Partial<Choice>) };
  } catch {
    return EVERYTHING;
  }
}

export const choice = signal<Choice>(remembered());
export const shownImages = computed(() => chosen(imageList.value, choice.value));
/** Images that stay in the image view's row although a verdict took them out of the choice. */
let row: string[] = [];

effect(() => sessionStorage.setItem(KEY, JSON.stringify(choice.value)));
effect(() => {
  if (openId.value === null) row = shownImages.value.map((entry) => entry.id);
});

export function choose(part: Partial<Choice>): void {
  choice.value = { ...choice.value, ...part };
}

/** The images that "next" and "previous" go through: those of the grid when it was left. */
export function stepping(): string[] {
  const id = openId.value;
  if (!row.length || (id !== null && !row.includes(id))) row = shownImages.value.map((entry) => entry.id);
  return row;
}

/** Where the open image stands among these, counted from 1. */
export function position(): { at: number; of: number } {
  const ids = stepping();
  return { at: ids.indexOf(openId.value ?? "") + 1, of: ids.length };
}

/** Open the next or previous image; false at the end. */
export function step(by: 1 | -1): boolean {
  const ids = stepping();
  const next = ids[ids.indexOf(openId.value ?? "") + by];
  if (next === undefined) return false;
  goToImage(next);
  return true;
}
