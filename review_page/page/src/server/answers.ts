/** The shapes of what the engine answers about a folder under review. */

export type ImageState = "none" | "waiting" | "segmenting" | "done" | "failed";
export type Verdict = "none" | "accepted" | "rejected";

/** One image of the folder, as the grid shows it. */
export interface ImageEntry {
  id: string;
  name: string;
  folder: string;
  well: string | null;
  /** null until the engine has looked at the file. */
  shape: [height: number, width: number] | null;
  slices: number;
  frames: number;
  channels: number;
  state: ImageState;
  progress: number;
  sentence: string;
  count: number | null;
  diameter: number | null;
  flags: string[];
  verdict: Verdict;
  edited: boolean;
  /** A run has written other results since this image was changed. */
  newResults: boolean;
  revision: number;
}

/** Grey values of a channel: the proposed contrast, and what 0 and 65535 of a tile stand for. */
export interface ChannelRange {
  low: number;
  high: number;
  lowest: number;
  highest: number;
  color: string;
}

/** One resolution of an image; `scale` is the number of image pixels per pixel of it. */
export interface Level {
  scale: number;
  shape: [height: number, width: number];
}

/** One image with all that its own view needs. */
export interface ImageDetails extends ImageEntry {
  channelNames: string[];
  channelRanges: ChannelRange[];
  levels: Level[];
  parameters: Settings;
  notes: string[];
  canUndo: boolean;
  canRedo: boolean;
  units: { pixel?: number | null; unit?: string | null } | string | null;
}

/** One outline; an object in several pieces has several with the same label. */
export interface Outline {
  label: number;
  area: number | null;
  probability: number | null;
  flowError: number | null;
  edge: boolean;
  color: string;
  polygon: number[];
}

/** The outlines of one plane, and the revision of the labels they are of. */
export interface Outlines {
  revision: number;
  objects: Outline[];
  edited?: boolean;
  newResults?: boolean;
  changed?: number[];
  count?: number | null;
  canUndo?: boolean;
  canRedo?: boolean;
  notes?: string[];
}

export type SettingValue = string | number | boolean | null | number[];
export type Settings = Record<string, SettingValue>;

/** One setting of a segmentation: its words and what it may be. */
export interface SettingSpec {
  name: string;
  label: string;
  help: string;
  kind: "number" | "integer" | "boolean" | "choice" | "text" | "numbers";
  default: SettingValue;
  minimum: number | null;
  maximum: number | null;
  step: number | null;
  choices: string[];
  /** Whether the outlines follow without running the network. */
  quick: boolean;
}

export interface ModelEntry {
  name: string;
  title: string;
  kind: string;
}

export interface Teaching {
  state: "none" | "training" | "done" | "failed" | "cancelled";
  progress: number;
  sentence: string;
  /** AP@0.5 before and after, and of which images. */
  before: number | null;
  after: number | null;
  scored?: { images: number; heldOut: boolean } | null | undefined;
  model: string | null;
}

export interface SessionInfo {
  title: string;
  version: string;
  folder: string;
  folderName: string;
  results: string;
  model: string;
  models: ModelEntry[];
  parameters: Settings;
  specs: SettingSpec[];
  teach: Teaching | null;
  /** Why no model can be taught here; null if one can. */
  teachProblem: string | null;
}

export interface ImageList {
  counter: number;
  images: ImageEntry[];
  total: number;
  /** How many files the engine has not looked at yet. */
  reading: number;
}

/** A change of the labels of one plane that a person makes. Coordinates are image pixels, x before y. */
export type Edit =
  | { kind: "delete"; labels: number[] }
  | { kind: "merge"; labels: number[] }
  | { kind: "split"; label: number; line: number[] }
  | { kind: "draw"; polygon: number[] };

export type SaveKind = "labels" | "rois" | "pairs";

export interface Saved {
  written: { kind: string; path: string }[];
  left: { id: string; sentence: string }[];
  folder: string;
}
