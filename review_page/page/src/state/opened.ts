/** The image that is open: its outlines, what is selected, and every change of its labels. */

import { batch, computed, effect, signal } from "@preact/signals";
import type { Edit, ImageDetails, Outlines, SettingSpec, Settings, SettingValue } from "../server/answers";
import { Refused } from "../server/asking";
import * as review from "../server/review";
import { piecesOf } from "../viewer/pieces";
import { folderSettings, images, judge, takeOver } from "./folder";
import { tell, tellError } from "./notices";
import { openId } from "./route";
import { following } from "./settings";
import { NewestOnly, OneAfterAnother } from "./turns";

export type Tool = "select" | "split" | "draw";

export const details = signal<ImageDetails | null>(null);
export const outlines = signal<Outlines | null>(null);
export const plane = signal<review.Plane>({ z: 0, t: 0 });
export const selected = signal<ReadonlySet<number>>(new Set());
export const tool = signal<Tool>("select");
export const settings = signal<Settings>({});
/** A sentence saying that "Segment" has to be pressed before these settings show. */
export const needsNetwork = signal<string | null>(null);
/** Settings whose outlines are a preview on a corrected image, until the person has decided. */
export const replacing = signal<Settings | null>(null);
export const FIND_AGAIN = "Find objects again";

/** The grid's entry of the open image: verdict, flags and progress as last told. */
export const entry = computed(() =>
  openId.value === null ? null : (images.value.get(openId.value) ?? null),
);

const turns = new OneAfterAnother();

/** The label numbers of the plane on show, each once. */
export const labels = computed(() => [
  ...new Set(outlines.value?.objects.map((object) => object.label) ?? []),
]);

function show(id: string, answer: Outlines): void {
  if (openId.value !== id || !details.value) return;
  batch(() => {
    outlines.value = answer;
    const { objects: _, changed: __, ...rest } = answer;
    details.value = { ...(details.value as ImageDetails), ...rest };
    takeOver({ ...rest, id });
    const there = new Set(answer.objects.map((object) => object.label));
    selected.value = new Set([...selected.value].filter((label) => there.has(label)));
  });
}

async function readAll(id: string): Promise<void> {
  const read = await review.readImage(id);
  if (openId.value !== id) return;
  const fresh = details.value?.id !== id;
  const within = (index: number, most: number) => Math.min(index, Math.max(0, most - 1));
  batch(() => {
    details.value = { ...read, id };
    if (fresh) {
      settings.value =
        read.state === "done" ? { ...folderSettings.value, ...read.parameters } : folderSettings.value;
      plane.value = { z: Math.floor((read.slices - 1) / 2), t: 0 };
    } else {
      plane.value = { z: within(plane.value.z, read.slices), t: within(plane.value.t, read.frames) };
    }
  });
  takeOver({ ...read, id });
  await readOutlines(id);
}

async function readOutlines(id: string): Promise<void> {
  const at = plane.value;
  const answer = await review.readOutlines(id, at, details.value?.revision ?? 0);
  if (openId.value === id && plane.value === at) show(id, answer);
}

/** Read the newest state of the open image. */
export async function reload(): Promise<void> {
  const id = openId.value;
  if (id === null) return;
  try {
    await turns.run(() => readAll(id));
  } catch (error) {
    tellError(error);
  }
}

/** Whether a preview is on show, whose objects are not those that a change would reach; the person is told. */
function isPreview(): boolean {
  if (replacing.value)
    tell("This is a preview. Replace your corrections, or keep them, before you go on.", "refused");
  return replacing.value !== null;
}

/** Ask for a change on the revision that is shown; if it is no longer the newest, the newest is shown instead. */
async function change(
  request: (id: string, revision: number) => Promise<Outlines>,
): Promise<Outlines | null> {
  const id = openId.value;
  if (id === null || isPreview()) return null;
  return turns.run(async () => {
    if (details.value?.id !== id) return null;
    try {
      const answer = await request(id, details.value.revision);
      show(id, answer);
      return answer;
    } catch (error) {
      tellError(error);
      if (error instanceof Refused && error.isOld) await readAll(id).catch(tellError);
      return null;
    }
  });
}

/** Edit labels; the changed objects become the selection. */
export async function edit(wanted: Edit): Promise<boolean> {
  const at = plane.value;
  const answer = await change((id, revision) => review.edit(id, revision, at, wanted));
  if (answer && wanted.kind !== "delete") {
    const there = new Set(answer.objects.map((object) => object.label));
    select((answer.changed ?? []).filter((label) => there.has(label))); // of merged objects, one is left
  }
  return answer !== null;
}

export const undo = () => change((id, revision) => review.undo(id, revision, plane.value));
export const redo = () => change((id, revision) => review.redo(id, revision, plane.value));

/** The person's answer to whether results that a run has written since replace the corrections. */
export const decideNewResults = (take: boolean) =>
  change((id, revision) => review.decide(id, revision, plane.value, take));

export async function deleteSelected(): Promise<void> {
  if (selected.value.size) await edit({ kind: "delete", labels: [...selected.value] });
  else tell("Select an object first: click on it, or press . for the next one.");
}

export async function mergeSelected(): Promise<void> {
  if (selected.value.size > 1) {
    if (await edit({ kind: "merge", labels: [...selected.value] })) tellOfPieces();
  } else
    tell("Select at least two objects to merge: hold Shift and click, or press Shift and the full stop.");
}

/** What was merged without touching is one object all the same, which few people want. */
function tellOfPieces(): void {
  const merged = outlines.value?.objects.filter((object) => selected.value.has(object.label)) ?? [];
  const pieces = piecesOf(merged).length;
  if (pieces > 1)
    tell(`They do not touch: object ${merged[0]?.label} has ${pieces} pieces now. Undo takes it back.`);
}

export function select(chosen: number[]): void {
  selected.value = new Set(chosen);
}

/** Add an object to the selection, or take it out. */
export function toggle(label: number): void {
  const next = new Set(selected.value);
  if (!next.delete(label)) next.add(label);
  selected.value = next;
}

/** Begin to split: one object has to be selected. */
export function beginSplit(): void {
  if (selected.value.size === 1) tool.value = "split";
  else tell("Select the one object that is to be split, then draw a line across it.");
}

export async function giveVerdict(verdict: "none" | "accepted" | "rejected"): Promise<boolean> {
  const shown = details.value;
  if (!shown || !entry.value || isPreview()) return false;
  return turns.run(async () => {
    const revision = details.value?.revision ?? shown.revision;
    const done = await judge({ ...(entry.value ?? shown), revision }, verdict);
    const newest = images.value.get(shown.id);
    if (!done) await readAll(shown.id).catch(tellError);
    else if (newest && details.value?.id === shown.id) details.value = { ...details.value, ...newest };
    return done;
  });
}

/** Show what the settings would give, without taking it over: the image was corrected by hand. */
function preview(id: string, answer: Outlines, wanted: Settings): void {
  if (openId.value !== id) return;
  batch(() => {
    outlines.value = answer;
    selected.value = new Set();
    replacing.value = wanted;
  });
}

async function follow(wanted: Settings, replace: boolean): Promise<void> {
  const id = openId.value;
  if (id === null) return;
  await turns.run(async () => {
    if (details.value?.id !== id) return;
    try {
      const answer = await review.segmentAgain(id, details.value.revision, wanted, replace);
      if (answer.edited && !replace) preview(id, answer, wanted);
      else show(id, answer);
      needsNetwork.value = null;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.needsNetwork) needsNetwork.value = error.message;
      else tellError(error);
      if (error.isOld) await readAll(id).catch(tellError);
    }
  });
}

const follower = new NewestOnly<Settings>((wanted) => follow(wanted, false).catch(tellError));
const REST_MS = 250;
let resting = 0;

/** Only a new run of the network can show these settings. */
function tellOfNetwork(setting: string): void {
  const undone = details.value?.edited ? " It replaces your corrections; Undo brings them back." : "";
  needsNetwork.value = `${setting} shows after "${FIND_AGAIN}".${undone}`;
}

/** Set one setting; outlines follow at once if they can. */
export function setSetting(spec: SettingSpec, value: SettingValue): void {
  settings.value = { ...settings.value, [spec.name]: value };
  if (details.value?.state !== "done") return;
  window.clearTimeout(resting);
  const stack = details.value.slices * details.value.frames > 1;
  const how = stack ? "no" : following(spec);
  if (how === "at once") void follower.push(settings.value);
  else if (how === "at rest") resting = window.setTimeout(() => void follower.push(settings.value), REST_MS);
  else tellOfNetwork(spec.label);
}

/** The person's answer to whether their edits may be replaced. */
export async function decideReplacing(yes: boolean): Promise<void> {
  const wanted = replacing.value;
  replacing.value = null;
  if (!wanted || !details.value) return;
  if (yes) return follow(wanted, true).catch(tellError);
  settings.value = { ...settings.value, ...details.value.parameters };
  await reload();
}

export function goToPlane(next: Partial<review.Plane>): void {
  const shown = details.value;
  const id = openId.value;
  if (!shown || id === null) return;
  const within = (index: number, count: number) => Math.min(Math.max(0, index), Math.max(0, count - 1));
  const z = within(next.z ?? plane.value.z, shown.slices);
  const t = within(next.t ?? plane.value.t, shown.frames);
  if (z === plane.value.z && t === plane.value.t) return;
  plane.value = { z, t };
  void reading.push(id);
}

const reading = new NewestOnly<string>((id) => turns.run(() => readOutlines(id)).catch(tellError));

/** Follow the address and what other windows and the engine do to the open image. */
export function followOpened(): void {
  effect(() => {
    const id = openId.value;
    batch(() => {
      details.value = null;
      outlines.value = null;
      selected.value = new Set();
      tool.value = "select";
      needsNetwork.value = null;
      replacing.value = null;
    });
    if (id !== null) void reload();
  });
  effect(() => {
    const newest = entry.value;
    const shown = details.peek();
    if (!newest || !shown || newest.id !== shown.id) return;
    if (newest.revision > shown.revision || newest.state !== shown.state)
      void turns.run(() => reloadIfOlder(newest.id));
  });
}

async function reloadIfOlder(id: string): Promise<void> {
  const newest = images.value.get(id);
  const shown = details.value;
  if (!newest || !shown || shown.id !== id) return;
  if (newest.revision <= shown.revision && newest.state === shown.state) return;
  const finished = shown.state !== "done" && newest.state === "done";
  await readAll(id).catch(tellError);
  if (finished && details.value) {
    needsNetwork.value = null;
    settings.value = { ...settings.value, ...details.value.parameters };
  }
}
