/** Every question that the page puts to the engine, by name. */

import type {
  Edit,
  ImageDetails,
  ImageList,
  Outlines,
  Saved,
  SaveKind,
  SessionInfo,
  Settings,
  Teaching,
  Verdict,
} from "./answers";
import { ask, askJson } from "./asking";

/** Which plane of a stack or movie. */
export interface Plane {
  z: number;
  t: number;
}

/** What one tile shows; x and y count tiles. */
export interface TileAddress extends Plane {
  channel: number;
  level: number;
  x: number;
  y: number;
}

export const TILE = 512;

const image = (id: string) => `images/${encodeURIComponent(id)}`;

export const readSession = () => askJson<SessionInfo>("GET", "session");

export const readImages = (since: number) => askJson<ImageList>("GET", `images?since=${since}`);

export const readImage = (id: string) => askJson<ImageDetails>("GET", image(id));

export const readOutlines = (id: string, plane: Plane, revision: number) =>
  askJson<Outlines>("GET", `${image(id)}/outlines?z=${plane.z}&t=${plane.t}&revision=${revision}`);

export const thumbnail = (id: string, revision: number) => `api/${image(id)}/thumbnail?revision=${revision}`;

/** Outlines with other settings, without running the network. `replace`: also if people edited the image. */
export const segmentAgain = (id: string, revision: number, parameters: Settings, replace: boolean) =>
  askJson<Outlines>("POST", `${image(id)}/again`, { revision, parameters, replace });

export const segment = (ids: string[] | "all" | "none yet", parameters: Settings) =>
  askJson<{ accepted: number }>("POST", "segment", { ids, parameters });

export const stopSegmenting = () => ask("DELETE", "segment");

export const edit = (id: string, revision: number, plane: Plane, change: Edit) =>
  askJson<Outlines>("POST", `${image(id)}/edit`, { revision, ...plane, edit: change });

export const undo = (id: string, revision: number, plane: Plane) =>
  askJson<Outlines>("POST", `${image(id)}/undo`, { revision, ...plane });

export const redo = (id: string, revision: number, plane: Plane) =>
  askJson<Outlines>("POST", `${image(id)}/redo`, { revision, ...plane });

/** Take the results that a run has written since, or keep the corrections. */
export const decide = (id: string, revision: number, plane: Plane, take: boolean) =>
  askJson<Outlines>("POST", `${image(id)}/new_results`, { revision, ...plane, take });

export const judge = (id: string, revision: number, verdict: Verdict) =>
  askJson<Partial<ImageDetails>>("POST", `${image(id)}/verdict`, { revision, verdict });

export const save = (kinds: SaveKind[], ids: string[] | "accepted" | "all") =>
  askJson<Saved>("POST", "save", { kinds, ids });

export const teach = (name: string, from: string, minutes: number) =>
  askJson<Teaching>("POST", "teach", { name, from, minutes });

export const readTeaching = () => askJson<Teaching>("GET", "teach");

export const stopTeaching = () => ask("DELETE", "teach");

/** The intensities of one tile, 0 to 65535 over the channel's range. */
export async function readTile(id: string, tile: TileAddress, signal: AbortSignal): Promise<Tile> {
  const { channel, z, t, level, x, y } = tile;
  const where = `channel=${channel}&z=${z}&t=${t}&level=${level}&x=${x * TILE}&y=${y * TILE}&size=${TILE}`;
  const response = await ask("GET", `${image(id)}/tile?${where}`, undefined, signal);
  const [height = 0, width = 0] = (response.headers.get("X-Shape") ?? "").split(",").map(Number);
  return { height, width, pixels: new Uint16Array(await response.arrayBuffer()) };
}

export interface Tile {
  height: number;
  width: number;
  pixels: Uint16Array<ArrayBuffer>;
}
