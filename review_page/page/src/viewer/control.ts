/** What buttons and keys do in the image view: they reach the picture that is on the screen through this. */

import { computed, signal } from "@preact/signals";
import { tell } from "../state/notices";
import * as opened from "../state/opened";
import { clearLine, line } from "./line";
import type { Navigation } from "./navigation";
import { piecesOf } from "./pieces";
import { boxOfPolygon, Places } from "./places";

/** Of the picture on the screen; null while there is none. */
export const navigation = signal<Navigation | null>(null);
export const places = computed(() => new Places(opened.outlines.value?.objects ?? []));

export const selectedPieces = computed(() => piecesOf(places.value.of(opened.selected.value)));

/** Select the next or previous object and bring it into view. */
export function stepObject(by: 1 | -1, add: boolean): void {
  const last = [...opened.selected.value].at(-1) ?? null;
  const next = places.value.after(last, by);
  if (next === null) {
    tell(opened.outlines.value ? "There are no objects in this plane." : "The outlines are still read.");
    return;
  }
  if (add)
    opened.selected.value = new Set(
      [...opened.selected.value].filter((label) => label !== next).concat(next),
    );
  else opened.select([next]);
  reveal(next);
}

export function reveal(label: number): void {
  const outlines = places.value.of(new Set([label]));
  if (outlines.length) navigation.value?.reveal(boxOfPolygon(outlines.flatMap((outline) => outline.polygon)));
}

export function beginDraw(): void {
  clearLine();
  opened.tool.value = "draw";
  navigation.value?.focus();
}

export function beginSplit(): void {
  clearLine();
  opened.beginSplit();
  navigation.value?.focus();
}

/** Give up the line, then the tool, then the selection: one a time. */
export function cancel(): boolean {
  if (line.value.length) clearLine();
  else if (opened.tool.value !== "select") opened.tool.value = "select";
  else if (opened.selected.value.size) opened.select([]);
  else return false;
  return true;
}

/** Split or draw with the line as it is. */
export async function finishLine(): Promise<void> {
  const points = line.value;
  const label = [...opened.selected.value][0];
  const tool = opened.tool.value;
  const least = tool === "draw" ? 3 : 2;
  if (points.length < 2 * least) return tell(`The line needs at least ${least} points.`);
  clearLine();
  if (tool === "split" && label === undefined) return tell("Select the object that is to be split first.");
  const done = await opened.edit(
    tool === "split" && label !== undefined
      ? { kind: "split", label, line: points }
      : { kind: "draw", polygon: points },
  );
  if (done) opened.tool.value = "select";
}
