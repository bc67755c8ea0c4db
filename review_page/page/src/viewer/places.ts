/** Finds objects by where they are: the one under the pointer, and the order in which the keyboard visits them. */

import Flatbush from "flatbush";
import type { Outline } from "../server/answers";
import type { Box } from "./camera";

export function boxOfPolygon(polygon: number[]): Box {
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (let i = 0; i < polygon.length; i += 2) {
    box.left = Math.min(box.left, polygon[i] as number);
    box.right = Math.max(box.right, polygon[i] as number);
    box.top = Math.min(box.top, polygon[i + 1] as number);
    box.bottom = Math.max(box.bottom, polygon[i + 1] as number);
  }
  return box;
}

/** Whether a point lies in a polygon (even-odd rule). */
export function isInside(polygon: number[], x: number, y: number): boolean {
  let inside = false;
  for (let i = 0, j = polygon.length - 2; i < polygon.length; j = i, i += 2) {
    const [xi, yi] = [polygon[i] as number, polygon[i + 1] as number];
    const [xj, yj] = [polygon[j] as number, polygon[j + 1] as number];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

/** The outlines of one plane, indexed by place. */
export class Places {
  private readonly index: Flatbush | null;
  private readonly order: number[];

  constructor(readonly outlines: Outline[]) {
    this.index = outlines.length ? new Flatbush(outlines.length) : null;
    const boxes = outlines.map((outline) => boxOfPolygon(outline.polygon));
    for (const box of boxes) this.index?.add(box.left, box.top, box.right, box.bottom);
    this.index?.finish();
    this.order = readingOrder(outlines, boxes);
  }

  /** The label at a point, which is not in a hole of it. */
  at(x: number, y: number): number | null {
    const hits = this.index?.search(x, y, x, y) ?? [];
    const around = hits
      .map((hit) => this.outlines[hit] as Outline)
      .filter((one) => isInside(one.polygon, x, y));
    const times = new Map<number, number>();
    for (const { label } of around) times.set(label, (times.get(label) ?? 0) + 1);
    return [...times].find(([, count]) => count % 2 === 1)?.[0] ?? null;
  }

  /** The label that comes `step` after this one in reading order; the first or last one if there is none. */
  after(label: number | null, step: 1 | -1): number | null {
    if (!this.order.length) return null;
    const at = label === null ? -1 : this.order.indexOf(label);
    if (at < 0) return (step > 0 ? this.order[0] : this.order.at(-1)) ?? null;
    return this.order[(at + step + this.order.length) % this.order.length] ?? null;
  }

  /** The outlines of some labels. */
  of(labels: ReadonlySet<number>): Outline[] {
    return labels.size ? this.outlines.filter((outline) => labels.has(outline.label)) : [];
  }
}

/** Labels from top to bottom in rows of about an object's height, each row from left to right. */
function readingOrder(outlines: Outline[], boxes: Box[]): number[] {
  const heights = boxes.map((box) => box.bottom - box.top).sort((one, other) => one - other);
  const row = Math.max(1, heights[Math.floor(heights.length / 2)] ?? 1);
  const placed = boxes.map((box, index) => ({
    label: (outlines[index] as Outline).label,
    row: Math.floor((box.top + box.bottom) / 2 / row),
    x: (box.left + box.right) / 2,
  }));
  placed.sort((one, other) => one.row - other.row || one.x - other.x);
  return [...new Set(placed.map(({ label }) => label))];
}
