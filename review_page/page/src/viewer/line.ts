/** The line that a person draws to split an object or to outline one: by dragging, by clicks, or by keyboard. */

import { signal } from "@preact/signals";

/** Points of the line so far, x before y, in image pixels. */
export const line = signal<number[]>([]);
/** The cross that the keyboard moves, in image pixels; null while the mouse draws. */
export const cross = signal<[number, number] | null>(null);

export function addPoint(x: number, y: number): void {
  line.value = [...line.value, x, y];
}

export function removePoint(): void {
  line.value = line.value.slice(0, -2);
}

export function clearLine(): void {
  line.value = [];
  cross.value = null;
}

/** Length of the line in image pixels. */
export function lengthOf(points: number[]): number {
  let length = 0;
  for (let i = 2; i < points.length; i += 2) {
    length += Math.hypot(
      (points[i] as number) - (points[i - 2] as number),
      (points[i + 1] as number) - (points[i - 1] as number),
    );
  }
  return length;
}

/** Move the cross, within the image. */
export function moveCross(right: number, down: number, width: number, height: number): void {
  const [x, y] = cross.value ?? [width / 2, height / 2];
  cross.value = [Math.min(width, Math.max(0, x + right)), Math.min(height, Math.max(0, y + down))];
}
