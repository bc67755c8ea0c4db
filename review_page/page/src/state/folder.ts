/** The folder under review: its session, and its images as the engine last told them. */

import { computed, signal } from "@preact/signals";
import type { ImageEntry, SessionInfo, Settings, Verdict } from "../server/answers";
import { Refused } from "../server/asking";
import * as review from "../server/review";
import { tell, tellError } from "./notices";
import { openId } from "./route";

export const session = signal<SessionInfo | null>(null);
/** What "Segment" in the grid uses. */
export const folderSettings = signal<Settings>({});
export const images = signal<ReadonlyMap<string, ImageEntry>>(new Map());
/** A sentence while the page cannot work at all. */
export const broken = signal<string | null>(null);

/** How many files the engine has not looked at yet. */
export const reading = signal(0);

export const imageList = computed(() => [...images.value.values()]);
const working = computed(() =>
  imageList.value.filter((entry) => entry.state === "waiting" || entry.state === "segmenting"),
);
export const atWork = computed(() => working.value.length);

/** Images that "Segment" would be for first. */
export const withoutResult = computed(() =>
  imageList.value.filter((entry) => entry.state === "none" || entry.state === "failed"),
);

const QUIET_MS = 1500;
const BUSY_MS = 500;
let counter = 0;

/** Take over newer entries; the order of the folder stays. */
export function withNewer(
  known: ReadonlyMap<string, ImageEntry>,
  newer: Partial<ImageEntry>[],
): ReadonlyMap<string, ImageEntry> {
  const next = new Map(known);
  for (const entry of newer) {
    const id = String(entry.id);
    const before = next.get(id);
    if (before && entry.revision !== undefined && entry.revision < before.revision) continue;
    next.set(id, { ...before, ...entry, id } as ImageEntry);
  }
  return next;
}

export function takeOver(entry: Partial<ImageEntry>): void {
  if (entry.id !== undefined) images.value = withNewer(images.value, [entry]);
}

async function readNewer(): Promise<void> {
  const before = working.peek();
  const list = await review.readImages(counter);
  counter = list.counter;
  reading.value = list.reading;
  if (list.images.length) images.value = withNewer(images.value, list.images);
  const done = before.length > 0 && before.every(({ id }) => images.peek().get(id)?.state === "done");
  if (done && atWork.peek() === 0 && openId.peek() === null) tell("Done. Open an image to see its outlines.");
}

async function keepReading(): Promise<void> {
  try {
    await readNewer();
    broken.value = null;
  } catch (error) {
    broken.value = error instanceof Refused ? error.message : String(error);
  }
  window.setTimeout(keepReading, atWork.value ? BUSY_MS : QUIET_MS);
}

/** Read the session and follow the changes of its images from then on. */
export async function openFolder(): Promise<void> {
  try {
    session.value = await review.readSession();
    folderSettings.value = session.value.parameters;
    document.title = session.value.title;
  } catch (error) {
    broken.value = error instanceof Refused ? error.message : String(error);
    if (error instanceof Refused && error.status === 0) window.setTimeout(openFolder, QUIET_MS);
    return;
  }
  await keepReading();
}

/** Read the session again: a model was taught. */
export async function refreshSession(): Promise<void> {
  session.value = await review.readSession();
}

export async function segmentImages(ids: string[] | "all" | "none yet", settings: Settings): Promise<void> {
  try {
    const { accepted } = await review.segment(ids, settings);
    tell(accepted === 1 ? "Segments 1 image." : `Segments ${accepted} images.`);
    await readNewer();
  } catch (error) {
    tellError(error);
  }
}

export async function stopSegmenting(): Promise<void> {
  try {
    await review.stopSegmenting();
    await readNewer();
  } catch (error) {
    tellError(error);
  }
}

/** Accept, reject or neither; false if the image had been changed elsewhere. */
export async function judge(entry: ImageEntry, verdict: Verdict): Promise<boolean> {
  try {
    const answer = await review.judge(entry.id, entry.revision, verdict);
    takeOver({ ...entry, ...answer, id: entry.id, verdict });
    return true;
  } catch (error) {
    tellError(error);
    await readNewer().catch(tellError);
    return false;
  }
}
