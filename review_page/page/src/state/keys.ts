/** Every key of the page, once: what it does, and the words for it in the list of keys. */

import { giveVerdict } from "../panels/ImageView";
import { segmentThis } from "../panels/SettingsPanel";
import { select } from "../panels/Toolbar";
import { beginDraw, beginSplit, cancel, finishLine, navigation, stepObject } from "../viewer/control";
import { addPoint, cross, line, moveCross, removePoint } from "../viewer/line";
import { nextShowing } from "./appearance";
import { step } from "./choice";
import * as opened from "./opened";
import { goToGrid, openId } from "./route";
import { openWindow } from "./windows";

export interface KeyAction {
  /** As in `event.key`, in lower case, with "ctrl+" and "shift+" before it where that matters. */
  keys: string[];
  shown: string;
  words: string;
  /** The action of some keys needs to know which one it was. */
  run: (key: string) => void;
}

const pan = (key: string) => {
  const far = key.startsWith("shift+") ? 300 : 60;
  const [right, down] = direction(key, far);
  navigation.value?.panBy(right, down);
};

function direction(key: string, far: number): [right: number, down: number] {
  if (key.endsWith("arrowleft")) return [-far, 0];
  if (key.endsWith("arrowright")) return [far, 0];
  return key.endsWith("arrowup") ? [0, -far] : [0, far];
}

const slice = (by: number) => opened.goToPlane({ z: opened.plane.value.z + by });
const frame = (by: number) => opened.goToPlane({ t: opened.plane.value.t + by });
const ARROWS = ["arrowleft", "arrowright", "arrowup", "arrowdown"];

export const ANYWHERE: KeyAction[] = [
  { keys: ["?"], shown: "?", words: "This list of keys", run: () => openDialog("help") },
  {
    keys: ["ctrl+s"],
    shown: "Ctrl+S",
    words: "Save labels, outlines or training pairs",
    run: () => openDialog("save"),
  },
  {
    keys: ["t"],
    shown: "T",
    words: "Teach a model with the accepted images",
    run: () => openDialog("teach"),
  },
];

export const IN_GRID: KeyAction[] = [
  { keys: ["/"], shown: "/", words: "Search", run: () => document.getElementById("search")?.focus() },
  { keys: ["g"], shown: "G", words: "Segment images", run: () => openDialog("segment") },
];

/** Keys of the grid that the grid itself answers, because they are about the card that has the focus. */
export const ON_CARDS = [
  { shown: "Arrow keys, Page up, Page down, Home, End", words: "Move from image to image" },
  { shown: "Enter", words: "Open the image" },
  { shown: "A", words: "Accept; again: not judged" },
  { shown: "R", words: "Reject; again: not judged" },
];

export const IN_IMAGE: KeyAction[] = [
  { keys: ["n"], shown: "N", words: "Next image", run: () => step(1) },
  { keys: ["p"], shown: "P", words: "Previous image", run: () => step(-1) },
  {
    keys: ["escape"],
    shown: "Esc",
    words: "Give up the line, the tool, the selection; then all images",
    run: () => cancel() || goToGrid(),
  },
  {
    keys: ["a"],
    shown: "A",
    words: "Accept and go on; again: not judged",
    run: () => giveVerdict("accepted"),
  },
  {
    keys: ["r"],
    shown: "R",
    words: "Reject and go on; again: not judged",
    run: () => giveVerdict("rejected"),
  },
  { keys: ["o"], shown: "O", words: "Outlines, fill, off", run: nextShowing },
  {
    keys: [...ARROWS, ...ARROWS.map((key) => `shift+${key}`)],
    shown: "Arrow keys",
    words: "Move the picture; with Shift farther",
    run: pan,
  },
  { keys: ["+", "="], shown: "+", words: "Closer", run: () => navigation.value?.zoomBy(1.5) },
  { keys: ["-"], shown: "−", words: "Farther", run: () => navigation.value?.zoomBy(1 / 1.5) },
  { keys: ["0"], shown: "0", words: "Whole image", run: () => navigation.value?.fit() },
  { keys: ["1"], shown: "1", words: "100 %", run: () => navigation.value?.actualSize() },
  { keys: ["pageup", "]"], shown: "Page up or ]", words: "Next slice", run: () => slice(1) },
  { keys: ["pagedown", "["], shown: "Page down or [", words: "Previous slice", run: () => slice(-1) },
  { keys: ["}"], shown: "}", words: "Next frame", run: () => frame(1) },
  { keys: ["{"], shown: "{", words: "Previous frame", run: () => frame(-1) },
  { keys: ["."], shown: ".", words: "Select the next object", run: () => stepObject(1, false) },
  { keys: [","], shown: ",", words: "Select the previous object", run: () => stepObject(-1, false) },
  {
    keys: [">", "shift+."],
    shown: "Shift+.",
    words: "Select the next object too",
    run: () => stepObject(1, true),
  },
  {
    keys: ["<", "shift+,"],
    shown: "Shift+,",
    words: "Select the previous object too",
    run: () => stepObject(-1, true),
  },
  {
    keys: ["delete", "backspace"],
    shown: "Delete",
    words: "Delete the selected objects",
    run: () => opened.deleteSelected(),
  },
  { keys: ["m"], shown: "M", words: "Merge the selected objects", run: () => opened.mergeSelected() },
  { keys: ["s"], shown: "S", words: "Split the selected object along a line", run: beginSplit },
  { keys: ["d"], shown: "D", words: "Draw an object", run: beginDraw },
  { keys: ["v"], shown: "V", words: "Back to selecting", run: select },
  { keys: ["ctrl+z"], shown: "Ctrl+Z", words: "Undo", run: () => opened.undo() },
  { keys: ["ctrl+y", "ctrl+shift+z"], shown: "Ctrl+Y", words: "Redo", run: () => opened.redo() },
  { keys: ["g"], shown: "G", words: "Segment this image, or find its objects again", run: segmentThis },
];

export const WHILE_DRAWING: KeyAction[] = [
  { keys: ARROWS, shown: "Arrow keys", words: "Move the cross", run: (key) => move(key, 8) },
  {
    keys: ARROWS.map((key) => `shift+${key}`),
    shown: "Shift and arrow keys",
    words: "Move the cross by one screen pixel",
    run: (key) => move(key, 1),
  },
  { keys: [" "], shown: "Space", words: "Put a point", run: putPoint },
  { keys: ["backspace"], shown: "Backspace", words: "Take back the last point", run: removePoint },
  { keys: ["enter"], shown: "Enter", words: "Finish the line", run: () => finishLine() },
];

/** Move the cross by screen pixels; the picture follows it. */
function move(key: string, far: number): void {
  const [height, width] = opened.details.value?.shape ?? [0, 0];
  const moves = navigation.value;
  if (!moves) return;
  const { zoom } = moves.view;
  if (cross.value === null) moves.startCross();
  const [right, down] = direction(key, far / zoom);
  moveCross(right, down, width, height);
  const [x, y] = cross.value ?? [0, 0];
  moves.keepInView(x, y);
}

function putPoint(): void {
  if (cross.value === null) navigation.value?.startCross();
  const [x, y] = cross.value ?? [0, 0];
  const [lastX, lastY] = line.value.slice(-2);
  if (x !== lastX || y !== lastY) addPoint(x, y);
}

function openDialog(name: "help" | "save" | "segment" | "teach"): void {
  openWindow.value = name;
}

/** The key with its modifiers, as the lists above name it. */
export function nameOf(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "shiftKey">): string {
  const key = event.key.toLowerCase();
  const letters = /^[a-z]$/.test(key) || key.length > 1;
  const control = event.ctrlKey || event.metaKey ? "ctrl+" : "";
  const shift = event.shiftKey && letters ? "shift+" : "";
  return `${control}${shift}${key}`;
}

/** Whether the key belongs to the control that has the focus. */
export function isForControl(target: EventTarget | null, name: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  const inForm = name === " " || name === "enter";
  if (target instanceof HTMLInputElement) {
    if (target.type === "range") return /arrow|page|home|end/.test(name);
    if (target.type === "checkbox" || target.type === "color") return inForm;
    return !name.startsWith("ctrl+s");
  }
  if (target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement) return true;
  return inForm && target.matches("button, a, summary");
}

function actionFor(name: string): KeyAction | undefined {
  const image = openId.value !== null;
  const drawing = image && opened.tool.value !== "select";
  const lists = [drawing ? WHILE_DRAWING : [], image ? IN_IMAGE : IN_GRID, ANYWHERE];
  return lists.flat().find((action) => action.keys.includes(name));
}

export function listenToKeys(): void {
  window.addEventListener("keydown", (event) => {
    const name = nameOf(event);
    if (
      event.defaultPrevented ||
      event.altKey ||
      openWindow.value !== null ||
      isForControl(event.target, name)
    )
      return;
    const action = actionFor(name);
    if (!action) return;
    event.preventDefault();
    action.run(name);
  });
}
