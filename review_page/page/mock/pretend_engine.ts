/** Answers like the engine while the page's looks are worked on (`npm run dev`); not part of the page or its tests. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { deflateSync } from "node:zlib";
import type { Connect, Plugin } from "vite";
import type { ImageEntry, Outline, Settings, Teaching } from "../src/server/answers.ts";

const SIDE = Number(process.env.SIDE ?? 1024);
const MANY = Number(process.env.IMAGES ?? 60);
const STEP = 58;

interface PretendImage {
  entry: ImageEntry;
  objects: Outline[];
  past: Outline[][];
  future: Outline[][];
}

const SPECS = [
  ["model", "Model", "text", "nuclei", null, null, null],
  ["diameter", "Diameter", "number", null, 0, 200, 1],
  ["flow_threshold", "Flow threshold", "number", 0.4, 0, 3, 0.05],
  ["cellprob_threshold", "Cell probability threshold", "number", 0, -6, 6, 0.1],
  ["min_size", "Minimum size", "integer", 15, 0, 1000, 1],
  ["max_size_fraction", "Maximum size fraction", "number", 0.4, 0.01, 1, 0.01],
  ["exclude_on_edges", "Discard objects touching the border", "boolean", false, null, null, null],
  ["invert", "Dark objects on bright background", "boolean", false, null, null, null],
  ["normalize", "Percentiles", "text", [1, 99], null, null, null],
].map(([name, label, kind, normal, minimum, maximum, step]) => ({
  ...{
    name,
    label,
    kind,
    default: normal,
    minimum,
    maximum,
    step,
    help: `Help for ${label}.`,
    choices: [],
    quick: normal !== null,
  },
}));

function color(label: number): string {
  const hue = (label * 0.618034) % 1;
  const part = (offset: number) => Math.round(255 * (0.6 + 0.4 * Math.cos(6.283 * (hue + offset))));
  return `#${[0, 0.33, 0.67].map((offset) => part(offset).toString(16).padStart(2, "0")).join("")}`;
}

function ellipse(label: number, x: number, y: number, radius: number, points = 44): Outline {
  const polygon: number[] = [];
  for (let i = 0; i < points; i++) {
    const angle = (6.28318 * i) / points;
    const wobble = radius * (1 + 0.12 * Math.sin(3 * angle + label));
    polygon.push(x + wobble * Math.cos(angle), y + 0.8 * wobble * Math.sin(angle));
  }
  const edge = x < radius || y < radius;
  return {
    label,
    area: Math.round(2.5 * radius * radius),
    probability: 5 - (label % 7),
    flowError: 0.1,
    edge,
    color: color(label),
    polygon,
  };
}

function cells(threshold: number): Outline[] {
  const found: Outline[] = [];
  const columns = Math.floor(SIDE / STEP);
  for (let i = 0; i < columns * columns; i++) {
    const [x, y] = [(i % columns) * STEP + 30, Math.floor(i / columns) * STEP + 30];
    found.push(ellipse(i + 1, x, y, 22 - 2 * threshold + (i % 5)));
  }
  return found;
}

const images: PretendImage[] = Array.from({ length: MANY }, (_, index) => {
  const done = index % 7 !== 3;
  const flags = ["empty", "crowded", "edges", "low probability", "diameter"].filter(
    (_, at) => index % (7 + at) === at,
  );
  const objects = done ? cells(0) : [];
  const entry: ImageEntry = {
    ...{
      id: String(index),
      name: `plate1_${String(index).padStart(4, "0")}_field_of_view.tif`,
      folder: "plate1",
    },
    ...{ well: `${"ABCDEFGH"[index % 8]}${String((index % 12) + 1).padStart(2, "0")}`, shape: [SIDE, SIDE] },
    ...{
      slices: index === 1 ? 12 : 1,
      frames: index === 2 ? 5 : 1,
      channels: 2,
      state: done ? "done" : "none",
    },
    ...{
      progress: 0,
      sentence: "",
      count: done ? objects.length : null,
      diameter: done ? 40 + (index % 9) : null,
    },
    ...{ flags: done ? flags : [], verdict: "none", edited: false, newResults: false, revision: 1 },
  } as ImageEntry;
  return { entry, objects, past: [], future: [] };
});

const counters = new Map(images.map((image) => [image, 1]));
let counter = 1;
let teaching: Teaching = { state: "none", progress: 0, sentence: "", before: null, after: null, model: null };

function changed(image: PretendImage): void {
  image.entry.revision += 1;
  counter += 1;
  counters.set(image, counter);
  if (image.entry.state === "done")
    image.entry.count = new Set(image.objects.map((object) => object.label)).size;
}

function outlines(image: PretendImage, labels: number[] = []) {
  const { revision, edited, count } = image.entry;
  const can = { canUndo: image.past.length > 0, canRedo: image.future.length > 0 };
  return { revision, edited, count, ...can, objects: image.objects, changed: labels };
}

function pixel(x: number, y: number, channel: number): number {
  const [dx, dy] = [(x % STEP) - 30, (y % STEP) - 30];
  const size = channel ? 10 : 22;
  const noise = ((x * 7919 + y * 104729) % 97) * 20;
  return 2000 + noise + (dx * dx + 1.5 * dy * dy < size * size ? 30000 : 0);
}

function tile(query: URLSearchParams, response: ServerResponse): void {
  const number = (name: string) => Number(query.get(name));
  const scale = 2 ** number("level");
  const size = number("size");
  const [width, height] = ["x", "y"].map((axis) =>
    Math.min(size, Math.ceil(SIDE / scale) - number(axis)),
  ) as [number, number];
  const pixels = new Uint16Array(width * height);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++)
      pixels[row * width + column] = pixel(
        (number("x") + column) * scale,
        (number("y") + row) * scale,
        number("channel"),
      );
  response.setHeader("X-Shape", `${height},${width}`);
  response.end(Buffer.from(pixels.buffer));
}

function details(image: PretendImage) {
  const levels = [0, 1, 2, 3].map((level) => ({
    scale: 2 ** level,
    shape: [SIDE / 2 ** level, SIDE / 2 ** level],
  }));
  const range = (tint: string) => ({ low: 2000, high: 36000, lowest: 0, highest: 65535, color: tint });
  const { objects: _, ...rest } = outlines(image);
  const channelRanges = [range("#00ff00"), range("#ff00ff")];
  return {
    ...image.entry,
    ...rest,
    levels,
    channelRanges,
    channelNames: ["Membrane", "DAPI"],
    parameters: {},
    notes: [],
    units: null,
  };
}

interface EditBody {
  revision: number;
  parameters: Settings;
  replace?: boolean;
  verdict: ImageEntry["verdict"];
  edit: { kind: string; labels: number[]; label: number; line: number[]; polygon: number[] };
}

function edit(image: PretendImage, { edit: wanted }: EditBody): number[] {
  const newest = Math.max(0, ...image.objects.map((object) => object.label)) + 1;
  image.past.push(image.objects);
  image.future = [];
  image.entry.edited = true;
  if (wanted.kind === "draw") {
    image.objects = [...image.objects, { ...ellipse(newest, 0, 0, 1), polygon: wanted.polygon }];
    return [newest];
  }
  if (wanted.kind === "merge") {
    const [first = 0] = wanted.labels;
    image.objects = image.objects.map((one) =>
      wanted.labels.includes(one.label) ? { ...one, label: first, color: color(first) } : one,
    );
    return [first];
  }
  image.objects = image.objects.filter((one) => !(wanted.labels ?? [wanted.label]).includes(one.label));
  if (wanted.kind === "delete") return wanted.labels;
  const [x = 0, y = 0] = wanted.line;
  image.objects = [...image.objects, ellipse(newest, x + 10, y, 10), ellipse(newest + 1, x + 30, y, 10)];
  return [newest, newest + 1];
}

function change(image: PretendImage, what: string, body: EditBody): unknown {
  let labels: number[] = [];
  if (what === "verdict") image.entry.verdict = body.verdict;
  if (what === "edit") labels = edit(image, body);
  if (what === "undo") {
    image.future.push(image.objects);
    image.objects = image.past.pop() ?? image.objects;
  }
  if (what === "redo") {
    image.past.push(image.objects);
    image.objects = image.future.pop() ?? image.objects;
  }
  if (what === "again") {
    const objects = cells(Number(body.parameters.cellprob_threshold ?? 0));
    if (image.entry.edited && !body.replace) return { ...outlines(image), objects };
    image.past.push(image.objects);
    image.objects = objects;
    image.entry.edited = false;
  }
  changed(image);
  return what === "verdict" ? image.entry : outlines(image, labels);
}

function segmentOne(image: PretendImage, steps: number): void {
  image.entry.state = steps ? "segmenting" : "done";
  image.entry.progress = 1 - steps / 5;
  if (!steps) image.objects = cells(0);
  changed(image);
  if (steps) setTimeout(() => segmentOne(image, steps - 1), 200);
}

function teach(steps: number): void {
  const score = 0.61;
  teaching = {
    ...{
      state: steps ? "training" : "done",
      progress: 1 - steps / 20,
      sentence: steps ? "Trains." : "Done.",
      before: score,
    },
    ...{ after: steps ? null : 0.74, model: steps ? null : "my_model" },
  };
  if (steps) setTimeout(() => teach(steps - 1), 300);
}

/** A grey PNG. */
function thumbnail(image: PretendImage, response: ServerResponse): void {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    let crc = 0xffffffff;
    for (const byte of body) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    }
    sum.writeUInt32BE((crc ^ 0xffffffff) >>> 0);
    return Buffer.concat([length, body, sum]);
  };
  const rows = Buffer.alloc(129 * 128);
  for (let y = 0; y < 128; y++)
    for (let x = 0; x < 128; x++)
      rows[y * 129 + x + 1] = pixel(x * 4 + Number(image.entry.id), y * 4, 0) >> 8;
  const head = Buffer.from([0, 0, 0, 128, 0, 0, 0, 128, 8, 0, 0, 0, 0]);
  response.setHeader("Content-Type", "image/png");
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  response.end(
    Buffer.concat([
      signature,
      chunk("IHDR", head),
      chunk("IDAT", deflateSync(rows)),
      chunk("IEND", Buffer.alloc(0)),
    ]),
  );
}

function answerImage(
  image: PretendImage,
  what: string | undefined,
  query: URLSearchParams,
  body: EditBody,
  response: ServerResponse,
): unknown {
  if (what === "tile") return tile(query, response);
  if (what === "thumbnail") return thumbnail(image, response);
  if (what === undefined) return details(image);
  if (what === "outlines") return outlines(image);
  if (body.revision !== image.entry.revision) {
    response.statusCode = 409;
    return { code: "conflict", sentence: "The image was changed in another window.", fields: {} };
  }
  return change(image, what, body);
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  body: EditBody & { ids: string[] | string },
): unknown {
  const url = new URL(request.url ?? "", "http://page");
  const [, , name, id, what] = url.pathname.split("/");
  const image = images[Number(id)];
  if (name === "images" && image) return answerImage(image, what, url.searchParams, body, response);
  if (name === "images") {
    const since = Number(url.searchParams.get("since"));
    return {
      counter,
      total: MANY,
      reading: 0,
      images: images.filter((one) => (counters.get(one) ?? 0) > since).map((one) => one.entry),
    };
  }
  if (name === "segment") {
    const chosen = images.filter(({ entry }) =>
      Array.isArray(body.ids) ? body.ids.includes(entry.id) : entry.state === "none",
    );
    for (const one of chosen) segmentOne(one, 5);
    return { accepted: chosen.length };
  }
  if (name === "save")
    return {
      folder: "/data/plate1/cellspan_results/reviewed",
      written: [{ kind: "labels", path: "/data/plate1/cellspan_results/reviewed/a_labels.tif" }],
      left: [],
    };
  if (name === "teach") {
    if (request.method === "POST") teach(20);
    return teaching;
  }
  const models = ["cyto", "nuclei"].map((model) => ({
    name: model,
    title: `Finds ${model}`,
    kind: "bundled",
  }));
  const where = { folder: "/data/experiments/plate1", results: "/data/experiments/plate1/cellspan_results" };
  const parameters = {
    model: "nuclei",
    diameter: null,
    flow_threshold: 0.4,
    cellprob_threshold: 0,
    min_size: 15,
  };
  return {
    title: "plate1",
    folderName: "plate1",
    version: "0",
    teachProblem: null,
    ...where,
    model: "nuclei",
    models,
    parameters,
    specs: SPECS,
    teach: null,
  };
}

async function handle(request: Connect.IncomingMessage, response: ServerResponse): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const text = Buffer.concat(parts).toString();
  const found = answer(request, response, text ? JSON.parse(text) : {});
  if (!response.writableEnded) {
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(found ?? {}));
  }
}

export function pretendEngine(): Plugin {
  return {
    name: "pretend engine",
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        if (request.url?.startsWith("/api/")) void handle(request, response);
        else next();
      });
    },
  };
}
